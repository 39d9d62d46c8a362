"""What becomes of batches and tables, out of the records that stages leave."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.lake.layout import from_iso
from lakehouse.console.reading import Batch, batches_of, news_of
from lakehouse.dead_letters import DeadLetter
from lakehouse.status import PausedTable, Status

NOW = from_iso("2026-11-30T12:00:00.000Z")
DESIGN = load_catalogue().raw["design"]


def record(
    stage: str, first: int, last: int, at: str = "2026-11-30 10:00:00.000", **counts: Any
) -> dict[str, Any]:
    """A row of ``batch_records`` as Athena writes it."""
    rows = dict.fromkeys(("rows_read", "rows_accepted", "rows_rejected", "rows_new"))
    named = {"stage": stage, "table_name": "design", "first_batch": str(first), "last_batch": str(last)}
    return {**named, "snapshot_at": at, "committed_at": at, **rows, **{k: str(v) for k, v in counts.items()}}


def status(*held: PausedTable) -> Status:
    return Status((), None, None, None, 0, held, {})


def test_a_batch_tells_what_it_brought_what_was_judged_and_when_it_was_loaded() -> None:
    rows = [
        record("capture", 1, 1, rows_read=5),
        record("validate", 1, 1, rows_accepted=4, rows_rejected=1),
        record("load", 1, 1, "2026-11-30 10:01:00.000", rows_new=4),
    ]
    counts = {"captured": 5, "accepted": 4, "rejected": 1}
    (batch,) = batches_of(rows)
    assert batch == Batch(1, "2026-11-30 10:00:00.000", {"design": counts}, "2026-11-30 10:01:00.000", 4)
    assert (batch.total("captured"), batch.total("rejected")) == (5, 1)


def test_one_load_may_bring_several_batches_and_what_waits_has_none() -> None:
    rows = [
        *(record("capture", number, number, rows_read=1) for number in (1, 2, 3)),
        record("load", 1, 2, "2026-11-30 10:05:00.000", rows_new=2),
    ]
    assert [(one.number, one.loaded_at) for one in batches_of(rows)] == [
        (3, None),
        (2, "2026-11-30 10:05:00.000"),
        (1, "2026-11-30 10:05:00.000"),
    ]


def test_a_week_is_compared_with_the_average_of_the_three_before() -> None:
    rows = [
        record("capture", 4, 4, "2026-11-29 10:00:00.000", rows_read=40),
        record("capture", 3, 3, "2026-11-20 10:00:00.000", rows_read=30),
        record("capture", 2, 2, "2026-11-05 10:00:00.000", rows_read=30),
    ]
    news = news_of(DESIGN, rows, [], [], status(), NOW)
    assert (news.week, news.before, news.captured_at) == (40, 20, "2026-11-29 10:00:00")
    nothing = news_of(DESIGN, [], [], [], status(), NOW)
    assert (nothing.week, nothing.before, nothing.captured_at) == (0, 0, None)


@pytest.mark.parametrize(
    ("verdicts", "shown"),
    [(["equal", "equal"], "equal"), (["equal", "different"], "different"), ([], None)],
)
def test_the_worst_that_was_found_of_a_table_is_shown(verdicts: list[str], shown: str | None) -> None:
    compared = [{"table_name": "design", "verdict": verdict} for verdict in verdicts]
    assert news_of(DESIGN, [], compared, [], status(), NOW).compared == shown


def test_a_paused_table_says_why_and_dead_letters_are_its_own() -> None:
    letters = [DeadLetter(table, 1, 1, 1, "2026-11-30T10:00:00.000Z", ()) for table in ("design", "staff")]
    held = PausedTable("design", "2026-11-30T10:00:00.000Z", "A column is missing.", 0)
    news = news_of(DESIGN, [], [], letters, status(held), NOW)
    assert (news.paused, news.dead_letters) == ("A column is missing.", 1)
