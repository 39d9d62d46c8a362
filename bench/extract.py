"""Extract sales orders to parquet.

One table of sales orders, on an embedded PostgreSQL, into parquet files on the local disk. The limit is the
same rows through one `COPY … (FORMAT binary)` to nowhere. Ours is the capture itself: one snapshot, counted,
typed by contract, with lineage columns and the set of live keys. "exact" says whether columns read back have
the types of money and time and whether every number's sum equals the source's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bench.harness import Case, Row, measure
from bench.options import Options

ROOT = Path(__file__).resolve().parent.parent
GLUE_PYTHON = ROOT / ".venv-glue-shell-3.9" / "bin" / "python"
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

COLUMNS = (
    "sales_order_id",
    "created_at",
    "last_updated",
    "design_id",
    "staff_id",
    "counterparty_id",
    "units_sold",
    "unit_price",
    "currency_id",
    "agreed_delivery_date",
    "agreed_payment_date",
    "agreed_delivery_location_id",
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM sales_order"  # noqa: S608

# The shapes of the real data: ids at random, prices in pence, days as text.
FILL = """
INSERT INTO sales_order
SELECT i, t, t, h % 473 + 1, h / 473 % 20 + 1, h / 9460 % 20 + 1, h % 98972 + 1001,
       (h / 7 % 201 + 200)::numeric / 100, h / 3 % 3 + 1, to_char(t + h % 8 * interval '1 day', 'YYYY-MM-DD'),
       to_char(t + h / 8 % 7 * interval '1 day', 'YYYY-MM-DD'), h / 11 % 30 + 1
FROM (SELECT i, timestamp '2022-11-16 08:00' + i * interval '31.415 seconds' AS t,
             hashint4(i)::bigint + 2147483648 AS h
      FROM generate_series(1, :rows) i) numbered
"""

SLOW_ROWS = 100_000
"""Rows for peers that need minutes for all: measured on these, scaled, and marked."""


# ------------------------------------------------------------------ the cases, each in a process of its own


def copy_to_nowhere(dsn: str, _: Path, select: str) -> None:
    """The limit: the server's stream, thrown away."""
    from psycopg import pq

    connection = pq.PGconn.connect(dsn.encode())
    connection.exec_(f"COPY ({select}) TO STDOUT (FORMAT binary)".encode())
    while connection.get_copy_data(0)[0] > 0:
        pass


def ours(dsn: str, folder: Path, _: str) -> None:
    """The capture of this one table, files kept where they were made."""
    from catalog.catalogue import load_catalogue
    from glue_jobs.lake.layout import HELD_ROWS
    from glue_jobs.lake.live_keys import KeyStore
    from glue_jobs.sources.capture import capture
    from glue_jobs.sources.postgres_source import Source
    from glue_jobs.sources.quarantine import DeadLetters

    contract = load_catalogue().raw["sales_order"]
    with Source(dsn, [contract.table], "public") as source:
        letters = DeadLetters(load_catalogue().dead_letter[HELD_ROWS], lambda *_: None)
        found = capture(
            source, [contract], {}, KeyStore(cast("Any", None), ""), folder, lambda *_: None, letters
        )
    assert not found.held


def adbc(dsn: str, folder: Path, select: str) -> None:
    """ADBC's stream straight into a parquet writer; numerics stay text."""
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(select)
        stream = cursor.fetch_record_batch()
        with pq.ParquetWriter(folder / "x.parquet", _plain(stream.schema)) as writer:
            for batch in stream:
                writer.write_batch(_storage(batch))


def psycopg2_copy(dsn: str, folder: Path, select: str) -> None:
    """COPY as CSV through a pipe into pyarrow's reader, typed by the contract."""
    import threading

    import psycopg2
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    from catalog.arrow import arrow_field
    from catalog.catalogue import load_catalogue

    read, write = os.pipe()

    def copy() -> None:
        with (
            psycopg2.connect(dsn) as connection,
            connection.cursor() as cursor,
            os.fdopen(write, "wb") as out,
        ):
            cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT csv)", out)

    thread = threading.Thread(target=copy)
    thread.start()
    schema = pa.schema([arrow_field(c, nullable=True) for c in load_catalogue().raw["sales_order"].columns])
    with pa.PythonFile(os.fdopen(read, "rb"), "r") as source:
        stream = pc.open_csv(
            source,
            pc.ReadOptions(column_names=COLUMNS, block_size=4 << 20),
            convert_options=pc.ConvertOptions(column_types=schema),
        )
        with pq.ParquetWriter(folder / "x.parquet", schema) as writer:
            for batch in stream:
                writer.write_batch(batch)
    thread.join()


def psycopg_cursor(dsn: str, folder: Path, select: str) -> None:
    """Rows as Python objects, a hundred thousand at a time."""
    import psycopg
    import pyarrow as pa
    import pyarrow.parquet as pq

    from catalog.arrow import arrow_field
    from catalog.catalogue import load_catalogue

    schema = pa.schema([arrow_field(c, nullable=True) for c in load_catalogue().raw["sales_order"].columns])
    with (
        psycopg.connect(dsn) as connection,
        connection.cursor("c") as cursor,
        pq.ParquetWriter(folder / "x.parquet", schema) as writer,
    ):
        cursor.itersize = 100_000
        cursor.execute(select.encode())
        while rows := cursor.fetchmany(100_000):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def duckdb_scanner(dsn: str, folder: Path, _: str) -> None:
    """DuckDB's postgres extension, reading the table by ranges of blocks on two threads."""
    import duckdb
    import duckdb_extension_postgres_scanner as extension

    (path,) = Path(next(iter(extension.__path__))).rglob("postgres_scanner.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 2})
    connection.execute(f"LOAD '{path}'")
    connection.execute(f"ATTACH '{dsn}' AS p (TYPE postgres, READ_ONLY)")
    connection.execute(
        f"COPY (SELECT * FROM p.public.sales_order) TO '{folder}/x.parquet' (FORMAT parquet)"  # noqa: S608
    )


def connectorx_stream(dsn: str, folder: Path, select: str) -> None:
    """Arrow batches as connectorx streams them."""
    import connectorx
    import pyarrow.parquet as pq

    stream = connectorx.read_sql(dsn, select, return_type="arrow_stream", batch_size=100_000)
    with pq.ParquetWriter(folder / "x.parquet", stream.schema) as writer:
        for batch in stream:
            writer.write_batch(batch)


def awswrangler_pg8000(dsn: str, folder: Path, select: str) -> None:
    """Through awswrangler over pg8000, into pandas and then parquet, a chunk at a time."""
    import awswrangler
    import pg8000
    from psycopg.conninfo import conninfo_to_dict

    at = conninfo_to_dict(dsn)
    connection = pg8000.connect(
        user=at["user"],
        password=at["password"],
        host=at["host"],
        port=int(str(at["port"])),
        database=at["dbname"],
    )
    for number, frame in enumerate(
        awswrangler.postgresql.read_sql_query(select, connection, chunksize=100_000)
    ):
        frame.to_parquet(folder / f"{number}.parquet")


def pandas_pg8000(dsn: str, folder: Path, select: str) -> None:
    """Through pandas over SQLAlchemy and pg8000."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+pg8000://"))
    with engine.connect() as connection:
        pd.read_sql(sqlalchemy.text(select), connection).to_parquet(folder / "x.parquet")


def dlt_pyarrow(dsn: str, folder: Path, _: str) -> None:
    """A dlt pipeline with its connectorx backend, into files."""
    os.environ.update(DLT_DATA_DIR=str(folder / "dlt"), RUNTIME__DLTHUB_TELEMETRY="false")
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri()),
        dataset_name="x",
        pipelines_dir=str(folder / "pipelines"),
    )
    source = sql_table(dsn, table="sales_order", schema="public", backend="connectorx")
    pipeline.run(source, loader_file_format="parquet")


ENGINES: dict[str, tuple[str, Callable[[str, Path, str], None]]] = {
    "copy": ("COPY binary to nowhere (the limit)", copy_to_nowhere),
    "ours": ("extract_cdc", ours),
    "duckdb": ("DuckDB postgres extension", duckdb_scanner),
    "adbc": ("ADBC, one stream", adbc),
    "psycopg2": ("psycopg2 COPY csv into Arrow", psycopg2_copy),
    "connectorx": ("connectorx stream", connectorx_stream),
    "dlt": ("dlt, connectorx backend", dlt_pyarrow),
    "psycopg": ("psycopg cursor", psycopg_cursor),
    "awswrangler": ("awswrangler over pg8000", awswrangler_pg8000),
    "pandas": ("pandas over pg8000", pandas_pg8000),
}
SLOW = ("awswrangler", "pandas")


def _plain(schema: Any) -> Any:
    import pyarrow as pa

    return pa.schema([(f.name, getattr(f.type, "storage_type", f.type)) for f in schema])


def _storage(batch: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(
        [getattr(column, "storage", column) for column in batch.columns], schema=_plain(batch.schema)
    )


# ---------------------------------------------------------------------- whether the result is the source


def compared(dsn: str, folder: Path, rows: int) -> str:
    """Read the files back and compare them with the source: sums, and the types of money and time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    published = folder / "out"
    files = [str(path) for path in (published if published.exists() else folder).rglob("*.parquet")]
    found = ds.dataset(files, format="parquet")
    wrong = []
    for name in COLUMNS:
        kind = found.schema.field(name).type
        column = found.to_table(columns=[name])[name]
        if len(column) != rows:
            return f"no: {len(column):,} rows"
        untyped = name == "unit_price" and not pa.types.is_decimal(kind)
        if untyped or (name.endswith("_at") and not pa.types.is_timestamp(kind)):
            wrong.append(f"{name} is {_short(kind)}")
        elif _is_number(kind) and pc.sum(column).as_py() != _source_sum(dsn, name, rows):
            wrong.append(f"{name} differs")
    return f"no: {', '.join(wrong)}" if wrong else "yes"


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _short(kind: Any) -> str:
    return str(kind).split("[")[0]


def _source_sum(dsn: str, column: str, rows: int) -> Any:
    import psycopg

    with psycopg.connect(dsn) as connection:
        query = f"SELECT sum({column}) FROM sales_order WHERE sales_order_id <= {rows}"  # noqa: S608
        found = connection.execute(query.encode()).fetchone()
    return found[0] if found else None


# ---------------------------------------------------------------------- running them


def one(engine: str, dsn: str, rows: int, all_rows: int) -> None:
    """What a measured process does: import, then time the work, then say so."""
    _, work = ENGINES[engine]
    select = SELECT if rows == all_rows else f"{SELECT} WHERE sales_order_id <= {rows}"
    with tempfile.TemporaryDirectory() as folder:
        with tempfile.TemporaryDirectory() as warm:
            # Imports and caches are start-up: a run without rows pays them.
            _warm_up(engine, work, dsn, Path(warm))
        began = time.perf_counter()
        work(dsn, Path(folder), select)
        seconds = time.perf_counter() - began
        peak = peak_mb()
        exact = "-" if engine == "copy" else compared(dsn, Path(folder), rows)
    measured = {} if peak is None else {"peak_mb": peak}
    note = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if rows != all_rows:
        note += f"; measured on {rows:,} rows, seconds scaled"
    print(json.dumps({"seconds": seconds * all_rows / rows, "exact": exact, "note": note, **measured}))


def _warm_up(engine: str, work: Callable[[str, Path, str], None], dsn: str, folder: Path) -> None:
    if engine == "ours":
        import glue_jobs.sources.capture  # noqa: F401
        from catalog.catalogue import load_catalogue

        load_catalogue()
    elif engine not in ("duckdb", "dlt"):
        work(dsn, folder, f"{SELECT} WHERE sales_order_id <= 10")


def peak_mb() -> float | None:
    """Peak memory of this process in MiB, where the system tells."""
    # Not getrusage: its maximum begins with the parent's memory, which a new process inherits for a moment.
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


@contextmanager
def source(rows: int) -> Iterator[str]:
    """A server with so many sales orders, vacuumed; gives the DSN."""
    from lakehouse.embedded_postgres import EmbeddedPostgres
    from totesys import database as totesys

    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(folder, durable=False, settings={"shared_buffers": "512MB"}) as server,
    ):
        server.ensure_database("totesys")
        dsn = server.dsn(database="totesys")
        totesys.create(dsn)
        with server.connect("totesys") as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(FILL.replace(":rows", str(rows)).encode())
            connection.execute("VACUUM (ANALYZE, FREEZE) sales_order")
        yield dsn


def rows(options: Options) -> list[Row]:
    """Measure everything that can be imported here."""
    with source(options.rows) as dsn:
        cases = [case for engine in ENGINES for case in _cases(engine, dsn, options)]
        return measure(cases, options.runs)


def _cases(engine: str, dsn: str, options: Options) -> list[Case]:
    name, _ = ENGINES[engine]
    count = min(SLOW_ROWS, options.rows) if engine in SLOW else options.rows
    arguments = ["-m", "bench.extract", "--one", engine, dsn, str(count), str(options.rows)]
    environment = {"PYTHONPATH": str(ROOT)}
    pythons = [sys.executable]
    if engine in ("ours", "duckdb", "adbc", "psycopg2"):
        pythons.append(str(GLUE_PYTHON))
    found = []
    for number, python in enumerate(pythons):
        usable = next((p for p in (python, str(PEERS_PYTHON)) if _can(p, engine)), None)
        if usable is None or (number and usable != python):
            continue
        title = f"{name}, Python 3.9" if number else name
        found.append(Case(title, [usable, *arguments], environment, runs=1 if engine in SLOW else None))
    return found


IMPORTS = {
    "duckdb": "duckdb, duckdb_extension_postgres_scanner",
    "psycopg2": "psycopg2",
    "connectorx": "connectorx",
    "dlt": "dlt, connectorx, sqlalchemy, pyarrow",
    "awswrangler": "awswrangler, pg8000",
    "pandas": "pandas, pg8000, sqlalchemy",
}


def _can(python: str, engine: str) -> bool:
    """Whether an interpreter is there and has what an engine needs."""
    if not Path(python).exists():
        return False
    needed = IMPORTS.get(engine, "pyarrow, adbc_driver_postgresql, psycopg")
    command = [python, "-c", f"import {needed}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(f"{row.name:45} {row.seconds:8.2f} s {row.peak_mb:8.0f} MiB  {row.exact:20} {row.note}")
