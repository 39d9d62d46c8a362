"""Lakes that are measured: made-up rows, captures of them, and stages in processes of their own."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.process import Measured, Plan, Site

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.catalogue import Catalogue
    from catalog.model import Column, Contract
    from glue_jobs.lake.commits import CommitLog
    from local_aws.endpoint.app import Endpoint
    from local_aws.endpoint.layers import Layer

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "sales_order"
SMALL = {
    "department": 8,
    "address": 30,
    "staff": 20,
    "counterparty": 20,
    "currency": 3,
    "design": 473,
    "payment_type": 4,
}
"""The small source tables, and how many rows each has."""

CURRENCIES = {"GBP": "Pound Sterling", "USD": "US Dollar", "EUR": "Euro"}
FIRST_ORDER = dt.datetime(2022, 11, 16, 8)  # noqa: DTZ001 - the lake's times have no zone
MILLISECONDS_APART = 31_415
CAPTURED_AT = dt.datetime(2024, 11, 15, 10)  # noqa: DTZ001
WARM_UP_ORDERS = 1_000
GROUP_ROWS = 250_000
"""Rows of a row group, as small as the capture writes them."""


def python(engine: str) -> str:
    """The Python that an engine's jobs have on Glue, or this one where that is not there."""
    from local_aws.jobs.interpreters import interpreter_for

    kind = "glueetl" if engine == "spark" else "pythonshell"
    return str(interpreter_for({"Command": {"Name": kind}}).executable)


def environment() -> dict[str, str]:
    """What any process of the measurements needs to find the project."""
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{given}" if given else str(ROOT)}


# ------------------------------------------------------------------------------------- rows that are made up


def made_up(contract: Contract, ids: Any, **given: Any) -> pa.Table:
    """Rows of a table: what is given, ids of rows that exist for references, plain values for the rest.

    Args:
        contract: The table.
        ids: An array of whole numbers, the keys.
        given: By column, an array of its values, or one value for all rows.
    """
    import pyarrow as pa

    from catalog.arrow import arrow_schema

    schema = arrow_schema(contract)
    columns = []
    for column, field in zip(contract.all_columns, schema, strict=True):
        value = given[field.name] if field.name in given else _plain(contract, column, ids, field.type)
        if isinstance(value, (str, bool, int, dt.date, type(None))):
            value = pa.repeat(pa.scalar(value, field.type), len(ids))
        columns.append(pa.array(value).cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _plain(contract: Contract, column: Column, ids: Any, kind: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    mixed = (ids * 2_654_435_761 >> 8) + len(column.name)
    target = next((r.table for r in contract.references if r.column == column.name), "")
    rows = SMALL.get(target.removeprefix("dim_").replace("location", "address"))
    if column.name in contract.key or column.record_id:
        return ids
    if rows:
        return mixed % rows + 1
    if pa.types.is_decimal(kind):
        cents = np.zeros((len(ids), 2), dtype="int64")
        cents[:, 0] = mixed % 201 + 200
        return pa.Array.from_buffers(kind, len(ids), [None, pa.py_buffer(cents)])
    if pa.types.is_integer(kind):
        return mixed % 98_972 + 1_001
    if column.nullable:
        return None
    if column.allowed_values:
        return column.allowed_values[0]
    return False if pa.types.is_boolean(kind) else CAPTURED_AT if pa.types.is_timestamp(kind) else "text"


def raw_tables(
    catalogue: Catalogue, orders: int, milliseconds_apart: int = MILLISECONDS_APART
) -> dict[str, pa.Table]:
    """One capture: the small tables, and so many sales orders, one after the other."""
    import numpy as np
    import pyarrow as pa

    found = {}
    for table, count in SMALL.items():
        codes = {"currency_code": list(CURRENCIES)} if table == "currency" else {}
        found[table] = made_up(catalogue.raw[table], np.arange(1, count + 1), **codes)
    if orders:
        ids = np.arange(1, orders + 1)
        created = np.datetime64(FIRST_ORDER, "ms") + ids * milliseconds_apart
        agreed = {
            f"agreed_{what}_date": pa.array((created + ids % days * 86_400_000).astype("datetime64[D]")).cast(
                "string"
            )
            for what, days in (("payment", 7), ("delivery", 8))
        }
        times = {"created_at": created, "last_updated": created}
        found[SOURCE] = made_up(catalogue.raw[SOURCE], ids, **times, **agreed)
    return found


# ----------------------------------------------------------------------------------------- a lake of our own


class Lake:
    """A lake on an AWS endpoint of its own.

    Args:
        endpoint: The endpoint.
        catalogue: The contracts.
        name: Begins the names of its buckets.
    """

    def __init__(self, endpoint: Endpoint, catalogue: Catalogue, name: str) -> None:
        from catalog.glue import database_input, table_input
        from catalog.pipeline import load_pipeline
        from lakehouse.local_deployment import deploy_schemas

        self.endpoint, self.catalogue = endpoint, catalogue
        self.s3, self.glue = endpoint.client("s3"), endpoint.client("glue")
        self.buckets = {kind: f"{name}-{kind}" for kind in ("ingestion", "processed")}
        self.registry = load_pipeline().registries["raw"]
        for bucket in self.buckets.values():
            where = {"LocationConstraint": endpoint.region}
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
            self.endpoint.bucket_dir(bucket).mkdir(parents=True, exist_ok=True)
        for zone in catalogue.zones.values():
            self.glue.create_database(DatabaseInput=database_input(zone))
        for contract in catalogue.tables:
            stated = table_input(contract, self.buckets[contract.zone_info.bucket])
            self.glue.create_table(DatabaseName=contract.zone_info.database, TableInput=stated)
        deploy_schemas(self.glue, catalogue, self.registry)

    @property
    def site(self) -> Site:
        """Where a process finds it."""
        return Site(self.endpoint.environment(), self.buckets)

    def log(self, stage: str) -> CommitLog:
        """The commits of a stage."""
        from glue_jobs.lake.commits import CommitLog

        return CommitLog(self.s3, self.buckets["ingestion"], stage)

    def folder(self, kind: str) -> Path:
        """Where the objects of a bucket are."""
        return self.endpoint.bucket_dir(self.buckets[kind])

    def capture(self, tables: Mapping[str, pa.Table], live: Mapping[str, int] | None = None) -> int:
        """Commit rows as a capture; returns the batch.

        Args:
            tables: Rows by raw table.
            live: By raw table, up to which key, from 1, its rows are there; nothing where nobody asks.
        """
        import pyarrow.parquet as pq

        from glue_jobs.lake import layout, live_keys
        from glue_jobs.lake.commits import Commit, DataObject, Partition, TableCommit
        from glue_jobs.lake.key_limits import KeyLimits
        from glue_jobs.sources.parts import ROWS_PER_FILE

        batch, attempt = self.log("capture").latest_sequence() + 1, layout.new_attempt()
        written = {}
        for name, rows in tables.items():
            contract = self.catalogue.raw[name]
            location = layout.raw_location(contract, CAPTURED_AT.date(), batch, attempt)
            written_objects: list[DataObject] = []
            for number, start in enumerate(range(0, max(len(rows), 1), ROWS_PER_FILE)):
                part, buffer = rows.slice(start, ROWS_PER_FILE), io.BytesIO()
                pq.write_table(part, buffer, compression="zstd", row_group_size=GROUP_ROWS)
                key = f"{location}part-{number:05d}.parquet"
                limits = KeyLimits(contract.key)
                limits.add(part)
                low, high = limits.range
                data = self.put("ingestion", key, buffer.getvalue(), len(part))
                written_objects.append(replace(data, key_min=low, key_max=high))
            values = {"captured_date": CAPTURED_AT.date().isoformat(), "batch": str(batch)}
            counts = {"read": len(rows), "accepted": len(rows)}
            keys = live_keys.integers(rows[contract.key[0]].combine_chunks())
            spans = live_keys.spans_of(live_keys.keys_of(keys))
            partitions = (Partition(values, location, tuple(written_objects)),)
            written[name] = TableCommit(
                counts, partitions, key_spans=tuple(((low,), (high,)) for low, high in spans)
            )
        at = layout.iso(CAPTURED_AT)
        state = self._state(at, attempt, live or {})
        self.log("capture").publish(Commit("capture", batch, attempt, at, batch, batch, written, state))
        return batch

    def put(self, kind: str, key: str, document: bytes, rows: int) -> Any:
        """Put an object where its bucket keeps it; gives what a commit says of it."""
        import hashlib

        from glue_jobs.lake.commits import DataObject

        path = self.folder(kind) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document)
        return DataObject(key, rows, len(document), hashlib.sha256(document).hexdigest())

    def _state(self, at: str, attempt: str, live: Mapping[str, int]) -> dict[str, Any]:
        import numpy as np

        from glue_jobs.lake.live_keys import KeyStore, keys_of
        from glue_jobs.lake.source_state import CaptureState, SourceState

        store = KeyStore(self.s3, self.buckets["ingestion"])
        keys = {table: keys_of(np.arange(1, last + 1)) for table, last in live.items()}
        states = {
            table: CaptureState(live_keys=store.keep_live(table, attempt, found))
            for table, found in keys.items()
        }
        return SourceState(captured_at=at, tables=states).state

    def accept(self) -> None:
        """Accept the newest capture unseen, where validation is not what is measured."""
        commit = self.log("capture").latest()
        assert commit is not None
        self.log("validate").publish(replace(commit, stage="validate"))


@contextmanager
def lakes(
    folder: Path, catalogue: Catalogue, names: Sequence[str], extra: Sequence[Layer] = ()
) -> Iterator[list[Lake]]:
    """Empty lakes side by side, each on an endpoint of its own."""
    from local_aws.endpoint.app import create_endpoint

    with ExitStack() as stack:
        endpoints = [stack.enter_context(create_endpoint(folder / name, extra=extra)) for name in names]
        yield [Lake(at, catalogue, name) for at, name in zip(endpoints, names, strict=True)]


def spark_variables(folder: Path) -> dict[str, str]:
    """What a process needs that starts Spark as on a laptop, with two cores."""
    from local_aws.jobs.java import java_home
    from local_aws.jobs.spark_settings import spark_environment, write_conf

    return spark_environment(write_conf(folder / "conf"), java_home(folder))


def run_stages(engine: str, stages: Sequence[str], warm_up: Lake, lake: Lake, folder: Path) -> Measured:
    """Run stages of a lake in a process of their own, after the same on a small lake.

    Args:
        engine: ``embedded`` or ``spark``.
        stages: The stages.
        warm_up: The small lake: it pays the start-up.
        lake: The lake that is measured.
        folder: For what is kept meanwhile.

    Raises:
        subprocess.CalledProcessError: The process failed.
    """
    given = {**os.environ, **environment()}
    if engine == "spark":
        given.update(spark_variables(folder), PYSPARK_PYTHON=python(engine))
    plan = Plan(engine, tuple(stages), (warm_up.site, lake.site), str(folder / "engine"))
    command = [python(engine), "-m", "bench.process", json.dumps(asdict(plan))]
    done = subprocess.run(command, env=given, stdout=subprocess.PIPE, check=True, text=True)
    return Measured(**json.loads(done.stdout.strip().splitlines()[-1]))
