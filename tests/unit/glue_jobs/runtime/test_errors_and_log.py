"""A job ends with an exit code and log lines that never hold row content."""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from catalog.pipeline import Job, load_pipeline
from glue_jobs.runtime import entry_point, log
from glue_jobs.runtime.errors import UserError
from tests import needs


def _lines(out: str) -> list[dict[str, object]]:
    """What a job has logged, but for how long it ran."""
    return [line for line in map(json.loads, out.splitlines()) if "seconds_run" not in line]


def _seconds_run(out: str) -> list[tuple[object, float]]:
    lines = map(json.loads, out.splitlines())
    return [(line["job"], line["seconds_run"]) for line in lines if "seconds_run" in line]


def _ends(main: object, argv: Sequence[str] = (), *, apart: bool = False) -> int:
    try:
        entry_point.run("some_job", main, argv, apart=apart)  # type: ignore[arg-type]
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_line_names_job_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str]) -> int:
        log.step("thing.done", batch=4, table="staff", rows=2)
        return 0

    assert _ends(main, ["--JOB_RUN_ID", "jr_1"]) == 0
    (line,) = _lines(capsys.readouterr().out)
    at = line.pop("at")
    assert str(at).endswith("Z")
    assert line == {
        "job": "some_job",
        "run_id": "jr_1",
        "level": "info",
        "event": "step",
        "step": "thing.done",
        "batch": 4,
        "table": "staff",
        "rows": 2,
    }


def test_an_error_of_a_person_is_told_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str]) -> int:
        raise UserError("The bucket is gone.", "Create it.")

    assert _ends(main) == 1
    captured = capsys.readouterr()
    (line,) = _lines(captured.out)
    assert line["message"] == "The bucket is gone. Create it."
    assert "Traceback" not in captured.out + captured.err


def test_an_unforeseen_error_tells_where_but_not_what_it_held(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str]) -> int:
        raise ValueError("jeremie.franey@terrifictotes.com is no number")

    assert _ends(main) == 1
    captured = capsys.readouterr()
    (line,) = _lines(captured.out)
    assert line["error"] == "builtins.ValueError"
    assert str(line["where"]).endswith(":main")
    assert "jeremie" not in captured.out + captured.err


def test_the_exit_code_is_the_jobs_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ends(lambda argv: 3) == 3
    assert _lines(capsys.readouterr().out) == []


@pytest.mark.parametrize("apart", [False, True])
def test_a_run_that_ends_well_ends_by_itself_and_one_that_does_not_by_an_exit_code(apart: bool) -> None:
    with pytest.raises(SystemExit):
        entry_point.run("some_job", lambda argv: 1, [], apart=apart)
    # On Glue an exit of Spark's process is a failure, whatever its code says.
    entry_point.run("some_job", lambda argv: 0, [], apart=apart)


def test_every_run_says_for_how_long_it_ran_however_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: Sequence[str]) -> int:
        if argv:
            raise UserError("The bucket is gone.", "Create it.")
        return 0

    for argv in ([], ["--fail"]):
        _ends(main, argv)
        ((job, seconds),) = _seconds_run(capsys.readouterr().out)
        assert (job, seconds >= 0) == ("some_job", True)


@pytest.fixture
def stops_as_before() -> Iterator[None]:
    """What a request to stop does to this process, whatever a test of a job's process changes."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@needs.LINUX
@pytest.mark.usefixtures("stops_as_before")
@pytest.mark.parametrize("ended_by", [signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV])
def test_a_job_whose_process_is_taken_away_says_so(
    capfd: pytest.CaptureFixture[str], ended_by: signal.Signals
) -> None:
    def main(argv: Sequence[str]) -> int:
        faulthandler.disable()
        os.kill(os.getpid(), ended_by)
        return 0

    assert _ends(main, ["--JOB_RUN_ID", "jr_1"], apart=True) == 1
    (line,) = _lines(capfd.readouterr().out)
    assert (line["event"], line["run_id"]) == ("job.failed", "jr_1")
    assert ended_by.name in str(line["message"])
    assert "run it again" in str(line["message"])


@needs.LINUX
@pytest.mark.usefixtures("stops_as_before")
def test_a_job_in_a_process_of_its_own_ends_as_it_would_in_this_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def main(argv: Sequence[str]) -> int:
        if argv:
            raise UserError("The bucket is gone.", "Create it.")
        return 3

    assert _ends(main, apart=True) == 3
    assert _ends(main, ["--fail"], apart=True) == 1
    (line,) = _lines(capfd.readouterr().out)
    assert line["message"] == "The bucket is gone. Create it."


@needs.LINUX
@pytest.mark.usefixtures("stops_as_before")
def test_a_job_that_ended_well_is_not_failed_by_a_library_that_aborts_as_its_process_shuts_down() -> None:
    def main(argv: Sequence[str]) -> int:
        faulthandler.disable()
        atexit.register(os.abort)
        return 0

    assert _ends(main, apart=True) == 0


@needs.LINUX
def test_a_job_in_a_process_of_its_own_ends_where_the_one_that_started_it_is_killed(root: Path) -> None:
    script = (
        "import time; from glue_jobs.runtime import entry_point;"
        "entry_point.run('job', lambda argv: print('works', flush=True) or time.sleep(600), [], apart=True)"
    )
    job = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "works\n"
    job.kill()
    # The end of what it says: whoever could have gone on has its other end, too.
    rest, _ = job.communicate(timeout=60)
    assert rest == ""


@pytest.mark.parametrize("job", load_pipeline().jobs.items(), ids=lambda job: job[0])
def test_every_job_of_the_python_shell_runs_in_a_process_of_its_own_and_no_job_of_spark(
    root: Path, job: tuple[str, Job]
) -> None:
    script = (root / job[1].script).read_text(encoding="utf-8")
    assert ("apart=True" in script) == (job[1].runtime.kind == "python_shell")


def test_a_run_without_an_id_gets_a_fresh_one(capsys: pytest.CaptureFixture[str]) -> None:
    first = log.start("job", ["--JOB_RUN_ID"])
    assert log.run_id() == first
    assert log.start("job", []) != first


def test_a_timed_event_states_what_the_block_found(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("job", [])
    with log.timed("table.read", table="staff") as found:
        found["rows"] = 3
    log.warning("look")
    read, look = _lines(capsys.readouterr().out)
    assert (read["table"], read["rows"]) == ("staff", 3)
    assert isinstance(read["seconds"], float)
    assert look["level"] == "warning"


def test_a_line_from_any_thread_names_the_job_and_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("build_facts", ["--JOB_RUN_ID", "jr_1"])
    worker = threading.Thread(target=log.step, args=["star.written"])
    worker.start()
    worker.join()
    line = json.loads(capsys.readouterr().out)
    assert (line["job"], line["run_id"], line["step"]) == ("build_facts", "jr_1", "star.written")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device", "/tmp/rows.parquet"),
        RuntimeError('IO Error: Could not write file "/tmp/spill": No space left on device'),
    ],
)
def test_a_full_disk_is_called_that_whoever_found_it(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(argv: Sequence[str]) -> int:
        raise error

    assert _ends(main) == 1
    (line,) = _lines(capsys.readouterr().out)
    assert "The disk that it writes to is full" in str(line["message"])
