r"""Regular expressions that Java, which Spark uses, and RE2, which DuckDB uses, understand alike.

An allow-list: literal characters, classes of characters and ranges, groups, alternation, ``?``, ``*``, ``+``
and ``{n,m}``, ``\A``, ``\z`` and ``\d``, and a backslash before a punctuation mark. All else is refused:
``.``, ``$``, ``\s``, ``\w`` and flags mean other characters in one than in the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, Optional

MAX_REPEATS = 1000
"""How often something may be repeated, repeated groups within groups multiplied: RE2's limit."""

MAX_SIZE = 10_000
"""Characters and ranges of a pattern with repetitions written out: well within what RE2 compiles."""

MAX_DEPTH = 20
"""How deep groups may nest."""

_META = "\\^$.|?*+()[]{}"
_QUANTIFIER = re.compile(r"\*|\+|\?|\{([0-9]{1,6})(?:(,)([0-9]{1,6})?)?\}", re.ASCII)


class PatternError(ValueError):
    """A regular expression that cannot be used: says why and where."""


@dataclass(frozen=True)
class _Part:
    """Part of a pattern: its portable text and what repeating it costs.

    Attributes:
        text: The text that both engines read alike.
        size: Characters and ranges, with repetitions written out.
        repeats: How often something within it is repeated at most.
        kind: ``character`` or ``group``.
    """

    text: str
    size: int = 1
    repeats: int = 1
    kind: str = "character"


@lru_cache(maxsize=1024)
def portable(pattern: str) -> str:
    r"""A pattern as both engines read it alike; ``\A`` is spelled ``^``.

    Raises:
        PatternError: It is not of the allow-list.
    """
    parser = _Parser(pattern)
    found = parser.alternation()
    if parser.at < len(pattern):
        parser.refuse("there is no ( for it")
    return found.text


def whole_text(pattern: str) -> str:
    """A contract's pattern without the ``^`` and ``$`` around it: it always describes the whole text."""
    backslashes = len(pattern) - 1 - len(pattern[:-1].rstrip("\\"))
    return pattern.removeprefix("^")[: -1 if pattern.endswith("$") and backslashes % 2 == 0 else None]


def anchored(pattern: str) -> Optional[str]:
    r"""What stands between ``\A(?:`` and ``)\z``, if a pattern is all of this, as contracts' rules are."""
    inner = pattern[len(r"\A(?:") : -len(r")\z")]
    if f"\\A(?:{inner})\\z" != pattern:
        return None
    try:
        portable(inner)
    except PatternError:
        # The group ends elsewhere: (?:a)|(?:b).
        return None
    return inner


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.at = 0
        self._pattern = pattern
        self._depth = 0

    def refuse(self, reason: str, at: Optional[int] = None) -> NoReturn:
        place = self.at if at is None else at
        what = self._pattern[place : place + 1] or "the end"
        raise PatternError(f"{what}: {reason}, at character {place + 1} of the pattern {self._pattern}")

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self.at)

    def _take(self) -> str:
        if self.at >= len(self._pattern):
            self.refuse("the pattern ends too early")
        letter = self._pattern[self.at]
        if letter == "\0" or "\ud800" <= letter <= "\udfff":
            self.refuse("not a character that a text can hold")
        self.at += 1
        return letter

    def alternation(self) -> _Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.refuse("groups nest too deep")
        parts = [self._sequence()]
        while self._peek("|"):
            self.at += 1
            parts.append(self._sequence())
        self._depth -= 1
        return self._sum("|".join(part.text for part in parts), parts, "group")

    def _sequence(self) -> _Part:
        # DuckDB takes simple patterns for LIKE, and mistakes empty ones and anchors elsewhere.
        begin = self._anchor(r"\A")
        parts: list[_Part] = []
        while self.at < len(self._pattern) and not any(map(self._peek, ("|", ")", r"\z"))):
            parts.append(self._repeated())
        if not parts:
            self.refuse("something is expected before it")
        end = self._anchor(r"\z")
        if end and self.at < len(self._pattern) and not self._peek("|"):
            self.refuse(r"nothing follows \z")
        text = "".join(part.text for part in parts)
        return self._sum(f"{'^' if begin else ''}{text}{end}", parts, "group")

    def _anchor(self, anchor: str) -> str:
        if not self._peek(anchor):
            return ""
        if self._depth > 1:
            self.refuse("a group holds no anchor")
        self.at += len(anchor)
        return anchor

    def _sum(self, text: str, parts: list[_Part], kind: str) -> _Part:
        size = sum(part.size for part in parts)
        if size > MAX_SIZE:
            self.refuse(f"the pattern is larger than {MAX_SIZE} characters with repetitions written out")
        return _Part(text, size, max((part.repeats for part in parts), default=1), kind)

    def _repeated(self) -> _Part:
        start = self.at
        part = self._atom()
        match = _QUANTIFIER.match(self._pattern, self.at)
        if match is None:
            return part
        at, self.at = self.at, match.end()
        most = self._most(match, part, at)
        if self._peek("?") or self._peek("+") or self._peek("*") or self._peek("{"):
            self.refuse("a repetition is followed by no other sign")
        repeats = part.repeats * most
        if repeats > MAX_REPEATS:
            self.refuse(f"nothing is repeated more than {MAX_REPEATS} times", at)
        if part.size * most > MAX_SIZE:
            self.refuse(
                f"the pattern is larger than {MAX_SIZE} characters with repetitions written out", start
            )
        return _Part(f"{part.text}{match[0]}", part.size * most, repeats)

    def _most(self, match: re.Match[str], part: _Part, at: int) -> int:
        least = int(match[1] or 0)
        if match[1] is None or (match[2] and match[3] is None):
            if part.kind == "group" and match[0] != "?":
                # Java tries each repetition of a group on its stack, which long texts exhaust.
                self.refuse(f"a group is repeated a stated number of times, such as {{0,{MAX_REPEATS}}}", at)
            return max(least, 1)
        most = int(match[3] or least)
        if least > most or most == 0:
            self.refuse("a repetition states the smaller number first, and the larger is not 0", at)
        return most

    def _atom(self) -> _Part:
        letter = self._take()
        if letter == "\\":
            return self._escaped()
        if letter == "[":
            return self._class()
        if letter == "(":
            return self._group()
        if letter in _META:
            words = {".": "state the characters, as [^x] or [ -~]", "^": r"state \A", "$": r"state \z"}
            self.refuse(words.get(letter, "has to follow something, or a backslash"), self.at - 1)
        return _Part(_spelled(letter))

    def _escaped(self) -> _Part:
        letter = self._take()
        if letter == "A":
            self.refuse(r"\A stands before all else", self.at - 1)
        if letter == "d":
            return _Part("[0-9]")
        return _Part(_spelled(self._punctuation(letter)))

    def _punctuation(self, letter: str) -> str:
        if not ("!" <= letter <= "~") or letter.isalnum():
            self.refuse(f"\\{letter} is not of the allow-list", self.at - 1)
        return letter

    def _group(self) -> _Part:
        at = self.at - 1
        if self._peek("?:"):
            self.at += 2
        elif self._peek("?"):
            self.refuse("a group has no flags and looks nowhere")
        inner = self.alternation()
        if not self._peek(")"):
            self.refuse("the group has no end", at)
        self.at += 1
        return _Part(f"(?:{inner.text})", inner.size, inner.repeats, "group")

    def _class(self) -> _Part:
        start = self.at - 1
        negated = self._peek("^")
        self.at += int(negated)
        items: list[str] = []
        hyphen = False
        while not self._peek("]"):
            first = self._member()
            if first == r"\d":
                items.append("0-9")
            elif self._peek("-") and self._pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                found, begins = self._range(first)
                items.append(found)
                hyphen |= begins
            elif first == "-":
                hyphen = True
            else:
                items.append(_in_class(first))
        self.at += 1
        text = "".join(items) + "-" * hyphen
        if not text:
            self.refuse("the class holds nothing", start)
        # A character outside ASCII is several bytes to RE2, a negated class any of many.
        size = 4 * (len(items) + hyphen) if negated or not text.isascii() else len(items) + hyphen
        return _Part(f"[{'^' * negated}{text}]", size)

    def _range(self, first: str) -> tuple[str, bool]:
        """A range, and whether it begins with a hyphen, which then stands at the end of the class."""
        at = self.at
        self.at += 1
        last = self._member()
        if last == r"\d" or last < first:
            self.refuse("a range ends with a character that is not before its first", at)
        if first != "-":
            return f"{_in_class(first)}-{_in_class(last)}", False
        after = chr(ord(first) + 1)
        return (f"{_in_class(after)}-{_in_class(last)}" if last >= after else ""), True

    def _member(self) -> str:
        r"""A character of a class, or ``\d``."""
        letter = self._take()
        if letter == "\\":
            escaped = self._take()
            return r"\d" if escaped == "d" else self._punctuation(escaped)
        if letter in "[&":
            self.refuse("has a backslash before it within a class", self.at - 1)
        return letter


def _spelled(letter: str) -> str:
    if letter in "\\^[]":
        return f"\\{letter}"
    return f"[{letter}]" if letter in _META else letter


def _in_class(letter: str) -> str:
    return f"\\{letter}" if letter in "\\]^[&-" else letter
