"""Smallest and largest key of the rows of an object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.lake.commits import KeyRange
from glue_jobs.lake.key_text import part_text


class KeyLimits:
    """Gathers the range of keys, as commits state it, over the parts of an object.

    Args:
        key: The key's columns.
    """

    def __init__(self, key: Iterable[str]) -> None:
        self._limits: dict[str, list[Any]] = {name: [] for name in key}

    def add(self, rows: pa.Table) -> None:
        """Take rows into account; an empty value is neither small nor large."""
        for name, limits in self._limits.items():
            column = rows.column(name)
            if not pa.types.is_integer(column.type):
                column = part_text(column)
            found = pc.min_max(column)
            limits += [limit.as_py() for limit in (found["min"], found["max"]) if limit.is_valid]

    @property
    def range(self) -> KeyRange:
        """Smallest and largest value of each key column, where every one has values."""
        if not self._limits or not all(self._limits.values()):
            return None, None
        return tuple(map(min, self._limits.values())), tuple(map(max, self._limits.values()))
