"""Whether the rows that a row refers to were there, as SQL text made from bitmaps of live keys.

A few spans of keys are compared one by one. More of them become two small relations: of every block of keys
in which a reference lies whether its keys were live, and the keys for which that is not so. Both hold no more
than the references that are asked about, however long the history of a table is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pyarrow as pa
from pyroaring import BitMap64

from glue_jobs.lake.live_keys import values_of

FEW_SPANS = 32
"""Spans of keys up to which they are compared one by one."""

KNOWN = "known__"
"""Begins the column that says of a reference whether its row was there; empty: nobody can tell."""

Spans = tuple[tuple[int, int], ...]
"""Spans of whole numbers, both ends included, in order."""

BATCH, BLOCK, KEY, LIVE, LOW, HIGH = "at_batch", "key_block", "live_key", "is_live", "key_low", "key_high"
"""Columns of the relations of blocks and keys, and of :func:`wanted`."""

BLOCKS_SCHEMA = pa.schema([(BATCH, pa.int64()), (BLOCK, pa.int64())])
"""The blocks whose keys are live, but for those that the other relation names."""

KEYS_SCHEMA = pa.schema([(BATCH, pa.int64()), (KEY, pa.int64()), (LIVE, pa.bool_())])
"""The keys that are not what their block is."""

_LAST = 2**64 - 1
_SIGN = 2**63


@dataclass(frozen=True)
class Answer:
    """What the capture of some batches knows of the rows of a table.

    Attributes:
        batches: The batches.
        spans: The keys that were live, where they are a few spans; else they stand in the two relations.
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
        answers: By batches, what their captures know; of batches that no answer names nobody can tell.
        blocks: Relation of ``BLOCKS_SCHEMA``; nothing where all answers are a few spans.
        keys: Relation of ``KEYS_SCHEMA``; likewise.
    """

    column: str
    answers: tuple[Answer, ...]
    blocks: Optional[str] = None
    keys: Optional[str] = None

    @property
    def name(self) -> str:
        """The column that says whether the row was there."""
        return f"{KNOWN}{self.column}"

    def join(self, rows: str) -> str:
        """What is joined to the rows for it; no row of theirs comes twice."""
        if self.blocks is None or self.keys is None:
            return ""
        key = f"CAST({rows}.{self.column} AS BIGINT)"
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
        if answer.spans is None:
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
