"""What DuckDB says, in Trino's words as far as they are known."""

from __future__ import annotations

import re

import duckdb

from local_aws.athena.query_errors import QueryError

_EXPLANATIONS: list[tuple[str, str, str]] = [
    (r"!([A-Z_0-9]+): (.*?)!(?:'|$|\n|\")", "", ""),
    (r"!([A-Z_0-9]+): (.*)!", "", ""),
    (
        r"More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    (
        r"Could not convert string ['\"](.*)['\"] to (\w+)",
        "INVALID_CAST_ARGUMENT",
        "Cannot cast '{0}' to {1}",
    ),
    (r"Overflow in (\w+) of (\w+) \((.*)\)", "NUMERIC_VALUE_OUT_OF_RANGE", "{1} {0} overflow: {2}"),
    (r"Out of Range Error: ([^\n]*)", "NUMERIC_VALUE_OUT_OF_RANGE", "{0}"),
    (r"Conversion Error: ([^\n]*)", "NUMERIC_VALUE_OUT_OF_RANGE", "{0}"),
    (r"Map keys must be unique", "INVALID_FUNCTION_ARGUMENT", "Duplicate map keys are not allowed"),
    (r"Map keys can not be NULL", "INVALID_FUNCTION_ARGUMENT", "map key cannot be null"),
    (r"Out of Memory Error: ([^\n]*)", "EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded its memory limit: {0}"),
    (
        r"MemoryError|std::bad_alloc|failed to allocate",
        "EXCEEDED_LOCAL_MEMORY_LIMIT",
        "Query exceeded its memory limit",
    ),
    (
        r"[Mm]alformed [Cc]ast|out of range|does not fit",
        "NUMERIC_VALUE_OUT_OF_RANGE",
        "A value is out of the range of its type",
    ),
    (
        r"correlated columns in window functions",
        "NOT_SUPPORTED",
        "A window function over a column of the query around it is not supported here",
    ),
    (
        r"must appear in the GROUP BY clause",
        "NOT_SUPPORTED",
        "An aggregate that is asked for what differs from row to row is not supported here",
    ),
    (r"TRY (?:can|is)", "NOT_SUPPORTED", "TRY cannot stand here in this stack"),
]


def explain(error: duckdb.Error) -> QueryError:
    """The failure that an error of DuckDB means; one that nobody foresaw is an internal error."""
    text = str(error)
    for pattern, name, message in _EXPLANATIONS:
        found = re.search(pattern, text, re.DOTALL if name else 0)
        if found:
            if not name:
                return QueryError(found[1], found[2].replace("''", "'"))
            return QueryError(name, message.format(*found.groups()))
    if isinstance(error, duckdb.InvalidInputException | duckdb.OutOfRangeException):
        return QueryError(
            "GENERIC_USER_ERROR", text.splitlines()[0].partition(": ")[2] or text.splitlines()[0]
        )
    return QueryError(
        "GENERIC_INTERNAL_ERROR", f"This stack could not run the statement: {text.splitlines()[0]}"
    )
