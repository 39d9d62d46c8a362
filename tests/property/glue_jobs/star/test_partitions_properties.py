"""Candidate partitions against the definition, key by key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.star.candidates import KeyRange, candidates

KEYS = st.integers(-50, 50)
RANGES = st.dictionaries(
    st.integers(1, 20).map("m={}".format),
    st.one_of(st.just((None, None)), st.tuples(KEYS, KEYS).map(lambda pair: (min(pair), max(pair)))),
)


@given(RANGES, st.sets(st.integers(1, 25).map("m={}".format)), st.lists(st.tuples(KEYS, KEYS)))
def test_no_partition_that_may_hold_an_incoming_key_is_left_out_and_no_other_is_read(
    ranges: dict[str, KeyRange], arriving: set[str], pairs: list[tuple[int, int]]
) -> None:
    intervals = [(min(pair), max(pair)) for pair in pairs]
    incoming = {key for low, high in intervals for key in range(low, high + 1)}
    expected = {
        spec
        for spec, (low, high) in ranges.items()
        if spec in arriving or low is None or high is None or incoming & set(range(low, high + 1))
    }
    assert candidates(ranges, arriving, intervals) == expected
