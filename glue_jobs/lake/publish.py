"""The catalogue and the ops zone as projections of commits.

A commit is the truth; what Glue shows is made from it afterwards, as often as one likes with the same
result. Every run first repeats this for the newest commit of its stage, so a run that died in between is
repaired by the next.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.arrow import arrow_schema
from catalog.catalogue import Catalogue
from catalog.model import UNRESOLVED, Contract
from glue_jobs.lake import layout, objects
from glue_jobs.lake.catalog_check import ZONES, repair_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, DataObject, Partition
from glue_jobs.lake.partitions import partitions_of, register_live, register_new
from glue_jobs.lake.rebuilds import BUILT


def publish(
    lake: LakeClients,
    catalogue: Catalogue,
    commit: Commit,
    seconds: float = 0.0,
    *,
    whole: bool = True,
    compared: bool = False,
) -> None:
    """Project a commit: partitions and locations into Glue, one ops record per table.

    First the tables and views of the stage's zones are compared with their contracts, once a run, and what is
    missing or different is made again.

    Leaves a star table alone when a newer commit of the stage exists: that one's projection is the newer.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        commit: The commit, already published.
        seconds: How long the run took until it committed.
        whole: Whether every partition of the star is compared, and not only those that the commit wrote.
        compared: Whether this run has compared the tables.
    """
    if not compared:
        repair_tables(lake, catalogue, ZONES[commit.stage])
    is_live = commit.stage in BUILT and not lake.log(commit.stage).exists(commit.sequence + 1)
    for name, table in commit.tables.items():
        if commit.stage == "capture" and name in catalogue.raw:
            register_new(lake, catalogue.raw[name], table.partitions)
            for quarantine in layout.quarantines(catalogue.dead_letter):
                register_new(lake, quarantine, partitions_of(quarantine, table.dead_letters))
        elif commit.stage == "validate" and name in catalogue.raw:
            register_new(lake, catalogue.dead_letter[name], table.dead_letters)
        elif is_live and name in catalogue.star:
            written = None if whole else {layout.partition_path(p.values) for p in table.partitions}
            if whole and name == UNRESOLVED:
                # The other stage's part of the list is none of this commit's business.
                written = set(table.versions)
            register_live(lake, catalogue.star[name], table, written)
    record_ops(lake, catalogue, commit, seconds)


def record_ops(lake: LakeClients, catalogue: Catalogue, commit: Commit, seconds: float) -> None:
    """Write the ops record of a commit, one row per table, once; register its partition."""
    snapshot = commit.captured_at or commit.committed_at
    rows = [
        {
            "sequence": commit.sequence,
            "table_name": name,
            "attempt": commit.attempt,
            "first_batch": commit.first_batch,
            "last_batch": commit.last_batch,
            "snapshot_at": layout.from_iso(snapshot),
            "committed_at": layout.from_iso(commit.committed_at),
            "rows_read": table.counts.get("read", 0),
            "rows_accepted": table.counts.get("accepted", 0),
            "rows_rejected": table.counts.get("rejected", 0),
            "rows_written": sum(data.rows for data in table.objects),
            "rows_new": table.counts.get("new", 0),
            "objects": len(table.objects),
            "bytes": sum(data.bytes for data in table.objects),
            "seconds": round(seconds, 3),
        }
        for name, table in sorted(commit.tables.items())
    ]
    values = {"stage": commit.stage, "committed_date": commit.committed_at[:10]}
    append_ops(lake, catalogue.ops["batch_records"], values, f"{commit.sequence:010d}", rows)


def append_ops(
    lake: LakeClients,
    contract: Contract,
    values: Mapping[str, str],
    name: str,
    rows: Sequence[Mapping[str, Any]],
) -> Optional[DataObject]:
    """Write one small ops object, once: a second call with the same name changes nothing.

    Args:
        lake: Its clients.
        contract: The ops table.
        values: Partition column to value.
        name: The object's name within its partition.
        rows: Column to value; floats are rounded to the contract's decimals.

    Returns:
        The object, or nothing when it was there already.
    """
    location = f"{contract.prefix}{layout.partition_path(values)}/"
    schema = arrow_schema(contract)
    columns = {field.name: pa.array([row[field.name] for row in rows]).cast(field.type) for field in schema}
    written = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(pa.table(columns, schema=schema), path)
        # An earlier attempt at the same record may have written it; only its seconds can differ.
        with contextlib.suppress(objects.ObjectExists):
            written = objects.upload(lake.s3, lake.ingestion, f"{location}{name}.parquet", path, len(rows))
    register_new(lake, contract, [Partition(values, location, ())])
    return written
