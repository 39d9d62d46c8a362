"""``format()``: Java's format strings, with what Java refuses refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple

from local_aws.athena.kinds import INTEGERS, Type
from local_aws.athena.numbers import double_text, real_text
from local_aws.athena.query_errors import Failed

_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
_SPECIFIER = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([tT]?)([a-zA-Z%])")
_FLOATS = ("decimal", "double", "real")
_FLAGS = {"s": "-", "b": "-", "t": "-", "d": "-+ 0,(", "x": "-0", "o": "-0", "f": "-+ 0,(", "e": "-+ 0("}
"""The flags that each conversion takes."""


class _Specifier(NamedTuple):
    """What stands behind a percent sign.

    Attributes:
        flags: Its flags, without that of the argument before.
        width: The least number of characters, None where none is stated.
        precision: The digits or characters, None where none is stated.
        kind: The conversion's letter, as it is written.
    """

    flags: str
    width: int | None
    precision: int | None
    kind: str


def format_(pattern: str | None, *values: Any, types: list[Type]) -> str | None:
    """The pattern with the values in place; the first type is the pattern's, the last the result's."""
    if pattern is None:
        return None
    kinds = types[1:-1]
    place, last = -1, -1

    def put(found: re.Match[str]) -> str:
        nonlocal place, last
        number, flags, width, precision, moment, kind = found.groups()
        if kind in "%n" and not moment:
            if flags or width or precision:
                raise _invalid(pattern, "flags, width and precision of %% and %n")
            return "%" if kind == "%" else "\n"
        if number:
            last = int(number) - 1
        elif "<" not in flags:
            place += 1
            last = place
        if not 0 <= last < len(values):
            raise _invalid(pattern, f"missing argument of {found[0]}")
        specifier = _Specifier(
            flags.replace("<", ""),
            int(width) if width else None,
            int(precision) if precision else None,
            moment or kind,
        )
        _check(pattern, specifier)
        text = _formatted(values[last], kinds[last], specifier, kind if moment else "")
        fill: Callable[[int], str] = text.ljust if "-" in specifier.flags else text.rjust
        return fill(specifier.width or 0)

    if "%" in _SPECIFIER.sub("", pattern):
        raise _invalid(pattern, "an unknown conversion")
    return _SPECIFIER.sub(put, pattern)


def _invalid(pattern: str | None, why: str) -> Failed:
    return Failed(f"Invalid format string: {pattern} ({why})")


def _check(pattern: str | None, specifier: _Specifier) -> None:
    flags, low = specifier.flags, specifier.kind.lower()
    taken = _FLAGS.get(low)
    if taken is None:
        raise _invalid(pattern, f"the conversion {specifier.kind} is not supported here")
    if set(flags) - set(taken) or len(set(flags)) < len(flags):
        raise _invalid(pattern, f"flags {flags} of %{specifier.kind}")
    if {"-", "0"} <= set(flags) or {"+", " "} <= set(flags):
        raise _invalid(pattern, f"flags {flags} together")
    if set(flags) & {"-", "0"} and specifier.width is None:
        raise _invalid(pattern, f"flags {flags} without a width")
    if specifier.precision is not None and low in "dxot":
        raise _invalid(pattern, f"a precision of %{specifier.kind}")


def _formatted(value: Any, kind: Type, specifier: _Specifier, part: str) -> str:
    low, precision = specifier.kind.lower(), specifier.precision
    if value is None:
        text = "false" if low == "b" else "null"
        text = text if precision is None else text[:precision]
    elif low == "t":
        text = _moment(value, kind, part)
    elif low == "s":
        text = java_text(value, kind)
        text = text if precision is None else text[:precision]
    elif low == "b":
        text = "false" if value is False else "true"
        text = text if precision is None else text[:precision]
    elif low == "d" and kind.base in INTEGERS:
        text = _number(str(abs(value)), specifier, negative=value < 0)
    elif low in "xo" and kind.base in INTEGERS:
        text = format(value & (2**64 - 1), low).rjust(
            (specifier.width or 0) if "0" in specifier.flags else 0, "0"
        )
    elif low in "fe" and kind.base in _FLOATS:
        text = _real(value, specifier)
    else:
        raise _invalid(f"%{specifier.kind}", f"not for a value of type {kind}")
    return text.upper() if specifier.kind.isupper() else text


def _real(value: Any, specifier: _Specifier) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    exact = abs(Decimal(repr(value)) if isinstance(value, float) else value)
    negative = bool(value < 0) or (value == 0 and math.copysign(1, value) < 0)
    places = 6 if specifier.precision is None else specifier.precision
    if specifier.kind.lower() == "f":
        return _number(f"{_rounded(exact, places):f}", specifier, negative=negative)
    exponent = exact.adjusted() if exact else 0
    head = _rounded(exact.scaleb(-exponent), places)
    if head >= 10:
        head, exponent = _rounded(head / 10, places), exponent + 1
    return _number(f"{head:f}e{exponent:+03d}", specifier, negative=negative)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), context=_EXACT)


def _number(text: str, specifier: _Specifier, *, negative: bool) -> str:
    """Digits with their sign, groups and zeros before them."""
    flags = specifier.flags
    if "," in flags:
        whole, point, rest = text.partition(".")
        text = f"{int(whole):,}{point}{rest}"
    in_parentheses = negative and "(" in flags
    sign = (
        "(" if in_parentheses else "-" if negative else "+" if "+" in flags else " " if " " in flags else ""
    )
    end = ")" if in_parentheses else ""
    if "0" in flags:
        text = text.rjust((specifier.width or 0) - len(sign) - len(end), "0")
    return sign + text + end


def java_text(value: Any, kind: Type) -> str:
    """A value as Java shows it."""
    if kind.base == "double":
        return double_text(value)
    if kind.base == "real":
        return real_text(value)
    if kind.base == "boolean":
        return "true" if value else "false"
    if kind.base == "decimal":
        return f"{value:f}"
    if kind.base == "date" or kind.base in INTEGERS or kind.base in ("varchar", "char", "json"):
        return str(value)
    if kind.base == "timestamp" and not (kind.length or 0) > 6:
        text = value.isoformat(timespec="seconds" if value.second or value.microsecond else "minutes")
        if value.microsecond:
            text = f"{text.partition('.')[0]}.{value.microsecond:06d}".removesuffix("000")
        return str(text)
    raise Failed(f"%s of {kind} is not supported here", "NOT_SUPPORTED")


_PARTS = {
    **{letter: f"%{letter}" for letter in "YmdHMSBbAajyI"},
    "h": "%b",
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "D": "%m/%d/%y",
}


def _moment(value: Any, kind: Type, part: str) -> str:
    if kind.base not in ("date", "timestamp"):
        raise Failed(f"%t{part} of {kind} is not supported here", "NOT_SUPPORTED")
    if part == "e":
        return str(value.day)
    if part not in _PARTS or (kind.base == "date" and part in "HMSTRI"):
        raise Failed(f"%t{part} of {kind} is not supported here", "NOT_SUPPORTED")
    return str(value.strftime(_PARTS[part]))
