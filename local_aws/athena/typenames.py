"""Reading the names of types: Trino's in casts and signatures, Hive's in the catalogue and in DDL."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from local_aws.athena.kinds import ZONED, Type
from local_aws.athena.query_errors import AthenaError, QueryError, position

if TYPE_CHECKING:
    from local_aws.athena.syntax import Parser

_PLAIN = frozenset(
    [
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double",
        "varbinary",
        "json",
        "date",
        "uuid",
        "unknown",
    ]
)
_ALIASES = {"int": "integer", "dec": "decimal", "numeric": "decimal"}
_ELSEWHERE = frozenset(["hyperloglog", "p4hyperloglog", "qdigest", "tdigest", "ipaddress"])
# The longest text that a Hive type of texts may hold.
_LENGTHS = {"varchar": 65_535, "char": 255}
_HIVE = {
    "int": "integer",
    "string": "varchar",
    "float": "real",
    "binary": "varbinary",
    "timestamp": "timestamp",
}
_PRECISIONS = 12


def trino_type(parser: Parser) -> Type:
    """The type whose name is next.

    Raises:
        QueryError: There is no such type, or none here.
    """
    at = position(parser.sql, parser.token.start)
    if parser.token.upper == "INTERVAL":
        return _interval(parser)
    name = parser.identifier() if parser.token.upper != "ROW" else parser.take().text.lower()
    if name == "double":
        parser.accept("PRECISION")
    name = _ALIASES.get(name, name)
    if name in _PLAIN:
        return Type(name)
    read = _READERS.get(name)
    if read is not None:
        return read(parser, name, at)
    if name in _ELSEWHERE:
        raise QueryError("NOT_SUPPORTED", f"The type {name} is Athena's, but not supported here", at)
    raise QueryError("TYPE_NOT_FOUND", f"Unknown type: {name}", at)


def _interval(parser: Parser) -> Type:
    parser.expect("INTERVAL")
    if parser.accept("DAY", "TO", "SECOND"):
        return Type("interval day to second")
    parser.expect("YEAR", "TO", "MONTH")
    return Type("interval year to month")


def _numbers(parser: Parser, most: int) -> list[int]:
    if not parser.sees("("):
        return []
    found = parser.enclosed(lambda: int(parser._integer()))  # noqa: SLF001  # one grammar in two modules
    if len(found) > most:
        parser.fail()
    return found


def _decimal(digits: list[int], at: tuple[int, int]) -> Type:
    precision, scale = (digits + [38, 0][len(digits) :])[:2]
    if not (1 <= precision <= 38 and scale <= precision):
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT",
            f"DECIMAL precision must be in range [1, 38] and scale at most it: decimal({precision},{scale})",
            at,
        )
    return Type("decimal", (precision, scale))


def _moment(parser: Parser, name: str, at: tuple[int, int]) -> Type:
    found = _numbers(parser, 1)
    precision = found[0] if found else 3
    if precision > _PRECISIONS:
        raise QueryError(
            "NUMERIC_VALUE_OUT_OF_RANGE", f"{name.upper()} precision must be in range [0, 12]", at
        )
    if parser.accept("WITH", "TIME", "ZONE"):
        if name == "time":
            raise QueryError("NOT_SUPPORTED", "The type time with time zone is not supported here", at)
        return Type(ZONED, (precision,))
    parser.accept("WITHOUT", "TIME", "ZONE")
    return Type(name, (precision,))


def _collection(parser: Parser, name: str, _: tuple[int, int]) -> Type:
    close = ">" if parser.sees("<") else ")"
    parser.expect("<" if close == ">" else "(")
    inner = parser.listed(parser.type)
    parser.expect(close)
    if len(inner) != (1 if name == "array" else 2):
        parser.fail()
    return Type(name, tuple(inner))


def _text(parser: Parser, name: str, _: tuple[int, int]) -> Type:
    length = _numbers(parser, 1) or ([1] if name == "char" else [])
    return Type(name, tuple(length))


def _row(parser: Parser, _: str, __: tuple[int, int]) -> Type:
    def field() -> tuple[str | None, Type]:
        following = parser.ahead()
        named = parser.token.kind == "quoted" or following.kind in ("word", "quoted")
        if parser.sees("DOUBLE", "TIMESTAMP", "TIME", "INTERVAL") and following.upper in (
            "PRECISION",
            "WITH",
            "WITHOUT",
            "DAY",
            "YEAR",
        ):
            named = False
        # A name in quotes keeps its capitals, though none tells two fields apart.
        read = parser.written_identifier if parser.token.kind == "quoted" else parser.identifier
        return (read() if named else None), parser.type()

    found = parser.enclosed(field)
    names = tuple(name for name, _ in found)
    return Type("row", tuple(kind for _, kind in found), names if any(names) else ())


_READERS: dict[str, Callable[[Parser, str, tuple[int, int]], Type]] = {
    "array": _collection,
    "map": _collection,
    "row": _row,
    "varchar": _text,
    "char": _text,
    "decimal": lambda parser, _, at: _decimal(_numbers(parser, 2), at),
    "time": _moment,
    "timestamp": _moment,
}


@lru_cache(maxsize=2000)
def hive_type(declared: str) -> Type:
    """The type of a column that the catalogue declares.

    Args:
        declared: A Hive type, for example ``decimal(10,2)`` or ``array<struct<a:int>>``.

    Raises:
        QueryError: Athena reads no such type from tables (``time``, ``uuid``), or it is no type at all.
    """
    from local_aws.athena.syntax import Parser

    try:
        parser = Parser(declared)
        found = read_hive_type(parser)
        parser.end()
    except AthenaError:
        raise QueryError("HIVE_INVALID_METADATA", f"Unknown type in the catalogue: {declared}") from None
    except QueryError:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {declared}") from None
    return found


def _hive_length(name: str, length: int, at: tuple[int, int] | None = None, least: int = 1) -> int:
    if not least <= length <= _LENGTHS[name]:
        kind = f"{name}({length})"
        message = f"Unsupported Hive type: {kind}: its length must be in range [1, {_LENGTHS[name]}]"
        raise QueryError("NOT_SUPPORTED", message, at)
    return length


def read_hive_type(parser: Parser) -> Type:
    """The Hive type whose name is next.

    Raises:
        QueryError: Athena has none of that name in tables.
    """
    at = position(parser.sql, parser.token.start)
    name = parser.identifier(hive=True)
    if name in _HIVE:
        kind = _HIVE[name]
        return Type(kind, (3,) if kind == "timestamp" else ())
    if name in ("boolean", "tinyint", "smallint", "bigint", "double", "date"):
        return Type(name)
    if name in _LENGTHS:
        length = _numbers(parser, 1) or parser.fail()
        return Type(name, (_hive_length(name, length[0], at),))
    if name == "decimal":
        digits = _numbers(parser, 2)
        return _decimal(digits or [10, 0], at)
    if name in ("array", "map"):
        parser.expect("<")
        inner = parser.listed(lambda: read_hive_type(parser))
        if len(inner) != (1 if name == "array" else 2):
            parser.fail()
        parser.expect(">")
        if name == "map" and inner[0].inner:
            raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: map<{hive_name(inner[0])},…>", at)
        return Type(name, tuple(inner))
    if name == "struct":
        parser.expect("<")

        def field() -> tuple[str, Type]:
            label = parser.identifier(hive=True)
            parser.expect(":")
            return label, read_hive_type(parser)

        found = parser.listed(field)
        parser.expect(">")
        return Type("row", tuple(kind for _, kind in found), tuple(label for label, _ in found))
    raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {name}", at)


def hive_name(kind: Type) -> str:
    """Hive's spelling of a type, as the catalogue stores it.

    Raises:
        QueryError: Hive has no such type: a time of day, a moment with a zone, an interval.
    """
    base = kind.base
    plain = {"integer": "int", "real": "float", "varbinary": "binary", "timestamp": "timestamp"}
    if base in plain:
        return plain[base]
    if base in ("boolean", "tinyint", "smallint", "bigint", "double", "date"):
        return base
    if base == "varchar":
        return "string" if kind.length is None else f"varchar({_hive_length(base, kind.length, least=0)})"
    if base == "char":
        return f"char({_hive_length(base, kind.length or 1)})"
    if base == "decimal":
        return str(kind)
    if base == "array":
        return f"array<{hive_name(kind.inner[0])}>"
    if base == "map":
        return f"map<{hive_name(kind.inner[0])},{hive_name(kind.inner[1])}>"
    if base == "row":
        names = [name or f"field{place}" for place, name in enumerate(kind.names or [None] * len(kind.args))]
        fields = zip(names, kind.inner, strict=True)
        return "struct<" + ",".join(f"{name}:{hive_name(item)}" for name, item in fields) + ">"
    raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
