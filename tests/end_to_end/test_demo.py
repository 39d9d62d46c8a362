"""The demonstration runs as a person runs it: it ends well, cleans up, and can be interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from lakehouse.cli import main

WHOLE = ("-m", "lakehouse.cli", "demo")
_ONE_TICK = "import sys; from totesys.demo import main; sys.exit(main(spark_tick=None, ticks=1, keep=True))"
SHORT = ("-c", _ONE_TICK)
"""The deployed scenario has a batch on Spark in every run of the tests."""


def start(root: Path, folder: Path, program: tuple[str, ...] = WHOLE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program],
        cwd=root,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_running(folder: Path) -> list[str]:
    """The processes that have to do with a directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(folder) in command and process.pid != os.getpid():
            found.append(command)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the demonstration makes its temporary directory; nothing of it may run afterwards."""
    yield tmp_path
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_the_demonstration_ends_well_and_leaves_nothing(root: Path, folder: Path) -> None:
    _ended_well(
        start(root, folder),
        "Tick 1",
        "Tick 2",
        "Tick 3",
        "paid",
        "was deleted",
        "last_updated was left as it was",
    )
    assert list(folder.glob("lakehouse-demo-*")) == []
    assert left_running(folder) == []


@pytest.mark.slow
def test_a_demonstration_of_one_tick_can_be_kept_to_look_around_in_it(root: Path, folder: Path) -> None:
    told = _ended_well(start(root, folder, SHORT), "Tick 1", "The stack goes on")
    (state,) = folder.glob("lakehouse-demo-*")
    assert f"lakehouse down --state {state}" in told
    runner = CliRunner()
    shown = runner.invoke(main, ["status", "--check", "--state", str(state)])
    assert shown.exit_code == 0, shown.output
    again = runner.invoke(
        main, ["rates", "--from", "2024-03-01", "--to", "2024-03-31", "--state", str(state)]
    )
    assert again.exit_code == 0, again.output
    assert "nothing had changed" in again.output, "rates that are known make no versions"
    assert runner.invoke(main, ["rates", "--to", "2024-03-31", "--state", str(state)]).exit_code == 2
    again = runner.invoke(main, ["files", "--reprocess", "delivery_event", "--state", str(state)])
    assert again.exit_code == 0, again.output
    assert "0 new versions" in again.output or "nothing had changed" in again.output, again.output
    listed = runner.invoke(main, ["files", "--list", "--json", "--state", str(state)])
    found = {one["key"]: (one["outcome"], one["reason"]) for one in json.loads(listed.stdout)}
    assert found["outgoing/3-ended.json"] == ("read", "")
    assert len(found) == 4
    for wrong, words in [
        (
            ["--retry", "outgoing/3-ended.json"],
            "no file outgoing/3-ended.json of which nothing could be taken",
        ),
        (["--since", "2024-03-01"], "--since is of --reprocess"),
        (["--list", "--retry", "x"], "--list reads nothing again"),
    ]:
        refused = runner.invoke(main, ["files", *wrong, "--state", str(state)])
        assert refused.exit_code != 0
        assert words in refused.output, refused.output
    assert runner.invoke(main, ["down", "--state", str(state)]).exit_code == 0


def _ended_well(process: subprocess.Popen[str], *words: str) -> str:
    """What a demonstration told that ended well."""
    told, _ = process.communicate()
    assert process.returncode == 0, told
    assert re.search(r"^demo: OK", told, re.MULTILINE)
    asked = ("What have we sold, in each currency?", "What have we sold by month, in GBP?")
    told_of_files = (
        "Deliveries",
        "of outgoing/3-ended.json was taken: it is no JSON, or cut",
    )
    for text in (*words, *told_of_files, "the European Central Bank's rates until", *asked):
        assert text in told
    for table in (
        "raw.exchange_rate",
        "star.fact_exchange_rate",
        "raw.delivery_event",
        "star.fact_delivery_event",
        "raw.sales_order",
        "star.fact_payment",
        "star.dim_date",
    ):
        assert re.search(rf"{table}\b.*\bequal", told)
    return told


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "logs/daemon.log", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "pg", marks=pytest.mark.slow),
        (signal.SIGINT, "runs/*.log"),
    ],
    ids=["while the stack starts", "while PostgreSQL starts", "while a job runs"],
)
def test_an_interrupted_demonstration_leaves_nothing(
    root: Path, folder: Path, number: signal.Signals, moment: str
) -> None:
    process = start(root, folder)
    while not any(folder.glob(f"lakehouse-demo-*/{moment}")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.send_signal(number)
    told, _ = process.communicate()

    assert process.returncode == 130, told
    assert "nothing is left running" in told
    assert list(folder.glob("lakehouse-demo-*")) == []
    assert left_running(folder) == []
