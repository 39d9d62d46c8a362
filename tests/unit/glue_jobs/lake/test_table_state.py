"""What a stage of the star states of a table comes back out of its commit."""

from __future__ import annotations

from glue_jobs.lake.commits import Commit, TableCommit
from glue_jobs.lake.table_state import TABLES, TableState


def test_a_table_state_comes_back_out_of_a_commit() -> None:
    stated = TableState(
        {"created_month=2024-11": "0000000001-a", "created_month=2024-12": "0000000001-a"},
        {"created_month=2024-11": ((1, "a"), (7, "z")), "created_month=2024-12": (None, None)},
        41,
        frozenset({2024, 2025}),
    )
    table = TableCommit(versions=stated.versions)
    commit = Commit("facts", 1, "a", "", 1, 1, {"fact": table}, {TABLES: {"fact": stated.state}})
    assert TableState.of(commit, "fact") == stated
    assert stated.state["key_ranges"]["created_month=2024-11"] == [[1, "a"], [7, "z"]]
    assert stated.leading_key_ranges == {
        "created_month=2024-11": (1, 7),
        "created_month=2024-12": (None, None),
    }


def test_a_table_that_no_commit_states_is_empty() -> None:
    commit = Commit("facts", 1, "a", "", 1, 1)
    assert TableState.of(None, "fact") == TableState.of(commit, "fact") == TableState()
