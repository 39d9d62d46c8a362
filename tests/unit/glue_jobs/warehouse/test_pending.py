"""Which commits one load takes."""

from __future__ import annotations

from glue_jobs.lake.commits import Commit, DataObject, TableCommit
from glue_jobs.warehouse.pending import Position, advance, choose

NOTHING = {"dimensions": Position(), "facts": Position()}


def commit(stage: str, sequence: int, last_batch: int, *keys: str) -> Commit:
    changes = tuple(DataObject(key, 1, 1, "") for key in keys)
    return Commit(stage, sequence, "a", "", last_batch, last_batch, {"t": TableCommit(changes=changes)})


def test_facts_beyond_the_dimensions_wait() -> None:
    dimensions = [commit("dimensions", 1, 2)]
    facts = [commit("facts", 1, 1), commit("facts", 2, 2), commit("facts", 3, 3)]
    assert choose(NOTHING, dimensions, facts).facts == tuple(facts[:2])


def test_dimensions_that_are_loaded_already_let_facts_through() -> None:
    positions = {"dimensions": Position(4, 9), "facts": Position(2, 8)}
    assert len(choose(positions, [], [commit("facts", 3, 9), commit("facts", 4, 10)]).facts) == 1


def test_dimensions_wait_for_nothing() -> None:
    assert len(choose(NOTHING, [commit("dimensions", 1, 5)], []).dimensions) == 1


def test_a_table_s_objects_come_oldest_first() -> None:
    chosen = choose(NOTHING, [commit("dimensions", 1, 1, "a", "b"), commit("dimensions", 2, 2, "c")], [])
    assert [data.key for data in chosen.objects("t")] == ["a", "b", "c"]
    assert chosen.objects("another") == ()


def test_a_position_moves_to_the_last_commit_and_stays_without_one() -> None:
    assert advance(Position(1, 1), [commit("facts", 2, 5), commit("facts", 3, 6)]) == Position(3, 6)
    assert advance(Position(1, 1), []) == Position(1, 1)
