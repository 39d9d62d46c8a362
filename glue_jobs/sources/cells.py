"""Cells: from what the driver delivers to what the contract declares, exactly or not at all.

A cell that its column's type cannot hold becomes null, and the text that PostgreSQL would print for it is
kept beside it. Nothing is rounded and nothing raises: one odd cell costs neither its row nor its neighbours.

The driver (ADBC) adds the difference between PostgreSQL's epoch and Unix's to 64-bit microseconds and lets
the sum wrap around, which turns infinities and the last thirty years of PostgreSQL's range into nonsense.
Wrapping loses nothing, so taking the difference off again gives back the integer that the server holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Optional

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.model import NOT_KEPT, Column
from catalog.types import FLOATS, MOMENTS, LogicalType, arrow_type

EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from."""

DAY_MICROS = 86_400_000_000
FIRST_DAY = -719_162
"""0001-01-01, in days since 1970: the first day that every reader of the lake can hold."""

END_DAY = 2_932_897
"""10000-01-01: the first day that not every reader can hold."""

Odd = Mapping[int, str]
"""Row number in a batch to the source's own text, for cells that the type cannot hold."""

_NONE: Odd = {}
_NUMERIC_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def cast(array: pa.Array, column: Column) -> tuple[pa.Array, Odd]:
    """One column of a batch as its contract declares it.

    Args:
        array: The column as the driver delivers it.
        column: What the contract says of it.

    Returns:
        The array in the lake's type, null where the type cannot hold the cell, and the texts of those cells.
    """
    plain = array.storage if isinstance(array, pa.ExtensionArray) else array
    return _CONVERTERS.get(column.type.name, _as_is)(plain, column.type)


def unparseable(rows: int, odd: Mapping[str, Odd]) -> pa.Array:
    """The lineage column of odd cells: a JSON object from column to text, null where a row has none.

    Args:
        rows: Rows in the batch.
        odd: The odd cells by column.
    """
    by_row: dict[int, dict[str, str]] = {}
    for column, cells in odd.items():
        for row, text in cells.items():
            by_row.setdefault(row, {})[column] = text
    if not by_row:
        return pa.nulls(rows, pa.string())
    return pa.array(
        [json.dumps(by_row[row], ensure_ascii=False) if row in by_row else None for row in range(rows)],
        pa.string(),
    )


def lengths(array: pa.Array, limit: int) -> Odd:
    """What stands in the place of cells that were too long to be captured: how long they are.

    Args:
        array: Their lengths in bytes; null where a cell was captured.
        limit: What the contract allows.
    """
    return {
        row: NOT_KEPT.format(length=length, limit=limit)
        for row, length in enumerate(array.to_pylist())
        if length is not None
    }


def timestamp_text(unix_micros: int) -> str:
    """What PostgreSQL prints (ISO style) for the timestamp that the driver delivers as this integer.

    Of one with a zone the driver delivers the time in UTC, and so it is printed, without the zone.
    """
    micros = _wrapped(unix_micros - EPOCH_DAYS * DAY_MICROS, 64)
    if micros in (-(2**63), 2**63 - 1):
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, DAY_MICROS)
    date, era = _date_parts(days + EPOCH_DAYS)
    return f"{date} {time_text(rest)}{era}"


def date_text(unix_days: int) -> str:
    """What PostgreSQL prints (ISO style) for the date that the driver delivers as this integer."""
    days = _wrapped(unix_days - EPOCH_DAYS, 32)
    if days in (-(2**31), 2**31 - 1):
        return "infinity" if days > 0 else "-infinity"
    date, era = _date_parts(days + EPOCH_DAYS)
    return f"{date}{era}"


def time_text(micros: int) -> str:
    """What PostgreSQL prints for a time of day, 24:00:00 included."""
    seconds, fraction = divmod(micros, 1_000_000)
    digits = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{digits}"


def _wrapped(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def _date_parts(unix_days: int) -> tuple[str, str]:
    """The date and the era's suffix, by the proleptic Gregorian calendar in cycles of 400 years."""
    cycle, day = divmod(unix_days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    shifted = (5 * day + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9  # March is month 0 of this calendar
    year += cycle * 400 + (month <= 2)
    day += 1 - (153 * shifted + 2) // 5
    shown, era = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04d}-{month:02d}-{day:02d}", era


def _as_is(array: pa.Array, kind: LogicalType) -> tuple[pa.Array, Odd]:
    return array.cast(arrow_type(kind)), _NONE


def _text(array: pa.Array, _: LogicalType) -> tuple[pa.Array, Odd]:
    # A database without an encoding (SQL_ASCII) holds any bytes.
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return _replaced(array.cast(pa.binary()), _utf8_or_text, pa.string())
    return array.cast(pa.string()), _NONE


def _utf8_or_text(cell: bytes) -> tuple[Optional[str], str]:
    try:
        return cell.decode(), ""
    except UnicodeDecodeError:
        return None, cell.decode(errors="backslashreplace")


def _decimal(array: pa.Array, kind: LogicalType) -> tuple[pa.Array, Odd]:
    wanted = arrow_type(kind)
    try:
        return array.cast(wanted), _NONE
    except pa.ArrowInvalid:
        return _replaced(array, lambda cell: _decimal_or_text(cell, wanted), wanted)


def _decimal_or_text(cell: str, wanted: pa.DataType) -> tuple[Optional[Decimal], str]:
    if cell in _NUMERIC_WORDS:
        return None, _NUMERIC_WORDS[cell]
    value = Decimal(cell)
    try:
        pa.scalar(value, wanted)
    except pa.ArrowInvalid:
        return None, cell
    return value, ""


def _replaced(
    array: pa.Array, convert: Callable[..., tuple[Optional[object], str]], wanted: pa.DataType
) -> tuple[pa.Array, Odd]:
    """Cell by cell, for the rare batch that has an odd one."""
    values: list[Optional[object]] = []
    odd: dict[int, str] = {}
    for row, cell in enumerate(array.to_pylist()):
        value, text = (None, "") if cell is None else convert(cell)
        if cell is not None and value is None:
            odd[row] = text
        values.append(value)
    return pa.array(values, wanted), odd


def _timestamp(array: pa.Array, kind: LogicalType) -> tuple[pa.Array, Odd]:
    wanted = arrow_type(kind)
    step = 1 if wanted.unit == "us" else 1000
    # What Athena would round up to the first day that not every reader can hold is not held, either.
    first, end = FIRST_DAY * DAY_MICROS, END_DAY * DAY_MICROS - (500 if step == 1 else 0)
    if _within(array, first, end):
        try:
            return array.cast(wanted), _NONE
        except pa.ArrowInvalid:  # digits below the millisecond
            pass
    micros, valid = _integers(array, np.int64)
    fits = (micros >= first) & (micros < end) & (micros % step == 0)
    held = pa.array(micros // step, mask=~(valid & fits))
    return held.view(wanted), _texts(micros, valid & ~fits, timestamp_text)


def _float(array: pa.Array, kind: LogicalType) -> tuple[pa.Array, Odd]:
    numbers = array.cast(arrow_type(kind))
    no_number = pc.is_nan(numbers)
    if pc.any(no_number).as_py():
        # Its bits differ by how it came about; PostgreSQL shows one NaN, and so does the lake.
        numbers = pc.if_else(no_number, pa.scalar(math.nan, numbers.type), numbers)
    return numbers, _NONE


def _date(array: pa.Array, _: LogicalType) -> tuple[pa.Array, Odd]:
    if _within(array, FIRST_DAY, END_DAY):
        return array, _NONE
    days, valid = _integers(array, np.int32)
    fits = (days >= FIRST_DAY) & (days < END_DAY)
    return pa.array(days, mask=~(valid & fits)).view(pa.date32()), _texts(days, valid & ~fits, date_text)


def _time(array: pa.Array, _: LogicalType) -> tuple[pa.Array, Odd]:
    micros, valid = _integers(array, np.int64)
    fits = (micros < DAY_MICROS) & (micros % 1000 == 0)
    millis = pa.array((micros // 1000).astype(np.int32), mask=~(valid & fits))
    # The lake keeps a time of day as text, HH:MM:SS.mmm.
    return millis.view(pa.time32("ms")).cast(pa.string()), _texts(micros, valid & ~fits, time_text)


def _within(array: pa.Array, first: int, end: int) -> bool:
    bounds = pc.min_max(array)
    low, high = bounds["min"], bounds["max"]
    return not low.is_valid or (low.value >= first and high.value < end)


def _integers(array: pa.Array, kind: type[np.signedinteger]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The integers behind an array, not copied (a null's place holds anything), and which are not null."""
    width = np.dtype(kind).itemsize
    values = np.frombuffer(array.buffers()[1], kind, len(array), array.offset * width)
    return values, array.is_valid().to_numpy(zero_copy_only=False)


def _texts(values: npt.NDArray[Any], where: npt.NDArray[Any], text: Callable[[int], str]) -> Odd:
    rows: Iterable[int] = np.flatnonzero(where).tolist()
    return {row: text(int(values[row])) for row in rows}


_CONVERTERS: Mapping[str, Callable[[pa.Array, LogicalType], tuple[pa.Array, Odd]]] = {
    "text": _text,
    "decimal": _decimal,
    **dict.fromkeys(MOMENTS, _timestamp),
    **dict.fromkeys(FLOATS, _float),
    "date": _date,
    "time": _time,
}
