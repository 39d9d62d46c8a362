"""Texts."""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from decimal import ROUND_DOWN, Decimal
from typing import Any, TypeVar

from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.comparison import sort_key
from local_aws.athena.semantics.values import EXACT, Pairs

Padded = TypeVar("Padded", str, bytes)


def chr_(value: int) -> str:
    try:
        return struct.pack("<I", value).decode("utf-32-le")
    except (ValueError, struct.error):
        raise Failed(f"Not a valid Unicode code point: {value}") from None


def codepoint(text: str) -> int:
    if len(text) != 1:
        raise Failed("Input string must be a single character string")
    return ord(text)


def like_pattern(pattern: str, escape: str) -> str:
    sign = re.escape(escape)
    if re.fullmatch(f"(?s)(?:(?!{sign}).|{sign}(?:[%_]|{sign}))*", pattern) is None:
        raise Failed("Escape character must be followed by '%', '_' or the escape character itself")
    return pattern


def concat_ws_array(separator: str, items: list[str | None]) -> str:
    return separator.join(item for item in items if item is not None)


_SIZES = ["", "K", "M", "B", "T", "Q"]


def format_number(value: float) -> str:
    """The whole part of a number in thousands, millions … with three digits; Trino counts none below zero."""
    whole = 0 if math.isnan(value) else min(max(value, -(2**63)), 2**63 - 1)
    number, place = float(math.trunc(whole)), 0
    while abs(number) >= 1000 and place < len(_SIZES) - 1:
        number, place = number / 1000, place + 1
    places = 2 if number < 10 else 1 if number < 100 else 0
    text = format(Decimal(number).quantize(Decimal(1).scaleb(-places), context=EXACT), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + _SIZES[place]


def from_utf8(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def from_utf8_with_code(value: bytes, replacement: int) -> str:
    return from_utf8_with(value, chr_(replacement))


def from_utf8_with(value: bytes, replacement: str) -> str:
    if len(replacement) > 1:
        raise Failed("Replacement character string must empty or a single character")
    kept: list[str] = []
    while True:
        try:
            return "".join([*kept, value.decode()])
        except UnicodeDecodeError as error:
            kept += [value[: error.start].decode(), replacement]
            value = value[error.end :]


def hamming_distance(left: str, right: str) -> int:
    if len(left) != len(right):
        raise Failed("The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(left, right, strict=True))


def levenshtein_distance(left: str, right: str) -> int:
    if not left or not right:
        return len(left) + len(right)
    if len(left) * (len(right) - 1) > 1_000_000:
        raise Failed("The combined inputs for Levenshtein distance are too large")
    row = list(range(len(right) + 1))
    for place, sign in enumerate(left, start=1):
        before, row[0] = row[0], place
        for other, wanted in enumerate(right, start=1):
            before, row[other] = (
                row[other],
                min(row[other] + 1, row[other - 1] + 1, before + (sign != wanted)),
            )
    return row[-1]


def _pad(text: Padded, size: int, filler: Padded) -> Padded:
    if not filler:
        raise Failed("Padding string must not be empty")
    if not 0 <= size < 2**31:
        raise Failed("Target length must be in the range [0..2147483647]")
    missing = size - len(text)
    return (filler * (missing // len(filler) + 1))[: max(missing, 0)]


def lpad(text: Padded, size: int, filler: Padded) -> Padded:
    return (
        (_pad(text, size, filler) + text)[:size]
        if size > len(text)
        else text[: max(size, 0)]
        if size >= 0
        else _pad(text, size, filler)
    )


def rpad(text: Padded, size: int, filler: Padded) -> Padded:
    return (text + _pad(text, size, filler))[:size]


_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009"
    "\u200a\u2028\u2029\u205f\u3000"
)


def trim(text: str) -> str:
    return text.strip(_BLANKS)


def ltrim(text: str) -> str:
    return text.lstrip(_BLANKS)


def rtrim(text: str) -> str:
    return text.rstrip(_BLANKS)


def luhn_check(text: str) -> bool:
    if not re.fullmatch(r"[0-9]*", text):
        raise Failed("Input string must contain only numbers")
    digits = [int(sign) for sign in reversed(text)]
    return (
        sum(d if i % 2 == 0 else sum(divmod(d * 2, 10)) for i, d in enumerate(digits)) % 10 == 0
        and text != ""
    )


def upper(text: str) -> str:
    return text.upper() if text.isascii() else "".join(map(_one_upper, text))


def _one_upper(sign: str) -> str:
    """A character in capitals, where that is one character."""
    return next((form for form in (sign.upper(), sign.title()) if len(form) == 1), sign)


def lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_one_lower, text))


def _one_lower(sign: str) -> str:
    return sign.lower()[0]


def normalize(text: str, form: str) -> str:
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


def replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new)


def reverse_text(text: str) -> str:
    return text[::-1]


def reverse_bytes(value: bytes) -> bytes:
    return value[::-1]


_SOUNDEX = {
    sign: code
    for code, signs in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), start=1)
    for sign in signs
}


def soundex(text: str) -> str:
    letters = [sign for sign in text.upper() if sign.isalpha()]
    if any(not sign.isascii() for sign in letters):
        raise Failed("soundex takes letters of ASCII alone")
    if not letters:
        return ""
    code, last = letters[0], _SOUNDEX.get(letters[0])
    for sign in letters[1:]:
        now = _SOUNDEX.get(sign)
        if now and now != last:
            code += str(now)
        if sign not in "HW":
            last = now
    return code[:4].ljust(4, "0")


def split(text: str, delimiter: str) -> list[str]:
    if not delimiter:
        raise Failed("The delimiter may not be the empty string")
    return text.split(delimiter)


def split_limit(text: str, delimiter: str, limit: int) -> list[str]:
    if not 0 < limit < 2**31:
        raise Failed("Limit must be positive" if limit <= 0 else "Split limit is too large")
    if not delimiter:
        raise Failed("The delimiter may not be the empty string")
    return text.split(delimiter, limit - 1)


def split_part(text: str, delimiter: str, index: int) -> str | None:
    if index <= 0:
        raise Failed("Index must be greater than zero")
    parts = text.split(delimiter) if delimiter else list(text)
    return parts[index - 1] if index <= len(parts) else None


def _entries(text: str, between: str, inside: str) -> Pairs:
    if not between or not inside or between == inside:
        raise Failed("entryDelimiter and keyValueDelimiter must not be empty and must not be the same")
    found = []
    for entry in text.split(between) if text else []:
        if not entry:
            continue
        key, sign, value = entry.partition(inside)
        if not sign or inside in value:
            raise Failed(f"Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'")
        found.append((key, value))
    return found


def split_to_map(text: str, between: str, inside: str) -> Pairs:
    pairs = _entries(text, between, inside)
    for key in {key for key, _ in pairs}:
        if sum(key == other for other, _ in pairs) > 1:
            raise Failed(f"Duplicate keys ({key}) are not allowed")
    return pairs


def split_to_multimap(text: str, between: str, inside: str) -> Pairs:
    return grouped(_entries(text, between, inside))


def grouped(pairs: Pairs) -> Pairs:
    found: dict[Any, tuple[Any, list[Any]]] = {}
    for key, value in pairs:
        if key is None:
            raise Failed("map key cannot be null")
        found.setdefault(sort_key(key), (key, []))[1].append(value)
    return list(found.values())


def strpos(text: str, part: str, instance: int) -> int:
    if instance == 0:
        raise Failed("'instance' must be a positive or negative number.")
    if not part:
        return 1
    at = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        at = text.find(part, at + 1) if instance > 0 else text.rfind(part, 0, at + len(part) - 1)
        if at < 0:
            return 0
    return at + 1


def substr(text: Any, start: int) -> Any:
    return substr_length(text, start, len(text))


def substr_length(text: Any, start: int, length: int) -> Any:
    nothing = text[:0]
    if start == 0 or length <= 0 or not text:
        return nothing
    at = start - 1 if start > 0 else len(text) + start
    return nothing if at < 0 or at >= len(text) else text[at : at + length]


def translate(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for place, sign in enumerate(old):
        table.setdefault(ord(sign), new[place] if place < len(new) else None)
    return text.translate(table)


def word_stem_of(word: str, language: str) -> str:
    if language != "en":
        raise Failed(f"word_stem of the language '{language}' is not supported here", "NOT_SUPPORTED")
    return word_stem(word)


def word_stem(word: str) -> str:
    from local_aws.athena.stemming import stem

    return stem(word)


_DATA_UNITS = {"B": 0, "kB": 1, "KB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5, "EB": 6, "ZB": 7, "YB": 8}


def parse_data_size(text: str) -> Decimal:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(\w+)", text)
    if not found or found[2] not in _DATA_UNITS or found[2] == "KB":
        raise Failed(f"Invalid data size: '{text}'")
    size = EXACT.multiply(Decimal(found[1]), Decimal(1024 ** _DATA_UNITS[found[2]]))
    return size.to_integral_value(ROUND_DOWN)
