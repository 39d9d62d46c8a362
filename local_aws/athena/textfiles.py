"""Tables of CSV and JSON files, as Athena's SerDes read them, and which properties are known here."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from local_aws.athena import literals
from local_aws.athena.json_values import JsonNumber, json_text, read_json
from local_aws.athena.kinds import INTEGERS, Type
from local_aws.athena.query_errors import QueryError
from local_aws.athena.typenames import hive_type

if TYPE_CHECKING:
    from local_aws.athena.catalog_reader import Partition, Table
    from local_aws.athena.scan import ListFiles, ScanLog

LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
OTHER_HIVE_JSON = "org.apache.hadoop.hive.serde2.JsonSerDe"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"

PROPERTIES: dict[str, tuple[str, ...]] = {
    LAZY: (
        "field.delim",
        "escape.delim",
        "collection.delim",
        "mapkey.delim",
        "line.delim",
        "serialization.format",
        "serialization.null.format",
    ),
    OPEN_CSV: ("separatorChar", "quoteChar", "escapeChar", "serialization.format"),
    OPENX_JSON: ("ignore.malformed.json", "case.insensitive", "serialization.format"),
    HIVE_JSON: ("serialization.format",),
    OTHER_HIVE_JSON: ("serialization.format",),
    PARQUET_SERDE: ("serialization.format",),
}
"""The SerDes that are read here, and the properties of each that are known."""

_NULL = "\\N"
_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_MOMENT = re.compile(rf"{_DAY.pattern} (\d{{1,2}}):(\d{{1,2}}):(\d{{1,2}})(\.\d{{1,9}})?", re.ASCII)
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_CUT_NUMBER = re.compile(r"([+-]?\d*)\.\d*", re.ASCII)
_OPEN: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}
_UNREAD = (".snappy", ".lz4", ".zst", ".lzo", ".deflate")
_OPEN_CSV_TYPES = ("varchar", "boolean", "integer", "bigint", "double", "date", "timestamp")


def check_properties(serde: str, properties: dict[str, str], kinds: dict[str, Type]) -> None:
    """Refuse a table whose SerDe, properties or types this stack does not read as Athena does.

    Raises:
        QueryError: It is such.
    """
    if serde not in PROPERTIES:
        raise QueryError(
            "NOT_SUPPORTED", f"The SerDe {serde} is not supported here; it reads {', '.join(PROPERTIES)}"
        )
    for name in properties:
        if name not in PROPERTIES[serde] and not (serde == OPENX_JSON and name.startswith("mapping.")):
            raise QueryError("NOT_SUPPORTED", f"The property {name} of {serde} is not supported here")
    if serde == OPEN_CSV:
        open_csv_signs(properties)
    for name, kind in kinds.items():
        if serde == OPEN_CSV and kind.base not in _OPEN_CSV_TYPES:
            raise QueryError(
                "NOT_SUPPORTED", f"OpenCSVSerde has no type {kind} (column {name}); declare it as string"
            )
        if serde in (LAZY, OPEN_CSV) and kind.base in ("map", "row", "varbinary"):
            raise QueryError(
                "NOT_SUPPORTED", f"A column of type {kind} ({name}) in text files is not supported here"
            )
        if kind.base == "array" and (serde == OPEN_CSV or (serde == LAZY and kind.inner[0].inner)):
            raise QueryError(
                "NOT_SUPPORTED", f"A column of type {kind} ({name}) in text files is not supported here"
            )


def read_text_table(table: Table, partitions: list[Partition], files: ListFiles, log: ScanLog) -> pa.Table:
    """All rows of a table of text files.

    Raises:
        QueryError: It has a format that this stack does not read, or a file is broken.
    """
    from local_aws.athena.scan import PATH, partition_value

    kinds = {column.name: hive_type(column.type) for column in table.columns}
    check_properties(table.serde, table.serde_properties, kinds)
    schema = table.schema().append(pa.field(PATH, pa.string()))
    read = _READERS[table.serde]
    rows: list[dict[str, Any]] = []
    for part in partitions:
        keys = {
            key.name: partition_value(schema.field(key.name), value).as_py()
            for key, value in zip(table.partition_keys, part.values, strict=True)
        }
        for uri, path in files(part.location):
            content = _content(uri, path)
            log.add(part.location, path.stat().st_size, 0)
            rows += [{**row, **keys, PATH: uri} for row in read(content, table, kinds, uri)]
    return pa.Table.from_pylist(rows, schema)


def _content(uri: str, path: Path) -> str:
    data = path.read_bytes()
    suffix = Path(uri).suffix
    if suffix in _UNREAD:
        raise QueryError("NOT_SUPPORTED", f"Files compressed as {suffix} are not supported here: {uri}")
    try:
        return _OPEN.get(suffix, bytes)(data).decode("utf-8")
    except (OSError, ValueError, EOFError) as error:
        raise QueryError("HIVE_BAD_DATA", f"{uri} cannot be read: {error}") from None


def _lines(content: str, table: Table) -> list[str]:
    skipped = table.parameters.get("skip.header.line.count", "0")
    lines = re.split(r"\r\n|\n|\r", content)
    if lines and not lines[-1]:
        lines.pop()
    return lines[int(skipped) if skipped.isdecimal() else 0 :]


def _lazy(content: str, table: Table, kinds: dict[str, Type], _: str) -> Iterator[dict[str, Any]]:
    properties = table.serde_properties
    delimiter = properties.get("field.delim") or properties.get("serialization.format") or "\x01"
    delimiter = "\x01" if delimiter == "1" and "field.delim" not in properties else delimiter
    escape = properties.get("escape.delim", "")
    missing = properties.get("serialization.null.format", _NULL)
    collection = properties.get("collection.delim", "\x02")
    for line in _lines(content, table):
        cells = _split(line, delimiter, escape)
        cells += [missing] * (len(kinds) - len(cells))
        yield {
            name: _lazy_value(cell, kind, missing, escape, collection)
            for (name, kind), cell in zip(kinds.items(), cells, strict=False)
        }


def _split(line: str, delimiter: str, escape: str) -> list[str]:
    if not escape:
        return line.split(delimiter)
    cells, cell, skip = [], "", False
    for sign in line:
        if skip:
            cell, skip = cell + sign, False
        elif sign == escape:
            cell, skip = cell + sign, True
        elif sign == delimiter:
            cells.append(cell)
            cell = ""
        else:
            cell += sign
    return [*cells, cell]


def _unescape(cell: str, escape: str) -> str:
    return re.sub(re.escape(escape) + "(.)", r"\1", cell, flags=re.DOTALL) if escape else cell


def _lazy_value(cell: str, kind: Type, missing: str, escape: str, collection: str) -> Any:
    if cell == missing:
        return None
    if kind.base == "array":
        items = _split(cell, collection, escape) if cell else []
        return [_lazy_value(item, kind.inner[0], missing, escape, "") for item in items]
    text = _unescape(cell, escape)
    cut = _CUT_NUMBER.fullmatch(text) if kind.base in INTEGERS else None
    # Of a number with a point the whole part counts.
    return _value(text if cut is None else f"{cut[1]}0" if cut[1] in ("", "+", "-") else cut[1], kind)


def _value(text: str, kind: Type) -> Any:
    """A cell's value; one that is none of its type is NULL."""
    try:
        return _parsed(text, kind)
    except (ValueError, InvalidOperation):
        return None


def _parsed(text: str, kind: Type) -> Any:
    if kind.base == "varchar":
        return text if kind.length is None else text[: kind.length]
    if kind.base == "char":
        return text
    if kind.base in INTEGERS:
        return _whole(text, kind)
    if kind.base in ("double", "real"):
        return _float(text)
    if kind.base == "decimal":
        precision, scale = kind.numbers
        if not re.fullmatch(_NUMBER, text.strip(), re.ASCII):
            return None
        value = Decimal(text.strip()).quantize(Decimal(1).scaleb(-scale), context=_EXACT)
        return value if abs(value) < Decimal(10) ** (precision - scale) else None
    if kind.base == "boolean":
        return {"true": True, "false": False}.get(text.lower())
    if kind.base == "date":
        found = _DAY.fullmatch(text.strip().partition(" ")[0])
        return _day(*found.groups()) if found else None
    if kind.base == "timestamp":
        return _moment(text.strip())
    raise QueryError("NOT_SUPPORTED", f"A column of type {kind} in text files is not supported here")


def _day(year: str, month: str, day: str) -> dt.date:
    """A date; the 31st of a month with fewer days lies in the next one, as Java counts."""
    first = dt.date(int(year), int(month), 1)
    if not 1 <= int(day) <= 31:
        raise ValueError(day)
    return first + dt.timedelta(days=int(day) - 1)


def _moment(text: str) -> dt.datetime | None:
    found = _MOMENT.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    clock = f"{hour:0>2}:{minute:0>2}:{second:0>2}{fraction or ''}"
    return literals.parse_moment(f"{_day(year, month, day)} {clock}")[0]


def _whole(text: str, kind: Type) -> int | None:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        return None
    value, bits = int(text), _BITS[kind.base]
    return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None


def _float(text: str) -> float | None:
    found = re.fullmatch(rf"\s*([+-]?(?:NaN|Infinity)|{_NUMBER})[fFdD]?\s*", text, re.ASCII)
    return float(found[1]) if found else None


def _open_csv(content: str, table: Table, kinds: dict[str, Type], uri: str) -> Iterator[dict[str, Any]]:
    separator, quote, escape = open_csv_signs(table.serde_properties)
    for line in _lines(content, table):
        cells: list[str | None] = list(_open_csv_cells(line, separator, quote, escape, len(kinds), uri))
        cells += [None] * (len(kinds) - len(cells))
        yield {
            name: None if cell is None else _open_csv_value(cell, name, kind, uri)
            for (name, kind), cell in zip(kinds.items(), cells, strict=False)
        }


def open_csv_signs(properties: dict[str, str]) -> tuple[str, str, str]:
    """The separator, quote and escape sign of OpenCSVSerde.

    Raises:
        QueryError: One is longer than a sign, or two are one.
    """
    found = tuple(
        properties.get(name, usual)
        for name, usual in (("separatorChar", ","), ("quoteChar", '"'), ("escapeChar", "\\"))
    )
    if any(len(sign) != 1 for sign in found) or len(set(found)) < len(found):
        raise QueryError(
            "NOT_SUPPORTED", "separatorChar, quoteChar and escapeChar must be three signs here, one each"
        )
    return found[0], found[1], found[2]


def _open_csv_cells(line: str, separator: str, quote: str, escape: str, count: int, uri: str) -> list[str]:
    """A line's cells by the rules of OpenCSV, a quote in the middle of a cell included."""
    if not line or (quote not in line and escape not in line):
        return line.split(separator)[:count] if line else []
    cells: list[str] = []
    cell, quoted, inside, at = "", False, False, 0
    while at < len(line) and len(cells) < count:
        sign, after = line[at], line[at + 1 : at + 2]
        if sign == separator and not quoted:
            cells.append(cell)
            cell, inside = "", False
        elif sign == escape:
            if (quoted or inside) and after in (quote, escape):
                cell, at = cell + after, at + 1
        elif sign == quote:
            if (quoted or inside) and after == quote:
                cell, at = cell + quote, at + 1
            else:
                if at > 2 and line[at - 1] != separator and after not in ("", separator):
                    cell = "" if cell and cell.isspace() else cell + quote
                quoted = not quoted
            inside = not inside
        else:
            cell, inside = cell + sign, True
        at += 1
    if quoted:
        raise QueryError("NOT_SUPPORTED", f"A line break inside of a quoted field in {uri} is not supported")
    return [*cells, cell][:count]


def _open_csv_value(text: str, name: str, kind: Type, uri: str) -> Any:
    """OpenCSVSerde has texts alone; a date is days, a timestamp milliseconds since 1970."""
    if kind.base == "varchar":
        return text
    try:
        if kind.base == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if kind.base == "double":
            return float(text)
        number = int(text)
        if kind.base == "date":
            return dt.date(1970, 1, 1) + dt.timedelta(days=number)
        if kind.base == "timestamp":
            return dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=number)  # noqa: DTZ001
    except (ValueError, KeyError, OverflowError):
        raise QueryError(
            "HIVE_BAD_DATA", f"Error parsing field value '{text}' for field {name} in {uri}: it is no {kind}"
        ) from None
    return number


def _json(content: str, table: Table, kinds: dict[str, Type], uri: str) -> Iterator[dict[str, Any]]:
    properties = table.serde_properties
    lax = properties.get("ignore.malformed.json", "false").lower() == "true"
    mapped = {
        name.removeprefix("mapping."): key for name, key in properties.items() if name.startswith("mapping.")
    }
    exact = properties.get("case.insensitive", "true").lower() == "false"
    for number, line in enumerate(_lines(content, table), start=1):
        if not line.strip():
            continue
        value = _object(line)
        if value is None:
            if lax:
                yield dict.fromkeys(kinds)
                continue
            raise QueryError("HIVE_CURSOR_ERROR", f"Row {number} of {uri} is not a valid JSON Object")
        members = value if exact else {key.lower(): item for key, item in value.items()}
        found = {}
        for name, kind in kinds.items():
            key = mapped.get(name, name)
            found[name] = _json_value(members.get(key if exact else key.lower()), kind, uri)
        yield found


def _object(line: str) -> dict[str, Any] | None:
    """The object that a line is; None where it is none."""
    try:
        value = read_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _json_value(value: Any, kind: Type, uri: str) -> Any:
    if value is None:
        return None
    if kind.inner:
        if not isinstance(value, list if kind.base == "array" else dict):
            _bad(value, kind, uri)
        return _json_parts(value, kind, uri)
    plain = isinstance(value, str) and not isinstance(value, JsonNumber)
    if kind.base == "varchar":
        return value if plain else json_text(value)
    if kind.base == "boolean" and isinstance(value, bool):
        return value
    found = _value(value, kind) if isinstance(value, str) else None
    return _bad(value, kind, uri) if found is None else found


def _json_parts(value: Any, kind: Type, uri: str) -> Any:
    if kind.base == "array":
        return [_json_value(item, kind.inner[0], uri) for item in value]
    if kind.base == "map":
        pairs = value.items()
        return [(_value(key, kind.inner[0]), _json_value(item, kind.inner[1], uri)) for key, item in pairs]
    low = {key.lower(): item for key, item in value.items()}
    fields = zip(kind.names, kind.inner, strict=True)
    return {str(name): _json_value(low.get(str(name)), part, uri) for name, part in fields}


def _bad(value: Any, kind: Type, uri: str) -> Any:
    raise QueryError(
        "HIVE_BAD_DATA", f"Error parsing field value {json_text(value)} in {uri}: it is no {kind}"
    )


Reader = Callable[[str, "Table", dict[str, Type], str], Iterator[dict[str, Any]]]
_READERS: dict[str, Reader] = {
    LAZY: _lazy,
    OPEN_CSV: _open_csv,
    OPENX_JSON: _json,
    HIVE_JSON: _json,
    OTHER_HIVE_JSON: _json,
}
