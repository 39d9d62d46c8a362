"""Functions of ``semantics`` as functions of DuckDB."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import InvalidOperation
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from local_aws.athena.kinds import arrow_type, duckdb_type
from local_aws.athena.plan import PythonFunction
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics import FUNCTIONS, TAKES_NULL, is_typed


def register(
    connection: duckdb.DuckDBPyConnection, functions: dict[str, PythonFunction], refused: list[Failed]
) -> None:
    """Make functions known to a connection, under the names that a plan gave them.

    Args:
        connection: The connection.
        functions: The functions.
        refused: Takes what is not supported here, which a ``TRY`` around it would hide.
    """
    for name, function in functions.items():
        connection.create_function(
            name,
            vectorized(function, refused),
            [duckdb.sqltype(duckdb_type(kind)) for kind in function.arguments],
            duckdb.sqltype(duckdb_type(function.result)),
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


def vectorized(function: PythonFunction, refused: list[Failed]) -> Callable[..., pa.Array]:
    """A function over columns, from the one over values."""
    apply = FUNCTIONS[function.name]
    kind = arrow_type(function.result)
    more = {"types": [*function.arguments, function.result]} if is_typed(apply) else {}
    takes_null = function.name in TAKES_NULL

    def run(*columns: Any) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        try:
            values = [None if not takes_null and None in row else apply(*row, **more) for row in rows]
            return pa.array(values, kind)
        except Failed as error:
            if error.name == "NOT_SUPPORTED":
                refused.append(error)
            raise
        except (OverflowError, InvalidOperation, pa.ArrowInvalid) as error:
            message = f"The result of {function.name.rstrip('_')} is out of range"
            raise Failed(message, "NUMERIC_VALUE_OUT_OF_RANGE") from error

    # DuckDB counts the parameters that a function states.
    places = [
        inspect.Parameter(f"a{place}", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for place in range(len(function.arguments))
    ]
    run.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    return run
