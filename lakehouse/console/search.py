"""Finds tables, columns and questions by the words that people use for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bi.questions import Question
from catalog.model import Contract

_WORD = re.compile(r"[^\W_]+")
_NAME, _SYNONYM, _COLUMN, _TEXT = 8, 6, 3, 1
_OF_ANALYSTS = 4
"""What analysts read comes before what it is made from, where words fit both as well."""


@dataclass(frozen=True)
class Found:
    """A table or a question that the words lead to.

    Attributes:
        zone: The table's zone; ``question`` for a question.
        name: Its name.
        text: What it is.
        columns: The columns that some word names.
        score: How well the words fit.
    """

    zone: str
    name: str
    text: str
    columns: tuple[str, ...]
    score: int


def search(
    words: str, zones: Mapping[str, Mapping[str, Contract]], questions: Iterable[Question] = ()
) -> list[Found]:
    """What some words lead to, the best first: only what every word fits.

    A word fits a text in which a word begins so. A table is found by its synonyms, too.

    Args:
        words: What a person typed.
        zones: The tables, by zone and name.
        questions: The questions.
    """
    wanted = [_stem(word) for word in _words(words)]
    if not wanted:
        return []
    found = [*_tables(wanted, zones), *_questions(wanted, questions)]
    return sorted(
        (one for one in found if one.score), key=lambda one: (-one.score, one.zone != "star", one.name)
    )


def _tables(wanted: list[str], zones: Mapping[str, Mapping[str, Contract]]) -> Iterator[Found]:
    # What a star table is also called its source is called, too.
    synonyms: dict[str, set[str]] = {}
    for contract in zones.get("star", {}).values():
        names = set(_words(" ".join(contract.synonyms)))
        for table in (contract.table, contract.built_from.table if contract.built_from else None):
            synonyms.setdefault(table or "", set()).update(names)
    for zone, tables in zones.items():
        for contract in tables.values():
            columns = {c.name: _words(f"{c.name} {c.description}") for c in contract.columns}
            texts = [
                (_NAME, _words(contract.table)),
                (_SYNONYM, synonyms.get(contract.table, set())),
                (_COLUMN, {word for c in contract.columns for word in _words(c.name)}),
                (_TEXT, {*_words(contract.grain), *(word for one in columns.values() for word in one)}),
            ]
            score = _score(wanted, texts)
            if score and zone == "star":
                score += _OF_ANALYSTS
            named = tuple(name for name, own in columns.items() if any(_fits(word, own) for word in wanted))
            yield Found(zone, contract.table, contract.grain, named, score)


def _questions(wanted: list[str], questions: Iterable[Question]) -> Iterator[Found]:
    for question in questions:
        texts = [(_NAME, _words(question.name)), (_COLUMN, _words(f"{question.title} {question.answers}"))]
        score = _score(wanted, texts)
        yield Found("question", question.name, question.answers, (), score + _OF_ANALYSTS if score else 0)


def _score(wanted: list[str], texts: list[tuple[int, set[str]]]) -> int:
    """The sum of what each word finds at best; 0 where one finds nothing."""
    best = [max((weight for weight, text in texts if _fits(word, text)), default=0) for word in wanted]
    return sum(best) if all(best) else 0


def _fits(word: str, text: set[str]) -> bool:
    return any(other.startswith(word) for other in text)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _stem(word: str) -> str:
    """A word without the ending of the plural."""
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > len("yes") else word
