"""Judge a million captured rows by every rule.

From raw parquet files to a committed verdict, on Spark with two cores: sales orders that keep every rule, but
for one. "read and write" is the measure: Spark reads the same rows and writes them again, and nothing else.
"all rules" is what validate_raw does: checksums of the objects, every rule in one pass, the split of the
partition that holds the bad row by the rules that some row breaks, the written objects measured again,
results, the commit. "nothing rejected" is the same without it, where captured objects are passed on. "a small
run" judges ten orders in a warm session. The notes say how many Spark jobs a case ran; they do not depend on
the rules.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.harness import Case, Row, measure
from bench.options import Options

WARM_UP = 1_000
SMALL = 10


def rows(options: Options) -> list[Row]:
    """Measure every case."""
    cases = ("read and write", "all rules, one bad row", "all rules, nothing rejected", "a small run")
    command = [sys.executable, "-m", "bench.validation", "--case"]
    return measure([Case(name, [*command, name, str(options.rows)]) for name in cases], options.runs)


def run(case: str, count: int) -> dict[str, Any]:
    """Run one case in this process; seconds without start-up."""
    from bench import star
    from catalog.catalogue import load_catalogue
    from expectations.rules import load_suites
    from glue_jobs.star.stage import plan_for

    catalogue = load_catalogue()
    with (
        tempfile.TemporaryDirectory() as folder,
        star.lakes(Path(folder), catalogue, ["warm", "lake"]) as (warm, lake),
    ):
        warm.capture(star.raw_tables(catalogue, WARM_UP))
        warm.validate()
        size = SMALL if case == "a small run" else count
        orders = _orders(catalogue, size, spoilt=case.endswith("bad row"))
        lake.capture({star.SOURCE: orders}, live=star.SMALL)
        spark = lake.session()
        plan_for(spark, size)
        before = _jobs(spark)
        began = time.perf_counter()
        if case == "read and write":
            (partition,) = lake.log("capture").get(1).tables[star.SOURCE].partitions  # type: ignore[union-attr]
            place = f"s3://{lake.buckets['ingestion']}/"
            spark.read.parquet(f"{place}{partition.location}").write.option("compression", "zstd").parquet(
                f"{place}again"
            )
        else:
            lake.validate()
        seconds = time.perf_counter() - began
        note = f"{_jobs(spark) - before} jobs"
        exact = ""
        if case != "read and write":
            rules = len(load_suites()[star.SOURCE].rules)
            note += f", {rules} rules, {1000 * seconds / rules:.0f} ms a rule"
            counts = lake.log("validate").get(1).tables[star.SOURCE].counts  # type: ignore[union-attr]
            exact = (
                "yes" if counts["rejected"] == (case.endswith("bad row")) and counts["read"] == size else "NO"
            )
        return {"seconds": seconds, "exact": exact, "note": note}


def _orders(catalogue: Any, count: int, *, spoilt: bool) -> Any:
    """So many orders that keep every rule, and one that does not."""
    import numpy as np
    import pyarrow as pa

    from bench import star

    found = star.raw_tables(catalogue, count)[star.SOURCE]
    units = 1_001 + np.arange(count) % 98_972
    if spoilt:
        units[count // 2] = 1
    at = found.schema.get_field_index("units_sold")
    return found.set_column(at, found.schema.field(at), pa.array(units.astype("int32")))


def _jobs(spark: Any) -> int:
    """Spark jobs that the session has begun."""
    return int(spark.sparkContext._jsc.sc().dagScheduler().nextJobId())  # noqa: SLF001


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(run(sys.argv[2], int(sys.argv[3]))))
    else:
        print(*rows(Options.from_argv(sys.argv[1:])), sep="\n")
