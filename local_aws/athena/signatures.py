"""The closed list of functions: what is let through, with which types, and what DuckDB does for it.

The list is ``functions.list``. An entry begins at the left margin with a signature as Trino writes it; below
it, indented, stand the DuckDB form behind ``=``, and its cases, ``expression ==> text``.

In a signature ``T``, ``K`` and other capitals stand for any type (``T:orderable`` for one with an order),
``x``, ``p`` and other small letters for a number inside a type, ``type...`` for any count of arguments, and
``function(T,boolean)`` for a lambda. A result that begins with ``@`` is worked out by one of ``RULES``.

In a DuckDB form ``$0`` is the first argument, ``$*`` all of them, ``$r`` DuckDB's type of the result; of an
aggregate ``$d`` is where DISTINCT stands, ``$o`` where ORDER BY does, ``$f`` where FILTER and OVER do, and
``$n`` where IGNORE NULLS does. ``@name`` is a function of ``semantics``, with ``{types -> type}`` behind it
where its types are not those of the signature; ``!name`` one of ``forms`` that writes the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from local_aws.athena.kinds import (
    INTEGERS,
    UNKNOWN,
    Type,
    coerces,
    common,
    comparable,
    decimal,
    orderable,
    varchar,
)

LIST = Path(__file__).parent / "functions.list"
_HEADER = re.compile(r"(?:(aggregate|window)\s+)?([a-z_0-9]+|\$[a-z_]+)\((.*)\)\s*->\s*(\S.*)")
_PARTS = re.compile(r"[a-zA-Z_0-9@ ]+?(?=[(),:]|\.\.\.|$)|[(),]|:\w+|\.\.\.")


@dataclass(frozen=True)
class Pattern:
    """A type in a signature, with variables in it.

    Attributes:
        name: A type's base, a capital that stands for a type, a small letter for a number, or digits.
        args: The patterns inside.
        needs: ``orderable`` or ``comparable``, where a variable must be.
    """

    name: str
    args: tuple[Pattern, ...] = ()
    needs: str = ""

    @property
    def is_variable(self) -> bool:
        """Whether it stands for any type."""
        return len(self.name) == 1 and self.name.isupper()


@dataclass(frozen=True)
class Case:
    """An expression and the text that Athena gives for it; None is NULL, ``ERROR`` a refusal."""

    expression: str
    text: str | None


@dataclass
class Signature:
    """One entry of the list.

    Attributes:
        kind: ``scalar``, ``aggregate`` or ``window``.
        name: The function's name.
        parameters: The types of its arguments.
        variadic: Whether the last may stand any number of times.
        result: The type of its result, or ``@`` and a rule.
        form: DuckDB's form.
        cases: What it answers.
        area: The heading that it stands under.
        text: The signature as it is written in the list.
    """

    kind: str
    name: str
    parameters: tuple[Pattern, ...]
    variadic: bool
    result: str
    form: str = ""
    cases: list[Case] = field(default_factory=list)
    area: str = ""
    text: str = ""

    def takes(self, count: int) -> bool:
        """Whether it may be called with a number of arguments."""
        if self.variadic:
            return count >= len(self.parameters)
        return count == len(self.parameters)

    def parameter(self, place: int) -> Pattern:
        """What the argument at a place must be."""
        return self.parameters[min(place, len(self.parameters) - 1)]


def read_pattern(text: str) -> Pattern:
    """A type as a signature writes it."""
    pieces = [piece for piece in _PARTS.findall(text) if piece.strip()]
    found, rest = _pattern(pieces)
    if rest:
        raise ValueError(f"not a type: {text}")
    return found


def _pattern(pieces: list[str]) -> tuple[Pattern, list[str]]:
    name, rest = pieces[0].strip(), pieces[1:]
    args: list[Pattern] = []
    if rest and rest[0] == "(":
        rest = rest[1:]
        while True:
            inner, rest = _pattern(rest)
            args.append(inner)
            closing, rest = rest[0], rest[1:]
            if closing == ")":
                break
    needs = ""
    if rest and rest[0].startswith(":"):
        needs, rest = rest[0][1:], rest[1:]
    if name.startswith("timestamp") and rest and rest[0].strip() == "with time zone":
        name, rest = f"{name} with time zone", rest[1:]
    return Pattern(name, tuple(args), needs), rest


def split_types(text: str) -> list[str]:
    """The items of a list of types."""
    items, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            items.append(text[start:place].strip())
            start = place + 1
    last = text[start:].strip()
    return [*items, last] if last else items


@lru_cache(maxsize=1)
def entries() -> tuple[Signature, ...]:
    """Every entry of the list."""
    return tuple(_read(LIST.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[Signature]:
    entry: Signature | None = None
    area = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("##"):
            area = line.strip("# ")
        elif not line.strip() or line.startswith("#"):
            continue
        elif not line.startswith(" "):
            if entry:
                yield entry
            entry = _header(line, area, number)
        elif entry is None:
            raise ValueError(f"functions.list:{number}: {line} stands below no signature")
        elif line.strip().startswith("= "):
            entry.form = line.strip()[2:]
        else:
            expression, arrow, answer = line.strip().partition("==>")
            if not arrow:
                entry.form += " " + line.strip()
                continue
            found = answer.strip()
            entry.cases.append(Case(expression.strip(), None if found == "NULL" else found))
    if entry:
        yield entry


def _header(line: str, area: str, number: int) -> Signature:
    found = _HEADER.fullmatch(line.strip())
    if not found:
        raise ValueError(f"functions.list:{number}: {line} is no signature")
    kind, name, parameters, result = found.groups()
    listed = split_types(parameters)
    variadic = bool(listed) and listed[-1].endswith("...")
    patterns = tuple(read_pattern(item.removesuffix("...")) for item in listed)
    return Signature(kind or "scalar", name, patterns, variadic, result, area=area, text=line.strip())


@lru_cache(maxsize=1)
def by_name() -> dict[str, tuple[Signature, ...]]:
    """The entries of each name, in the order of the list."""
    found: dict[str, tuple[Signature, ...]] = {}
    for entry in entries():
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


# --- matching ----------------------------------------------------------------------------------------------

Bindings = dict[str, Type | int]


def match(pattern: Pattern, given: Type, bound: Bindings, *, coerce: bool) -> bool:
    """Whether a type fits a pattern; what its variables stand for is added to ``bound``."""
    if pattern.is_variable:
        return _match_variable(pattern, given, bound, coerce=coerce)
    if given.base == "unknown":
        # NULL has as many digits as it must.
        return coerce and (pattern.name != "decimal" or match(pattern, decimal(1, 0), bound, coerce=True))
    if given.base != pattern.name:
        return coerce and _match_other(pattern, given, bound)
    if not pattern.args:
        return not given.args or coerce or given.base == "row"
    if len(pattern.args) != len(given.args):
        bound.setdefault(pattern.args[0].name, -1)  # a varchar of any length
        return given.base == "varchar"
    return all(
        _match_number(part, item, bound, coerce=coerce, base=given.base)
        if isinstance(item, int)
        else match(part, item, bound, coerce=coerce)
        for part, item in zip(pattern.args, given.args, strict=True)
    )


def _match_variable(pattern: Pattern, given: Type, bound: Bindings, *, coerce: bool) -> bool:
    known = bound.get(pattern.name)
    shared = given
    if isinstance(known, Type) and known != given:
        found = common(known, given)
        if found is None or not (coerce or UNKNOWN in (known, given)):
            return False
        shared = found
    if pattern.needs == "orderable" and not orderable(shared):
        return False
    if pattern.needs == "comparable" and not comparable(shared):
        return False
    bound[pattern.name] = shared
    return True


def _match_number(part: Pattern, item: int, bound: Bindings, *, coerce: bool, base: str) -> bool:
    if part.name.isdecimal():
        return int(part.name) == item or (coerce and base == "varchar" and int(part.name) >= item)
    known = bound.get(part.name)
    if known is None or not isinstance(known, int):
        bound[part.name] = item
        return True
    if known != item:
        if not coerce and base not in ("varchar", "timestamp", "timestamp with time zone"):
            return False
        bound[part.name] = -1 if -1 in (known, item) else max(known, item)
    return True


def _match_other(pattern: Pattern, given: Type, bound: Bindings) -> bool:
    """Whether a value of another type becomes one of the pattern's by itself."""
    if pattern.name == "decimal" and given.base in INTEGERS:
        digits = decimal(INTEGERS[given.base], 0)
        return match(pattern, digits, bound, coerce=True)
    if pattern.name == "timestamp" and given.base == "date":
        return match(pattern, Type("timestamp", (0,)), bound, coerce=True)
    if pattern.name == "timestamp with time zone" and given.base in ("date", "timestamp"):
        return match(pattern, Type(pattern.name, (given.length or 0,)), bound, coerce=True)
    if pattern.name == "char" and given.base == "varchar":
        return given.length is not None and match(pattern, Type("char", given.args), bound, coerce=True)
    return not pattern.args and coerces(given, Type(pattern.name))


def build(pattern: Pattern, bound: Bindings) -> Type:
    """The type that a pattern is, once its variables are known."""
    if pattern.is_variable:
        found = bound.get(pattern.name, UNKNOWN)
        return found if isinstance(found, Type) else UNKNOWN
    args: list[Type | int] = []
    for part in pattern.args:
        if part.name.isdecimal():
            args.append(int(part.name))
        elif len(part.name) == 1 and part.name.islower():
            number = bound.get(part.name, -1)
            args.append(number if isinstance(number, int) else -1)
        else:
            args.append(build(part, bound))
    if args == [-1]:
        args = [3] if pattern.name.startswith("timestamp") else []
    return Type(pattern.name, tuple(args))


# --- rules of results --------------------------------------------------------------------------------------

_LONGEST_TEXT = 2**31 - 1


def _text_of(types: list[Type], length: Callable[[list[int]], int]) -> Type:
    """A text as long as those of the lengths of the arguments may make it."""
    lengths = [kind.length for kind in types if kind.length is not None]
    most = length(lengths) if len(lengths) == len(types) else _LONGEST_TEXT
    return varchar() if most >= _LONGEST_TEXT else varchar(most)


def _replaced(types: list[Type]) -> Type:
    return _text_of([types[0], types[2]], lambda of: of[0] + of[1] * (of[0] + 1))


def _regexp_replaced(types: list[Type]) -> Type:
    return _text_of([types[0], types[2]], lambda of: of[0] + max(of[0] * of[1] // 2, of[1]) * (of[0] + 1))


def _url_encoded(types: list[Type]) -> Type:
    return _text_of(types, lambda of: of[0] * 12)


def _iso8601(types: list[Type]) -> Type:
    digits = types[0].length or 0
    return varchar(22 + min(digits, 1) + digits)


def _iso8601_zoned(types: list[Type]) -> Type:
    digits = types[0].length or 0
    return varchar(28 + min(digits, 1) + digits)


Rule = Callable[[list[Type]], Type]


def _round_whole(types: list[Type]) -> Type:
    precision, scale = types[0].numbers
    return decimal(min(38, precision - scale + min(1, scale)), 0)


def _round_places(types: list[Type]) -> Type:
    precision, scale = types[0].numbers
    return decimal(min(38, precision + 1), scale)


def _no_fraction(types: list[Type]) -> Type:
    precision, scale = types[0].numbers
    return decimal(max(precision - scale, 1), 0)


def _remainder(types: list[Type]) -> Type:
    (p, s), (q, t) = (decimal_of(kind).numbers for kind in types[:2])
    return decimal(min(q - t, p - s) + max(s, t), max(s, t))


def decimal_of(kind: Type) -> Type:
    """A whole number's type, or a decimal's, as a decimal."""
    return decimal(INTEGERS[kind.base], 0) if kind.base in INTEGERS else kind


def _joined_chars(types: list[Type]) -> Type:
    return Type("char", (sum(kind.length or 0 for kind in types),))


def _joined_rows(types: list[Type]) -> Type:
    return Type("array", (Type("row", tuple(kind.inner[0] for kind in types)),))


RULES: dict[str, Rule] = {
    "round_whole": _round_whole,
    "round_places": _round_places,
    "no_fraction": _no_fraction,
    "remainder": _remainder,
    "zip": _joined_rows,
    "joined_chars": _joined_chars,
    "replaced": _replaced,
    "regexp_replaced": _regexp_replaced,
    "url_encoded": _url_encoded,
    "iso8601": _iso8601,
    "iso8601_zoned": _iso8601_zoned,
}
"""Rules by which the type of a result follows from those of the arguments."""
