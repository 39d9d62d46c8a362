"""JSON documents as their objects, one by one: arrays, arrays within an object, one object, or one a line.

Pure functions over a stream of bytes, compressed by gzip or not. Memory does not grow with the file. What
cannot be read without a guess is refused: a file whole (:class:`UnreadableFile`) where what follows is
uncertain, one object (:attr:`Element.problem`) where only it is. Numbers stay the text that the file has.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Optional

ELEMENT_BYTES = 1 << 20
"""How many bytes an object, or a line, may have."""

UNPACKED_BYTES = 256 << 20
"""How many bytes a file may have once it is unpacked."""

MAX_PLACES = 1_000_000
"""How many lines, empty ones too, or elements a file may have."""

MAX_DEPTH = 64
"""How deep values may be nested."""

KEPT_CHARACTERS = 10_000
"""How much is kept beside its reason of what cannot be read; all of it is in the file."""

_GZIP = b"\x1f\x8b"
_OTHER_ENCODINGS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHUNK = 1 << 16
_BLANK = " \t\r\n"
_BLANKS = re.compile(r"[ \t\r\n]*")
_FOLLOWING = '{}[]",:-0123456789tfn'
"""The signs that a token of JSON begins with."""


class UnreadableFile(Exception):  # noqa: N818 - named for what was found
    """A file of which nothing can be taken; says why, in words that quote nothing of it."""


class Number(str):
    """A number as its document writes it."""

    __slots__ = ()


class _Twice(dict[str, Any]):
    """An object that names a member twice."""


class _NoNumber:
    """What stands for NaN and Infinity, which JSON does not have."""


@dataclass(frozen=True)
class Element:
    """One object of a document.

    Attributes:
        place: The number of its line, or of the element in the array, from 1.
        members: Its members; nothing where it cannot be taken.
        problem: Why it cannot be taken; empty where it can.
        text: What stands there, cut where it is long.
    """

    place: int
    members: Optional[Mapping[str, Any]]
    problem: str = ""
    text: str = ""


def read_elements(stream: IO[bytes], rows: Optional[str]) -> Iterator[Element]:
    """The objects of a document, in order.

    Args:
        stream: The file's bytes, at their beginning.
        rows: The member that holds the array, where documents wrap it.

    Raises:
        UnreadableFile: What follows cannot be told.
    """
    text = _Text(_Bytes(stream))
    first = text.skip_blank()
    if first == "":
        raise UnreadableFile("it is empty")
    one = _one_object(text) if first == "{" and rows is None else None
    if first == "[":
        yield from _array(text)
    elif one is not None:
        yield one
    elif first == "{" and rows is not None and not _is_lines(text, rows):
        yield from _wrapped(text, rows)
    else:
        # A file that begins otherwise may have a bad line before good ones.
        neither = "none of its lines is a JSON object"
        yield from _lines(text, neither if first == "{" else "it holds neither objects nor an array of them")


# --- bytes and characters ----------------------------------------------------------------------------


class _Bytes:
    """The file's bytes, unpacked, no more than are allowed."""

    def __init__(self, stream: IO[bytes]) -> None:
        head = stream.read(len(_GZIP))
        stream.seek(0)
        self._file: IO[bytes] = stream
        if head == _GZIP:
            self._file = gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[assignment,unused-ignore]
        self._read = 0

    def read(self) -> bytes:
        try:
            chunk = self._file.read(_CHUNK)
        except EOFError as error:
            raise UnreadableFile("it is cut off: the end of its compression is missing") from error
        except (OSError, zlib.error) as error:
            raise UnreadableFile("its compression is damaged") from error
        if not self._read:
            if chunk.startswith(_GZIP):
                raise UnreadableFile("it is compressed twice")
            if chunk.startswith(_OTHER_ENCODINGS):
                raise UnreadableFile("it is written in UTF-16 or UTF-32, and JSON is UTF-8")
        self._read += len(chunk)
        if self._read > UNPACKED_BYTES:
            raise UnreadableFile(f"it has more than {UNPACKED_BYTES:,} bytes once it is unpacked")
        return chunk


class _Text:
    """The file's characters from a position on; what lies before is forgotten."""

    def __init__(self, source: _Bytes) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.buffer = ""
        self.at = 0
        self.ended = False
        self.passed = 0
        """Ends of lines among the blanks that were passed over."""

    def more(self) -> bool:
        """Read on; whether there was more."""
        if self.ended:
            return False
        if self.at > _CHUNK:
            self.buffer, self.at = self.buffer[self.at :], 0
        chunk = self._source.read()
        self.ended = not chunk
        try:
            self.buffer += self._decoder.decode(chunk, final=self.ended)
        except UnicodeDecodeError as error:
            raise UnreadableFile("it is not written in UTF-8") from error
        return bool(chunk)

    def skip_blank(self) -> str:
        """The next character that is no blank, still to be read; empty at the end."""
        while True:
            found = _BLANKS.match(self.buffer, self.at)
            end = found.end() if found is not None else self.at
            self.passed += self.buffer.count("\n", self.at, end)
            self.at = end
            if end < len(self.buffer):
                return self.buffer[end]
            if not self.more():
                return ""

    def line(self) -> tuple[str, bool]:
        """The next line without its end, and whether it has one; of a long one the beginning."""
        searched = self.at
        kept = ""
        while True:
            end = self.buffer.find("\n", searched)
            if end >= 0:
                line, self.at = self.buffer[self.at : end], end + 1
                return (kept or line), True
            if len(self.buffer) - self.at > ELEMENT_BYTES:
                kept = kept or self.buffer[self.at :]
                self.at = len(self.buffer)
            searched = len(self.buffer) - self.at
            more = self.more()
            searched = min(self.at + searched, len(self.buffer))
            if not more:
                line, self.at = self.buffer[self.at :], len(self.buffer)
                return (kept or line), False


# --- values ------------------------------------------------------------------------------------------


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=lambda _: _NoNumber()
)


def _element(place: int, value: Any, text: str) -> Element:
    problem = "it is no object" if not isinstance(value, dict) else _problem(value)
    if problem:
        return Element(place, None, problem, text[:KEPT_CHARACTERS])
    return Element(place, value, text=text[:KEPT_CHARACTERS])


def _problem(value: Any, depth: int = 1) -> str:
    """Why a value cannot be taken; empty where it can."""
    if isinstance(value, (dict, list)) and depth > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} deep"
    if isinstance(value, _NoNumber):
        return "it holds NaN or Infinity, which is no JSON"
    if isinstance(value, str):
        return "" if is_text(value) else "it holds a character that no text can"
    if isinstance(value, _Twice):
        return "it names a member twice"
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
        return next((found for found in (_problem(one, depth + 1) for one in inner) if found), "")
    if isinstance(value, list):
        return next((found for found in (_problem(one, depth + 1) for one in value) if found), "")
    return ""


def is_text(value: str) -> bool:
    """Whether every reader of the lake can hold a text: no zero character, no half of a pair."""
    if value.isascii():
        return "\0" not in value
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


# --- layouts -----------------------------------------------------------------------------------------


def _is_lines(text: _Text, rows: str) -> bool:
    """Whether a document that may wrap its array has one object a line in its place."""
    first, newline, following = _first_line(text)
    may_wrap = f'"{rows}"' in first
    if not newline and not text.ended:
        # Longer than a line may be.
        return not may_wrap
    try:
        value, _ = _DECODER.raw_decode(first)
    except RecursionError:
        return bool(following) and not may_wrap
    except json.JSONDecodeError as error:
        if not following or may_wrap:
            return False
        # Within a document an object follows a colon or a bracket alone.
        return not _is_begun(first, error) or (following == "{" and first[-1] not in ":[{")
    return not isinstance(value, dict) or rows not in value


def _one_object(text: _Text) -> Optional[Element]:
    """The object of a document that is one, over several lines; nothing where it is something else.

    Raises:
        UnreadableFile: It begins like one, and is none.
    """
    following = _goes_on(text)
    if not following:
        return None
    while True:
        try:
            value, end = _DECODER.raw_decode(text.buffer, text.at)
        except (ValueError, RecursionError) as error:
            if len(text.buffer) - text.at <= ELEMENT_BYTES and text.more():
                continue
            if following == "{":
                return None  # lines, of which the first is bad
            raise UnreadableFile(
                f"it is no JSON, or cut off, or its object has more than {ELEMENT_BYTES:,} bytes"
            ) from error
        begin, text.at = text.buffer[text.at : min(end, text.at + KEPT_CHARACTERS)], end
        if text.skip_blank():
            raise UnreadableFile("something follows its object")
        return _element(1, value, begin)


def _goes_on(text: _Text) -> str:
    """What follows the first line of a document, where that does not end with it; else nothing."""
    first, newline, following = _first_line(text)
    try:
        _DECODER.raw_decode(first)
    except RecursionError:
        return ""
    except json.JSONDecodeError as error:
        is_document = newline and _is_begun(first, error) and following in _FOLLOWING
        return following if is_document else ""
    return ""


def _first_line(text: _Text) -> tuple[str, bool, str]:
    """What is next up to the end of its line, whether that was found, and what follows first after it."""
    while True:
        first, newline, rest = text.buffer[text.at :].partition("\n")
        following = rest.lstrip(_BLANK)[:1]
        if following or len(text.buffer) - text.at > ELEMENT_BYTES or not text.more():
            return first.rstrip(_BLANK), bool(newline), following


def _is_begun(text: str, error: json.JSONDecodeError) -> bool:
    """Whether a text that is no JSON begins some, and ends between two of its tokens.

    A line of a longer document does: no token has the end of a line in it.
    """
    return error.pos >= len(text) and not error.msg.startswith("Unterminated string")


def _lines(text: _Text, none: str) -> Iterator[Element]:
    place, good, bad = text.passed, False, False
    while True:
        line, ended = text.line()
        place = _next(place)
        if line.strip(_BLANK):
            element = _of_line(place, line)
            if element.problem and not ended and _may_go_on(line):
                raise UnreadableFile("it is cut off: it ends within a line")
            good, bad = good or not element.problem, bad or bool(element.problem)
            yield element
        if not ended:
            break
    if bad and not good:
        raise UnreadableFile(none)


def _may_go_on(line: str) -> bool:
    """Whether a line that cannot be taken is the beginning of an object, and its rest is missing."""
    stated = line.strip(_BLANK)
    if not stated.startswith("{"):
        return False
    try:
        _DECODER.raw_decode(stated)
    except RecursionError:
        return True
    except json.JSONDecodeError as error:
        # Whatever is wrong before an end of an object was not cut off.
        return stated[-1] != "}" or error.pos >= len(stated) or error.msg.startswith("Unterminated string")
    return False


def _next(place: int) -> int:
    if place >= MAX_PLACES:
        raise UnreadableFile(f"it has more than {MAX_PLACES:,} lines or elements")
    return place + 1


def _of_line(place: int, line: str) -> Element:
    if len(line.encode("utf-8", "surrogatepass")) > ELEMENT_BYTES:
        return Element(place, None, f"it has more than {ELEMENT_BYTES:,} bytes", line[:KEPT_CHARACTERS])
    try:
        value, end = _DECODER.raw_decode(line, len(line) - len(line.lstrip(_BLANK)))
    except RecursionError:
        return Element(place, None, f"it is nested more than {MAX_DEPTH} deep", line[:KEPT_CHARACTERS])
    except ValueError:
        return Element(place, None, "it is no JSON", line[:KEPT_CHARACTERS])
    if line[end:].strip(_BLANK):
        problem = "something follows the object" if isinstance(value, dict) else "it is no JSON"
        return Element(place, None, problem, line[:KEPT_CHARACTERS])
    return _element(place, value, line)


def _array(text: _Text) -> Iterator[Element]:
    yield from _elements_of_array(text)
    if text.skip_blank():
        raise UnreadableFile("something follows its array")


def _elements_of_array(text: _Text) -> Iterator[Element]:
    text.at += 1
    place = 0
    if text.skip_blank() == "]":
        text.at += 1
        return
    while True:
        place = _next(place)
        where = f"element {place:,}"
        text.skip_blank()
        begin, value = _value(text, where)
        yield _element(place, value, begin)
        following = text.skip_blank()
        text.at += 1
        if following == "]":
            return
        if following != ",":
            raise UnreadableFile(f"it is no JSON, or cut off, after {where}")


def _value(text: _Text, where: str) -> tuple[str, Any]:
    """The next value, and its text."""
    while True:
        try:
            value, end = _DECODER.raw_decode(text.buffer, text.at)
        except RecursionError as error:
            raise UnreadableFile(f"{where} is nested more than {MAX_DEPTH} deep") from error
        except ValueError as error:
            if len(text.buffer) - text.at <= ELEMENT_BYTES and text.more():
                continue
            if text.ended and len(text.buffer) - text.at <= ELEMENT_BYTES:
                raise UnreadableFile(f"it is no JSON, or cut off, at {where}") from error
            raise UnreadableFile(
                f"it is no JSON at {where}, or that has more than {ELEMENT_BYTES:,} bytes"
            ) from error
        # A number may go on.
        if end == len(text.buffer) and text.more():
            continue
        if end - text.at > ELEMENT_BYTES:
            raise UnreadableFile(f"{where} has more than {ELEMENT_BYTES:,} bytes")
        begin, text.at = text.buffer[text.at : min(end, text.at + KEPT_CHARACTERS)], end
        return begin, value


def _wrapped(text: _Text, rows: str) -> Iterator[Element]:
    names: set[str] = set()
    text.at += 1
    if text.skip_blank() == "}":
        text.at += 1
    else:
        yield from _members(text, rows, names)
    if text.skip_blank():
        raise UnreadableFile("something follows its object")
    if rows not in names:
        raise UnreadableFile(f"it has no member {rows}")


def _members(text: _Text, rows: str, names: set[str]) -> Iterator[Element]:
    """The members of an object that has some, up to its end; the names that were found are added."""
    while True:
        name = _name(text, names)
        names.add(name)
        if name != rows:
            _value(text, "a member beside the array")
        elif text.skip_blank() != "[":
            raise UnreadableFile(f"its member {rows} is no array")
        else:
            yield from _elements_of_array(text)
        following = text.skip_blank()
        text.at += 1
        if following == "}":
            return
        if following != ",":
            raise UnreadableFile("it is no JSON, or cut off, after a member")


def _name(text: _Text, before: set[str]) -> str:
    """The name of the next member, and what stands between it and its value."""
    text.skip_blank()
    _, name = _value(text, "the name of a member")
    if not isinstance(name, str) or isinstance(name, Number) or text.skip_blank() != ":":
        raise UnreadableFile("it is no JSON, or cut off, at the name of a member")
    if name in before:
        raise UnreadableFile("it names a member twice")
    text.at += 1
    text.skip_blank()
    return name
