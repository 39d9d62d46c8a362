"""What two engines answered, as counted rows with their types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Engine
from glue_jobs.engine.spark import SparkEngine, _sql_name
from tests.differential.relations import number_of
from tests.differential.texts import Ask, Question

EXAMPLES = 3
"""Rows of each side that a difference shows."""


@dataclass(frozen=True)
class Answer:
    """The rows of a question, and the SQL types of their columns by name."""

    types: dict[str, str]
    rows: Counter[tuple[Any, ...]]


@dataclass(frozen=True)
class Compared:
    """A question that both engines were asked.

    Attributes:
        text: The text of SQL.
        rows: How many rows the first engine answered.
        difference: What differs, with the relations that it differs in; nothing where nothing does.
    """

    text: str
    rows: int
    difference: str | None


def compared(ask: Ask, engines: tuple[Engine, Engine]) -> Iterator[Compared]:
    """Put the questions of a case to two engines."""
    for ours, theirs in zip(*(ask(engine) for engine in engines), strict=True):
        first, second = answered(engines[0], ours.query), answered(engines[1], theirs.query)
        yield Compared(ours.text, first.rows.total(), _difference(ours, first, second))


def answered(engine: Engine, query: str) -> Answer:
    """Ask an engine."""
    if isinstance(engine, EmbeddedEngine):
        engine._resolve(query)
        types = engine._columns(query)
        found = engine._connection.execute(query).fetch_arrow_table()
    else:
        assert isinstance(engine, SparkEngine)
        wanted = engine._query(query)
        types = {name: _sql_name(kind) for name, kind in wanted.dtypes}
        found = wanted.toArrow()
    return Answer(types, Counter(_rows(found)))


def _difference(question: Question, ours: Answer, theirs: Answer) -> str | None:
    if ours.types != theirs.types:
        return f"types {sorted(set(ours.types.items()) ^ set(theirs.types.items()))}"
    if ours.rows == theirs.rows:
        return None
    only_ours, only_theirs = ours.rows - theirs.rows, theirs.rows - ours.rows
    numbers: set[int] = set()
    if question.key is not None:
        place = list(ours.types).index(question.key)
        keys = {row[place] for row in [*only_ours, *only_theirs]}
        numbers = {number_of(key) for key in keys if key is not None}
    lines = [f"in relations {sorted(numbers)[:20]}", f"columns {list(ours.types)}"]
    for name, rows in (("the first", only_ours), ("the second", only_theirs)):
        lines += [f"only {name} engine: {row}" for row in list(rows)[:EXAMPLES]]
    return "\n".join(lines)


def _rows(found: pa.Table) -> Iterator[tuple[Any, ...]]:
    columns = [_plain(column) for column in found.columns]
    return zip(*columns, strict=True) if columns else iter(())


def _plain(column: pa.ChunkedArray) -> list[Any]:
    # Days and times as numbers: Python has no year 0 and none after 9999.
    if pa.types.is_date32(column.type):
        return list(column.cast(pa.int32()).to_pylist())
    if pa.types.is_timestamp(column.type):
        return list(column.cast(pa.timestamp("us")).cast(pa.int64()).to_pylist())
    return list(column.to_pylist())
