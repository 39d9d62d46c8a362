"""What a run did, in numbers and in one line."""

from __future__ import annotations

from glue_jobs.lake.commits import STAGES, Commit, TableCommit
from lakehouse.run_outcome import RunOutcome, outcome_of


def commit(stage: str, tables: dict[str, dict[str, int]]) -> Commit:
    at = "2024-11-18T10:00:30.500Z"
    return Commit(stage, 1, "a", at, 1, 1, {name: TableCommit(counts) for name, counts in tables.items()})


def test_an_outcome_sums_the_commits_of_a_run() -> None:
    outcome = outcome_of(
        {
            "capture": [
                commit("capture", {"staff": {"accepted": 2}, "design": {"accepted": 0}}),
                commit("capture", {"staff": {"accepted": 1}}),
            ],
            "validate": [commit("validate", {"staff": {"read": 3, "accepted": 2, "rejected": 1}})],
            "dimensions": [commit("dimensions", {"dim_staff": {"new": 4}, "_current/staff": {"new": 3}})],
            "facts": [commit("facts", {"fact_payment": {"new": 5}, "fact_sales_order": {"read": 1}})],
            "load": [commit("load", {"dim_staff": {"new": 4}, "fact_payment": {"new": 5}})],
        }
    )
    # 2024-11-18T10:00:30.5Z
    expected = RunOutcome({"staff": 3}, 2, 1, versions=9, loaded=9, loaded_at=1731924030.5)
    assert outcome == expected
    assert outcome.rows == 3


def test_the_line_names_the_command_that_shows_what_was_rejected() -> None:
    line = RunOutcome({"staff": 1_000}, 991, 9, versions=1, loaded=1).as_text()
    judged = "991 accepted, 9 rejected (lakehouse dead-letters)"
    assert line == f"1,000 rows captured · {judged} · 1 new version · 1 row loaded"
    assert "dead-letters" not in RunOutcome({"staff": 1}, 1, 0, 1, 1).as_text()


def test_a_run_without_commits_says_that_nothing_had_changed() -> None:
    outcome = outcome_of({stage: [] for stage in STAGES})
    assert outcome == RunOutcome()
    assert outcome.as_text() == "nothing had changed"


def test_a_run_that_failed_does_not_say_what_it_does_not_know() -> None:
    assert RunOutcome().as_text(failed=True) == "nothing was done"
    assert RunOutcome({"staff": 2}).as_text(failed=True).startswith("2 rows captured")
