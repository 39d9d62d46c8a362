"""Look at the console's pages.

A console over a stack whose lake was captured and built once: with the sales orders of the demonstration,
and with as many as are asked for. "seconds" are those from the request to the last octet, the median over the
runs after a first look; a browser then draws. The aim is 1 with the demonstration's orders and 3 with two
million. "exact" says whether the page came without a word of anything that could not be read.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from bench.harness import Row
    from bench.options import Options

ORDERS_OF_A_SCALE = 11_187
"""Sales orders that the generator makes at scale 1, about."""

PAGES = (
    "",
    "runs",
    "batches",
    "quality",
    "catalog",
    "catalog/star/fact_sales_order",
    "record?table=sales_order&key=5",
    "query",
    "dashboard/sales",
    "dashboard/sales?period=everything",
    "dashboard/people?period=everything",
    "dashboard/orders?period=everything",
    "dashboard/cash?period=everything",
    "dashboard/reported",
    "dashboard/history",
    "dashboard/trust",
)
_PROGRAM = [sys.executable, "-m", "lakehouse.cli"]
_AMISS = ("could not be read", "The stack does not answer")


def rows(options: Options) -> list[Row]:
    """Measure every page, over two lakes."""
    scales = dict.fromkeys((1, max(options.rows // ORDERS_OF_A_SCALE, 1)))
    found: list[Row] = []
    for scale in scales:
        with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
            state = {"LAKEHOUSE_STATE": str(Path(folder) / "state"), "LAKEHOUSE_QUIET": "1"}
            environment = {**os.environ, **state}
            try:
                for words in (["up", "--scale", str(scale)], ["run"]):
                    _run(words, environment)
                with _console(environment) as url:
                    found += [_looked(url, page, scale, options.runs) for page in PAGES]
            finally:
                _run(["down"], environment)
    return found


def _run(words: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run([*_PROGRAM, *words], env=environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _console(environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a console over the stack."""
    command = [*_PROGRAM, "console", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)


def _looked(url: str, page: str, scale: int, runs: int) -> Row:
    from bench.harness import Row

    taken, text = [], ""
    for _ in range(runs + 1):
        began = time.perf_counter()
        with urlopen(f"{url}{page}", timeout=600) as answer:  # noqa: S310 - the console's own address
            text = answer.read().decode()
        taken.append(time.perf_counter() - began)
    is_well = not any(words in text for words in _AMISS)
    note = f"{scale * ORDERS_OF_A_SCALE:,} orders; {len(text) / 1000:,.0f} kB; first look {taken[0]:.2f}"
    return Row(f"/{page}", statistics.median(taken[1:]), None, "yes" if is_well else "NO", note)
