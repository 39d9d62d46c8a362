"""What a feed of files should hold now: its landed files, read by other means than the feed's own.

DuckDB reads the JSON, once every number in it has become a text, since it takes numbers for doubles; SQL that
is made from the contract takes the cells. Which files count, in which order, and which of their lines gave no
row stands in the feed's ledger.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Optional

import duckdb
import pyarrow as pa

from catalog.model import NOT_KEPT, Column, Contract, ReadFiles
from catalog.types import FINE_MOMENTS, MOMENTS
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.reconciliation.canonical import literal, quoted
from glue_jobs.reconciliation.lake_rows import Lake
from glue_jobs.reconciliation.python_functions import create_function
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import list_keys

_UNKNOWN = 2**62
"""The order of what no commit names: after all that any does."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.",
    re.DOTALL,
)
_HALF = len("\\ud800")
_PLAIN = "plain_number"


def load_landed_files(
    workspace: duckdb.DuckDBPyConnection, lake: Lake, name: str, contract: Contract, into: str
) -> None:
    """Make the table of what a table of files should hold now, every value as text, and ``_row_version``.

    A row's version is the batch that brought it.

    Args:
        workspace: DuckDB.
        lake: The lake's commits.
        name: The feed's name.
        contract: Its table.
        into: The new table's name, as SQL.

    Raises:
        UserError: A file is gone, was altered, or cannot be read.
    """
    if contract.read is None:
        raise UserError(
            f"{contract.table} does not come from files.", "State in its contract how it is read."
        )
    _make_function(workspace)
    columns = ", ".join(f"{quoted(column.name)} VARCHAR" for column in contract.columns)
    workspace.execute(
        "CREATE OR REPLACE TEMP TABLE landed_rows"
        f" ({columns}, _row_version BIGINT, _position BIGINT, _place BIGINT, _entry BIGINT)"
    )
    for number, entry, body in _bodies(lake, name):
        try:
            _load(workspace, contract, contract.read, number, entry, body)
        except (duckdb.Error, OSError, EOFError, ValueError) as error:  # noqa: PERF203 - of one file
            raise UserError(
                f"landing/{name}/files/{entry['sha256']} cannot be read again ({type(error).__name__}).",
                "Look at it: it is a file that was taken, or somebody put it there.",
            ) from error
    listed = ", ".join(quoted(column.name) for column in contract.columns)
    key = quoted(contract.key[0])
    workspace.execute(f"DROP TABLE IF EXISTS {into}")
    workspace.execute(
        f"CREATE TABLE {into} AS SELECT {listed}, _row_version FROM landed_rows"  # noqa: S608 - quoted
        f" QUALIFY row_number() OVER (PARTITION BY {key}"
        " ORDER BY _position DESC, _place DESC, _entry DESC) = 1"
    )


def _bodies(lake: Lake, name: str) -> Iterator[tuple[int, Mapping[str, object], bytes]]:
    """Every entry of the ledger that gave rows, with the content of its file; what no commit names last."""
    clients = lake.clients
    state = SourceState.of(lake.last_capture).feeds.get(name, FeedState())
    store = KeyStore(clients.s3, clients.ingestion)
    entries = store.table(state.readings).to_pylist() if state.readings is not None else []
    prefix = f"landing/{name}/files/"
    there = {key[len(prefix) :] for key in list_keys(clients.s3, clients.ingestion, prefix)}
    known = {entry["sha256"] for entry in entries if entry["sha256"] is not None}
    for sha256 in sorted(known):
        if sha256 not in there:
            raise UserError(
                f"s3://{clients.ingestion}/{prefix}{sha256} is missing, though a commit names it.",
                "Restore it from the bucket's versions.",
            )
    # Also what gave no row is what was received.
    read = {entry["sha256"] for entry in entries if entry["outcome"] == "read"}
    for sha256 in sorted(known - read):
        _body(lake, prefix, sha256)
    for number, entry in enumerate(entries):
        if entry["outcome"] == "read":
            yield number, entry, _body(lake, prefix, entry["sha256"])
    for sha256 in sorted(there - known):
        unread = {"sha256": sha256, "position": _UNKNOWN, "batch": 0, "after": 0, "upto": None, "bad": []}
        yield _UNKNOWN, {**unread, "source_key": None, "columns": None}, _body(lake, prefix, sha256)


def _body(lake: Lake, prefix: str, sha256: str) -> bytes:
    clients = lake.clients
    body: bytes = clients.s3.get_object(Bucket=clients.ingestion, Key=f"{prefix}{sha256}")["Body"].read()
    if hashlib.sha256(body).hexdigest() != sha256:
        raise UserError(
            f"s3://{clients.ingestion}/{prefix}{sha256} is not what was received.",
            "Restore it from the bucket's versions.",
        )
    return body


def _load(
    workspace: duckdb.DuckDBPyConnection,
    contract: Contract,
    read: ReadFiles,
    number: int,
    entry: Mapping[str, object],
    body: bytes,
) -> None:
    text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    elements = _elements(workspace, text.decode("utf-8-sig"), read)
    workspace.register("elements_now", elements)
    taken = entry["columns"]
    cells = []
    for column in contract.columns:
        if column.name in read.filled:
            what = read.filled[column.name]
            value = {"key": entry["source_key"], "sha256": entry["sha256"]}.get(what)
            sql = "CAST(place AS VARCHAR)" if what == "place" else _constant(value)
        elif isinstance(taken, list) and column.name not in taken:
            sql = "NULL"
        else:
            sql = _cell(column, contract.member_of[column.name].split("."))
        cells.append(f"{sql} AS {quoted(column.name)}")
    bad = entry["bad"]
    left_out = ", ".join(str(place) for place in bad) if isinstance(bad, list) else ""
    upto = f" AND place <= {entry['upto']}" if entry["upto"] is not None else ""
    try:
        workspace.execute(
            "INSERT INTO landed_rows"  # noqa: S608 - made of a contract and of numbers
            f" SELECT {', '.join(cells)}, {entry['batch']}, {entry['position']}, place, {number}"
            " FROM (SELECT place, CAST(text AS JSON) AS element FROM elements_now WHERE json_valid(text)"
            f" AND place > {entry['after']}{upto}{f' AND place NOT IN ({left_out})' if left_out else ''})"
            " WHERE json_type(element) = 'OBJECT'"
        )
    finally:
        workspace.unregister("elements_now")


def _constant(value: object) -> str:
    return "NULL" if value is None else literal(str(value))


def _elements(workspace: duckdb.DuckDBPyConnection, text: str, read: ReadFiles) -> pa.Table:
    """The objects of a document, numbers as text, each with its place."""
    first = text.lstrip(" \t\r\n")[:1]
    found: Iterable[tuple[int, str]]
    if first == "[":
        found = enumerate(_of_array(workspace, _as_texts(text), "$"), start=1)
    else:
        is_long = "\n" in text.strip(" \t\r\n")
        whole = _as_texts(text) if read.rows is not None or is_long else ""
        is_wrapped = read.rows is not None and workspace.execute(
            "SELECT json_valid(whole) AND json_type(whole, path) = 'ARRAY'"
            " FROM (SELECT CAST(? AS VARCHAR) AS whole, CAST(? AS VARCHAR) AS path)",
            [whole if _is_one(workspace, whole) else "null", _path([str(read.rows)])],
        ).fetchone() == (True,)
        if is_wrapped:
            found = enumerate(_of_array(workspace, whole, _path([str(read.rows)])), start=1)
        elif is_long and read.rows is None and _is_one(workspace, whole):
            found = [(1, whole)]
        else:
            lines = text.split("\n")
            found = ((n, _as_texts(line)) for n, line in enumerate(lines, start=1) if line.strip(" \t\r"))
    stated = list(found)
    return pa.table(
        {
            "place": pa.array([place for place, _ in stated], pa.int64()),
            "text": pa.array([one for _, one in stated], pa.string()),
        }
    )


def _is_one(workspace: duckdb.DuckDBPyConnection, text: str) -> bool:
    return workspace.execute("SELECT json_valid(?)", [text]).fetchone() == (True,)


def _of_array(workspace: duckdb.DuckDBPyConnection, text: str, path: str) -> list[str]:
    rows = workspace.execute(
        "SELECT unnest(json_extract(CAST(? AS JSON), ?))::VARCHAR", [text, f"{path}[*]"]
    ).fetchall()
    return [row[0] for row in rows]


def _as_texts(text: str) -> str:
    """A document with its numbers as texts, to the letter, and without half pairs."""
    return _TOKEN.sub(lambda found: _whole(found[0]) if found[0][0] == '"' else f'"{found[0]}"', text)


def _whole(text: str) -> str:
    """A text of JSON with another sign in the place of each half of a pair.

    An element that has one is bad by itself, and DuckDB would refuse its neighbours with it.
    """
    if "\\u" not in text:
        return text
    return _ESCAPE.sub(lambda found: r"\ufffd" if len(found[0]) == _HALF else found[0], text)


def _path(names: list[str]) -> str:
    return "$" + "".join('."{}"'.format(name.replace('"', '\\"')) for name in names)


def _text_of(path: str) -> str:
    """SQL: what stands at a path as text; of what is nested that it is."""
    return (
        f"CASE json_type(element, {path}) WHEN 'OBJECT' THEN 'an object' WHEN 'ARRAY' THEN 'an array'"
        f" ELSE json_extract_string(element, {path}) END"
    )


def _cell(column: Column, names: list[str]) -> str:
    """SQL: the text of a column's cell, as the lake's own value of it is spelled where its type holds it."""
    sql = _held(column, _text_of(literal(_path(names))))
    for length in range(len(names) - 1, 0, -1):
        before = literal(_path(names[:length]))
        # An object is missing on the way, and something else stands there.
        sql = (
            f"CASE WHEN coalesce(json_type(element, {before}), 'NULL') NOT IN ('OBJECT', 'NULL')"
            f" THEN {_text_of(before)} ELSE {sql} END"
        )
    before, after = NOT_KEPT.format(length="\0", limit=column.cell_limit).split("\0")
    return (
        f"(SELECT CASE WHEN strlen(cell) > {column.cell_limit}"  # noqa: S608 - made of a contract
        f" THEN concat({literal(before)}, strlen(cell), {literal(after)}) ELSE cell END"
        f" FROM (SELECT {sql} AS cell))"
    )


def _held(column: Column, text: str) -> str:
    kind = column.type.name
    if kind in ("integer", "bigint"):
        # S608: made of a contract.
        return f"(SELECT CASE t WHEN '-0' THEN '0' ELSE t END FROM (SELECT {text} AS t))"  # noqa: S608
    if kind == "decimal":
        return f"{_PLAIN}([{text}, '{column.type.precision}', '{column.type.scale}'])"
    if kind in MOMENTS:
        return _moment(text, 6 if kind in FINE_MOMENTS else 3)
    if kind == "time":
        is_time = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,3})?"
        return (
            f"(SELECT CASE WHEN regexp_full_match(t, '{is_time}')"  # noqa: S608 - made of a contract
            " THEN CASE WHEN contains(t, '.') THEN rtrim(rtrim(t, '0'), '.') ELSE t END ELSE t END"
            f" FROM (SELECT {text} AS t))"
        )
    return text


def _moment(text: str, digits: int) -> str:
    pattern = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
    # S608: made of a contract.
    return rf"""(SELECT CASE WHEN fits AND year(moved) >= 1 AND moved < TIMESTAMP '9999-12-31 23:59:59.9995'
        THEN CASE WHEN contains(strftime(moved, '%f'), '000000')
            THEN strftime(moved, '%Y-%m-%d %H:%M:%S')
            ELSE rtrim(strftime(moved, '%Y-%m-%d %H:%M:%S.%f'), '0') END
        ELSE t END
    FROM (
        SELECT t, fits, CASE WHEN fits THEN
            try_cast(replace(upper(substr(t, 1, 19)), 'T', ' ') || '.' || rpad(fraction, 6, '0') AS TIMESTAMP)
            - (CASE WHEN zone[1] = '-' THEN -1 ELSE 1 END)
            * to_minutes(CASE WHEN zone IN ('Z', 'z') THEN 0
                ELSE 60 * CAST(zone[2:3] AS INTEGER) + CAST(zone[5:6] AS INTEGER) END)
            END AS moved
        FROM (
            SELECT t, zone, fraction,
                regexp_full_match(t, '{pattern}') AND length(fraction) <= {digits}
                AND try_cast(replace(upper(substr(t, 1, 19)), 'T', ' ') AS TIMESTAMP) IS NOT NULL
                AND substr(t, 18, 2) < '60' AND substr(t, 12, 2) < '24' AS fits
            FROM (
                SELECT t, regexp_extract(t, '([Zz]|[+-]\d{{2}}:\d{{2}})$', 1) AS zone,
                    rtrim(regexp_extract(t, ':\d{{2}}\.(\d+)(?:[Zz]|[+-]\d{{2}}:\d{{2}})$', 1), '0')
                        AS fraction
                FROM (SELECT {text} AS t)
            )
        )
    ))"""  # noqa: S608


def _make_function(workspace: duckdb.DuckDBPyConnection) -> None:
    found = workspace.execute(
        "SELECT count(*) FROM duckdb_functions() WHERE function_name = ?", [_PLAIN]
    ).fetchone()
    if found == (0,):
        create_function(workspace, _PLAIN, _plain_number)


def _plain_number(values: Sequence[Optional[str]]) -> Optional[str]:
    """A number without exponent and zeros at its ends; the text where no decimal of these digits holds it.

    Args:
        values: Its text, and the precision and the scale of the decimal.
    """
    text, precision, scale = values[0], int(values[1] or 0), int(values[2] or 0)
    if text is None:
        return None
    match = re.fullmatch(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)(?=[0-9])0*([0-9]*))?", text)
    if match is None:
        return text
    sign, whole, fraction = match[1], match[2], match[3] or ""
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    # Eleven digits move the point further than any text is long: more of them say nothing else.
    exponent = int(f"{match[4] or ''}{(match[5] or '0')[:11]}")
    # How many of the digits stand before the point.
    point = len(digits) - len(fraction) + exponent
    digits = digits.rstrip("0")
    if point > precision - scale or len(digits) - point > scale:
        return text
    before = digits[: max(point, 0)].ljust(max(point, 0), "0") or "0"
    after = "0" * max(-point, 0) + digits[max(point, 0) :]
    return f"{sign}{before}.{after}" if after else f"{sign}{before}"
