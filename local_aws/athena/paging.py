"""Answers that come in pages: which part of them a request asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local_aws.athena.query_errors import AthenaError

LARGEST = 1000
"""The most that a page of results may hold."""

_LISTED = 50


def bounds(payload: dict[str, Any], usual: int) -> tuple[int, int]:
    """Where the page that a request asks for begins, and how long it is.

    Args:
        payload: The request.
        usual: The length where the request states none.

    Raises:
        AthenaError: The token or the length is none that the API takes.
    """
    token, size = payload.get("NextToken") or "0", int(payload.get("MaxResults") or usual)
    if not token.isdecimal():
        raise AthenaError("InvalidRequestException", "NextToken is not one that this API gave out")
    if not 1 <= size <= LARGEST:
        raise AthenaError(
            "InvalidRequestException", f"MaxResults must lie between 1 and {LARGEST}, not {size}"
        )
    return int(token), size


def page(payload: dict[str, Any], member: str, items: Sequence[Any]) -> dict[str, Any]:
    """The page of a list that a request asks for, with the token of the next one where there is one."""
    start, size = bounds(payload, _LISTED)
    answer: dict[str, Any] = {member: list(items[start : start + size])}
    if start + size < len(items):
        answer["NextToken"] = str(start + size)
    return answer
