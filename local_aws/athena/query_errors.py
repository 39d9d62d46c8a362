"""The two ways in which Athena says no: a refused request, and a query that ends as FAILED."""

from __future__ import annotations

from local_aws.endpoint.layers import ServiceError


class AthenaError(ServiceError):
    """A request that the API refuses: an AWS error code and what is wrong with the request."""


class QueryError(Exception):
    """A query that fails, with the text that Athena would give as the state's reason.

    Attributes:
        name: Trino's error name, for example ``TABLE_NOT_FOUND``.
        message: What is wrong, without name and place.
        about: The column, function or sign that it speaks of, where the place is not known yet.
        cancelled: Whether the query ends as CANCELLED (the scan limit) instead of FAILED.
    """

    def __init__(
        self,
        name: str,
        message: str,
        at: tuple[int, int] | None = None,
        *,
        about: str = "",
        cancelled: bool = False,
    ) -> None:
        place = f"line {at[0]}:{at[1]}: " if at else ""
        super().__init__(f"{name}: {place}{message}" if name else f"{place}{message}")
        self.name = name
        self.message = message
        self.about = "" if at else about
        self.cancelled = cancelled


def position(sql: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset in a text."""
    return sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset)


class Failed(Exception):  # noqa: N818  # what it says is a query's failure
    """A value for which the function has no result."""

    def __init__(self, message: str, name: str = "INVALID_FUNCTION_ARGUMENT") -> None:
        super().__init__(f"!{name}: {message}!")
        self.name = name
        self.message = message
