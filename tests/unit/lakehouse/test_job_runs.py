"""Runs are listed, found and read from what is kept of them, whether the stack is up or not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from glue_jobs.runtime.errors import UserError
from lakehouse.cli import main
from lakehouse.job_runs import find_run, job_runs, log_lines, readable, runs_text
from local_aws.jobs.run_records import JobRun

NOW = 1_731_924_000.0

Keep = Callable[..., None]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Keeps a run as the stack does."""

    def keep(letters: str, job: str, state: str, started: float, error: str | None = None) -> None:
        completed = None if state == "RUNNING" else started + 2
        run = JobRun(f"jr_{letters}", job, state, started, {}, 60, completed=completed, error=error)
        (tmp_path / f"{run.id}.json").write_text(json.dumps(asdict(run)))

    return keep


@pytest.fixture
def directory(tmp_path: Path, keep: Keep) -> Path:
    """Three runs: one that failed, one that came after it, one that goes on."""
    keep("aa11bb22cc", "transform", "FAILED", NOW - 100, "It broke.\nAt a line.")
    keep("aa33", "transform", "SUCCEEDED", NOW - 50)
    keep("bb44", "replay_dead_letters_large", "RUNNING", NOW - 10)
    return tmp_path


def test_runs_are_listed_newest_first_with_seconds_and_reasons(directory: Path) -> None:
    runs = job_runs(directory, NOW)
    assert [(run.name, run.state, run.seconds) for run in runs] == [
        ("bb44", "RUNNING", 10),
        ("aa33", "SUCCEEDED", 2),
        ("aa11bb22", "FAILED", 2),
    ]
    lines = runs_text(runs).splitlines()
    assert "replay_dead_letters_large  RUNNING " in lines[0]
    assert lines[2].endswith("  It broke.")
    # Where a line has no room for the reason, that stands below it.
    narrow = runs_text(runs, 75).splitlines()
    assert narrow[:2] == lines[:2]
    assert narrow[2:] == [lines[2].removesuffix("  It broke."), "  It broke."]
    assert runs[2].as_dict()["started"] == "2024-11-18T09:58:20.000Z"


def test_a_run_is_found_by_its_job_or_the_beginning_of_its_id(directory: Path) -> None:
    runs = job_runs(directory, NOW)
    assert find_run(runs, None, failed=False).name == "bb44"
    assert find_run(runs, None, failed=True).name == "aa11bb22"
    assert find_run(runs, "transform", failed=False).name == "aa33"
    assert find_run(runs, "jr_aa1", failed=False).name == "aa11bb22"
    with pytest.raises(UserError, match="2 runs begin with aa"):
        find_run(runs, "aa", failed=False)
    with pytest.raises(UserError, match="There is no failed run bb"):
        find_run(runs, "bb", failed=True)


def test_a_log_is_followed_to_its_last_line(directory: Path, keep: Keep) -> None:
    run = job_runs(directory, NOW)[0]
    run.log.write_text("one\n")
    lines = log_lines(directory, run, follow=True)
    assert next(lines) == "one"

    def end() -> None:
        with run.log.open("a") as file:
            file.write("two\nthree")
        keep("bb44", run.job, "SUCCEEDED", NOW - 10)

    thread = threading.Thread(target=end)
    thread.start()
    assert list(lines) == ["two", "three"]
    thread.join()
    assert list(log_lines(directory, run, follow=False)) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("no JSON", "no JSON"),
        ("[1]", "[1]"),
        ('{"_aws": {}, "rows_rejected": 1}', ""),
        (
            '{"job": "transform", "rows": 2, "step": "star.written", "at": "2024-11-18T10:00:30"}',
            "10:00:30 star.written rows=2",
        ),
        (
            '{"event": "job.failed", "message": "It broke.", "level": "error", "at": "2024-11-18T10:00:30Z"}',
            "10:00:30 ERROR job.failed message=It broke.",
        ),
    ],
)
def test_lines_are_shown_as_people_read_them(line: str, shown: str) -> None:
    assert readable(line) == shown


def test_runs_and_logs_need_no_running_stack(directory: Path) -> None:
    state = directory / "state"
    (state / "runs").mkdir(parents=True)
    (state / "settings.json").write_text("{}")
    for path in directory.glob("jr_*"):
        path.rename(state / "runs" / path.name)
    (state / "runs" / "jr_aa11bb22cc.log").write_text("what it said\n")
    runner = CliRunner()
    listed = runner.invoke(main, ["runs", "--failed", "--json", "--state", str(state)])
    assert [run["job"] for run in json.loads(listed.stdout)] == ["transform"]
    logs = runner.invoke(main, ["logs", "--last-failed", "--state", str(state)])
    assert logs.stdout == "what it said\n"
    assert "transform aa11bb22, failed" in logs.stderr
    assert runner.invoke(main, ["logs", "-q", "--last-failed", "--state", str(state)]).stderr == ""
    nothing = runner.invoke(main, ["runs", "--state", str(directory / "none")])
    assert nothing.exit_code == 1
    assert "Make one with: lakehouse up --state" in nothing.stderr
