"""What Trino's functions do where DuckDB does something else, value by value.

A function gets what its arguments hold, and is not called where one is NULL, unless it stands in
``TAKES_NULL``. Those in ``TYPED`` get the types too. Moments with a zone are ``{"t": UTC, "z": name}``,
intervals milliseconds or months, rows ``{"f0": …}``, maps lists of pairs.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import datetime as dt
import functools
import hashlib
import hmac
import math
import re
import statistics
import struct
import unicodedata
import uuid
import zlib
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from itertools import combinations as _combinations
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote, unquote_plus

from local_aws.athena import literals
from local_aws.athena.java_format import format_  # noqa: F401  # found by its name
from local_aws.athena.java_regex import compile_pattern
from local_aws.athena.java_uri import Uri, read_uri
from local_aws.athena.json_values import JsonDecimal, JsonNumber, JsonPairs, json_text, reach, read_json
from local_aws.athena.kinds import INTEGERS, NUMBERS, ZONED, Type
from local_aws.athena.numbers import double_text, real_text, scientific
from local_aws.athena.plan import SESSION_ZONE
from local_aws.athena.query_errors import Failed

_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # wall clocks and moments in UTC have no zone here
_DAY = 86_400_000
Pairs = list[tuple[Any, Any]]
Padded = TypeVar("Padded", str, bytes)


def _refuse_cast(value: object, kind: str) -> Failed:
    return Failed(f"Cannot cast '{value}' to {kind}", "INVALID_CAST_ARGUMENT")


# --- casts -------------------------------------------------------------------------------------------------


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
    return _fitted(Decimal(value), types[-1], value)


def double_to_decimal(value: float, *, types: list[Type]) -> Decimal:
    if not math.isfinite(value):
        raise _refuse_cast(value, str(types[-1]).upper())
    return _fitted(Decimal(repr(value)), types[-1], double_text(value))


def real_to_decimal(value: float, *, types: list[Type]) -> Decimal:
    if not math.isfinite(value):
        raise _refuse_cast(value, str(types[-1]).upper())
    return _fitted(Decimal(real_text(value)), types[-1], real_text(value))


def as_real(value: float) -> float:
    """What is too large for a real becomes infinite, which DuckDB refuses."""
    return value


def _fitted(value: Decimal, kind: Type, shown: str) -> Decimal:
    precision, scale = kind.numbers
    rounded = value.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    if abs(rounded) >= Decimal(10) ** (precision - scale):
        raise _refuse_cast(shown, str(kind).upper())
    return rounded


def text_to_date(value: str) -> dt.date:
    try:
        return literals.parse_date(value)
    except ValueError:
        raise Failed(f"Value cannot be cast to date: {value}", "INVALID_CAST_ARGUMENT") from None


def text_to_time(value: str) -> dt.time:
    try:
        return literals.parse_time(value)[0]
    except ValueError:
        raise Failed(f"Value cannot be cast to time: {value}", "INVALID_CAST_ARGUMENT") from None


def text_to_timestamp(value: str, *, types: list[Type]) -> dt.datetime:
    try:
        moment, digits, zone = literals.parse_moment(value)
    except ValueError:
        raise Failed(f"Value cannot be cast to timestamp: {value}", "INVALID_CAST_ARGUMENT") from None
    if zone is not None:
        raise Failed(f"Value cannot be cast to timestamp: {value}", "INVALID_CAST_ARGUMENT")
    return _round_moment(moment, types[-1].length or 0) if digits else moment


def text_to_zoned(value: str, *, types: list[Type]) -> dict[str, Any]:
    try:
        moment, _, zone = literals.parse_moment(value)
    except ValueError:
        raise Failed(
            f"Value cannot be cast to timestamp with time zone: {value}", "INVALID_CAST_ARGUMENT"
        ) from None
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
    return _round_moment(dt.datetime.combine(_EPOCH, moment), types[-1].length or 0).time()


def text_to_uuid(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        raise _refuse_cast(value, "UUID")
    return str(uuid.UUID(value))


def to_text(value: Any, *, types: list[Type]) -> str:
    return written(value, types[0])


def written(value: Any, kind: Type) -> str:
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
        return _clock(value, digits)
    if kind.base == ZONED:
        return f"{_clock(literals.to_wall(value['t'], value['z']), digits)} {value['z']}"
    if kind.base == "time":
        return f"{value:%H:%M:%S}" + _fraction(value.microsecond, digits)
    if kind.base == "interval day to second":
        return day_second_text(value)
    if kind.base == "interval year to month":
        return year_month_text(value)
    return format(value, "f") if kind.base == "decimal" else str(value)


def _clock(moment: dt.datetime, digits: int) -> str:
    return f"{moment.year:04d}-{moment:%m-%d %H:%M:%S}" + _fraction(moment.microsecond, digits)


def _fraction(micros: int, digits: int) -> str:
    return "." + f"{micros:06d}".ljust(digits, "0")[:digits] if digits else ""


def day_second_text(millis: int) -> str:
    """An interval as Trino shows it."""
    sign, rest = ("-" if millis < 0 else ""), abs(millis)
    days, rest = divmod(rest, _DAY)
    seconds, part = divmod(rest, 1000)
    return f"{sign}{days} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{part:03d}"


def year_month_text(months: int) -> str:
    """An interval of years and months as Trino shows it."""
    sign = "-" if months < 0 else ""
    return f"{sign}{abs(months) // 12}-{abs(months) % 12}"


# --- comparisons of what has parts -------------------------------------------------------------------------


def identical(left: Any, right: Any) -> bool:
    """Whether two values are not distinct: NULL is as NULL is, NaN as NaN, a moment as it is elsewhere."""
    return bool(_key(left) == _key(right))


def ordered(value: Any, *, types: list[Type]) -> Any:
    """A value that has an order: Trino refuses to compare what has NULL inside."""
    if _has_null(value):
        raise Failed(f"Comparing a {types[0]} with NULL inside is not supported", "NOT_SUPPORTED")
    return value


def _has_null(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(part is None or _has_null(part) for part in parts)


def equal(left: Any, right: Any, *, types: list[Type]) -> bool | None:
    return _equal(left, right, types[0])


def _equal(left: Any, right: Any, kind: Type) -> bool | None:
    if left is None or right is None:
        return None
    if kind.base == "row":
        parts = [(left[f"f{i}"], right[f"f{i}"], item) for i, item in enumerate(kind.inner)]
    elif kind.base == "array":
        if len(left) != len(right):
            return False
        parts = [(a, b, kind.inner[0]) for a, b in zip(left, right, strict=True)]
    elif kind.base == "map":
        ours, theirs = dict(left), dict(right)
        if ours.keys() != theirs.keys():
            return False
        parts = [(ours[key], theirs[key], kind.inner[1]) for key in ours]
    elif kind.base == ZONED:
        return bool(left["t"] == right["t"])
    else:
        return bool(left == right)
    found = [_equal(*part) for part in parts]
    return False if False in found else None if None in found else True


def _order(left: Any, right: Any, kind: Type) -> int:
    if kind.base in ("array", "row"):
        ours, theirs = ((list(side.values()) if kind.base == "row" else side) for side in (left, right))
        kinds: Iterable[Type] = (
            kind.inner if kind.base == "row" else [kind.inner[0]] * max(len(ours), len(theirs))
        )
        for a, b, item in zip(ours, theirs, kinds, strict=False):
            if a is None or b is None:
                raise Failed(
                    f"{kind.base.upper()} comparison not supported for {kind.base}s with null elements",
                    "NOT_SUPPORTED",
                )
            found = _order(a, b, item)
            if found:
                return found
        return (len(ours) > len(theirs)) - (len(ours) < len(theirs))
    if kind.base == ZONED:
        left, right = left["t"], right["t"]
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        return math.isnan(left) - math.isnan(right)
    return int(left > right) - int(left < right)


def less(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _order(left, right, types[0]) < 0


def greater(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _order(left, right, types[0]) > 0


def at_most(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _order(left, right, types[0]) <= 0


def at_least(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _order(left, right, types[0]) >= 0


def greatest(*values: Any, types: list[Type]) -> Any:
    return max(_numbers(values), key=functools.cmp_to_key(lambda a, b: _order(a, b, types[-1])))


def least(*values: Any, types: list[Type]) -> Any:
    return min(_numbers(values), key=functools.cmp_to_key(lambda a, b: _order(a, b, types[-1])))


def _numbers(values: Iterable[Any]) -> list[Any]:
    """The values that can be the largest or the smallest: NaN only where there is nothing else."""
    listed = list(values)
    return [value for value in listed if not (isinstance(value, float) and math.isnan(value))] or listed


def _sorted(values: Iterable[Any], kind: Type, *, reverse: bool = False) -> list[Any]:
    return sorted(values, key=functools.cmp_to_key(lambda a, b: _order(a, b, kind)), reverse=reverse)


def _key(value: Any) -> Any:
    """A value that can be looked up; two that are equal have equal keys."""
    if isinstance(value, dict):
        return ("t", value["t"]) if set(value) == {"t", "z"} else tuple(_key(item) for item in value.values())
    if isinstance(value, list | tuple):
        return tuple(_key(item) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return (type(value).__name__ == "bool", value)


# --- numbers -----------------------------------------------------------------------------------------------


def _real(function: Callable[..., float]) -> Callable[..., float]:
    def safe(*values: float) -> float:
        try:
            return function(*values)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return safe


acos, asin, atan = _real(math.acos), _real(math.asin), _real(math.atan)
atan2, cos, cosh = _real(math.atan2), _real(math.cos), _real(math.cosh)
sin, tan = _real(math.sin), _real(math.tan)
tanh, exp = _real(math.tanh), _real(math.exp)


def sinh(value: float) -> float:
    try:
        return math.sinh(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def cbrt(value: float) -> float:
    """The nearest double, which the platform's own need not be."""
    if not value or not math.isfinite(value):
        return value
    root, exact = _EXACT.create_decimal(math.cbrt(value)), _EXACT.create_decimal(value)
    return float(root - _EXACT.divide(root * root * root - exact, 3 * root * root))


def sqrt(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


def degrees(value: float) -> float:
    return value * 180.0 / math.pi


def radians(value: float) -> float:
    return value / 180.0 * math.pi


def _logarithm(value: float, function: Callable[[float], float]) -> float:
    return -math.inf if value == 0 else math.nan if value < 0 or math.isnan(value) else function(value)


def ln(value: float) -> float:
    return _logarithm(value, math.log)


def log2(value: float) -> float:
    return _logarithm(value, math.log) / math.log(2)


def log10(value: float) -> float:
    return _logarithm(value, math.log10)


def log(base: float, value: float) -> float:
    return _quotient(_logarithm(value, math.log), _logarithm(base, math.log))


def _quotient(dividend: float, divisor: float) -> float:
    """A division that gives infinity or NaN where the divisor is zero, as Java's does."""
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend) or math.isnan(divisor):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def power(base: float, exponent: float) -> float:
    if abs(base) == 1 and not math.isfinite(exponent):
        return math.nan
    try:
        found = base**exponent
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ZeroDivisionError:
        return -math.inf if math.copysign(1, base) < 0 and exponent % 2 == 1 else math.inf
    return math.nan if isinstance(found, complex) else float(found)


def float_modulus(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) or math.isnan(right) else math.fmod(left, right)


def sign_float(value: float) -> float:
    return value if math.isnan(value) or not value else math.copysign(1, value)


def round_float(value: float) -> float:
    return _rounded_float(value, 0)


def round_float_places(value: float, places: int) -> float:
    return _rounded_float(value, places)


def _rounded_float(value: float, places: int) -> float:
    """Half away from zero of the product, as Java's Math.round does it on both sides of zero."""
    if not math.isfinite(value):
        return value
    factor = power(10.0, places)
    product = abs(value) * factor
    if not factor or not product < 2**63:
        # Releases of Trino differ in what they make of a number that no bigint holds.
        raise Failed("round of a number with so many digits is not supported here", "NOT_SUPPORTED")
    whole = math.floor(product)
    rounded = (whole + (product - whole >= 0.5)) / factor
    return -rounded if value < 0 else rounded


def round_whole(value: int, places: int) -> int:
    if places >= 0:
        return value
    if places < -18:
        raise Failed(f"numerical overflow: {value}", "NUMERIC_VALUE_OUT_OF_RANGE")
    return int(Decimal(value).quantize(Decimal(1).scaleb(-places), context=_EXACT))


def round_decimal(value: Decimal, places: int) -> Decimal:
    return _cut_decimal(value, places, ROUND_HALF_UP)


def truncate_decimal(value: Decimal, places: int) -> Decimal:
    return _cut_decimal(value, places, ROUND_DOWN)


def _cut_decimal(value: Decimal, places: int, rounding: str) -> Decimal:
    scale = -int(value.as_tuple().exponent)
    if places >= scale:
        return value
    cut = value.quantize(Decimal(1).scaleb(-places), rounding=rounding, context=_EXACT)
    return cut.quantize(Decimal(1).scaleb(-scale), context=_EXACT) if cut else Decimal(0)


def decimal_modulus(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise Failed("Division by zero", "DIVISION_BY_ZERO")
    return _EXACT.remainder(left, right)


def from_base(text: str, base: int) -> int:
    _require_base(base)
    try:
        value = int(text, base)
    except ValueError:
        raise Failed(f"Not a valid base-{base} number: {text}") from None
    if "_" in text or text != text.strip() or not -(2**63) <= value < 2**63:
        raise Failed(f"Not a valid base-{base} number: {text}")
    return value


def to_base(value: int, base: int) -> str:
    _require_base(base)
    digits, rest = "", abs(value)
    while rest:
        rest, digit = divmod(rest, base)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if value < 0 else "") + (digits or "0")


def _require_base(base: int) -> None:
    if not 2 <= base <= 36:
        raise Failed("Radix must be between 2 and 36")


def width_bucket(value: float, low: float, high: float, count: int) -> int:
    if count <= 0:
        raise Failed("bucketCount must be greater than 0")
    if math.isnan(value) or low == high or not (math.isfinite(low) and math.isfinite(high)):
        raise Failed("bounds must be finite and cannot equal each other")
    low_end, high_end = min(low, high), max(low, high)
    if value < low_end:
        bucket = 0
    elif value >= high_end:
        bucket = count + 1
    else:
        bucket = int(count * (value - low_end) / (high_end - low_end)) + 1
    return bucket if low < high else count - bucket + 1


def width_bucket_bins(value: float, bins: list[float]) -> int:
    if not bins:
        raise Failed("Bins cannot be an empty array")
    if math.isnan(value):
        raise Failed("Operand cannot be NaN")
    # Only what the search meets is looked at.
    low, high = 0, len(bins)
    while low < high:
        if bins[low] > bins[high - 1]:
            raise Failed("Bin values are not sorted in ascending order")
        middle = (low + high) // 2
        if not math.isfinite(bins[middle]):
            raise Failed(f"Bin value must be finite, got {double_text(bins[middle])}")
        low, high = (low, middle) if value < bins[middle] else (middle + 1, high)
    return low


def normal_cdf(mean: float, deviation: float, value: float) -> float:
    if not deviation > 0:
        raise Failed("standardDeviation must be > 0")
    return 0.5 * (1 + math.erf((value - mean) / (deviation * math.sqrt(2))))


def inverse_normal_cdf(mean: float, deviation: float, p: float) -> float:
    if not 0 < p < 1 or deviation <= 0:
        raise Failed("p must be 0 > p > 1" if deviation > 0 else "sd must be > 0")
    return statistics.NormalDist(mean, deviation).inv_cdf(p)


def _wilson(successes: int, trials: int, z: float) -> tuple[float, float]:
    if successes < 0 or trials <= 0 or successes > trials or z < 0:
        raise Failed("number of successes must not be negative and not be larger than number of trials")
    p, n = successes / trials, float(trials)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return (middle - half) / whole, (middle + half) / whole


def wilson_lower(successes: int, trials: int, z: float) -> float:
    return _wilson(successes, trials, z)[0]


def wilson_upper(successes: int, trials: int, z: float) -> float:
    return _wilson(successes, trials, z)[1]


def great_circle_distance(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    for name, value, most in (
        ("Latitude", lat1, 90),
        ("Longitude", lon1, 180),
        ("Latitude", lat2, 90),
        ("Longitude", lon2, 180),
    ):
        if not -most <= value <= most:
            raise Failed(f"{name} must be between -{most} and {most}")
    one, two, turn = math.radians(lat1), math.radians(lat2), math.radians(lon1) - math.radians(lon2)
    east = math.cos(two) * math.sin(turn)
    north = math.cos(one) * math.sin(two) - math.sin(one) * math.cos(two) * math.cos(turn)
    along = math.sin(one) * math.sin(two) + math.cos(one) * math.cos(two) * math.cos(turn)
    return math.atan2(math.sqrt(east * east + north * north), along) * 6371.01


def cosine_similarity(left: Pairs, right: Pairs) -> float | None:
    ours, theirs = dict(left), dict(right)
    if None in (*ours.values(), *theirs.values()):
        return None
    sizes = [math.sqrt(sum(item * item for item in side.values())) for side in (ours, theirs)]
    product = sum(value * theirs[key] for key, value in ours.items() if key in theirs)
    return _quotient(float(product), sizes[0] * sizes[1])


def bit_count(value: int, bits: int) -> int:
    if not 2 <= bits <= 64:
        raise Failed(f"Bits specified in bit_count must be between 2 and 64, got {bits}")
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise Failed(
            f"Number must be representable with the bits specified. "
            f"{value} cannot be represented with {bits} bits"
        )
    return int(value & (2**bits - 1)).bit_count()


_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


def _wrapped(value: int, bits: int) -> int:
    value &= 2**bits - 1
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def shift_left(value: int, places: int, *, types: list[Type]) -> int:
    bits = _BITS[types[0].base]
    return _wrapped(value << places, bits) if 0 <= places < bits else 0


def shift_right(value: int, places: int, *, types: list[Type]) -> int:
    bits = _BITS[types[0].base]
    return _wrapped((value & (2**bits - 1)) >> places, bits) if 0 <= places < bits else 0


def shift_right_arithmetic(value: int, places: int) -> int:
    return value >> places if 0 <= places < 64 else (-1 if value < 0 else 0)


def quotient(dividend: str, divisor: str) -> str:
    """Of two decimals as text, rounded half away from zero to the larger scale of the two."""
    one, two = Decimal(dividend), Decimal(divisor)
    if not two:
        raise Failed("Division by zero", "DIVISION_BY_ZERO")
    scale = max(-int(part.as_tuple().exponent) for part in (one, two))
    return format(_EXACT.divide(one, two).quantize(Decimal(1).scaleb(-scale), context=_EXACT), "f")


def scaled(span: int, factor: float) -> int:
    return _whole_span(span * factor)


def shared_out(span: int, divisor: float) -> int:
    if divisor == 0:
        raise Failed("/ by zero", "DIVISION_BY_ZERO")
    return _whole_span(span / divisor)


def _whole_span(value: float) -> int:
    if not math.isfinite(value):
        raise Failed("interval out of range", "NUMERIC_VALUE_OUT_OF_RANGE")
    return int(value)


# --- text --------------------------------------------------------------------------------------------------


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
    text = format(Decimal(number).quantize(Decimal(1).scaleb(-places), context=_EXACT), "f")
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
    return _grouped(_entries(text, between, inside))


def _grouped(pairs: Pairs) -> Pairs:
    found: dict[Any, tuple[Any, list[Any]]] = {}
    for key, value in pairs:
        if key is None:
            raise Failed("map key cannot be null")
        found.setdefault(_key(key), (key, []))[1].append(value)
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
    size = _EXACT.multiply(Decimal(found[1]), Decimal(1024 ** _DATA_UNITS[found[2]]))
    return size.to_integral_value(ROUND_DOWN)


# --- regular expressions -----------------------------------------------------------------------------------


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except ValueError as error:
        raise Failed(
            f"The regular expression {pattern} is not supported here: {error}", "NOT_SUPPORTED"
        ) from None


def regexp_like(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(text) is not None


def regexp_count(text: str, pattern: str) -> int:
    return sum(1 for _ in _compiled(pattern).finditer(text))


def regexp_extract(text: str, pattern: str) -> str | None:
    return regexp_extract_group(text, pattern, 0)


def _require_group(pattern: re.Pattern[str], group: int) -> None:
    if not 0 <= group <= pattern.groups:
        raise Failed(f"Pattern has {pattern.groups} groups. Cannot access group {group}")


def regexp_extract_group(text: str, pattern: str, group: int) -> str | None:
    compiled = _compiled(pattern)
    _require_group(compiled, group)
    found = compiled.search(text)
    return found[group] if found else None


def regexp_extract_all(text: str, pattern: str) -> list[str | None]:
    return regexp_extract_all_group(text, pattern, 0)


def regexp_extract_all_group(text: str, pattern: str, group: int) -> list[str | None]:
    compiled = _compiled(pattern)
    _require_group(compiled, group)
    return [found[group] for found in compiled.finditer(text)]


def regexp_position(text: str, pattern: str) -> int:
    return regexp_position_nth(text, pattern, 1, 1)


def regexp_position_from(text: str, pattern: str, start: int) -> int:
    return regexp_position_nth(text, pattern, start, 1)


def regexp_position_nth(text: str, pattern: str, start: int, occurrence: int) -> int:
    if start < 1 or occurrence < 1:
        raise Failed("start position and occurrence cannot be smaller than 1")
    if start > len(text):
        return -1
    for count, found in enumerate(_compiled(pattern).finditer(text, start - 1), start=1):
        if count == occurrence:
            return found.start() + 1
    return -1


def regexp_remove(text: str, pattern: str) -> str:
    return _compiled(pattern).sub("", text)


_REFERENCE = re.compile(r"\\(.)|\$(\d+)|\$\{([^}]*)\}|\\$|\$", re.DOTALL)


def regexp_replace(text: str, pattern: str, replacement: str) -> str:
    compiled = _compiled(pattern)

    def put(found: re.Match[str]) -> str:
        def part(piece: re.Match[str]) -> str:
            if piece[1] is not None:
                return str(piece[1])
            if piece[2] is not None:
                digits = piece[2]
                while len(digits) > 1 and int(digits) > compiled.groups:
                    digits = digits[:-1]
                if int(digits) > compiled.groups:
                    raise Failed(f"Illegal replacement sequence: unknown group {digits}")
                return (found[int(digits)] or "") + piece[2][len(digits) :]
            if piece[3] is not None and piece[3] in compiled.groupindex:
                return found[piece[3]] or ""
            raise Failed(f"Illegal replacement sequence: {replacement}")

        return _REFERENCE.sub(part, replacement)

    return compiled.sub(put, text)


def regexp_groups(text: str, pattern: str) -> list[list[str | None]]:
    return [list(found.groups()) for found in _compiled(pattern).finditer(text)]


def regexp_put(text: str, pattern: str, parts: list[str | None]) -> str | None:
    if None in parts:
        return None
    rest = iter(parts)
    return _compiled(pattern).sub(lambda _: str(next(rest)), text)


def regexp_split(text: str, pattern: str) -> list[str]:
    found, start = [], 0
    for match in _compiled(pattern).finditer(text):
        found.append(text[start : match.start()])
        start = match.end()
    return [*found, text[start:]]


# --- URLs and bytes ----------------------------------------------------------------------------------------


def url_encode(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


def url_decode(text: str) -> str:
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise Failed(f"Illegal hex characters in escape (%) pattern: {text}")
    return unquote_plus(text)


def _url(part: Callable[[Uri], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        found = read_uri(text)
        return None if found is None else part(found)

    return read


url_protocol = _url(lambda url: url.scheme or "")
url_host = _url(lambda url: url.host or "")
url_port = _url(lambda url: url.port)
url_path = _url(lambda url: url.path or "")
url_query = _url(lambda url: unquote(url.query or ""))
url_fragment = _url(lambda url: url.fragment or "")
_raw_query = _url(lambda url: url.query)


def url_parameter(text: str, name: str) -> str | None:
    query = _raw_query(text)
    for part in query.split("&") if query is not None else []:
        key, _, value = part.partition("=")
        if key == name:
            return url_decode(value)
    return None


def crc32(value: bytes) -> int:
    return zlib.crc32(value)


def _decoded(function: Callable[[Any], bytes], value: object) -> bytes:
    try:
        return function(value)
    except (ValueError, binascii.Error) as error:
        raise Failed(str(error)) from None


def from_base64(text: str) -> bytes:
    return _decoded(lambda v: base64.b64decode(v + "=" * (-len(v) % 4), validate=True), text)


def from_base64url(text: str) -> bytes:
    return _decoded(lambda v: base64.b64decode(v + "=" * (-len(v) % 4), altchars=b"-_", validate=True), text)


def from_base32(text: str) -> bytes:
    return _decoded(lambda v: base64.b32decode(v + "=" * (-len(v) % 8)), text)


def to_base32(value: bytes) -> str:
    return base64.b32encode(value).decode()


def to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def to_base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def from_hex(text: str) -> bytes:
    if re.search(r"\s", text):
        raise Failed("invalid hex character")
    return _decoded(bytes.fromhex, text)


def _unpacked(form: str, value: bytes) -> Any:
    if len(value) != struct.calcsize(form):
        raise Failed(f"expected {struct.calcsize(form)}-byte input, but got instead: {len(value)}")
    return struct.unpack(form, value)[0]


def from_big_endian_32(value: bytes) -> int:
    return int(_unpacked(">i", value))


def from_big_endian_64(value: bytes) -> int:
    return int(_unpacked(">q", value))


def from_ieee754_32(value: bytes) -> float:
    return float(_unpacked(">f", value))


def from_ieee754_64(value: bytes) -> float:
    return float(_unpacked(">d", value))


def to_big_endian_32(value: int) -> bytes:
    return struct.pack(">i", value)


def to_big_endian_64(value: int) -> bytes:
    return struct.pack(">q", value)


def to_ieee754_32(value: float) -> bytes:
    return struct.pack(">f", value)


def to_ieee754_64(value: float) -> bytes:
    return struct.pack(">d", value)


def md5(value: bytes) -> bytes:
    return hashlib.md5(value, usedforsecurity=False).digest()


def sha1(value: bytes) -> bytes:
    return hashlib.sha1(value, usedforsecurity=False).digest()


def sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def sha512(value: bytes) -> bytes:
    return hashlib.sha512(value).digest()


def hmac_md5(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "md5").digest()


def hmac_sha1(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha1").digest()


def hmac_sha256(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha256").digest()


def hmac_sha512(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha512").digest()


_P = (
    11400714785074694791,
    14029467366897019727,
    1609587929392839161,
    9650029242287828579,
    2870177450012600261,
)
_M = 2**64 - 1


def _rotated(value: int, places: int) -> int:
    return ((value << places) | (value >> (64 - places))) & _M


def _lane(start: int, block: int) -> int:
    return _rotated((start + block * _P[1]) & _M, 31) * _P[0] & _M


def xxhash64(value: bytes) -> bytes:
    size, at = len(value), 0
    if size >= 32:
        lanes = [(_P[0] + _P[1]) & _M, _P[1], 0, -_P[0] & _M]
        while at + 32 <= size:
            lanes = [_lane(v, b) for v, b in zip(lanes, struct.unpack_from("<4Q", value, at), strict=True)]
            at += 32
        total = sum(_rotated(v, p) for v, p in zip(lanes, (1, 7, 12, 18), strict=True)) & _M
        for lane in lanes:
            total = ((total ^ _lane(0, lane)) * _P[0] + _P[3]) & _M
    else:
        total = _P[4]
    total = (total + size) & _M
    while at + 8 <= size:
        total = (_rotated(total ^ _lane(0, struct.unpack_from("<Q", value, at)[0]), 27) * _P[0] + _P[3]) & _M
        at += 8
    if at + 4 <= size:
        block = struct.unpack_from("<I", value, at)[0]
        total = (_rotated(total ^ (block * _P[0] & _M), 23) * _P[1] + _P[2]) & _M
        at += 4
    for octet in value[at:]:
        total = _rotated(total ^ (octet * _P[4] & _M), 11) * _P[0] & _M
    for shift, factor in ((33, _P[1]), (29, _P[2])):
        total = ((total ^ (total >> shift)) * factor) & _M
    return struct.pack(">Q", total ^ (total >> 32))


# --- moments -----------------------------------------------------------------------------------------------


def _zoned(wall: dt.datetime, zone: str, near: dt.datetime) -> dict[str, Any]:
    return {"t": literals.near_utc(wall, zone, near), "z": zone}


def _zone(name: str) -> str:
    try:
        return literals.zone_key(name)
    except ValueError:
        raise Failed(f"'{name}' is not a valid time zone") from None


def wall_clock(moment: dict[str, Any]) -> dt.datetime:
    return literals.to_wall(moment["t"], moment["z"])


def at_timezone(moment: dict[str, Any], zone: str) -> dict[str, Any]:
    return {"t": moment["t"], "z": _zone(zone)}


def with_timezone(wall: dt.datetime, zone: str) -> dict[str, Any]:
    return _zoned(wall, _zone(zone), near=wall)


def elapsed(left: Any, right: Any, *, types: list[Type]) -> int:
    kind = types[0].base
    if kind == ZONED:
        left, right = left["t"], right["t"]
    if kind == "time":
        left, right = (dt.datetime.combine(_EPOCH, side) for side in (left, right))
    span: dt.timedelta = left - right
    micros = span // dt.timedelta(microseconds=1)
    return micros // 1000 if micros >= 0 else -(-micros // 1000)


def shift_date(day: dt.date, millis: int) -> dt.date:
    if millis % _DAY:
        raise Failed("Cannot add hour, minutes or seconds to a date")
    return day + dt.timedelta(days=millis // _DAY)


def shift_time(moment: dt.time, millis: int) -> dt.time:
    return (dt.datetime.combine(_EPOCH, moment) + dt.timedelta(milliseconds=millis)).time()


def _add_months(moment: Any, months: int) -> Any:
    place = moment.year * 12 + moment.month - 1 + months
    year, month = place // 12, place % 12 + 1
    if not 1 <= year <= 9999:
        raise Failed("year out of range", "NUMERIC_VALUE_OUT_OF_RANGE")
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def shift_months(moment: dict[str, Any], months: int) -> dict[str, Any]:
    return _zoned(_add_months(wall_clock(moment), months), moment["z"], near=moment["t"])


_LENGTHS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": _DAY,
    "week": 7 * _DAY,
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
        return _zoned(wall_clock(moment) + step, moment["z"], near=moment["t"])
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
    return _difference(low, dt.datetime.combine(_EPOCH, start), dt.datetime.combine(_EPOCH, end))


def _difference(unit: str, start: dt.datetime, end: dt.datetime) -> int:
    """Whole units that have passed, counted toward zero."""
    if end < start:
        return -_difference(unit, end, start)
    if unit in _LENGTHS:
        return (end - start) // dt.timedelta(milliseconds=_LENGTHS[unit])
    months = (end.year - start.year) * 12 + end.month - start.month
    if _add_months(start, months) > end:
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
    return _zoned(_truncated(low, wall), moment["z"], near=moment["t"])


def date_trunc_time(unit: str, moment: dt.time) -> dt.time:
    low = _time_unit(unit)
    cut: dt.datetime = _truncated(low, dt.datetime.combine(_EPOCH, moment))
    return cut.time()


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
    return _zoned(wall, SESSION_ZONE if zone in (None, "Z") else _zone(zone), near=wall)


def _unix(seconds: float, zone: str) -> dict[str, Any]:
    if math.isnan(seconds):
        seconds = 0.0
    millis = math.floor(seconds * 1000 + 0.5)
    try:
        return {"t": _EPOCH + dt.timedelta(milliseconds=millis), "z": zone}
    except OverflowError:
        raise Failed("Millis overflow", "NUMERIC_VALUE_OUT_OF_RANGE") from None


def from_unixtime(seconds: float) -> dict[str, Any]:
    return _unix(seconds, SESSION_ZONE)


def from_unixtime_zone(seconds: float, zone: str) -> dict[str, Any]:
    return _unix(seconds, _zone(zone))


def from_unixtime_offset(seconds: float, hours: int, minutes: int) -> dict[str, Any]:
    total = hours * 60 + minutes
    return _unix(seconds, _zone(f"{'-' if total < 0 else '+'}{abs(total) // 60:02d}:{abs(total) % 60:02d}"))


def to_unixtime(moment: dt.datetime) -> float:
    return ((moment - _EPOCH) // dt.timedelta(microseconds=1)) / 1_000_000


def to_unixtime_zoned(moment: dict[str, Any]) -> float:
    return to_unixtime(moment["t"])


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


def _joda_pieces(moment: dt.datetime, pattern: str, zone: str, utc: dt.datetime = _EPOCH) -> Iterable[str]:
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
            yield _offset_text(utc, zone, colon=len(piece) == 2) if len(piece) < 3 else zone
        else:
            yield _joda(moment, found[1], len(piece))
    if at != len(pattern):
        raise Failed(f"Illegal pattern: {pattern}")


def _offset_text(utc: dt.datetime, zone: str, *, colon: bool) -> str:
    minutes = _offset_minutes(utc, zone)
    glue = ":" if colon else ""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{glue}{abs(minutes) % 60:02d}"


def _offset_minutes(utc: dt.datetime, zone: str) -> int:
    return (literals.to_wall(utc, zone) - utc) // dt.timedelta(minutes=1)


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
                r"([+-]\d\d:?\d\d)" if len(piece) < 3 else "([A-Za-z][A-Za-z0-9_+/-]*|[+-]\\d\\d:\\d\\d)"
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
    zone = next((_zone(value) for name, value in values if name == "zone"), SESSION_ZONE)
    wall = _assembled(
        (item for item in values if item[0] != "zone"), text, pivot=dt.datetime.now(dt.UTC).year - 30
    )
    return _zoned(wall, zone, near=wall)


_DURATIONS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
    "d": Decimal(_DAY),
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
    return _clock(moment, types[0].length or 0).replace(" ", "T")


def to_iso8601_zoned(moment: dict[str, Any], *, types: list[Type]) -> str:
    wall = wall_clock(moment)
    minutes = _offset_minutes(moment["t"], moment["z"])
    end = _offset_text(moment["t"], moment["z"], colon=True) if minutes else "Z"
    return _clock(wall, types[0].length or 0).replace(" ", "T") + end


# --- arrays and maps ---------------------------------------------------------------------------------------


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(_key(value), value)
    return list(found.values())


def array_distinct(values: list[Any]) -> list[Any]:
    return _distinct(values)


def array_except(left: list[Any], right: list[Any]) -> list[Any]:
    there = {_key(value) for value in right}
    return [value for value in _distinct(left) if _key(value) not in there]


def array_intersect(left: list[Any], right: list[Any]) -> list[Any]:
    there = {_key(value) for value in right}
    return [value for value in _distinct(left) if _key(value) in there]


def array_union(left: list[Any], right: list[Any]) -> list[Any]:
    return _distinct([*left, *right])


def arrays_overlap(left: list[Any], right: list[Any]) -> bool | None:
    ours, theirs = ({_key(v) for v in side if v is not None} for side in (left, right))
    if ours & theirs:
        return True
    return None if left and right and None in [*left, *right] else False


def histogram(values: list[Any]) -> Pairs | None:
    return array_histogram(values) or None


def array_histogram(values: list[Any]) -> Pairs:
    found: dict[Any, list[Any]] = {}
    for value in values:
        if value is not None:
            found.setdefault(_key(value), [value, 0])[1] += 1
    return [(value, count) for value, count in found.values()]


def array_join(values: list[str | None], glue: str) -> str:
    return glue.join(value for value in values if value is not None)


def array_join_with(values: list[str | None], glue: str, missing: str) -> str:
    return glue.join(missing if value is None else value for value in values)


def array_max(values: list[Any], *, types: list[Type]) -> Any:
    return None if not values or None in values else greatest(*values, types=types)


def array_min(values: list[Any], *, types: list[Type]) -> Any:
    return None if not values or None in values else least(*values, types=types)


def array_position(values: list[Any], wanted: Any, *, types: list[Type]) -> int:
    same = _equality("array_position", wanted, types[1])
    return next((place for place, value in enumerate(values, start=1) if same(value)), 0)


def array_remove(values: list[Any], unwanted: Any, *, types: list[Type]) -> list[Any]:
    same = _equality("array_remove", unwanted, types[1])
    return [value for value in values if not same(value)]


def _equality(name: str, wanted: Any, kind: Type) -> Callable[[Any], bool]:
    """Whether an element equals a value; NULL equals nothing, and must not lie inside of one."""

    def same(value: Any) -> bool:
        found = value is not None and _equal(value, wanted, kind)
        if found is None:
            message = f"{name} does not support arrays with elements that are null or contain null"
            raise Failed(message, "NOT_SUPPORTED")
        return found

    return same


def contains_sequence(values: list[Any], part: list[Any]) -> bool:
    keys, wanted = [_key(value) for value in values], [_key(value) for value in part]
    return any(keys[at : at + len(wanted)] == wanted for at in range(len(keys) - len(wanted) + 1))


def array_sort(values: list[Any], *, types: list[Type]) -> list[Any]:
    there = [value for value in values if value is not None]
    return _sorted(there, types[0].inner[0]) + [None] * (len(values) - len(there))


def sort_by_matrix(values: list[Any], matrix: list[list[int | None]]) -> list[Any]:
    def compare(a: int, b: int) -> int:
        found = matrix[a][b]
        if found not in (-1, 0, 1):
            raise Failed("Lambda comparator must return either -1, 0, or 1")
        return found or 0

    return [values[place] for place in sorted(range(len(values)), key=functools.cmp_to_key(compare))]


def combinations(values: list[Any], size: int) -> list[list[Any]]:
    if not 0 <= size <= 5:
        raise Failed(f"combination size must not be negative or exceed 5: {size}")
    places = range(len(values))
    ordered = sorted(_combinations(places, size), key=lambda item: item[::-1])
    if len(ordered) > 100_000:
        raise Failed("combinations exceed max size")
    return [[values[place] for place in item] for item in ordered]


def contains(values: list[Any], wanted: Any, *, types: list[Type]) -> bool | None:
    found = [_equal(value, wanted, types[1]) for value in values]
    return True if True in found else None if None in found else False


def ngrams(values: list[Any], size: int) -> list[list[Any]]:
    if size <= 0:
        raise Failed("N must be positive")
    if size >= len(values):
        return [values]
    return [values[at : at + size] for at in range(len(values) - size + 1)]


def repeat(value: Any, count: int | None) -> list[Any] | None:
    if count is None:
        return None
    if count > 10_000:
        raise Failed("count argument of repeat function must be less than or equal to 10000")
    return [value] * max(count, 0)


_LONGEST = 10_000


def _steps(start: Any, stop: Any, step: Any, zero: Any) -> list[Any]:
    if step == zero:
        raise Failed("step must not be zero")
    if (step > zero) != (stop >= start) and stop != start:
        raise Failed(
            "sequence stop value should be greater than or equal to start value if step "
            "is greater than zero otherwise stop should be less than or equal to start"
        )
    count = (stop - start) // step + 1
    if count > _LONGEST:
        raise Failed("result of sequence function must not have more than 10000 entries")
    return [start + step * place for place in range(count)]


def sequence(start: int, stop: int, step: int | None = None) -> list[int]:
    return _steps(start, stop, step if step is not None else (1 if stop >= start else -1), 0)


def sequence_dates(start: dt.date, stop: dt.date, millis: int | None = None) -> list[dt.date]:
    days = (1 if stop >= start else -1) if millis is None else millis // _DAY
    if millis is not None and millis % _DAY:
        raise Failed("sequence step must be a day interval if start and end values are dates")
    return _steps(start, stop, dt.timedelta(days=days), dt.timedelta())


def sequence_timestamps(start: dt.datetime, stop: dt.datetime, millis: int) -> list[dt.datetime]:
    return _steps(start, stop, dt.timedelta(milliseconds=millis), dt.timedelta())


def sequence_months(start: Any, stop: Any, months: int) -> list[Any]:
    if months == 0 or ((months > 0) != (stop >= start) and stop != start):
        raise Failed(
            "sequence stop value should be greater than or equal to start value if step is greater than zero"
        )
    found: list[Any] = []
    while len(found) <= _LONGEST:
        value = _add_months(start, months * len(found))
        if (value > stop) if months > 0 else (value < stop):
            return found
        found.append(value)
    raise Failed("result of sequence function must not have more than 10000 entries")


def shuffle(values: list[Any]) -> list[Any]:
    import random

    return random.sample(values, len(values))


def slice_(values: list[Any], start: int, length: int) -> list[Any]:
    if length < 0:
        raise Failed("length must be greater than or equal to 0")
    if start == 0:
        raise Failed("SQL array indices start at 1")
    at = start - 1 if start > 0 else len(values) + start
    return [] if at < 0 or at >= len(values) else values[at : at + length]


def trim_array(values: list[Any], count: int) -> list[Any]:
    if count < 0 or count > len(values):
        raise Failed(
            "size must not be negative"
            if count < 0
            else f"size must not exceed array cardinality {len(values)}: {count}"
        )
    return values[: len(values) - count]


def zip_(*lists: list[Any]) -> list[dict[str, Any]]:
    return [
        {f"f{i}": values[at] if at < len(values) else None for i, values in enumerate(lists)}
        for at in range(max(len(values) for values in lists))
    ]


def map_(keys: list[Any], values: list[Any]) -> Pairs:
    if len(keys) != len(values):
        raise Failed("Key and value arrays must be the same length")
    return _unique([(keys[place], value) for place, value in enumerate(values)])


def _unique(pairs: Pairs) -> Pairs:
    seen = set()
    for key, _ in pairs:
        if key is None:
            raise Failed("map key cannot be null")
        if _key(key) in seen:
            raise Failed(f"Duplicate map keys ({key}) are not allowed")
        seen.add(_key(key))
    return pairs


def map_concat(*maps: Pairs) -> Pairs:
    found: dict[Any, tuple[Any, Any]] = {}
    for pairs in maps:
        for key, value in pairs:
            found[_key(key)] = (key, value)
    return list(found.values())


def map_union(maps: list[Pairs | None]) -> Pairs | None:
    there = [pairs for pairs in maps if pairs is not None]
    found: dict[Any, tuple[Any, Any]] = {}
    for pairs in there:
        for key, value in pairs:
            found.setdefault(_key(key), (key, value))
    return list(found.values()) if there else None


def map_entries(pairs: Pairs) -> list[dict[str, Any]]:
    return [{"f0": key, "f1": value} for key, value in pairs]


def map_from_entries(rows: list[dict[str, Any] | None]) -> Pairs:
    if any(row is None for row in rows):
        raise Failed("map entry cannot be null")
    return _unique([tuple(row.values()) for row in rows if row is not None])


def multimap_from_entries(rows: list[dict[str, Any] | None]) -> Pairs:
    if any(row is None for row in rows):
        raise Failed("map entry cannot be null")
    return _grouped([tuple(row.values()) for row in rows if row is not None])


def multimap_agg(rows: list[dict[str, Any]]) -> Pairs | None:
    return _grouped([(row["f0"], row["f1"]) for row in rows if row["f0"] is not None]) or None


def map_agg(rows: list[dict[str, Any]]) -> Pairs | None:
    """The first value of each key; a row without a key counts for nothing."""
    found: dict[Any, tuple[Any, Any]] = {}
    for row in rows:
        if row["f0"] is not None:
            found.setdefault(_key(row["f0"]), (row["f0"], row["f1"]))
    return list(found.values()) or None


# --- aggregates, of all values at once ---------------------------------------------------------------------


def percentile(values: list[Any], share: float) -> Any:
    found = percentiles(values, [share])
    return found[0] if found else None


def percentiles(values: list[Any], shares: list[float | None]) -> list[Any] | None:
    there = sorted(value for value in values if value is not None)
    asked = [share for share in shares if share is not None and 0 <= share <= 1]
    if len(asked) < len(shares):
        raise Failed("Percentile must be between 0 and 1")
    if not there:
        return None
    return [there[min(int(share * len(there)), len(there) - 1)] for share in asked]


def percentiles_weighted(rows: list[dict[str, Any]], shares: list[float | None]) -> list[Any] | None:
    found = [percentile_weighted(rows, share) for share in shares]
    return None if None in found else found


def percentile_weighted(rows: list[dict[str, Any]], share: float | None) -> Any:
    there = sorted((row["f0"], row["f1"]) for row in rows if row["f0"] is not None and row["f1"] is not None)
    if share is None or not 0 <= share <= 1 or any(weight < 1 for _, weight in there):
        raise Failed("Percentile must be between 0 and 1, and percentile weight must be >= 1")
    total, passed = sum(weight for _, weight in there), 0
    for value, weight in there:
        passed += weight
        if passed > share * total or passed == total:
            return value
    return None


def checksum(values: list[Any]) -> bytes:
    total = sum(
        int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8], "little") for value in values
    )
    return struct.pack("<Q", total & _M)


def correlation(value: float) -> float | None:
    """A statistic of pairs, which is NULL where there are too few of them, or all alike."""
    return value if math.isfinite(value) else None


def geometric_mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    if not there:
        return None
    return math.exp(sum(_logarithm(value, math.log) for value in there) / len(there))


def skewness(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    n = len(there)
    if n < 3:
        return None
    mean = sum(there) / n
    m2, m3 = (sum((value - mean) ** power for value in there) for power in (2, 3))
    return math.sqrt(n) * m3 / m2**1.5 if m2 else math.nan


def kurtosis(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    n = float(len(there))
    if n < 4:
        return None
    mean = sum(there) / n
    m2, m4 = (sum((value - mean) ** power for value in there) for power in (2, 4))
    if not m2:
        return math.nan
    return ((n - 1) * n * (n + 1)) / ((n - 2) * (n - 3)) * m4 / (m2 * m2) - 3 * ((n - 1) ** 2) / (
        (n - 2) * (n - 3)
    )


def _top(values: list[Any], count: int, kind: Type, *, most: bool) -> list[Any] | None:
    if count <= 0 or count > 10_000:
        raise Failed("third argument of max_by/min_by must be a positive integer")
    there = [value for value in values if value is not None]
    return _sorted(there, kind, reverse=most)[:count] or None


def largest(values: list[Any], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top(values, count, types[0].inner[0], most=True)


def smallest(values: list[Any], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top(values, count, types[0].inner[0], most=False)


def _second(row: Any) -> Any:
    return row["f1"]


def _top_by(rows: list[dict[str, Any]], count: int, kind: Type, *, most: bool) -> list[Any] | None:
    if count <= 0 or count > 10_000:
        raise Failed("third argument of max_by/min_by must be a positive integer")
    there = [row for row in rows if row["f1"] is not None]
    order = functools.cmp_to_key(lambda a, b: _order(_second(a), _second(b), kind))
    return [row["f0"] for row in sorted(there, key=order, reverse=most)[:count]] or None


def largest_by(rows: list[dict[str, Any]], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top_by(rows, count, types[0].inner[0].inner[1], most=True)


def smallest_by(rows: list[dict[str, Any]], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top_by(rows, count, types[0].inner[0].inner[1], most=False)


# --- JSON --------------------------------------------------------------------------------------------------


def _value(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return _NOTHING


_NOTHING = object()


def json_parse(text: str) -> str:
    try:
        return json_text(read_json(text), ordered=True)
    except ValueError:
        raise Failed(f"Cannot convert value to JSON: '{text}'") from None


def is_json_scalar(text: str) -> bool:
    value = _value(text)
    if value is _NOTHING:
        raise Failed(f"Invalid JSON value: {text}")
    return not isinstance(value, dict | list)


def json_array_contains(text: str, wanted: Any) -> bool | None:
    items = _value(text)
    if not isinstance(items, list):
        return None
    if isinstance(wanted, bool | str):
        return any(type(item) is type(wanted) and item == wanted for item in items)
    return any(isinstance(item, JsonNumber) and _same_number(item, wanted) for item in items)


def _same_number(item: JsonNumber, wanted: float) -> bool:
    if isinstance(wanted, int):
        return item.lstrip("-").isdecimal() and int(item) == wanted
    return not item.lstrip("-").isdecimal() and float(item) == wanted


def json_array_get(text: str, index: int) -> str | None:
    items = _value(text)
    if not isinstance(items, list) or not -len(items) <= index < len(items):
        return None
    item = items[index]
    if item is None or (isinstance(item, str) and not isinstance(item, JsonNumber)):
        return item  # a text without its quotes, which is no JSON: Trino's documentation warns of it
    return json_text(item)


def json_array_length(text: str) -> int | None:
    items = _value(text)
    return len(items) if isinstance(items, list) else None


_STEP = re.compile(r"\.((?:[^\W]|:)+)|\[([^\W]+)\]|\[\"((?:[^\"\\]|\\[\"\\])*)\"\]")


@functools.lru_cache(maxsize=500)
def _json_steps(path: str) -> tuple[str, ...]:
    steps: list[str] = []
    at = 1 if path.startswith("$") else len(path) + 1
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            break
        name, subscript, quoted = found.groups()
        steps.append(name or subscript or re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    if at != len(path):
        raise Failed(f"Invalid JSON path: '{path}'")
    return tuple(steps)


def _reached(text: str, path: str) -> Any:
    steps = _json_steps(path)
    try:
        return reach(text, steps)
    except (ValueError, LookupError):
        return _NOTHING


def json_extract(text: str, path: str) -> str | None:
    value = _reached(text, path)
    return None if value is _NOTHING else json_text(value)


def json_extract_scalar(text: str, path: str) -> str | None:
    value = _reached(text, path)
    if value is _NOTHING or value is None or isinstance(value, dict | list):
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def json_size(text: str, path: str) -> int | None:
    value = _reached(text, path)
    if value is _NOTHING:
        return None
    return len(value) if isinstance(value, dict | list) else 0


def to_json(value: Any, *, types: list[Type]) -> str | None:
    if value is None:
        return None
    return json_text(_json_of(value, types[0]), ordered=False)


def _json_of(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if kind.base == "json":
        return read_json(value)
    if kind.base == "array":
        return [_json_of(item, kind.inner[0]) for item in value]
    if kind.base == "map":
        pairs = {_json_key(key, kind.inner[0]): _json_of(item, kind.inner[1]) for key, item in value}
        return dict(sorted(pairs.items()))
    if kind.base == "row":
        names = [name or "" for name in kind.names or [""] * len(kind.args)]
        return JsonPairs(
            (name, _json_of(value[f"f{i}"], item))
            for i, (name, item) in enumerate(zip(names, kind.inner, strict=True))
        )
    if kind.base in ("boolean", "varchar"):
        return value
    return _json_number(value, kind) if kind.base in NUMBERS else shown(value, kind)


def _json_number(value: Any, kind: Type) -> str:
    if kind.base in ("double", "real"):
        text = double_text(value) if kind.base == "double" else real_text(value)
        return JsonNumber(text) if math.isfinite(value) else text
    return JsonDecimal(value) if kind.base == "decimal" else JsonNumber(value)


def _json_key(value: Any, kind: Type) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return written(value, kind)


def from_json(text: str, *, types: list[Type]) -> Any:
    try:
        value = read_json(text)
    except ValueError:
        raise Failed(f"Cannot cast to {types[-1]}. {text}", "INVALID_CAST_ARGUMENT") from None
    return _from_json(value, types[-1], text)


def _from_json(value: Any, kind: Type, text: str) -> Any:
    wrong = Failed(f"Cannot cast to {kind}. {text}", "INVALID_CAST_ARGUMENT")
    if kind.base == "json":
        return json_text(value)
    if value is None:
        return None
    if kind.base == "array":
        if not isinstance(value, list):
            raise wrong
        return [_from_json(item, kind.inner[0], text) for item in value]
    if kind.base == "map":
        if not isinstance(value, dict):
            raise wrong
        return [
            (_from_json_scalar(key, kind.inner[0], wrong), _from_json(item, kind.inner[1], text))
            for key, item in value.items()
        ]
    if kind.base == "row":
        return _row_of(value, kind, text, wrong)
    if isinstance(value, dict | list):
        raise wrong
    return _from_json_scalar(value, kind, wrong)


def _row_of(value: Any, kind: Type, text: str, wrong: Failed) -> dict[str, Any]:
    if isinstance(value, list):
        if len(value) != len(kind.args):
            raise wrong
        items: list[Any] = value
    elif isinstance(value, dict) and kind.names:
        low = {key.lower(): item for key, item in value.items()}
        items = [low.get((name or "").lower()) for name in kind.names]
    else:
        raise wrong
    return {
        f"f{i}": _from_json(item, part, text)
        for i, (item, part) in enumerate(zip(items, kind.inner, strict=True))
    }


def _from_json_scalar(value: Any, kind: Type, wrong: Failed) -> Any:
    """Texts, numbers and truths become each other, as casts between them do."""
    try:
        if kind.base == "varchar":
            return _text_from_json(value)
        if kind.base == "boolean":
            return _truth_from_json(value, wrong)
        if isinstance(value, bool):
            value = JsonNumber("1" if value else "0")
        if kind.base in INTEGERS:
            return _whole_from_json(value, kind, wrong)
        if kind.base == "decimal":
            return _fitted(Decimal(value), kind, value)
        if not re.fullmatch(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)", value, re.ASCII):
            raise wrong
        return float(value)
    except (ValueError, InvalidOperation):
        raise wrong from None


def _truth_from_json(value: Any, wrong: Failed) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, JsonNumber):
        return text_to_boolean(value)
    if value.lstrip("-").isdecimal() and not -(2**63) <= int(value) < 2**63:
        raise wrong
    return float(value) != 0


def _text_from_json(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber) and not value.lstrip("-").isdecimal():
        return scientific(double_text(float(value)))
    return str(value)


def _whole_from_json(value: str, kind: Type, wrong: Failed) -> int:
    if isinstance(value, JsonNumber) and not value.lstrip("-").isdecimal():
        found = math.floor(abs(float(value)) + 0.5) * (-1 if float(value) < 0 else 1)
    elif re.fullmatch(r"[+-]?\d+", value, re.ASCII):
        found = int(value)
    else:
        raise wrong
    bits = _BITS[kind.base]
    if not -(2 ** (bits - 1)) <= found < 2 ** (bits - 1):
        raise wrong
    return found


def json_array(nulls: str, *values: Any, types: list[Type]) -> str:
    listed = [_json_of(value, kind) for value, kind in zip(values, types[1:-1], strict=True)]
    return json_text([item for item in listed if item is not None or nulls == "NULL"])


def json_object(nulls: str, *parts: Any, types: list[Type]) -> str:
    found = JsonPairs()
    for place in range(0, len(parts), 2):
        if parts[place] is None:
            raise Failed("null value passed for JSON object key to JSON_OBJECT function")
        value = _json_of(parts[place + 1], types[place + 2])
        if value is not None or nulls == "NULL":
            found.append((parts[place], value))
    return json_text(found)


def json_exists(text: str, path: str, options: str) -> bool | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    on_error = options.split("|")[3] or "FALSE"
    try:
        return bool(evaluate(path, _json_input(text)))
    except PathFailed as error:
        if on_error == "ERROR":
            raise Failed(str(error)) from None
        return {"TRUE": True, "FALSE": False, "UNKNOWN": None}[on_error]


def _json_input(text: str) -> Any:
    from local_aws.athena.json_paths import PathFailed

    try:
        return read_json(text)
    except ValueError:
        raise PathFailed("conversion to JSON failed") from None


def _on(behaviour: str, message: str, mark: str = "") -> str | None:
    if behaviour == "ERROR":
        raise Failed(message)
    return {"EMPTY ARRAY": "[]", "EMPTY OBJECT": "{}", "DEFAULT": mark}.get(behaviour)


JSON_EMPTY, JSON_ERROR = "\0EMPTY", "\0ERROR"
"""What ``json_value`` gives where the statement has a default."""


def json_value(text: str, path: str, options: str) -> str | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    _, _, empty, error = options.split("|")
    try:
        found = evaluate(path, _json_input(text))
        if not found:
            return _on(empty, "cannot extract SQL scalar from JSON: JSON path found no items", JSON_EMPTY)
    except PathFailed as failed:
        return _on(error, str(failed), JSON_ERROR)
    if len(found) > 1 or isinstance(found[0], dict | list):
        return _on(error, "JSON path found no singleton scalar item", JSON_ERROR)
    value = found[0]
    if value is None:
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def json_query(text: str, path: str, options: str) -> str | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    wrapper, quotes, empty, error = options.split("|")
    try:
        found = evaluate(path, _json_input(text))
        if not found:
            return _on(empty or "NULL", "cannot extract JSON: JSON path found no items")
        if wrapper == "UNCONDITIONAL" or (
            wrapper == "CONDITIONAL" and not (len(found) == 1 and isinstance(found[0], dict | list))
        ):
            return json_text(found)
    except PathFailed as failed:
        return _on(error or "NULL", str(failed))
    if len(found) > 1:
        return _on(error or "NULL", "JSON path found multiple items")
    if quotes == "OMIT" and isinstance(found[0], str) and not isinstance(found[0], JsonNumber):
        return found[0]
    return json_text(found[0])


TYPED = frozenset(
    [
        "text_to_decimal",
        "double_to_decimal",
        "real_to_decimal",
        "text_to_timestamp",
        "text_to_zoned",
        "round_timestamp",
        "round_zoned",
        "round_time",
        "to_text",
        "equal",
        "less",
        "greater",
        "at_most",
        "at_least",
        "greatest",
        "least",
        "shift_left",
        "shift_right",
        "format_",
        "elapsed",
        "date_add_zoned",
        "date_diff",
        "to_iso8601",
        "to_iso8601_zoned",
        "array_max",
        "array_min",
        "array_position",
        "array_remove",
        "array_sort",
        "ordered",
        "contains",
        "largest",
        "smallest",
        "largest_by",
        "smallest_by",
        "to_json",
        "from_json",
        "json_array",
        "json_object",
    ]
)
"""Functions that are told the types of their arguments, and behind them that of their result."""

TAKES_NULL = frozenset(["repeat", "format_", "identical", "to_json", "json_array", "json_object"])
"""Functions that are called with NULL too."""
