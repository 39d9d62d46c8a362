"""Queries as Spark reads them: with the function library put in, and backslashes doubled.

Spark has functions of SQL, too. They are not used: ``ORDER BY`` refuses them, ``EXISTS`` is slower with them,
and making seventeen takes a session seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.functions import BY_NAME, Function
from catalog.types import sql_type

_ARGUMENT = re.compile(r"'(?:[^']|'')*'|\b[A-Za-z_]\w*\b(?!\s*\()")
"""What may be an argument's name in a body; a literal is not, nor is the name of a function."""

_WORDS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|[A-Za-z_]\w*\s*\(|[A-Za-z_]\w*|\s+|.", re.DOTALL)
"""Literals, remarks, names that are called, other names, and what lies between them."""


def spark_text(query: str) -> str:
    """A query in the common subset as Spark reads it.

    Args:
        query: The query; calls of the function library are written ``name(…)``.

    Raises:
        ValueError: A call of the function library has too many arguments, too few, or no end.
    """
    return _expanded(_WORDS.findall(query))


def _expanded(words: Sequence[str]) -> str:
    expanded: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        function = BY_NAME.get(word[:-1].rstrip()) if _opens(word) else None
        if function is not None:
            arguments, place = _arguments(function, words, place + 1)
            expanded.append(_called(function, arguments))
            continue
        # In Spark's literals a backslash begins an escape; doubled it is one character, as on DuckDB.
        expanded.append(word.replace("\\", "\\\\") if word.startswith("'") else word)
        place += 1
    return "".join(expanded)


def _arguments(function: Function, words: Sequence[str], place: int) -> tuple[list[str], int]:
    """The arguments of a call that begin at a place, and the place after it."""
    arguments: list[list[str]] = [[]]
    depth = 1
    while place < len(words):
        word = words[place]
        place += 1
        depth += _opens(word) - (word == ")")
        if not depth:
            if len(arguments) != len(function.arguments):
                break
            return [_expanded(argument) for argument in arguments], place
        if word == "," and depth == 1:
            arguments.append([])
        else:
            arguments[-1].append(word)
    raise ValueError(f"{function.name} takes {len(function.arguments)} arguments between parentheses")


def _opens(word: str) -> bool:
    return word.endswith("(") and not word.startswith("--")


def _called(function: Function, arguments: Sequence[str]) -> str:
    """A function's body with its arguments put in, each of the stated type."""
    values = {name: f"CAST({value} AS {kind})" for (name, kind), value in zip(function.arguments, arguments)}
    body = _ARGUMENT.sub(lambda found: values.get(found[0], found[0]), function.spark)
    return f"CAST({body} AS {sql_type(function.result)})"
