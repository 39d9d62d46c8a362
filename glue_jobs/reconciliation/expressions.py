"""What a contract's expression gives, worked out by Python from the source's own texts.

The star is built by engines that run compiled SQL. Here the same expression is evaluated by other means, so
that a mistake of the compiler, of the library's bodies or of an engine shows as a difference. Days and times
are the texts that PostgreSQL spells, which have the order of time; numbers are exact; ``None`` is no value.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Optional

import pycountry

from catalog import sql_parser as sql
from catalog.model import Column
from catalog.regex import portable

_EXACT = Context(prec=100)
"""Digits enough for every result that an expression may have."""


def evaluate(text: str, columns: Mapping[str, Column], values: Mapping[str, Optional[str]]) -> Optional[str]:
    """The value of an expression, spelled as PostgreSQL spells it.

    Args:
        text: The expression.
        columns: What it may name, ``name`` or ``table.name``.
        values: By name, PostgreSQL's own text of the value.
    """
    given = {name: _read(columns[name], value) for name, value in values.items()}
    return _spelled(_value(sql.parse(text), given))


def _read(column: Column, text: Optional[str]) -> Any:
    kind = column.type.name
    if text is None or kind not in ("integer", "bigint", "decimal", "boolean"):
        return text
    return text == "true" if kind == "boolean" else Decimal(text)


def _spelled(value: Any) -> Optional[str]:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, Decimal)):
        # Adding nothing takes the sign off a zero.
        text = f"{_EXACT.add(value, Decimal(0)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value if value is None else str(value)


def _value(node: sql.Node, given: Mapping[str, Any]) -> Any:
    if isinstance(node, sql.Name):
        return given[node.name]
    if isinstance(node, sql.Literal):
        return _literal(node)
    if isinstance(node, sql.Case):
        chosen = (value for condition, value in node.branches if _value(condition, given))
        branch = next(chosen, node.otherwise)
        return None if branch is None else _value(branch, given)
    if isinstance(node, sql.Binary) and node.operator in ("AND", "OR"):
        return _logic(node.operator, _value(node.left, given), _value(node.right, given))
    if isinstance(node, sql.Call):
        return _call(node, [_value(argument, given) for argument in node.arguments])
    return _operation(node, given)


def _operation(node: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(node, sql.Binary):
        return _binary(node.operator, _value(node.left, given), _value(node.right, given))
    operand = _value(node.operand, given)
    if isinstance(node, sql.IsNull):
        return (operand is None) != node.negated
    if isinstance(node, sql.Unary):
        if operand is None:
            return None
        return not operand if node.operator == "NOT" else -operand
    if isinstance(node, sql.Cast):
        return _cast(operand, node.type)
    if isinstance(node, sql.Between):
        low, high = _value(node.low, given), _value(node.high, given)
        found = _logic("AND", _binary(">=", operand, low), _binary("<=", operand, high))
    else:
        found = False
        for value in node.values:
            found = _logic("OR", found, _binary("=", operand, _value(value, given)))
    return found if found is None else found != node.negated


def _literal(node: sql.Literal) -> Any:
    if node.kind == "null":
        return None
    if node.kind == "number":
        return Decimal(node.text)
    if node.kind == "timestamp" and "." in node.text:
        return node.text.rstrip("0").rstrip(".")
    return node.text == "TRUE" if node.kind == "boolean" else node.text


def _logic(operator: str, left: Any, right: Any) -> Any:
    decides = operator == "OR"
    if left is decides or right is decides:
        return decides
    return None if left is None or right is None else not decides


def _binary(operator: str, left: Any, right: Any) -> Any:
    if operator.startswith("IS"):
        return (left == right) != (operator == "IS DISTINCT FROM")
    return None if left is None or right is None else _BINARY[operator](left, right)


def _cast(value: Any, wanted: str) -> Any:
    if value is None or wanted.upper() not in ("STRING", "TEXT", "VARCHAR", "DATE"):
        return value
    if wanted.upper() == "DATE":
        return value.partition(" ")[0]
    return _spelled(value)


def _call(node: sql.Call, values: list[Any]) -> Any:
    if node.name == "coalesce":
        return next((value for value in values if value is not None), None)
    if node.name == "nullif":
        return None if values[0] == values[1] else values[0]
    return None if None in values else FUNCTIONS[node.name](*values)


def _iso_date(text: str) -> Optional[str]:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    year, month, day = (int(part) for part in text.split("-"))
    # The year 0 is a leap year as 400 is, which Python knows.
    valid = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 400, month)[1]
    return text if valid else None


def _day(text: str) -> dt.date:
    """A day of the same place in the week; 400 years are whole weeks."""
    return dt.date.fromisoformat(text if text > "0001" else f"0400{text[4:]}")


def _time(moment: str) -> str:
    whole, _, fraction = moment.partition(" ")[2].partition(".")
    return f"{whole}.{fraction[:3]:0<3}"


def _micros(moment: str) -> str:
    whole, _, fraction = moment.partition(".")
    return f"{whole}.{fraction:0<6}"


def _currency_name(code: str) -> str:
    found = pycountry.currencies.get(alpha_3=code) if code.isupper() else None
    return str(found.name) if found is not None else f"Unknown ({code})"


def _cross_rate(ours: Any, theirs: Any) -> Optional[Decimal]:
    one, other = Decimal(ours), Decimal(theirs)
    if one <= 0 or other <= 0 or one > 999_999 * other:
        return None
    rate = _EXACT.divide(one, other)
    # A hundred digits tell a half of the last place from whatever is less or more.
    return rate.quantize(Decimal("1e-12"), ROUND_HALF_UP, _EXACT) or None


def _regex(pattern: str) -> str:
    r"""A pattern as Python reads it, whose ``\z`` is ``\Z``."""
    return re.sub(r"\\(.)", lambda match: r"\Z" if match[1] == "z" else match[0], portable(pattern))


_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "||": lambda left, right: left + right,
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "iso_date": _iso_date,
    "date_of": lambda moment: moment.partition(" ")[0],
    "time_of": _time,
    "month_of": lambda moment: moment.partition(" ")[0].rpartition("-")[0],
    "day_of": lambda moment: moment.partition(" ")[0],
    "block_of": lambda number: int(number) // 4096,
    "text_block": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).digest()[0],
    "micros_of": _micros,
    "year_of": lambda day: int(day[:4]),
    "quarter_of": lambda day: (int(day[5:7]) + 2) // 3,
    "month_number": lambda day: int(day[5:7]),
    "day_number": lambda day: int(day[8:10]),
    "iso_weekday": lambda day: _day(day).isoweekday(),
    "day_name": lambda day: calendar.day_name[_day(day).weekday()],
    "month_name": lambda day: calendar.month_name[int(day[5:7])],
    "currency_name": _currency_name,
    "length_of": len,
    "matches": lambda text, pattern: re.fullmatch(_regex(pattern), text) is not None,
    "finds": lambda text, pattern: re.search(_regex(pattern), text) is not None,
    "cross_rate": _cross_rate,
}
"""What each function of the library gives, as :mod:`catalog.functions` describes it."""
