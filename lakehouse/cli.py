"""The command line, ``lakehouse``. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from glue_jobs.runtime.aws import AthenaClient
from glue_jobs.runtime.errors import UserError
from lakehouse.stack import find_running
from lakehouse.stack_state import DEFAULT, Paths, Running
from lakehouse.terminal import (
    PIPE_CLOSED,
    ago,
    be_quiet,
    counted,
    goes_on,
    note,
    progress,
    watch,
)

if TYPE_CHECKING:
    from catalog.catalogue import Catalogue
    from catalog.model import Contract
    from lakehouse.drive import JobEvent
    from lakehouse.records import Ask
    from lakehouse.run_outcome import RunOutcome
    from sites.validation.health import Health

Command = TypeVar("Command", bound=Callable[..., Any])

_JOBS = (
    "extract_cdc",
    "transform",
    "validate_raw",
    "build_dimensions",
    "build_facts",
    "load_warehouse",
    "reconcile",
    "maintain_lake",
    "build_sites",
    "replay_dead_letters",
    "replay_dead_letters_large",
)
_STATE, _CANCEL = "lakehouse.stack_state", "lakehouse.cancel"
_FULL_BYTES = 16 << 20
"""With less than this free, whatever failed failed of it."""

_LOAD_JOB = "load_warehouse"
_STAGES = ("capture", "validate", "dimensions", "facts", "load")


class _Command(click.Command):
    """A command whose example names what the project has."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        example, self.epilog = self.epilog, _named(self.epilog or "")
        super().format_epilog(ctx, formatter)
        self.epilog = example


def _named(example: str) -> str:
    """An example with names of the project's tables and questions."""
    from bi.questions import load_questions
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    facts = [contract.table for contract in catalogue.star_of_kind("fact")]
    names = {
        "STAR_TABLE": min(facts or catalogue.star),
        "TABLE": min(catalogue.raw),
        "QUESTION": min(load_questions(), default="NAME"),
    }
    return re.sub("|".join(names), lambda found: names[found.group()], example)


class _Group(click.Group):
    """Turns the errors that a person can mend into a message and an exit code, without a traceback."""

    command_class = _Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            _fail(str(error), ctx)
        except BrokenPipeError:
            # Whoever read has seen enough; what is still in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PIPE_CLOSED)
        except KeyboardInterrupt:
            sys.exit(goes_on(ctx.meta.get(_CANCEL)))
        except _expected_errors() as error:
            _fail(_explain(error), ctx)
        except RuntimeError as error:
            # DuckDB's word for Ctrl-C.
            if "interrupt" not in str(error).lower():
                raise
            sys.exit(goes_on(ctx.meta.get(_CANCEL)))
        return None


def _example(*lines: str) -> str:
    """Lines that help shows; ``TABLE``, ``STAR_TABLE`` and ``QUESTION`` become names of the project."""
    # \b keeps click from filling the lines to a paragraph.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    from importlib.metadata import entry_points

    if wanted:
        (command,) = entry_points(group="console_scripts", name="lakehouse")
        click.echo(f"lakehouse, version {command.dist.version if command.dist else 'unknown'}")
        ctx.exit()


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_example(
        "lakehouse up && lakehouse run",
        "lakehouse questions",
        "lakehouse down",
    ),
)
@click.option("--version", is_flag=True, callback=_show_version, expose_value=False, help="Show the version.")
@click.pass_context
def main(ctx: click.Context) -> None:
    """The lakehouse on a laptop."""
    from lakehouse import config

    ctx.default_map = config.load(main.commands)


def _state_option(command: Command) -> Command:
    command = click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=lambda _context, _option, quiet: be_quiet(quiet),
        envvar="LAKEHOUSE_QUIET",
        help="Print results and errors alone.",
    )(command)
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT,
        show_default=True,
        envvar="LAKEHOUSE_STATE",
        callback=_remember_state,
        help="The directory of the stack; everything of it lives there.",
    )(command)


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def _command_line(words: str, state: Path) -> str:
    """A command as the person would give it about the same stack, which a variable or a file may name."""
    named = click.get_current_context().get_parameter_source("state") is ParameterSource.COMMANDLINE
    return f"lakehouse {words}" + (f" --state {shlex.quote(str(state))}" if named else "")


def _can_be_cancelled(running: Running, state: Path) -> None:
    """From here on runs go on after Ctrl-C, and a second one stops them."""
    from lakehouse.job_runs import cancel

    def stop() -> None:
        stopped = cancel(running.client, Paths.of(state).runs)
        note(f"cancelled: {', '.join(stopped) or 'nothing was running'}")

    click.get_current_context().find_root().meta[_CANCEL] = stop


_ROLES = ("analyst", "personal-data-analyst", "operator")


def _role_option(command: Command) -> Command:
    return click.option(
        "--as",
        "role",
        type=click.Choice(_ROLES),
        default=_ROLES[1],
        show_default=True,
        envvar="LAKEHOUSE_ROLE",
        help="With whose rights: an analyst reads no personal columns, a personal-data-analyst does.",
    )(command)


def _remember_state(ctx: click.Context, _: click.Parameter, state: Path) -> Path:
    """Keep which directory the command is about, for what is said where it fails."""
    ctx.find_root().meta[_STATE] = state
    return state


@main.command(
    epilog=_example(
        "lakehouse up",
        "lakehouse up --scale 10 --state /tmp/big",
        'lakehouse up --source "postgresql://reader@/business?host=/var/run/postgresql"',
    )
)
@click.option(
    "--source",
    metavar="DSN",
    envvar="LAKEHOUSE_SOURCE",
    show_envvar=True,
    help="An existing PostgreSQL (13 or newer) that holds the source; only read.",
)
@click.option(
    "--warehouse",
    metavar="DSN",
    envvar="LAKEHOUSE_WAREHOUSE",
    show_envvar=True,
    help="An existing PostgreSQL to load; its tables are made if missing.",
)
@click.option(
    "--data", metavar="DIR", type=click.Path(), help="Fill an embedded source from <table>.csv.gz files."
)
@click.option(
    "--scale",
    metavar="N",
    type=click.IntRange(min=1),
    help="Fill an embedded source with N times the real volume (1 unless said otherwise).",
)
@click.option("--schedule", is_flag=True, help="Fire the schedules: ingest every ten minutes.")
@_state_option
def up(
    source: str | None,
    warehouse: str | None,
    data: str | None,
    scale: int | None,
    schedule: bool,
    state: Path,
) -> None:
    """Start the laptop stack, and return when it is ready."""
    from lakehouse.stack import UpOptions, up

    with progress("looking at the state") as say:
        started = up(state, UpOptions(source, warehouse, data, scale, schedule), say)
    if started.rows:
        from catalog.pipeline import load_pipeline

        note(
            f"{load_pipeline().name} holds {sum(started.rows.values()):,} rows in {len(started.rows)} tables"
        )
    note("the stack was up already" if started.was_running else "the stack is up")
    click.echo(started.running.endpoint)
    note("This is the address for programs that speak to AWS; lakehouse env prints what they need.")
    note(f"Next: {_command_line('run', state)}")


@main.command(
    epilog=_example("lakehouse run", "lakehouse run --stage capture", "lakehouse run --engine spark")
)
@click.option(
    "--stage",
    metavar="NAME",
    type=click.Choice([*_STAGES, *_JOBS]),
    help=f"Run one stage alone: {', '.join(_STAGES)}, or one job by its name.",
)
@click.option(
    "--engine",
    type=click.Choice(["embedded", "spark"]),
    help="Force an engine; unless given, the job transform chooses by what waits.",
)
@_json_option
@_state_option
def run(stage: str | None, engine: str | None, as_json: bool, state: Path) -> None:
    """Ingest and transform until nothing waits, and say what was done. Exits non-zero if a job failed."""
    from lakehouse.drive import SPARK_JOBS, TRANSFORM_JOB, run_job, run_stage, run_until_idle
    from lakehouse.run_outcome import outcome_since, positions

    if engine is not None and stage in set(_JOBS) - {TRANSFORM_JOB}:
        raise click.UsageError(f"The job {stage} runs on one engine; leave --engine out.")
    running, runs = find_running(state), Paths.of(state).runs
    bucket = running.buckets["ingestion"]
    _can_be_cancelled(running, state)
    events: list[JobEvent] = []
    s3, began = running.client("s3"), time.monotonic()
    before = positions(s3, bucket)

    def report() -> RunOutcome:
        outcome, seconds = outcome_since(s3, bucket, before), time.monotonic() - began
        on_spark = any(event.job in SPARK_JOBS.values() and event.job != _LOAD_JOB for event in events)
        if as_json:
            used = "spark" if on_spark else "embedded"
            click.echo(json.dumps({**outcome.as_dict(), "seconds": round(seconds, 1), "engine": used}))
        else:
            click.echo(f"{outcome.as_text()} · {seconds:.1f} s{', on Spark' if on_spark else ''}")
        return outcome

    try:
        with progress("starting") as say:
            told = watch(say, _JOBS)

            def follow(event: JobEvent) -> None:
                events.append(event)
                told(event)

            if stage is None:
                run_until_idle(running.lake(), runs, follow, engine)
            elif stage in _STAGES:
                run_stage(running.client("glue"), stage, runs, follow, engine)
            else:
                run_job(running.client("glue"), stage, runs, follow, {"--engine": engine} if engine else {})
    except UserError:
        # What was done before a job failed was done.
        report()
        raise
    if report().loaded and not before["load"]:
        note(f"Next: {_command_line('questions', state)}, or {_command_line('dashboard', state)}")


@main.command(epilog=_example("lakehouse capture", "lakehouse capture --full --table TABLE"))
@click.option("--full", is_flag=True, help="Capture every row again, whatever wrote it.")
@click.option("--table", "tables", metavar="NAME", multiple=True, help="With --full: this table alone.")
@_state_option
def capture(full: bool, tables: tuple[str, ...], state: Path) -> None:
    """Capture what changed in the source, and nothing after that.

    A full capture is a request that stays until a capture has answered it: of a paused table once it goes on.
    Rows that are equal make no versions.
    """
    from glue_jobs.sources.full_captures import ALL
    from lakehouse.drive import CAPTURE_JOB, run_job

    if tables and not full:
        raise click.UsageError("--table is of --full: a capture looks at every table.")
    asked = {"--full_capture": ",".join(tables) or ALL} if full else {}
    running = find_running(state)
    _can_be_cancelled(running, state)
    with progress("starting") as say:
        run_job(
            running.client("glue"),
            CAPTURE_JOB,
            Paths.of(state).runs,
            watch(say, _JOBS),
            {"--capture_only": "1", **asked},
        )
    note(f"captured; the next run takes it on: {_command_line('run', state)}")


@main.command(
    epilog=_example(
        'lakehouse sql "SELECT count(*) FROM STAR_TABLE"',
        'lakehouse sql --format json "SELECT count(*) FROM information_schema.tables"',
        "lakehouse sql --named QUESTION --output answer.xlsx",
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
@click.option("--database", metavar="NAME", help="Where unqualified tables are; the star zone unless given.")
@click.option(
    "--as-of",
    "point",
    metavar="BATCH|TIME",
    help="Ask what was known after a batch, or at a time (UTC): 7, 2026-11-01 or '2026-11-01 09:30'.",
)
@_role_option
@_state_option
def sql(
    query: str | None,
    named: str | None,
    output: str,
    file: Path | None,
    limit: int | None,
    database: str | None,
    point: str | None,
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
    if named is not None:
        query = _kept_query(athena, running.work_group, named)
    elif query == "-":
        query = sys.stdin.read()
    database = database or _star_database(role)
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
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        answer = QueryResult(found.columns, list(rows), found.bytes_scanned, found.seconds)
        _page(table_text(answer, width))
    else:
        for line in (csv_lines if output == "csv" else json_lines)(found.columns, rows):
            click.echo(line)
    if most_rows and next(found.rows, None) is not None:
        note(f"There are more than these {counted(most_rows, 'row')}; --limit 0 prints all.")


def _in_the_past(query: str, point: str, database: str, role: str, state: Path) -> str:
    """A query whose tables are what they were at a point in time."""
    from lakehouse.as_of import as_of, batch_at, parse_point
    from lakehouse.stack import find_running

    try:
        named = parse_point(point)
    except ValueError as error:
        raise click.UsageError(f"--as-of {point} is neither a batch nor a time.") from error
    running = find_running(state)
    captures = running.lake().log("capture")
    newest = captures.latest()
    if isinstance(named, int) and (newest is None or not 1 <= named <= newest.last_batch):
        last = newest.last_batch if newest else 0
        raise click.UsageError(f"There is no batch {named}; the last captured one is {last}.")
    batch = named if isinstance(named, int) else batch_at(captures, named)
    ask = _asking(running.acting(role), database)

    def changed_since(contract: Contract) -> int:
        table = f"{contract.zone_info.database}.{contract.table}"
        ((rows,),) = ask(f"SELECT count(*) FROM {table} WHERE batch_sequence > {batch}")  # noqa: S608
        return int(rows or 0)

    note(f"as of batch {batch}")
    return as_of(_seen_by(role), database, query, batch, changed_since)


def _page(text: str) -> None:
    """Print a text, a screen at a time where it is longer than the terminal."""
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        # Quit if it fits, keep colours, leave the text on the screen, let long lines run on.
        os.environ.setdefault("LESS", "-FRSX")
        click.echo_via_pager(text + "\n")
    else:
        click.echo(text)


def _star_database(role: str) -> str:
    """Where a role's unqualified tables are."""
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    return (catalogue.redacted() if role == _ROLES[0] else catalogue).zones["star"].database


def _kept_query(athena: AthenaClient, work_group: str, name: str) -> str:
    from glue_jobs.runtime.athena import named_queries

    kept = named_queries(athena, work_group)
    if name not in kept:
        raise UserError(f"Athena keeps no query named {name}.", f"It has {', '.join(sorted(kept))}.")
    return str(kept[name]["QueryString"])


@main.command(epilog=_example("lakehouse questions", "lakehouse sql --named QUESTION"))
@_json_option
@_role_option
@_state_option
def questions(as_json: bool, role: str, state: Path) -> None:
    """List the queries that Athena keeps for analysts, each with what it answers."""
    from glue_jobs.runtime.athena import named_queries

    running = find_running(state).acting(role)
    kept = named_queries(running.client("athena"), running.work_group)
    if as_json:
        described = [
            {"name": name, "description": kept[name].get("Description", ""), "sql": kept[name]["QueryString"]}
            for name in sorted(kept)
        ]
        click.echo(json.dumps(described))
        return
    width = max(map(len, kept), default=0)
    room = (shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000) - width - 2
    for name in sorted(kept):
        first, *others = textwrap.wrap(kept[name].get("Description", ""), max(room, 20)) or [""]
        click.echo(f"{name:<{width}}  {first}".rstrip())
        for line in others:
            click.echo(f"{'':<{width}}  {line}")


@main.command(epilog=_example("lakehouse explain STAR_TABLE", "lakehouse explain TABLE"))
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
        _fail(f"There is no table {table}; there are {known}.")


@main.command(epilog=_example("lakehouse status", "lakehouse status --check --quiet || page-somebody"))
@click.option("--check", is_flag=True, help="Exit with 1 where something needs a person, else with 0.")
@_json_option
@_state_option
def status(check: bool, as_json: bool, state: Path) -> None:
    """Show each stage's last batch, what waits, freshness, what is paused and unresolved dead letters."""
    from catalog.catalogue import load_catalogue
    from glue_jobs.runtime.athena import run_query
    from lakehouse.stack_state import load_settings
    from lakehouse.status import read_status, status_text

    running, settings = find_running(state), load_settings(Paths.of(state))
    athena, catalogue = running.client("athena"), load_catalogue()
    operations = catalogue.zones["ops"].database

    def query(text: str) -> list[tuple[Any, ...]]:
        found = run_query(athena, text, database=operations, work_group=running.work_group)
        return [tuple(row) for row in found.rows]

    is_scheduled = settings is not None and settings.schedule
    found = read_status(running.lake(), running.warehouse, query, catalogue, is_scheduled)
    click.echo(json.dumps(found.as_dict()) if as_json else status_text(found))
    if check and found.needs_a_person:
        note("needs a person: " + "; ".join(found.needs_a_person))
        sys.exit(1)


def _asking(running: Running, database: str) -> Ask:
    """What asks the stack's Athena, with the rights of whoever acts."""
    from glue_jobs.runtime.athena import run_query

    athena = running.client("athena")

    def ask(text: str) -> list[tuple[Any, ...]]:
        return run_query(athena, text, database=database, work_group=running.work_group).rows

    return ask


def _seen_by(role: str) -> Catalogue:
    """The contracts of what a role may read."""
    from catalog.catalogue import load_catalogue

    return load_catalogue().redacted() if role == _ROLES[0] else load_catalogue()


@main.command(epilog=_example("lakehouse record TABLE 123", "lakehouse record TABLE 123 --json"))
@click.argument("table")
@click.argument("key")
@_json_option
@_role_option
@_state_option
def record(table: str, key: str, as_json: bool, role: str, state: Path) -> None:
    """Say what happened to a record: its versions, what changed when, what was rejected, what refers to it.

    TABLE is a source table, or the star table made of it.
    """
    from lakehouse.dead_letters import open_dead_letters
    from lakehouse.records import raw_table, read_record, record_text

    catalogue = _seen_by(role)
    contract, running = raw_table(catalogue, table), find_running(state)
    with progress("looking for its versions"):
        letters = open_dead_letters(
            running.client("s3"), running.buckets["ingestion"], catalogue, contract.table
        )
        ask = _asking(running.acting(role), contract.zone_info.database)
        found = read_record(ask, catalogue, contract, key, letters)
    click.echo(json.dumps(found.as_dict()) if as_json else record_text(found))


@main.command(epilog=_example("lakehouse diff TABLE --from 3 --to 5"))
@click.argument("table")
@click.option(
    "--from", "first", metavar="BATCH", type=click.IntRange(min=0), required=True, help="The earlier batch."
)
@click.option(
    "--to",
    "last",
    metavar="BATCH",
    type=click.IntRange(min=1),
    help="The later batch; the last captured one unless given.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    help="Look at N records at most.",
)
@_json_option
@_role_option
@_state_option
def diff(table: str, first: int, last: int | None, limit: int, as_json: bool, role: str, state: Path) -> None:
    """Say how the records of a table differ between two batches: which came, changed, and went.

    TABLE is a source table, or the star table made of it; `lakehouse status` shows the last batch.
    """
    from lakehouse.drive import last_batches
    from lakehouse.records import changes_between, changes_text, raw_table

    contract, running = raw_table(_seen_by(role), table), find_running(state)
    newest = last_batches(running.client("s3"), running.buckets["ingestion"])["capture"]
    last = newest if last is None else last
    if not first < last <= newest:
        raise click.UsageError(f"Give batches in their order; the last captured one is {newest}.")
    with progress("comparing the batches"):
        ask = _asking(running.acting(role), contract.zone_info.database)
        found = changes_between(ask, contract, first, last, limit)
    if as_json:
        click.echo(json.dumps([asdict(version) for version in found]))
        return
    if found:
        _page(changes_text(found))
    note(f"{counted(len(found), 'record')} of {contract.table} differ between the batches {first} and {last}")


@main.command(epilog=_example("lakehouse profile STAR_TABLE", "lakehouse profile TABLE --json"))
@click.argument("table")
@_json_option
@_role_option
@_state_option
def profile(table: str, as_json: bool, role: str, state: Path) -> None:
    """Say what the values of a table look like: how many, nulls, ranges, and which come most often.

    TABLE is one of the star, else one of the raw zone.
    """
    from lakehouse.table_profile import profile, profile_text

    catalogue = _seen_by(role)
    contract = catalogue.star.get(table) or catalogue.raw.get(table)
    if contract is None:
        known = ", ".join((*catalogue.star, *catalogue.raw))
        raise UserError(f"There is no table {table}.", f"There are {known}.")
    ask = _asking(find_running(state).acting(role), contract.zone_info.database)
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
        click.echo(profile_text(rows, columns))


@main.command(epilog=_example("lakehouse runs", "lakehouse runs --failed --json"))
@click.option("--failed", is_flag=True, help="List those that failed alone.")
@click.option("--job", metavar="NAME", help="List those of one job alone.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List N at most, 0 for all.",
)
@_json_option
@_state_option
def runs(failed: bool, job: str | None, limit: int, as_json: bool, state: Path) -> None:
    """List the runs of jobs, the newest first: state, seconds, and why one failed. No stack has to run."""
    from lakehouse.job_runs import job_runs, runs_text

    found = job_runs(_made(state).runs)
    chosen = [run for run in found if job in (None, run.job) and (run.failed or not failed)]
    shown = chosen[: limit or None]
    if as_json:
        click.echo(json.dumps([run.as_dict() for run in shown]))
        return
    if shown:
        click.echo(runs_text(shown))
    more = f", the newest of {len(chosen):,}" if len(chosen) > len(shown) else ""
    note(f"{counted(len(shown), 'run')}{more}" + (f"; {_command_line('logs RUN', state)}" if shown else ""))


@main.command(
    epilog=_example("lakehouse logs", "lakehouse logs --last-failed", "lakehouse logs transform --follow")
)
@click.argument("run", required=False)
@click.option("--last-failed", is_flag=True, help="Of the newest run that failed.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--raw", is_flag=True, help="Print the lines as they are, JSON mostly.")
@_state_option
def logs(run: str | None, last_failed: bool, follow: bool, raw: bool, state: Path) -> None:
    """Print the log of a run of a job: of the newest, or of RUN, a job's name or the beginning of an id.

    No stack has to run.
    """
    from lakehouse.job_runs import find_run, job_runs, log_lines, readable

    directory = _made(state).runs
    chosen = find_run(job_runs(directory), run, failed=last_failed)
    note(f"{chosen.job} {chosen.name}, {chosen.state.lower()}, {ago(chosen.started)}")
    for line in log_lines(directory, chosen, follow=follow):
        text = line if raw else readable(line)
        if text:
            click.echo(text)


@main.command(epilog=_example("lakehouse cancel"))
@_state_option
def cancel(state: Path) -> None:
    """Stop every run that goes on. Nothing is lost: what it had not committed is done by the next run."""
    from lakehouse.job_runs import cancel

    running = find_running(state)
    with progress("stopping what runs"):
        stopped = cancel(running.client, _made(state).runs)
    note(
        f"cancelled: {', '.join(stopped)}; {_command_line('run', state)} goes on"
        if stopped
        else "nothing runs"
    )


def _made(state: Path) -> Paths:
    """The places of a stack that was made, running or not."""
    paths = Paths.of(state)
    if not paths.settings.exists():
        raise UserError(
            f"There is no stack in {paths.root}.", f"Make one with: lakehouse up --state {paths.root}"
        )
    return paths


@main.command(
    "dead-letters", epilog=_example("lakehouse dead-letters", "lakehouse dead-letters --table TABLE --json")
)
@click.option("--table", metavar="NAME", help="One source table; all of them unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@_state_option
def dead_letters(table: str | None, as_json: bool, state: Path) -> None:
    """List the rejected rows that nothing newer has resolved, and say what is wrong with each.

    Their values are in the tables of the dead-letter zone: lakehouse sql shows them.
    """
    from catalog.catalogue import load_catalogue
    from lakehouse.dead_letters import open_dead_letters

    catalogue = load_catalogue()
    if table is not None and table not in catalogue.raw:
        raise UserError(f"There is no source table {table}.", f"There are {', '.join(catalogue.raw)}.")
    running = find_running(state)
    found = list(open_dead_letters(running.client("s3"), running.buckets["ingestion"], catalogue, table))
    if as_json:
        click.echo(json.dumps([letter.as_dict() for letter in found]))
        return
    for letter in found:
        click.echo(f"{letter.table} {letter.key}, batch {letter.batch} of {letter.captured_at}")
        for rule in letter.rules:
            click.echo(f"  {rule['severity']}: {rule['reason']} ({rule['rule']})")
    note(f"{counted(len(found), 'unresolved dead letter')}")


@main.command(epilog=_example("lakehouse validate --dry-run --since 2026-11-01"))
@click.option("--dry-run", is_flag=True, help="Change nothing; the runs of the pipeline validate.")
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day of captures (UTC), such as 2026-11-01.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_state_option
def validate(dry_run: bool, since: datetime | None, as_json: bool, state: Path) -> None:
    """Say what today's rules find in rows that were captured before, beside what was found then.

    Nothing is written: what would be rejected now stays accepted, and dead letters stay what they are.
    """
    from expectations.rules import load_suites
    from glue_jobs.validation.dry_run import dry_run as judge
    from lakehouse.validation_dry_run import opened_stage, report_text

    if not dry_run or since is None:
        raise click.UsageError(
            "Give --dry-run and --since: what waits is validated by lakehouse run --stage validate."
        )
    with opened_stage(find_running(state)) as stage, progress("applying today's rules"):
        suites = load_suites(stage.catalogue)
        found = judge(stage, suites, since.date())
    click.echo(json.dumps(asdict(found)) if as_json else report_text(found, suites))


@main.command(epilog=_example("lakehouse replay", "lakehouse replay && lakehouse dead-letters"))
@_state_option
def replay(state: Path) -> None:
    """Apply today's rules to the unresolved dead letters, send on what passes, and run the pipeline."""
    from glue_jobs.lake.validation_state import ValidationState
    from lakehouse.drive import REPLAY_LARGE, follow_running, run_job, run_until_idle

    running, runs = find_running(state), Paths.of(state).runs
    log = running.lake().log("validate")
    _can_be_cancelled(running, state)
    with progress("looking for newer versions") as say:
        reporting = watch(say, _JOBS)
        run_until_idle(running.lake(), runs, reporting)
        before = sum(ValidationState.of(log.latest()).unresolved_rows.values())
        run_job(running.client("glue"), "replay_dead_letters", runs, reporting)
        follow_running(running.client("glue"), REPLAY_LARGE, runs, reporting)
        run_until_idle(running.lake(), runs, reporting)
    after = sum(ValidationState.of(log.latest()).unresolved_rows.values())
    note(f"{before - after:,} of {counted(before, 'dead letter')} are resolved, {after:,} are not")


@main.command(epilog=_example("lakehouse docs", "lakehouse docs --port 8080 --as-is"))
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65_535),
    default=8600,
    show_default=True,
    help="The port on 127.0.0.1; 0 takes a free one.",
)
@click.option("--as-is", is_flag=True, help="Serve what is there, and build nothing first.")
@_state_option
def docs(port: int, as_is: bool, state: Path) -> None:
    """Serve the documentation, brought up to date by its job first. Ctrl-C ends it.

    What every table and column means, and every batch as Great Expectations shows it. This machine alone can
    see it.
    """
    from glue_jobs.build_sites import JOB
    from lakehouse.docs import DocumentationServer
    from lakehouse.drive import run_job

    running = find_running(state)
    if not as_is:
        with progress("building the documentation") as say:
            run_job(running.client("glue"), JOB, Paths.of(state).runs, watch(say, _JOBS))
    with DocumentationServer(running.client("s3"), running.buckets["documentation"], port) as server:
        click.echo(server.url)
        note("Ctrl-C ends it")
        # The interrupt is how a person ends it, at whatever line.
        with suppress(KeyboardInterrupt):
            server.serve_forever()


@main.command(
    epilog=_example(
        "lakehouse notebooks && lakehouse docs --as-is",
        "lakehouse notebooks --bucket my-documentation   # AWS, not the stack",
    )
)
@click.option(
    "--bucket",
    metavar="NAME",
    help="A documentation bucket on AWS, where credentials and region of the environment lead.",
)
@_role_option
@_state_option
def notebooks(bucket: str | None, role: str, state: Path) -> None:
    """Run the notebooks, and publish what they show on the documentation site, in notebooks/.

    They read Athena: that of the stack, or that of AWS where a bucket is named.
    """
    from catalog.pipeline import load_pipeline
    from glue_jobs.documentation.bucket import Bucket
    from glue_jobs.lake.layout import utc_now
    from notebooks.execution import execute, notebooks
    from notebooks.publication import page, publish

    if bucket is None:
        running = find_running(state)
        target = Bucket(running.client("s3"), running.buckets["documentation"])
        environment = exports(running.acting(role), role)
    else:
        import boto3

        given = os.environ.get("WR_WORKGROUP") or load_pipeline().athena.work_group
        target, environment = Bucket(boto3.session.Session().client("s3"), bucket), {"WR_WORKGROUP": given}
    made = []
    with progress("starting") as say:
        for path in notebooks():
            say(f"running {path.name}")
            made.append(page(path.stem, execute(path, environment), utc_now()))
    for key, size in publish(target, made).items():
        click.echo(f"{size:>10,}  s3://{target.name}/{key}")
    if bucket is None:
        note(f"Next: {_command_line('docs --as-is', state)}, then notebooks/ at its address")


@main.command(epilog=_example("lakehouse dashboard", "lakehouse dashboard --from warehouse --port 8080"))
@click.option(
    "--from",
    "engine",
    type=click.Choice(["lake", "warehouse"]),
    default="lake",
    show_default=True,
    help="What it reads: the lake, by Athena, or the warehouse.",
)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65_535),
    default=8610,
    show_default=True,
    help="The port on 127.0.0.1; 0 takes a free one.",
)
@_role_option
@_state_option
def dashboard(engine: str, port: int, role: str, state: Path) -> None:
    """Serve the dashboard; a reload reads it anew. Ctrl-C ends it.

    The same sheets that QuickSight shows. This machine alone can see them.
    """
    from bi.dashboard import load_dashboard, load_redacted_dashboard
    from catalog.catalogue import load_catalogue
    from glue_jobs.documentation.health import read_health
    from glue_jobs.lake.layout import utc_now
    from lakehouse.dashboard.server import DashboardServer
    from lakehouse.dashboard.sources import Lake, Source, Warehouse

    if engine == "warehouse" and role == _ROLES[0]:
        raise click.UsageError("The warehouse shows personal columns: an analyst reads the lake.")
    declared = load_redacted_dashboard() if role == _ROLES[0] else load_dashboard()
    running, catalogue = find_running(state), load_catalogue()
    lake = running.lake()

    def health() -> Health:
        return read_health(lake, catalogue, utc_now())

    source: Source = Warehouse(running.warehouse)
    if engine == "lake":
        asking = running.acting(role)
        source = Lake(asking.client("athena"), asking.work_group)
    with progress("drawing up the dashboard"):
        server = DashboardServer(declared, source, Paths.of(state).dashboard, port, health)
    with server:
        click.echo(server.url)
        note("Ctrl-C ends it")
        # The interrupt is how a person ends it, at whatever line.
        with suppress(KeyboardInterrupt):
            server.serve_forever()


@main.command(epilog=_example("lakehouse reconcile", "lakehouse reconcile --json | jq .verdict"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_state_option
def reconcile(as_json: bool, state: Path) -> None:
    """Compare source, lake and warehouse, to the row, per table. Exits non-zero unless they are equal.

    The lake is read by its commits, and by Athena as analysts read it. What it found is kept in
    the table reconciliations of the ops zone too, as the nightly job's is.
    """
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from glue_jobs.reconciliation import reconcile
    from glue_jobs.reconciliation.reconcile_run import keep
    from glue_jobs.reconciliation.views import Athena

    running = find_running(state)
    catalogue, lake = load_catalogue(), running.lake()
    if lake.log("capture").latest() is None:
        raise UserError("Nothing was captured yet.", f"Capture it with: {_command_line('run', state)}")
    with progress("comparing source, lake and warehouse"):
        report = reconcile(
            running.source,
            running.warehouse,
            lake,
            catalogue=catalogue,
            source_schema=load_pipeline().source.schema_name,
            athena=Athena(running.client("athena"), running.work_group),
        )
    requested = keep(report, lake, catalogue)
    click.echo(json.dumps(report.as_dict()) if as_json else report.as_text())
    for table in requested:
        note(f"{table} is asked to be captured in full, once: lakehouse run, then compare again")
    if report.verdict != "equal":
        sys.exit(1)


@main.command(epilog=_example("lakehouse maintain", "lakehouse maintain --remove"))
@click.option("--remove", is_flag=True, help="Remove them, as the nightly job does; else they are listed.")
@_state_option
def maintain(remove: bool, state: Path) -> None:
    """List the objects that nobody can need any more: of runs that never committed, and long replaced."""
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from glue_jobs.lake.layout import utc_now
    from glue_jobs.maintenance.housekeeping import JOB, MaintainArguments, read, survey
    from glue_jobs.maintenance.retention import Listed
    from glue_jobs.runtime import arguments
    from lakehouse.drive import run_job

    running = find_running(state)
    if remove:
        with progress("removing") as say:
            run_job(running.client("glue"), JOB, Paths.of(state).runs, watch(say, _JOBS))
        return
    pipeline = load_pipeline()
    stated = pipeline.jobs[JOB].arguments
    words = [part for name in stated for part in (name, pipeline.resolve(stated[name], running.buckets))]
    given = arguments.parse(MaintainArguments, words)
    sizes: list[int] = []

    def found(why: str, bucket: str, listed: Listed) -> None:
        sizes.append(listed.bytes)
        click.echo(f"{why:<12}{listed.bytes:>14,}  s3://{lake.buckets[bucket]}/{listed.key}")

    lake, now = running.lake(), utc_now()
    reachable = read(given, lake, load_catalogue(), now)
    looked_at = survey(given, lake, reachable, now, found)
    note(f"{len(sizes):,} of {looked_at:,} objects, {sum(sizes):,} bytes; --remove removes them")


@main.command(epilog=_example("lakehouse rebuild"))
@_state_option
def rebuild(state: Path) -> None:
    """Build star and warehouse again from what validation accepted, and say which tables changed by it.

    The zones are swapped stage by stage, each in one act, the warehouse in one transaction. Interrupted,
    it is taken up by the next run.
    """
    from glue_jobs.reconciliation import star_checksums
    from lakehouse.rebuild import rebuild

    running, runs = find_running(state), Paths.of(state).runs
    _can_be_cancelled(running, state)
    with progress("taking checksums") as say:
        before = star_checksums(running.warehouse, running.lake())
        number = rebuild(running.lake(), runs, watch(say, _JOBS))
        after = star_checksums(running.warehouse, running.lake())
    for table, (rows, *_) in sorted(after.items()):
        click.echo(f"{table:<34}{rows:>12,}  {'equal' if after[table] == before[table] else 'CHANGED'}")
    same = sum(after[table] == before[table] for table in after)
    click.echo(f"rebuild {number}: {same} of {len(after)} tables are what they were, to the row")


@main.command(epilog=_example("lakehouse retry"))
@_state_option
def retry(state: Path) -> None:
    """Have the jobs that wait tried again at the next tick.

    A job whose last run can only end as before waits, longer each time, an hour at most: its secret is
    refused, or a batch awaits approval. A changed secret, an approval or a corrected rule ends the wait by
    itself.
    """
    from glue_jobs.lake import backoff

    running = find_running(state)
    ended = backoff.end(running.client("s3"), running.buckets["ingestion"])
    for wait in ended:
        click.echo(f"{wait.job} waited since {wait.since}: {wait.reason}")
    note("tried again at the next tick, or by lakehouse run" if ended else "no job waits")


@main.command(epilog=_example("lakehouse release", "lakehouse release --table TABLE && lakehouse run"))
@click.option("--table", metavar="NAME", help="Release this table alone; all that is held unless said.")
@click.option("--rejected", is_flag=True, help="Let held rejections go to the dead letters instead.")
@_state_option
def release(table: str | None, rejected: bool, state: Path) -> None:
    """Let a held mass delete through, exactly the rows that are held, at the next capture.

    A table that lost many rows at once is not captured until a person has looked. Rows that vanish later
    are judged anew. With --rejected: a batch of which too much was to be rejected goes to the dead letters.
    """
    from catalog.catalogue import load_catalogue
    from glue_jobs.lake import approvals
    from glue_jobs.lake.layout import iso, utc_now
    from glue_jobs.sources.mass_deletes import MassDeletes
    from lakehouse.release import release

    running = find_running(state)
    if rejected:
        bucket = running.buckets["ingestion"]
        if not approvals.approve(running.client("s3"), bucket, iso(utc_now())):
            note("no batch awaits approval; there is nothing to release")
            return
        then = _command_line("run", state)
        note(f"released; the next run sends exactly these rows to the dead letters: {then}")
        return
    if table is not None and table not in load_catalogue().raw:
        raise UserError(f"There is no source table {table}.", f"There are {', '.join(load_catalogue().raw)}.")
    deletes = MassDeletes(running.client("s3"), running.buckets["ingestion"])
    if table is None and not deletes.waiting():
        note("no deletion waits for a person; there is nothing to release")
        return
    for delete in release(deletes, table, iso(utc_now())):
        click.echo(f"{delete.table}: {delete.missing:,} of {delete.live:,} rows, gone since {delete.since}")
    note(f"released; the next capture publishes a deletion for each: {_command_line('run', state)}")


@main.command(epilog=_example('eval "$(lakehouse env --as operator)"', "aws glue get-databases"))
@_role_option
@_state_option
def env(role: str, state: Path) -> None:
    """Print the stack's addresses as shell exports: aws, boto3 and awswrangler then use it."""
    running = find_running(state).acting(role)
    for name, value in exports(running, role).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@main.command(epilog=_example("lakehouse down", "lakehouse down --state /tmp/big"))
@_state_option
def down(state: Path) -> None:
    """Stop the stack. Its data stay in its directory, and `lakehouse up` continues with them."""
    from lakehouse.stack import down

    with progress("looking at the state") as say:
        stopped = down(state, say)
    note("the stack is down" if stopped else f"no stack was running in {state.resolve()}")


@main.command(epilog=_example("lakehouse demo"))
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of the demonstration's stack; a temporary one unless said otherwise.",
)
@click.option("--keep", is_flag=True, help="Leave the stack running at the end, to look around in it.")
def demo(state: Path | None, keep: bool) -> None:
    """Show the whole pipeline on an invented business that lives for three ticks."""
    from catalog.pipeline import load_pipeline
    from lakehouse.example import load_example

    sys.exit(load_example(load_pipeline()).demonstrate(state, keep=keep))


def exports(running: Running, role: str) -> dict[str, str]:
    """The variables that `env` prints, by name.

    Args:
        running: The stack, as whoever acts in the role knows it.
        role: The role. An analyst is not told of the databases, which hold personal columns.
    """
    from catalog.pipeline import load_pipeline
    from catalog.rights import analysts

    pipeline = load_pipeline()
    group = analysts(pipeline).get(role, pipeline.athena)
    variables = {
        **running.environment,
        # What awswrangler and PyAthena do not take from the AWS variables.
        "WR_WORKGROUP": running.work_group,
        "WR_DATABASE": _star_database(role),
        "AWS_ATHENA_WORK_GROUP": running.work_group,
        "AWS_ATHENA_S3_STAGING_DIR": pipeline.resolve(group.results, running.buckets),
    }
    if role == _ROLES[0]:
        return variables
    prefix = pipeline.name.upper()
    variables[f"{prefix}_SOURCE_DSN"] = running.source
    variables[f"{prefix}_WAREHOUSE_DSN"] = running.warehouse
    if running.source_owner is not None:
        variables[f"{prefix}_SOURCE_OWNER_DSN"] = running.source_owner
    return variables


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors that a person can cause: a file that is wrong, a stack that has ended, no right to write."""
    from botocore.exceptions import BotoCoreError, ClientError

    from catalog.yaml_lines import ContractError

    return (OSError, ContractError, BotoCoreError, ClientError, *_query_errors(), *_database_errors())


def _query_errors() -> tuple[type[Exception], ...]:
    # Only where a query ran: importing the client costs every other command a moment.
    module = sys.modules.get("glue_jobs.runtime.athena")
    return () if module is None else (module.QueryFailed,)


def _database_errors() -> tuple[type[Exception], ...]:
    # As above: only where a database was asked.
    module = sys.modules.get("psycopg")
    return () if module is None else (module.Error,)


def _explain(error: Exception) -> str:
    import psycopg
    from botocore.exceptions import EndpointConnectionError

    from glue_jobs.runtime.connections import explain
    from glue_jobs.runtime.errors import DISK_FULL, is_disk_full

    if is_disk_full(error):
        return DISK_FULL
    if isinstance(error, EndpointConnectionError):
        return "The stack does not answer: it ended meanwhile. Start it again with: lakehouse up"
    if isinstance(error, psycopg.Error):
        return str(explain(error, "database"))
    if isinstance(error, PermissionError):
        return f"{error.filename}: permission denied. Name a directory that you may write to with --state."
    return str(error)


def _full_disk(ctx: click.Context) -> str:
    """What to say first where the disk of the stack's directory is full: the rest follows from it."""
    state = ctx.find_root().meta.get(_STATE)
    if state is None:
        return ""
    place = next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())
    if shutil.disk_usage(place).free >= _FULL_BYTES:
        return ""
    return f"The disk of {state.absolute()} is full. Free some space, then give the command again. It said: "


def _in_their_words(message: str) -> str:
    """A message of a job's with the option that the person gave, in place of the secret that jobs read."""
    for database in ("source", "warehouse"):
        if f"The {database} " in message or f"to the {database} " in message:
            return message.replace("in the secret", f"in --{database}")
    return message


def _fail(message: str, ctx: click.Context | None = None) -> None:
    message = (_full_disk(ctx) if ctx is not None else "") + _in_their_words(message)
    click.echo(f"lakehouse: {message}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
