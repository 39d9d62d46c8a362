"""Whole histories of a source, made from a seed: what its captures bring, and when the stages run.

A history is a few batches over few keys: inserts, changes, rows that come again as they were, deletions,
reinsertions, rows that break rules and are corrected, references to rows that come later or never, records
whose month moves, tables that are paused, replays; with odd values in every column. Runs take up one batch or
several.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalog.catalogue import load_catalogue
from catalog.model import Column, Contract
from tests.differential.values import MOMENTS, TEXTS

Row = dict[str, Any]

PARENTS_FIRST = (
    *("address", "department", "design", "currency", "payment_type", "counterparty", "staff"),
    *("sales_order", "purchase_order", "transaction", "payment"),
)
"""The raw tables, each after those that it refers to."""

FACTS = ("sales_order", "purchase_order", "payment")
"""The raw tables that facts are made of."""

KEYS = (*range(1, 7), 4095, 4096)
"""Keys of every table, on both sides of a block's border; stories after the first have theirs further up."""

LARGEST = 2**31 - 1
"""A further key of the first story."""

SPACE = 2 * 4096
"""Keys from one story to the next."""

NOBODY = 999
"""A key that no row of a story ever has, from its first on."""

CURRENCIES = ("GBP", "EUR", "TOP", "XXX", "ZWL")

LATE_DAYS = ("9999-12-31", "9999-01-01", "2025-01-31", "2024-12-31")
"""Days that are not before most moments of creation."""

LARGE = 1 << 20
"""Characters of a large text; the sources' own limit, 16 MB, in some histories."""


@dataclass(frozen=True)
class Capture:
    """One capture.

    Attributes:
        rows: What it brings, by raw table.
        live: By raw table of which that is known, the keys that the source holds.
        paused: Tables that it could not read.
    """

    rows: Mapping[str, Sequence[Row]]
    live: Mapping[str, Sequence[int]]
    paused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Stages that run one after the other, or a replay."""

    stages: tuple[str, ...]


Step = Capture | Run


def history(
    number: int, seed: int = 0, captures: int = 4, rows: int = 8, stories: int = 1, tables: int = 6
) -> tuple[Step, ...]:
    """A history.

    Args:
        number: Which.
        seed: Seeds all of them.
        captures: How many captures it has at most.
        rows: How many rows of a table one of them brings at most, in each story.
        stories: How many stories its captures tell side by side, each with keys of its own.
        tables: How many tables its source has at most; every fifth has all of them.
    """
    chosen = random.Random(f"history/{seed}/{number}")
    facts = chosen.sample(FACTS, chosen.randint(1, 2))
    others = chosen.sample(PARENTS_FIRST, chosen.randint(2, tables - 1))
    captured = PARENTS_FIRST if number % 5 == 0 else (*facts, *others)
    told = [_Story(random.Random(f"{seed}/{number}/{place}"), place) for place in range(stories)]
    source = _Source(chosen, told, set(captured))
    if number % 10 == 3:
        source.stories[0].texts.append("é" * LARGE)
    if number % 50 == 7:
        source.stories[0].texts.append("😀'\\\n" * (4 * LARGE))
    return tuple(source.steps(captures, rows))


class _Source:
    """A source that lives: its stories, and when it is captured."""

    def __init__(self, chosen: random.Random, stories: Sequence[_Story], tables: Collection[str]) -> None:
        self.random = chosen
        self.stories = stories
        self.tables = sorted(tables, key=PARENTS_FIRST.index)
        # Nobody knows of the live keys of a lake whose captures an older release made.
        self.knows_live = chosen.random() < 0.8
        months = [*chosen.sample(MOMENTS[6:], 2), *chosen.sample(MOMENTS[:6], chosen.randint(0, 1))]
        moments = chosen.sample(MOMENTS, 2)
        for story in stories:
            story.months, story.moments = months, moments

    def steps(self, most: int, rows: int) -> Iterator[Step]:
        """The captures, and what runs between them."""
        batches = self.random.randint(2, most)
        for batch in range(1, batches + 1):
            yield self._capture(batch, rows)
            if batch < batches:
                yield from self._runs()
        yield Run(("validate", "dimensions", "facts"))
        if self.random.random() < 0.6:
            yield from (Run(("replay",)), Run(("validate", "facts", "dimensions")))

    def _runs(self) -> Iterator[Step]:
        """Often nothing runs, so that a run takes up many batches; or stages run apart from each other."""
        drawn = self.random.random()
        if drawn < 0.35:
            yield Run(("validate", "dimensions", "facts"))
        elif drawn < 0.5:
            yield Run(("validate",))
        elif drawn < 0.6:
            yield Run(("validate", self.random.choice(["dimensions", "facts"])))
        elif drawn < 0.7:
            yield Run(("validate", "replay", "validate", "facts"))

    def _capture(self, batch: int, most: int) -> Capture:
        some = self.random.randint(1, min(5, len(self.tables)))
        tables = self.tables if batch == 1 else self.random.sample(self.tables, some)
        paused = tuple(self.random.sample(self.tables, 1)) if self.random.random() < 0.15 else ()
        rows: dict[str, list[Row]] = {}
        for table in sorted(set(tables) - set(paused), key=PARENTS_FIRST.index):
            found = [row for story in self.stories for row in story.captured(table, batch, most)]
            if found:
                rows[table] = found
        live = {
            table: sorted(key for story in self.stories for key in story.held[table]) for table in self.tables
        }
        return Capture(rows, live if self.knows_live else {}, paused)


class _Story:
    """A few records of every table, and what becomes of them."""

    def __init__(self, chosen: random.Random, place: int) -> None:
        self.random = chosen
        self.catalog = load_catalogue()
        self.keys = [place * SPACE + key for key in KEYS] + ([LARGEST] if place == 0 else [])
        self.nobody = place * SPACE + NOBODY
        self.held: dict[str, dict[int, Row]] = {table: {} for table in PARENTS_FIRST}
        self.texts = [*chosen.sample(TEXTS, 5), "plain"]
        self.months: Sequence[dt.datetime] = ()
        self.moments: Sequence[dt.datetime] = ()

    def captured(self, table: str, batch: int, most: int) -> Iterator[Row]:
        """What a capture brings of a table."""
        for key in self.random.sample(self.keys, self.random.randint(1, min(most, len(self.keys)))):
            yield from self._changed(table, key, batch)

    def _changed(self, table: str, key: int, batch: int) -> list[Row]:
        held, drawn = self.held[table], self.random.random()
        name = self.catalog.raw[table].key[0]
        if key in held and drawn < 0.2:
            del held[key]
            return [{name: key, "operation": "delete"}]
        if key not in held and drawn < 0.05:
            # A row that came and went between two captures of which the first saw nothing.
            return [{name: key, "operation": "delete"}]
        is_as_before = key in held and drawn < 0.35
        row = held[key] if is_as_before else self._row(self.catalog.raw[table], key)
        operation = "update" if key in held else "insert"
        held[key] = row
        found = [{**row, "operation": operation}]
        if self.random.random() < 0.04:
            # A replay and a capture may bring a row twice.
            found.append({**self._row(self.catalog.raw[table], key), "version_id": batch * 1000 + 1})
            held[key] = {name: value for name, value in found[-1].items() if name != "version_id"}
        if self.random.random() < 0.01:
            found.append({**self._row(self.catalog.raw[table], key), name: None, "operation": "insert"})
        return found

    def _row(self, contract: Contract, key: int) -> Row:
        refers = {reference.column: reference.table for reference in contract.references}
        row: Row = {contract.key[0]: key}
        for column in contract.columns:
            if column.name in refers:
                row[column.name] = self._reference(refers[column.name])
            elif column.name != contract.key[0]:
                row[column.name] = self._value(column)
        if contract.table == "transaction":
            sale = self.random.random() < 0.5
            row["transaction_type"] = "SALE" if sale else "PURCHASE"
            row["purchase_order_id" if sale else "sales_order_id"] = None
        if self.random.random() < 0.08:
            self._spoil(contract, row)
        return row

    def _reference(self, table: str) -> int:
        """A row that is there; or one that may come, so that a replay sends on what refers to it."""
        known, drawn = list(self.held[table]), self.random.random()
        if drawn < 0.02 or not known:
            return self.nobody
        chosen: int = self.random.choice(self.keys if drawn < 0.12 else known)
        return chosen

    def _value(self, column: Column) -> Any:
        choose: Callable[[Sequence[Any]], Any] = self.random.choice
        if column.allowed_values:
            return choose(column.allowed_values)
        if column.nullable and self.random.random() < 0.3:
            return None
        if column.name == "created_at":
            return choose(self.months)
        if column.name == "currency_code":
            return choose(CURRENCIES)
        kind = column.type.name
        if kind == "text":
            return choose(LATE_DAYS) if column.name.endswith("_date") else choose(self.texts)
        if kind == "timestamp":
            return choose(self.moments)
        if kind == "boolean":
            return choose([True, False])
        unit = Decimal(1).scaleb(-(column.type.scale or 0))
        most = 10 ** (column.type.precision or 0) * unit - unit if kind == "decimal" else Decimal(2**31 - 1)
        low, high = column.minimum or Decimal(0), column.maximum or most
        number = choose([low, high, low + unit]).quantize(unit)
        return number if kind == "decimal" else int(number)

    def _spoil(self, contract: Contract, row: Row) -> None:
        """Break a rule."""
        required = [c.name for c in contract.columns if not c.nullable and c.name != contract.key[0]]
        bounded = [c for c in contract.columns if c.maximum is not None]
        days = [c.name for c in contract.columns if c.name.endswith("_date")]
        ways: list[Callable[[], Any]] = [lambda: row.update({self.random.choice(required): None})]
        ways.append(lambda: row.update(unrepresentable='{"created_at": "infinity"}', created_at=None))
        if bounded:
            column = self.random.choice(bounded)
            ways.append(
                lambda: row.update({column.name: type(row[column.name])(int(column.maximum or 0) + 1)})
            )
        if days:
            bad = ["2024-02-30", "0001-01-01", "2024-11-15\n", "", "tomorrow", "9999-12-32", "0000-01-01"]
            ways.append(lambda: row.update({self.random.choice(days): self.random.choice(bad)}))
        if contract.table == "currency":
            ways.append(lambda: row.update(currency_code=self.random.choice(["gbp", "GBP\n", "", "???"])))
        if contract.table == "transaction":
            ways.append(lambda: row.update(sales_order_id=None, purchase_order_id=None))
        self.random.choice(ways)()
