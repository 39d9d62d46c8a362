"""The values of literals: intervals, dates, moments with their zones."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from local_aws.athena.kinds import DATE, DAY_SECOND, JSON, YEAR_MONTH, Type, decimal, timestamp, zoned
from local_aws.athena.plan import SESSION_ZONE, Typed, quoted
from local_aws.athena.query_errors import Failed, QueryError

_MILLIS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000}
_UNITS = list(_MILLIS)
_PART = {"DAY": r"(\d+)", "HOUR": r"(\d+)", "MINUTE": r"(\d+)", "SECOND": r"(\d+(?:\.\d{1,3})?)"}
_GLUE = {("DAY", "HOUR"): " ", ("HOUR", "MINUTE"): ":", ("MINUTE", "SECOND"): ":"}
_MOMENT = re.compile(
    r"([-+]?\d{4,})-(\d{1,2})-(\d{1,2})"
    r"(?: (?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?\s*(?P<zone>\S.*)?)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?", re.ASCII)
_DATE = re.compile(r"([-+]?\d{1,9})-(\d{1,2})-(\d{1,2})", re.ASCII)
_LAST_YEAR = 5_881_580
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")
_UTC_NAMES = frozenset(
    [
        "utc",
        "z",
        "ut",
        "uct",
        "gmt",
        "gmt0",
        "greenwich",
        "universal",
        "zulu",
        "etc/utc",
        "etc/uct",
        "etc/gmt",
        "etc/zulu",
        "etc/universal",
        "etc/greenwich",
        "etc/gmt0",
        "etc/gmt+0",
        "etc/gmt-0",
        "+00:00",
        "-00:00",
    ]
)
_MOST_DIGITS = 9


class UnknownType(Exception):  # noqa: N818  # says which
    """A literal names a type that there is not."""


def interval(text: str, sign: int, first: str, last: str) -> tuple[int, Type]:
    """Milliseconds or months of an interval literal, and its type.

    Raises:
        ValueError: The text is none of those fields.
    """
    wrong = ValueError(f"Invalid INTERVAL {first}{'' if first == last else f' TO {last}'} value: {text}")
    negative = text.startswith("-")
    body = text[1:] if text[:1] in ("-", "+") else text
    if first in ("YEAR", "MONTH"):
        if last not in ("YEAR", "MONTH") or (first, last) == ("MONTH", "YEAR"):
            raise wrong
        pattern = r"(\d+)(?:-(\d+))?" if (first, last) == ("YEAR", "MONTH") else r"(\d+)"
        found = re.fullmatch(pattern, body)
        if not found:
            raise wrong
        months = int(found[1]) * (1 if first == "MONTH" else 12) + (
            int(found[2] or 0) if (found.re.groups > 1) else 0
        )
        return _in_range(sign * (-months if negative else months), 31, wrong), YEAR_MONTH
    if last not in _UNITS or _UNITS.index(first) > _UNITS.index(last):
        raise wrong
    units = _UNITS[_UNITS.index(first) : _UNITS.index(last) + 1]
    pattern = _PART[units[0]]
    for before, unit in pairwise(units):
        pattern += f"(?:{_GLUE[before, unit]}{_PART[unit]}"
    pattern += ")?" * (len(units) - 1)
    found = re.fullmatch(pattern, body)
    if not found:
        raise wrong
    total = sum(
        Decimal(part) * _MILLIS[unit] for part, unit in zip(found.groups(), units, strict=True) if part
    )
    return _in_range(sign * int(-total if negative else total), 63, wrong), DAY_SECOND


def _in_range(value: int, bits: int, wrong: ValueError) -> int:
    if abs(value) >= 2**bits:
        raise wrong
    return value


def type_of(name: str) -> Type:
    """The type that a typed literal names, where its text is cast."""
    from local_aws.athena.syntax import Parser
    from local_aws.athena.typenames import trino_type

    try:
        return trino_type(Parser(name))
    except QueryError:
        raise UnknownType(name) from None


def literal_value(name: str, text: str) -> Typed | None:
    """The value of ``NAME 'text'``; None where it is that of a cast of the text.

    Raises:
        ValueError: The text is no value of the type.
        UnknownType: There is no such type.
    """
    if name == "date":
        day = parse_date(text)
        return Typed(f"DATE '{day:%Y-%m-%d}'", DATE, constant=day, is_literal=True)
    if name == "timestamp":
        return _timestamp(text)
    if name == "time":
        moment, precision = parse_time(text)
        return Typed(f"TIME '{moment:%H:%M:%S.%f}'", Type("time", (precision,)), is_literal=True)
    if name in ("decimal", "numeric", "dec"):
        return _decimal(text)
    if name == "json":
        from local_aws.athena.semantics.json_functions import json_parse

        try:
            return Typed(quoted(json_parse(text)), JSON, is_literal=True)
        except Failed as error:
            raise ValueError(str(error).strip("!")) from None
    if name == "char":
        return Typed(quoted(text), Type("char", (max(len(text), 1),)), constant=text, is_literal=True)
    type_of(name)
    return None


def _decimal(text: str) -> Typed:
    body = text.lstrip("+-")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text):
        raise ValueError("it is no decimal number")
    whole, _, fraction = body.partition(".")
    whole = whole.lstrip("0")
    precision = max(len(whole) + len(fraction), 1)
    if precision > 38:
        raise ValueError("decimals have 38 digits at most")
    kind = decimal(precision, len(fraction))
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("it is no decimal number") from None
    sql = f"CAST('{value:f}' AS DECIMAL({precision},{len(fraction)}))"
    return Typed(sql, kind, constant=value, is_literal=True)


def _timestamp(text: str) -> Typed:
    moment, precision, zone = parse_moment(text)
    sql = f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"
    if zone is None:
        return Typed(sql, timestamp(precision), constant=moment, is_literal=True)
    utc = exact_utc(moment, zone)
    return Typed(
        f"{{'t': TIMESTAMP '{utc:%Y-%m-%d %H:%M:%S.%f}', 'z': {quoted(zone)}}}",
        zoned(precision),
        is_literal=True,
    )


def parse_date(text: str) -> dt.date:
    """A date of ISO 8601's plain form.

    Raises:
        ValueError: It is none.
    """
    found = _DATE.fullmatch(text.strip())
    if not found:
        raise ValueError("it is no date")
    year, month, day = (int(part) for part in found.groups())
    _require_year(year, month, day)
    return dt.date(year, month, day)


class FarYearError(ValueError):
    """A date that Trino has and this stack has not."""


def _require_year(year: int, month: int, day: int) -> None:
    dt.date(2000 + year % 400, month, day)
    if not dt.MINYEAR <= year <= dt.MAXYEAR and abs(year) <= _LAST_YEAR:
        raise FarYearError(f"years before {dt.MINYEAR} and after {dt.MAXYEAR} are not supported here")


def parse_time(text: str) -> tuple[dt.time, int]:
    """A time of day, and the digits of its fraction.

    Raises:
        ValueError: It is none.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError("it is no time of day")
    fraction = found[4] or ""
    return dt.time(int(found[1]), int(found[2]), int(found[3] or 0), _micros(fraction)), len(fraction)


def _micros(fraction: str) -> int:
    if len(fraction) > _MOST_DIGITS:
        raise ValueError(f"fractions of more than {_MOST_DIGITS} digits are not supported here")
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def parse_moment(text: str) -> tuple[dt.datetime, int, str | None]:
    """A wall clock, the digits of its fraction, and the zone where one is named.

    Raises:
        ValueError: It is none.
    """
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        raise ValueError("it is no timestamp")
    year, month, day, hour, minute, second, fraction = found.groups()[:7]
    _require_year(int(year), int(month), int(day))
    moment = dt.datetime(  # noqa: DTZ001  # a wall clock
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        _micros(fraction or ""),
    )
    zone = found["zone"]
    return moment, len(fraction or ""), zone_key(zone.strip()) if zone else None


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def zone_key(name: str) -> str:
    """A zone as Trino shows it.

    Raises:
        ValueError: There is no such zone.
    """
    low = name.lower()
    if low in _UTC_NAMES:
        return SESSION_ZONE
    found = _OFFSET.fullmatch(low.removeprefix("utc").removeprefix("gmt"))
    if found:
        hours, minutes = int(found[2]), int(found[3] or 0)
        if hours * 60 + minutes > 14 * 60 or minutes > 59:
            raise ValueError(name)
        return SESSION_ZONE if not hours and not minutes else f"{found[1]}{hours:02d}:{minutes:02d}"
    known = _zones().get(low)
    if known is None:
        raise ValueError(name)
    return known


@lru_cache(maxsize=1000)
def zone_info(key: str) -> dt.tzinfo:
    """The zone of a name that ``zone_key`` gave."""
    found = re.fullmatch(r"([+-])(\d{2}):(\d{2})", key)
    if found:
        offset = dt.timedelta(hours=int(found[2]), minutes=int(found[3]))
        return dt.timezone(-offset if found[1] == "-" else offset)
    return ZoneInfo(key)


def _to_utc(wall: dt.datetime, zone: str) -> dt.datetime:
    """The moment of a wall clock in a zone: the first of two, and what no clock showed is moved on."""
    if zone == SESSION_ZONE:
        return wall
    return wall.replace(tzinfo=zone_info(zone)).astimezone(dt.UTC).replace(tzinfo=None)


def exact_utc(wall: dt.datetime, zone: str) -> dt.datetime:
    """The moment of a wall clock that is written down; the first where the clocks went back.

    Raises:
        ValueError: No clock of the zone showed it, since they went forward.
    """
    utc = _to_utc(wall, zone)
    if to_wall(utc, zone) != wall:
        raise ValueError("Invalid TIMESTAMP due to daylight savings transition")
    return utc


def near_utc(wall: dt.datetime, zone: str, near: dt.datetime) -> dt.datetime:
    """The moment of a wall clock that was computed.

    Of two moments it is the one with the offset that the zone has at ``near``, as Joda chooses; what no
    clock showed is moved on.
    """
    offset = to_wall(near, zone) - near
    if to_wall(wall - offset, zone) == wall:
        return wall - offset
    offset = to_wall(wall, zone) - wall
    if offset >= dt.timedelta():
        earlier = wall - offset
        return wall - (to_wall(earlier, zone) - earlier)
    return _to_utc(wall, zone)


def to_wall(moment: dt.datetime, zone: str) -> dt.datetime:
    """The wall clock of a moment in a zone."""
    if zone == SESSION_ZONE:
        return moment
    return moment.replace(tzinfo=dt.UTC).astimezone(zone_info(zone)).replace(tzinfo=None)
