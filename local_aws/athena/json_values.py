"""JSON as Trino reads and writes it: numbers keep their digits, members their order."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from local_aws.athena.numbers import double_text
from local_aws.athena.query_errors import Failed


class JsonNumber(str):
    """A number, as its text."""

    __slots__ = ()


class JsonDecimal(JsonNumber):
    """A number whose text stays as it is."""

    __slots__ = ()


def _refuse(text: str) -> Any:
    raise ValueError(text)


def read_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is none.
    """
    return json.loads(text, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_refuse)


class JsonPairs(list[tuple[str, Any]]):
    """The members of an object, of which several may have one name."""


_BLANKS = re.compile(r"[ \t\n\r]*")
_VALUE = json.JSONDecoder(
    object_pairs_hook=JsonPairs, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_refuse
)


def reach(text: str, steps: Sequence[str]) -> Any:
    """The value at the end of a path; what lies behind it is not read, and the first of two members counts.

    Raises:
        ValueError: What lies before it is no JSON.
        LookupError: There is none.
    """
    at = _blanks(text, 0)
    for step in steps:
        at = _member(text, at, step) if text[at] == "{" else _item(text, at, step)
    return _VALUE.raw_decode(text, at)[0]


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _member(text: str, at: int, name: str) -> int:
    at = _blanks(text, at + 1)
    while text[at] == '"':
        key, at = _VALUE.raw_decode(text, at)
        at = _blanks(text, at)
        if text[at] != ":":
            raise ValueError(text)
        at = _blanks(text, at + 1)
        if key == name:
            return at
        at = _next(text, at)
    raise LookupError(name)


def _item(text: str, at: int, index: str) -> int:
    if text[at] != "[" or not index.isdecimal():
        raise LookupError(index)
    at = _blanks(text, at + 1)
    for _ in range(int(index)):
        if text[at] == "]":
            break
        at = _next(text, at)
    if text[at] == "]":
        raise LookupError(index)
    return at


def _next(text: str, at: int) -> int:
    """Where the part behind a value begins, or where its array or object ends."""
    at = _blanks(text, _VALUE.raw_decode(text, at)[1])
    return _blanks(text, at + 1) if text[at] == "," else at


def json_text(value: Any, *, ordered: bool = False) -> str:
    """A value as Trino writes it: without blanks; with the members in order of their names where asked."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        members = sorted(value.items()) if ordered else list(value.items())
        return _members(members, ordered=ordered)
    if value and isinstance(value[0], tuple):
        return _members(value, ordered=ordered)
    if not value and type(value) is not list:
        return "{}"
    return "[" + ",".join(json_text(item, ordered=ordered) for item in value) + "]"


def _members(members: list[tuple[str, Any]], *, ordered: bool) -> str:
    return (
        "{"
        + ",".join(
            f"{json.dumps(name, ensure_ascii=False)}:{json_text(item, ordered=ordered)}"
            for name, item in members
        )
        + "}"
    )


def _number(text: JsonNumber) -> str:
    if isinstance(text, JsonDecimal) or text.lstrip("-").isdecimal():
        return str(text)
    if "." in text and "e" not in text.lower() and len(text) > 17:
        return str(text)  # a decimal of more digits than a double holds
    if math.isinf(float(text)):
        raise Failed(f"A JSON number as large as {text} is not supported here", "NOT_SUPPORTED")
    return double_text(float(text))
