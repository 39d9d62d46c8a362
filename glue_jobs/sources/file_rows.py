"""Objects of files as rows of a raw table: by its contract, exactly or not at all.

A cell that its column cannot hold becomes null, and what the file has is kept beside it, as the capture does
with cells of the database. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import cached_property
from typing import Any, Optional

from catalog.model import NOT_KEPT, Column, Contract, ReadFiles
from catalog.types import FINE_MOMENTS, MOMENTS
from glue_jobs.sources.json_documents import Number

_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?:[eE][+-]?(?=[0-9])0*([0-9]*))?")
_EXPONENT_DIGITS = 9
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,3}))?")
_BITS = {"integer": 31, "bigint": 63}

END_MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999_500)  # noqa: DTZ001 - the lake's times have no zone
"""The first moment that not every reader of the lake can hold."""

AN_OBJECT, AN_ARRAY = "an object", "an array"
"""What is kept of a nested value that stands in the place of a cell; all of it is in the file."""


class NoRow(Exception):  # noqa: N818 - named for what was found
    """An object that gives no row; says why, in words that quote nothing of it."""


@dataclass(frozen=True)
class Cell:
    """A cell of a row.

    Attributes:
        value: Its value in the column's type; nothing where there is none, or where the type cannot hold it.
        odd: What the file has where the type cannot hold it.
    """

    value: Any = None
    odd: Optional[str] = None


@dataclass(frozen=True)
class FileRow:
    """A row that an object gives.

    Attributes:
        key: Its key.
        values: By column, its values, those that are filled left out.
        odd: By column, what its type cannot hold.
    """

    key: int
    values: Mapping[str, Any]
    odd: Mapping[str, str]


class RowReader:
    """Makes rows of the objects of a feed's files.

    Args:
        contract: The raw table.
    """

    def __init__(self, contract: Contract) -> None:
        if contract.read is None:
            raise ValueError(f"{contract.table} does not come from files")
        self.contract = contract
        self.read: ReadFiles = contract.read
        self._taken = {name: path.split(".") for name, path in contract.member_of.items()}
        self._columns = {column.name: column for column in contract.columns}

    @property
    def columns(self) -> list[str]:
        """The columns that are taken from members."""
        return list(self._taken)

    def row(self, members: Mapping[str, Any]) -> FileRow:
        """The row of an object.

        Raises:
            NoRow: It has no key.
        """
        cells = {name: cell(self._columns[name], found(members, path)) for name, path in self._taken.items()}
        (key,) = self.contract.key
        if cells[key].value is None:
            raise NoRow(f"its {key}, by which it is known, is missing or is no {self._columns[key].type}")
        odd = {name: one.odd for name, one in cells.items() if one.odd is not None}
        return FileRow(cells[key].value, {name: one.value for name, one in cells.items()}, odd)

    def unknown(self, members: Mapping[str, Any]) -> set[str]:
        """The members that the contract does not know, by their paths."""
        return set(self._unknown(members, self._known, ""))

    @cached_property
    def _known(self) -> dict[str, Any]:
        """The members that are known, nested as they are; of a leaf nothing is asked any more."""
        known: dict[str, Any] = {}
        for path in [*self._taken.values(), *(path.split(".") for path in self.read.ignored)]:
            place = known
            for name in path[:-1]:
                place = place.setdefault(name, {})
            place[path[-1]] = None
        return known

    def _unknown(self, members: Mapping[str, Any], known: Mapping[str, Any], before: str) -> list[str]:
        unknown = []
        for name, value in members.items():
            if name not in known:
                unknown.append(f"{before}{name}")
            elif known[name] is not None and isinstance(value, dict):
                unknown += self._unknown(value, known[name], f"{before}{name}.")
        return unknown


class Misplaced(str):
    """What stands where an object was to hold the value."""

    __slots__ = ()


def found(members: Mapping[str, Any], path: list[str]) -> Any:
    """The value at a path; nothing where there is none."""
    value: Any = members
    for name in path:
        if not isinstance(value, dict):
            return Misplaced(_as_text(value))
        value = value.get(name)
        if value is None:
            return None
    return value


def _as_text(value: Any) -> str:
    """What is kept of a value that is no cell's."""
    if isinstance(value, (dict, list)):
        return AN_OBJECT if isinstance(value, dict) else AN_ARRAY
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def cell(column: Column, value: Any) -> Cell:
    """A value of a document as a column holds it.

    Args:
        column: The column.
        value: A value of JSON, numbers as their text.
    """
    if value is None:
        return Cell()
    if isinstance(value, bool) and column.type.name == "boolean":
        return Cell(value)
    text = _as_text(value)
    is_cell = isinstance(value, str) and not isinstance(value, Misplaced)
    if is_cell and not (isinstance(value, Number) and column.type.name == "text"):
        cast = _CASTS.get("instant" if column.type.name in MOMENTS else column.type.name)
        held = None if cast is None else cast(column, text)
        if held is not None:
            return Cell(held)
    length = len(text.encode())
    if length > column.cell_limit:
        return Cell(odd=NOT_KEPT.format(length=length, limit=column.cell_limit))
    return Cell(odd=text)


def _text(column: Column, value: str) -> Optional[str]:
    return str(value) if len(value.encode()) <= column.cell_limit else None


def _whole(column: Column, value: str) -> Optional[int]:
    if not _WHOLE.fullmatch(value) or len(value) > 20:
        return None
    number = int(value)
    limit: int = 1 << _BITS[column.type.name]
    return number if -limit <= number < limit else None


def _decimal(column: Column, value: str) -> Optional[Decimal]:
    match = _NUMBER.fullmatch(value)
    if match is None:
        return None
    mantissa, power = match.groups()
    if not mantissa.strip("-0."):
        return Decimal(0)
    # Python's own numbers end there with an error, far beyond what a column holds.
    if len(power or "") > _EXPONENT_DIGITS:
        return None
    precision, scale = column.type.precision or 0, column.type.scale or 0
    exact = Context(prec=len(value), Emin=MIN_EMIN, Emax=MAX_EMAX)
    number = Decimal(value).normalize(exact)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() >= precision - scale:
        return None
    return number if -exponent <= scale else None


def _date(_: Column, value: str) -> Optional[date]:
    try:
        return date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        return None


def _instant(column: Column, value: str) -> Optional[datetime]:
    """A moment of RFC 3339 in UTC, without zone; one whose zone is not stated is none."""
    match = _INSTANT.fullmatch(value)
    if match is None:
        return None
    moment, fraction, sign, hours, minutes = match.groups()
    digits = (fraction or "").rstrip("0")
    if len(digits) > (6 if column.type.name in FINE_MOMENTS else 3):
        return None
    if sign and (int(hours) > 23 or int(minutes) > 59):
        return None
    away = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = datetime.fromisoformat(moment.upper()) + timedelta(microseconds=int(digits.ljust(6, "0")))
        found = local - away if sign != "-" else local + away
    except (ValueError, OverflowError):
        return None
    # Athena would round a later one up to a day that not every reader can hold.
    return found if found < END_MOMENT else None


def _time(_: Column, value: str) -> Optional[str]:
    match = _TIME.fullmatch(value)
    return None if match is None else f"{value[:8]}.{(match[1] or '').ljust(3, '0')}"


_CASTS: Mapping[str, Callable[[Column, str], Optional[object]]] = {
    "text": _text,
    "integer": _whole,
    "bigint": _whole,
    "decimal": _decimal,
    "date": _date,
    "instant": _instant,
    "time": _time,
}
"""By type, the value that a text or a number stands for; nothing where the type cannot hold it."""
