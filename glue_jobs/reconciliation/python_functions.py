"""Functions of DuckDB that Python works out.

Whole columns travel: with each single value DuckDB would look for pandas, and where that is not installed a
search through every folder of modules takes eight times as long as the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

import duckdb
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL
from duckdb.sqltypes import VARCHAR


def create_function(
    workspace: duckdb.DuckDBPyConnection,
    name: str,
    of_texts: Callable[[Sequence[Optional[str]]], Optional[str]],
) -> None:
    """Make a function of a list of texts.

    Args:
        workspace: Where it is called, as ``name([first, second, ...])``.
        name: Its name.
        of_texts: What it gives for one row, from the row's list; None is NULL on either side.
    """

    def of_column(lists: Any) -> pa.Array:
        return pa.array([of_texts(texts) for texts in lists.to_pylist()], pa.string())

    workspace.create_function(
        name, of_column, [workspace.list_type(VARCHAR)], VARCHAR, type=ARROW, null_handling=SPECIAL
    )
