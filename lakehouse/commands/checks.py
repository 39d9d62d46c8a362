"""Seeing how things are and deciding what waits for a person."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from glue_jobs.runtime.errors import UserError
from lakehouse.command_line import (
    JOBS,
    command_line,
    example,
    json_option,
    made,
    main,
    page_words,
    state_option,
)
from lakehouse.stack import find_running
from lakehouse.stack_state import Paths
from lakehouse.take_up import read_what_was_taken_up
from lakehouse.terminal import (
    counted,
    note,
    print_result,
    progress,
    watch,
)


@main.command(epilog=example("lakehouse status", "lakehouse status --check --quiet || page-somebody"))
@click.option("--check", is_flag=True, help="Exit with 1 where something needs a person, else with 0.")
@json_option
@state_option
def status(check: bool, as_json: bool, state: Path) -> None:
    """Show each stage's last batch, what waits, freshness, what is paused and unresolved dead letters."""
    from lakehouse.control import ask

    found = ask(find_running(state), "status")
    if as_json:
        click.echo(json.dumps(found["status"]))
    else:
        print_result(found["text"])
    if check and found["needs_a_person"]:
        note("needs a person: " + "; ".join(found["needs_a_person"]))
        sys.exit(1)


@main.command(epilog=example("lakehouse alerts", "lakehouse alerts --json"))
@json_option
@state_option
def alerts(as_json: bool, state: Path) -> None:
    """Show what would have been told on AWS of the runs of two weeks: to whom, in which words, and why.

    The alarms are judged as CloudWatch judges them, over what jobs say of themselves and how they ended. The
    first message of each, that it is there and all is well, is left out.
    """
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from lakehouse.alerts import alerts_text, read_alerts
    from lakehouse.stack_state import load_settings

    paths = made(state)
    settings = load_settings(paths)
    is_scheduled = settings is not None and settings.schedule
    pipeline, catalogue, now = load_pipeline(), load_catalogue(), datetime.now(UTC)
    found = read_alerts(paths.runs, pipeline, catalogue, now, is_scheduled=is_scheduled)
    if as_json:
        click.echo(json.dumps([alert.as_dict() for alert in found]))
    elif found:
        page_words(alerts_text(found))
    if not found and not as_json:
        note("nothing would have been told")
    if not is_scheduled:
        note("no schedule starts runs here, so that none starts is not told")


@main.command(
    epilog=example(
        "lakehouse schedules", "lakehouse schedules --pause NAME", "lakehouse schedules --resume NAME"
    )
)
@click.option("--pause", "paused", metavar="NAME", help="Let this one start nothing until it is resumed.")
@click.option("--resume", "resumed", metavar="NAME", help="Let this one start again what it starts.")
@json_option
@state_option
def schedules(paused: str | None, resumed: str | None, as_json: bool, state: Path) -> None:
    """Show what starts by itself and when; pause one, or resume it. What was missed is not made up for.

    On a laptop schedules fire where the stack was started with --schedule, and a pause ends with the stack.
    """
    from catalog.pipeline import load_pipeline
    from lakehouse.schedules import pause, read_schedules, resume, schedules_text
    from lakehouse.stack_state import load_settings

    pipeline, running = load_pipeline(), find_running(state)
    scheduler = running.client("scheduler")
    if paused is not None:
        pause(scheduler, pipeline.name, paused)
    if resumed is not None:
        resume(scheduler, pipeline.name, resumed)
    found = read_schedules(scheduler, pipeline.name, pipeline.schedules)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found]))
    else:
        print_result(schedules_text(found))
    settings = load_settings(made(state))
    if settings is None or not settings.schedule:
        note("nothing fires them here: lakehouse up --schedule does")


@main.command(
    "dead-letters", epilog=example("lakehouse dead-letters", "lakehouse dead-letters --table TABLE --json")
)
@click.option("--table", metavar="NAME", help="One source table; all of them unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@state_option
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
        print_result(f"{letter.table} {letter.key}, batch {letter.batch} of {letter.captured_at}")
        for rule in letter.rules:
            print_result(f"  {rule['severity']}: {rule['reason']} ({rule['rule']})")
    note(f"{counted(len(found), 'unresolved dead letter')}")


@main.command(epilog=example("lakehouse validate --dry-run --since 2026-11-01"))
@click.option("--dry-run", is_flag=True, help="Change nothing; the runs of the pipeline validate.")
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day of captures (UTC), such as 2026-11-01.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@state_option
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
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        print_result(report_text(found, suites))


@main.command(
    epilog=example(
        "lakehouse lineage",
        "lakehouse lineage --column DATABASE.TABLE.COLUMN",
        "lakehouse lineage --write DIR",
    )
)
@click.option("--column", metavar="NAME", help="One column: its ways from the source, and what it reaches.")
@click.option(
    "--write",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write OpenLineage's events into this folder: one for each commit, and what reads the tables.",
)
@click.option(
    "--since",
    metavar="BATCH",
    type=click.IntRange(min=1),
    help="With --write: commits of this batch and later.",
)
@click.option(
    "--namespace", metavar="NAME", help="With --write: of jobs and datasets; the project's unless given."
)
@json_option
@state_option
def lineage(
    column: str | None,
    folder: Path | None,
    since: int | None,
    namespace: str | None,
    as_json: bool,
    state: Path,
) -> None:
    """Say where columns come from and what they reach, to the dashboard's cards; count what is untraced.

    It reads contracts, the SQL that the jobs run, and the texts of views, questions and notebooks. With
    --write, each commit of the lake becomes a run event, a file each, that Marquez and others take.
    """
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from glue_jobs.documentation.column_lineage import load_lineage
    from lakehouse import lineage as found

    if folder is None and (since is not None or namespace is not None):
        raise click.UsageError(
            "--since and --namespace say which events to write, and how: give --write DIR."
        )
    if namespace is not None and not found.is_namespace(namespace):
        raise click.BadParameter(
            "a namespace is 1 to 1,024 characters of a-z, A-Z, 0-9 and : / _ - . since Marquez takes no"
            " others.",
            param_hint="'--namespace'",
        )
    with progress("reading contracts and texts"):
        known = load_lineage()
    if column is not None:
        field = found.find_column(known, column)
        if as_json:
            click.echo(json.dumps(found.column(known, field)))
        else:
            print_result(found.column_text(known, field))
    elif as_json:
        click.echo(json.dumps(found.figures(known)))
    else:
        page_words(found.figures_text(known))
    if folder is None:
        return
    lake = find_running(state).lake()
    after = found.since_batch(lake, since) if since is not None else {}
    name = namespace or load_pipeline().name
    events, size = found.write(folder, lake, load_catalogue(), known, name, after)
    if not events:
        raise UserError("Nothing was captured yet.", f"Capture it with: {command_line('run', state)}")
    note(f"{counted(events, 'event')}, {size:,} bytes, in {folder}")


@main.command(epilog=example("lakehouse reconcile", "lakehouse reconcile --json | jq .verdict"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@state_option
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
    if read_what_was_taken_up(Paths.of(state)):
        note(f"the project has changed since the stack took it up: {command_line('run', state)} takes it up")
    catalogue, lake = load_catalogue(), running.lake()
    if lake.log("capture").latest() is None:
        raise UserError("Nothing was captured yet.", f"Capture it with: {command_line('run', state)}")
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
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        print_result(report.as_text())
    for table in requested:
        note(f"{table} is asked to be captured in full, once: lakehouse run, then compare again")
    if report.verdict != "equal":
        sys.exit(1)


@main.command(epilog=example("lakehouse maintain", "lakehouse maintain --remove"))
@click.option("--remove", is_flag=True, help="Remove them, as the nightly job does; else they are listed.")
@json_option
@state_option
def maintain(remove: bool, as_json: bool, state: Path) -> None:
    """List the objects that nobody can need any more: of runs that never committed, and long replaced."""
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from glue_jobs.lake.layout import utc_now
    from glue_jobs.maintenance.housekeeping import JOB, MaintainArguments, read, survey
    from glue_jobs.maintenance.retention import Listed
    from glue_jobs.runtime import arguments
    from lakehouse.drive import run_job

    if remove and as_json:
        raise click.UsageError("--json is of the list: give it without --remove.")
    running = find_running(state)
    if remove:
        with progress("removing") as say:
            run_job(running.client("glue"), JOB, Paths.of(state).runs, watch(say, JOBS))
        return
    pipeline = load_pipeline()
    stated = pipeline.jobs[JOB].arguments
    words = [part for name in stated for part in (name, pipeline.resolve(stated[name], running.buckets))]
    given = arguments.parse(MaintainArguments, words)
    sizes: list[int] = []
    objects: list[dict[str, str | int]] = []

    def found(why: str, bucket: str, listed: Listed) -> None:
        sizes.append(listed.bytes)
        if as_json:
            place = {"bucket": lake.buckets[bucket], "key": listed.key}
            objects.append({"why": why, "bytes": listed.bytes, **place})
            return
        click.echo(f"{why:<12}{listed.bytes:>14,}  s3://{lake.buckets[bucket]}/{listed.key}")

    lake, now = running.lake(), utc_now()
    reachable = read(given, lake, load_catalogue(), now)
    looked_at = survey(given, lake, reachable, now, found)
    if as_json:
        click.echo(json.dumps(objects))
    note(f"{len(sizes):,} of {looked_at:,} objects, {sum(sizes):,} bytes; --remove removes them")


@main.command(epilog=example("lakehouse release", "lakehouse release --table TABLE && lakehouse run"))
@click.option("--table", metavar="NAME", help="Release this table alone; all that is held unless said.")
@click.option("--rejected", is_flag=True, help="Let held rejections go to the dead letters instead.")
@json_option
@state_option
def release(table: str | None, rejected: bool, as_json: bool, state: Path) -> None:
    """Let a held mass delete through, exactly the rows that are held, at the next capture.

    A table that lost many rows at once is not captured until a person has looked. Rows that vanish later
    are looked at again. With --rejected: a batch of which too much was to be rejected goes to the dead
    letters.
    """
    from catalog.catalogue import load_catalogue
    from glue_jobs.lake import approvals
    from glue_jobs.lake.layout import iso, utc_now
    from glue_jobs.sources.mass_deletes import MassDeletes
    from lakehouse.release import release

    running = find_running(state)
    if rejected:
        bucket = running.buckets["ingestion"]
        approved = approvals.approve(running.client("s3"), bucket, iso(utc_now()))
        if as_json:
            click.echo(json.dumps({"approved": approved}))
        if not approved:
            note("no batch awaits approval; there is nothing to release")
            return
        then = command_line("run", state)
        note(f"released; the next run sends exactly these rows to the dead letters: {then}")
        return
    known = load_catalogue().captured
    if table is not None and table not in known:
        raise UserError(f"There is no source table {table}.", f"There are {', '.join(known)}.")
    deletes = MassDeletes(running.client("s3"), running.buckets["ingestion"])
    if not any(table in (None, one.table) for one in deletes.waiting()):
        if as_json:
            click.echo(json.dumps([]))
        note(f"no deletion{f' of {table}' if table else ''} waits for a person; there is nothing to release")
        return
    released = release(deletes, table, iso(utc_now()))
    if as_json:
        told = ("table", "missing", "live", "since")
        click.echo(json.dumps([{name: getattr(one, name) for name in told} for one in released]))
    for delete in released if not as_json else ():
        print_result(f"{delete.table}: {delete.missing:,} of {delete.live:,} rows, gone since {delete.since}")
    note(f"released; the next capture publishes a deletion for each: {command_line('run', state)}")
