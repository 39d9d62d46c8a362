"""Questions about the past: the tables of a query as they were after a batch.

Every table that the query names becomes a common table expression of the same name, which shadows it. A fact
and a raw table keep every version, so each is what it was. A dimension keeps the newest version of a row:
where a row has changed since, nobody knows what it was, and the question is refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.star_views import athena_views
from glue_jobs.lake.commits import CommitLog
from glue_jobs.lake.layout import from_iso
from glue_jobs.runtime.errors import UserError

_COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_BEGIN = re.compile(rf"{_COMMENTS}(WITH)\b", re.IGNORECASE | re.DOTALL)


def batch_at(log: CommitLog, moment: dt.datetime) -> int:
    """The last batch whose snapshot was taken at a moment or before it.

    Args:
        log: The commits of captures.
        moment: The moment, UTC.

    Raises:
        UserError: Nothing had been captured then.
    """
    batch = last_batch_by(log, moment)
    if not batch:
        raise UserError(f"Nothing had been captured at {moment:%Y-%m-%d %H:%M:%S} UTC.", "Name a later time.")
    return batch


def last_batch_by(log: CommitLog, moment: dt.datetime) -> int:
    """The last batch whose snapshot was taken at a moment or before it; 0 where nothing had been captured.

    Args:
        log: The commits of captures.
        moment: The moment, UTC.
    """
    low, high, batch = 1, log.latest_sequence(), 0
    while low <= high:
        middle = (low + high) // 2
        commit = log.get(middle)
        if commit is not None and from_iso(str(commit.captured_at)) <= moment:
            low, batch = middle + 1, commit.last_batch
        else:
            high = middle - 1
    return batch


def as_of(
    catalogue: Catalogue, database: str, sql: str, batch: int, changed_since: Callable[[Contract], int]
) -> str:
    """A query whose tables are what they were after a batch.

    Args:
        catalogue: The contracts, as the asking role finds them.
        database: Where its tables are.
        sql: The query, which names tables without their database.
        batch: The batch.
        changed_since: How many rows of a dimension are of later batches.

    Raises:
        UserError: It names other tables, a table with its database, or a dimension whose rows have changed.
    """
    found = re.search(r"\b(\w+)\s*\.\s*\w+", _without_texts(sql))
    databases = {zone.database for zone in catalogue.zones.values()}
    if found and found[1] in databases:
        remedy = "Leave the database out, and name it with --database."
        raise UserError(f"A question about the past cannot name {found[0]}.", remedy)
    tables = {
        contract.table: contract
        for contract in (*catalogue.star.values(), *catalogue.raw.values())
        if contract.zone_info.database == database
    }
    views = {
        view.name: view.sql for contract in tables.values() for view in athena_views(contract, bare=True)
    }
    steps: dict[str, str] = {}
    for name in _needed(tables, views, sql):
        if name in tables:
            if tables[name].kind == "dimension":
                _refuse_changed(tables[name], batch, changed_since(tables[name]))
            steps[name] = _versions(tables[name], batch)
        else:
            steps[name] = views[name]
    if not steps:
        remedy = "Name a table of the star, or one of another zone's with --database."
        raise UserError(f"The question names no table of {database}.", remedy)
    listed = ", ".join(f"{name} AS ({text})" for name, text in steps.items())
    begins = _BEGIN.match(sql)
    if begins is None:
        return f"WITH {listed} {sql}"
    return f"{sql[: begins.end(1)]} {listed}, {sql[begins.end(1) :]}"


def _needed(tables: Collection[str], views: Mapping[str, str], sql: str) -> dict[str, None]:
    """The tables and views that a query names, and those that these read, each after what it reads."""
    found: dict[str, None] = {}
    for word in re.findall(r"\w+", _without_texts(sql).lower()):
        if word in views and word not in found:
            found.update(_needed(tables, views, views[word]))
        if word in views or word in tables:
            found[word] = None
    return found


def _versions(contract: Contract, batch: int) -> str:
    column = "batch" if contract.kind is None else "batch_sequence"
    table = f"{contract.zone_info.database}.{contract.table}"
    if contract.kind == "dead_letters":
        return f"SELECT * FROM {table}"  # noqa: S608 - names of contracts
    return f"SELECT * FROM {table} WHERE {column} <= {batch}"  # noqa: S608 - names of contracts and a number


def _refuse_changed(contract: Contract, batch: int, rows: int) -> None:
    if rows:
        raise UserError(
            f"{contract.table} keeps no versions, and {rows:,} of its rows have changed since batch {batch}.",
            "Ask facts alone, or the raw zone with --database.",
        )


def _without_texts(sql: str) -> str:
    return re.sub(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)


def parse_point(text: str) -> int | dt.datetime:
    """A batch or a moment (UTC) as a person names it: ``7``, ``2026-11-01`` or ``2026-11-01 09:30``.

    Raises:
        ValueError: It is neither.
    """
    if text.isdigit():
        return int(text)
    moment = dt.datetime.fromisoformat(text)
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
