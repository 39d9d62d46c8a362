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
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Row
from bench.options import Options

if TYPE_CHECKING:
    import pyarrow as pa

    from bench.lake import Lake
    from catalog.pipeline import Transform

PROMISED_MB, PROMISED_DISK, PROMISED_CPU = 700, 10 << 30, 150
ROOMY = 3_000
"""Megabytes of memory for what is only made ready."""

TEXT, LARGEST = 1 << 20, 16 << 20
"""Bytes of large texts, and of the largest that arrive whole."""

JOB = """
import json, resource, sys
from glue_jobs import transform
code = transform.main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"code": code, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}))
"""
"""The job in one process, which says what it used."""


@dataclass(frozen=True)
class Needed:
    """What a run used.

    Attributes:
        seconds: Wall time.
        cpu_seconds: CPU time.
        peak_mb: Resident memory.
        disk: Bytes in its temporary directory.
        action: What it decided.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk: int
    action: str


def transform(lake: Lake, numbers: Transform, **changes: Any) -> Needed:
    """Run the job on a lake.

    Args:
        lake: The lake.
        numbers: The deployment's numbers.
        **changes: Arguments of this run.
    """
    from bench.lake import environment, python

    given = {
        **{f"{kind}_bucket": name for kind, name in lake.buckets.items()},
        "schema_registry": lake.registry.name,
        **dict(numbers),
        "warehouse_secret": "none",
        "large_workflow": "transform_large",
        "stages": "validate,dimensions,facts",
        **changes,
    }
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder, _largest(Path(folder)) as disk:
        variables = {**os.environ, **environment(), **lake.endpoint.environment(), "TMPDIR": folder}
        began = time.perf_counter()
        done = subprocess.run(
            [python("embedded"), "-c", JOB, *words],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    (decided,) = [line for line in lines if line.get("step") == "transform.decided"]
    return Needed(seconds, lines[-1]["cpu"], lines[-1]["peak_mb"], max(disk), decided["action"])


@contextmanager
def _largest(folder: Path) -> Iterator[list[int]]:
    """Look at what lies in a folder as long as the block lasts."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.append(_bytes_in(folder))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _bytes_in(folder: Path) -> int:
    """What lies in a folder whose files come and go."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(path, name).stat().st_blocks * 512
    return total


# ----------------------------------------------------------------------------------------- what waits


def rows_wait(lake: Lake, numbers: Transform) -> None:
    """As many rows as the limit: a first capture."""
    from bench.lake import SMALL, raw_tables

    orders = numbers.waiting_rows - sum(SMALL.values())
    lake.capture(raw_tables(lake.catalogue, orders), live={"sales_order": orders, **SMALL})


def batches_wait(lake: Lake, numbers: Transform) -> None:
    """As many batches as the limit, of a few orders each, after a small first capture."""
    from bench.lake import SMALL, raw_tables

    _built(lake, numbers, 1_000)
    for batch in range(numbers.waiting_batches):
        tables = raw_tables(lake.catalogue, 1_010 + 10 * batch)
        lake.capture({"sales_order": tables["sales_order"].slice(1_000 + 10 * batch)}, live=SMALL)


def edits_wait(lake: Lake, numbers: Transform) -> None:
    """A hundred edits over partitions that hold as many rows as the limit."""
    import pyarrow as pa

    from bench.lake import SMALL, raw_tables

    # The partitions of edits, the last month's, and the dimensions, which are small.
    orders = numbers.partition_rows - 2 * sum(SMALL.values())
    _built(lake, numbers, orders)
    rows = raw_tables(lake.catalogue, orders)["sales_order"]
    edited = rows.take([number * (orders // 100) for number in range(100)])
    index = edited.schema.get_field_index("units_sold")
    edited = edited.set_column(index, edited.schema.field(index), pa.array(range(2_000, 2_100), pa.int32()))
    lake.capture({"sales_order": edited}, live={"sales_order": orders, **SMALL})


def bytes_wait(lake: Lake, numbers: Transform) -> None:
    """Designs with texts that hardly anything compresses, as many as the limit of bytes."""
    _designs(lake, numbers.waiting_bytes, TEXT)


def an_edit_among_bytes_waits(lake: Lake, numbers: Transform) -> None:
    """An edit of one design of a table that holds as many bytes as the limit."""
    _designs(lake, numbers.partition_bytes, TEXT)
    transform(lake, numbers, engine="embedded", memory_megabytes=ROOMY)
    _designs(lake, 0, TEXT, name="renamed")


def edits_over_three_months_wait(lake: Lake, numbers: Transform) -> None:
    """A hundred edits over three months of a million rows each."""
    edits_wait(lake, numbers.model_copy(update={"partition_rows": 3_000_000}))


def the_largest_texts_wait(lake: Lake, numbers: Transform) -> None:
    """An edit of a design beside texts of 16 MB, as many as the limit of bytes."""
    _designs(lake, numbers.partition_bytes, LARGEST)
    transform(lake, numbers, engine="embedded", memory_megabytes=ROOMY)
    _designs(lake, 0, LARGEST, name="renamed")


def _built(lake: Lake, numbers: Transform, orders: int) -> None:
    """A first capture that is built, with more room than the job has."""
    from bench.lake import SMALL, raw_tables

    lake.capture(raw_tables(lake.catalogue, orders), live={"sales_order": orders, **SMALL})
    transform(lake, numbers, engine="embedded", memory_megabytes=ROOMY)


def _designs(lake: Lake, limit: int, size: int, name: str = "plain") -> None:
    """Capture designs with texts of a size, about so many bytes of objects, one at least."""
    import numpy as np

    from bench.lake import made_up

    chance = np.random.default_rng(1)
    # Of 64 letters that stand by chance, a byte keeps three quarters.
    count = max(limit * 4 // (size * 3 + (size >> 4)), 1)
    texts = [base64.b64encode(chance.bytes(size * 3 // 4)).decode() for _ in range(count)]
    rows: pa.Table = made_up(
        lake.catalogue.raw["design"], np.arange(1, count + 1), design_name=name, file_location=texts
    )
    lake.capture({"design": rows}, live={"design": count})


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
    wait: Callable[[Lake, Transform], None]
    is_hard: bool = False


LOADS = (
    Load("as many rows wait", "waiting_rows", rows_wait),
    Load("as many batches wait", "waiting_batches", batches_wait),
    Load("as many bytes wait, texts of 1 MB", "waiting_bytes", bytes_wait),
    Load("a hundred edits over as many rows", "partition_rows", edits_wait),
    Load("an edit beside as many bytes, texts of 1 MB", "partition_bytes", an_edit_among_bytes_waits),
    Load(
        "hard: a hundred edits over three months of a million rows",
        "partition_rows",
        edits_over_three_months_wait,
        is_hard=True,
    ),
    Load("hard: an edit beside texts of 16 MB", "partition_bytes", the_largest_texts_wait, is_hard=True),
)


def measured(load: Load, numbers: Transform) -> Row:
    """Have something wait, see what the job decides about one thing more, and force it through."""
    from bench.lake import lakes
    from catalog.catalogue import load_catalogue

    with (
        tempfile.TemporaryDirectory() as folder,
        lakes(Path(folder), load_catalogue(), ["limits"]) as (lake,),
    ):
        lake.glue.create_workflow(Name="transform_large")
        load.wait(lake, numbers)
        found = counted(lake)[load.limit]
        less = {} if load.is_hard else {load.limit: found - 1}
        above = transform(lake, numbers, engine="auto", **less)
        # The request, where there is one, is answered by the run that is measured.
        needed = above if above.action == "run" else transform(lake, numbers, engine="embedded")
        done = [lake.log(stage).latest() for stage in ("validate", "dimensions", "facts")]
        newest = lake.log("capture").latest_sequence()
    stated = getattr(numbers, load.limit)
    exact = (load.is_hard or found <= stated) and all(c and c.last_batch == newest for c in done)
    kept = (
        needed.peak_mb <= PROMISED_MB and needed.disk <= PROMISED_DISK and needed.cpu_seconds <= PROMISED_CPU
    )
    verdict = "left to itself" if load.is_hard else f"{'kept' if kept else 'NOT KEPT'}; one more"
    note = (
        f"{load.limit} {found:,} of {stated:,}; {needed.disk / 1e6:,.0f} MB of disk;"
        f" {verdict}: {above.action}"
    )
    return Row(
        load.name,
        round(needed.seconds, 2),
        needed.peak_mb,
        "yes" if exact else "NO",
        note,
        1,
        cpu_seconds=needed.cpu_seconds,
    )


def counted(lake: Lake) -> dict[str, int]:
    """What waits, as transform counts it."""
    from glue_jobs.transformation.decide import Limits
    from glue_jobs.transformation.work import estimate, read_progress

    bucket = lake.buckets["ingestion"]
    endless = Limits(*[1 << 62] * 5)
    return vars(estimate(lake.s3, bucket, lake.catalogue, read_progress(lake.s3, bucket), endless)).copy()


def rows(options: Options) -> list[Row]:  # noqa: ARG001 - the limits say how much
    """Measure what this part measures: each limit once."""
    from catalog.pipeline import load_pipeline

    return [measured(load, load_pipeline().transform) for load in LOADS]


if __name__ == "__main__":
    from catalog.pipeline import load_pipeline

    for chosen in LOADS:
        if not sys.argv[1:] or any(word in f"{chosen.limit} {chosen.name}" for word in sys.argv[1:]):
            print(measured(chosen, load_pipeline().transform), flush=True)
