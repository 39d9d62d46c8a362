"""What `lakehouse alerts` says of runs, from their records and logs alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.runtime.metrics import embedded
from lakehouse.alerts import Alert, alerts_text, read_alerts
from local_aws.jobs.run_records import JobRun

NOW = datetime(2026, 11, 1, 12, 34, 56, tzinfo=UTC)
TABLE = min(load_catalogue().raw)
OWNER = load_catalogue().raw[TABLE].owner


class Runs:
    """Runs of jobs, as a stack keeps them.

    Attributes:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def add(
        self,
        minutes_ago: float,
        job: str = "extract_cdc",
        state: str = "SUCCEEDED",
        lasting: float | None = 1,
        **values: float,
    ) -> None:
        """A run that said some metrics of a table when it ended."""
        started = (NOW - timedelta(minutes=minutes_ago)).timestamp()
        completed = None if lasting is None else started + 60 * lasting
        self.count += 1
        run = JobRun(f"jr_{self.count:04d}", job, state, started, {}, 30, completed=completed)
        (self.folder / f"{run.id}.json").write_text(json.dumps(asdict(run)))
        said = embedded({"job": job, "table": TABLE}, values, completed or started) if values else {}
        ended = embedded({"job": job}, {"seconds_run": 1}, completed or started)
        lines = ["{ a library's own line", json.dumps(said), json.dumps(ended), ""]
        (self.folder / f"{run.id}.log").write_text("\n".join(lines))

    def told(self, *, scheduled: bool = False) -> list[Alert]:
        return read_alerts(self.folder, load_pipeline(), load_catalogue(), NOW, is_scheduled=scheduled)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def short(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    return [(f"{alert.at:%H:%M}", alert.state, alert.alarm) for alert in alerts]


def test_where_nothing_ran_nothing_is_told(runs: Runs) -> None:
    assert runs.told() == runs.told(scheduled=True) == []


def test_runs_that_end_well_tell_nothing(runs: Runs) -> None:
    for ago in range(120, 0, -10):
        runs.add(ago, paused=0)
    assert runs.told() == runs.told(scheduled=True) == []


def test_a_paused_table_is_told_once_to_its_owner_too_and_so_is_its_end(runs: Runs) -> None:
    for ago, paused in ((95, 0), (75, 1), (55, 1), (35, 0), (15, 0)):
        runs.add(ago, paused=paused)
    began, ended = runs.told()
    assert short([began, ended]) == [
        ("11:25", "ALARM", f"table-paused-{TABLE}"),
        ("12:05", "OK", f"table-paused-{TABLE}"),
    ]
    assert began.to == ended.to == ("operations", OWNER)
    assert began.why == f"paused (job extract_cdc, table {TABLE}) was 1, above 0, in 5 minutes"
    assert ended.why == f"paused (job extract_cdc, table {TABLE}) was 0, not above 0, in 5 minutes"
    assert f"to   operations, {OWNER}" in alerts_text([began])
    assert "docs/runbook.md#table-paused" in alerts_text([began])
    assert began.as_dict()["at"] == "2026-11-01T11:25:00Z"


def test_what_has_just_happened_is_told_at_once(runs: Runs) -> None:
    runs.add(30, paused=0)
    runs.add(2, paused=1)
    (told,) = runs.told()
    assert (told.at, told.state) == (NOW, "ALARM")


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED"])
def test_a_run_that_did_not_end_well_is_told_and_the_next_that_does(runs: Runs, state: str) -> None:
    runs.add(80, "maintain_lake")
    runs.add(60, "maintain_lake", state)
    runs.add(30, "maintain_lake")
    assert [one[1:] for one in short(runs.told())] == [
        ("ALARM", "job-failed-maintain-lake"),
        ("OK", "job-failed-maintain-lake"),
    ]


def test_a_run_that_nears_its_limit_is_told_while_it_runs(runs: Runs) -> None:
    runs.add(25, "transform", "RUNNING", None)
    assert [alert.alarm for alert in runs.told()] == ["job-near-limit"]


def test_silence_is_told_where_schedules_start_runs_and_nowhere_else(runs: Runs) -> None:
    for ago in (150, 140, 130):
        runs.add(ago)
    assert runs.told() == []
    (told,) = runs.told(scheduled=True)
    assert (told.state, told.alarm) == ("INSUFFICIENT_DATA", "job-silent-extract-cdc")
    assert told.to == ("operations",)
    assert told.why == "run_failed (job extract_cdc): nothing came in 25 minutes"


def test_runs_of_more_than_two_weeks_ago_are_not_looked_at(runs: Runs) -> None:
    runs.add(60 * 24 * 15, state="FAILED")
    assert runs.told() == []
