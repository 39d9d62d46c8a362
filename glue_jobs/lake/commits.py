"""The commit log: what is published, in order, each commit one conditional PUT.

A stage writes its objects under prefixes that no other attempt shares and then publishes
``_commits/<stage>/<sequence>.json`` with ``If-None-Match: *``. The PUT is the only moment at which anything
becomes visible: of two attempts at the same sequence one wins, the other sees :class:`CommitConflict` and
steps aside. Sequences are dense from 1, so the newest is found by probing, without listing the history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from botocore.exceptions import ClientError

from glue_jobs.lake.conditional import put_new

FORMAT = 1
"""Version of the commit document's own layout."""

STAGES = ("capture", "validate", "dimensions", "facts", "load")
"""The stages that commit to the log, in the order in which a batch passes them.

Of the first four the commit *is* the publication. The load publishes in the warehouse, offset and rows in one
transaction there; its commit only tells the others how far it is.
"""


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
        key_min: Smallest business key in it, where that is known.
        key_max: Largest business key in it, where that is known.
    """

    key: str
    rows: int
    bytes: int
    sha256: str
    key_min: Optional[int] = None
    key_max: Optional[int] = None


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
    def key_min(self) -> Optional[int]:
        """Smallest business key in it; nothing where an object does not say."""
        known = [data.key_min for data in self.objects]
        return min((k for k in known if k is not None), default=None) if None not in known else None

    @property
    def key_max(self) -> Optional[int]:
        """Largest business key in it; nothing where an object does not say."""
        known = [data.key_max for data in self.objects]
        return max((k for k in known if k is not None), default=None) if None not in known else None


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
        key_spans: Capture: spans of keys, both ends included, that hold the key of every row; none where that
            is not known.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[Partition, ...] = ()
    changes: tuple[DataObject, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    dead_letters: tuple[Partition, ...] = ()
    key_spans: tuple[tuple[int, int], ...] = ()

    @property
    def objects(self) -> tuple[DataObject, ...]:
        """Every object that the commit names for this table."""
        partitions = self.partitions + self.dead_letters
        return tuple(data for partition in partitions for data in partition.objects) + self.changes


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
        tables: What it says of each table.
        state: What the stage itself needs next time.
    """

    stage: str
    sequence: int
    attempt: str
    committed_at: str
    first_batch: int
    last_batch: int
    tables: Mapping[str, TableCommit] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


def to_json(commit: Commit) -> bytes:
    """The commit as the document that is published."""
    return json.dumps({"format": FORMAT, **asdict(commit)}, indent=1, sort_keys=True).encode()


def from_json(document: bytes) -> Commit:
    """The commit that a document states.

    Raises:
        ValueError: The document is of a layout that this code does not know.
    """
    stated = json.loads(document)
    if stated.pop("format", None) != FORMAT:
        raise ValueError("a commit of an unknown format; deploy the newer code before reading it")
    tables = {
        name: TableCommit(
            counts=table["counts"],
            partitions=_partitions(table["partitions"]),
            changes=tuple(DataObject(**o) for o in table["changes"]),
            versions=table["versions"],
            dead_letters=_partitions(table.get("dead_letters", ())),
            key_spans=tuple((low, high) for low, high in table.get("key_spans", ())),
        )
        for name, table in stated.pop("tables").items()
    }
    return Commit(**stated, tables=tables)


def _partitions(stated: Iterable[Mapping[str, Any]]) -> tuple[Partition, ...]:
    return tuple(
        Partition(p["values"], p["location"], tuple(DataObject(**o) for o in p["objects"])) for p in stated
    )


class CommitLog:
    """The commits of one stage.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        stage: The stage.
    """

    def __init__(self, s3: Any, bucket: str, stage: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.stage = stage

    def key(self, sequence: int) -> str:
        """Where the commit of a sequence stands."""
        return f"_commits/{self.stage}/{sequence:010d}.json"

    def exists(self, sequence: int) -> bool:
        """Whether a sequence has been published."""
        if sequence < 1:
            return False
        try:
            self._s3.head_object(Bucket=self._bucket, Key=self.key(sequence))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return True

    def latest_sequence(self) -> int:
        """The newest sequence, 0 when there is none: doubling, then halving, 2·log2(n) probes."""
        above = 1
        while self.exists(above):
            above *= 2
        below = above // 2
        while above - below > 1:
            middle = (above + below) // 2
            below, above = (middle, above) if self.exists(middle) else (below, middle)
        return below

    def latest(self) -> Optional[Commit]:
        """The newest commit, if there is one."""
        sequence = self.latest_sequence()
        return self.get(sequence) if sequence else None

    def get(self, sequence: int) -> Optional[Commit]:
        """The commit of a sequence, if it has been published."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self.key(sequence))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return from_json(answer["Body"].read())

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

        A PUT that succeeded but whose answer was lost is recognised by its attempt and counts as success.

        Raises:
            CommitConflict: Another attempt has published this sequence.
        """
        body, key = to_json(commit), self.key(commit.sequence)
        if put_new(self._s3, self._bucket, key, body, ContentType="application/json"):
            return
        published = self.get(commit.sequence)
        # An earlier try of this very request may have been its maker.
        if published is None or published.attempt != commit.attempt:
            raise CommitConflict(self.stage, commit.sequence)
