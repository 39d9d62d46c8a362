"""The commit log: what is published, in order, each commit one conditional PUT.

A stage writes its objects under prefixes that no other attempt shares and then publishes
``_commits/<stage>/<sequence>.json`` with ``If-None-Match: *``. The PUT is the only moment at which anything
becomes visible: of two attempts at the same sequence one wins, the other sees :class:`CommitConflict` and
publishes nothing. Sequences are dense from 1, so the newest is found by probing, without listing the history.

A document states its format. This code writes format 2. It reads format 1, too, which
:mod:`glue_jobs.lake.format_1` turns into format 2. Fields that it does not know are passed over, so that a
later release can add some.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Optional, TypeVar, Union

from glue_jobs.lake import format_1
from glue_jobs.lake.conditional import has_object, put_new
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import read_if_there

FORMAT = 2
"""Version of the commit document's own layout, which this code writes."""

KeyValue = Union[int, str]
"""A value of a key column as commits state it: whole numbers as they are, anything else as text."""

Key = tuple[KeyValue, ...]
"""One value for each key column, in the order of the contract."""

KeyRange = tuple[Optional[Key], Optional[Key]]
"""Smallest and largest value of each key column, both included; nothing where that is not known."""

KeySpan = tuple[Key, Key]
"""First and last key of a span, both included."""

_Stated = TypeVar("_Stated")

CAPTURED_AT = "captured_at"
"""Where a commit's state keeps when the snapshot of its last batch was taken."""

READS: Mapping[str, Optional[str]] = {
    "capture": None,
    "validate": "capture",
    "dimensions": "validate",
    "facts": "validate",
    "load": "facts",
}
"""The stages that commit to the log, in the order in which a batch passes them, each with what it drains.

The load reads the dimensions' commits as well.
"""

STAGES = tuple(READS)
"""The stages, in the order in which a batch passes them.

Of the first four the commit *is* the publication. The load publishes in the warehouse, offset and rows in one
transaction there; its commit only tells the others how far it is.
"""


FIRST_STAGE = STAGES[0]
"""The stage whose first commit begins a lake."""

REDACT = "redact"
"""Copies without personal columns: beside the others, since no stage waits for it."""

_IN_STEP = frozenset((*STAGES, REDACT))
"""Stages that commit about once a batch, so that where one is says about where the others are."""


class CommitConflict(Exception):  # noqa: N818 - not an error: another attempt was first
    """Another attempt has published this sequence; nothing of this one is visible."""

    def __init__(self, stage: str, sequence: int) -> None:
        super().__init__(f"another attempt has published {stage} {sequence}")
        self.stage = stage
        self.sequence = sequence


@dataclass(frozen=True)
class DataObject:
    """One object that a commit names.

    Attributes:
        key: Its key in the zone's bucket.
        rows: Rows in it.
        bytes: Its size.
        sha256: Checksum of its bytes, hexadecimal.
        key_min: Smallest value of each key column in it, where that is known.
        key_max: Largest value of each key column in it, where that is known.
    """

    key: str
    rows: int
    bytes: int
    sha256: str
    key_min: Optional[Key] = None
    key_max: Optional[Key] = None


@dataclass(frozen=True)
class Partition:
    """One partition of a table as a commit publishes it.

    Attributes:
        values: Partition column to value; empty for a table without partitions.
        location: Key prefix of its data, ending in a slash.
        objects: Its objects.
    """

    values: Mapping[str, str]
    location: str
    objects: tuple[DataObject, ...]

    @property
    def rows(self) -> int:
        """Rows in all its objects."""
        return sum(data.rows for data in self.objects)

    @property
    def key_min(self) -> Optional[Key]:
        """Smallest value of each key column in it; nothing where an object does not state it."""
        known = [data.key_min for data in self.objects if data.key_min is not None]
        return tuple(map(min, zip(*known))) if known and len(known) == len(self.objects) else None

    @property
    def key_max(self) -> Optional[Key]:
        """Largest value of each key column in it; nothing where an object does not state it."""
        known = [data.key_max for data in self.objects if data.key_max is not None]
        return tuple(map(max, zip(*known))) if known and len(known) == len(self.objects) else None


@dataclass(frozen=True)
class TableCommit:
    """What a commit says of one table.

    Attributes:
        counts: Named counts, such as ``read``, ``accepted``, ``rejected``, ``new``.
        partitions: The partitions that this commit publishes.
        changes: Star tables: small objects with only the rows that were new, for the warehouse.
        versions: Star tables: for *every* live partition (``created_month=2024-11``; the empty text for a
            table without partitions) the label of its live version.
        dead_letters: Capture and validation: partitions of the dead letter zone, with the rows that were read
            and not accepted.
        key_spans: Capture: spans of keys that hold the key of every row; none where that is not known.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[Partition, ...] = ()
    changes: tuple[DataObject, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    dead_letters: tuple[Partition, ...] = ()
    key_spans: tuple[KeySpan, ...] = ()

    @property
    def objects(self) -> tuple[DataObject, ...]:
        """Every object that the commit names for this table."""
        partitions = self.partitions + self.dead_letters
        return tuple(data for partition in partitions for data in partition.objects) + self.changes

    @property
    def leading_key_spans(self) -> tuple[tuple[KeyValue, KeyValue], ...]:
        """The spans of the first key column: enough to pass over partitions."""
        return tuple((low[0], high[0]) for low, high in self.key_spans)


@dataclass(frozen=True)
class Commit:
    """One published state of a stage.

    Attributes:
        stage: The stage.
        sequence: The stage's own number, dense from 1; for ``capture`` it is the batch.
        attempt: Names the run that wrote it.
        committed_at: When (UTC, ISO 8601).
        first_batch: First batch that it covers.
        last_batch: Last batch that it covers.
        tables: What it states of each table.
        state: What the stage itself needs next time, as the stage's own dataclasses read and write it.
        lake: Identity of the lake, from :func:`lake_identity`; nothing in what earlier releases wrote.
        source: Identity of the source that the batches come from; nothing where it has none.
    """

    stage: str
    sequence: int
    attempt: str
    committed_at: str
    first_batch: int
    last_batch: int
    tables: Mapping[str, TableCommit] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    lake: Optional[str] = None
    source: Optional[str] = None

    @property
    def captured_at(self) -> Optional[str]:
        """When the snapshot of its last batch was taken (UTC, ISO 8601), where a capture stands behind it."""
        captured_at: Optional[str] = self.state.get(CAPTURED_AT)
        return captured_at


def to_json(commit: Commit) -> bytes:
    """The commit as the document that is published."""
    return json.dumps({"format": FORMAT, **asdict(commit)}, indent=1, sort_keys=True).encode()


def from_json(document: bytes) -> Commit:
    """The commit that a document states.

    Raises:
        ValueError: The document is of a format that this code does not know.
    """
    stated = json.loads(document)
    number = stated.get("format")
    if number == format_1.FORMAT:
        stated = format_1.upgrade(stated)
    elif number != FORMAT:
        raise ValueError("a commit of an unknown format; deploy the newer code before reading it")
    tables = {
        name: read_known(
            TableCommit,
            table,
            partitions=_partitions(table.get("partitions", ())),
            changes=data_objects(table.get("changes", ())),
            dead_letters=_partitions(table.get("dead_letters", ())),
            key_spans=tuple((tuple(low), tuple(high)) for low, high in table.get("key_spans", ())),
        )
        for name, table in stated["tables"].items()
    }
    return read_known(Commit, stated, tables=tables)


def read_known(kind: type[_Stated], stated: Mapping[str, Any], **read: Any) -> _Stated:
    """A dataclass out of a document; fields that it does not have are passed over.

    Args:
        kind: The dataclass.
        stated: The fields as the document states them.
        read: Fields that are already read.
    """
    names = [one.name for one in fields(kind) if one.name in stated]  # type: ignore[arg-type]
    return kind(**{**{name: stated[name] for name in names}, **read})


def as_key(values: Optional[Sequence[KeyValue]]) -> Optional[Key]:
    """A key as a document states it, a list of one value for each key column."""
    return None if values is None else tuple(values)


def data_objects(stated: Iterable[Mapping[str, Any]]) -> tuple[DataObject, ...]:
    """Objects as a document names them."""
    return tuple(
        read_known(DataObject, one, key_min=as_key(one.get("key_min")), key_max=as_key(one.get("key_max")))
        for one in stated
    )


def _partitions(stated: Iterable[Mapping[str, Any]]) -> tuple[Partition, ...]:
    return tuple(read_known(Partition, one, objects=data_objects(one["objects"])) for one in stated)


class CommitMemory:
    """What one run, or one command, has read of commits: they never change, so that nothing is read twice."""

    _AT_MOST = 32
    """Documents kept; those of long histories are read in order, once."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        """By stage, a sequence that was there: since commits are dense, all before it are."""
        self._commits: OrderedDict[tuple[str, int], Commit] = OrderedDict()

    def about(self, stage: str) -> int:
        """About where a stage is: where it was seen, or else where the stages in step with it were."""
        if stage in self.newest or stage not in _IN_STEP:
            return self.newest.get(stage, 0)
        return max((self.newest[other] for other in _IN_STEP & self.newest.keys()), default=0)

    def get(self, stage: str, sequence: int) -> Optional[Commit]:
        """The commit, if it is kept."""
        return self._commits.get((stage, sequence))

    def keep(self, stage: str, sequence: int, commit: Commit) -> None:
        """Keep a commit that was read."""
        self._commits[stage, sequence] = commit
        self.newest[stage] = max(sequence, self.newest.get(stage, 0))
        while len(self._commits) > self._AT_MOST:
            self._commits.popitem(last=False)


class CommitLog:
    """The commits of one stage.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        stage: The stage.
        memory: What was read before, in the same run; nothing unless given.
    """

    def __init__(self, s3: S3Client, bucket: str, stage: str, memory: Optional[CommitMemory] = None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.stage = stage
        self._memory = memory or CommitMemory()

    def key(self, sequence: int) -> str:
        """Where the commit of a sequence stands."""
        return f"_commits/{self.stage}/{sequence:010d}.json"

    def exists(self, sequence: int) -> bool:
        """Whether a sequence has been published."""
        if sequence < 1:
            return False
        if sequence <= self._memory.newest.get(self.stage, 0):
            return True
        if not has_object(self._s3, self._bucket, self.key(sequence)):
            return False
        self._memory.newest[self.stage] = sequence
        return True

    def latest_sequence(self) -> int:
        """The newest sequence, 0 when there is none.

        Steps that double from about where it must be, down and then up, then halving. That is one probe where
        nothing is new, two or three where another stage is known, and 2·log2(n) for the first stage of a run.
        """
        below, above, step = self._memory.about(self.stage), 0, 1
        while below > 0 and not self.exists(below):
            below, above, step = below - step, below, step * 2
        below, step = max(below, 0), 1
        while not above:
            if self.exists(below + step):
                below, step = below + step, step * 2
            else:
                above = below + step
        while above - below > 1:
            middle = (above + below) // 2
            below, above = (middle, above) if self.exists(middle) else (below, middle)
        self._memory.newest.setdefault(self.stage, below)
        return below

    def latest(self) -> Optional[Commit]:
        """The newest commit, if there is one."""
        sequence = self.latest_sequence()
        return self.get(sequence) if sequence else None

    def get(self, sequence: int) -> Optional[Commit]:
        """The commit of a sequence, if it has been published."""
        known = self._memory.get(self.stage, sequence)
        if known is not None:
            return known
        text = read_if_there(self._s3, self._bucket, self.key(sequence))
        if text is None:
            return None
        commit = from_json(text)
        self._memory.keep(self.stage, sequence, commit)
        return commit

    def after(self, sequence: int) -> list[Commit]:
        """Every commit after a sequence, in order."""
        found: list[Commit] = []
        while True:
            sequence += 1
            commit = self.get(sequence)
            if commit is None:
                return found
            found.append(commit)

    def covering(self, after_batch: int) -> list[Commit]:
        """Every commit whose batches lie after a batch, in order: what waits for a later stage.

        Walks back from the newest, so the cost follows what waits.
        """
        found: list[Commit] = []
        sequence = self.latest_sequence()
        while sequence:
            commit = self.get(sequence)
            if commit is None or commit.last_batch <= after_batch:
                break
            found.append(commit)
            sequence -= 1
        return found[::-1]

    def publish(self, commit: Commit) -> None:
        """Make a commit visible, in one act.

        The document states the lake's identity, which no stage has to know. A PUT that succeeded but whose
        answer was lost is recognised by its attempt and counts as success.

        Raises:
            CommitConflict: Another attempt has published this sequence.
        """
        lake = lake_identity(CommitLog(self._s3, self._bucket, FIRST_STAGE, self._memory))
        if lake is None and commit.stage == FIRST_STAGE:
            lake = commit.attempt
        body, key = to_json(replace(commit, lake=lake)), self.key(commit.sequence)
        if put_new(self._s3, self._bucket, key, body, ContentType="application/json"):
            # As whoever reads it will have it.
            self._memory.keep(self.stage, commit.sequence, from_json(body))
            return
        published = self.get(commit.sequence)
        # An earlier try of this very request may have been its maker.
        if published is None or published.attempt != commit.attempt:
            raise CommitConflict(self.stage, commit.sequence)


def lake_identity(captures: CommitLog) -> Optional[str]:
    """What names a lake, apart from every other: the attempt of its first capture, made at random.

    Lakes of earlier releases have it, too, and nothing has to be written for it.

    Args:
        captures: The lake's captures.

    Returns:
        The identity; nothing before the first capture.
    """
    first = captures.get(1)
    return None if first is None else first.lake or first.attempt
