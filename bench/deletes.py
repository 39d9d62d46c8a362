"""Find deleted rows.

A capture of one table of sales orders in which nothing changed but that rows are gone, on an embedded
PostgreSQL. The lake's live keys are a bitmap in memory, as the job has it once it has read it. The limit is
one `count(*)`. Without deletions equal counts prove that no key is missing, and no key travels; with one or
more the source's keys are read once and compared. "exact" says whether each missing key got its mark.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bench.extract import GLUE_PYTHON, ROOT, source
from bench.harness import Case, Row, measure
from bench.options import Options

CASES: Mapping[str, tuple[str, int]] = {
    "count": ("limit: count(*)", 0),
    "none": ("ours, nothing deleted", 0),
    "one": ("ours, 1 row deleted", 1),
    "many": ("ours, 10,000 rows deleted", 10_000),
}


def count(dsn: str) -> int:
    """Rows, and nothing else."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM sales_order").fetchone()
    return int(row[0]) if row else 0


def look(dsn: str, known: Any, folder: Path) -> int:
    """Capture after a capture that saw these keys; the deletions found."""
    from catalog.catalogue import load_catalogue
    from glue_jobs.lake.live_keys import KeyStore
    from glue_jobs.lake.source_state import CaptureState
    from glue_jobs.lake.state_objects import StateObject
    from glue_jobs.sources import structure
    from glue_jobs.sources.capture import capture
    from glue_jobs.sources.postgres_source import Source
    from glue_jobs.sources.quarantine import DeadLetters

    class Kept(KeyStore):
        """Live keys that nobody has to fetch."""

        def live(self, kept: Any) -> Any:  # noqa: ARG002 - the one that it stands for has it
            return known

    catalogue = load_catalogue()
    contract = catalogue.raw["sales_order"]
    letters = DeadLetters(catalogue.dead_letter["held_rows"], lambda *_: None)
    with Source(dsn, [contract.table], "public") as opened:
        snapshot = opened.snapshot
        mark = structure.fingerprint(contract, opened.tables[contract.table])
        state = CaptureState(
            snapshot.xmin,
            snapshot.xmax,
            snapshot.source,
            mark,
            StateObject("live", "", len(known)),
            server_starts=(snapshot.server_started,),
        )
        states = {contract.table: state}
        found = capture(
            opened, [contract], states, Kept(cast("Any", None), ""), folder, lambda *_: None, letters
        )
    return found.tables[contract.table].deletes


def one(case: str, dsn: str, rows: int) -> None:
    """What a measured process does."""
    from pyroaring import BitMap64

    from bench.extract import peak_mb
    from glue_jobs.lake import live_keys  # noqa: F401 - imports are start-up
    from glue_jobs.sources import capture  # noqa: F401 - imports are start-up

    gone = CASES[case][1]
    known = BitMap64(range(1, rows + gone + 1))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = count(dsn) - rows if case == "count" else look(dsn, known, Path(folder))
        seconds = time.perf_counter() - began
    note = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    exact = "yes" if found == gone else f"{found} of {gone}"
    print(json.dumps({"seconds": seconds, "exact": exact, "note": note, "peak_mb": peak_mb()}))


def rows(options: Options) -> list[Row]:
    """Measure every case, on Glue's own Python where it is there."""
    python = str(GLUE_PYTHON if GLUE_PYTHON.exists() else sys.executable)
    with source(options.rows) as dsn:
        cases = [
            Case(
                name,
                [python, "-m", "bench.deletes", "--one", case, dsn, str(options.rows)],
                {"PYTHONPATH": str(ROOT)},
            )
            for case, (name, _) in CASES.items()
        ]
        return measure(cases, options.runs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(
                f"{row.name:45} {row.seconds:8.2f} s {row.peak_mb or 0:8.0f} MiB  {row.exact:20} {row.note}"
            )
