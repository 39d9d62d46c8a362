"""Every alarm fires over what jobs really say, and is clear again; it tells once of its begin and of its end.

Jobs run on a pipeline of their own and their output goes to CloudWatch as the laptop plays it, with
times that the story makes up: a tick every ten minutes.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import pytest

from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs import transform
from glue_jobs.lake import approvals, layout
from glue_jobs.lake.layout import utc_now
from glue_jobs.maintenance import housekeeping
from glue_jobs.reconciliation import record
from glue_jobs.reconciliation.reconcile_run import check_volume
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime import entry_point
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources import capture_run
from lakehouse.alerts import cloudwatch_of
from local_aws.alarms import ALARM, NO_DATA, OK, CloudWatch
from tests.alarm_entries import by_entry
from tests.faults.pipeline import Pipeline

PIPELINE = load_pipeline()
FILE = read_alarms(PIPELINE)
SPELLED = spell_out(FILE, PIPELINE, load_catalogue())

TICK = 600.0
EXTRACT, TRANSFORM = capture_run.JOB, transform.JOB


@dataclass
class Story:
    """What happens to a pipeline, and when.

    Attributes:
        pipeline: The pipeline.
        watch: What CloudWatch has been told.
        now: The time, in seconds since the story began.
    """

    pipeline: Pipeline
    watch: CloudWatch = field(default_factory=lambda: cloudwatch_of(FILE))
    now: float = 0.0

    def run(self, job: str, work: Callable[[], object]) -> None:
        """Run a job now, and let Glue tell how it ended."""
        before = len(self.pipeline.output)
        state = "SUCCEEDED"
        try:
            work()
        except UserError:
            state = "FAILED"
        self.watch.read(self.now + 20, self.pipeline.output[before:])
        self.watch.read(self.now + 20, _seconds_run(job))
        self.watch.run_ended(self.now + 21, job, state)

    def tick(self, count: int = 1, *, work: Sequence[str] = (EXTRACT,), forced: Sequence[str] = ()) -> None:
        """Let some ticks pass, in each of which jobs run."""
        mains: Mapping[str, Callable[[], object]] = {
            EXTRACT: self.pipeline.capture,
            TRANSFORM: lambda: self.pipeline.transform(*forced),
        }
        for _ in range(count):
            for job in work:
                self.run(job, mains[job])
            self.now += TICK

    def told(self, alarm: str) -> list[str]:
        """What an alarm has told since the story began, but for that it is there and all is well."""
        found = self.watch.messages(SPELLED[alarm], 0, self.now + SPELLED[alarm]["seconds"])
        return found[1:] if found[:1] == [OK] else found


def _seconds_run(job: str) -> str:
    """What `glue_jobs.runtime.entry_point` says at the end of every run."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        entry_point.run(job, lambda _: 0, [])
    return out.getvalue()


@pytest.fixture
def story(pipeline: Pipeline) -> Story:
    return Story(pipeline)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves what jobs take for now."""

    def move(by: timedelta) -> None:
        monkeypatch.setattr(layout, "utc_now", lambda: utc_now() + by)

    return move


BROKEN = "UPDATE transaction SET transaction_type = 'PURCHASE' WHERE transaction_type = 'SALE'"
"""Every sale of the source breaks a rule."""


def test_a_paused_table_is_told_once_to_its_owner_and_to_operations_and_so_is_its_end(story: Story) -> None:
    story.tick()
    story.pipeline.sql("ALTER TABLE payment RENAME company_ac_number TO account")
    story.tick(3)
    assert story.told("table-paused-payment") == [ALARM]
    story.pipeline.sql("ALTER TABLE payment RENAME account TO company_ac_number")
    story.tick(2)
    assert story.told("table-paused-payment") == [ALARM, OK]
    assert story.told("table-paused-design") == []
    # Its run does not end well, which an alarm of its own need not tell beside.
    assert story.told("job-failed-extract-cdc") == []


@pytest.mark.slow
def test_a_word_that_was_lost_is_said_again_every_night(story: Story) -> None:
    story.tick()
    story.pipeline.sql("ALTER TABLE payment RENAME company_ac_number TO account")
    story.tick(2)
    story.pipeline.sql("ALTER TABLE payment RENAME account TO company_ac_number")
    story.pipeline.capture()  # what it says of the end does not arrive
    story.tick(2)
    assert story.told("table-paused-payment") == [ALARM]
    lake = story.pipeline.lake
    given = housekeeping.MaintainArguments(lake.buckets["ingestion"], lake.buckets["processed"], 48, 7)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        housekeeping.run(given, lake.clients, lake.catalogue, utc_now())
    story.watch.read(story.now, out.getvalue())
    story.tick()
    assert story.told("table-paused-payment") == [ALARM, OK]


@pytest.mark.slow
def test_a_batch_that_awaits_approval_is_told_once_and_so_is_that_it_was_approved(story: Story) -> None:
    story.tick()
    story.pipeline.sql(BROKEN)
    story.tick(3, work=[EXTRACT, TRANSFORM])
    assert story.told("batch-awaits-approval") == [ALARM]
    assert story.told("job-failed-transform") == []
    lake = story.pipeline.lake
    assert approvals.approve(lake.s3, lake.buckets["ingestion"], layout.iso(utc_now())) == 1
    story.tick(2, work=[EXTRACT, TRANSFORM])
    assert story.told("batch-awaits-approval") == [ALARM, OK]
    # What was approved is many dead letters.
    assert story.told("dead-letters") == [ALARM]
    story.now += 3 * 3600
    assert story.told("dead-letters") == [ALARM, OK]


@pytest.mark.slow
def test_rows_that_are_rejected_are_told_once_to_the_owner_of_their_table_until_none_waits(
    story: Story,
) -> None:
    both = [EXTRACT, TRANSFORM]
    story.tick(work=both)
    story.pipeline.sql("UPDATE sales_order SET agreed_delivery_date = 'soon' WHERE sales_order_id = 5")
    story.tick(2, work=both)
    story.pipeline.sql("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 7")
    story.tick(work=both)
    assert SPELLED["rows-rejected-sales-order"]["owner"] is not None
    assert story.told("rows-rejected-sales-order") == [ALARM]
    story.pipeline.sql("UPDATE sales_order SET agreed_delivery_date = '2024-12-24' WHERE sales_order_id = 5")
    story.tick(2, work=both)
    assert story.told("rows-rejected-sales-order") == [ALARM, OK]
    assert story.told("rows-rejected-payment") == []


def test_a_change_that_waits_too_long_is_told_until_it_is_loaded_and_nothing_on_a_quiet_day(
    story: Story, clock: Callable[[timedelta], None]
) -> None:
    story.tick(3)
    story.pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    story.tick()
    clock(timedelta(minutes=26))
    story.tick(3)
    # Captures that are missed say nothing new.
    story.now += 4 * TICK
    story.tick(2)
    assert story.told("freshness") == [ALARM]
    story.tick(2, work=[TRANSFORM, EXTRACT])
    assert story.told("freshness") == [ALARM, OK]


@pytest.mark.slow
def test_what_spark_does_not_take_is_told_after_an_hour_until_it_is_taken(
    story: Story, clock: Callable[[timedelta], None]
) -> None:
    story.tick()
    story.pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    spark = ("--engine", "spark")
    story.tick(2, work=[EXTRACT, TRANSFORM], forced=spark)
    assert story.told("handed-over") == []
    clock(timedelta(minutes=61))
    story.tick(2, work=[EXTRACT, TRANSFORM], forced=spark)
    assert story.told("handed-over") == [ALARM]
    story.pipeline.transform()
    story.tick(2)
    assert story.told("handed-over") == [ALARM, OK]


@pytest.mark.slow
def test_a_refused_secret_is_told_once_until_another_is_there(story: Story) -> None:
    alarm = SPELLED["secret-refused-shop-source"]
    # The pipeline's own name of the secret.
    renamed = {"secret": story.pipeline._source_secret}
    own = {**alarm, "metrics": {"refused": {**alarm["metrics"]["refused"], "of": renamed}}}
    story.tick(2)
    story.pipeline.use_source(story.pipeline.reader_dsn.replace("@", "x@"))
    story.tick(5)
    assert story.watch.messages(own, 0, story.now) == [OK, ALARM]
    story.pipeline.use_source(story.pipeline.reader_dsn)
    story.tick(5)
    assert story.watch.messages(own, 0, story.now) == [OK, ALARM, OK]
    assert story.told("job-failed-extract-cdc") == [ALARM, OK]


@pytest.mark.slow
def test_rows_that_differ_are_told_until_a_comparison_finds_none(story: Story) -> None:
    def compare() -> None:
        for name, value in record.metrics(story.pipeline.reconcile()).items():
            story.watch.put(story.now, name, value, {"job": "reconcile"})
        story.now += 24 * 3600

    def rename(design: str) -> None:
        with story.pipeline.server.connect(story.pipeline.warehouse) as warehouse:
            warehouse.execute("UPDATE dim_design SET design_name = %s WHERE design_id = 1", [design])

    compare()
    (was,) = story.pipeline.ask("SELECT design_name FROM dim_design WHERE design_id = 1")
    rename("Another")
    compare()
    # It lasts, although a day passes without a word.
    assert story.told("reconciliation") == [ALARM]
    rename(was[0])
    compare()
    assert story.told("reconciliation") == [ALARM, OK]


# ---------------------------------------------------------------- what Glue and EventBridge say


def alone() -> Story:
    """A story without a pipeline: Glue alone speaks."""
    return Story(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("job", sorted(PIPELINE.jobs))
@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED"])
def test_a_job_that_does_not_end_well_is_told_once_until_it_does(job: str, state: str) -> None:
    story = alone()
    for hour in range(30):
        story.watch.run_ended(hour * 3600, job, "SUCCEEDED" if hour in (0, 1, 28, 29) else state)
    story.now = 30 * 3600
    assert story.told(f"job-failed-{job.replace('_', '-')}") == [ALARM, OK]


@pytest.mark.parametrize("alarm", by_entry(SPELLED)["job-silent"])
def test_a_job_that_its_schedule_does_not_start_is_told_and_none_that_was_never_deployed_before(
    alarm: str,
) -> None:
    stated = SPELLED[alarm]
    (metric,) = stated["metrics"].values()
    waits = stated["seconds"] * stated["periods"]
    every = next(each for each in (86400, 3600, 600) if each < waits)
    story = alone()
    # The first deployment: nothing has run yet, for days, and nobody is told.
    assert story.watch.messages(stated, 0, 5 * 86400) == []
    runs = [5 * 86400 + every * number for number in range(4)]
    for at in runs:
        story.watch.run_ended(at + 60, metric["of"]["job"], "FAILED")
    silent = stated["seconds"] * (stated["periods"] + 4)
    back = runs[-1] + silent + every
    story.watch.run_ended(back, metric["of"]["job"], "SUCCEEDED")
    assert story.watch.messages(stated, 0, runs[-1] + every) == [OK]
    assert story.watch.messages(stated, 0, back + 2 * stated["seconds"]) == [OK, NO_DATA, OK]


def test_a_run_that_nears_its_limit_is_told() -> None:
    story = alone()
    story.watch.run_late(7200)
    story.now = 6 * 3600
    assert story.told("job-near-limit") == [ALARM, OK]


def test_metrics_that_do_not_arrive_are_told_and_captures_that_do_not_run_are_another_matter() -> None:
    story = alone()
    lost = range(6, 12)
    for tick in range(24 * 12):
        at = tick * TICK
        if not 12 <= at / 3600 < 16:  # four hours without a capture
            story.watch.run_ended(at, EXTRACT, "SUCCEEDED")
            if int(at / 3600) not in lost:
                story.watch.read(at, _seconds_run(EXTRACT))
    story.now = 24 * 3600
    assert story.told("metrics-lost") == [ALARM, OK]


@pytest.mark.parametrize(
    ("namespace", "metric"),
    [("AWS/Events", "FailedInvocations"), ("AWS/SQS", "ApproximateNumberOfMessagesVisible")],
)
def test_what_eventbridge_could_not_deliver_is_told(namespace: str, metric: str) -> None:
    story = alone()
    stated = next(m for m in SPELLED["undelivered"]["metrics"].values() if m["metric"] == metric)
    story.watch.put(3600, metric, 1, stated["of"], namespace)
    story.now = 7200
    assert story.told("undelivered") == [ALARM, OK]


def test_a_table_that_falls_silent_is_told_until_a_day_is_as_usual_again() -> None:
    story, emitted = alone(), io.StringIO()
    days = {date(2026, 11, 2) + timedelta(days=number): 100 for number in range(28)}
    days |= {date(2026, 11, 30): 0, date(2026, 12, 1): 0, date(2026, 12, 2): 100}
    catalogue = load_catalogue()

    @dataclass
    class Asked:
        def ask(self, _: str) -> list[tuple[str, str, int]]:
            return [("payment", str(day), rows) for day, rows in days.items()]

    for number, day in enumerate(sorted(days)[-3:]):
        story.now = (number + 1) * 86400.0
        emitted.truncate(0)
        emitted.seek(0)
        with contextlib.redirect_stdout(emitted):
            check_volume(cast("Athena", Asked()), catalogue, day)
        story.watch.read(story.now, emitted.getvalue())
    story.now += 86400
    assert story.told("volume-unusual") == [ALARM, OK]


@pytest.mark.parametrize("alarm", by_entry(SPELLED)["function-failed"])
def test_what_a_function_failed_at_is_told_until_its_queue_is_empty(alarm: str) -> None:
    story = alone()
    (metric,) = SPELLED[alarm]["metrics"].values()
    for at, count in ((3600, 1), (3900, 1), (4200, 0)):
        story.watch.put(at, metric["metric"], count, metric["of"], metric["namespace"])
    story.now = 7200
    assert story.told(alarm) == [ALARM, OK]


@pytest.mark.parametrize(
    "alarm", [name for entry in ("api-failing", "api-throttled") for name in by_entry(SPELLED)[entry]]
)
def test_an_api_that_does_not_answer_is_told_once_that_is_more_than_a_few_requests(alarm: str) -> None:
    story = alone()
    stated = SPELLED[alarm]
    (metric,) = stated["metrics"].values()

    def count(at: float, requests: float) -> None:
        story.watch.put(at, metric["metric"], requests, metric["of"], metric["namespace"])
        story.now = at + stated["seconds"]

    count(3600, stated["above"])
    assert story.told(alarm) == []
    for part in (1, stated["above"]):
        count(7200 + part, part)
    assert story.told(alarm) == [ALARM]
    story.now += 3600
    assert story.told(alarm) == [ALARM, OK]


def test_every_alarm_is_among_those_above_or_of_feeds() -> None:
    folder = Path(__file__).parents[1] / "integration" / "totesys"
    of_feeds = [folder / "test_rates.py", folder / "test_files.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__), *of_feeds))
    assert [entry for entry in by_entry(SPELLED) if f'"{entry}' not in text] == []
