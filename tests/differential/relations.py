"""Relations that are generated, hundreds of them in one frame: each has keys and batches that no other has.

Every query of the star and of validation partitions by key or by batch, so that one query over a frame is as
many queries over relations; what an engine gives for each of them is told apart by the key.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from glue_jobs.star.merge_spec import BATCH, CAPTURED_AT, DELETED, INFERRED, VERSION_ID, MergeSpec
from tests.differential.values import palette

Row = dict[str, Any]

SPACE = 4 * 4096
"""Keys of one relation: four blocks, so that numbering crosses their borders."""

PLACES = (0, 1, 2, 3, 4095, 4096, 4097, 8191, 8192, SPACE - 1)
"""Where in its space a relation's keys lie."""

BATCHES = 8
"""Batches of one relation."""

_FIRST, _LAST = -(2**31) // SPACE, 2**31 // SPACE - 1


@dataclass(frozen=True)
class Frame:
    """The relations that are put into one frame.

    Attributes:
        seed: Seeds them all.
        first: The first relation's number.
        count: How many there are.
    """

    seed: int
    first: int
    count: int

    def relations(self, name: str) -> Iterator[Relation]:
        """The relations, with random numbers of their own for everything that has this name."""
        for number in range(self.first, self.first + self.count):
            yield Relation(number, number - self.first, random.Random(f"{self.seed}/{name}/{number}"))


@dataclass(frozen=True)
class Relation:
    """One relation.

    Attributes:
        number: Its number, the same in every frame.
        place: Its place in its frame.
        random: Its random numbers.
    """

    number: int
    place: int
    random: random.Random

    @property
    def base(self) -> int:
        """Its smallest key; the first two hold the smallest and the largest whole number of 32 bits."""
        if self.number < 2:
            return (_FIRST, _LAST)[self.number] * SPACE
        middle = self.number - 2
        return (middle // 2 if middle % 2 == 0 else -(middle + 1) // 2) * SPACE

    def some_keys(self, most: int = 6) -> list[int]:
        """A few of its keys."""
        return [self.base + place for place in self.random.sample(PLACES, self.random.randint(1, most))]


def number_of(key: int) -> int:
    """The number of the relation that a key belongs to."""
    space = key // SPACE
    if space in (_FIRST, _LAST):
        return int(space == _LAST)
    return 2 * space + 2 if space >= 0 else -2 * space + 1


def seen(batch: int) -> dt.datetime:
    """When a batch was captured: one moment for all its rows."""
    return dt.datetime(2024, 11, 15, 10) + dt.timedelta(minutes=5 * batch)  # noqa: DTZ001 - the lake's times have no zone


@dataclass(frozen=True)
class Columns:
    """The columns of a table with what fills them in one relation."""

    values: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, random: random.Random, fields: Sequence[pa.Field]) -> Columns:
        return cls({field.name: palette(random, field.type) for field in fields})

    def row(self, random: random.Random) -> Row:
        """A row."""
        return {name: random.choice(values) for name, values in self.values.items()}


def incoming(relation: Relation, spec: MergeSpec, fields: Sequence[pa.Field]) -> list[Row]:
    """Candidate versions of a star table: several batches, doubles, deletions, members, flags."""
    random, content = relation.random, Columns.of(relation.random, fields)
    rows: list[Row] = []
    for key in relation.some_keys():
        before: Row = content.row(random)
        for batch in sorted(random.choices(range(1, BATCHES), k=random.randint(1, 4))):
            is_deleted = random.random() < 0.25
            # Often as it was, so that nothing is new.
            before = before if random.random() < 0.4 else content.row(random)
            stated = dict.fromkeys(before) if is_deleted else before
            flags = {name: random.random() < 0.2 for name in spec.flag_columns}
            inferred = {INFERRED: not is_deleted and random.random() < 0.2} if spec.has_members else {}
            lineage = {BATCH: batch, CAPTURED_AT: seen(batch), DELETED: is_deleted}
            version = {VERSION_ID: random.choice([1, 2, 2**62])}
            row = {spec.key[0]: key, **stated, **inferred, **flags, **lineage, **version}
            rows += [row] * random.choice([1, 1, 1, 2])
    return rows


def held(relation: Relation, spec: MergeSpec, fields: Sequence[pa.Field]) -> list[Row]:
    """What a table holds: of each key one version a batch, of a table without history one version."""
    random, content = relation.random, Columns.of(relation.random, fields)
    partitions = [value for value in content.values.get(spec.partition or "", ()) if value is not None]
    rows: list[Row] = []
    for key in relation.some_keys():
        batches = sorted(random.sample(range(BATCHES - 1), random.randint(1, 3)))
        home = random.choice(partitions) if partitions else None
        for batch in batches[-1:] if not spec.keeps_history else batches:
            lineage = {BATCH: batch, CAPTURED_AT: seen(batch), DELETED: random.random() < 0.2}
            row = {spec.key[0]: key, **content.row(random), **lineage}
            if spec.has_members:
                row[INFERRED] = not row[DELETED] and random.random() < 0.2
            if spec.partition:
                # An older release left the versions of a key in several partitions.
                row[spec.partition] = home if random.random() < 0.8 else random.choice(partitions)
            if spec.record_id:
                row[spec.record_id] = len(rows) + 1
            rows.append(row)
    return rows


def raw(
    relation: Relation,
    key: str,
    fields: Sequence[pa.Field],
    batch_of: Callable[[int], int] = lambda batch: batch,
    keys: Sequence[int] | None = None,
) -> list[Row]:
    """Captured rows of a raw table: every lineage column, ``batch`` and the key among them.

    Args:
        relation: The relation.
        key: The key column.
        fields: The other columns.
        batch_of: The number of one of its batches.
        keys: The keys; the relation's own unless given.
    """
    random, content = relation.random, Columns.of(relation.random, fields)
    rows = []
    for own in relation.some_keys() if keys is None else keys:
        for batch in sorted(random.choices(range(1, 5), k=random.randint(1, 3))):
            operation = random.choice(["insert", "update", "update", "delete"])
            stated = content.row(random)
            lineage = {
                "operation": operation,
                "batch": batch_of(batch),
                "captured_at": seen(batch),
                "version_id": random.choice([1, 2, 2**62]),
                "unrepresentable": random.choice([None, None, None, '{"a": "\\u0000\'"}']),
            }
            stated = dict.fromkeys(stated) if operation == "delete" else stated
            rows.append({key: own, **stated, **lineage})
    return rows
