"""Filling totesys from ``<table>.csv.gz`` files: a header row, an empty field for NULL, times in UTC.

A time may state its offset, and is then turned into UTC. What a column would store as something else than the
file says, digits that it has no room for, is refused.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from totesys.database import TABLES, TotesysError, bulk_load

_CHUNK = 1 << 20
_MARK = b"\xef\xbb\xbf"  # which some programs put before UTF-8
_TIMESTAMP = re.compile(r"timestamp\((?P<digits>\d)\) without time zone")
_NUMERIC = re.compile(r"numeric\((?P<precision>\d+),(?P<scale>\d+)\)")
_WHERE = re.compile(r"COPY \S+, line (?P<line>\d+)(?:, column (?P<column>\w+))?")


def load(dsn: str, directory: Path | str) -> dict[str, int]:
    """Load all eleven tables from a directory, or none of them.

    Args:
        dsn: The database with empty totesys tables, as their owner.
        directory: Holds ``<table>.csv.gz`` for every table.

    Returns:
        The number of rows loaded, by table.

    Raises:
        TotesysError: A file is missing, damaged, has another header or a row that the table refuses; the
            message names file, line and column and leaves the row's content out.
    """
    folder = Path(directory)
    check(folder)
    with bulk_load(dsn) as connection:
        return {table: _load_table(connection, table, folder / _file_name(table)) for table in TABLES}


def check(directory: Path | str) -> None:
    """Refuse what is known to be no such directory before there is a database to load it into.

    Args:
        directory: Should hold ``<table>.csv.gz`` for every table.

    Raises:
        TotesysError: A file is missing, or is not what gzip made.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise TotesysError(f"{folder} is no directory; name one that holds <table>.csv.gz files")
    missing = [name for name in map(_file_name, TABLES) if not (folder / name).is_file()]
    if missing:
        raise TotesysError(f"{folder} lacks {', '.join(missing)}; all eleven tables are needed")
    for table in TABLES:
        _header(folder / _file_name(table))


def _file_name(table: str) -> str:
    return f"{table}.csv.gz"


def _load_table(connection: psycopg.Connection, table: str, path: Path) -> int:
    columns = _header(path)
    described = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid) FROM pg_attribute"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [f"public.{table}"],
    ).fetchall()
    wanted = [name for name, *_ in described]
    if sorted(columns) != sorted(wanted):
        raise TotesysError(f"{path}, line 1: {_header_difference(columns, wanted)}")
    exact = [found for found in (_Exact.of(*column) for column in described) if found is not None]
    _alter(connection, table, [column.widen for column in exact])
    rows = _copy(connection, table, path, columns)
    for column in exact:
        _refuse_loss(connection, table, path, column)
    _alter(connection, table, [column.narrow for column in exact])
    return rows


@dataclass(frozen=True)
class _Exact:
    """A column to which PostgreSQL would round a value, or of whose values it would drop the offset.

    Attributes:
        name: Its name.
        widen: The action of ALTER TABLE after which it holds whatever the file says.
        fits: The condition on a value under which nothing is lost by what follows.
        narrow: The action that makes it what it was.
    """

    name: str
    widen: str
    fits: str
    narrow: str

    @classmethod
    def of(cls, name: str, declared: str, default: str | None) -> _Exact | None:
        """What is to be done to a column; nothing where it loses nothing."""
        column = sql.Identifier(name).as_string()
        timestamp, numeric = _TIMESTAMP.fullmatch(declared), _NUMERIC.fullmatch(declared)
        if timestamp:
            # With an offset a time is a moment; without one it is UTC, as the session's zone is.
            widened, using = "timestamptz", f" USING {column} AT TIME ZONE 'UTC'"
            fits = f"{column}::timestamptz({timestamp['digits']}) = {column}"
        elif numeric:
            whole = int(numeric["precision"]) - int(numeric["scale"])
            widened, using = "numeric", ""
            fits = f"round({column}, {numeric['scale']}) = {column} AND abs({column}) < 10::numeric ^ {whole}"
        else:
            return None
        # A default would be cast there and back.
        set_default = "" if default is None else f", ALTER COLUMN {column} SET DEFAULT {default}"
        return cls(
            name,
            f"ALTER COLUMN {column} DROP DEFAULT, ALTER COLUMN {column} TYPE {widened}{using}",
            fits,
            f"ALTER COLUMN {column} TYPE {declared}{using}{set_default}",
        )


def _alter(connection: psycopg.Connection, table: str, actions: list[str]) -> None:
    if actions:
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute(f"ALTER TABLE public.{table} {', '.join(actions)}".encode())


def _refuse_loss(connection: psycopg.Connection, table: str, path: Path, column: _Exact) -> None:
    """Refuse a file with a value that the column would store as another."""
    name = sql.Identifier(column.name).as_string()
    lost = connection.execute(
        f"SELECT row FROM (SELECT row_number() OVER (ORDER BY ctid) AS row, {name} FROM public.{table})"  # noqa: S608
        f" AS loaded WHERE NOT ({column.fits}) LIMIT 1".encode()
    ).fetchone()
    if lost is not None:
        place = f"{path}, row {lost[0]} below the header, column {column.name}"
        raise TotesysError(f"{place}: has more digits than the column holds")


def _copy(connection: psycopg.Connection, table: str, path: Path, columns: list[str]) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER true)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    cursor = connection.cursor()
    try:
        with gzip.open(path, "rb") as file, cursor.copy(statement) as copy:
            while block := file.read(_CHUNK):
                copy.write(block)
    except (OSError, EOFError, zlib.error) as error:
        raise TotesysError(f"{path} is damaged, gzip says: {error}; fetch it again") from error
    except psycopg.Error as error:
        raise TotesysError(f"{path}{_where(error)}: {_reason(error)}") from error
    return cursor.rowcount


def _header(path: Path) -> list[str]:
    try:
        with gzip.open(path, "rb") as file:
            # Only this line: where another is wrong, the table's own complaint names it.
            first = file.readline().removeprefix(_MARK).decode()
    except UnicodeDecodeError as error:
        raise TotesysError(f"{path}, line 1: the header is not UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TotesysError(f"{path} is damaged, gzip says: {error}; fetch it again") from error
    return next(csv.reader([first]), [])


def _header_difference(found: list[str], wanted: list[str]) -> str:
    lacking = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    twice = sorted({name for name in found if found.count(name) > 1})
    parts = [
        f"{words} {', '.join(names)}"
        for words, names in (("lacks", lacking), ("has the unknown", unknown), ("repeats", twice))
        if names
    ]
    return f"the header {' and '.join(parts)}; it must name {', '.join(wanted)}"


def _where(error: psycopg.Error) -> str:
    match = _WHERE.search(error.diag.context or "")
    if match is None:
        return ""
    return f", line {match['line']}" + (f", column {match['column']}" if match["column"] else "")


def _reason(error: psycopg.Error) -> str:
    # PostgreSQL ends such messages with the offending value, which is a row's content.
    return (error.diag.message_primary or type(error).__name__).split(': "')[0]
