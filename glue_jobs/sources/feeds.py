"""Feeds: a second writer of the capture log.

A feed publishes ordinary commits of ``capture``, so that the sequence of that log orders all versions and
every later stage takes them as it takes what was captured. The commit carries on where the captured tables
stand, as a capture's carries on where feeds stand. Of a feed and a capture that commit at one moment one is
second, and begins again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pyarrow as pa

from catalog.arrow import arrow_schema
from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake import layout, live_keys, publish
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitConflict, TableCommit
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import Schemas
from glue_jobs.sources.parts import PartNumbers, PartWriter
from glue_jobs.sources.uploads import Uploads

TRIES = 5
"""How often a batch is made again where another writer of the log was first."""

INSERT, UPDATE = "insert", "update"
"""What happened to a row: the column ``operation`` of what a feed gives."""


class AlwaysSecond(UserError):  # noqa: N818 - named for what happened
    """Another writer was first each time; nothing was published."""


@dataclass(frozen=True)
class Turn:
    """What a feed's batch is made for.

    Attributes:
        batch: Its number.
        captured_at: When it was seen, never before what the log has already (UTC, without zone).
        label: Names what is written for it.
        known: Where the feed stands.
    """

    batch: int
    captured_at: datetime
    label: str
    known: FeedState


@dataclass(frozen=True)
class FeedBatch:
    """What a feed publishes at once.

    Attributes:
        rows: The rows, each key once: the table's own columns, and ``operation``.
        state: Where the feed stands afterwards.
        quarantined: By table of the dead letter zone, what could not be taken.
    """

    rows: Sequence[Mapping[str, Any]]
    state: FeedState
    quarantined: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class FeedWriter:
    """One feed's way into the capture log.

    Attributes:
        lake: Its clients.
        catalogue: The contracts, those of raw tables as the registry states them.
        schemas: What the registry states.
        feed: The feed's name.
        table: The raw table that takes its rows.
    """

    lake: LakeClients
    catalogue: Catalogue
    schemas: Schemas
    feed: str
    table: str

    @property
    def contract(self) -> Contract:
        """The contract of the table."""
        return self.catalogue.raw[self.table]

    def publish(self, build: Callable[[Turn], Optional[FeedBatch]]) -> Optional[Commit]:
        """Publish a batch, made again where another writer was first.

        Args:
            build: Makes the batch from where the feed stands; nothing where there is nothing to publish.

        Returns:
            The commit; nothing where there was nothing to publish.

        Raises:
            AlwaysSecond: Another writer was first each time.
        """
        for _ in range(TRIES):
            newest = self.lake.log("capture").latest()
            if newest is None:
                raise ValueError("a feed follows the first capture")
            known = SourceState.of(newest)
            batch = newest.sequence + 1
            captured_at = max(layout.utc_now(), layout.from_iso(known.captured_at))
            uploads = Uploads(self.lake, captured_at.date(), batch)
            label = f"{batch:010d}-{uploads.attempt}"
            made = build(Turn(batch, captured_at, label, known.feeds.get(self.feed, FeedState())))
            if made is None:
                return None
            commit = self._commit(known, made, captured_at, uploads)
            try:
                self.lake.log("capture").publish(commit)
            except CommitConflict:
                log.info("feed.second", feed=self.feed, batch=batch)
                continue
            log.step("feed.committed", feed=self.feed, batch=batch, rows=len(made.rows))
            publish.publish(self.lake, self.catalogue, commit)
            log.step("feed.published", feed=self.feed, batch=batch)
            return commit
        raise AlwaysSecond(
            f"Another writer of the capture log was first {TRIES} times; {self.feed} published nothing.",
            "What was fetched is kept; the next run publishes it.",
        )

    def _commit(self, known: SourceState, made: FeedBatch, captured_at: datetime, uploads: Uploads) -> Commit:
        tables = (
            {self.table: self._write(made, captured_at, uploads)} if made.rows or made.quarantined else {}
        )
        schemas = {**known.schemas, self.table: self.schemas.stated[self.table]}
        moment = layout.iso(captured_at)
        state = replace(
            known, captured_at=moment, schemas=schemas, feeds={**known.feeds, self.feed: made.state}
        )
        return Commit(
            stage="capture",
            sequence=uploads.batch,
            attempt=uploads.attempt,
            committed_at=layout.iso(layout.utc_now()),
            first_batch=uploads.batch,
            last_batch=uploads.batch,
            tables=tables,
            state=state.state,
        )

    def _write(self, made: FeedBatch, captured_at: datetime, uploads: Uploads) -> TableCommit:
        letters = []
        for name, stated in sorted(made.quarantined.items()):
            quarantine = self.catalogue.dead_letter[name]
            shared = [{**row, "captured_at": captured_at} for row in stated]
            self._upload(quarantine, table_of(quarantine, shared), uploads)
            letters.append(uploads.partition(quarantine, self.table))
        rejected = len(made.quarantined.get(layout.QUARANTINED_LINES, ()))
        count, contract = len(made.rows), self.contract
        inserts = sum(row["operation"] == INSERT for row in made.rows)
        counts = {
            "read": count + rejected,
            "accepted": count,
            "rejected": rejected,
            "new": count,
            "inserts": inserts,
            "updates": count - inserts,
            "deletes": 0,
        }
        if not made.rows:
            return TableCommit(counts, dead_letters=tuple(letters))
        table = raw_rows(contract, made.rows, captured_at)
        keys = live_keys.integers(table[contract.key[0]].combine_chunks())
        if len(np.unique(keys)) != count:
            # The star keeps one version of a key and batch.
            raise ValueError(f"a batch of {self.feed} holds a key twice")
        self._upload(contract, table, uploads)
        return TableCommit(
            counts,
            (uploads.partition(contract, contract.table),),
            dead_letters=tuple(letters),
            key_spans=tuple(((low,), (high,)) for low, high in live_keys.spans_of(live_keys.keys_of(keys))),
        )

    def _upload(self, contract: Contract, table: pa.Table, uploads: Uploads) -> None:
        with tempfile.TemporaryDirectory(prefix="feed-") as folder:
            deliver = partial(uploads.deliver, contract, self.table)
            writer = PartWriter(Path(folder), PartNumbers(), table.schema, deliver)
            for piece in table.to_batches():
                writer.write(piece)
            writer.close()


def raw_rows(contract: Contract, rows: Sequence[Mapping[str, Any]], captured_at: datetime) -> pa.Table:
    """Rows of a feed as the raw zone holds them, numbered within their batch.

    Args:
        contract: The raw table.
        rows: Its own columns, and ``operation``.
        captured_at: When they were seen (UTC, without zone).
    """
    whole = {"unrepresentable": None, "captured_at": captured_at}
    return table_of(contract, [{**whole, **row, "version_id": n} for n, row in enumerate(rows, start=1)])


def table_of(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as the files of a table hold them.

    Args:
        contract: The table.
        rows: By column, each row's values.
    """
    schema = arrow_schema(contract)
    columns = [pa.array([row[one.name] for row in rows], one.type) for one in schema]
    return pa.table(columns, schema=schema)
