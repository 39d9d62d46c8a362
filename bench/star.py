"""Build the star from raw sales orders.

From raw parquet files, as a capture leaves them, to the fact of sales orders, typed, numbered and cut by
month, and the small dimensions. Ours is what a run does after validation, complete: each object read once
with its checksum, the comparison with what is known, the calendar, record ids, the changes for the warehouse
(so that every row is written twice), and one commit for each stage, all by S3's API. "embedded" is DuckDB in
the Python that Glue's Python shell has; "spark" is what the Glue jobs of the large workflow run. Each has
built a small lake before, so that no start-up counts. Peers derive the same columns and write the same files
to the local disk, on as many threads and with the same compression, and do nothing else. "exact" compares
every cell of the fact with rows that Arrow alone derived.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Row, against, measure
from bench.lake import (
    CAPTURED_AT,
    CURRENCIES,
    GROUP_ROWS,
    ROOT,
    SMALL,
    SOURCE,
    WARM_UP_ORDERS,
    environment,
    lakes,
    made_up,
    python,
    raw_tables,
    run_stages,
    spark_variables,
)
from bench.options import Options
from bench.process import THREADS, Clock, Measured

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.catalogue import Catalogue
    from catalog.model import Column, Contract

PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"

FACT = "fact_sales_order"
EMBEDDED, SPARK = "embedded", "spark"
BESIDE = {EMBEDDED: "duckdb", SPARK: "pyspark"}
"""By engine of ours, the peer that it is compared with."""

PROMISES = {EMBEDDED: 5.0, SPARK: 3.0}
"""How many times as long as its peer an engine may take at most."""


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


# ------------------------------------------------------------------ the cases, each in a process of its own


def ours(engine: str, raw: Path, folder: Path) -> tuple[Measured, Path]:
    """Dimensions and facts on an engine; gives what that took and the folder of the fact's files."""
    import pyarrow.parquet as pq

    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    with lakes(folder, catalogue, ["small", "large"]) as (small, large):
        small.capture(raw_tables(catalogue, WARM_UP_ORDERS))
        large.capture({path.name: pq.ParquetFile(path / "0.parquet").read() for path in raw.iterdir()})
        for lake in (small, large):
            lake.accept()
        measured = run_stages(engine, ("dimensions", "facts"), small, large, folder)
        return measured, large.folder("processed") / "star" / FACT


Peer = Callable[[Path, Path, Any, str], None]


def peer(work: Peer, raw: Path, folder: Path) -> tuple[Measured, Path]:
    """A peer over every table that has no calendar in it; a first run over few rows pays the start-up."""
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    dimensions = [c for c in catalogue.star_of_kind("dimension") if _main(c) in SMALL]

    def build(place: Path, contracts: Sequence[Contract]) -> None:
        for contract in contracts:
            (place / contract.table).mkdir(parents=True)
            work(raw, place / contract.table, contract, _main(contract))

    build(folder / "warm", dimensions)
    clock = Clock()
    build(folder / "out", [*dimensions, catalogue.star[FACT]])
    return clock.stop(), folder / "out" / FACT


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
    columns = _texts(contract, forms)
    columns += ["1::bigint AS batch_sequence", "m.captured_at", "false AS is_deleted"]
    target, options = f"{out}/0.parquet", "FORMAT parquet, COMPRESSION zstd"
    if contract.partition:
        columns.append("strftime(m.created_at, '%Y-%m') AS created_month")
        target, options = str(out), f"{options}, PARTITION_BY (created_month), OVERWRITE_OR_IGNORE"
    source = f"'{raw / main}/0.parquet' AS m"
    for table, on, key in _joins(contract):
        source += f" LEFT JOIN '{raw / table}/0.parquet' AS {table} ON m.{on} = {table}.{key}"
    query = f"SELECT {', '.join(columns)} FROM {source} ORDER BY m.{_key(contract)}"  # noqa: S608
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute(f"COPY ({query}) TO '{target}' ({options})")


def pyspark(raw: Path, out: Path, contract: Contract, main: str) -> None:
    """One query a table, as a plain job has it."""
    from pyspark.sql import SparkSession

    # The raw files hold times without a zone.
    session = SparkSession.builder.config("spark.sql.timestampType", "TIMESTAMP_NTZ").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    codes = ", ".join(f"'{code}', '{name}'" for code, name in CURRENCIES.items())
    forms = {
        None: "{0}",
        "date_of": "CAST({0} AS DATE)",
        "time_of": "date_format({0}, 'HH:mm:ss.SSS')",
        "iso_date": "CAST({0} AS DATE)",
        "currency_name": f"map({codes})[{{0}}]",
        "record_id": f"CAST(row_number() OVER (ORDER BY m.{_key(contract)}) AS INT)",
    }
    columns = _texts(contract, forms)
    columns += ["CAST(1 AS BIGINT) AS batch_sequence", "m.captured_at", "false AS is_deleted"]
    if contract.partition:
        columns.append("date_format(m.created_at, 'yyyy-MM') AS created_month")
    source = f"parquet.`{raw / main}/0.parquet` AS m"
    for table, on, key in _joins(contract):
        source += f" LEFT JOIN parquet.`{raw / table}/0.parquet` AS {table} ON m.{on} = {table}.{key}"
    rows = session.sql(f"SELECT {', '.join(columns)} FROM {source}")  # noqa: S608
    order = contract.key[0]
    if contract.partition:
        rows = rows.repartition("created_month").sortWithinPartitions("created_month", order)
        writer = rows.write.partitionBy("created_month")
    else:
        writer = rows.coalesce(1).sortWithinPartitions(order).write
    writer.option("compression", "zstd").mode("overwrite").parquet(str(out))


def _texts(contract: Contract, forms: Mapping[str | None, str]) -> list[str]:
    """The columns of a table as SQL, by how an engine spells what the contract says."""
    columns = []
    for column in contract.columns:
        function, source = ("record_id", "") if column.record_id else _made_by(column)
        table, _, name = source.rpartition(".")
        value = forms[function].format(f"{table or 'm'}.{name}")
        value = value if column.default is None else f"coalesce({value}, '{column.default}')"
        columns.append(f"{value} AS {column.name}")
    return columns


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


PEERS: dict[str, Peer] = {"duckdb": duckdb, "pyspark": pyspark, "polars": polars, "pandas": pandas}


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
            if engine == "pyspark":
                os.environ.update(spark_variables(Path(name)))
            measured, found = peer(PEERS[engine], folder / "raw", Path(name))
        else:
            measured, found = ours(engine, folder / "raw", Path(name))
        exact = compared(found, folder / "expected.parquet")
    print(json.dumps({**asdict(measured), "exact": exact}), flush=True)


# ---------------------------------------------------------------------------------------------- running them


def rows(options: Options) -> list[Row]:
    """Measure both engines and every peer that is installed, on a quarter of the orders and on all."""
    found = []
    for orders in (max(options.rows // 4, 1), options.rows):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lay_down(folder, orders)
            found += with_ratios(orders, measure(list(_cases(folder)), options.runs))
    return found


def lay_down(folder: Path, orders: int) -> None:
    """Write the raw files, and the rows of the fact that they make."""
    import pyarrow.parquet as pq

    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    tables = raw_tables(catalogue, orders)
    for table, made in tables.items():
        (folder / "raw" / table).mkdir(parents=True)
        pq.write_table(made, folder / "raw" / table / "0.parquet", row_group_size=GROUP_ROWS)
    pq.write_table(expected(catalogue, tables.pop(SOURCE)), folder / "expected.parquet")


def with_ratios(orders: int, measured: Sequence[Row]) -> list[Row]:
    """The rows under the names that the report gives them, ours with how often they take their peer's time.

    Args:
        orders: How many orders there are.
        measured: What was measured.
    """
    by_name = {row.name: row for row in measured}
    found = []
    for row in measured:
        note = row.note
        if row.name in BESIDE:
            note = against(row, by_name[BESIDE[row.name]], PROMISES[row.name])
        found.append(replace(row, name=f"{orders:,} orders: {row.name}", note=note))
    return found


def _cases(folder: Path) -> Iterator[Case]:
    for engine, other in BESIDE.items():
        # What is started runs the engine in a process of its own.
        yield _case(sys.executable, engine, folder)
        yield _case(python(engine), other, folder)
    for other in PEERS:
        usable = next((p for p in (str(PEERS_PYTHON), sys.executable) if _can(p, other)), None)
        if usable is not None and other not in BESIDE.values():
            yield _case(usable, other, folder)


def _case(started: str, engine: str, folder: Path) -> Case:
    return Case(engine, [started, "-m", "bench.star", "--one", engine, str(folder)], environment())


def _can(started: str, engine: str) -> bool:
    if not Path(started).exists():
        return False
    command = [started, "-c", f"import {engine}, pyarrow, pydantic, yaml"]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **environment()})
    return done.returncode == 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(f"{row.name:34} {row.seconds:8.2f} s {row.peak_mb:8.0f} MiB  {row.exact:20} {row.note}")
