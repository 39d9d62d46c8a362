"""Numbers as Java writes them."""

from __future__ import annotations

import math
import struct
from decimal import Decimal


def double_text(value: float) -> str:
    """A double as Java prints it: plain from a thousandth to ten million, else with an exponent."""
    return _text(value, repr(value))


def real_text(value: float) -> str:
    """A real as Java prints it: with the fewest digits that name it among reals."""
    if math.isfinite(value):
        value = struct.unpack("f", struct.pack("f", value))[0]
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        try:
            same = struct.pack("f", float(text)) == struct.pack("f", value)
        except OverflowError:
            same = False
        if same:
            return _text(value, text)
    return _text(value, repr(value))


def _text(value: float, digits: str) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    if 1e-3 <= abs(value) < 1e7:
        text = format(Decimal(digits), "f")
        return text if "." in text else f"{text}.0"
    return scientific(digits)


def scientific(text: str) -> str:
    """A number's text with one digit before the point and an exponent, as CAST to varchar writes it."""
    if text in ("NaN", "Infinity", "-Infinity"):
        return text
    number = Decimal(text)
    if not number:
        return "-0E0" if text.startswith("-") else "0E0"
    sign, digits, _ = number.normalize().as_tuple()
    exponent = number.adjusted()
    listed = "".join(str(digit) for digit in digits)
    return f"{'-' if sign else ''}{listed[0]}.{listed[1:] or '0'}E{exponent}"
