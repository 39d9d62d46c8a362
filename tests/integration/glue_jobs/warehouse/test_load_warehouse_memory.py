"""The load fits Glue's smallest worker, however many rows wait."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from bench.load import write_orders
from tests import needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.glue_jobs.warehouse.conftest import World

LIMIT_MB = 700
ROWS = 150_000
TIMES = 4

# The job, and then its own peak: what the kernel counts for a child begins with the parent's memory.
PROGRAM = """
import sys
from glue_jobs.load_warehouse import main
code = main(sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
sys.exit(code)
"""


def peak_mb(world: World, schema: str) -> float:
    """Load all that the lake holds into an empty schema and say how much memory that took."""
    process = world.start("--warehouse_schema", schema, program=("-c", PROGRAM))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return int(out.splitlines()[-1]) / 1024


@pytest.mark.slow
@needs.LINUX
def test_memory_does_not_grow_with_the_rows(world: World, tmp_path: Path) -> None:
    world.dimensions(1, keys=range(1, 474))
    days = [world.row("dim_date", 1, date_id=date(2022, 11, 1) + timedelta(days=n)) for n in range(800)]
    world.commit("dimensions", {"dim_date": days}, 1)
    few, many = tmp_path / "few.parquet", tmp_path / "many.parquet"
    write_orders(few, ROWS)
    write_orders(many, ROWS * TIMES, first=ROWS + 1)
    peaks = []
    for schema, file, rows in (("few", few, ROWS), ("many", many, ROWS * (TIMES + 1))):
        world.commit_files("facts", {"fact_sales_order": file}, 1)
        peaks.append(peak_mb(world, schema))
        assert world.query(f"SELECT count(*) FROM {schema}.fact_sales_order") == [(rows,)]

    assert max(peaks) < LIMIT_MB
    assert peaks[1] - peaks[0] < 100, peaks
