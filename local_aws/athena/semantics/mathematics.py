"""Numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from local_aws.athena.kinds import Type
from local_aws.athena.numbers import double_text
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.values import EXACT, Pairs


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
    root, exact = EXACT.create_decimal(math.cbrt(value)), EXACT.create_decimal(value)
    return float(root - EXACT.divide(root * root * root - exact, 3 * root * root))


def sqrt(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


def degrees(value: float) -> float:
    return value * 180.0 / math.pi


def radians(value: float) -> float:
    return value / 180.0 * math.pi


def logarithm(value: float, function: Callable[[float], float]) -> float:
    return -math.inf if value == 0 else math.nan if value < 0 or math.isnan(value) else function(value)


def ln(value: float) -> float:
    return logarithm(value, math.log)


def log2(value: float) -> float:
    return logarithm(value, math.log) / math.log(2)


def log10(value: float) -> float:
    return logarithm(value, math.log10)


def log(base: float, value: float) -> float:
    return _quotient(logarithm(value, math.log), logarithm(base, math.log))


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
    return int(Decimal(value).quantize(Decimal(1).scaleb(-places), context=EXACT))


def round_decimal(value: Decimal, places: int) -> Decimal:
    return _cut_decimal(value, places, ROUND_HALF_UP)


def truncate_decimal(value: Decimal, places: int) -> Decimal:
    return _cut_decimal(value, places, ROUND_DOWN)


def _cut_decimal(value: Decimal, places: int, rounding: str) -> Decimal:
    scale = -int(value.as_tuple().exponent)
    if places >= scale:
        return value
    cut = value.quantize(Decimal(1).scaleb(-places), rounding=rounding, context=EXACT)
    return cut.quantize(Decimal(1).scaleb(-scale), context=EXACT) if cut else Decimal(0)


def decimal_modulus(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise Failed("Division by zero", "DIVISION_BY_ZERO")
    return EXACT.remainder(left, right)


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
        if bucket >= 2**63:
            message = f"Bucket for value {double_text(value)} is out of range"
            raise Failed(message, "NUMERIC_VALUE_OUT_OF_RANGE")
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


BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


def _wrapped(value: int, bits: int) -> int:
    value &= 2**bits - 1
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def shift_left(value: int, places: int, *, types: list[Type]) -> int:
    bits = BITS[types[0].base]
    return _wrapped(value << places, bits) if 0 <= places < bits else 0


def shift_right(value: int, places: int, *, types: list[Type]) -> int:
    bits = BITS[types[0].base]
    return _wrapped((value & (2**bits - 1)) >> places, bits) if 0 <= places < bits else 0


def shift_right_arithmetic(value: int, places: int) -> int:
    return value >> places if 0 <= places < 64 else (-1 if value < 0 else 0)


def quotient(dividend: str, divisor: str) -> str:
    """Of two decimals as text, rounded half away from zero to the larger scale of the two."""
    one, two = Decimal(dividend), Decimal(divisor)
    if not two:
        raise Failed("Division by zero", "DIVISION_BY_ZERO")
    scale = max(-int(part.as_tuple().exponent) for part in (one, two))
    return format(EXACT.divide(one, two).quantize(Decimal(1).scaleb(-scale), context=EXACT), "f")


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
