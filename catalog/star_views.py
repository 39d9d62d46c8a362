"""The views over facts and dimensions, ``<table>_current`` and ``<fact>_history``; their SQL: ``views/``.

A fact that is published on some days has one for every day, ``<fact>_daily``; one of events has one of the
newest of each thing, under a name of its own. What facts amount to, and what
currencies are worth, is shown in the reporting currency by views whose names end in its code.

One text serves Athena and the warehouse: what it uses means the same in Trino and PostgreSQL. Only the
current state of a fact has a second one for the warehouse, where an anti-join over the index on the versions
lets a filter reach the table. A view of what is current says of each row whether a change of it was rejected.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from string import Template
from typing import ClassVar, Optional

from catalog.keys import Dialect, is_number, shown_key
from catalog.model import UNRESOLVED, Column, Contract, Daily, Newest, Reported
from catalog.reporting import Reporting, load_reporting
from catalog.view_columns import VIEWS, further_columns


@dataclass(frozen=True)
class StarView:
    """A view over a fact or a dimension, for Athena or for the warehouse.

    Attributes:
        name: Its name, in the table's own database or schema.
        description: What one row of it is.
        sql: The query.
        columns: What it shows, in order.
    """

    name: str
    description: str
    sql: str
    columns: tuple[Column, ...]


def athena_views(
    contract: Contract, *, bare: bool = False, reporting: Optional[Reporting] = None
) -> tuple[StarView, ...]:
    """The views of a star table in the lake; the calendar and the list of dead letters have none.

    The partition column is among what names a record. That changes nothing, since all versions of a record
    lie in one partition; but only so does a filter on it pass the window functions and spare the others.

    Args:
        contract: The table.
        bare: Whether the views name what they read without its database.
        reporting: What amounts are reported in; the project's own unless stated.
    """
    place = "" if bare else f"{contract.zone_info.database}."
    return _Lake(reporting or load_reporting(), place).views(contract)


def warehouse_views(
    contract: Contract, table: Callable[[str], str], reporting: Optional[Reporting] = None
) -> tuple[StarView, ...]:
    """The views of a star table in the warehouse, of the same names and rows as in the lake.

    Args:
        contract: The table.
        table: Qualifies and quotes the name of a table as PostgreSQL wants it.
        reporting: What amounts are reported in; the project's own unless stated.
    """
    return _Warehouse(reporting or load_reporting(), table).views(contract)


class _Views(ABC):
    """Draws the views of tables on one side."""

    dialect: ClassVar[Dialect]
    partitioned: ClassVar[bool]
    """Whether tables have columns besides those of their files."""
    texts: ClassVar[Mapping[Optional[str], Mapping[str, str]]] = {
        "fact": {"current": "current.sql", "history": "history.sql"},
        "dimension": {"current": "current.dimension.sql"},
    }
    """By kind of table, the views over it as their names end, and where their texts stand."""

    def __init__(self, reporting: Optional[Reporting]) -> None:
        self.reporting = reporting

    @abstractmethod
    def table(self, name: str) -> str:
        """How a table is called."""

    @abstractmethod
    def relation(self, view: StarView) -> str:
        """How another view reads a view."""

    def views(self, contract: Contract) -> tuple[StarView, ...]:
        found = [self.plain(contract, kind) for kind in self.texts.get(contract.kind, {})]
        if contract.daily is not None:
            found.append(self.daily(contract, contract.daily))
        if contract.newest is not None:
            found.append(self.newest(contract, contract.newest))
        if self.reporting is not None:
            if contract.table == self.reporting.rates.table:
                found.append(self.rates(contract, self.reporting))
            if contract.reported is not None:
                found.append(self.reported(contract, contract.reported, self.reporting))
        return tuple(found)

    def plain(self, contract: Contract, kind: str) -> StarView:
        """What is current, or the history."""
        further_of_table = contract.partition_columns if self.partitioned else ()
        shown = contract.all_columns + further_of_table
        record = [column.name for column in further_of_table] + list(contract.key)
        business = [c.name for c in contract.columns if not c.record_id and c.name not in contract.key]
        parts = {
            "columns": _listed(column.name for column in shown),
            "table": self.table(contract.table),
            "name": contract.table,
            "key": shown_key(contract, self.dialect),
            "listed_key": "row_key" if is_number(contract) else "row_key_text",
            "rejected": self.table(UNRESOLVED),
            "record": _listed(record),
            "same_record": " AND ".join(f'newer."{name}" = versions."{name}"' for name in record),
            "names_of_changed": ",\n            ".join(
                f'CASE WHEN "{name}" IS DISTINCT FROM lag("{name}") OVER versions THEN \'{name}\' END'
                for name in business
            ),
        }
        further: tuple[Column, ...] = getattr(further_columns(), kind)
        return _view(contract, kind, self.texts[contract.kind][kind], parts, shown + further)

    def daily(self, contract: Contract, stated: Daily) -> StarView:
        """What is published on some days, for every day."""
        current = self.relation(self.plain(contract, "current"))
        rows = f"    SELECT * FROM {current} AS published"  # noqa: S608 - names of contracts
        shows = tuple(contract.column(name) for name in stated.shows)
        return self._for_every_day(contract, stated, "daily", rows, shows)

    def newest(self, contract: Contract, stated: Newest) -> StarView:
        """Of what is current the newest row of each thing."""
        current = self.plain(contract, "current")
        parts = {
            "columns": _listed(column.name for column in current.columns),
            "current": self.relation(current),
            "of": _listed(stated.of),
            "by": ", ".join(f'"{name}" DESC' for name in stated.by),
        }
        view = _view(contract, "newest", "newest.sql", parts, current.columns)
        return replace(view, name=stated.view)

    def rates(self, contract: Contract, reporting: Reporting) -> StarView:
        """What currencies are worth in the reporting currency, for every day."""
        stated = contract.daily
        if stated is None or stated.cross_rates is None:
            raise ValueError(f"{contract.table} states no cross rates")
        rate = _reported_columns(reporting)["rate_to_"]
        parts = {
            "current": self.relation(self.plain(contract, "current")),
            "day": stated.day,
            "whose": stated.whose,
            "of_what": stated.of[0],
            "base": stated.cross_rates.base,
            "units": stated.cross_rates.units,
            "rate": rate.name,
            "currency": reporting.currency,
            "cross_rate": _text("cross_rate.sql").rstrip(),
        }
        rows = Template(_text("cross_rates.sql").rstrip()).substitute(parts)
        return self._for_every_day(contract, stated, reporting.suffix, rows, (rate,))

    def _for_every_day(
        self, contract: Contract, stated: Daily, ending: str, rows: str, shows: tuple[Column, ...]
    ) -> StarView:
        of, names = [stated.whose, *stated.of], [column.name for column in shows]
        kept = f"\"{stated.day}\" >= newest - INTERVAL '{stated.stale_days}' DAY"
        parts = {
            "rows_of_days": rows,
            "day": stated.day,
            "calendar": self.table(_calendar(contract, stated)),
            "calendar_key": stated.calendar_key,
            "stale_days": str(stated.stale_days),
            "of": _listed(of),
            "of_kinds": ", ".join(f'kinds."{name}"' for name in of),
            "of_days": ", ".join(f'by_day."{name}"' for name in of),
            "whose": stated.whose,
            "told": names[-1],
            "shown": ",\n                    ".join(f'"{name}"' for name in names),
            "shown_as_nothing": ",\n                    ".join(f'NULL AS "{name}"' for name in names),
            "shown_of_days": ",\n                ".join(f'max("{name}") AS "{name}"' for name in names),
            "shown_as_published": ",\n            ".join(f'by_day."{name}"' for name in names),
            "shown_as_known": ",\n        ".join(f'max("{name}") OVER known AS "{name}"' for name in names),
            "shown_if_kept": ",\n    ".join(
                f'CASE WHEN {kept} THEN "{name}" END AS "{name}"' for name in names
            ),
        }
        day, emptied = contract.column(stated.day), {"nullable": True}
        calendar_day = {"name": stated.calendar_key, "description": "The day.", "source": None}
        columns = (
            day.model_copy(update={**calendar_day, "nullable": False}),
            *(contract.column(name) for name in of),
            *(column.model_copy(update=emptied) for column in shows),
            day.model_copy(update=emptied),
            *further_columns().daily,
        )
        return _view(contract, ending, "daily.sql", parts, columns)

    def reported(self, contract: Contract, stated: Reported, reporting: Reporting) -> StarView:
        """The current rows with their amounts in the reporting currency."""
        rates, current = reporting.rates, self.plain(contract, "current")
        if rates.daily is None:
            raise ValueError(f"{rates.table} is not shown for every day")
        further = _reported_columns(reporting)
        parts = {
            "columns": _listed(column.name for column in current.columns),
            "amount": " * ".join(_factor(contract.column(name)) for name in stated.amount),
            "amount_reported": further["amount_"].name,
            "rate": further["rate_to_"].name,
            "currency": reporting.currency,
            "provider": reporting.provider,
            "current": self.relation(current),
            "dimension": self.table(reporting.currencies.table),
            "dimension_key": reporting.currencies.key[0],
            "code": reporting.code,
            "rates": self.relation(self.rates(rates, reporting)),
            "own_currency": stated.currency,
            "own_day": stated.day,
            "calendar_key": rates.daily.calendar_key,
            "whose": rates.daily.whose,
            "of_what": rates.daily.of[0],
            "rate_day": rates.daily.day,
        }
        columns = (*current.columns, *further.values())
        return _view(contract, reporting.suffix, "reported.sql", parts, columns)


class _Lake(_Views):
    """Athena's."""

    dialect = "trino"
    partitioned = True

    def __init__(self, reporting: Optional[Reporting], place: str) -> None:
        super().__init__(reporting)
        self._place = place

    def table(self, name: str) -> str:
        return f"{self._place}{name}"

    def relation(self, view: StarView) -> str:
        return f"{self._place}{view.name}"


class _Warehouse(_Views):
    """PostgreSQL's. No view names another: the columns of one that another names could not change."""

    dialect = "postgres"
    partitioned = False
    texts: ClassVar[Mapping[Optional[str], Mapping[str, str]]] = {
        **_Views.texts,
        "fact": {**_Views.texts["fact"], "current": "current.warehouse.sql"},
    }

    def __init__(self, reporting: Optional[Reporting], table: Callable[[str], str]) -> None:
        super().__init__(reporting)
        self._table = table

    def table(self, name: str) -> str:
        return self._table(name)

    def relation(self, view: StarView) -> str:
        return f"(\n{view.sql}\n)"


def _view(
    contract: Contract, ending: str, text: str, parts: Mapping[str, str], columns: tuple[Column, ...]
) -> StarView:
    comments, query = _parts(_text(text))
    return StarView(f"{contract.table}_{ending}", comments, Template(query).substitute(parts), columns)


def _calendar(contract: Contract, stated: Daily) -> str:
    return next(one.table for one in contract.references if one.column == stated.day)


def _factor(column: Column) -> str:
    """A column as a factor of an amount: PostgreSQL multiplies whole numbers into no larger ones."""
    return f'CAST(facts."{column.name}" AS decimal(20, {column.type.scale or 0}))'


def _reported_columns(reporting: Reporting) -> dict[str, Column]:
    """What a view in the reporting currency adds, by the names before they get its code."""
    return {
        column.name: column.model_copy(update={"name": f"{column.name}{reporting.suffix}"})
        if column.name.endswith("_")
        else column
        for column in further_columns().reported
    }


def _listed(names: Iterable[str]) -> str:
    # The model lets nothing but plain identifiers be names, so there is nothing to escape.
    return ", ".join(f'"{name}"' for name in names)


def _parts(text: str) -> tuple[str, str]:
    """The comment at the head of a file as one line, and the query below it."""
    lines = text.strip().splitlines()
    head = [line for line in lines if line.startswith("--")]
    return " ".join(line.lstrip("- ") for line in head), "\n".join(lines[len(head) :])


@cache
def _text(name: str) -> str:
    return (VIEWS / name).read_text(encoding="utf-8")
