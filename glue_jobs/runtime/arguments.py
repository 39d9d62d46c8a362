"""Job arguments: typed, frozen, checked once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar, get_type_hints

from glue_jobs.runtime.errors import UserError

ArgumentsT = TypeVar("ArgumentsT")


class ArgumentError(UserError):
    """An argument that is missing or cannot be read."""


def parse(cls: type[ArgumentsT], argv: Sequence[str]) -> ArgumentsT:
    """Read Glue-style arguments, ``--name value`` or ``--name=value``, into a frozen dataclass.

    Arguments that the class does not name are left alone: Glue adds its own. Field types may be ``str``,
    ``int`` and ``float``; a field with a default may be left out.

    Raises:
        ArgumentError: Names the argument that is missing, stands without a value or cannot be read.
    """
    given = _given(argv)
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in given:
            values[field.name] = _convert(field.name, given[field.name], hints[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ArgumentError(f"The argument --{field.name} is missing.", "Add it to the job's arguments.")
    return cls(**values)


def _given(argv: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if not equals and words and not words[0].startswith("--"):
            value = words.pop(0)
        given[name] = value
    return given


def _convert(name: str, text: str, kind: Any) -> Any:
    if text == "":
        raise ArgumentError(f"The argument --{name} has no value.", "Give it one.")
    try:
        return kind(text)
    except ValueError as error:
        raise ArgumentError(
            f"The argument --{name} is {text!r}, which is not {_WORDS.get(kind, kind.__name__)}.",
            "Correct it.",
        ) from error


_WORDS = {int: "a whole number", float: "a number"}
