"""Which types of a file's columns Athena reads as which types of a table's."""

from __future__ import annotations

import pyarrow as pa

_NAMES = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "TINYINT"),
    (pa.types.is_int16, "SMALLINT"),
    (pa.types.is_int32, "INTEGER"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_float32, "REAL"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_string, "VARCHAR"),
    (pa.types.is_large_string, "VARCHAR"),
    (pa.types.is_binary, "VARBINARY"),
]
_PER_MILLISECOND = {"us": 1_000, "ns": 1_000_000}
"""By unit of a file's times that is finer than what Athena shows."""

_UNSIGNED = {8: 16, 16: 32, 32: 64}


def arrow_name(kind: pa.DataType) -> str:
    """A file's type, as a message names it."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return next((name for test, name in _NAMES if test(kind)), str(kind).upper())


def needs_conversion(physical: pa.DataType, declared: pa.DataType) -> bool:
    """Whether a file's column must be changed because Arrow's scan does not do it."""
    if pa.types.is_unsigned_integer(physical) or pa.types.is_fixed_size_binary(physical):
        return True
    if pa.types.is_timestamp(physical):
        return physical.unit in _PER_MILLISECOND
    if pa.types.is_struct(declared) and pa.types.is_struct(physical):
        ours, theirs = [field.name for field in declared], [field.name for field in physical]
        return ours != theirs or any(
            needs_conversion(physical.field(name).type, declared.field(name).type) for name in ours
        )
    if pa.types.is_map(declared) and pa.types.is_map(physical):
        return needs_conversion(physical.item_type, declared.item_type)
    if pa.types.is_list(declared) and pa.types.is_list(physical):
        return needs_conversion(physical.value_type, declared.value_type)
    return False


def in_milliseconds(times: pa.Array) -> pa.Array:
    """Times as Athena reads them: to the nearest millisecond, the later one of two that are as near."""
    step = _PER_MILLISECOND.get(times.type.unit)
    if step is None:
        return times
    numbers = times.cast(pa.int64()).fill_null(0).to_numpy()
    empty = times.is_null().to_numpy(zero_copy_only=False)
    return pa.array((numbers + step // 2) // step, mask=empty).cast(pa.timestamp("ms"))


def readable_as(physical: pa.DataType, declared: pa.DataType) -> bool:
    """Whether Athena reads a parquet column of one type as a table column of another.

    Integers may widen, a float may become a double; a decimal's digits must be the very same.
    """
    if pa.types.is_dictionary(physical):
        physical = physical.value_type
    if physical == declared:
        return True
    if pa.types.is_unsigned_integer(physical):
        wide = _UNSIGNED.get(physical.bit_width)
        return bool(pa.types.is_signed_integer(declared) and wide and wide <= declared.bit_width)
    if pa.types.is_fixed_size_binary(physical):
        return bool(pa.types.is_binary(declared))
    if pa.types.is_signed_integer(physical) and pa.types.is_signed_integer(declared):
        return bool(physical.bit_width <= declared.bit_width)
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    same = (text, (pa.types.is_timestamp,), (pa.types.is_floating,), (pa.types.is_nested,))
    if pa.types.is_floating(physical) and pa.types.is_floating(declared):
        return bool(physical.bit_width <= declared.bit_width)
    return any(any(t(physical) for t in group) and any(t(declared) for t in group) for group in same)
