"""Start and stop a stack."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from glue_jobs.runtime.errors import UserError
from lakehouse.daemon_log import why_not
from lakehouse.project_copy import drop_others, load_copy
from lakehouse.stack_state import (
    Paths,
    Running,
    Settings,
    load_running,
    load_settings,
)
from lakehouse.take_up import Look, Permission, environment_of, look, of_copy
from local_aws.processes import find_process

Say = Callable[[str], None]
"""Tells a person what happens now."""

_READY_SECONDS = 180.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class UpOptions:
    """What a person asks of `up`; None leaves what the stack was made with, or the default."""

    source: str | None = None
    warehouse: str | None = None
    data: str | None = None
    scale: int | None = None
    schedule: bool = False
    until: str | None = None


@dataclass(frozen=True)
class Started:
    """What `up` did.

    Attributes:
        running: The stack.
        was_running: Whether it ran before.
        rows: The rows that were loaded by table.
        taken_up: What of the project had changed and is taken up.
        left: Why something that changed is not taken up, and the way out; nothing where all is.
    """

    running: Running
    was_running: bool
    rows: dict[str, int]
    taken_up: tuple[str, ...] = ()
    left: UserError | None = None


def up(directory: Path, options: UpOptions, say: Say) -> Started:
    """Start a stack, or find it running, and return when it is ready.

    Args:
        directory: Where everything of it lives.
        options: What is asked.
        say: Is told what happens.

    Raises:
        UserError: It cannot be started as asked. Nothing that it started is left running, and a stack that is
            new by then leaves nothing that the next try would have to agree with.
    """
    paths = Paths.of(directory)
    _refuse_directory(paths.root)
    with paths.locked("command", wait=True):
        made = load_settings(paths)
        settings = _settings(paths, options, made)
        moved = made is not None and (settings.source, settings.warehouse) != (made.source, made.warehouse)
        if made is None or moved:
            say("checking the databases")
            _check(settings)
        if settings.unfilled and settings.data is not None:
            _check_data(settings.data)
        running = load_running(paths)
        was_running = running is not None and running.alive
        if moved and was_running:
            say("stopping the stack: its databases have another address")
            _stop(paths)
            was_running = False
        if was_running and options.schedule and not settings.schedule:
            raise UserError(
                f"The stack in {paths.root} runs, without firing schedules.",
                f"Stop it first: lakehouse down --state {paths.root}",
            )
        seen, left = _look(paths)
        is_again = was_running and seen is not None and seen.is_changed
        if is_again:
            _come_to_rest(paths, say)
        try:
            if running is None or not was_running or is_again:
                settings = replace(
                    settings, schedule=options.schedule or (is_again and settings.schedule)
                ).save(paths)
                end_leftovers(paths)
                say("starting the stack")
                running = _start_by(paths, seen)
            rows: dict[str, int] = {}
            if settings.unfilled:
                settings.save(paths)
                rows = _fill(paths, settings, running, say)
                replace(settings, filled=True).save(paths)
        except BaseException:
            if settings.unfilled or made is None:
                # By an error or by Ctrl-C: what was asked did not come about, and may be asked otherwise.
                _stop(paths)
                paths.settings.unlink(missing_ok=True)
            raise
        return Started(running, was_running, rows, () if seen is None else seen.told, left)


def take_up(directory: Path, allowed: Permission, say: Say) -> tuple[Running, tuple[str, ...]]:
    """Let a running stack work by the project's files as they are now.

    Where they changed it is started again, once the jobs that run have ended. Killed at whatever point, it
    works by the former project or by the new one.

    Args:
        directory: Where everything of it lies.
        allowed: What a person allows.
        say: Is told what happens.

    Returns:
        The stack, and what was taken up, in words.

    Raises:
        UserError: No stack runs, or something changed that it may not take up; nothing is taken up then.
        ContractError: The files cannot be read.
    """
    running, paths = find_running(directory), Paths.of(directory)
    if load_copy(paths) is None:
        return running, ()
    with paths.locked("command", wait=True):
        seen = look(paths, allowed)
        if not seen.is_changed:
            return running, ()
        _come_to_rest(paths, say)
        say("taking up what changed in the project")
        return _start_by(paths, seen), seen.told


def _look(paths: Paths) -> tuple[Look | None, UserError | None]:
    """What of the project a stack takes up by itself, and what keeps it from the rest."""
    from catalog.yaml_lines import ContractError

    try:
        return look(paths), None
    except (UserError, ContractError) as error:
        before = of_copy(paths)
        if before is None:
            raise
        if isinstance(error, UserError):
            return before, error
        return before, UserError(f"{error}.", "Correct it; until then the stack works by what it had.")


def _come_to_rest(paths: Paths, say: Say) -> None:
    """Wait for the jobs that run, and stop the stack."""
    from local_aws.jobs.run_records import read_runs

    def is_running() -> bool:
        runs = read_runs(paths.runs, "jr_")
        return any(run.get("pid") and find_process(run["pid"], run["pid_started"]) for run in runs)

    say("waiting for the jobs that run")
    while is_running():
        time.sleep(_POLL_SECONDS)
    _stop(paths)


def _start_by(paths: Paths, seen: Look | None) -> Running:
    """Start a stack by what it is to take up; by what it had where it does not start by that."""
    if seen is None or not seen.is_changed:
        if seen is not None:
            seen.take_up(paths)
        return _start_daemon(paths)
    seen.copy.save(paths)
    try:
        running = _start_daemon(paths)
    except UserError:
        seen.take_back(paths)
        _start_daemon(paths)
        raise
    drop_others(paths, seen.copy)
    return running


def down(directory: Path, say: Say) -> bool:
    """Stop a stack, and whatever a killed one left running.

    Returns:
        Whether anything of it was running.
    """
    paths = Paths.of(directory)
    if not paths.settings.exists():
        return False
    with paths.locked("command", wait=True):
        running = load_running(paths)
        if running is not None and running.alive:
            say("stopping the stack")
        return _stop(paths)


def _stop(paths: Paths) -> bool:
    """End a stack and what it left; whether there was anything."""
    running = load_running(paths)
    daemon = None if running is None else find_process(running.pid, running.pid_started)
    if daemon is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            daemon.terminate()
            try:
                daemon.wait(_STOP_SECONDS)
            except psutil.TimeoutExpired:
                daemon.kill()
                daemon.wait(_STOP_SECONDS)
    return end_leftovers(paths) or daemon is not None


def find_running(directory: Path) -> Running:
    """The stack that runs in a directory.

    Raises:
        UserError: None does.
    """
    paths = Paths.of(directory)
    running = load_running(paths)
    if running is None or not running.alive:
        raise UserError(
            f"No stack is running in {paths.root}.",
            f"Start it with: lakehouse up --state {paths.root}",
        )
    settings = load_settings(paths)
    if settings is None or settings.unfilled:
        raise UserError(
            f"The source of the stack in {paths.root} is not filled: an earlier up did not come to its end.",
            f"Fill it with: lakehouse up --state {paths.root}",
        )
    return running


def end_leftovers(paths: Paths) -> bool:
    """End what a killed daemon left running: its jobs and its PostgreSQL. Whether there was anything."""
    from lakehouse.embedded_postgres import EmbeddedPostgres
    from local_aws.jobs.run_records import read_runs

    found = False
    for run in read_runs(paths.runs, "jr_"):
        if run.get("pid") and find_process(run["pid"], run["pid_started"]) is not None:
            found = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run["pid"], signal.SIGKILL)
    if paths.postgres.exists():
        server = EmbeddedPostgres(paths.postgres)
        found = found or server.process() is not None
        server.stop()
    return found


def _refuse_directory(root: Path) -> None:
    """Refuse a directory that a part of the stack cannot lie in."""
    for letter, name in ((",", "a comma"), ("\n", "a line break"), ("\r", "a line break")):
        if letter in str(root):
            raise UserError(
                f"The directory {str(root)!r} has {name} in its name, by which Spark separates directories.",
                "Name another one with --state.",
            )


def _settings(paths: Paths, options: UpOptions, made: Settings | None) -> Settings:
    """What the stack is made with: as it was made, unless it is new; another wish is refused.

    The same database by another role, or with another password, is no other wish.
    """
    _refuse_nonsense(options)
    data = None if options.data is None else str(Path(options.data).resolve())
    if made is None:
        return Settings(
            source=options.source,
            warehouse=options.warehouse,
            data=data,
            scale=options.scale or 1,
            until=options.until,
        )
    if made.unfilled and (data is not None or options.scale is not None or options.until is not None):
        # Nothing was loaded yet, so what to load may still be chosen.
        made = replace(made, data=data, scale=options.scale or 1, until=options.until)
    if options.source is not None and is_same_database(options.source, made.source):
        made = replace(made, source=options.source)
    if options.warehouse is not None and is_same_database(options.warehouse, made.warehouse):
        made = replace(made, warehouse=options.warehouse)
    differences = {
        "--source": (options.source, made.source),
        "--warehouse": (options.warehouse, made.warehouse),
        "--data": (data, made.data),
        "--scale": (options.scale, None if made.data or made.source else made.scale),
        "--until": (options.until, made.until),
    }
    differs = [name for name, (asked, was) in differences.items() if asked is not None and asked != was]
    if differs:
        raise UserError(
            f"The stack in {paths.root} was made with another {' and '.join(differs)}.",
            "Leave that out to use the stack as it is, or name another directory with --state.",
        )
    return made


def is_same_database(one: str, other: str | None) -> bool:
    """Whether two DSNs lead to one database, as whichever role and with whichever password."""
    from glue_jobs.runtime.connections import location_of

    return other is not None and (one == other or location_of(one) == location_of(other))


def _refuse_nonsense(options: UpOptions) -> None:
    filling = {"--data": options.data, "--scale": options.scale, "--until": options.until}
    fills = [name for name, asked in filling.items() if asked is not None]
    if options.source is not None and fills:
        raise UserError(
            f"{' and '.join(fills)} would fill an embedded source; --source names an existing one, which is"
            " only read.",
            "Give one or the other.",
        )
    if options.data is not None and len(fills) > 1:
        raise UserError(f"{' and '.join(fills)} both fill the source.", "Give one or the other.")
    if options.source is not None and options.source == options.warehouse:
        raise UserError(
            "--source and --warehouse name the same database, and the source is only ever read.",
            "Name another database for the warehouse, or leave --warehouse out for an embedded one.",
        )
    if options.data is not None and not Path(options.data).is_dir():
        raise UserError(
            f"--data {options.data} is no directory.", "Name the one that holds <table>.csv.gz files."
        )


def _check(settings: Settings) -> None:
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from lakehouse.database_checks import check_source, check_warehouse

    if settings.source is not None:
        check_source(settings.source, load_catalogue(), load_pipeline().source.schema_name)
    if settings.warehouse is not None:
        check_warehouse(settings.warehouse)


def _check_data(data: str) -> None:
    from catalog.pipeline import load_pipeline
    from lakehouse.example import load_example

    try:
        load_example(load_pipeline()).check(data)
    except ValueError as error:
        raise UserError(
            f"The source cannot be filled: {error}.",
            "Nothing was started. Mend that, then give the same command again.",
        ) from error


def _start_daemon(paths: Paths) -> Running:
    paths.logs.mkdir(parents=True, exist_ok=True)
    daemon: subprocess.Popen[bytes] | None = None
    try:
        with paths.daemon_log.open("ab") as log, _signals_kept():
            daemon = subprocess.Popen(
                [sys.executable, "-m", "lakehouse.daemon", "--state", str(paths.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=paths.root,
                env=environment_of(paths),
                start_new_session=True,
            )
        return _wait_until_ready(paths, daemon)
    except BaseException:
        # Not ready, or given up by Ctrl-C: it takes down what it has started.
        if daemon is not None:
            daemon.terminate()
            daemon.wait()
        raise


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep Ctrl-C and a request to terminate until the block ends: a process that it starts is known then."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda one, _: came.append(one)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for told in came:
        signal.raise_signal(told)


def _wait_until_ready(paths: Paths, daemon: subprocess.Popen[bytes]) -> Running:
    deadline = time.monotonic() + _READY_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        running = load_running(paths)
        if running is not None and running.pid == daemon.pid and running.alive:
            # It outlives this process, which is no fault: Popen would warn of it.
            daemon.returncode = 0
            return running
        time.sleep(_POLL_SECONDS)
    reason = why_not(paths.daemon_log.read_text(errors="replace"))
    raise UserError(
        f"The stack in {paths.root} did not start: {reason}.", f"See {paths.daemon_log}, then try again."
    )


def _fill(paths: Paths, settings: Settings, running: Running, say: Say) -> dict[str, int]:
    """Fill the embedded source; a filling that was killed before begins anew."""
    from catalog.pipeline import load_pipeline
    from lakehouse.embedded_postgres import EmbeddedPostgres
    from lakehouse.example import EmbeddedSource, load_example

    pipeline = load_pipeline()
    example, embedded, owner = load_example(pipeline), EmbeddedSource.of(pipeline), running.source_owner
    if owner is None:
        raise UserError("The source is not embedded, so it is not filled.", "Leave --data and --scale out.")
    server = EmbeddedPostgres(paths.postgres)
    with server.connect() as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{embedded.database}" WITH (FORCE)')
    server.ensure_database(embedded.database, embedded.owner)
    try:
        return example.fill(owner, embedded.reader, settings.data, settings.scale, settings.until, say)
    except ValueError as error:
        raise UserError(
            f"The source could not be filled: {error}.",
            "Nothing is left running. Mend that, then give the same command again.",
        ) from error
