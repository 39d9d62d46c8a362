"""Apply every rule to a million captured rows.

From raw parquet files to a committed result: sales orders that keep every rule, but for one. "all rules" is
what the stage does on each engine: every object read once with its checksum, every rule in one pass, the
split of the partition that holds the bad row, the list of dead letters, results, the commit. "nothing
rejected" is the same without a bad row, where captured objects are passed on as they are. The measure is
"read and write": the engine below, DuckDB or Spark, reads the same file and writes it again, on as many
threads and with the same compression, and does nothing else. The promise is at most 1.5 times that on the
embedded engine, bad rows or none. "a small run" applies the rules to ten orders. Start-up counts nowhere.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.harness import Case, Row, against, measure
from bench.lake import (
    GROUP_ROWS,
    SMALL,
    SOURCE,
    WARM_UP_ORDERS,
    environment,
    lakes,
    python,
    raw_tables,
    run_stages,
    spark_variables,
)
from bench.options import Options
from bench.process import THREADS, Clock, Measured

PROMISE = 1.5
READ_AND_WRITE, BAD_ROW, NOTHING, SMALL_RUN = (
    "read and write",
    "all rules, one bad row",
    "all rules, nothing rejected",
    "a small run",
)
PROMISED = (BAD_ROW, NOTHING)
FEW = 10
FEW_ROWS, ALL_ROWS = "few.parquet", "all.parquet"
ENGINES = ("embedded", "spark")


def rows(options: Options) -> list[Row]:
    """Measure every case, on half of the orders that are asked for."""
    orders = max(options.rows // 2, 1)
    with tempfile.TemporaryDirectory() as name:
        lay_down(Path(name), orders)
        return with_ratios(measure(list(_cases(orders, Path(name))), options.runs))


def lay_down(folder: Path, orders: int) -> None:
    """Write the files that are read and written again: few orders to warm up with, and all."""
    import pyarrow.parquet as pq

    from catalog.catalogue import load_catalogue

    for name, count in ((FEW_ROWS, WARM_UP_ORDERS), (ALL_ROWS, orders)):
        table = raw_tables(load_catalogue(), count)[SOURCE]
        pq.write_table(table, folder / name, compression="zstd", row_group_size=GROUP_ROWS)


def with_ratios(measured: Sequence[Row]) -> list[Row]:
    """The rows, those of ours with how often they take the time of reading and writing.

    Args:
        measured: What was measured.
    """
    by_name = {row.name: row for row in measured}
    found = []
    for row in measured:
        engine, _, case = row.name.partition(": ")
        if case in PROMISED:
            beside = replace(by_name[f"{engine}: {READ_AND_WRITE}"], name=READ_AND_WRITE)
            promise = PROMISE if engine == "embedded" else None
            row = replace(row, note=f"{against(row, beside, promise)}; {row.note}")  # noqa: PLW2901
        found.append(row)
    return found


def _cases(orders: int, folder: Path) -> Iterator[Case]:
    for engine in ENGINES:
        for case in (READ_AND_WRITE, BAD_ROW, NOTHING, SMALL_RUN):
            started = python(engine) if case == READ_AND_WRITE else sys.executable
            command = [started, "-m", "bench.validation", "--case", engine, case, str(orders), str(folder)]
            yield Case(f"{engine}: {case}", command, environment())


def run(engine: str, case: str, orders: int, folder: Path) -> dict[str, Any]:
    """Run one case.

    Args:
        engine: One of ``ENGINES``.
        case: Its name.
        orders: How many orders there are.
        folder: From :func:`lay_down`.
    """
    with tempfile.TemporaryDirectory() as name:
        if case == READ_AND_WRITE:
            return asdict(read_and_write(engine, folder, Path(name)))
        return _validated(engine, case, orders, Path(name))


def read_and_write(engine: str, folder: Path, out: Path) -> Measured:
    """The plain engine, after a file of few rows."""
    copy = {"embedded": _copy_by_duckdb, "spark": _copy_by_spark}[engine]
    if engine == "spark":
        os.environ.update(spark_variables(out))
    copy(folder / FEW_ROWS, out / FEW_ROWS)
    clock = Clock()
    copy(folder / ALL_ROWS, out / ALL_ROWS)
    return clock.stop()


def _copy_by_duckdb(path: Path, out: Path) -> None:
    import duckdb

    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute(f"COPY (FROM '{path}') TO '{out}' (FORMAT parquet, COMPRESSION zstd)")


def _copy_by_spark(path: Path, out: Path) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    session.read.parquet(str(path)).write.option("compression", "zstd").parquet(str(out))


def _validated(engine: str, case: str, orders: int, folder: Path) -> dict[str, Any]:
    from catalog.catalogue import load_catalogue
    from expectations.rules import load_suites

    catalogue = load_catalogue()
    count = FEW if case == SMALL_RUN else orders
    with lakes(folder, catalogue, ["warm", "lake"]) as (warm, lake):
        # Of the first a row is rejected, too: splitting has been done once before it counts.
        for one, size, spoilt in ((warm, WARM_UP_ORDERS, True), (lake, count, case == BAD_ROW)):
            one.capture({SOURCE: orders_of(catalogue, size, spoilt=spoilt)}, live=SMALL)
        measured = run_stages(engine, ["validate"], warm, lake, folder)
        commit = lake.log("validate").get(1)
    assert commit is not None
    counts = commit.tables[SOURCE].counts
    right = counts["rejected"] == (case == BAD_ROW) and counts["read"] == count
    rules = len(load_suites(catalogue)[SOURCE].rules)
    return {**asdict(measured), "exact": "yes" if right else "NO", "note": f"{rules} rules"}


def orders_of(catalogue: Any, count: int, *, spoilt: bool) -> Any:
    """So many orders that keep every rule; one that does not, if they are to be spoilt."""
    import numpy as np
    import pyarrow as pa

    found = raw_tables(catalogue, count)[SOURCE]
    units = 1_001 + np.arange(count) % 98_972
    if spoilt:
        units[count // 2] = 1
    at = found.schema.get_field_index("units_sold")
    return found.set_column(at, found.schema.field(at), pa.array(units.astype("int32")))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(run(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))))
    else:
        print(*rows(Options.from_argv(sys.argv[1:])), sep="\n")
