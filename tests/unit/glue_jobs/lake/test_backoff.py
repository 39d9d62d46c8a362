"""How long a job waits that can only end as before."""

from __future__ import annotations

from datetime import datetime, timedelta

from glue_jobs.lake.backoff import Wait
from glue_jobs.lake.layout import from_iso

NOON = datetime.fromisoformat("2026-11-29T12:00:00")
CAUSES = {"secret:shop/source": "one"}


def test_the_wait_grows_from_five_minutes_to_an_hour() -> None:
    wait, now, minutes = Wait("extract_cdc"), NOON, []
    for _ in range(7):
        wait = wait.again("It is refused.", CAUSES, now)
        minutes.append((from_iso(wait.until) - now).total_seconds() / 60)
        now = from_iso(wait.until)
    assert minutes == [5, 10, 20, 40, 60, 60, 60]
    assert (wait.tries, wait.number, wait.since) == (7, 7, "2026-11-29T12:00:00.000Z")


def test_it_holds_until_its_time_or_until_a_cause_says_something_else() -> None:
    wait = Wait("extract_cdc").again("It is refused.", CAUSES, NOON)
    assert wait.holds(NOON + timedelta(minutes=4, seconds=59), CAUSES)
    assert not wait.holds(NOON + timedelta(minutes=5), CAUSES)
    assert not wait.holds(NOON, {"secret:shop/source": "two"})
    assert not wait.over().holds(NOON, CAUSES)
    assert not Wait("extract_cdc").holds(NOON, {})


def test_what_ends_for_another_cause_begins_with_a_short_wait() -> None:
    wait = Wait("transform")
    for _ in range(4):
        wait = wait.again("It is refused.", CAUSES, NOON)
    wait = wait.again("A batch awaits approval.", {"object:a": "missing"}, NOON)
    assert (wait.tries, wait.until) == (1, "2026-11-29T12:05:00.000Z")
