"""Arrow record batches as PostgreSQL's binary COPY stream, encoded by whole columns.

The stream is the one that ``COPY … FROM STDIN (FORMAT binary)`` reads: a header, then for each row the
number of its fields and for each field its length and its bytes in network order, then a trailer. Rows of
fixed-width values that are all present are one numpy record array; a text, or a column with nulls, is joined
in between by Arrow. Every value is exact: a decimal becomes PostgreSQL's own base 10,000 digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.arrow import arrow_field
from catalog.model import Column
from catalog.types import MOMENTS, TIME_PATTERN, LogicalType

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""The signature, no flags, no extension."""

TRAILER = b"\xff\xff"

_NBASE = 10_000
_NUMERIC_NEGATIVE = 0x4000
_EPOCH_DAYS = 10_957  # 2000-01-01, where PostgreSQL begins to count, in days of Unix time
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_TIME_LENGTH = len("HH:MM:SS.mmm")
_TIME_WEIGHTS = np.array(
    [36_000_000, 3_600_000, 0, 600_000, 60_000, 0, 10_000, 1_000, 0, 100, 10, 1], dtype=np.int64
)

Values = Any
"""A numpy array of one column's values, as long as the batch, in PostgreSQL's binary form."""


class EncodeError(ValueError):
    """A value that its column's type does not allow; names the column, never the value."""


def encode(batch: pa.RecordBatch, columns: Sequence[Column]) -> memoryview:
    """One batch as rows of the stream, without header and trailer.

    Args:
        batch: Holds all the columns, in any order.
        columns: The fields of a row, in the order that the COPY statement names.

    Raises:
        EncodeError: The batch lacks a column, or a value does not fit its contract's type exactly.
    """
    pieces: list[pa.Array] = []
    fields: list[tuple[Any, Any]] = [(np.dtype(">i2"), len(columns))]
    for column in columns:
        array = _typed(batch, column)
        if column.type.name == "text":
            fields.append((np.dtype(">i4"), _text_lengths(array)))
            pieces += [_record_bytes(fields, len(array)), _present_or_empty(array.cast(pa.binary()), array)]
            fields = []
            continue
        values = _FIXED[column.type.name](array, column)
        if array.null_count == 0:
            fields += [(np.dtype(">i4"), values.dtype.itemsize), (values.dtype, values)]
        else:
            present = np.asarray(array.is_valid())
            fields.append((np.dtype(">i4"), np.where(present, values.dtype.itemsize, -1)))
            data = _record_bytes([(values.dtype, values)], len(array))
            pieces += [_record_bytes(fields, len(array)), _present_or_empty(data, array)]
            fields = []
    if not pieces:
        return memoryview(_records(fields, batch.num_rows).view(np.uint8))
    if fields:
        pieces.append(_record_bytes(fields, batch.num_rows))
    return _content(pc.binary_join_element_wise(*pieces, b""))


def _typed(batch: pa.RecordBatch, column: Column) -> pa.Array:
    """A column as the contract types it; a cast that would change a value is refused."""
    index = batch.schema.get_field_index(column.name)
    if index < 0:
        raise EncodeError(f"The column {column.name} is missing.")
    array, wanted = batch.column(index), arrow_field(column, nullable=True).type
    if array.type == wanted:
        return array
    try:
        return array.cast(wanted)
    except pa.ArrowInvalid as error:
        raise EncodeError(f"The column {column.name} is {array.type} and does not fit {wanted}.") from error


def _records(fields: Sequence[tuple[Any, Any]], rows: int) -> Values:
    """Fields side by side, without padding: one record a row."""
    records = np.empty(rows, dtype=[(str(index), dtype) for index, (dtype, _) in enumerate(fields)])
    for index, (_, values) in enumerate(fields):
        records[str(index)] = values
    return records


def _record_bytes(fields: Sequence[tuple[Any, Any]], rows: int) -> pa.Array:
    records = _records(fields, rows)
    fixed = pa.Array.from_buffers(pa.binary(records.dtype.itemsize), rows, [None, pa.py_buffer(records)])
    return fixed.cast(pa.binary())


def _present_or_empty(data: pa.Array, array: pa.Array) -> pa.Array:
    return data if array.null_count == 0 else pc.if_else(array.is_valid(), data, b"")


def _text_lengths(array: pa.Array) -> Values:
    return np.asarray(pc.binary_length(array).fill_null(-1))


def _content(array: pa.Array) -> memoryview:
    """The bytes of all of an array's values, one after the other."""
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[array.offset : array.offset + len(array) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]] if data is not None else memoryview(b"")


def _stored(array: pa.Array, dtype: Any) -> Values:
    """The values as Arrow stores them; where a value is null, whatever stands there."""
    buffer = array.buffers()[1]
    width = np.dtype(dtype).itemsize
    return np.frombuffer(buffer, dtype=dtype, count=len(array), offset=array.offset * width)


def _integer(array: pa.Array, _: Column) -> Values:
    return _stored(array, np.int32).astype(">i4")


def _bigint(array: pa.Array, _: Column) -> Values:
    return _stored(array, np.int64).astype(">i8")


def _boolean(array: pa.Array, _: Column) -> Values:
    return _stored(array.cast(pa.uint8()), np.uint8)


def _date(array: pa.Array, _: Column) -> Values:
    return (_stored(array, np.int32) - np.int32(_EPOCH_DAYS)).astype(">i4")


def _timestamp(array: pa.Array, _: Column) -> Values:
    step = 1 if array.type.unit == "us" else 1_000
    return (_stored(array, np.int64) * step - _EPOCH_MICROSECONDS).astype(">i8")


def _double(array: pa.Array, _: Column) -> Values:
    return _stored(array, np.float64).astype(">f8")


def _real(array: pa.Array, _: Column) -> Values:
    return _stored(array, np.float32).astype(">f4")


def _time(array: pa.Array, column: Column) -> Values:
    """Texts ``HH:MM:SS.mmm`` as microseconds since midnight."""
    texts = array.fill_null("00:00:00.000") if array.null_count else array
    if pc.all(pc.match_substring_regex(texts, TIME_PATTERN)).as_py() is False:
        raise EncodeError(f"The column {column.name} holds a text that is no time of day, HH:MM:SS.mmm.")
    letters = np.frombuffer(_content(texts), dtype=np.uint8).reshape(len(texts), _TIME_LENGTH)
    return ((letters.astype(np.int64) - ord("0")) @ _TIME_WEIGHTS * 1_000).astype(">i8")


def _decimal(array: pa.Array, column: Column) -> Values:
    """Decimals as PostgreSQL's numeric: count of digits, weight, sign, scale, digits of base 10,000.

    Every value gets as many digits as the type can need; PostgreSQL strips zeros at both ends.
    """
    precision, scale = _digits(column.type)
    whole, fraction = math.ceil((precision - scale) / 4), math.ceil(scale / 4)
    padding = fraction * 4 - scale
    limbs, negative = _magnitude(array, math.ceil((precision + padding) * math.log2(10) / 32))
    _multiply(limbs, 10**padding)
    digits = [_divide(limbs, _NBASE) for _ in range(whole + fraction)][::-1]
    # A type without whole digits has the weight -1, which is all ones in 16 bits.
    head = [whole + fraction, (whole - 1) & 0xFFFF, np.where(negative, _NUMERIC_NEGATIVE, 0), scale]
    records = _records([(np.dtype(">u2"), values) for values in (*head, *digits)], len(array))
    return records.view(f"V{records.dtype.itemsize}")


def _digits(kind: LogicalType) -> tuple[int, int]:
    if kind.precision is None or kind.scale is None:
        raise EncodeError(f"{kind} is no decimal")
    return kind.precision, kind.scale


def _magnitude(array: pa.Array, count: int) -> tuple[list[Values], Values]:
    """The absolute values as 32-bit limbs, lowest first, each in 64 bits; and which values are negative."""
    words = _stored(array, np.dtype((np.uint32, 4)))
    negative = words[:, 3] >> 31 == 1
    limbs = []
    carry = negative.astype(np.uint64)
    flip = np.where(negative, np.uint64(0xFFFFFFFF), np.uint64(0))
    for index in range(count):
        # A decimal has four limbs; a fifth only makes room for the padding.
        word = (words[:, index] ^ flip) + carry if index < 4 else carry
        limbs.append(word & np.uint64(0xFFFFFFFF))
        carry = word >> np.uint64(32)
    return limbs, negative


def _multiply(limbs: list[Values], factor: int) -> None:
    carry = np.zeros_like(limbs[0])
    for index, limb in enumerate(limbs):
        product = limb * np.uint64(factor) + carry
        limbs[index] = product & np.uint64(0xFFFFFFFF)
        carry = product >> np.uint64(32)


def _divide(limbs: list[Values], divisor: int) -> Values:
    """Divide in place and give the remainder."""
    remainder = np.zeros_like(limbs[0])
    for index in reversed(range(len(limbs))):
        value = (remainder << np.uint64(32)) | limbs[index]
        limbs[index] = value // np.uint64(divisor)
        remainder = value - limbs[index] * np.uint64(divisor)
    return remainder


_FIXED: dict[str, Callable[[pa.Array, Column], Values]] = {
    "integer": _integer,
    "bigint": _bigint,
    "boolean": _boolean,
    "date": _date,
    **dict.fromkeys(MOMENTS, _timestamp),
    "double": _double,
    "real": _real,
    "time": _time,
    "decimal": _decimal,
}
