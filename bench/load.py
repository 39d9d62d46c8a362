"""Load sales orders from parquet into the warehouse's fact table, each version once.

The table is the warehouse's own, with its primary key; every case starts on an empty one, and its result is
compared with the others' by a hash of all rows. Peers stage the rows and insert them with ON CONFLICT DO
NOTHING, which is what makes their load safe to repeat; ours copies straight and falls back to that when a
version is there already. A last case loads the table as the warehouse declares it, with eleven constraints.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.harness import Row
    from bench.options import Options
    from lakehouse.embedded_postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent
TABLE = "fact_sales_order"
SMALL = 20
"""awswrangler loads one row in so many: all of them take a minute and a half."""

BATCH_ROWS = 65_536


def rows(options: Options) -> list[Row]:
    """Measure every engine that is installed.

    Args:
        options: How many rows, how many runs.
    """
    from bench.harness import Case, measure
    from lakehouse.embedded_postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        folder = Path(name)
        make_templates(server)
        write_orders(folder / "all", options.rows)
        write_orders(folder / "some", max(options.rows // SMALL, 1))
        for file in ("all", "some"):
            # What every case is compared with comes from the plainest engine.
            _fresh_database(server.dsn(), "keys")
            load_csv(str(folder / file), server.dsn(database="bench"))
            (folder / f"{file}.hash").write_text(_hash(server.dsn(database="bench")))
        cases = []
        for label, python, engine, file in _cases():
            command = [str(python), str(Path(__file__)), engine, str(folder / file), server.dsn()]
            cases.append(Case(label, command))
        return measure(cases, options.runs)


def make_templates(server: EmbeddedPostgres) -> None:
    """Databases to copy for each run: the fact table with its primary key, and the warehouse as declared.

    Both have a staging table in which times of day are texts, as the lake holds them.
    """
    import psycopg
    import sqlalchemy as sa

    from catalog import warehouse
    from catalog.catalogue import load_catalogue
    from glue_jobs.warehouse import schema

    catalogue = load_catalogue()
    tables = warehouse.metadata(catalogue)
    for name in ("keys", "constrained"):
        server.ensure_database(name)
        dsn = server.dsn(database=name)
        engine = sa.create_engine(dsn.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)
        with engine.begin() as connection:
            schema.install(connection, tables, ())
        with psycopg.connect(dsn) as connection:
            connection.execute(_STAGE.encode())
            connection.execute(_DIMENSIONS.encode())
            if name == "keys":
                connection.execute(_KEYS_ALONE.encode())


_STAGE = """
CREATE UNLOGGED TABLE stage AS SELECT * FROM fact_sales_order LIMIT 0;
ALTER TABLE stage ALTER created_time TYPE varchar, ALTER last_updated_time TYPE varchar
"""

_DIMENSIONS = """
INSERT INTO dim_date SELECT d, 1, 1, 1, 1, '', '', 1, 1, d, false
  FROM generate_series('2022-01-01'::date, '2026-12-31', interval '1 day') AS d;
INSERT INTO dim_staff SELECT n, '', '', '', '', '', 1, now(), false, false FROM generate_series(1, 20) AS n;
INSERT INTO dim_counterparty
  SELECT n, '', '', '', '', '', '', '', '', 1, now(), false, false FROM generate_series(1, 20) AS n;
INSERT INTO dim_currency SELECT n, '', '', 1, now(), false, false FROM generate_series(1, 3) AS n;
INSERT INTO dim_design SELECT n, '', '', '', 1, now(), false, false FROM generate_series(1, 473) AS n;
INSERT INTO dim_location
  SELECT n, '', '', '', '', '', '', '', 1, now(), false, false FROM generate_series(1, 30) AS n
"""

_KEYS_ALONE = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT conname FROM pg_constraint
    WHERE conrelid = 'fact_sales_order'::regclass AND contype IN ('f', 'u')
  LOOP EXECUTE format('ALTER TABLE fact_sales_order DROP CONSTRAINT %I', name); END LOOP;
END $$
"""


def _cases() -> Iterator[tuple[str, Path, str, str]]:
    """Label, interpreter, engine and file of every case whose interpreter is there."""
    shell, peers = ROOT / ".venv-glue-shell-3.9/bin/python", ROOT / ".venv-bench/bin/python"
    current = Path(sys.executable)
    if shell.exists():
        yield "load_warehouse, Python 3.9", shell, "ours", "all"
    yield "load_warehouse", current, "ours", "all"
    yield "COPY csv from pyarrow, staged", current, "csv", "all"
    if peers.exists():
        yield "pgpq 0.12, staged", peers, "pgpq", "all"
        yield "DuckDB postgres extension, staged", peers, "duckdb", "all"
        yield "ADBC, staged", peers, "adbc", "all"
        yield f"awswrangler upsert, 1/{SMALL} of the rows", peers, "awswrangler", "some"
    if shell.exists():
        yield "load_warehouse, Python 3.9, all constraints", shell, "ours-constrained", "all"


def write_orders(path: Path, count: int, first: int = 1) -> None:
    """Made-up versions of sales orders, as the star job writes a month of changes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from catalog.arrow import arrow_schema
    from catalog.catalogue import load_catalogue

    draw = np.random.default_rng(20_241_115)
    created = np.sort(draw.integers(19_299, 20_042, count))
    clock = draw.integers(8 * 3_600_000, 19 * 3_600_000, count)
    times = pc.utf8_slice_codeunits(
        pa.array(clock, pa.int64()).cast(pa.timestamp("ms")).cast(pa.string()), 11, 23
    )
    cents = np.zeros((count, 2), dtype="int64")
    cents[:, 0] = draw.integers(200, 401, count)
    values: dict[str, Any] = {
        "sales_record_id": np.arange(first, first + count),
        "sales_order_id": np.arange(first, first + count),
        "created_date": created,
        "created_time": times,
        "last_updated_date": created,
        "last_updated_time": times,
        "sales_staff_id": draw.integers(1, 21, count),
        "counterparty_id": draw.integers(1, 21, count),
        "units_sold": draw.integers(1_001, 99_974, count),
        "unit_price": pa.Array.from_buffers(pa.decimal128(10, 2), count, [None, pa.py_buffer(cents)]),
        "currency_id": draw.integers(1, 4, count),
        "design_id": draw.integers(1, 474, count),
        "agreed_payment_date": created + draw.integers(0, 7, count),
        "agreed_delivery_date": created + draw.integers(0, 8, count),
        "agreed_delivery_location_id": draw.integers(1, 31, count),
        "batch_sequence": np.ones(count, dtype="int64"),
        "captured_at": np.full(count, 1_731_628_800_123),
        "is_deleted": np.zeros(count, dtype=bool),
    }
    schema = arrow_schema(load_catalogue().star[TABLE])
    columns = []
    for field in schema:
        column = pa.array(values[field.name])
        if pa.types.is_date32(field.type):
            column = column.cast(pa.int32())
        columns.append(column.cast(field.type))
    # Row groups as small as Spark writes them: a reader holds one of them at a time.
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, row_group_size=500_000)


# ---------------------------------------------------------------- one case, in a process of its own


def main(engine: str, path: str, dsn: str) -> None:
    """Load one file with one engine and print what it took.

    Args:
        engine: ``ours``, ``ours-constrained`` or a peer's name.
        path: The parquet file; beside it stands the hash of its rows.
        dsn: The server that has the templates, as its superuser.
    """
    sys.path.insert(0, str(ROOT))
    _fresh_database(dsn, "constrained" if engine == "ours-constrained" else "keys")
    target = dsn.rpartition("/")[0] + "/bench"
    # Each engine imports its libraries when it is called without a file.
    load = {
        "ours": load_ours,
        "ours-constrained": load_ours,
        "csv": load_csv,
        "pgpq": load_pgpq,
        "duckdb": load_duckdb,
        "adbc": load_adbc,
        "awswrangler": load_awswrangler,
    }[engine]
    load("", target)
    began = time.perf_counter()
    load(path, target)
    seconds = time.perf_counter() - began
    peak = _peak_mb()
    equal = _hash(target) == Path(f"{path}.hash").read_text()
    print(json.dumps({"seconds": seconds, **peak, "exact": "yes" if equal else "NO: rows differ"}))


def _peak_mb() -> dict[str, float]:
    """This process's own peak: the kernel's sum for a child begins with its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return {"peak_mb": int(line.split()[1]) / 1024}


def _fresh_database(dsn: str, template: str) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        connection.execute(f"CREATE DATABASE bench TEMPLATE {template}".encode())
        connection.execute("CHECKPOINT")


def _hash(dsn: str) -> str:
    """The rows' own hashes, added up: equal however the rows lie."""
    import psycopg

    statement = "SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM fact_sales_order AS t"
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return str(row and row[0])


_MERGE = (
    "INSERT INTO fact_sales_order SELECT sales_record_id, sales_order_id, created_date, created_time::time, "
    "last_updated_date, last_updated_time::time, sales_staff_id, counterparty_id, units_sold, unit_price, "
    "currency_id, design_id, agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id, "
    "batch_sequence, captured_at, is_deleted FROM stage ON CONFLICT DO NOTHING"
)


def load_ours(path: str, dsn: str) -> None:
    """The job's own function."""
    import psycopg

    from catalog.catalogue import load_catalogue
    from glue_jobs.warehouse.load import read_batches
    from glue_jobs.warehouse.tables import Target, load_fact

    target = Target(load_catalogue().star[TABLE], "public")
    if not path:
        return
    import pyarrow.parquet as pq

    with psycopg.connect(dsn) as connection:
        expected = pq.read_metadata(path).num_rows
        load_fact(connection, target, lambda: read_batches(path, target.columns), expected)


def load_csv(path: str, dsn: str) -> None:
    """Text COPY from pyarrow's CSV writer."""
    import psycopg
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if not path:
        return
    options = csv.WriteOptions(include_header=False)
    with psycopg.connect(dsn) as connection:
        with connection.cursor().copy("COPY stage FROM STDIN (FORMAT csv)") as copy:
            for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
                sink = pa.BufferOutputStream()
                csv.write_csv(batch, sink, options)
                copy.write(memoryview(sink.getvalue()))
        connection.execute(_MERGE.encode())


def load_pgpq(path: str, dsn: str) -> None:
    """Binary COPY by pgpq's Rust encoder."""
    import psycopg
    import pyarrow.parquet as pq
    from pgpq import ArrowToPostgresBinaryEncoder

    if not path:
        return
    file = pq.ParquetFile(path)
    encoder = ArrowToPostgresBinaryEncoder(file.schema_arrow)
    with psycopg.connect(dsn) as connection:
        with connection.cursor().copy("COPY stage FROM STDIN (FORMAT binary)") as copy:
            copy.write(encoder.write_header())
            for batch in file.iter_batches(BATCH_ROWS):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())
        connection.execute(_MERGE.encode())


def load_duckdb(path: str, dsn: str) -> None:
    """DuckDB's postgres extension: binary COPY from C++."""
    import duckdb

    with duckdb.connect() as engine:
        engine.execute("SET threads = 2")
        _load_extension(engine)
        if not path:
            return
        engine.execute(f"ATTACH '{dsn}' AS warehouse (TYPE postgres)")
        engine.execute("INSERT INTO warehouse.stage SELECT * FROM read_parquet(?)", [path])
        engine.execute("CALL postgres_execute('warehouse', ?)", [_MERGE])


def _load_extension(engine: Any) -> None:
    """The extension from its wheel, which holds one file."""
    import duckdb_extension_postgres_scanner as package

    (file,) = Path(str(package.__file__)).parent.rglob("*.duckdb_extension")
    engine.load_extension(str(file))


def load_adbc(path: str, dsn: str) -> None:
    """ADBC's bulk ingestion: binary COPY from C++."""
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path:
        return
    file = pq.ParquetFile(path)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(BATCH_ROWS))
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("stage", reader, mode="append")
        cursor.execute(_MERGE)
        connection.commit()


def load_awswrangler(path: str, dsn: str) -> None:
    """Awswrangler's upsert, by INSERT statements of pg8000."""
    from urllib.parse import urlsplit

    import awswrangler as wr
    import pg8000
    import pyarrow.parquet as pq

    if not path:
        return
    server = urlsplit(dsn)
    frame = pq.read_table(path).to_pandas()
    with pg8000.connect(
        user=str(server.username),
        password=server.password,
        host=str(server.hostname),
        port=int(server.port or 0),
        database="bench",
    ) as connection:
        wr.postgresql.to_sql(
            frame,
            connection,
            schema="public",
            table=TABLE,
            mode="upsert",
            upsert_conflict_columns=["sales_record_id"],
            chunksize=1_000,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
