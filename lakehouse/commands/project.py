"""Making a project of one's own from a database."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from lakehouse.command_line import example, main
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
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Tables to capture, as schema.table or table, * for any letters; may be repeated.",
)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Tables to leave out, likewise; may be repeated."
)
@click.option(
    "--rename",
    "names",
    multiple=True,
    metavar="SOURCE=NAME",
    callback=_names,
    help="The lake's name of schema.table or schema.table.column; may be repeated.",
)
@click.option("--owner", metavar="ADDRESS", help="Who answers for the tables; an address.")
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
