"""Whether the rows that a row refers to were there, as SQL text made from live keys.

Of keys that are whole numbers, kept as bitmaps, a few spans are compared one by one. More of them become two
small relations: of every block of keys in which a reference lies whether its keys were live, and the keys for
which that is not so. Of keys that are texts, kept in objects that say what came and went, those that are
referred to and were live become a relation. All of these hold no more than the references that are asked
about, however long the history of a table is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pyarrow as pa
from pyroaring import BitMap64

from catalog.keys import reference_sql
from catalog.model import Contract
from glue_jobs.lake.commits import DataObject, Partition
from glue_jobs.lake.live_keys import KEY as STORED_KEY
from glue_jobs.lake.live_keys import LIVE as STORED_LIVE
from glue_jobs.lake.live_keys import values_of
from glue_jobs.lake.state_objects import PART, StateObject

FEW_SPANS = 32
"""Spans of keys up to which they are compared one by one."""

KNOWN = "known__"
"""Begins the column that says of a reference whether its row was there; empty: nobody can tell."""

Spans = tuple[tuple[int, int], ...]
"""Spans of whole numbers, both ends included, in order."""

FIRST, LAST = "first_part", "last_part"
"""Columns of ``PARTS_SCHEMA``."""

BATCH, BLOCK, KEY, LIVE, LOW, HIGH = "at_batch", "key_block", "live_key", "is_live", "key_low", "key_high"
"""Columns of the relations of blocks and keys, and of :func:`wanted`."""

BLOCKS_SCHEMA = pa.schema([(BATCH, pa.int64()), (BLOCK, pa.int64())])
"""The blocks whose keys are live, but for those that the other relation names."""

KEYS_SCHEMA = pa.schema([(BATCH, pa.int64()), (KEY, pa.int64()), (LIVE, pa.bool_())])
"""The keys that are not what their block is."""

STORED_SCHEMA = pa.schema([(STORED_KEY, pa.string()), (STORED_LIVE, pa.bool_())])
"""The columns of the objects of keys that are texts."""

STORED_PARTS = pa.schema([(PART, pa.int64())])
"""Which of them a row is of, see :class:`Parts`."""

PARTS_SCHEMA = pa.schema([(BATCH, pa.int64()), (FIRST, pa.int64()), (LAST, pa.int64())])
"""Which of the objects say what was live in a batch."""

_LAST = 2**64 - 1
_SIGN = 2**63


@dataclass(frozen=True)
class Answer:
    """What the capture of some batches knows of the rows of a table.

    Attributes:
        batches: The batches.
        spans: The keys that were live, where they are a few spans; else they stand in relations.
        is_complete: Whether a key that was not live was no key of the source; a table that is paused may hold
            rows that nobody has seen.
    """

    batches: tuple[int, ...]
    spans: Optional[Spans]
    is_complete: bool


@dataclass(frozen=True)
class Reference:
    """A column that refers to rows of another table, and what is known of these.

    Attributes:
        column: The column.
        parent: The table that it refers to.
        answers: By batches, what their captures know; of batches that no answer names nobody can tell.
        blocks: Relation of ``BLOCKS_SCHEMA``; nothing where all answers are a few spans.
        keys: Relation of ``KEYS_SCHEMA``; likewise.
        live: Relation of :func:`live_texts`, where keys are texts.
    """

    column: str
    parent: Contract
    answers: tuple[Answer, ...]
    blocks: Optional[str] = None
    keys: Optional[str] = None
    live: Optional[str] = None

    @property
    def joins_nothing(self) -> bool:
        """Whether :meth:`join` is empty."""
        return self.blocks is None and self.live is None

    @property
    def name(self) -> str:
        """The column that says whether the row was there."""
        return f"{KNOWN}{self.column}"

    def join(self, rows: str) -> str:
        """What is joined to the rows for it; no row of theirs comes twice."""
        key = reference_sql(self.parent, f"{rows}.{self.column}")
        if self.live is not None:
            return f"""
LEFT JOIN {self.live} ON {self.live}.{BATCH} = {rows}.batch AND {self.live}.{KEY} = {key}"""
        if self.blocks is None or self.keys is None:
            return ""
        return f"""
LEFT JOIN {self.blocks} ON {self.blocks}.{BATCH} = {rows}.batch AND {self.blocks}.{BLOCK} = block_of({key})
LEFT JOIN {self.keys} ON {self.keys}.{BATCH} = {rows}.batch AND {self.keys}.{KEY} = {key}"""

    def value(self, rows: str) -> str:
        """Whether the row was there; empty where nobody can tell, or the column is."""
        cases = []
        for answer in self.answers:
            batches = ", ".join(str(batch) for batch in answer.batches)
            cases.append(f"WHEN {rows}.batch IN ({batches}) THEN {self._among(rows, answer)}")
        if not cases:
            return "CAST(NULL AS BOOLEAN)"
        return f"CASE WHEN {rows}.{self.column} IS NULL THEN NULL\n            {_lines(cases)} END"

    def _among(self, rows: str, answer: Answer) -> str:
        if self.live is not None:
            live = f"{self.live}.{KEY} IS NOT NULL"
        elif answer.spans is None:
            live = f"coalesce({self.keys}.{LIVE}, {self.blocks}.{BLOCK} IS NOT NULL)"
        else:
            key = f"CAST({rows}.{self.column} AS BIGINT)"
            parts = [f"{key} BETWEEN {low} AND {high}" for low, high in answer.spans]
            live = f"({' OR '.join(parts)})" if parts else "FALSE"
        return live if answer.is_complete else f"CASE WHEN {live} THEN TRUE END"


def few_spans(keys: BitMap64, limit: int = FEW_SPANS) -> Optional[Spans]:
    """The spans that a bitmap of keys consists of, in order; nothing where there are more than a few.

    No key is taken out of the bitmap, so that the cost follows the number of spans.
    """
    spans: list[tuple[int, int]] = []
    low = _next(keys, 0)
    while low is not None:
        if len(spans) == limit:
            return None
        high = _end_of_span(keys, low)
        spans.append((_signed(low), _signed(high)))
        low = _next(keys, high + 1)
    return tuple(sorted(spans))


def wanted(rows: str, column: str, batches: Iterable[int]) -> str:
    """Blocks of keys that a column refers to, with the smallest and the largest key in each, by batch."""
    listed = ", ".join(str(batch) for batch in batches)
    key = f"CAST({column} AS BIGINT)"
    return f"""\
SELECT batch AS {BATCH}, block_of({key}) AS {BLOCK}, min({key}) AS {LOW}, max({key}) AS {HIGH}
FROM {rows}
WHERE batch IN ({listed}) AND operation <> 'delete' AND {column} IS NOT NULL
GROUP BY batch, block_of({key})"""


@dataclass(frozen=True)
class Parts:
    """Objects that say which keys came and went, each with a number, and which of them count for a batch.

    Attributes:
        partitions: The objects, with their numbers.
        batches: Rows of ``PARTS_SCHEMA``.
    """

    partitions: tuple[Partition, ...]
    batches: tuple[Mapping[str, int], ...]


def parts_of(live_of: Mapping[int, StateObject]) -> Parts:
    """Number the objects that live keys are kept in, so that those of each batch follow one another.

    What was live in a batch stands in few objects besides those of the batch before it.

    Args:
        live_of: By batch, where the live keys are kept.
    """
    numbered: list[DataObject] = []
    batches = []
    for batch, live in sorted(live_of.items()):
        first = next((n for n in range(len(numbered)) if _begins(live.parts, numbered[n:])), len(numbered))
        numbered += live.parts[len(numbered) - first :]
        batches.append({BATCH: batch, FIRST: first, LAST: first + len(live.parts) - 1})
    partitions = (Partition({PART: str(number)}, "", (data,)) for number, data in enumerate(numbered))
    return Parts(tuple(partitions), tuple(batches))


def _begins(parts: Sequence[DataObject], numbered: Sequence[DataObject]) -> bool:
    """Whether one of two runs of objects begins with the other."""
    return all(one == other for one, other in zip(parts, numbered))


def wanted_texts(rows: str, reference: Reference) -> str:
    """The keys that a column refers to, by batch: ``at_batch`` and ``live_key``."""
    listed = ", ".join(str(batch) for answer in reference.answers for batch in answer.batches)
    return f"""\
SELECT DISTINCT batch AS {BATCH}, {reference_sql(reference.parent, reference.column)} AS {KEY}
FROM {rows}
WHERE batch IN ({listed}) AND operation <> 'delete' AND {reference.column} IS NOT NULL"""


def live_texts(wanted: str, stored: str, batches: str) -> str:
    """Those of the wanted keys that were live in their batch.

    Args:
        wanted: Relation of :func:`wanted_texts`.
        stored: Relation of ``STORED_SCHEMA`` and ``STORED_PARTS``.
        batches: Relation of ``PARTS_SCHEMA``.
    """
    return f"""\
SELECT wanted.{BATCH}, wanted.{KEY}
FROM {wanted} AS wanted
JOIN {batches} AS parts ON parts.{BATCH} = wanted.{BATCH}
JOIN (
    -- Few of the keys are asked about.
    SELECT {STORED_KEY}, {STORED_LIVE}, {PART} FROM {stored}
    WHERE {STORED_KEY} IN (SELECT {KEY} FROM {wanted})
) AS stored ON stored.{STORED_KEY} = wanted.{KEY}
           AND stored.{PART} BETWEEN parts.{FIRST} AND parts.{LAST}
GROUP BY wanted.{BATCH}, wanted.{KEY}
HAVING max_by(stored.{STORED_LIVE}, stored.{PART})"""


def live_blocks(
    keys: BitMap64, found: Iterable[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the relations of blocks and keys.

    Args:
        keys: The live keys of the batches.
        found: From :func:`wanted`, rows of these batches.
    """
    blocks: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in found:
        batch, low, high = row[BATCH], row[LOW], row[HIGH]
        span = _span(low, high)
        live = span & keys
        is_live = 2 * len(live) > len(span)
        if is_live:
            blocks.append({BATCH: batch, BLOCK: row[BLOCK]})
        odd = span - live if is_live else live
        others += [{BATCH: batch, KEY: key, LIVE: not is_live} for key in values_of(odd).tolist()]
    return blocks, others


def _next(keys: BitMap64, value: int) -> Optional[int]:
    """The smallest key from a value on, as the bitmap has them: negative ones above all others."""
    if value > _LAST:
        return None
    try:
        return int(keys.next_set_bit(value))
    except ValueError:
        return None


def _end_of_span(keys: BitMap64, low: int) -> int:
    """The last key of the span that begins with a key."""

    def is_whole(high: int) -> bool:
        # Not by contains_range, which passes over what lies between containers (pyroaring 1.2).
        return int(keys.range_cardinality(low, high + 1)) == high + 1 - low

    # The end of a range is not in it, so that the very last number cannot be asked about.
    step = 1
    while low + step < _LAST and is_whole(low + step):
        step *= 2
    inside, outside = low + step // 2, min(low + step, _LAST)
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if is_whole(middle):
            inside = middle
        else:
            outside = middle
    return _LAST if inside == _LAST - 1 and _LAST in keys else inside


def _signed(value: int) -> int:
    return value - 2**64 if value >= _SIGN else value


def _span(low: int, high: int) -> BitMap64:
    """The keys from one to another, both included and of one block, as the bitmaps have them."""
    span = BitMap64(range(low % 2**64, high % 2**64))
    span.add(high % 2**64)
    return span


def _lines(texts: Sequence[str]) -> str:
    return "\n            ".join(texts)
