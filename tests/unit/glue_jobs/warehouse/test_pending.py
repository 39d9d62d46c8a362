"""Which commits one load takes."""

from __future__ import annotations

from dataclasses import replace

from glue_jobs.lake.commits import Commit, DataObject, TableCommit
from glue_jobs.lake.rebuilds import Rebuilt
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
    commits = [commit("facts", 2, 5), commit("facts", 3, 6)]
    assert advance(Position(1, 1), commits, "of a lake") == Position(3, 6, "a", "of a lake")
    assert advance(Position(1, 1), []) == Position(1, 1)


def anew(stage: str, sequence: int, last_batch: int, request: int) -> Commit:
    return replace(commit(stage, sequence, last_batch), state=Rebuilt(request, sequence).state)


def after(stage: str, sequence: int, last_batch: int, since: Commit) -> Commit:
    return replace(commit(stage, sequence, last_batch), state=since.state)


def test_what_both_stages_built_anew_takes_the_place_of_all_before_it() -> None:
    dimensions = [commit("dimensions", 1, 1), anew("dimensions", 2, 2, 1)]
    facts = [commit("facts", 1, 1), commit("facts", 2, 2), anew("facts", 3, 2, 1)]
    facts.append(after("facts", 4, 2, facts[-1]))
    chosen = choose(NOTHING, dimensions, facts)
    assert chosen.replaces
    assert (chosen.dimensions, chosen.facts) == ((dimensions[1],), tuple(facts[2:]))


def test_half_a_rebuild_waits_and_what_was_before_it_does_not() -> None:
    dimensions = [commit("dimensions", 1, 1), anew("dimensions", 2, 2, 1)]
    dimensions.append(after("dimensions", 3, 3, dimensions[-1]))
    facts = [commit("facts", 1, 1)]
    chosen = choose(NOTHING, dimensions, facts)
    assert not chosen.replaces
    assert (chosen.dimensions, chosen.facts) == ((dimensions[0],), (facts[0],))


def test_facts_built_anew_wait_for_dimensions_of_their_batch() -> None:
    dimensions, facts = [anew("dimensions", 1, 1, 1)], [anew("facts", 1, 2, 1)]
    assert choose(NOTHING, dimensions, facts).commits == ()


def test_the_last_rebuild_that_both_finished_counts_and_a_later_half_one_waits() -> None:
    dimensions = [anew("dimensions", 1, 1, 1), anew("dimensions", 2, 2, 2)]
    facts = [anew("facts", 1, 1, 1)]
    chosen = choose(NOTHING, dimensions, facts)
    assert chosen.replaces
    assert chosen.dimensions == (dimensions[0],)
