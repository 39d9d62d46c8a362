"""Wildcards, policy variables and ARNs, as policies write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Self

# `${key}`, `${key, 'default'}`, and the escapes `${*}`, `${?}` and `${$}`.
_VARIABLE = re.compile(r"\$\{\s*(?P<key>[^},]+?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?\}")
_ESCAPES = frozenset("*?$")
_ARN_PARTS = 6

Lookup = Callable[[str], Sequence[str]]
"""Gives the values of a context key, none where the request has none."""


class Text(str):
    """A text of a policy whose variables are filled in: what they brought with them is no wildcard."""

    __slots__ = ("literal",)
    literal: frozenset[int]

    def __new__(cls, value: str, literal: frozenset[int] = frozenset()) -> Self:
        """Make one; `literal` are the places of letters that mean themselves."""
        made = super().__new__(cls, value)
        made.literal = literal
        return made


def fill(text: str, lookup: Lookup | None) -> Text | None:
    """Fill in a text's variables.

    Args:
        text: As the policy writes it.
        lookup: The request's context; None for policies of a version that knows no variables.

    Returns:
        The text, or None where a variable has not exactly one value and no default: then it matches nothing.
    """
    if lookup is None or "${" not in text:
        return Text(text)
    made, literal, at = "", set[int](), 0
    for found in _VARIABLE.finditer(text):
        made += text[at : found.start()]
        at = found.end()
        value = _value_of(found["key"], found["default"], lookup)
        if value is None:
            return None
        literal.update(range(len(made), len(made) + len(value)))
        made += value
    return Text(made + text[at:], frozenset(literal))


def _value_of(key: str, default: str | None, lookup: Lookup) -> str | None:
    if key in _ESCAPES:
        return key
    values = lookup(key)
    return values[0] if len(values) == 1 else default


def like(value: str, pattern: Text, *, ignore_case: bool = False) -> bool:
    """Whether a value is of a pattern, in which `*` is any letters and `?` is one."""
    return _compiled(str(pattern), pattern.literal, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=8192)
def _compiled(pattern: str, literal: frozenset[int], ignore_case: bool) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    parts = [
        wild.get(letter, re.escape(letter)) if at not in literal else re.escape(letter)
        for at, letter in enumerate(pattern)
    ]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def arn_like(value: str, pattern: Text) -> bool:
    """Whether an ARN is of a pattern, part by part: a wildcard ends at the next of the first five colons.

    Parts that the pattern leaves out at its end are any.
    """
    if str(pattern) == "*":
        return True
    wanted, found = _parts(pattern), value.split(":", _ARN_PARTS - 1)
    if len(found) != _ARN_PARTS or len(wanted) < 2:
        return False
    return all(like(part, pattern_part) for part, pattern_part in zip(found, wanted, strict=False))


def _parts(pattern: Text) -> list[Text]:
    parts, start = [], 0
    for text in str(pattern).split(":", _ARN_PARTS - 1):
        end = start + len(text)
        parts.append(Text(text, frozenset(at - start for at in pattern.literal if start <= at < end)))
        start = end + 1
    return parts
