"""The views over facts and dimensions, ``<table>_current`` and ``<fact>_history``; their SQL: ``views/``.

One text serves Athena and the warehouse: what it uses means the same in Trino and PostgreSQL. Only the
current state of a fact has a second one for the warehouse, where an anti-join over the index on the versions
lets a filter reach the table. A view of what is current says of each row whether a change of it was rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from typing import Optional

from catalog.keys import Dialect, is_number, shown_key
from catalog.model import UNRESOLVED, Column, Contract, Strict, validate
from catalog.yaml_lines import load_with_lines

VIEWS = Path(__file__).parent / "views"

_ATHENA: Mapping[Optional[str], Mapping[str, str]] = {
    "fact": {"current": "current.sql", "history": "history.sql"},
    "dimension": {"current": "current.dimension.sql"},
}
"""By kind of table, the views over it as their names end, and where their texts stand."""

_DAILY = {"daily": "daily.sql"}
"""The view of a fact that is shown for every day."""

_WAREHOUSE = {**_ATHENA, "fact": {**_ATHENA["fact"], "current": "current.warehouse.sql"}}


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


def athena_views(contract: Contract, table: Optional[str] = None) -> tuple[StarView, ...]:
    """The views of a star table in the lake; the calendar and the list of dead letters have none.

    The partition column is among what names a record. That changes nothing, since all versions of a record
    lie in one partition; but only so does a filter on it pass the window functions and spare the others.

    Args:
        contract: The table.
        table: What the views are over, where that is not the table itself.
    """
    shown = contract.all_columns + contract.partition_columns
    record = [column.name for column in contract.partition_columns] + list(contract.key)
    database = contract.zone_info.database
    table, rejected = table or f"{database}.{contract.table}", f"{database}.{UNRESOLVED}"
    calendar = f"{database}.{_calendar(contract)}"
    return tuple(
        _view(contract, kind, text, _Names(table, rejected, calendar), record, shown, "trino")
        for kind, text in _views_of(contract, _ATHENA).items()
    )


def warehouse_views(contract: Contract, table: str, rejected: str, calendar: str) -> tuple[StarView, ...]:
    """The views of a star table in the warehouse, of the same names and rows as in the lake.

    Args:
        contract: The table.
        table: Its table, qualified and quoted as PostgreSQL wants it.
        rejected: The list of dead letters, likewise.
        calendar: The table that :func:`calendar_of` names, likewise.
    """
    return tuple(
        _view(
            contract,
            kind,
            text,
            _Names(table, rejected, calendar),
            contract.key,
            contract.all_columns,
            "postgres",
        )
        for kind, text in _views_of(contract, _WAREHOUSE).items()
    )


def calendar_of(contract: Contract) -> Optional[str]:
    """The calendar by which a fact is shown for every day; nothing where it is not."""
    return _calendar(contract) or None


def _calendar(contract: Contract) -> str:
    day = contract.daily.day if contract.daily is not None else None
    return next((one.table for one in contract.references if one.column == day), "")


def _views_of(contract: Contract, of_kinds: Mapping[Optional[str], Mapping[str, str]]) -> Mapping[str, str]:
    return {**of_kinds.get(contract.kind, {}), **(_DAILY if contract.daily is not None else {})}


@dataclass(frozen=True)
class _Names:
    """How the tables are called that a view reads."""

    table: str
    rejected: str
    calendar: str


def _view(
    contract: Contract,
    kind: str,
    text: str,
    names: _Names,
    record: Sequence[str],
    shown: tuple[Column, ...],
    dialect: Dialect,
) -> StarView:
    comments, query = _parts(_text(text))
    business = [c.name for c in contract.columns if not c.record_id and c.name not in contract.key]
    filled = Template(query).substitute(
        columns=_listed(column.name for column in shown),
        table=names.table,
        name=contract.table,
        key=shown_key(contract, dialect),
        listed_key="row_key" if is_number(contract) else "row_key_text",
        rejected=names.rejected,
        record=_listed(record),
        same_record=" AND ".join(f'newer."{name}" = versions."{name}"' for name in record),
        names_of_changed=",\n            ".join(
            f'CASE WHEN "{name}" IS DISTINCT FROM lag("{name}") OVER versions THEN \'{name}\' END'
            for name in business
        ),
        **_daily_parts(contract, names),
    )
    further: tuple[Column, ...] = getattr(further_columns(), kind)
    if kind in _DAILY:
        shown = _daily_columns(contract)
    return StarView(f"{contract.table}_{kind}", comments, filled, shown + further)


def _daily_parts(contract: Contract, names: _Names) -> dict[str, str]:
    """What stands for the placeholders of the view for every day."""
    stated = contract.daily
    if stated is None:
        return {}
    of = [stated.whose, *stated.of]
    kept = f"\"{stated.day}\" >= newest - INTERVAL '{stated.stale_days}' DAY"
    return {
        "day": stated.day,
        "calendar": names.calendar,
        "calendar_key": stated.calendar_key,
        "current": f"{names.table}_current",
        "stale_days": str(stated.stale_days),
        "of": _listed(of),
        "of_kinds": ", ".join(f'kinds."{name}"' for name in of),
        "whose_of_kinds": f'kinds."{stated.whose}"',
        "same_kind": " AND ".join(f'found."{name}" = kinds."{name}"' for name in of),
        "shown_as_published": ",\n            ".join(f'found."{name}"' for name in stated.shows),
        "shown_as_known": ",\n        ".join(
            f'max("{name}") OVER known AS "{name}"' for name in stated.shows
        ),
        "shown_if_kept": ",\n    ".join(
            f'CASE WHEN {kept} THEN "{name}" END AS "{name}"' for name in stated.shows
        ),
    }


def _daily_columns(contract: Contract) -> tuple[Column, ...]:
    """What the view for every day shows, before what all such views show."""
    stated = contract.daily
    if stated is None:
        return ()
    day = contract.column(stated.day)
    emptied = {"nullable": True}
    return (
        day.model_copy(
            update={"name": stated.calendar_key, "description": "The day.", "nullable": False, "source": None}
        ),
        *(contract.column(name) for name in (stated.whose, *stated.of)),
        *(contract.column(name).model_copy(update=emptied) for name in stated.shows),
        day.model_copy(update=emptied),
    )


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


class _Further(Strict):
    current: tuple[Column, ...]
    history: tuple[Column, ...]
    daily: tuple[Column, ...]


@lru_cache(maxsize=1)
def further_columns() -> _Further:
    """What the views show besides the columns of their table, by how their names end."""
    path = VIEWS / "columns.yaml"
    data, lines = load_with_lines(path)
    return validate(_Further, data, path, lines)
