"""The star in plain Python: what a history gives, worked out batch by batch and row by row.

Nothing here knows of SQL, of engines, or of how batches fall into runs: a run that takes up several batches
has to give what one run for each gives.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pycountry

from catalog.catalogue import Catalogue
from catalog.model import Column, Contract
from catalog.types import placeholder
from tests.differential.histories import Capture, Row, Step
from tests.lake import CAPTURE_INTERVAL, FIRST_CAPTURE

Live = Mapping[str, Sequence[int]]

LINEAGE = ("batch_sequence", "captured_at", "is_deleted")


@dataclass(frozen=True)
class Batch:
    """A capture, or what a replay sends on.

    Attributes:
        number: Its number.
        captured_at: When its snapshot was taken.
        rows: By raw table, with ``version_id`` and ``operation``.
        live: By raw table of which that is known, the keys that the source held.
        paused: Tables that could not be read.
    """

    number: int
    captured_at: dt.datetime
    rows: Mapping[str, Sequence[Row]]
    live: Live
    paused: tuple[str, ...]


@dataclass
class Oracle:
    """A lake in plain Python.

    Attributes:
        catalog: The contracts.
        batches: Every capture.
        accepted: By batch and raw table, the rows that pass.
        unresolved: By raw table, rejected rows of whose key nothing newer has come, with their batch.
        built: By stage, the last batch that it has taken up.
        listed: By stage, what was unresolved when it was taken up.
    """

    catalog: Catalogue
    batches: list[Batch] = field(default_factory=list)
    accepted: dict[int, dict[str, list[Row]]] = field(default_factory=dict)
    unresolved: dict[str, list[tuple[int, Row]]] = field(default_factory=lambda: defaultdict(list))
    built: dict[str, int] = field(default_factory=lambda: {"dimensions": 0, "facts": 0})

    listed: dict[str, dict[str, list[tuple[int, Row]]]] = field(default_factory=dict)

    def play(self, steps: Iterable[Step]) -> None:
        """Take the steps of a history."""
        for step in steps:
            if isinstance(step, Capture):
                number = len(self.batches) + 1
                at = FIRST_CAPTURE + number * CAPTURE_INTERVAL
                rows = {
                    table: [{"operation": "insert", "version_id": number * 1000, **row} for row in found]
                    for table, found in step.rows.items()
                }
                paused = tuple(table for table in step.paused if table in step.live)
                self.batches.append(Batch(number, at, rows, step.live, paused))
                continue
            for stage in step.stages:
                if stage == "validate":
                    self._validate()
                elif stage == "replay":
                    self._replay()
                else:
                    self.built[stage] = len(self.accepted)
                    self.listed[stage] = {table: list(found) for table, found in self.unresolved.items()}

    def star(self) -> dict[str, list[Row]]:
        """Every table of the star, in the order of keys and batches."""
        dimensions, facts = (self._until(self.built[stage]) for stage in ("dimensions", "facts"))
        found: dict[str, list[Row]] = {}
        for contract in self.catalog.star.values():
            if contract.kind == "calendar":
                rows = _calendar(self.catalog, contract, dimensions)
            elif contract.kind == "fact":
                rows = _fact(self.catalog, contract, facts)
            elif contract.kind == "dimension":
                rows = _dimension(self.catalog, contract, dimensions)
            else:
                rows = [row for stage in self.listed for row in self._rejected_changes(stage)]
            key = contract.key[0]
            found[contract.table] = sorted(rows, key=lambda row: (row[key], row.get("batch_sequence", 0)))
        return found

    def _rejected_changes(self, stage: str) -> Iterable[Row]:
        """What a stage lists: of each rejected row, the rows of its tables that it is or that join it."""
        captured_at = {batch.number: batch.captured_at for batch in self.batches}
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for contract in self.catalog.star_of_kind("fact" if stage == "facts" else "dimension"):
            assert contract.built_from is not None
            main = self.catalog.raw[str(contract.built_from.table)]
            rows = _current(main, self._until(self.built[stage]))
            pointing = {main.table: main.key[0], **{j.table: j.on for j in contract.built_from.joins}}
            for source, on in pointing.items():
                for number, letter in self.listed[stage].get(source, ()):
                    key = letter[self.catalog.raw[source].key[0]]
                    own = [key] if source == main.table else [k for k, row in rows.items() if row[on] == key]
                    for row_key in own if key is not None and own else [None]:
                        batch = None if key is not None else number
                        groups[contract.table, source, key, row_key, batch].append(number)
        for (table, source, key, row_key, batch), numbers in groups.items():
            named = key if batch is None else f"batch {batch}"
            yield {
                "entry": f"{table}/{source}/{named}/{'-' if row_key is None else row_key}",
                "table_name": table,
                "row_key": row_key,
                # Every key of totesys is one whole number.
                "row_key_text": None,
                "source_table": source,
                "source_key": key,
                "source_key_text": None,
                "first_batch": min(numbers),
                "since": captured_at[min(numbers)],
                "dead_letters": len(numbers),
                "stage": stage,
            }

    def _until(self, last: int) -> list[tuple[Batch, Mapping[str, list[Row]]]]:
        return [(batch, self.accepted[batch.number]) for batch in self.batches[:last]]

    def _validate(self) -> None:
        for batch in self.batches[len(self.accepted) :]:
            passed: dict[str, list[Row]] = {}
            for table, rows in batch.rows.items():
                contract = self.catalog.raw[table]
                key = contract.key[0]
                arrived = {row[key] for row in rows if row[key] is not None}
                kept = [(number, row) for number, row in self.unresolved[table] if row[key] not in arrived]
                self.unresolved[table] = kept
                for row in rows:
                    if is_rejected(contract, row, batch.live, batch.paused):
                        self.unresolved[table].append((batch.number, row))
                    else:
                        passed.setdefault(table, []).append(row)
            self.accepted[batch.number] = passed

    def _replay(self) -> None:
        if len(self.accepted) < len(self.batches) or not any(self.unresolved.values()):
            return
        newest = self.batches[-1]
        sent: dict[str, list[Row]] = {}
        for table, letters in self.unresolved.items():
            contract = self.catalog.raw[table]
            by_key: dict[int, tuple[int, Row]] = {}
            for number, row in letters:
                key = row[contract.key[0]]
                if key is not None:
                    before = by_key.get(key)
                    if before is None or (number, row["version_id"]) > (before[0], before[1]["version_id"]):
                        by_key[key] = (number, row)
            rows = [row for _, row in by_key.values()]
            passed = [row for row in rows if not is_rejected(contract, row, newest.live, newest.paused)]
            if passed:
                sent[table] = passed
        if sent:
            number = len(self.batches) + 1
            self.batches.append(Batch(number, newest.captured_at, sent, newest.live, newest.paused))


# ---------------------------------------------------------------------- rules


def is_rejected(contract: Contract, row: Row, live: Live, paused: Sequence[str]) -> bool:
    """Whether a row breaks a rule that rejects."""
    if row["operation"] == "delete":
        return False
    if row.get("unrepresentable") is not None:
        return True
    return (
        any(_breaks(column, row.get(column.name)) for column in contract.columns)
        or any(
            row.get(reference.column) is not None
            and reference.table in live
            and reference.table not in paused
            and row[reference.column] not in live[reference.table]
            for reference in contract.references
        )
        or _business(contract.table, row)
    )


def _breaks(column: Column, value: Any) -> bool:
    if value is None:
        return not column.nullable
    if column.severity == "warn":
        return False
    assert column.pattern is None or column.severity is None, "no pattern rejects"
    return (
        (column.allowed_values is not None and value not in column.allowed_values)
        or (column.minimum is not None and value < column.minimum)
        or (column.maximum is not None and value > column.maximum)
    )


_CODES = {currency.alpha_3 for currency in pycountry.currencies}
_DATES = {
    "sales_order": ("agreed_delivery_date", "agreed_payment_date"),
    "purchase_order": ("agreed_delivery_date", "agreed_payment_date"),
    "payment": ("payment_date",),
}


def _business(table: str, row: Row) -> bool:
    if table == "currency":
        return row["currency_code"] not in _CODES
    if table == "transaction":
        sale, purchase = row["sales_order_id"] is not None, row["purchase_order_id"] is not None
        return (sale, purchase) != {"SALE": (True, False), "PURCHASE": (False, True)}[row["transaction_type"]]
    created = str(row["created_at"].date())
    return any(not _is_day(row[name]) or row[name] < created for name in _DATES.get(table, ()))


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    year, month, day = (int(part) for part in text.split("-"))
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 400, month)[1]


# ---------------------------------------------------------------------- the star


Batches = Sequence[tuple[Batch, Mapping[str, list[Row]]]]


def _newest(contract: Contract, rows: Sequence[Row]) -> dict[int, Row]:
    """Of each key what a batch says of it: the row with the highest version."""
    found: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: row["version_id"]):
        found[row[contract.key[0]]] = row
    return found


def _current(contract: Contract, batches: Batches) -> dict[int, Row]:
    """The rows of a raw table that are accepted and not deleted."""
    rows: dict[int, Row] = {}
    for _, accepted in batches:
        rows.update(_newest(contract, accepted.get(contract.table, ())))
    return {key: row for key, row in rows.items() if row["operation"] != "delete"}


def _made(contract: Contract, main: Row, joined: Mapping[str, Row | None]) -> Row:
    """The columns of a star row that come from its sources."""
    row = {column.name: _column(column, main, joined) for column in contract.columns if not column.record_id}
    if contract.partition is not None:
        row[contract.partition.name] = _month(main[contract.partition.source_column])
    return row


def _column(column: Column, main: Row, joined: Mapping[str, Row | None]) -> Any:
    (source,) = column.inputs
    table, _, name = source.rpartition(".")
    origin = joined[table] if table else main
    value = None if origin is None else origin.get(name)
    if value is None:
        return column.default
    made: dict[str, Callable[[Any], Any]] = {
        f"date_of({source})": lambda moment: moment.date(),
        f"time_of({source})": lambda moment: moment.time().isoformat(timespec="milliseconds"),
        f"iso_date({source})": dt.date.fromisoformat,
        f"currency_name({source})": lambda code: pycountry.currencies.get(alpha_3=code).name,
        source: lambda same: same,
    }
    return made[str(column.expression)](value)


def _month(moment: dt.datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}"


def _fact(catalog: Catalogue, contract: Contract, batches: Batches) -> list[Row]:
    assert contract.built_from is not None
    raw = catalog.raw[str(contract.built_from.table)]
    record_id = next(column.name for column in contract.columns if column.record_id)
    versions: list[Row] = []
    latest: dict[int, Row] = {}
    for batch, accepted in batches:
        newest = _newest(contract, [_candidate(contract, raw, row) for row in accepted.get(raw.table, ())])
        for key in sorted(newest):
            version = _version(newest[key], latest.get(key), batch)
            if version is not None:
                latest[key] = version
                versions.append({record_id: len(versions) + 1, **version})
    home = contract.partition.name if contract.partition else None
    # All versions of a record lie where its newest one belongs.
    return [{**row, home: latest[row[contract.key[0]]][home]} if home else row for row in versions]


_HELPERS = ("operation", "version_id")


def _candidate(contract: Contract, raw: Contract, row: Row) -> Row:
    """A raw row as a star row, of a deletion the key alone."""
    key = next(column.name for column in contract.columns if column.source == raw.key[0])
    lineage = {name: row[name] for name in _HELPERS}
    if row["operation"] == "delete":
        return {key: row[raw.key[0]], **lineage}
    return {**_made(contract, row, {}), **lineage}


def _version(stated: Row, before: Row | None, batch: Batch) -> Row | None:
    """The new version of a key, if what a batch says of it is one."""
    deleted = stated["operation"] == "delete"
    if deleted and (before is None or before.get("is_inferred")):
        return None
    content = {name: value for name, value in stated.items() if name not in _HELPERS}
    if deleted and before is not None:
        content = {name: value for name, value in before.items() if name not in LINEAGE}
    elif before is not None and "is_inferred" in before:
        content["is_inferred"] = False
    lineage = dict(zip(LINEAGE, (batch.number, batch.captured_at, deleted), strict=True))
    version = {**content, **lineage}
    if before is not None and _content(before) == _content(version):
        return None
    return version


def _content(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in LINEAGE[:2]}


def _dimension(catalog: Catalogue, contract: Contract, batches: Batches) -> list[Row]:
    """The newest version of each key, of whose sources every batch is one state."""
    assert contract.built_from is not None
    raw = catalog.raw[str(contract.built_from.table)]
    joins = contract.built_from.joins
    sources: dict[str, dict[int, Row]] = {table: {} for table in (raw.table, *(join.table for join in joins))}
    held: dict[int, Row] = {}
    for batch, accepted in batches:
        for table, known in sources.items():
            for key, row in _newest(catalog.raw[table], accepted.get(table, ())).items():
                if row["operation"] != "delete":
                    known[key] = row
                elif key in known:
                    known[key] = {**known[key], "operation": "delete"}
        for key, row in sorted(sources[raw.table].items()):
            joined = {join.table: sources[join.table].get(row[join.on]) for join in joins}
            stated = {**_made(contract, row, joined), "is_inferred": False}
            stated |= {name: row[name] for name in _HELPERS}
            version = _version(stated, held.get(key), batch)
            if version is not None:
                held[key] = version
        for key in _referred(catalog, contract, accepted):
            held.setdefault(key, _member(contract, key, batch))
    return list(held.values())


def _referred(catalog: Catalogue, dimension: Contract, accepted: Mapping[str, list[Row]]) -> list[int]:
    """The keys of a dimension that the rows of a batch refer to."""
    found = []
    for contract in catalog.star.values():
        for reference in contract.references:
            if reference.table == dimension.table:
                assert contract.built_from is not None
                source = str(contract.column(reference.column).source)
                rows = accepted.get(str(contract.built_from.table), ())
                found += [row[source] for row in rows if row["operation"] != "delete"]
    return [key for key in found if key is not None]


def _member(contract: Contract, key: int, batch: Batch) -> Row:
    """A member of which nothing but the key is known."""
    row: Row = {}
    for column in contract.columns:
        row[column.name] = None if column.nullable else _placeholder(column)
    row[contract.key[0]] = key
    if contract.partition is not None:
        row[contract.partition.name] = _month(batch.captured_at)
    lineage = dict(zip(LINEAGE, (batch.number, batch.captured_at, False), strict=True))
    return {**row, **lineage, "is_inferred": True}


def _placeholder(column: Column) -> Any:
    value = placeholder(column.type)
    return int(value) if column.type.name in ("integer", "bigint") else value


def _calendar(catalog: Catalogue, contract: Contract, batches: Batches) -> list[Row]:
    """Whole years around every day that a row refers to, each with the first batch that did."""
    years: dict[int, Batch] = {}
    for batch, accepted in batches:
        for table in catalog.star.values():
            for reference in table.references:
                if reference.table != contract.table:
                    continue
                assert table.built_from is not None
                column = table.column(reference.column)
                for row in accepted.get(str(table.built_from.table), ()):
                    day = None if row["operation"] == "delete" else _column(column, row, {})
                    if day is not None:
                        years.setdefault(day.year, batch)
    return [_day(year, number, batch) for year, batch in years.items() for number in range(_days_in(year))]


def _days_in(year: int) -> int:
    return 366 if calendar.isleap(year) else 365


def _day(year: int, number: int, batch: Batch) -> Row:
    day = dt.date(year, 1, 1) + dt.timedelta(number)
    return {
        "date_id": day,
        "year": day.year,
        "month": day.month,
        "day": day.day,
        "day_of_week": day.isoweekday(),
        "day_name": calendar.day_name[day.weekday()],
        "month_name": calendar.month_name[day.month],
        "quarter": (day.month + 2) // 3,
        **dict(zip(LINEAGE, (batch.number, batch.captured_at, False), strict=True)),
    }
