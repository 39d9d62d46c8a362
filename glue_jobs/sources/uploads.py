"""Finished files of a capture into the raw and dead letter zones."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from catalog.model import Contract
from glue_jobs.lake import layout, objects
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import DataObject, Partition
from glue_jobs.lake.key_limits import KeyLimits
from glue_jobs.runtime import log


class Uploads:
    """Puts finished files under prefixes that no other attempt shares.

    Args:
        lake: Its clients.
        captured: The day on which they were captured.
        batch: The batch.
    """

    def __init__(self, lake: LakeClients, captured: date, batch: int) -> None:
        self.batch = batch
        self.attempt = layout.new_attempt()
        self._lake = lake
        self._date = captured
        self._objects: dict[tuple[str, str], list[DataObject]] = defaultdict(list)

    def deliver(self, contract: Contract, table: str, path: Path, rows: int) -> None:
        """Upload a file and remove it; called from several threads.

        Args:
            contract: The table that takes the rows.
            table: The source table that they are of.
            path: The file.
            rows: How many they are.
        """
        # Paused tables of one capture share their partition, so the file says whose it is.
        name = path.name if contract.table == table else f"{table}-{path.name}"
        lake, key = self._lake, self._location(contract) + name
        data = objects.upload(lake.s3, lake.bucket(contract), key, path, rows)
        if contract.table == table:
            # What is set aside may have any key, or none.
            limits = KeyLimits(contract.key)
            limits.add(pq.read_table(path, columns=list(contract.key), partitioning=None))
            low, high = limits.range
            data = replace(data, key_min=low, key_max=high)
        path.unlink()
        self._objects[contract.table, table].append(data)
        log.step("capture.file_uploaded", batch=self.batch, table=table, rows=rows, bytes=data.bytes)

    def partition(self, contract: Contract, table: str) -> Partition:
        """What was uploaded to a table of one source table's rows, as its commit states it."""
        return Partition(
            values={"captured_date": self._date.isoformat(), "batch": str(self.batch)},
            location=self._location(contract),
            objects=tuple(sorted(self._objects[contract.table, table], key=lambda data: data.key)),
        )

    def _location(self, contract: Contract) -> str:
        return layout.raw_location(contract, self._date, self.batch, self.attempt)
