"""Dates and moments by a pattern: MySQL's, and Joda's."""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.athena.plan import SESSION_ZONE
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.moments import offset_text, wall_clock, zone_name, zoned
from local_aws.athena.semantics.values import EPOCH

_FORMATS: dict[str, Callable[[dt.datetime], str]] = {
    "a": lambda m: m.strftime("%a"),
    "b": lambda m: m.strftime("%b"),
    "c": lambda m: str(m.month),
    "d": lambda m: f"{m.day:02d}",
    "e": lambda m: str(m.day),
    "f": lambda m: f"{m.microsecond // 1000:03d}000",
    "H": lambda m: f"{m.hour:02d}",
    "h": lambda m: f"{(m.hour + 11) % 12 + 1:02d}",
    "I": lambda m: f"{(m.hour + 11) % 12 + 1:02d}",
    "i": lambda m: f"{m.minute:02d}",
    "j": lambda m: m.strftime("%j"),
    "k": lambda m: str(m.hour),
    "l": lambda m: str((m.hour + 11) % 12 + 1),
    "M": lambda m: m.strftime("%B"),
    "m": lambda m: f"{m.month:02d}",
    "p": lambda m: "AM" if m.hour < 12 else "PM",
    "r": lambda m: f"{(m.hour + 11) % 12 + 1:02d}:{m:%M:%S} {'AM' if m.hour < 12 else 'PM'}",
    "S": lambda m: f"{m.second:02d}",
    "s": lambda m: f"{m.second:02d}",
    "T": lambda m: f"{m:%H:%M:%S}",
    "v": lambda m: f"{m.isocalendar().week:02d}",
    "W": lambda m: m.strftime("%A"),
    "x": lambda m: f"{m.isocalendar().year:04d}",
    "Y": lambda m: f"{m.year:04d}",
    "y": lambda m: f"{m.year % 100:02d}",
    "%": lambda _: "%",
}


def _format_pieces(pattern: str) -> list[str]:
    """Texts and fields of a format; a percent sign at its end counts for nothing."""
    if pattern in ("", "%"):
        raise Failed("Both printing and parsing not supported")
    return re.findall(r"%.|[^%]+", pattern, re.DOTALL)


def date_format(moment: dt.datetime, pattern: str) -> str:
    found = []
    for piece in _format_pieces(pattern):
        if not piece.startswith("%"):
            found.append(piece)
        elif piece[1] in "DUuVwX":
            raise Failed(f"{piece} not supported in date format string")
        else:
            found.append(_FORMATS[piece[1]](moment) if piece[1] in _FORMATS else piece[1])
    return "".join(found)


def date_format_zoned(moment: dict[str, Any], pattern: str) -> str:
    return date_format(wall_clock(moment), pattern)


Names = dict[str, int]


def _names(*lists: Iterable[str]) -> Names:
    """The forms in which a name may be written, each with its number from 1."""
    return {
        form: number
        for listed in lists
        for number, name in enumerate(listed, start=1)
        for form in (name, name.lower(), name.upper())
    }


_TEXT_FIELDS = {
    "month_name": _names(calendar.month_name[1:], calendar.month_abbr[1:]),
    "weekday_name": _names(calendar.day_name, calendar.day_abbr),
    "half": _names(("AM", "PM")),
}
_DIGITS = {"fraction": 9, "doy": 3, "weekyear": 4, "year": 4, "short_year": 2, "weekday": 1}
_PARSED = {
    "a": "weekday_name",
    "b": "month_name",
    "c": "month",
    "d": "day",
    "e": "day",
    "f": "fraction",
    "H": "hour",
    "h": "twelve",
    "I": "twelve",
    "i": "minute",
    "j": "doy",
    "k": "hour",
    "l": "twelve",
    "M": "month_name",
    "m": "month",
    "p": "half",
    "S": "second",
    "s": "second",
    "v": "week",
    "W": "weekday_name",
    "x": "weekyear",
    "Y": "year",
    "y": "short_year",
}
_SHORTHANDS = {"%T": "%H:%i:%s", "%r": "%h:%i:%s %p"}


def _field(name: str, most: int | None = None, least: int = 1) -> str:
    """What a field matches; like Joda it takes all it can, and gives nothing back."""
    if name in _TEXT_FIELDS:
        forms = sorted(_TEXT_FIELDS[name], key=len, reverse=True)
        return f"(?>({'|'.join(forms)}))"
    return rf"(\d{{{least},{most or _DIGITS.get(name, 2)}}}+)"


@functools.lru_cache(maxsize=200)
def _date_pattern(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    for short, long in _SHORTHANDS.items():
        pattern = pattern.replace(short, long)
    expression, parts = "", []
    for piece in _format_pieces(pattern):
        if not piece.startswith("%"):
            expression += _joda_text(piece)
        elif piece[1] in _PARSED:
            name = _PARSED[piece[1]]
            expression += _field(name, least=2 if name == "short_year" else 1)
            parts.append(name)
        elif piece[1] in "DUuVwX":
            raise Failed(f"{piece} not supported in date format string")
        else:
            expression += _joda_text(piece[1])
    return re.compile(expression, re.ASCII), tuple(parts)


def _joda_text(text: str) -> str:
    """A text between fields, which may stand in either case."""
    return f"(?i:{re.escape(text)})" if text.isascii() else re.escape(text)


def date_parse(text: str, pattern: str) -> dt.datetime:
    compiled, parts = _date_pattern(pattern)
    found = compiled.fullmatch(text)
    if not found:
        raise Failed(f'Invalid format: "{text}"')
    return _assembled(zip(parts, found.groups(), strict=True), text, pivot=2020)


def _assembled(found: Iterable[tuple[str, str]], text: str, *, pivot: int) -> dt.datetime:
    """The moment of fields that were read: larger ones first, the later of two alike counts."""
    parts: dict[str, int] = {}
    fraction = "0"
    for name, value in found:
        if name == "fraction":
            fraction = value
        elif name in _TEXT_FIELDS:
            parts[name.removesuffix("_name")] = _TEXT_FIELDS[name][value]
        elif name == "short_year":
            low = pivot - 50
            parts["year"] = low + (int(value) - low) % 100
        else:
            parts[name] = int(value)
    micros = int(fraction[:3].ljust(3, "0")) * 1000
    try:
        day = _day_of(parts)
        return dt.datetime.combine(
            day, dt.time(_hour_of(parts, text), parts.get("minute", 0), parts.get("second", 0), micros)
        )
    except (ValueError, OverflowError):
        raise Failed(f'Cannot parse "{text}"') from None


def _day_of(parts: dict[str, int]) -> dt.date:
    of_week = {"week", "weekyear"} & parts.keys()
    of_month = {"year", "month", "day", "doy"} & parts.keys()
    if (
        (of_week and of_month)
        or of_week == {"week"}
        or {"month", "doy"} <= of_month
        or {"day", "doy"} <= of_month
    ):
        raise Failed("Such fields of a date together are not supported here", "NOT_SUPPORTED")
    if of_week:
        return dt.date.fromisocalendar(parts["weekyear"], parts.get("week", 1), parts.get("weekday", 1))
    year = parts.get("year", 2000 if of_month or "weekday" in parts else 1970)
    if "doy" in parts:
        day = dt.datetime.strptime(f"{year:04d} {parts['doy']}", "%Y %j").date()  # noqa: DTZ007
    else:
        day = dt.date(year, parts.get("month", 1), parts.get("day", 1))
    return day + dt.timedelta(days=parts.get("weekday", day.isoweekday()) - day.isoweekday())


def _hour_of(parts: dict[str, int], text: str) -> int:
    hour = 12 if parts.get("half") == 2 else 0
    hour = parts.get("hour", hour)
    if "clock" in parts:
        hour = _in_clock(parts["clock"], 24, text)
    if "twelve" in parts:
        hour = hour // 12 * 12 + _in_clock(parts["twelve"], 12, text)
    if "half_hour" in parts:
        hour = hour // 12 * 12 + _in_clock(parts["half_hour"] or 12, 12, text)
    return hour


def _in_clock(value: int, hours: int, text: str) -> int:
    if not 1 <= value <= hours:
        raise Failed(f'Cannot parse "{text}"')
    return value % hours


_JODA = re.compile(r"'(?:[^']|'')*'|([a-zA-Z])\1*|[^a-zA-Z']+")


def _joda(moment: dt.datetime, sign: str, count: int) -> str:
    numbers: dict[str, int] = {
        "d": moment.day,
        "H": moment.hour,
        "h": (moment.hour + 11) % 12 + 1,
        "m": moment.minute,
        "s": moment.second,
        "D": moment.timetuple().tm_yday,
        "w": moment.isocalendar().week,
        "e": moment.isoweekday(),
        "k": moment.hour or 24,
        "K": moment.hour % 12,
    }
    if sign in numbers:
        return str(numbers[sign]).rjust(count, "0")
    if sign in "yYx":
        year = moment.isocalendar().year if sign == "x" else moment.year
        return f"{year % 100:02d}" if count == 2 else str(year).rjust(count, "0")
    if sign == "M":
        if count >= 3:
            return moment.strftime("%b" if count == 3 else "%B")
        return str(moment.month).rjust(count, "0")
    if sign == "E":
        return moment.strftime("%a" if count <= 3 else "%A")
    if sign == "a":
        return "AM" if moment.hour < 12 else "PM"
    if sign == "S":
        return f"{moment.microsecond // 1000:03d}".ljust(count, "0")[:count]
    raise Failed(f"'{sign}' in a format is not supported here", "NOT_SUPPORTED")


def format_datetime(moment: dt.datetime, pattern: str) -> str:
    return "".join(_joda_pieces(moment, pattern, ""))


def _joda_pieces(moment: dt.datetime, pattern: str, zone: str, utc: dt.datetime = EPOCH) -> Iterable[str]:
    at = 0
    if not pattern:
        raise Failed("Invalid pattern specification")
    for found in _JODA.finditer(pattern):
        if found.start() != at:
            break
        at = found.end()
        piece = found.group()
        if piece.startswith("'"):
            yield "'" if piece == "''" else piece[1:-1].replace("''", "'")
        elif found[1] is None:
            yield piece
        elif found[1] == "Z" and zone:
            yield offset_text(utc, zone, colon=len(piece) == 2) if len(piece) < 3 else zone
        else:
            yield _joda(moment, found[1], len(piece))
    if at != len(pattern):
        raise Failed(f"Illegal pattern: {pattern}")


def format_datetime_zoned(moment: dict[str, Any], pattern: str) -> str:
    return "".join(_joda_pieces(wall_clock(moment), pattern, moment["z"], moment["t"]))


_JODA_READ = {
    "y": "year",
    "Y": "year",
    "x": "weekyear",
    "M": "month",
    "d": "day",
    "D": "doy",
    "w": "week",
    "e": "weekday",
    "H": "hour",
    "k": "clock",
    "K": "half_hour",
    "h": "twelve",
    "m": "minute",
    "s": "second",
    "S": "fraction",
    "a": "half",
    "E": "weekday_name",
    "Z": "zone",
}


@functools.lru_cache(maxsize=200)
def _joda_pattern(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """What a pattern of Joda's reads, and the fields that it reads."""
    pieces = list(_JODA.finditer(pattern))
    if not pieces or "".join(piece[0] for piece in pieces) != pattern:
        raise Failed(f"Illegal pattern: {pattern}")
    expression, parts = "", []
    for place, found in enumerate(pieces):
        piece, letter = found[0], found[1]
        if letter is None:
            text = ("'" if piece == "''" else piece[1:-1].replace("''", "'")) if piece[0] == "'" else piece
            expression += _joda_text(text)
            continue
        name = _JODA_READ.get(letter)
        if name is None:
            raise Failed(f"'{piece}' in a format is not supported here", "NOT_SUPPORTED")
        before_number = place + 1 < len(pieces) and _is_joda_number(pieces[place + 1])
        if letter in "yY" and len(piece) == 2:
            expression += _field("short_year", least=2) + ("" if before_number else r"(?!\d)")
            name = "short_year"
        elif letter in "yYx":
            expression += _field(name, most=len(piece) if before_number else 9)
        elif letter == "M" and len(piece) > 2:
            name = "month_name"
            expression += _field(name)
        elif letter == "S":
            expression += _field(name, most=len(piece))
        elif letter == "Z":
            expression += (
                r"([+-]\d\d(?::?\d\d)?|[Zz])"
                if len(piece) < 3
                else "([A-Za-z][A-Za-z0-9_+/-]*|[+-]\\d\\d:\\d\\d)"
            )
        else:
            expression += _field(name)
        parts.append(name)
    return re.compile(expression, re.ASCII), tuple(parts)


def _is_joda_number(piece: re.Match[str]) -> bool:
    return (piece[1] or "'") in "xyYdhHmsSeDwkK" or (piece[1] == "M" and len(piece[0]) <= 2)


def parse_datetime(text: str, pattern: str) -> dict[str, Any]:
    compiled, parts = _joda_pattern(pattern)
    matched = compiled.fullmatch(text)
    if not matched:
        raise Failed(f'Invalid format: "{text}"')
    values = list(zip(parts, matched.groups(), strict=True))
    zone = next((zone_name(value) for name, value in values if name == "zone"), SESSION_ZONE)
    wall = _assembled(
        (item for item in values if item[0] != "zone"), text, pivot=dt.datetime.now(dt.UTC).year - 30
    )
    return zoned(wall, zone, near=wall)
