"""What the status says of tables that a person has to look at."""

from __future__ import annotations

import datetime as dt

from glue_jobs.lake.commits import Commit
from glue_jobs.lake.source_state import NEW, CaptureState, Pause, SourceState
from glue_jobs.transformation.hand_over import HandOver
from lakehouse.status import PausedTable, Status, paused_tables, status_text

SINCE = "2024-11-15T10:00:00.000Z"
NOW = dt.datetime(2024, 11, 15, 10, 3, 20, tzinfo=dt.UTC)


def capture(**tables: CaptureState) -> Commit:
    return Commit("capture", 7, "a", SINCE, 7, 7, {}, SourceState(tables=tables).state)


def test_held_tables_are_told_with_reason_time_and_letters() -> None:
    found = capture(
        staff=CaptureState(xmin_horizon=5, pause=Pause("It may not be read.", SINCE)),
        address=CaptureState(xmin_horizon=5),
        payment=CaptureState(
            xmin_horizon=5, pause=Pause("It was renamed.", SINCE, conflict="c", quarantined=12)
        ),
    )
    assert paused_tables(found) == (
        PausedTable("payment", SINCE, "It was renamed.", 12),
        PausedTable("staff", SINCE, "It may not be read.", 0),
    )
    assert paused_tables(capture(staff=NEW)) == ()
    assert paused_tables(None) == ()


def test_the_text_names_what_a_person_has_to_look_at() -> None:
    quiet = Status((), None, None, None, 0, (), {})
    held = (PausedTable("payment", SINCE, "It was renamed.", 12),)
    loud = Status((), None, None, None, 12, held, {"staff": ["shoe_size", "hat"]})
    assert "paused" not in status_text(quiet, NOW)
    assert quiet.needs_a_person == ()
    text = status_text(loud, NOW)
    assert "payment was paused 3 min ago, with 12 dead letters:\n  It was renamed." in text
    assert "staff has columns that its contract does not state, and that are left out: shoe_size, hat" in text
    assert loud.as_dict()["held"][0]["table"] == "payment"
    assert loud.needs_a_person == ("payment is paused", "12 unresolved dead letters: lakehouse dead-letters")


def test_what_was_handed_over_to_spark_is_told_with_batches_time_and_reason() -> None:
    request = HandOver(3, SINCE, 5, 7, 0, "1,000,001 rows wait, more than 1,000,000")
    status = Status((), None, None, None, 0, (), {}, handed_over=request)
    told = "batches 5 to 7, 3 min ago: 1,000,001 rows wait, more than 1,000,000"
    assert f"handed over to Spark         {told}" in status_text(status, NOW)
    assert status.as_dict()["handed_over"]["last_batch"] == 7
