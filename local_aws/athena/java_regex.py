"""Regular expressions of Java that mean the same to Python's engine, and no others."""

from __future__ import annotations

import functools
import itertools
import re
import sys
import unicodedata

_ESCAPES = frozenset("dDwWsSbBAtnrfva")
_CODE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})")
_CATEGORY = re.compile(
    r"\\(?P<sign>[pP])\{(?P<name>L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?)\}"
)
_IGNORES_CASE = re.compile(r"\(\?[a-z]*i")
_BACK_REFERENCE = re.compile(r"\\[1-9]")
_COUNT = re.compile(r"\{\d+(?:,\d*)?\}")
_OPENING = re.compile(r"\((?:\?(?::|=|!|>|<=|<!|<(?P<name>[A-Za-z][A-Za-z0-9]*)>|(?P<flags>[ims]+)\)))?")


@functools.lru_cache(maxsize=500)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern as Python's engine reads it.

    Raises:
        ValueError: It has a form that Java reads otherwise or Python not at all.
    """
    try:
        return re.compile(_Reader(pattern).read())
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None


@functools.cache
def _runs() -> list[tuple[str, int, int]]:
    """The general category of all characters, for as many at once as have the same."""
    runs: list[tuple[str, int, int]] = []
    first = 0
    for category, alike in itertools.groupby(map(unicodedata.category, map(chr, range(sys.maxunicode + 1)))):
        last = first + sum(1 for _ in alike) - 1
        runs.append((category, first, last))
        first = last + 1
    return runs


@functools.lru_cache(maxsize=100)
def _category(name: str, *, negated: bool) -> str:
    """The inside of a class with all characters of a general category, or with all others."""
    return "".join(
        f"\\U{first:08x}-\\U{last:08x}"
        for category, first, last in _runs()
        if category != "Cs" and category.startswith(name) != negated
    )


class _Reader:
    """Reads a pattern of Java from left to right, and writes Python's."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._written: list[str] = []
        # For each group that is open: how many flags were set in its middle.
        self._groups = [0]

    def read(self) -> str:
        while self._at < len(self._pattern):
            sign = self._pattern[self._at]
            if sign == "\\":
                self._escape(inside=False)
            elif sign == "[":
                self._class()
            elif sign == "(":
                self._open()
            elif sign == ")":
                self._close()
            else:
                self._plain(sign)
        if len(self._groups) != 1:
            raise ValueError("a group is not closed")
        return "".join([*self._written, ")" * self._groups[0]])

    def _put(self, text: str, length: int) -> None:
        self._written.append(text)
        self._at += length

    def _escape(self, *, inside: bool) -> None:
        code = _CODE.match(self._pattern, self._at)
        if code:
            self._put(code[0], len(code[0]))
            return
        category = _CATEGORY.match(self._pattern, self._at)
        if category and not _IGNORES_CASE.search(self._pattern):
            characters = _category(category["name"], negated=category["sign"] == "P")
            self._put(characters if inside else f"[{characters}]", len(category[0]))
            return
        sign = self._pattern[self._at + 1 : self._at + 2]
        if sign == "Q" and not inside:
            text, end, _ = self._pattern[self._at + 2 :].partition(r"\E")
            self._put(re.escape(text), len(text) + 2 + len(end))
        elif sign == "z" and not inside:
            self._put(r"\Z", 2)
        elif sign == "e":
            self._put(r"\x1b", 2)
        elif (
            (sign in _ESCAPES and not (inside and sign in "bBA"))
            or (sign and not sign.isalnum())
            or (not inside and _BACK_REFERENCE.match(self._pattern, self._at))
        ):
            self._put(f"\\{sign}", 2)
        else:
            raise ValueError(f"\\{sign} at position {self._at}")

    def _class(self) -> None:
        start = self._at
        self._put("[", 1)
        if self._pattern.startswith("^", self._at):
            self._put("^", 1)
        first = self._at
        while self._at < len(self._pattern):
            sign = self._pattern[self._at]
            if sign == "]" and self._at > first:
                self._put("]", 1)
                return
            if sign in "[]" or self._pattern.startswith(("&&", "--"), self._at):
                raise ValueError(f"{sign} in the class at position {start}")
            if sign == "\\":
                self._escape(inside=True)
            else:
                self._put(f"\\{sign}" if sign in "|~&" else sign, 1)
        raise ValueError(f"the class at position {start} is not closed")

    def _open(self) -> None:
        found = _OPENING.match(self._pattern, self._at)
        if not found or (len(found[0]) == 1 and self._pattern.startswith("?", found.end())):
            raise ValueError(f"the group at position {self._at}")
        if found["flags"]:
            # They hold up to the end of the group that is open.
            self._groups[-1] += 1
            self._put(f"(?{found['flags']}:", len(found[0]))
            return
        self._groups.append(0)
        self._put(f"(?P<{found['name']}>" if found["name"] else found[0], len(found[0]))

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise ValueError("a group is closed that is not open")
        self._put(")" * (self._groups.pop() + 1), 1)

    def _plain(self, sign: str) -> None:
        if sign == "|" and self._groups[-1] and not self._begins_with_flags():
            raise ValueError("flags in the middle of alternatives")
        if sign == "{":
            count = _COUNT.match(self._pattern, self._at)
            if not count:
                raise ValueError(f"{{ at position {self._at}")
            self._put(count[0], len(count[0]))
            return
        self._put(sign, 1)

    def _begins_with_flags(self) -> bool:
        """Whether flags stand before all else, where alternatives are inside of them too."""
        return (
            len(self._groups) == 1 and bool(re.match(r"\(\?[ims]+\)", self._pattern)) and self._groups == [1]
        )
