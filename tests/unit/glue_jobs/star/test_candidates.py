from __future__ import annotations

from glue_jobs.star.candidates import KeyRange, candidates

RANGES: dict[str, KeyRange] = {"m=1": (1, 100), "m=2": (101, 200), "m=3": (50, 60), "m=4": (None, None)}


def test_the_partition_that_a_row_names_is_read_even_if_its_key_is_new_there() -> None:
    assert candidates({"m=1": (1, 100)}, ["m=1"], [(500, 500)]) == {"m=1"}


def test_a_partition_that_does_not_exist_yet_is_not_read() -> None:
    assert candidates({}, ["m=9"], [(1, 5)]) == set()


def test_every_partition_whose_range_holds_an_incoming_key_is_read() -> None:
    assert candidates(RANGES, [], [(55, 55)]) == {"m=1", "m=3", "m=4"}


def test_intervals_that_overlap_count_as_one() -> None:
    assert candidates(RANGES, [], [(90, 120), (95, 99), (110, 115)]) == {"m=1", "m=2", "m=4"}


def test_a_partition_of_unknown_range_is_always_read() -> None:
    assert candidates({"m=4": (None, None)}, [], [(1, 1)]) == {"m=4"}


def test_nothing_incoming_reads_only_what_is_unknown() -> None:
    assert candidates({"m=1": (1, 100)}, [], []) == set()
