"""The open dead letters of a stack: which rows, and what is wrong with them; never their values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.parquet as pq

from catalog.catalogue import Catalogue
from catalog.keys import is_number, key_text
from catalog.model import Contract
from glue_jobs.lake.commits import CommitLog, DataObject
from glue_jobs.lake.objects import open_verified
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime.aws import S3Client


@dataclass(frozen=True)
class DeadLetter:
    """One rejected row that nothing newer has replaced.

    Attributes:
        table: The raw table.
        key: Its key, if it has one.
        version_id: Which version of the row.
        batch: The capture that brought it.
        captured_at: When that was (UTC).
        rules: The rules that it broke, each with ``rule``, ``severity`` and ``reason``.
    """

    table: str
    key: int | str | None
    version_id: int
    batch: int
    captured_at: str
    rules: tuple[dict[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """The dead letter as plain data."""
        return asdict(self)


def open_dead_letters(
    s3: S3Client, bucket: str, catalogue: Catalogue, table: str | None = None
) -> Iterator[DeadLetter]:
    """The open dead letters, by table, batch and key.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        catalogue: The contracts.
        table: One raw table; all of them unless stated.
    """
    log = CommitLog(s3, bucket, "validate")
    for name, objects in sorted(ValidationState.of(log.latest()).unresolved.items()):
        if table not in (None, name):
            continue
        listed = [row for data in objects for row in _rows(s3, bucket, asdict(data))]
        wanted = {(row["key"], row["version_id"], row["batch"]) for row in listed}
        places = {(row["sequence"], row["batch"]) for row in listed}
        found: list[DeadLetter] = []
        for sequence in sorted({sequence for sequence, _ in places}):
            commit = log.get(sequence)
            for partition in commit.tables[name].dead_letters if commit else ():
                batch = int(partition.values["batch"])
                if (sequence, batch) in places:
                    for data in partition.objects:
                        found += _letters(s3, bucket, catalogue, name, batch, asdict(data))
        chosen = [one for one in found if (one.key, one.version_id, one.batch) in wanted]
        yield from sorted(chosen, key=lambda one: (one.batch, one.key is None, one.key or 0, one.version_id))


def _letters(
    s3: S3Client, bucket: str, catalogue: Catalogue, table: str, batch: int, data: dict[str, Any]
) -> Iterator[DeadLetter]:
    contract = catalogue.raw[table]
    for row in _rows(s3, bucket, data, [*contract.key, "version_id", "captured_at", "broken_rules"]):
        at = row["captured_at"].isoformat(timespec="milliseconds") + "Z"
        yield DeadLetter(
            table, _key(contract, row), row["version_id"], batch, at, tuple(json.loads(row["broken_rules"]))
        )


def _key(contract: Contract, row: dict[str, Any]) -> int | str | None:
    if any(row[name] is None for name in contract.key):
        return None
    return int(row[contract.key[0]]) if is_number(contract) else key_text(contract, row)


def _rows(
    s3: S3Client, bucket: str, data: dict[str, Any], columns: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    with open_verified(s3, bucket, DataObject(**data)) as file:
        for batch in pq.ParquetFile(file).iter_batches(columns=columns):
            yield from batch.to_pylist()
