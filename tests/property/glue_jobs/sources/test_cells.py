"""Cells: exact, or empty with their text; never another value."""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from catalog.model import Column
from catalog.types import FINE_MOMENTS, MOMENTS, parse_type
from glue_jobs.sources import cells

LAST_SHOWN = dt.datetime(9999, 12, 31, 23, 59, 59, 999_499)  # noqa: DTZ001 - the lake's times have no zone
"""The last time that is of this calendar where it is rounded to milliseconds, too."""

MILLIS = st.datetimes().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))


def _column(kind: str) -> Column:
    return Column(name="c", type=parse_type(kind), nullable=True, description="c")


@given(st.lists(st.one_of(st.none(), MILLIS)))
def test_times_of_the_common_calendar_are_exact(times: list[dt.datetime | None]) -> None:
    typed, odd = cells.cast(pa.array(times, pa.timestamp("us")), _column("timestamp"))
    assert typed.type == pa.timestamp("ms")
    assert typed.to_pylist() == times
    assert not odd


@given(st.lists(st.one_of(st.none(), st.datetimes(max_value=LAST_SHOWN))), st.sampled_from(FINE_MOMENTS))
def test_times_keep_six_digits_where_the_contract_says_so(times: list[dt.datetime | None], kind: str) -> None:
    delivered = pa.array(times, pa.timestamp("us", "UTC" if kind == "timestamptz" else None))
    typed, odd = cells.cast(delivered, _column(kind))
    assert typed.type == pa.timestamp("us")
    assert (typed.to_pylist(), odd) == (times, {})


def test_what_would_be_rounded_out_of_the_calendar_stands_beside_its_cell() -> None:
    last = [LAST_SHOWN + dt.timedelta(microseconds=more) for more in (0, 1, 500)]
    typed, odd = cells.cast(pa.array(last, pa.timestamp("us")), _column("timestamp(6)"))
    assert typed.to_pylist() == [LAST_SHOWN, None, None]
    assert odd == {1: "9999-12-31 23:59:59.9995", 2: "9999-12-31 23:59:59.999999"}


@given(st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([-0.0, -float("nan")]))))
def test_binary_numbers_are_the_same_to_the_bit_and_what_is_none_has_one_form(
    numbers: list[float | None],
) -> None:
    typed, odd = cells.cast(pa.array(numbers, pa.float64()), _column("double"))
    assert not odd
    for stated, held in zip(numbers, typed.to_pylist(), strict=True):
        if stated is None or held is None:
            assert stated is held
        else:
            one = math.nan if math.isnan(stated) else stated
            assert struct.pack("d", held) == struct.pack("d", one)


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=30), st.sampled_from(MOMENTS)
)
def test_any_integer_for_a_time_is_kept_or_told_apart(micros: list[int | None], kind: str) -> None:
    typed, odd = cells.cast(pa.array(micros, pa.int64()).view(pa.timestamp("us")), _column(kind))
    step = 1000 if kind == "timestamp" else 1
    for row, (stated, held) in enumerate(zip(micros, typed.view(pa.int64()).to_pylist(), strict=True)):
        if held is not None:
            assert held * step == stated
            assert row not in odd
        else:
            assert (row in odd) == (stated is not None)


@given(st.datetimes())
def test_the_text_of_a_time_reads_back_as_the_time(moment: dt.datetime) -> None:
    micros = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001
    date, _, fraction = cells.timestamp_text(micros).partition(".")
    assert dt.datetime.fromisoformat(f"{date}.{fraction:0<6}") == moment


@given(st.dates())
def test_the_text_of_a_date_reads_back_as_the_date(day: dt.date) -> None:
    assert cells.date_text((day - dt.date(1970, 1, 1)).days) == day.isoformat()
    typed, odd = cells.cast(pa.array([day]), _column("date"))
    assert (typed.to_pylist(), odd) == ([day], {})


AMOUNTS = st.decimals(-(10**12), 10**12, places=2, allow_nan=False)


@given(st.lists(st.one_of(st.none(), AMOUNTS, st.sampled_from(["nan", "inf", "-inf", "1.005", "1E+30"]))))
def test_a_decimal_is_exact_or_beside(amounts: list[Decimal | str | None]) -> None:
    texts = [None if a is None else str(a) for a in amounts]
    typed, odd = cells.cast(pa.array(texts, pa.string()), _column("decimal(10,2)"))
    for row, (text, held) in enumerate(zip(texts, typed.to_pylist(), strict=True)):
        if held is not None:
            assert text is not None
            assert held == Decimal(text)
        elif text is not None:
            assert odd[row] == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text)
            assert not Decimal(text).is_finite() or abs(Decimal(text)) >= 10**8 or text == "1.005"


@given(st.lists(st.one_of(st.none(), st.binary())))
def test_bytes_are_text_or_beside(raw: list[bytes | None]) -> None:
    delivered = pa.array(raw, pa.binary()).cast(pa.string(), safe=False)
    typed, odd = cells.cast(
        pa.Array.from_buffers(pa.string(), len(raw), delivered.buffers()), _column("text")
    )
    typed.validate(full=True)
    for row, (stated, held) in enumerate(zip(raw, typed.to_pylist(), strict=True)):
        if held is not None:
            assert held.encode() == stated
        else:
            assert (row in odd) == (stated is not None)


@given(st.integers(1, 20), st.data())
def test_odd_cells_are_gathered_by_row(rows: int, data: st.DataObject) -> None:
    row = st.integers(0, rows - 1)
    odd = data.draw(st.dictionaries(st.text(min_size=1), st.dictionaries(row, st.text(), min_size=1)))
    found = [None if text is None else json.loads(text) for text in cells.unparseable(rows, odd).to_pylist()]
    for number, gathered in enumerate(found):
        expected = {column: texts[number] for column, texts in odd.items() if number in texts}
        assert (gathered or {}) == expected
