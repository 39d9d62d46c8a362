"""Run transform just below each of its limits.

What the job needs where as much waits as the limits of `catalog/pipeline.yaml` allow, on Glue's Python,
with the room that the job gives DuckDB: validation, dimensions and facts of one run, process start
included. Promised: at most 700 MB resident, 10 GB of disk, 150 CPU seconds. "exact" says whether what waits
is within the limit and all of it was built. The note says what the job decides where one thing more waits.
The hard cases are forced onto the embedded engine, whatever they need; left to itself the job does what the
note says.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness import Row
from bench.job import LARGE, Used, release, run_transform
from bench.lake import MILLISECONDS_APART, SMALL, SOURCE, Lake, lakes, made_up, raw_tables
from bench.options import Options

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.pipeline import Transform

PROMISED_MB, PROMISED_DISK_MB, PROMISED_CPU_SECONDS = 700, 10 << 10, 150
ROOMY = 3_000
"""Megabytes of memory for what is only made ready."""

TEXT, LARGEST = 1 << 20, 16 << 20
"""Bytes of large texts, and of the largest that arrive whole."""


@dataclass(frozen=True)
class Site:
    """A lake, and the packages of the job that works on it.

    Attributes:
        lake: The lake.
        packages: See :func:`bench.job.release`.
        numbers: The deployment's numbers.
    """

    lake: Lake
    packages: Path
    numbers: Transform

    def transform(self, **changes: object) -> Used:
        """Run the job, with arguments that differ."""
        return run_transform(self.lake, self.packages, **changes)

    def build(self) -> None:
        """Run the job with more room than it has, for what is only made ready."""
        self.transform(engine="embedded", memory_megabytes=ROOMY)


# ----------------------------------------------------------------------------------------- what waits


def rows_wait(site: Site) -> None:
    """As many rows as the limit: a first capture."""
    _capture_all(site.lake, raw_tables(site.lake.catalogue, site.numbers.waiting_rows - sum(SMALL.values())))


def batches_wait(site: Site) -> None:
    """As many batches as the limit, of a few orders each, after a small first capture."""
    _capture_all(site.lake, raw_tables(site.lake.catalogue, 1_000))
    site.build()
    for batch in range(site.numbers.waiting_batches):
        orders = raw_tables(site.lake.catalogue, 1_010 + 10 * batch)[SOURCE]
        site.lake.capture({SOURCE: orders.slice(1_000 + 10 * batch)}, live=SMALL)


def edits_wait(site: Site) -> None:
    """A hundred edits over partitions that hold as many rows as the limit."""
    # The partitions of edits, the last month's, and the dimensions, which are small.
    _edits_wait(site, site.numbers.partition_rows - 2 * sum(SMALL.values()))


def edits_over_three_months_wait(site: Site) -> None:
    """A hundred edits over three months of a million rows each."""
    _edits_wait(site, 3_000_000, milliseconds_apart=2_600)


def bytes_wait(site: Site) -> None:
    """Designs with texts that hardly anything compresses, as many as the limit of bytes."""
    _capture_designs(site.lake, site.numbers.waiting_bytes, TEXT)


def edit_next_to_bytes_waits(site: Site) -> None:
    """An edit of one design of a table that holds as many bytes as the limit."""
    _edit_of_a_design_waits(site, TEXT)


def edit_next_to_the_largest_texts_waits(site: Site) -> None:
    """The same where texts are as large as they may be."""
    _edit_of_a_design_waits(site, LARGEST)


def _capture_all(lake: Lake, tables: dict[str, pa.Table]) -> None:
    lake.capture(tables, live={name: len(rows) for name, rows in tables.items()})


def _edits_wait(site: Site, orders: int, milliseconds_apart: int = MILLISECONDS_APART) -> None:
    import pyarrow as pa

    tables = raw_tables(site.lake.catalogue, orders, milliseconds_apart)
    _capture_all(site.lake, tables)
    site.build()
    edited = tables[SOURCE].take([number * (orders // 100) for number in range(100)])
    index = edited.schema.get_field_index("units_sold")
    edited = edited.set_column(index, edited.schema.field(index), pa.array(range(2_000, 2_100), pa.int32()))
    site.lake.capture({SOURCE: edited}, live={SOURCE: orders, **SMALL})


def _edit_of_a_design_waits(site: Site, size: int) -> None:
    _capture_designs(site.lake, site.numbers.partition_bytes, size)
    site.build()
    _capture_designs(site.lake, 0, size, name="renamed")


def _capture_designs(lake: Lake, limit: int, size: int, name: str = "plain") -> None:
    """Capture designs with texts of a size, about so many bytes of objects, one at least."""
    import numpy as np

    chance = np.random.default_rng(1)
    # Of 64 letters that stand by chance, a byte keeps three quarters.
    count = max(limit * 4 // (size * 3 + (size >> 4)), 1)
    texts = [base64.b64encode(chance.bytes(size * 3 // 4)).decode() for _ in range(count)]
    contract = lake.catalogue.raw["design"]
    rows = made_up(contract, np.arange(1, count + 1), design_name=name, file_location=texts)
    lake.capture({"design": rows}, live={"design": count})


# ----------------------------------------------------------------------------------------- measuring them


@dataclass(frozen=True)
class Load:
    """What waits for a run.

    Attributes:
        name: What it is called in the table.
        limit: The limit that it is just below, or that it passes.
        wait: Has it wait.
        is_hard: Whether it is measured for what it needs, and promised nothing.
    """

    name: str
    limit: str
    wait: Callable[[Site], None]
    is_hard: bool = False


LOADS = (
    Load("as many rows wait", "waiting_rows", rows_wait),
    Load("as many batches wait", "waiting_batches", batches_wait),
    Load("as many bytes wait, texts of 1 MB", "waiting_bytes", bytes_wait),
    Load("a hundred edits over as many rows", "partition_rows", edits_wait),
    Load("an edit beside as many bytes, texts of 1 MB", "partition_bytes", edit_next_to_bytes_waits),
    Load(
        "hard: a hundred edits over three months of a million rows",
        "partition_rows",
        edits_over_three_months_wait,
        is_hard=True,
    ),
    Load(
        "hard: an edit beside texts of 16 MB",
        "partition_bytes",
        edit_next_to_the_largest_texts_waits,
        is_hard=True,
    ),
)


def measured(load: Load, numbers: Transform) -> Row:
    """Have something wait, see what the job decides about one thing more, and force it through."""
    from catalog.catalogue import load_catalogue

    with tempfile.TemporaryDirectory() as name, lakes(Path(name), load_catalogue(), ["limits"]) as (lake,):
        lake.glue.create_workflow(Name=LARGE)
        site = Site(lake, release(Path(name) / "release"), numbers)
        load.wait(site)
        found = counted(lake)[load.limit]
        less = {} if load.is_hard else {load.limit: found - 1}
        above = site.transform(engine="auto", **less)
        # The request, where there is one, is answered by the run that is measured.
        used = above if above.decision["action"] == "run" else site.transform(engine="embedded")
        done = [lake.log(stage).latest() for stage in ("validate", "dimensions", "facts")]
        newest = lake.log("capture").latest_sequence()
    stated = getattr(numbers, load.limit)
    exact = (load.is_hard or found <= stated) and all(c and c.last_batch == newest for c in done)
    note = (
        f"{load.limit} {found:,} of {stated:,}; {used.disk_mb:,.0f} MB of disk; {promise_kept(load, used)}: "
    )
    return Row(
        load.name,
        used.seconds,
        used.peak_mb,
        "yes" if exact else "NO",
        f"{note}{above.decision['action']}",
        1,
        used.cpu_seconds,
    )


def promise_kept(load: Load, used: Used) -> str:
    """Whether a promise is kept, and what the decision is about that follows."""
    if load.is_hard:
        return "left to itself"
    kept = (
        used.peak_mb <= PROMISED_MB
        and used.disk_mb <= PROMISED_DISK_MB
        and used.cpu_seconds <= PROMISED_CPU_SECONDS
    )
    return f"{'kept' if kept else 'NOT KEPT'}; one more"


def counted(lake: Lake) -> dict[str, int]:
    """What waits, as transform counts it."""
    from glue_jobs.lake.clients import LakeClients
    from glue_jobs.transformation.decide import Limits
    from glue_jobs.transformation.work import estimate, read_progress

    clients = LakeClients(lake.s3, lake.glue, **lake.buckets)
    endless = Limits(*[1 << 62] * 5)
    return vars(estimate(clients, lake.catalogue, read_progress(clients), endless)).copy()


def rows(options: Options) -> list[Row]:  # noqa: ARG001 - the limits say how much
    """Measure what this part measures: each limit once."""
    from catalog.pipeline import load_pipeline

    return [measured(load, load_pipeline().transform) for load in LOADS]


if __name__ == "__main__":
    from catalog.pipeline import load_pipeline

    for chosen in LOADS:
        if not sys.argv[1:] or any(word in f"{chosen.limit} {chosen.name}" for word in sys.argv[1:]):
            print(measured(chosen, load_pipeline().transform), flush=True)
