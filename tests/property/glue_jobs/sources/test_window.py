"""Which versions are new, across turns of the 32-bit counter; and what id the lake gives them."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.sources.capture_query import Window, row_positions, version_ids

TURN = 2**32


@given(
    st.integers(3, 2**40),
    st.lists(st.integers(0, TURN - 1), min_size=1, max_size=20),
    st.integers(0, TURN - 1),
)
def test_a_version_is_new_when_its_wide_id_is_not_below_the_base(
    high: int, ages: list[int], back: int
) -> None:
    base = max(high - back, 0)
    wide = [high - age for age in ages if high - age >= 0] or [high]
    narrow = [number % TURN for number in wide]
    raw = pa.array([number.to_bytes(4, "big") for number in narrow], pa.binary())
    assert version_ids(raw, high).tolist() == wide
    # Any SQL engine will do for the arithmetic; the casts are PostgreSQL's.
    condition = Window(base, high).condition.replace("xmin", "n.x")
    values = ", ".join(f"({number})" for number in narrow)
    found = duckdb.sql(f"SELECT {condition} FROM (VALUES {values}) AS n(x)").fetchall()
    assert [new for (new,) in found] == [number >= base for number in wide]


@given(st.lists(st.tuples(st.integers(0, TURN - 1), st.integers(0, 2**16 - 1)), min_size=1, max_size=20))
def test_a_place_names_block_and_item(found: list[tuple[int, int]]) -> None:
    raw = pa.array([block.to_bytes(4, "big") + item.to_bytes(2, "big") for block, item in found], pa.binary())
    assert row_positions(raw).tolist() == [65_536 * block + item for block, item in found]
    assert row_positions(raw.slice(1)).tolist() == [65_536 * block + item for block, item in found[1:]]
