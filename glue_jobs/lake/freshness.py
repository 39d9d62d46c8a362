"""As of when what is loaded shows the source: by the capture's looks, whether or not they found anything."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Optional

import pyarrow.parquet as pq

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import from_iso
from glue_jobs.lake.source_state import SourceState
from glue_jobs.runtime.s3 import list_folders, list_objects, read_if_there

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

FRESH = timedelta(minutes=30)
"""A change in the source is in the warehouse within this time."""

_READ_AT_MOST = 24
"""Looks that are read before what the commits state has to do: four hours of them."""


@dataclass(frozen=True)
class Look:
    """A capture's look at the source.

    Attributes:
        captured_at: When its snapshot was taken (UTC, without zone).
        last_batch: All that it saw is in the captures up to this one.
        paused: Tables that it could not read.
        unstated_columns: By table, columns that its contract does not state.
    """

    captured_at: datetime
    last_batch: int
    paused: frozenset[str]
    unstated_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)


def last_complete(looks: Iterable[Look], last_batch: int, tables: Collection[str]) -> Optional[datetime]:
    """When the first of some looks was taken of which nothing waits; nothing where there is none.

    Args:
        looks: The newest first.
        last_batch: The captures up to this one are loaded.
        tables: Those that the look must have read.
    """
    complete = (
        look.captured_at for look in looks if look.last_batch <= last_batch and look.paused.isdisjoint(tables)
    )
    return next(complete, None)


def newest_look(lake: LakeClients, catalogue: Catalogue) -> Optional[Look]:
    """The newest look at the source, however long ago; nothing before the first.

    Args:
        lake: Its clients.
        catalogue: The contracts.
    """
    days = list_folders(lake.s3, lake.ingestion, catalogue.ops["heartbeats"].prefix)
    written = list(list_objects(lake.s3, lake.ingestion, max(days))) if days else []
    if not written:
        return None
    # S3 states whole seconds.
    recent = max(entry["LastModified"] for entry in written) - timedelta(seconds=1)
    looks = _read(lake, [entry for entry in written if entry["LastModified"] >= recent])
    return max(looks, key=lambda look: look.captured_at, default=None)


def data_as_of(
    lake: LakeClients, catalogue: Catalogue, last_batch: int, tables: Collection[str], now: datetime
) -> Optional[datetime]:
    """As of when tables are known, given what is loaded; nothing where that cannot be told.

    It is never later than it was. A table that is paused is known as of the last look before that.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        last_batch: The captures up to this one are loaded.
        tables: The captured tables that are asked for.
        now: UTC, without zone.
    """
    captures = lake.log("capture")
    loaded = captures.get(last_batch) if last_batch else None
    if loaded is None:
        return None
    states = SourceState.of(loaded).tables
    pauses = [states[table].pause for table in tables if table in states]
    paused = [from_iso(pause.since) for pause in pauses if pause is not None]
    waiting = captures.get(last_batch + 1)
    ends = [*paused, *([from_iso(waiting.committed_at)] if waiting is not None else [])]
    looks = _looks(lake, catalogue.ops["heartbeats"], min([now, *ends]).date(), min(ends, default=None))
    found = last_complete(itertools.islice(looks, _READ_AT_MOST), last_batch, tables)
    if found is None and not paused and loaded.captured_at is not None:
        return from_iso(loaded.captured_at)
    return found


def _looks(lake: LakeClients, contract: Contract, day: date, until: Optional[datetime]) -> Iterator[Look]:
    """The looks of a day and of the one before, that were written until a moment; the newest first."""
    days = [(day - timedelta(days=back)).isoformat() for back in (0, 1)]
    written = [
        entry
        for day in days
        for entry in list_objects(lake.s3, lake.ingestion, f"{contract.prefix}captured_date={day}/")
        # S3 states whole seconds.
        if until is None or entry["LastModified"].replace(tzinfo=None) <= until + timedelta(seconds=1)
    ]
    return _read(lake, sorted(written, key=lambda one: (one["LastModified"], one["Key"]), reverse=True))


def _read(lake: LakeClients, written: Iterable[ObjectTypeDef]) -> Iterator[Look]:
    for entry in written:
        body = read_if_there(lake.s3, lake.ingestion, entry["Key"])
        if body is None:
            continue
        for row in pq.ParquetFile(io.BytesIO(body)).read().to_pylist():
            paused, unstated = json.loads(row["held_tables"] or "[]"), row["unstated_columns"]
            yield Look(row["captured_at"], row["last_batch"], frozenset(paused), json.loads(unstated or "{}"))
