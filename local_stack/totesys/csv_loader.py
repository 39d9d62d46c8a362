"""Filling totesys from ``<table>.csv.gz`` files: a header row, an empty field for NULL, times in UTC."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import psycopg
from psycopg import sql

from local_stack.totesys.database import TABLES, TotesysError, bulk_load

_CHUNK = 1 << 20
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
    if not folder.is_dir():
        raise TotesysError(f"{folder} is no directory; name one that holds <table>.csv.gz files")
    missing = [name for name in map(_file_name, TABLES) if not (folder / name).is_file()]
    if missing:
        raise TotesysError(f"{folder} lacks {', '.join(missing)}; all eleven tables are needed")
    with bulk_load(dsn) as connection:
        return {table: _load_table(connection, table, folder / _file_name(table)) for table in TABLES}


def _file_name(table: str) -> str:
    return f"{table}.csv.gz"


def _load_table(connection: psycopg.Connection, table: str, path: Path) -> int:
    columns = _header(path)
    wanted = [
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [f"public.{table}"],
        )
    ]
    if sorted(columns) != sorted(wanted):
        raise TotesysError(f"{path}, line 1: {_header_difference(columns, wanted)}")
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
            first = io.TextIOWrapper(file, encoding="utf-8", newline="").readline()
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
