"""JSON as Trino reads and writes it: numbers keep their digits, members their order."""

from __future__ import annotations

import json
from typing import Any

from local_aws.athena.numbers import double_text


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
    return double_text(float(text))
