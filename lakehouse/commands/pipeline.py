"""Running the pipeline: what is run, what ran and what it said, and how it is stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glue_jobs.runtime.errors import UserError
from lakehouse.command_line import (
    FILES_JOB,
    JOBS,
    LOAD_JOB,
    RATES_JOB,
    STAGES,
    can_be_cancelled,
    command_line,
    example,
    json_option,
    made,
    main,
    state_option,
)
from lakehouse.stack import find_running, take_up
from lakehouse.stack_state import Paths, Running
from lakehouse.take_up import Permission
from lakehouse.terminal import (
    ago,
    counted,
    note,
    print_result,
    progress,
    terminal_width,
    watch,
)

if TYPE_CHECKING:
    from lakehouse.drive import JobEvent, Watch
    from lakehouse.run_outcome import RunOutcome


alter_option = click.option(
    "--alter-warehouse",
    is_flag=True,
    help="Let a load add columns that contracts have and the warehouse lacks, as listed.",
)


def taken_up(state: Path, allowed: Permission) -> Running:
    """The stack, by the project as it is now; what that changed is printed.

    Args:
        state: Where everything of the stack lies.
        allowed: What a person allows.

    Raises:
        UserError: Something changed that the stack may not take up.
    """
    with progress("looking at the project") as say:
        running, told = take_up(state, allowed, say)
    if told:
        note("taken up from the project:")
        for line in told:
            note(f"  {line}")
    return running


def alter(running: Running, runs: Path, follow: Watch) -> None:
    """List what the warehouse lacks that can be added, and have a load add it.

    Args:
        running: The stack.
        runs: The directory of the job runs' logs.
        follow: Is told that the load's job begins, and of its end.
    """
    from catalog.catalogue import load_catalogue
    from glue_jobs.warehouse.load import read_alterations
    from lakehouse.drive import run_job

    found = read_alterations(running.warehouse, load_catalogue())
    if not found:
        return
    note("the load alters the warehouse:")
    for one in found:
        note(f"  {one}")
    targets = ",".join(one.target for one in found)
    run_job(running.client("glue"), LOAD_JOB, runs, follow, {"--alter_warehouse": targets})


@main.command(
    epilog=example("lakehouse run", "lakehouse run --stage capture", "lakehouse run --engine spark")
)
@click.option(
    "--stage",
    metavar="NAME",
    type=click.Choice([*STAGES, *JOBS]),
    help=f"Run one stage alone: {', '.join(STAGES)}, or one job by its name.",
)
@click.option(
    "--engine",
    type=click.Choice(["embedded", "spark"]),
    help="Force an engine; unless given, the job transform chooses by what waits.",
)
@alter_option
@json_option
@state_option
def run(stage: str | None, engine: str | None, alter_warehouse: bool, as_json: bool, state: Path) -> None:
    """Ingest and transform until nothing waits, and say what was done. Exits non-zero if a job failed.

    What changed in the project is taken up before, and listed.
    """
    from lakehouse.drive import SPARK_JOBS, TRANSFORM_JOB, run_job, run_stage, run_until_idle
    from lakehouse.run_outcome import outcome_since, positions

    if engine is not None and stage in set(JOBS) - {TRANSFORM_JOB}:
        raise click.UsageError(f"The job {stage} runs on one engine; leave --engine out.")
    running, runs = taken_up(state, Permission(alter=alter_warehouse)), Paths.of(state).runs
    bucket = running.buckets["ingestion"]
    can_be_cancelled(running, state)
    events: list[JobEvent] = []
    s3, began = running.client("s3"), time.monotonic()
    before = positions(s3, bucket)

    def report(*, failed: bool = False) -> RunOutcome:
        outcome, seconds = outcome_since(s3, bucket, before), time.monotonic() - began
        on_spark = any(event.job in SPARK_JOBS.values() and event.job != LOAD_JOB for event in events)
        if as_json:
            used = "spark" if on_spark else "embedded"
            click.echo(json.dumps({**outcome.as_dict(), "seconds": round(seconds, 1), "engine": used}))
        else:
            told = outcome.as_text(failed=failed)
            print_result(f"{told} · {seconds:.1f} s{', on Spark' if on_spark else ''}")
        return outcome

    try:
        with progress("starting") as say:
            tell = watch(say, JOBS)

            def follow(event: JobEvent) -> None:
                events.append(event)
                tell(event)

            if alter_warehouse:
                alter(running, runs, follow)
            if stage is None:
                run_until_idle(running.lake(), runs, follow, engine)
            elif stage in STAGES:
                run_stage(running.client("glue"), stage, runs, follow, engine)
            else:
                run_job(running.client("glue"), stage, runs, follow, {"--engine": engine} if engine else {})
    except UserError:
        # What was done before a job failed was done.
        report(failed=True)
        raise
    if report().loaded and not before["load"]:
        note(f"Next: {command_line('questions', state)}, or {command_line('dashboard', state)}")


@main.command(epilog=example("lakehouse capture", "lakehouse capture --full --table TABLE"))
@click.option("--full", is_flag=True, help="Capture every row again, whatever wrote it.")
@click.option("--table", "tables", metavar="NAME", multiple=True, help="With --full: this table alone.")
@json_option
@state_option
def capture(full: bool, tables: tuple[str, ...], as_json: bool, state: Path) -> None:
    """Capture what changed in the source, and nothing after that.

    A full capture is a request that stays until a capture has answered it: of a paused table once it goes on.
    Rows that are equal make no versions.
    """
    from catalog.catalogue import load_catalogue
    from glue_jobs.sources.full_captures import ALL, named
    from lakehouse.drive import CAPTURE_JOB, run_job
    from lakehouse.run_outcome import outcome_since, positions

    if tables and not full:
        raise click.UsageError("--table is of --full: a capture looks at every table.")
    asked = {"--full_capture": ",".join(tables) or ALL} if full else {}
    # The job refuses it, too: that would be a failed run, of which somebody is told.
    named(",".join(tables), load_catalogue().captured)
    running = find_running(state)
    can_be_cancelled(running, state)
    s3, bucket = running.client("s3"), running.buckets["ingestion"]
    before = positions(s3, bucket)
    with progress("starting") as say:
        run_job(
            running.client("glue"),
            CAPTURE_JOB,
            Paths.of(state).runs,
            watch(say, JOBS),
            {"--capture_only": "1", **asked},
        )
    outcome = outcome_since(s3, bucket, before)
    if as_json:
        click.echo(json.dumps({"captured": outcome.captured}))
    else:
        click.echo(f"{counted(outcome.rows, 'row')} captured" if outcome.rows else outcome.as_text())
    if outcome.rows:
        note(f"The next run takes it on: {command_line('run', state)}")


@main.command(epilog=example("lakehouse rates", "lakehouse rates --from 2024-03-01 --to 2024-03-31"))
@click.option("--from", "first", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]), help="The first day.")
@click.option("--to", "last", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]), help="The last day.")
@json_option
@state_option
def rates(first: datetime | None, last: datetime | None, as_json: bool, state: Path) -> None:
    """Fetch exchange rates, and run the pipeline on what is new: of the feed's window, or of the days named.

    Rates that are known already make no versions.
    """
    from catalog.pipeline import load_pipeline
    from lakehouse.drive import run_job, run_until_idle
    from lakehouse.run_outcome import outcome_since, positions

    if last is not None and first is None:
        raise click.UsageError("--to is of --from: unless that is given, the feed's window is asked for.")
    if first is not None and last is not None and last < first:
        raise click.UsageError(f"--to, {last:%Y-%m-%d}, is before --from, {first:%Y-%m-%d}.")
    if not load_pipeline().http_feeds:
        raise UserError(
            "The project has no feed of exchange rates.", "docs/how-to/add-a-feed.md says how to add one."
        )
    days = {"--first": first, "--last": last}
    asked = {name: f"{day:%Y-%m-%d}" for name, day in days.items() if day is not None}
    running, runs = find_running(state), Paths.of(state).runs
    can_be_cancelled(running, state)
    s3, bucket = running.client("s3"), running.buckets["ingestion"]
    before = positions(s3, bucket)
    with progress("asking for rates") as say:
        follow = watch(say, JOBS)
        run_job(running.client("glue"), RATES_JOB, runs, follow, asked)
        run_until_idle(running.lake(), runs, follow)
    outcome = outcome_since(s3, bucket, before)
    if as_json:
        click.echo(json.dumps(outcome.as_dict()))
    else:
        print_result(outcome.as_text())


@main.command(epilog=example("lakehouse files", "lakehouse files --list --json"))
@click.option("--list", "only_list", is_flag=True, help="Say what became of every file, and fetch nothing.")
@click.option(
    "--retry", metavar="KEY", help="Read a file again, as it was received, of which nothing could be taken."
)
@click.option("--reprocess", metavar="FEED", help="Read all files of a feed again, as they were received.")
@click.option(
    "--since",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="With --reprocess: those read since a day.",
)
@click.option(
    "--try",
    "tried",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say what a feed would make of a file on this machine, and fetch nothing.",
)
@click.option("--feed", metavar="FEED", help="With --try: which feed, where there are several.")
@json_option
@state_option
def files(
    only_list: bool,
    retry: str | None,
    reprocess: str | None,
    since: datetime | None,
    tried: Path | None,
    feed: str | None,
    as_json: bool,
    state: Path,
) -> None:
    """Fetch files of others' buckets, and run the pipeline on what is new.

    Files of which nothing could be taken are listed after it. Rows that are known already make no versions.
    """
    from catalog.pipeline import load_pipeline
    from glue_jobs.sources.file_ledger import require_retry
    from lakehouse.drive import run_job, run_until_idle
    from lakehouse.feed_files import feed_files, read_ledger, shown
    from lakehouse.run_outcome import outcome_since, positions

    if since is not None and reprocess is None:
        raise click.UsageError("--since is of --reprocess: what is new is fetched whenever it came.")
    if only_list and (retry or reprocess):
        raise click.UsageError("--list reads nothing again.")
    feeds = load_pipeline().file_feeds
    _check_feed(feeds, reprocess)
    if tried is not None:
        _try_file(tried, feed)
        return
    running, runs = find_running(state), Paths.of(state).runs
    s3, bucket = running.client("s3"), running.buckets["ingestion"]
    if retry is not None:
        require_retry((read_ledger(running.lake(), one) for one in feeds), retry)
    if not only_list:
        days = {"--since": f"{since:%Y-%m-%d}" if since is not None else None}
        asked = {"--retry": retry, "--reprocess": reprocess, **days}
        can_be_cancelled(running, state)
        before = positions(s3, bucket)
        with progress("looking for files") as say:
            follow = watch(say, JOBS)
            stated = {name: text for name, text in asked.items() if text}
            run_job(running.client("glue"), FILES_JOB, runs, follow, stated)
            run_until_idle(running.lake(), runs, follow)
        if not as_json:
            print_result(outcome_since(s3, bucket, before).as_text())
    found = feed_files(running.lake(), feeds)
    chosen = found if only_list else [one for one in found if one.needs_somebody]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in chosen], default=str))
        return
    if only_list and not chosen:
        print_result("No file has been looked at yet. lakehouse files looks for some.")
    for one in chosen:
        told = f": {one.reason}" if one.reason else f", {one.rows:,} rows, {one.bad_lines:,} bad lines"
        print_result(f"{one.feed}  {shown(one.key)}  {one.outcome}{told}")


def _check_feed(feeds: Collection[str], name: str | None) -> None:
    """Refuse what the job would: that would be a failed run, of which somebody is told."""
    if not feeds:
        raise UserError("The project has no feed of files.", "docs/how-to/add-a-feed.md says how to add one.")
    if name is not None and name not in feeds:
        raise UserError(f"There is no feed of files {name}.", f"There are {', '.join(feeds)}.")


def _try_file(path: Path, name: str | None) -> None:
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from lakehouse.try_file import try_file

    feeds = load_pipeline().file_feeds
    chosen = [one for one in feeds if name in (None, one)]
    if len(chosen) != 1:
        raise UserError(
            f"There is no feed of files {name}." if name else "There are several feeds of files.",
            f"Name one by --feed: {', '.join(feeds)}.",
        )
    for line in try_file(load_catalogue().raw[feeds[chosen[0]].table], path):
        click.echo(line)


@main.command(epilog=example("lakehouse runs", "lakehouse runs --failed --json"))
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
@json_option
@state_option
def runs(failed: bool, job: str | None, limit: int, as_json: bool, state: Path) -> None:
    """List the runs of jobs, the newest first: state, seconds, and why one failed. No stack has to run."""
    from lakehouse.job_runs import job_runs, runs_text

    found = job_runs(made(state).runs)
    # A job of an earlier release may have run.
    known = sorted({*JOBS, *(run.job for run in found)})
    if job is not None and job not in known:
        raise UserError(f"There is no job {job}.", f"There are {', '.join(known)}.")
    chosen = [run for run in found if job in (None, run.job) and (run.failed or not failed)]
    shown = chosen[: limit or None]
    if as_json:
        from catalog.pipeline import load_pipeline
        from lakehouse.run_costs import cost_of

        pipeline = load_pipeline()
        click.echo(json.dumps([run.as_dict() | cost_of(run, pipeline).as_dict() for run in shown]))
        return
    if shown:
        print_result(runs_text(shown, terminal_width()))
    more = f", the newest of {len(chosen):,}" if len(chosen) > len(shown) else ""
    note(f"{counted(len(shown), 'run')}{more}" + (f"; {command_line('logs RUN', state)}" if shown else ""))


@main.command(
    epilog=example("lakehouse logs", "lakehouse logs --last-failed", "lakehouse logs transform --follow")
)
@click.argument("run", required=False)
@click.option("--last-failed", is_flag=True, help="Of the newest run that failed.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--raw", is_flag=True, help="Print the lines as they are, JSON mostly.")
@state_option
def logs(run: str | None, last_failed: bool, follow: bool, raw: bool, state: Path) -> None:
    """Print the log of a run of a job: of the newest, or of RUN, a job's name or the beginning of an id.

    No stack has to run.
    """
    from lakehouse.job_runs import find_run, job_runs, log_lines, readable

    directory = made(state).runs
    chosen = find_run(job_runs(directory), run, failed=last_failed)
    note(f"{chosen.job} {chosen.name}, {chosen.state.lower()}, {ago(chosen.started)}")
    for line in log_lines(directory, chosen, follow=follow):
        text = line if raw else readable(line)
        if text:
            click.echo(text)


@main.command(epilog=example("lakehouse cancel"))
@json_option
@state_option
def cancel(as_json: bool, state: Path) -> None:
    """Stop every run that goes on. Nothing is lost: what it had not committed is done by the next run."""
    from lakehouse.job_runs import cancel

    running = find_running(state)
    with progress("stopping what runs"):
        stopped = cancel(running.client, made(state).runs)
    if as_json:
        click.echo(json.dumps({"cancelled": list(stopped)}))
    note(
        f"cancelled: {', '.join(stopped)}; {command_line('run', state)} goes on"
        if stopped
        else "nothing runs"
    )


@main.command(epilog=example("lakehouse replay", "lakehouse replay && lakehouse dead-letters"))
@json_option
@state_option
def replay(as_json: bool, state: Path) -> None:
    """Apply today's rules to the unresolved dead letters, send on what passes, and run the pipeline."""
    from glue_jobs.lake.validation_state import ValidationState
    from lakehouse.drive import REPLAY_LARGE, follow_running, run_job, run_until_idle

    running, runs = find_running(state), Paths.of(state).runs
    log = running.lake().log("validate")
    can_be_cancelled(running, state)
    with progress("looking for newer versions") as say:
        reporting = watch(say, JOBS)
        run_until_idle(running.lake(), runs, reporting)
        before = sum(ValidationState.of(log.latest()).unresolved_rows.values())
        run_job(running.client("glue"), "replay_dead_letters", runs, reporting)
        follow_running(running.client("glue"), REPLAY_LARGE, runs, reporting)
        run_until_idle(running.lake(), runs, reporting)
    after = sum(ValidationState.of(log.latest()).unresolved_rows.values())
    if as_json:
        click.echo(json.dumps({"resolved": before - after, "unresolved": after}))
    note(f"{before - after:,} of {counted(before, 'dead letter')} are resolved, {after:,} are not")


@main.command(epilog=example("lakehouse rebuild"))
@alter_option
@json_option
@state_option
def rebuild(alter_warehouse: bool, as_json: bool, state: Path) -> None:
    """Build star and warehouse again from what validation accepted, and say which tables changed by it.

    What changed in the project is taken up before, and listed: contracts of the star may change in any way.

    The zones are swapped stage by stage, each in one act, the warehouse in one transaction. Interrupted,
    it is taken up by the next run.
    """
    from glue_jobs.reconciliation import star_checksums
    from lakehouse.rebuild import rebuild

    running, runs = taken_up(state, Permission(rebuild=True, alter=alter_warehouse)), Paths.of(state).runs
    can_be_cancelled(running, state)
    with progress("taking checksums") as say:
        if alter_warehouse:
            alter(running, runs, watch(say, JOBS))
        try:
            before = star_checksums(running.warehouse, running.lake())
        except UserError:
            # A table is not yet as its contract says: there is nothing to compare with.
            before = {}
        number = rebuild(running.lake(), runs, watch(say, JOBS))
        after = star_checksums(running.warehouse, running.lake())

    def shown(table: str) -> str:
        if table not in before:
            return "new"
        return "equal" if after[table] == before[table] else "CHANGED"

    if as_json:
        tables = {
            table: {"rows": rows, "result": shown(table).lower()} for table, (rows, *_) in after.items()
        }
        click.echo(json.dumps({"rebuild": number, "tables": tables}))
        return
    for table, (rows, *_) in sorted(after.items()):
        click.echo(f"{table:<34}{rows:>12,}  {shown(table)}")
    same = sum(after[table] == before.get(table) for table in after)
    click.echo(
        f"rebuild {number}: {same} of {len(after)} tables are what they were, to the row"
        if before
        else f"rebuild {number}: {len(after)} tables, of which none could be compared with what it was"
    )


@main.command(epilog=example("lakehouse retry"))
@json_option
@state_option
def retry(as_json: bool, state: Path) -> None:
    """Have the jobs that wait tried again at the next tick.

    A job whose last run can only end as before waits, longer each time, an hour at most: its secret is
    refused, or a batch awaits approval. A changed secret, an approval or a corrected rule ends the wait by
    itself.
    """
    from glue_jobs.lake import backoff

    running = find_running(state)
    ended = backoff.end(running.client("s3"), running.buckets["ingestion"])
    if as_json:
        click.echo(json.dumps([{"job": one.job, "since": one.since, "reason": one.reason} for one in ended]))
    for wait in ended if not as_json else ():
        print_result(f"{wait.job} waited since {wait.since}: {wait.reason}")
    note("tried again at the next tick, or by lakehouse run" if ended else "no job waits")
