"""Keys and versions as sets: what goes in comes out, and membership is exact."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap64

from glue_jobs.lake import live_keys

KEYS = st.integers(-(2**63), 2**63 - 1)


def _array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(st.lists(KEYS))
def test_keys_come_back_from_their_bitmap(keys: list[int]) -> None:
    bitmap = live_keys.keys_of(_array(keys))
    stored = BitMap64.deserialize(bitmap.serialize())
    assert sorted(live_keys.values_of(stored).tolist()) == sorted(set(keys))


@given(st.lists(KEYS), st.lists(KEYS))
def test_membership_is_exact(keys: list[int], asked: list[int]) -> None:
    values = [*asked, *keys[:3]]
    found = live_keys.contains(_array(values), live_keys.keys_of(_array(keys)))
    assert found.tolist() == [value in set(keys) for value in values]


@given(st.lists(KEYS, max_size=40), st.integers(1, 6))
def test_spans_hold_every_key_and_leave_out_the_widest_gaps(keys: list[int], at_most: int) -> None:
    spans = live_keys.spans_of(live_keys.keys_of(_array(keys)), at_most)
    assert all(any(low <= key <= high for low, high in spans) for key in keys)
    wanted = sorted(set(keys))
    assert len(spans) <= min(at_most, len(wanted))
    ends = [end for span in spans for end in span]
    assert ends == sorted(ends)
    assert set(ends) <= set(wanted)
    covered = [high - low for low, high in pairwise(wanted)]
    inside = sum(high - low for low, high in spans)
    assert inside == sum(sorted(gap for gap in covered if gap > 1)[: -(at_most - 1) or None]) + covered.count(
        1
    )


def test_more_keys_than_are_worth_it_have_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_keys, "SPANNED_KEYS", 3)
    assert live_keys.spans_of(live_keys.keys_of(_array([1, 2, 9]))) == ((1, 2), (9, 9))
    assert live_keys.spans_of(live_keys.keys_of(_array([1, 2, 3, 9]))) == ()
    assert live_keys.spans_of(BitMap64()) == ()


SMALL_PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)))


@given(SMALL_PAIRS, SMALL_PAIRS)
def test_versions_are_known_by_key_and_id_together(
    known: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    versions = live_keys.versions_of(_array([k for k, _ in known]), _array([i for _, i in known]))
    found = versions.contains(_array([k for k, _ in asked]), _array([i for _, i in asked]))
    assert found.tolist() == [pair in set(known) for pair in asked]
    assert len(versions) == len(set(known))
