"""Asking the lake: SQL, its past, and what happened to records."""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glue_jobs.runtime.errors import UserError
from lakehouse.command_line import (
    asking,
    example,
    fail,
    json_option,
    main,
    page,
    page_words,
    role_option,
    seen_by,
    star_database,
    state_option,
)
from lakehouse.stack import find_running
from lakehouse.terminal import (
    counted,
    note,
    print_data,
    print_result,
    progress,
    terminal_width,
)

if TYPE_CHECKING:
    from catalog.model import Contract
    from lakehouse.stack_state import Running


_LITTLE_ROOM = 30
"""With fewer columns, text stands below what it describes, not beside it."""


def _point(_context: click.Context, option: click.Parameter, stated: str | None) -> int | datetime | None:
    """A batch or a time that an option names."""
    from lakehouse.as_of import parse_point

    try:
        return None if stated is None else parse_point(stated)
    except ValueError as error:
        raise click.UsageError(f"{option.opts[0]} {stated} is neither a batch nor a time.") from error


@main.command(
    epilog=example(
        'lakehouse sql "SELECT count(*) FROM STAR_TABLE"',
        'lakehouse sql --format json "SELECT count(*) FROM information_schema.tables"',
        "lakehouse sql --named QUESTION --output answer.xlsx",
        "lakehouse sql --named QUESTION --param COLUMN=VALUE",
        'lakehouse sql --as-of 2026-11-01 "SELECT count(*) FROM STAR_TABLE"',
        "lakehouse sql - < query.sql",
    )
)
@click.argument("query", required=False)
@click.option(
    "--named", metavar="NAME", help="Run a query that Athena keeps; `lakehouse questions` lists them."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print the rows; json is an array of objects by column name.",
)
@click.option(
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every row to a file instead: .csv, .json, .parquet or .xlsx.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help="Print N rows at most, 0 for all; 1,000 of a table, all of csv and json unless given.",
)
@click.option(
    "--param",
    "parameters",
    metavar="COLUMN=VALUE",
    multiple=True,
    help="With --named: only rows of the answer with this value; may be given again.",
)
@click.option("--database", metavar="NAME", help="Where unqualified tables are; the star zone unless given.")
@click.option(
    "--as-of",
    "point",
    metavar="BATCH|TIME",
    callback=_point,
    help="Ask what was known after a batch, or at a time (UTC): 7, 2026-11-01 or '2026-11-01 09:30'.",
)
@role_option
@state_option
def sql(
    query: str | None,
    named: str | None,
    output: str,
    file: Path | None,
    limit: int | None,
    parameters: tuple[str, ...],
    database: str | None,
    point: int | datetime | None,
    role: str,
    state: Path,
) -> None:
    """Run SQL through the Athena API, on any zone. A QUERY of - is read from standard input."""
    from glue_jobs.runtime.athena import QueryResult, stream_query
    from lakehouse.results import FEW_ROWS, check_kind, csv_lines, json_lines, table_text, write_file

    if (query is None) == (named is None):
        raise click.UsageError("Give a query, or the name of one with --named.")
    if file is not None:
        check_kind(file)
    running = find_running(state).acting(role)
    athena = running.client("athena")
    database = database or star_database(role)
    query = _query(running, query, named, parameters, database)
    if point is not None:
        query = _in_the_past(str(query), point, database, role, state)
    with progress("asking Athena"):
        found = stream_query(athena, str(query), database=database, work_group=running.work_group)
    if file is not None:
        most = itertools.islice(found.rows, limit or None)
        note(f"{counted(write_file(file, found.columns, most), 'row')} in {file}")
        return
    most_rows = (FEW_ROWS if output == "table" else 0) if limit is None else limit
    rows = itertools.islice(found.rows, most_rows or None)
    if output == "table":
        width = terminal_width()
        answer = QueryResult(found.columns, list(rows), found.bytes_scanned, found.seconds)
        page(table_text(answer, width))
    else:
        print_data((csv_lines if output == "csv" else json_lines)(found.columns, rows))
    if most_rows and next(found.rows, None) is not None:
        note(f"There are more than these {counted(most_rows, 'row')}; --limit 0 prints all.")


def _in_the_past(query: str, point: int | datetime, database: str, role: str, state: Path) -> str:
    """A query whose tables are what they were at a point in time."""
    from glue_jobs.lake.layout import utc_now
    from lakehouse.as_of import as_of, batch_at

    if isinstance(point, datetime) and point > utc_now():
        raise click.UsageError(f"--as-of {point} is yet to come: what will be known then is not known.")
    running = find_running(state)
    captures = running.lake().log("capture")
    newest = captures.latest()
    if isinstance(point, int) and (newest is None or not 1 <= point <= newest.last_batch):
        last = newest.last_batch if newest else 0
        raise click.UsageError(f"There is no batch {point}; the last captured one is {last}.")
    batch = point if isinstance(point, int) else batch_at(captures, point)
    ask = asking(running.acting(role), database)

    def changed_since(contract: Contract) -> int:
        table = f"{contract.zone_info.database}.{contract.table}"
        ((rows,),) = ask(f"SELECT count(*) FROM {table} WHERE batch_sequence > {batch}")  # noqa: S608
        return int(rows or 0)

    note(f"as of batch {batch}")
    return as_of(seen_by(role), database, query, batch, changed_since)


def _query(
    running: Running, query: str | None, named: str | None, parameters: tuple[str, ...], database: str
) -> str:
    """The text of the query that a person means."""
    if named is not None:
        return _kept_query(running, named, parameters, database)
    if parameters:
        raise click.UsageError("--param is of --named: state it in the query's own WHERE.")
    try:
        text = sys.stdin.read() if query == "-" else str(query)
        # What a shell gave that is no text is in it by surrogates, which have no bytes.
        text.encode()
    except UnicodeError as error:
        encoding = sys.stdin.encoding if query == "-" else sys.getfilesystemencoding()
        raise click.UsageError(f"The query is no text: some of it is not {encoding}.") from error
    if not text.strip():
        raise click.UsageError("The query is empty.")
    return text


def _kept_query(running: Running, name: str, parameters: tuple[str, ...], database: str) -> str:
    """A query that Athena keeps, for the values that a person gave."""
    from glue_jobs.runtime.athena import named_queries, run_query
    from lakehouse.parameters import narrowed, parse_values

    values, athena = parse_values(parameters), running.client("athena")
    kept = named_queries(athena, running.work_group)
    if name not in kept:
        raise UserError(f"Athena keeps no query named {name}.", f"It has {', '.join(sorted(kept))}.")
    query = str(kept[name]["QueryString"])
    if not values:
        return query
    # Athena itself says which columns the answer has, of which types.
    empty = f"SELECT * FROM (\n{query}\n) LIMIT 0"  # noqa: S608
    answer = run_query(athena, empty, database=database, work_group=running.work_group)
    return narrowed(query, values, dict(answer.columns))


@main.command(epilog=example("lakehouse questions", "lakehouse sql --named QUESTION"))
@json_option
@role_option
@state_option
def questions(as_json: bool, role: str, state: Path) -> None:
    """List the queries that Athena keeps for analysts, each with what it answers."""
    from lakehouse.control import ask

    kept = ask(find_running(state), "questions", role=role)
    if as_json:
        click.echo(json.dumps(kept))
        return
    click.echo(_listed({question["name"]: question["description"] for question in kept}, terminal_width()))


def _listed(described: Mapping[str, str], width: int | None) -> str:
    """Names, each with what describes it: beside it, or below where a narrow terminal has little room."""
    longest = max(map(len, described), default=0)
    room = (width or 10_000) - longest - 2
    lines = []
    for name, description in described.items():
        if room < _LITTLE_ROOM:
            lines += [name, *(f"  {line}" for line in textwrap.wrap(description, (width or 0) - 2))]
            continue
        first, *others = textwrap.wrap(description, room) or [""]
        lines += [f"{name:<{longest}}  {first}".rstrip(), *(f"{'':<{longest}}  {line}" for line in others)]
    return "\n".join(lines)


@main.command(epilog=example("lakehouse explain STAR_TABLE", "lakehouse explain TABLE"))
@click.argument("table")
def explain(table: str) -> None:
    """Print the SQL that makes a table: how a star table is built, or when a captured row breaks a rule.

    No stack has to run.
    """
    from catalog.catalogue import load_catalogue
    from expectations.compile import compile_rules
    from expectations.rules import load_suites
    from glue_jobs.star.explain import explain_table

    catalogue = load_catalogue()
    if table in catalogue.star:
        for step in explain_table(catalogue.star[table], catalogue):
            click.echo(f"-- {step.relation}: {step.meaning}\n{step.sql}\n")
    elif table in catalogue.raw:
        compiled = compile_rules(load_suites(catalogue)[table], catalogue)
        for rule, condition in zip(compiled.suite.rules, compiled.conditions, strict=True):
            click.echo(f"-- {rule.name} ({rule.severity}): {rule.reason}\n{condition}\n")
    else:
        known = ", ".join([*catalogue.star, *catalogue.raw])
        fail(f"There is no table {table}; there are {known}.")


@main.command(epilog=example("lakehouse record TABLE 123", "lakehouse record TABLE 123 --json"))
@click.argument("table")
@click.argument("key")
@json_option
@role_option
@state_option
def record(table: str, key: str, as_json: bool, role: str, state: Path) -> None:
    """Say what happened to a record: its versions, what changed when, what was rejected, what refers to it.

    TABLE is a source table, or the star table made of it. A KEY of several columns has a slash between them,
    and a tilde and a slash of theirs as ~0 and ~1.
    """
    from lakehouse.dead_letters import open_dead_letters
    from lakehouse.records import raw_table, read_record, record_text

    catalogue = seen_by(role)
    contract, running = raw_table(catalogue, table), find_running(state)
    with progress("looking for its versions"):
        letters = open_dead_letters(
            running.client("s3"), running.buckets["ingestion"], catalogue, contract.table
        )
        ask = asking(running.acting(role), contract.zone_info.database)
        found = read_record(ask, catalogue, contract, key, letters)
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        print_result(record_text(found))


@main.command(
    epilog=example("lakehouse diff TABLE --from 3 --to 5", "lakehouse diff TABLE --from '2026-11-01 09:30'")
)
@click.argument("table")
@click.option(
    "--from",
    "first",
    metavar="BATCH|TIME",
    callback=_point,
    required=True,
    help="The earlier batch, or a time (UTC): 3, 2026-11-01 or '2026-11-01 09:30'.",
)
@click.option(
    "--to",
    "last",
    metavar="BATCH|TIME",
    callback=_point,
    help="The later one; the last captured batch unless given.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    help="Look at N records at most.",
)
@json_option
@role_option
@state_option
def diff(
    table: str,
    first: int | datetime,
    last: int | datetime | None,
    limit: int,
    as_json: bool,
    role: str,
    state: Path,
) -> None:
    """Say how the records of a table differ between two batches or times: which came, changed, and went.

    TABLE is a source table, or the star table made of it; `lakehouse status` shows the last batch.
    """
    from lakehouse.as_of import last_batch_by
    from lakehouse.drive import last_batches
    from lakehouse.records import changes_between, changes_text, count_changed, raw_table

    contract, running = raw_table(seen_by(role), table), find_running(state)
    newest = last_batches(running.client("s3"), running.buckets["ingestion"])["capture"]
    captures = running.lake().log("capture")
    named = (first, newest if last is None else last)
    # Between two times nothing may have come.
    is_timed = any(isinstance(point, datetime) for point in named)
    first, last = (point if isinstance(point, int) else last_batch_by(captures, point) for point in named)
    if not first < last + is_timed <= newest + is_timed:
        words = "batches or times" if is_timed else "batches"
        raise click.UsageError(f"Give {words} in their order; the last captured batch is {newest}.")
    with progress("comparing the batches"):
        ask = asking(running.acting(role), contract.zone_info.database)
        found = changes_between(ask, contract, first, last, limit)
        changed = count_changed(ask, contract, first, last)
    if changed > limit:
        note(f"looked at {limit:,} of {counted(changed, 'record')} that came again; --limit looks at more")
    if as_json:
        click.echo(json.dumps([asdict(version) for version in found]))
        return
    if found:
        page_words(changes_text(found))
    note(f"{counted(len(found), 'record')} of {contract.table} differ between the batches {first} and {last}")


@main.command(epilog=example("lakehouse profile STAR_TABLE", "lakehouse profile TABLE --json"))
@click.argument("table")
@json_option
@role_option
@state_option
def profile(table: str, as_json: bool, role: str, state: Path) -> None:
    """Say what the values of a table look like: how many, nulls, ranges, and which come most often.

    TABLE is one of the star, else one of the raw zone.
    """
    from lakehouse.table_profile import profile, profile_text

    catalogue = seen_by(role)
    contract = catalogue.star.get(table) or catalogue.raw.get(table)
    if contract is None:
        known = ", ".join((*catalogue.star, *catalogue.raw))
        raise UserError(f"There is no table {table}.", f"There are {known}.")
    ask = asking(find_running(state).acting(role), contract.zone_info.database)
    columns = []
    with progress("reading") as say:
        for column in profile(ask, contract):
            columns.append(column)
            say(f"read {column.name}: {100 * len(columns) // len(contract.columns)} %")
    rows = max(column.rows for column in columns)
    if as_json:
        click.echo(json.dumps({"rows": rows, "columns": [column.as_dict() for column in columns]}))
    else:
        click.echo(f"{contract.zone}.{contract.table}: {counted(rows, 'row')}")
        click.echo(profile_text(rows, columns, terminal_width()))
