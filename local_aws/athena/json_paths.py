"""SQL/JSON paths: what json_exists, json_query and json_value are asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from local_aws.athena.json_values import JsonNumber
from local_aws.athena.numbers import double_text

Step = Callable[[list[Any], bool], list[Any]]
"""From the items so far, and whether the path is lax, to the next ones."""

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_$][\w$]*)|(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<sign>&&|\|\||==|<>|!=|<=|>=|[<>!@()\[\].,*?+-]))"
)


class PathFailed(Exception):  # noqa: N818  # the structural error of the standard
    """A path has no answer on a value."""


class _Reader:
    """Reads a path by recursive descent; what it does not know is refused."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(f"'{text[at:].strip()[:1]}' is not supported here")
            self.tokens.append(found.group().strip())
            at = found.end()
        self.at = 0

    def sees(self, *signs: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in signs

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise ValueError("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, sign: str) -> bool:
        if self.sees(sign):
            self.at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise ValueError(f"{sign} is missing")

    def path(self, *roots: str) -> tuple[str, list[Step]]:
        root = self.take()
        if root not in roots:
            raise ValueError(f"'{root}' is not supported here")
        steps: list[Step] = []
        while True:
            if self.accept("."):
                steps.append(self._member())
            elif self.accept("["):
                steps.append(self._subscripts())
            elif self.accept("?"):
                self.expect("(")
                test = self._either()
                self.expect(")")
                steps.append(_filter(test))
            else:
                return root, steps

    def _member(self) -> Step:
        if self.accept("*"):
            return _all_members
        name = self.take()
        if self.accept("("):
            self.expect(")")
            if name not in _METHODS:
                raise ValueError(f"the method {name}() is not supported here")
            return _METHODS[name]
        if name.startswith('"'):
            return _one_member(re.sub(r"\\(.)", r"\1", name[1:-1]))
        if not re.match(r"[A-Za-z_]", name):
            raise ValueError(f"'{name}' is no name of a member")
        return _one_member(name)

    def _subscripts(self) -> Step:
        if self.accept("*"):
            self.expect("]")
            return _all_elements
        ranges = [self._range()]
        while self.accept(","):
            ranges.append(self._range())
        self.expect("]")
        return _elements(ranges)

    def _range(self) -> tuple[int, int | None]:
        low = self._index()
        return (low, self._index() if self.accept("to") else None)

    def _index(self) -> int:
        token = self.take()
        if token == "last":  # noqa: S105  # a word of paths
            if not self.accept("-"):
                return -1
            return -1 - int(self.take())
        if not token.isdecimal():
            raise ValueError(f"the subscript {token} is not supported here")
        return int(token)

    def _either(self) -> Callable[[Any, bool], bool | None]:
        parts = [self._both()]
        while self.accept("||"):
            parts.append(self._both())
        return (
            parts[0] if len(parts) == 1 else lambda item, lax: _any_true([part(item, lax) for part in parts])
        )

    def _both(self) -> Callable[[Any, bool], bool | None]:
        parts = [self._test()]
        while self.accept("&&"):
            parts.append(self._test())
        return (
            parts[0] if len(parts) == 1 else lambda item, lax: _all_true([part(item, lax) for part in parts])
        )

    def _test(self) -> Callable[[Any, bool], bool | None]:
        if self.accept("!"):
            self.expect("(")
            inner = self._either()
            self.expect(")")
            return lambda item, lax: None if inner(item, lax) is None else not inner(item, lax)
        if self.accept("exists"):
            self.expect("(")
            value = self._operand()
            self.expect(")")
            return lambda item, lax: bool(value(item, lax))
        if self.accept("("):
            inner = self._either()
            self.expect(")")
            return inner
        left = self._operand()
        sign = self.take()
        if sign == "starts" and self.accept("with"):
            return _comparison(left, _begins, self._operand())
        if sign not in _COMPARE:
            raise ValueError(f"'{sign}' is not supported here")
        return _comparison(left, _COMPARE[sign], self._operand())

    def _operand(self) -> Callable[[Any, bool], list[Any]]:
        if self.sees("@"):
            _, steps = self.path("@")
            return lambda item, lax: _walk([item], steps, lax)
        minus = self.accept("-")
        token = self.take()
        if re.match(r"\d", token):
            constant: Any = JsonNumber(f"-{token}" if minus else token)
        elif token.startswith('"'):
            constant = re.sub(r"\\(.)", r"\1", token[1:-1])
        elif token in ("true", "false", "null"):
            constant = {"true": True, "false": False, "null": None}[token]
        else:
            raise ValueError(f"'{token}' is not supported here")
        return lambda _, __: [constant]


def _any_true(found: list[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def _all_true(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _comparable(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, JsonNumber):
        return "number", float(value)
    if isinstance(value, str):
        return "text", value
    return ("null", 0) if value is None else ("whole", None)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _begins(text: Any, beginning: Any) -> bool | None:
    return text.startswith(beginning) if isinstance(text, str) and isinstance(beginning, str) else None


def _comparison(
    left: Callable[[Any, bool], list[Any]],
    test: Callable[[Any, Any], bool | None],
    right: Callable[[Any, bool], list[Any]],
) -> Callable[[Any, bool], bool | None]:
    def compare(item: Any, lax: bool) -> bool | None:
        found: list[bool | None] = []
        for a in _unwrapped(left(item, lax), lax):
            for b in _unwrapped(right(item, lax), lax):
                one, two = _comparable(a), _comparable(b)
                same = one[0] == two[0] != "whole"
                if same:
                    found.append(test(one[1], two[1]))
                else:
                    found.append(test is _COMPARE["<>"] if "null" in (one[0], two[0]) else None)
        return _any_true(found)

    return compare


def _unwrapped(items: list[Any], lax: bool) -> list[Any]:
    if not lax:
        return items
    return [part for item in items for part in (item if isinstance(item, list) else [item])]


def _one_member(name: str) -> Step:
    def step(items: list[Any], lax: bool) -> list[Any]:
        found = []
        for item in _unwrapped(items, lax):
            if isinstance(item, dict) and name in item:
                found.append(item[name])
            elif not lax:
                raise PathFailed(f"missing member '{name}'")
        return found

    return step


def _all_members(items: list[Any], lax: bool) -> list[Any]:
    found = []
    for item in _unwrapped(items, lax):
        if isinstance(item, dict):
            found += list(item.values())
        elif not lax:
            raise PathFailed("wildcard member accessor on what is no object")
    return found


def _wrapped(item: Any, lax: bool) -> list[Any]:
    if isinstance(item, list):
        return item
    if not lax:
        raise PathFailed("array accessor on what is no array")
    return [item]


def _all_elements(items: list[Any], lax: bool) -> list[Any]:
    return [part for item in items for part in _wrapped(item, lax)]


def _elements(ranges: list[tuple[int, int | None]]) -> Step:
    def step(items: list[Any], lax: bool) -> list[Any]:
        found = []
        for item in items:
            parts = _wrapped(item, lax)
            for low, high in ranges:
                start = low if low >= 0 else len(parts) + low
                end = start if high is None else high if high >= 0 else len(parts) + high
                if not lax and not 0 <= start <= end < len(parts):
                    raise PathFailed("array subscript out of bounds")
                found += parts[max(start, 0) : end + 1] if end >= 0 else []
        return found

    return step


def _filter(test: Callable[[Any, bool], bool | None]) -> Step:
    return lambda items, lax: [item for item in _unwrapped(items, lax) if test(item, lax) is True]


def _number_method(change: Callable[[float], float]) -> Step:
    def step(items: list[Any], lax: bool) -> list[Any]:
        found = []
        for item in _unwrapped(items, lax):
            if not isinstance(item, JsonNumber):
                raise PathFailed("a number is needed")
            value = change(float(item))
            found.append(JsonNumber(str(int(value)) if value == int(value) else repr(value)))
        return found

    return step


def _double(items: list[Any], lax: bool) -> list[Any]:
    found = []
    for item in _unwrapped(items, lax):
        try:
            value = float(item) if isinstance(item, str) and "_" not in item else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise PathFailed("a number, or the text of one, is needed")
        found.append(JsonNumber(double_text(value)))
    return found


def _size(items: list[Any], lax: bool) -> list[Any]:
    if not lax and any(not isinstance(item, list) for item in items):
        raise PathFailed("size() of what is no array")
    return [JsonNumber(len(item) if isinstance(item, list) else 1) for item in items]


def _type(items: list[Any], _: bool) -> list[Any]:
    names = {
        dict: "object",
        list: "array",
        bool: "boolean",
        JsonNumber: "number",
        str: "string",
        type(None): "null",
    }
    return [names[type(item)] for item in items]


_METHODS: dict[str, Step] = {
    "size": _size,
    "type": _type,
    "double": _double,
    "ceiling": _number_method(math.ceil),
    "floor": _number_method(math.floor),
    "abs": _number_method(abs),
}


def _walk(items: list[Any], steps: list[Step], lax: bool) -> list[Any]:
    for step in steps:
        items = step(items, lax)
    return items


@lru_cache(maxsize=500)
def compile_path(path: str) -> tuple[bool, tuple[Step, ...]]:
    """Whether a path is lax, and its steps.

    Raises:
        ValueError: It has a form that is not known here.
    """
    reader = _Reader(path)
    lax = not reader.sees("strict")
    if reader.sees("lax", "strict"):
        reader.take()
    _, steps = reader.path("$")
    if reader.at != len(reader.tokens):
        raise ValueError(f"'{reader.tokens[reader.at]}' is not supported here")
    return lax, tuple(steps)


def evaluate(path: str, value: Any) -> list[Any]:
    """The items that a path finds in a value.

    Raises:
        PathFailed: The value has not the structure that a strict path wants.
    """
    lax, steps = compile_path(path)
    return _walk([value], list(steps), lax)
