"""Names for the lake, proposed from those of a database: lower case, in snake_case, plain on every engine."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from catalog.model import NAME_PATTERN
from catalog.sql_parser import RESERVED, VALUE_WORDS
from catalog.view_columns import names_of_all_views

LONGEST_TABLE, LONGEST_COLUMN = 45, 60
"""Characters of a name, so that what is made of it fits into the 63 of PostgreSQL."""

VIEWS = ("_current", "_history")
"""How the names of the star's views end."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def lake_name(name: str, taken: frozenset[str] = frozenset()) -> str | None:
    """The name that is proposed for a table or a column; nothing where its letters have no plain form.

    One that is a word of SQL, begins with a digit, or is taken by what a lake adds, begins with ``source_``.

    Args:
        name: As the database has it.
        taken: Names that the lake gives to something else.
    """
    plain = name if re.fullmatch(NAME_PATTERN, name) else _snake_case(name)
    if not plain:
        return None
    if plain in RESERVED | VALUE_WORDS | names_of_all_views() | taken or not re.fullmatch(
        NAME_PATTERN, plain
    ):
        plain = f"source_{plain}"
    return plain


def _snake_case(name: str) -> str | None:
    folded = "".join(letter if letter.isascii() else _plain(letter) for letter in name)
    if any(letter.isalnum() for letter in folded if not letter.isascii()):
        return None
    return re.sub(r"[^a-z0-9]+", "_", _WORDS.sub("_", folded).lower()).strip("_") or None


def _plain(letter: str) -> str:
    """A letter without its marks; ``ß`` is ``ss``."""
    folded = letter.casefold() if letter == "ß" else letter
    return "".join(one for one in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(one))


def collisions(names: Mapping[str, str], kept: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """By what is to be named, with what else it would share its name.

    Args:
        names: By the database's name, the lake's.
        kept: Names that something has already.
    """
    counted = Counter([*names.values(), *kept])
    return {
        name: tuple(other for other, theirs in names.items() if theirs == lake and other != name)
        for name, lake in names.items()
        if counted[lake] > 1
    }
