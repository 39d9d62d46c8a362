"""What Trino's functions do where DuckDB does something else, value by value.

A function gets what its arguments hold, and is not called where one is NULL, unless it stands in
``TAKES_NULL``. One that asks for ``types`` gets those of its arguments, and behind them that of its
result. Moments with a zone are ``{"t": UTC, "z": name}``, intervals milliseconds or months, rows
``{"f0": …}``, maps lists of pairs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from local_aws.athena import java_format
from local_aws.athena.semantics import (
    aggregates,
    arrays_and_maps,
    binary,
    comparison,
    date_formats,
    json_functions,
    mathematics,
    moments,
    regular_expressions,
    sketches,
    text,
    values,
)

_MODULES = (
    aggregates,
    arrays_and_maps,
    binary,
    comparison,
    date_formats,
    java_format,
    json_functions,
    mathematics,
    moments,
    regular_expressions,
    sketches,
    text,
    values,
)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for module in _MODULES
    for name, function in vars(module).items()
    if inspect.isfunction(function) and function.__module__ == module.__name__
}
"""Each function, by its name."""

TAKES_NULL = frozenset(["repeat", "format_", "to_json", "json_array", "json_object"])
"""Functions that are called with NULL too."""


def is_typed(function: Callable[..., Any]) -> bool:
    """Whether a function is told the types of its arguments, and behind them that of its result."""
    return "types" in inspect.signature(function).parameters
