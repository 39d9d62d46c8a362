"""What values are here, their casts, and their texts."""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from local_aws.athena import literals
from local_aws.athena.kinds import ZONED, Type
from local_aws.athena.numbers import double_text, real_text, scientific
from local_aws.athena.plan import SESSION_ZONE
from local_aws.athena.query_errors import Failed

EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # wall clocks and moments in UTC have no zone here
DAY = 86_400_000
Pairs = list[tuple[Any, Any]]


def _refuse_cast(value: object, kind: str) -> Failed:
    return Failed(f"Cannot cast '{value}' to {kind}", "INVALID_CAST_ARGUMENT")


def text_to_boolean(value: str) -> bool:
    low = value.lower()
    if low in ("t", "true", "1"):
        return True
    if low in ("f", "false", "0"):
        return False
    raise Failed(f"Cannot cast '{value}' to BOOLEAN", "INVALID_CAST_ARGUMENT")


def text_to_decimal(value: str, *, types: list[Type]) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", value, re.ASCII):
        raise _refuse_cast(value, str(types[-1]).upper())
    return fitted(Decimal(value), types[-1], value)


def double_to_decimal(value: float, *, types: list[Type]) -> Decimal:
    if not math.isfinite(value):
        raise _refuse_cast(value, str(types[-1]).upper())
    return fitted(Decimal(repr(value)), types[-1], double_text(value))


def real_to_decimal(value: float, *, types: list[Type]) -> Decimal:
    if not math.isfinite(value):
        raise _refuse_cast(value, str(types[-1]).upper())
    return fitted(Decimal(real_text(value)), types[-1], real_text(value))


def as_real(value: float) -> float:
    """What is too large for a real becomes infinite, which DuckDB refuses."""
    return value


def fitted(value: Decimal, kind: Type, shown: str) -> Decimal:
    precision, scale = kind.numbers
    rounded = value.quantize(Decimal(1).scaleb(-scale), context=EXACT)
    if abs(rounded) >= Decimal(10) ** (precision - scale):
        raise _refuse_cast(shown, str(kind).upper())
    return rounded


def _no_cast(value: str, kind: str, error: ValueError) -> Failed:
    if isinstance(error, literals.FarYearError):
        return Failed(f"Value cannot be cast to {kind}: {value}: {error}", "NOT_SUPPORTED")
    return Failed(f"Value cannot be cast to {kind}: {value}", "INVALID_CAST_ARGUMENT")


def text_to_date(value: str) -> dt.date:
    try:
        return literals.parse_date(value)
    except ValueError as error:
        raise _no_cast(value, "date", error) from None


def text_to_time(value: str) -> dt.time:
    try:
        return literals.parse_time(value)[0]
    except ValueError:
        raise Failed(f"Value cannot be cast to time: {value}", "INVALID_CAST_ARGUMENT") from None


def text_to_timestamp(value: str, *, types: list[Type]) -> dt.datetime:
    try:
        moment, digits, zone = literals.parse_moment(value)
    except ValueError as error:
        raise _no_cast(value, "timestamp", error) from None
    if zone is not None:
        raise Failed(f"Value cannot be cast to timestamp: {value}", "INVALID_CAST_ARGUMENT")
    return _round_moment(moment, types[-1].length or 0) if digits else moment


def text_to_zoned(value: str, *, types: list[Type]) -> dict[str, Any]:
    try:
        moment, _, zone = literals.parse_moment(value)
    except ValueError as error:
        raise _no_cast(value, "timestamp with time zone", error) from None
    try:
        utc = literals.exact_utc(moment, zone or SESSION_ZONE)
    except ValueError as error:
        raise Failed(
            f"Value cannot be cast to timestamp with time zone: {value}: {error}", "INVALID_CAST_ARGUMENT"
        ) from None
    return {"t": _round_moment(utc, types[-1].length or 0), "z": zone or SESSION_ZONE}


def _round_moment(moment: dt.datetime, digits: int) -> dt.datetime:
    step = 10 ** max(6 - digits, 0)
    micros = (moment.microsecond + step // 2) // step * step if step > 1 else moment.microsecond
    return moment.replace(microsecond=0) + dt.timedelta(microseconds=micros)


def round_timestamp(moment: dt.datetime, *, types: list[Type]) -> dt.datetime:
    return _round_moment(moment, types[-1].length or 0)


def round_zoned(moment: dict[str, Any], *, types: list[Type]) -> dict[str, Any]:
    return {"t": _round_moment(moment["t"], types[-1].length or 0), "z": moment["z"]}


def round_time(moment: dt.time, *, types: list[Type]) -> dt.time:
    return _round_moment(dt.datetime.combine(EPOCH, moment), types[-1].length or 0).time()


def text_to_uuid(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        raise _refuse_cast(value, "UUID")
    return str(uuid.UUID(value))


def octets_to_uuid(value: bytes) -> str:
    if len(value) != 16:
        raise Failed(f"Invalid UUID binary length: {len(value)}", "INVALID_CAST_ARGUMENT")
    return str(uuid.UUID(bytes=value))


def uuid_to_octets(value: str) -> bytes:
    return uuid.UUID(value).bytes


def to_text(value: Any, *, types: list[Type]) -> str:
    return cast_to_text(value, types[0])


def cast_to_text(value: Any, kind: Type) -> str:
    """A value as CAST to varchar writes it."""
    if kind.base == "double":
        return scientific(double_text(value))
    if kind.base == "real":
        return scientific(real_text(value))
    return shown(value, kind)


def shown(value: Any, kind: Type) -> str:
    """A moment, a time of day or an interval, with the digits that its type has."""
    digits = kind.length or 0
    if kind.base == "timestamp":
        return clock_text(value, digits)
    if kind.base == ZONED:
        return f"{clock_text(literals.to_wall(value['t'], value['z']), digits)} {value['z']}"
    if kind.base == "time":
        return f"{value:%H:%M:%S}" + _fraction(value.microsecond, digits)
    if kind.base == "interval day to second":
        return day_second_text(value)
    if kind.base == "interval year to month":
        return year_month_text(value)
    return format(value, "f") if kind.base == "decimal" else str(value)


def clock_text(moment: dt.datetime, digits: int) -> str:
    return f"{moment.year:04d}-{moment:%m-%d %H:%M:%S}" + _fraction(moment.microsecond, digits)


def _fraction(micros: int, digits: int) -> str:
    return "." + f"{micros:06d}".ljust(digits, "0")[:digits] if digits else ""


def day_second_text(millis: int) -> str:
    """An interval as Trino shows it."""
    sign, rest = ("-" if millis < 0 else ""), abs(millis)
    days, rest = divmod(rest, DAY)
    seconds, part = divmod(rest, 1000)
    return f"{sign}{days} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{part:03d}"


def year_month_text(months: int) -> str:
    """An interval of years and months as Trino shows it."""
    sign = "-" if months < 0 else ""
    return f"{sign}{abs(months) // 12}-{abs(months) % 12}"
