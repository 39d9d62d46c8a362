"""Division of decimals as Trino defines it, which DuckDB lacks: exact, half away from zero."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ZERO_DIVISOR = "division by zero"
"""What the error of a division by zero says."""

_ARROW_DIGITS = 76  # the most that Arrow's decimals hold
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)


def quotient(dividend: Any, divisor: Any) -> pa.Array:
    """Quotients, rounded to the larger scale of the two.

    Args:
        dividend: Decimals or whole numbers as text, all of one scale (an Arrow array; NULL allowed).
        divisor: The same.

    Returns:
        The quotients as text.

    Raises:
        ZeroDivisionError: A divisor is zero.
    """
    scales = _scale(dividend), _scale(divisor)
    digits = _digits(dividend), _digits(divisor)
    scale = max(scales)
    # Arrow's rule: a quotient keeps (scale of a + digits of b + 1) places. They are cut there, not rounded,
    # which cannot move a value across the half at which the next line rounds.
    kept = max(6, scales[0] + digits[1] + 1)
    if kept >= scale and digits[0] - scales[0] + scales[1] + kept <= _ARROW_DIGITS:
        types = [pa.decimal256(*shape) for shape in zip(digits, scales, strict=True)]
        try:
            quotients = pc.divide(dividend.cast(types[0]), divisor.cast(types[1]))
            rounded = pc.round(quotients, ndigits=scale, round_mode="half_towards_infinity")
            return rounded.cast(pa.decimal256(_ARROW_DIGITS, scale)).cast(pa.string())
        except pa.ArrowInvalid:
            pass  # a zero, or more digits than Arrow holds: one by one it is exact, and says which
    return pa.array([_one(a, b, scale) for a, b in _pairs(dividend, divisor)], pa.string())


def _scale(numbers: Any) -> int:
    first = next((text for text in numbers.drop_null()[:1].to_pylist()), "")
    return len(str(first).partition(".")[2])


def _digits(numbers: Any) -> int:
    return pc.max(pc.utf8_length(numbers)).as_py() or 1


def _pairs(dividend: Any, divisor: Any) -> Iterable[tuple[str | None, str | None]]:
    return zip(dividend.to_pylist(), divisor.to_pylist(), strict=True)


def _one(dividend: str | None, divisor: str | None, scale: int) -> str | None:
    if dividend is None or divisor is None:
        return None
    if not Decimal(divisor):
        raise ZeroDivisionError(ZERO_DIVISOR)
    exact = _EXACT.divide(Decimal(dividend), Decimal(divisor))
    return format(exact.quantize(Decimal(1).scaleb(-scale), context=_EXACT), "f")
