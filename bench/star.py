"""Build the star from raw sales orders.

From raw parquet files, as a capture leaves them, to the fact of sales orders, typed, numbered and cut by
month, and the small dimensions. Ours is what the two build jobs do, on Spark with two cores: checksums, the
comparison with what is known, the calendar, the changes for the warehouse, the written files measured again,
one commit for each job. "cold" starts its JVM meanwhile; "warm" has built a small lake before. Peers derive
the same columns and write the same files, and do nothing else. Spark is the design's engine because it goes
on where one machine ends and because Glue runs it, not for its speed at this size: one process that derives
and writes should win here, and the table says by how much. "exact" compares every cell of the fact with rows
that Arrow alone derived.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Row, measure
from bench.options import Options

if TYPE_CHECKING:
    import pyarrow as pa
    from glue_jobs.star.stage import Stage

    from catalog.catalogue import Catalogue
    from catalog.model import Column, Contract
    from local_stack.aws.app import Endpoint

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

FACT, SOURCE = "fact_sales_order", "sales_order"
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
CAPTURED_AT = dt.datetime(2024, 11, 15, 10)  # noqa: DTZ001
WARM_UP_ORDERS = 1_000


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


def raw_tables(catalogue: Catalogue, orders: int) -> dict[str, pa.Table]:
    """One capture: the small tables, and so many sales orders."""
    import numpy as np
    import pyarrow as pa

    found = {}
    for table, count in SMALL.items():
        codes = {"currency_code": list(CURRENCIES)} if table == "currency" else {}
        found[table] = made_up(catalogue.raw[table], np.arange(1, count + 1), **codes)
    if orders:
        ids = np.arange(1, orders + 1)
        created = np.datetime64(FIRST_ORDER, "ms") + ids * 31_415
        agreed = {
            f"agreed_{what}_date": pa.array((created + ids % days * 86_400_000).astype("datetime64[D]")).cast(
                "string"
            )
            for what, days in (("payment", 7), ("delivery", 8))
        }
        times = {"created_at": created, "last_updated": created}
        found[SOURCE] = made_up(catalogue.raw[SOURCE], ids, **times, **agreed)
    return found


def expected(catalogue: Catalogue, orders: pa.Table) -> pa.Table:
    """The fact of one capture of orders, in the order of their keys."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    contract = catalogue.star[FACT]
    derive: dict[str | None, Callable[[Any], Any]] = {
        None: lambda value: value,
        "date_of": lambda value: value.cast(pa.date32(), safe=False),
        "time_of": lambda value: pc.utf8_slice_codeunits(value.cast("string"), 11, 23),
        "iso_date": lambda value: value.cast(pa.date32()),
    }
    made = {}
    for column in contract.columns:
        if not column.record_id:
            function, source = _made_by(column)
            made[column.name] = derive[function](orders[source].combine_chunks())
    return made_up(contract, np.arange(1, len(orders) + 1), **made, batch_sequence=1, captured_at=CAPTURED_AT)


# ----------------------------------------------------------------------------------------- a lake of our own


class Lake:
    """A lake of its own, and the jobs' own code over it.

    Args:
        endpoint: Its AWS endpoint.
        catalogue: The contracts.
        name: Begins the names of its buckets.
    """

    def __init__(self, endpoint: Endpoint, catalogue: Catalogue, name: str) -> None:
        from catalog.glue import database_input, table_input
        from glue_jobs.lake.commits import CommitLog
        from glue_jobs.star.read import session

        self.endpoint, self.catalogue = endpoint, catalogue
        self.s3, self.glue = endpoint.client("s3"), endpoint.client("glue")
        self.session = partial(session, "bench")
        self.buckets = {kind: f"{name}-{kind}" for kind in ("ingestion", "processed")}
        self.log = partial(CommitLog, self.s3, self.buckets["ingestion"])
        for bucket in self.buckets.values():
            where = {"LocationConstraint": endpoint.region}
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        for zone in catalogue.zones.values():
            self.glue.create_database(DatabaseInput=database_input(zone))
        for contract in catalogue.contracts:
            stated = table_input(contract, self.buckets[contract.zone_info.bucket])
            self.glue.create_table(DatabaseName=contract.zone_info.database, TableInput=stated)

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

        from glue_jobs.lake import layout, objects
        from glue_jobs.lake.commits import Commit, Partition, TableCommit

        batch, attempt = self.log("capture").latest_sequence() + 1, layout.new_attempt()
        written = {}
        for name, rows in tables.items():
            location = layout.raw_location(self.catalogue.raw[name], CAPTURED_AT.date(), batch, attempt)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "part-00000.parquet"
                pq.write_table(rows, path, compression="zstd", row_group_size=250_000)
                key = f"{location}{path.name}"
                data = objects.upload(self.s3, self.buckets["ingestion"], key, path, len(rows))
            values = {"captured_date": CAPTURED_AT.date().isoformat(), "batch": str(batch)}
            counts = {"read": len(rows), "accepted": len(rows)}
            written[name] = TableCommit(counts, (Partition(values, location, (data,)),))
        at = layout.iso(CAPTURED_AT)
        self.log("capture").publish(
            Commit("capture", batch, attempt, at, batch, batch, written, self._state(at, attempt, live or {}))
        )
        return batch

    def _state(self, at: str, attempt: str, live: Mapping[str, int]) -> dict[str, Any]:
        import numpy as np

        from glue_jobs.sources.live_keys import KeyStore, keys_of
        from glue_jobs.sources.state import CaptureState, SourceState

        store = KeyStore(self.s3, self.buckets["ingestion"])
        keys = {table: keys_of(np.arange(1, last + 1)) for table, last in live.items()}
        states = {
            table: CaptureState(live_keys=store.keep_live(table, attempt, found))
            for table, found in keys.items()
        }
        return SourceState(captured_at=at, tables=states).state

    def stage(self, name: str, reads: str = "validate") -> Stage:
        """A stage of this lake."""
        from glue_jobs.star.stage import Stage

        return Stage(name, reads, self.s3, self.glue, self.catalogue, self.buckets)

    def validate(self) -> None:
        """What validate_raw does."""
        from expectations.rules import load_suites
        from glue_jobs.star.validation import validate

        assert validate(self.stage("validate", "capture"), self.session, load_suites()) == 0

    def accept(self) -> None:
        """Accept the newest capture unseen, where validation is not what is measured."""
        from dataclasses import replace

        commit = self.log("capture").latest()
        assert commit is not None
        self.log("validate").publish(replace(commit, stage="validate"))

    def build(self) -> None:
        """What build_dimensions and build_facts do, one after the other."""
        from glue_jobs.star.stage import drain

        from glue_jobs import build_dimensions, build_facts

        assert drain(self.stage("dimensions"), self.session, build_dimensions.tables) == 0
        assert drain(self.stage("facts"), self.session, build_facts.tables) == 0


@contextmanager
def lakes(folder: Path, catalogue: Catalogue, names: Sequence[str]) -> Iterator[list[Lake]]:
    """Empty lakes side by side, and the settings of the one Spark session that sees all of them."""
    from contextlib import ExitStack

    from local_stack.aws.app import create_endpoint
    from local_stack.java import java_home
    from local_stack.spark_settings import spark_environment, write_conf

    with ExitStack() as stack:
        endpoints = [stack.enter_context(create_endpoint(folder / name)) for name in names]
        made = [Lake(at, catalogue, name) for at, name in zip(endpoints, names, strict=True)]
        mounts = {lake.buckets[kind]: lake.folder(kind) for lake in made for kind in lake.buckets}
        for path in mounts.values():
            path.mkdir(parents=True, exist_ok=True)
        os.environ.update(spark_environment(write_conf(folder / "conf"), java_home(folder)))
        yield made


# ------------------------------------------------------------------ the cases, each in a process of its own


def ours(raw: Path, folder: Path, *, warm: bool) -> tuple[float, Path]:
    """The two build jobs; gives the seconds and the folder of the fact's files."""
    import pyarrow.parquet as pq

    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    with lakes(folder, catalogue, ["small", "large"]) as (small, large):
        small.capture(raw_tables(catalogue, WARM_UP_ORDERS))
        large.capture({path.name: pq.ParquetFile(path / "0.parquet").read() for path in raw.iterdir()})
        for lake in (small, large):
            lake.accept()
        if warm:
            small.build()
        began = time.perf_counter()
        large.build()
        return time.perf_counter() - began, large.folder("processed") / "star" / FACT


def peer(work: Callable[[Path, Path, Any, str], None], raw: Path, folder: Path) -> tuple[float, Path]:
    """A peer over every table that has no calendar in it; a first run over few rows pays the start-up."""
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    began = 0.0
    dimensions = [c for c in catalogue.star_of_kind("dimension") if _main(c) in SMALL]
    for place in (folder / "warm", folder / "out"):
        began = time.perf_counter()
        for contract in [*dimensions, *([catalogue.star[FACT]] if place.name == "out" else [])]:
            (place / contract.table).mkdir(parents=True)
            work(raw, place / contract.table, contract, _main(contract))
    return time.perf_counter() - began, folder / "out" / FACT


def _main(contract: Contract) -> str:
    return (contract.built_from.table if contract.built_from else None) or ""


def _key(contract: Contract) -> str:
    """What the key is called in the source."""
    return str(contract.column(contract.key[0]).source)


def _made_by(column: Column) -> tuple[str | None, str]:
    """The function that makes a column, if any, and the one column that it is made from."""
    (source,) = column.inputs
    return None if column.source else str(column.sql).partition("(")[0], source


def _joins(contract: Contract) -> list[tuple[str, str, str]]:
    """Table, column of the main table and key of each join."""
    from catalog.catalogue import load_catalogue

    raw = load_catalogue().raw
    joins = contract.built_from.joins if contract.built_from else ()
    return [(join.table, join.on, raw[join.table].key[0]) for join in joins]


def duckdb(raw: Path, out: Path, contract: Contract, main: str) -> None:
    """One statement a table, on two threads."""
    import duckdb

    forms = {
        None: "{0}",
        "date_of": "{0}::date",
        "time_of": "strftime({0}, '%H:%M:%S.%g')",
        "iso_date": "{0}::date",
        "currency_name": f"map({list(CURRENCIES)}, {list(CURRENCIES.values())})[{{0}}]",
        "record_id": f"row_number() OVER (ORDER BY m.{_key(contract)})::integer",
    }
    columns = []
    for column in contract.columns:
        function, source = ("record_id", "") if column.record_id else _made_by(column)
        table, _, name = source.rpartition(".")
        value = forms[function].format(f"{table or 'm'}.{name}")
        value = value if column.default is None else f"coalesce({value}, '{column.default}')"
        columns.append(f"{value} AS {column.name}")
    columns += ["1::bigint AS batch_sequence", "m.captured_at", "false AS is_deleted"]
    target, options = f"{out}/0.parquet", "FORMAT parquet, COMPRESSION zstd"
    if contract.partition:
        columns.append("strftime(m.created_at, '%Y-%m') AS created_month")
        target, options = str(out), f"{options}, PARTITION_BY (created_month), OVERWRITE_OR_IGNORE"
    source = f"'{raw / main}/0.parquet' AS m"
    for table, on, key in _joins(contract):
        source += f" LEFT JOIN '{raw / table}/0.parquet' AS {table} ON m.{on} = {table}.{key}"
    query = f"SELECT {', '.join(columns)} FROM {source} ORDER BY m.{_key(contract)}"  # noqa: S608
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"COPY ({query}) TO '{target}' ({options})")


def polars(raw: Path, out: Path, contract: Contract, main: str) -> None:
    """Lazy expressions, collected and written month by month."""
    import polars as pl  # type: ignore[import-not-found,unused-ignore]

    derive: dict[str | None, Callable[[Any], Any]] = {
        None: lambda value: value,
        "date_of": lambda value: value.dt.date(),
        "time_of": lambda value: value.dt.strftime("%H:%M:%S%.3f"),
        "iso_date": lambda value: value.str.to_date("%Y-%m-%d"),
        "currency_name": lambda value: value.replace_strict(CURRENCIES),
    }
    rows = pl.scan_parquet(raw / main / "0.parquet").sort(_key(contract))
    for table, on, key in _joins(contract):
        joined = pl.scan_parquet(raw / table / "0.parquet").select(pl.all().name.prefix(f"{table}."))
        rows = rows.join(joined, left_on=on, right_on=f"{table}.{key}", how="left", maintain_order="left")
    made = []
    for column in contract.columns:
        if column.record_id:
            value = pl.int_range(1, pl.len() + 1, dtype=pl.Int32)
        else:
            function, source = _made_by(column)
            value = derive[function](pl.col(source))
        made.append((value if column.default is None else value.fill_null(column.default)).alias(column.name))
    made += [pl.lit(1, pl.Int64).alias("batch_sequence"), pl.col("captured_at")]
    made += [pl.lit(value=False).alias("is_deleted")]
    if contract.partition is None:
        rows.select(made).collect().write_parquet(out / "0.parquet", compression="zstd")
        return
    month = pl.col("created_at").dt.strftime("%Y-%m").alias("created_month")
    cut = rows.select(*made, month).collect().partition_by("created_month", as_dict=True, include_key=False)
    for (name,), some in cut.items():
        place = out / f"created_month={name}"
        place.mkdir()
        some.write_parquet(place / "0.parquet", compression="zstd")


def pandas(raw: Path, out: Path, contract: Contract, main: str) -> None:
    """Frames whose columns are Arrow's."""
    import pandas as pd
    import pyarrow as pa

    derive: dict[str | None, Callable[[Any], Any]] = {
        None: lambda value: value,
        "date_of": lambda value: value.dt.date,
        "time_of": lambda value: value.dt.strftime("%H:%M:%S"),
        "iso_date": lambda value: value.astype(pd.ArrowDtype(pa.date32())),
        "currency_name": lambda value: value.map(CURRENCIES),
    }
    rows = pd.read_parquet(raw / main / "0.parquet", dtype_backend="pyarrow").sort_values(_key(contract))
    for table, on, key in _joins(contract):
        joined = pd.read_parquet(raw / table / "0.parquet", dtype_backend="pyarrow").add_prefix(f"{table}.")
        rows = rows.merge(joined, left_on=on, right_on=f"{table}.{key}", how="left")
    made = {}
    for column in contract.columns:
        if column.record_id:
            made[column.name] = pd.Series(range(1, len(rows) + 1), rows.index, "int32")
        else:
            function, source = _made_by(column)
            value = derive[function](rows[source])
            made[column.name] = value if column.default is None else value.fillna(column.default)
    lineage = {"batch_sequence": 1, "captured_at": rows["captured_at"], "is_deleted": False}
    frame = pd.DataFrame({**made, **lineage})
    if contract.partition is None:
        frame.to_parquet(out / "0.parquet", compression="zstd", index=False)
    else:
        frame["created_month"] = rows["created_at"].dt.strftime("%Y-%m")
        frame.to_parquet(out, compression="zstd", index=False, partition_cols=["created_month"])


PEERS = {"polars": polars, "duckdb": duckdb, "pandas": pandas}


def compared(found: Path, wanted: Path) -> str:
    """Whether the files below a folder hold exactly the rows of another file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    exact = pq.ParquetFile(wanted).read()
    parts = []
    for path in found.rglob("*.parquet"):
        part = pq.ParquetFile(path).read().select(exact.column_names)
        parts.append(part.cast(exact.schema))
    rows = pa.concat_tables(parts).sort_by(exact.column_names[0])
    if len(rows) != len(exact):
        return f"no: {len(rows):,} rows"
    wrong = [name for name in exact.column_names if not rows[name].equals(exact[name])]
    return f"no: {', '.join(wrong)}" if wrong else "yes"


def one(engine: str, folder: Path) -> None:
    """What a measured process does."""
    with tempfile.TemporaryDirectory() as name:
        if engine in PEERS:
            seconds, found = peer(PEERS[engine], folder / "raw", Path(name))
        else:
            seconds, found = ours(folder / "raw", Path(name), warm=engine == "warm")
        peak = _peak_mb()
        exact = compared(found, folder / "expected.parquet")
    print(json.dumps({"seconds": seconds, **peak, "exact": exact}), flush=True)


def _peak_mb() -> dict[str, float]:
    """The peaks of this process and of the JVM under it, while both live."""
    own = Path(f"/proc/{os.getpid()}")
    if not own.exists():
        return {}
    pids = [own.name]
    for pid in pids:
        pids += [c for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return {"peak_mb": sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024}


# ---------------------------------------------------------------------------------------------- running them


def rows(options: Options) -> list[Row]:
    """Measure ours, cold and warm, and every peer that is installed."""
    import pyarrow.parquet as pq

    from catalog.catalogue import load_catalogue

    with tempfile.TemporaryDirectory() as name:
        folder, catalogue = Path(name), load_catalogue()
        tables = raw_tables(catalogue, options.rows)
        for table, made in tables.items():
            (folder / "raw" / table).mkdir(parents=True)
            # Row groups as small as the capture writes them.
            pq.write_table(made, folder / "raw" / table / "0.parquet", row_group_size=250_000)
        pq.write_table(expected(catalogue, tables.pop(SOURCE)), folder / "expected.parquet")
        cases = [
            _case("build jobs on Spark, warm", sys.executable, "warm", folder),
            _case("build jobs on Spark, cold", sys.executable, "cold", folder),
        ]
        for engine in PEERS:
            python = next((p for p in (str(PEERS_PYTHON), sys.executable) if _can(p, engine)), None)
            if python is not None:
                cases.append(_case(engine, python, engine, folder))
        return measure(cases, options.runs)


def _case(title: str, python: str, engine: str, folder: Path) -> Case:
    return Case(title, [python, "-m", "bench.star", "--one", engine, str(folder)], _environment())


def _environment() -> dict[str, str]:
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{given}" if given else str(ROOT)}


def _can(python: str, engine: str) -> bool:
    if not Path(python).exists():
        return False
    command = [python, "-c", f"import {engine}, pyarrow, pydantic, yaml"]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **_environment()})
    return done.returncode == 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(f"{row.name:30} {row.seconds:8.2f} s {row.peak_mb:8.0f} MiB  {row.exact:20} {row.note}")
