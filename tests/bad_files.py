"""Files that a carrier should not send: by name, the file, and what is to become of it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import zlib
from collections.abc import Mapping

from tests.files import event, lines

GOOD = event(1)
"""An event that stands beside what is bad; its key is 1."""


@dataclasses.dataclass(frozen=True)
class BadFile:
    """A file, and what is to become of it.

    Attributes:
        body: Its bytes.
        unreadable: Why nothing of it is taken; empty where something is.
        bad: By place, why a line or an element gives no row.
        odd: By column, what is kept of cells that its type cannot hold.
        rows: How many rows it gives.
    """

    body: bytes
    unreadable: str = ""
    bad: Mapping[int, str] = dataclasses.field(default_factory=dict)
    odd: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rows: int = 0


def _text(*events: object) -> str:
    return lines(*events).decode()


def _array(*texts: str) -> bytes:
    return f"[{', '.join(texts)}]".encode()


_GOOD = json.dumps(GOOD)
_TWICE = _GOOD.replace('"carrier"', '"status": "lost", "carrier"', 1)
_DEEP = '{"a":' * 65 + "1" + "}" * 65
_ABYSS = "[" * 100_000
_ZIPPED = gzip.compress(lines(GOOD, event(2)))
_NO_KEY = "its event_id, by which it is known, is missing or is no bigint"

BAD_FILES: Mapping[str, BadFile] = {
    "empty": BadFile(b"", "it is empty"),
    "blank": BadFile(b" \r\n\t\n", "it is empty"),
    "null": BadFile(b"null", "neither objects nor an array"),
    "a-word": BadFile(b"deliveries", "neither objects nor an array"),
    "a-page": BadFile(b"<html><body>This bucket has moved.</body></html>", "neither objects nor an array"),
    "cut-off-gzip": BadFile(_ZIPPED[:-12], "cut off: the end of its compression is missing"),
    "damaged-gzip": BadFile(_ZIPPED[:-8] + b"\0\0\0\0" + _ZIPPED[-4:], "its compression is damaged"),
    "gzip-twice": BadFile(gzip.compress(_ZIPPED), "it is compressed twice"),
    "gzip-bomb-of-one-line": BadFile(
        gzip.compress(b'{"a": "' + bytes(8 << 20)), "cut off: it ends within a line"
    ),
    "gzip-of-other-form": BadFile(zlib.compress(lines(GOOD)), "neither objects|not written in UTF-8"),
    "utf-16": BadFile(_GOOD.encode("utf-16"), "UTF-16 or UTF-32"),
    "utf-32": BadFile(_GOOD.encode("utf-32"), "UTF-16 or UTF-32"),
    "latin-1": BadFile(
        json.dumps(event(1, carrier="Müller"), ensure_ascii=False).encode("latin-1"), "not written in UTF-8"
    ),
    "mark-of-utf-8": BadFile(b"\xef\xbb\xbf" + lines(GOOD), rows=1),
    "names-a-member-twice": BadFile(
        f"{_TWICE}\n{_text(event(2))}".encode(), bad={1: "it names a member twice"}, rows=1
    ),
    "not-a-number": BadFile(
        (_GOOD.replace("1.5", "NaN") + "\n" + _text(event(2))).encode(),
        bad={1: "it holds NaN or Infinity, which is no JSON"},
        rows=1,
    ),
    "infinity-in-an-array": BadFile(
        _array(_GOOD.replace("1.5", "-Infinity"), json.dumps(event(2))),
        bad={1: "it holds NaN or Infinity, which is no JSON"},
        rows=1,
    ),
    "not-a-number-in-a-last-line-without-end": BadFile(
        (_text(event(2)) + _GOOD.replace("1.5", "NaN")).encode(),
        bad={2: "it holds NaN or Infinity, which is no JSON"},
        rows=1,
    ),
    "a-first-line-of-something-else": BadFile(
        b"3 deliveries\n" + lines(event(1, status="failed")), bad={1: "it is no JSON"}, rows=1
    ),
    "a-first-line-that-is-cut-off": BadFile(
        f"{_GOOD[:-10]}\n{_text(event(2))}".encode(), bad={1: "it is no JSON"}, rows=1
    ),
    "deep": BadFile(f"{_text(GOOD)}{_DEEP}\n".encode(), bad={2: "it is nested more than 64 deep"}, rows=1),
    "an-abyss": BadFile(_ABYSS.encode(), "nested more than 64 deep|no JSON, or cut off"),
    "an-abyss-in-a-line": BadFile(
        f'{_text(GOOD)}{{"a": {_ABYSS}}}\n'.encode(), bad={2: "it is (nested|no JSON)"}, rows=1
    ),
    "huge-numbers": BadFile(
        (
            _GOOD.replace("1.5", "1e999999999") + "\n" + _GOOD.replace('"id": 1,', '"id": 1e99999,') + "\n"
        ).encode(),
        bad={2: _NO_KEY},
        odd={"weight_kg": "1e999999999"},
        rows=1,
    ),
    "exponents-without-end": BadFile(
        "\n".join(
            _GOOD.replace("1.5", text) for text in (f"1e{'9' * 5000}", f"0e{'9' * 20}", f"1e-{'0' * 20}3")
        ).encode(),
        odd={"weight_kg": f"1e{'9' * 5000}"},
        rows=3,
    ),
    "too-many-digits": BadFile(
        (_GOOD.replace("1.5", "1.50001") + "\n").encode(), odd={"weight_kg": "1.50001"}, rows=1
    ),
    "a-key-beyond-its-type": BadFile(lines(GOOD, event(9_223_372_036_854_775_808)), bad={2: _NO_KEY}, rows=1),
    "times-without-zone": BadFile(
        lines(event(1, at="2024-11-15T10:00:00")), odd={"happened_at": "2024-11-15T10:00:00"}, rows=1
    ),
    "an-object-in-the-place-of-a-text": BadFile(
        lines(event(1, status={"code": 3})), odd={"status": "an object"}, rows=1
    ),
    "a-text-in-the-place-of-an-object": BadFile(
        lines(event(1, parcel="heavy")), odd={"weight_kg": "heavy"}, rows=1
    ),
    "zero-characters": BadFile(
        lines(event(1, carrier="a\0b"), event(2)), bad={1: "it holds a character that no text can"}, rows=1
    ),
    "half-of-a-pair": BadFile(
        lines(event(1, carrier="\ud83d"), event(2)), bad={1: "it holds a character that no text can"}, rows=1
    ),
    "signs-that-no-text-holds-in-an-array": BadFile(
        _array(_GOOD, *(json.dumps(event(2, carrier=sign)) for sign in ("\0", "\ud83d", "\\ud83d \udc00"))),
        bad=dict.fromkeys((2, 3, 4), "it holds a character that no text can"),
        rows=1,
    ),
    "cut-off-line": BadFile(lines(GOOD, event(2))[:-20], "cut off: it ends within a line"),
    "cut-off-array": BadFile(_array(_GOOD, json.dumps(event(2)))[:-20], "no JSON, or cut off"),
    "cut-off-wrapping": BadFile(
        b'{"events": [' + _GOOD.encode() + b"]", "no JSON, or cut off, after a member"
    ),
    "an-array-and-more": BadFile(_array(_GOOD) + b"]", "something follows its array"),
    "two-objects-in-a-line": BadFile(
        f"{_text(GOOD)}{_GOOD} {_GOOD}\n".encode(), bad={2: "something follows the object"}, rows=1
    ),
    "elements-that-are-none": BadFile(
        _array(_GOOD, "null", "[1]", '"x"', "12"), bad=dict.fromkeys((2, 3, 4, 5), "it is no object"), rows=1
    ),
    "another-wrapping": BadFile(b'{\n "rows": []\n}', "it has no member events|none of its lines"),
    "wrapped-no-array": BadFile(b'{\n "events": {}\n}', "its member events is no array"),
    "one-huge-line": BadFile(
        lines(GOOD, event(2, note="x" * (1 << 20))), bad={2: "it has more than 1,048,576 bytes"}, rows=1
    ),
    "a-huge-element": BadFile(
        _array(_GOOD, json.dumps(event(2, note="x" * (3 << 20)))), "more than 1,048,576 bytes"
    ),
    "one-key-for-ever": BadFile(
        lines(*(event(1, status=str(n)) for n in range(101))), "one key comes more than 100 times"
    ),
    "a name+of%2Fodd 'signs' \"é\" ?#&": BadFile(lines(event(1, status="returned")), rows=1),
    "nothing-but-bad-lines": BadFile(b'{"a": 1,}\n{"a": 2,}\n', "none of its lines is a JSON object"),
}
