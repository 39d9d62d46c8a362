"""Dates, times of day and moments: zones, spans, ISO 8601 and Unix time."""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from local_aws.athena import literals
from local_aws.athena.kinds import ZONED, Type
from local_aws.athena.numbers import double_text
from local_aws.athena.plan import SESSION_ZONE
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.values import DAY, EPOCH, clock_text, round_zoned


def zoned(wall: dt.datetime, zone: str, near: dt.datetime) -> dict[str, Any]:
    return {"t": literals.near_utc(wall, zone, near), "z": zone}


def zone_name(name: str) -> str:
    try:
        return literals.zone_key(name)
    except ValueError:
        raise Failed(f"'{name}' is not a valid time zone") from None


def wall_clock(moment: dict[str, Any]) -> dt.datetime:
    return literals.to_wall(moment["t"], moment["z"])


def at_timezone(moment: dict[str, Any], zone: str) -> dict[str, Any]:
    return {"t": moment["t"], "z": zone_name(zone)}


def with_timezone(wall: dt.datetime, zone: str) -> dict[str, Any]:
    return zoned(wall, zone_name(zone), near=wall)


def at_offset(moment: dict[str, Any], offset: int) -> dict[str, Any]:
    return {"t": moment["t"], "z": _zone_of_offset(offset)}


def with_offset(wall: dt.datetime, offset: int) -> dict[str, Any]:
    return zoned(wall, _zone_of_offset(offset), near=wall)


def _zone_of_offset(millis: int) -> str:
    if millis % 60_000:
        raise Failed("Invalid time zone offset interval: interval contains seconds")
    hours, minutes = divmod(abs(millis) // 60_000, 60)
    return zone_name(f"{'-' if millis < 0 else '+'}{hours:02d}:{minutes:02d}")


def elapsed(left: Any, right: Any, *, types: list[Type]) -> int:
    kind = types[0].base
    if kind == ZONED:
        left, right = left["t"], right["t"]
    if kind == "time":
        left, right = (dt.datetime.combine(EPOCH, side) for side in (left, right))
    span: dt.timedelta = left - right
    micros = span // dt.timedelta(microseconds=1)
    return micros // 1000 if micros >= 0 else -(-micros // 1000)


def shift_date(day: dt.date, millis: int) -> dt.date:
    if millis % DAY:
        raise Failed("Cannot add hour, minutes or seconds to a date")
    return day + dt.timedelta(days=millis // DAY)


def shift_time(moment: dt.time, millis: int) -> dt.time:
    return (dt.datetime.combine(EPOCH, moment) + dt.timedelta(milliseconds=millis)).time()


def add_months(moment: Any, months: int) -> Any:
    place = moment.year * 12 + moment.month - 1 + months
    year, month = place // 12, place % 12 + 1
    if not 1 <= year <= 9999:
        raise Failed("year out of range", "NUMERIC_VALUE_OUT_OF_RANGE")
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def shift_months(moment: dict[str, Any], months: int) -> dict[str, Any]:
    return zoned(add_months(wall_clock(moment), months), moment["z"], near=moment["t"])


_LENGTHS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": DAY,
    "week": 7 * DAY,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def _unit(name: str) -> str:
    low = name.lower()
    if low not in _LENGTHS and low not in _MONTHS:
        raise Failed(f"'{name}' is not a valid Timestamp field")
    return low


def _time_unit(name: str) -> str:
    low = name.lower()
    if low not in ("millisecond", "second", "minute", "hour"):
        raise Failed(f"'{name}' is not a valid Time field")
    return low


def date_add_zoned(unit: str, count: int, moment: dict[str, Any], *, types: list[Type]) -> dict[str, Any]:
    """Days and longer move the wall clock, hours and shorter the moment; rounded to the moment's digits."""
    low = _unit(unit)
    _check_32_bits(count)
    if low in _MONTHS:
        return shift_months(moment, count * _MONTHS[low])
    step = dt.timedelta(milliseconds=count * _LENGTHS[low])
    if low in ("day", "week"):
        return zoned(wall_clock(moment) + step, moment["z"], near=moment["t"])
    return round_zoned({"t": moment["t"] + step, "z": moment["z"]}, types=types)


def _check_32_bits(count: int) -> None:
    if not -(2**31) <= count < 2**31:
        raise Failed("integer overflow")


def date_add_time(unit: str, count: int, moment: dt.time) -> dt.time:
    low = _time_unit(unit)
    _check_32_bits(count)
    return shift_time(moment, count * _LENGTHS[low])


def date_diff(unit: str, start: Any, end: Any, *, types: list[Type]) -> int:
    if types[1].base == "date":
        start, end = (dt.datetime.combine(side, dt.time()) for side in (start, end))
    return _difference(_unit(unit), start, end)


def date_diff_zoned(unit: str, start: dict[str, Any], end: dict[str, Any]) -> int:
    low, zone = _unit(unit), start["z"]
    if low in ("millisecond", "second", "minute", "hour"):
        return _difference(low, start["t"], end["t"])
    return _difference(low, literals.to_wall(start["t"], zone), literals.to_wall(end["t"], zone))


def date_diff_time(unit: str, start: dt.time, end: dt.time) -> int:
    low = _time_unit(unit)
    return _difference(low, dt.datetime.combine(EPOCH, start), dt.datetime.combine(EPOCH, end))


def _difference(unit: str, start: dt.datetime, end: dt.datetime) -> int:
    """Whole units that have passed, counted toward zero."""
    if end < start:
        return -_difference(unit, end, start)
    if unit in _LENGTHS:
        return (end - start) // dt.timedelta(milliseconds=_LENGTHS[unit])
    months = (end.year - start.year) * 12 + end.month - start.month
    if add_months(start, months) > end:
        months -= 1
    return months // _MONTHS[unit]


def _truncated(unit: str, wall: Any) -> Any:
    if unit in _MONTHS:
        month = wall.month if unit == "month" else (wall.month - 1) // 3 * 3 + 1 if unit == "quarter" else 1
        day = wall.replace(month=month, day=1)
    elif unit in ("day", "week"):
        day = wall - dt.timedelta(days=wall.weekday() if unit == "week" else 0)
    else:
        since = wall - wall.replace(hour=0, minute=0, second=0, microsecond=0)
        step = dt.timedelta(milliseconds=_LENGTHS[unit])
        return wall - since % step
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def date_trunc_zoned(unit: str, moment: dict[str, Any]) -> dict[str, Any]:
    low = _unit(unit)
    wall = wall_clock(moment)
    if low in ("millisecond", "second", "minute", "hour"):
        return {"t": moment["t"] - (wall - _truncated(low, wall)), "z": moment["z"]}
    return zoned(_truncated(low, wall), moment["z"], near=moment["t"])


def date_trunc_time(unit: str, moment: dt.time) -> dt.time:
    low = _time_unit(unit)
    cut: dt.datetime = _truncated(low, dt.datetime.combine(EPOCH, moment))
    return cut.time()


_ISO_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?|-W(\d{2})(?:-(\d))?|-(\d{3}))?", re.ASCII)


def from_iso8601_date(text: str) -> dt.date:
    found = _ISO_DATE.fullmatch(text)
    if not found:
        raise Failed(f'Invalid format: "{text}"')
    year, month, day, week, weekday, doy = found.groups()
    try:
        if week:
            return dt.date.fromisocalendar(int(year), int(week), int(weekday or 1))
        if doy:
            return dt.datetime.strptime(f"{year} {doy}", "%Y %j").date()  # noqa: DTZ007
        return dt.date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise Failed(f'Cannot parse "{text}"') from None


_ISO_TIME = re.compile(
    r"(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)


def from_iso8601_timestamp(text: str) -> dict[str, Any]:
    day, sign, rest = text.partition("T")
    date = from_iso8601_date(day)
    found = _ISO_TIME.fullmatch(rest) if sign else None
    if sign and not found:
        raise Failed(f'Invalid format: "{text}"')
    hour, minute, second, fraction, zone = found.groups() if found else (None,) * 5
    try:
        wall = dt.datetime(  # noqa: DTZ001
            date.year,
            date.month,
            date.day,
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:3].ljust(3, "0")) * 1000,
        )
    except ValueError:
        raise Failed(f'Cannot parse "{text}"') from None
    return zoned(wall, SESSION_ZONE if zone in (None, "Z") else zone_name(zone), near=wall)


def _unix(seconds: float, zone: str) -> dict[str, Any]:
    if math.isnan(seconds):
        seconds = 0.0
    millis = math.floor(seconds * 1000 + 0.5)
    try:
        return {"t": EPOCH + dt.timedelta(milliseconds=millis), "z": zone}
    except OverflowError:
        raise Failed("Millis overflow", "NUMERIC_VALUE_OUT_OF_RANGE") from None


def from_unixtime(seconds: float) -> dict[str, Any]:
    return _unix(seconds, SESSION_ZONE)


def from_unixtime_zone(seconds: float, zone: str) -> dict[str, Any]:
    return _unix(seconds, zone_name(zone))


def from_unixtime_offset(seconds: float, hours: int, minutes: int) -> dict[str, Any]:
    total = hours * 60 + minutes
    return _unix(
        seconds, zone_name(f"{'-' if total < 0 else '+'}{abs(total) // 60:02d}:{abs(total) % 60:02d}")
    )


def to_unixtime(moment: dt.datetime) -> float:
    return ((moment - EPOCH) // dt.timedelta(microseconds=1)) / 1_000_000


def to_unixtime_zoned(moment: dict[str, Any]) -> float:
    return to_unixtime(moment["t"])


def offset_text(utc: dt.datetime, zone: str, *, colon: bool) -> str:
    minutes = _offset_minutes(utc, zone)
    glue = ":" if colon else ""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{glue}{abs(minutes) % 60:02d}"


def _offset_minutes(utc: dt.datetime, zone: str) -> int:
    return (literals.to_wall(utc, zone) - utc) // dt.timedelta(minutes=1)


_DURATIONS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
    "d": Decimal(DAY),
}


def parse_duration(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    if not found or found[2] not in _DURATIONS:
        raise Failed(f"duration is not a valid data duration string: {text}")
    return int((Decimal(found[1]) * _DURATIONS[found[2]]).to_integral_value(ROUND_HALF_UP))


def human_readable_seconds(seconds: float) -> str:
    if not math.isfinite(seconds):
        raise Failed(f"Invalid argument found: {double_text(seconds)}")
    rest = abs(math.floor(seconds + 0.5))
    found: list[str] = []
    for name, size in (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            found.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(found) or "0 seconds"


def timezone_hour(moment: dict[str, Any]) -> int:
    return int(_offset_minutes(moment["t"], moment["z"]) / 60)


def timezone_minute(moment: dict[str, Any]) -> int:
    return int(math.fmod(_offset_minutes(moment["t"], moment["z"]), 60))


def to_iso8601(moment: dt.datetime, *, types: list[Type]) -> str:
    return clock_text(moment, types[0].length or 0).replace(" ", "T")


def to_iso8601_zoned(moment: dict[str, Any], *, types: list[Type]) -> str:
    wall = wall_clock(moment)
    minutes = _offset_minutes(moment["t"], moment["z"])
    end = offset_text(moment["t"], moment["z"], colon=True) if minutes else "Z"
    return clock_text(wall, types[0].length or 0).replace(" ", "T") + end
