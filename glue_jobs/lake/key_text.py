"""Keys as texts, as Arrow makes and reads them; see :mod:`catalog.keys` for what they look like."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from catalog.keys import NUMBERS
from catalog.model import Contract
from catalog.types import arrow_type

_ESCAPES = (("~", "~0"), ("/", "~1"))


def part_text(column: pa.Array) -> pa.Array:
    """One column of a key as text; a time with all six digits, whatever the column keeps."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.string())


def key_texts(columns: Sequence[pa.Array]) -> pa.Array:
    """The texts of keys, from the columns of the key in order; null where one of them is."""
    parts = [part_text(column) for column in columns]
    if len(parts) == 1:
        return parts[0]
    for place, column in enumerate(columns):
        if pa.types.is_string(column.type):
            for plain, escaped in _ESCAPES:
                parts[place] = pc.replace_substring(parts[place], plain, escaped)
    return pc.binary_join_element_wise(*parts, "/", null_handling="emit_null")


def key_columns(contract: Contract, texts: pa.Array) -> dict[str, pa.Array]:
    """The columns of keys, from their texts: the inverse of :func:`key_texts`.

    Args:
        contract: The table.
        texts: Keys of it, without a null.
    """
    kinds = [contract.column(name).type for name in contract.key]
    if len(kinds) == 1:
        parts = [texts]
    else:
        lists = pc.split_pattern(texts, "/")
        parts = [pc.list_element(lists, place) for place in range(len(kinds))]
        for plain, escaped in reversed(_ESCAPES):
            parts = [pc.replace_substring(part, escaped, plain) for part in parts]
    columns = {}
    for name, kind, part in zip(contract.key, kinds, parts):
        # Arrow reads a text as a number or a time of this size, and makes the column's own of it.
        read = {"timestamp": pa.timestamp("us"), **dict.fromkeys(NUMBERS, pa.int64())}.get(kind.name)
        columns[name] = (part if read is None else part.cast(read)).cast(arrow_type(kind))
    return columns
