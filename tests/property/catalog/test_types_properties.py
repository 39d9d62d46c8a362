"""Decimals: what is accepted from the source always fits, and what does not fit is refused."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.types import arrow_type, parse_type, postgres_accepts

digits = st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p)))


@given(digits)
def test_a_decimal_is_written_as_it_is_read(wanted: tuple[int, int]) -> None:
    precision, scale = wanted
    assert str(parse_type(f"decimal({precision},{scale})")) == f"decimal({precision},{scale})"


@given(digits, digits)
def test_a_source_decimal_is_accepted_exactly_when_its_extremes_fit(
    wanted: tuple[int, int], declared: tuple[int, int]
) -> None:
    kind = parse_type("decimal({},{})".format(*wanted))
    precision, scale = declared
    extreme = Decimal((0, (9,) * precision, -scale))
    if postgres_accepts(kind, f"numeric({precision},{scale})"):
        both = [extreme, extreme.copy_negate()]
        assert pa.array(both, arrow_type(kind)).to_pylist() == both
    else:
        with pytest.raises(pa.ArrowInvalid):
            pa.array([extreme], arrow_type(kind))
