"""Making a project of one's own from a database."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from lakehouse.command_line import Command, CommandGroup, example, main, state_option
from lakehouse.terminal import counted, note, progress


def _names(_context: click.Context, _option: click.Parameter, stated: tuple[str, ...]) -> dict[str, str]:
    from catalog.model import NAME_PATTERN

    found = {}
    for one in stated:
        source, equals, name = one.rpartition("=")
        if not equals or not source or not re.fullmatch(NAME_PATTERN, name):
            raise click.BadParameter(f"{one!r} is not SCHEMA.TABLE=name or SCHEMA.TABLE.COLUMN=name.")
        found[source] = name
    return found


def _choosing(command: Command) -> Command:
    """Add what a person asks of the tables: which, by what names, and who answers for them."""
    options = (
        click.option(
            "--include",
            multiple=True,
            metavar="PATTERN",
            help="Tables to capture, as schema.table or table, * for any letters; may be repeated.",
        ),
        click.option(
            "--exclude",
            multiple=True,
            metavar="PATTERN",
            help="Tables to leave out, likewise; may be repeated.",
        ),
        click.option(
            "--rename",
            "names",
            multiple=True,
            metavar="SOURCE=NAME",
            callback=_names,
            help="The lake's name of schema.table or schema.table.column; may be repeated.",
        ),
        click.option("--owner", metavar="ADDRESS", help="Who answers for the tables; an address."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command(
    epilog=example(
        'lakehouse init --source "postgresql://reader@db.example/shop" ~/shop',
        "lakehouse init --include 'sales.*' --exclude '*_log' --owner data@shop.example ~/shop",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--source",
    metavar="DSN",
    envvar="LAKEHOUSE_SOURCE",
    show_envvar=True,
    required=True,
    help="The PostgreSQL (13 or newer) that the project is about; only its structure is read.",
)
@_choosing
def init(
    folder: Path,
    source: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    names: dict[str, str],
    owner: str | None,
) -> None:
    """Write a project for a database: contracts, a star to start from, rules, a dashboard, pipeline.yaml.

    What is there already stays as it is, and a table that the project has is left alone.
    """
    from catalog.project import VARIABLE
    from lakehouse.new_project.project import Asked, write_project
    from lakehouse.new_project.reader import read_database

    with progress("reading the structure") as say:
        database = read_database(source)
        say("writing the project")
        done = write_project(folder, database, Asked(include, exclude, names, owner))
    click.echo(done.report)
    note(f"{counted(len(done.written), 'file')} written in {folder}")
    if done.left:
        note(f"{counted(len(done.left), 'file')} there already, left as they were: {', '.join(done.left)}")
    note(f"Next: export {VARIABLE}={shlex.quote(str(folder.resolve()))}")
    note("      lakehouse up --source DSN && lakehouse run && lakehouse reconcile")


@main.group(
    cls=CommandGroup,
    epilog=example("lakehouse contracts propose", "lakehouse contracts propose --write --exclude '*_log'"),
)
def contracts() -> None:
    """Compare the project's contracts with the database."""


@contracts.command(
    epilog=example("lakehouse contracts propose", "lakehouse contracts propose --write --exclude '*_log'")
)
@click.option(
    "--source",
    metavar="DSN",
    envvar="LAKEHOUSE_SOURCE",
    show_envvar=True,
    help="The database; that of the stack unless stated. Only its structure is read.",
)
@_choosing
@click.option("--write", is_flag=True, help="Write the contracts of tables that the project does not have.")
@state_option
def propose(
    source: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    names: dict[str, str],
    owner: str | None,
    write: bool,
    state: Path,
) -> None:
    """Print what the contracts lack of the database: columns, values, tables, as YAML to paste.

    No file that is there is changed.
    """
    from catalog.project import project_folder
    from glue_jobs.runtime.errors import UserError
    from lakehouse.new_project.project import Asked, propose_additions
    from lakehouse.new_project.reader import read_database
    from lakehouse.stack_state import Paths, load_running

    running = None if source is not None else load_running(Paths.of(state))
    dsn = source or (None if running is None else running.source)
    if dsn is None:
        raise UserError("No database is named, and no stack has one.", "Name it: --source DSN")
    folder = project_folder()
    with progress("reading the structure"):
        database = read_database(dsn)
    asked = Asked(include, exclude, names, owner)
    found = propose_additions(folder, database, asked, write=write)
    for addition in found.additions:
        click.echo(f"{addition}\n")
    for path, text in found.files.items():
        if path not in found.written:
            click.echo(f"# {path}: a new file:\n{text}")
    if found.left_out:
        note("not held:")
        for one in found.left_out:
            note(f"  {one}")
    if not found.additions and not found.files:
        note(f"the contracts in {folder} state all of {database.name} that can be held")
    elif found.written:
        note(f"written: {', '.join(found.written)}")
