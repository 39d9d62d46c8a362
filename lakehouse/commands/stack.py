"""Starting and stopping a stack, what others need to use it, and the demonstration."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path

import click

from lakehouse.command_line import (
    ROLES,
    command_line,
    example,
    json_option,
    main,
    remember_state,
    role_option,
    star_database,
    state_option,
)
from lakehouse.stack import find_running
from lakehouse.stack_state import Running
from lakehouse.terminal import (
    note,
    progress,
)


@main.command(
    epilog=example(
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
@click.option(
    "--until",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Invent a business that lives until that day; until the last working day unless said otherwise.",
)
@click.option("--schedule", is_flag=True, help="Fire the schedules: ingest every ten minutes.")
@state_option
def up(
    source: str | None,
    warehouse: str | None,
    data: str | None,
    scale: int | None,
    until: datetime | None,
    schedule: bool,
    state: Path,
) -> None:
    """Start the laptop stack, and return when it is ready."""
    from lakehouse.stack import UpOptions, up

    day = None if until is None else until.date().isoformat()
    options = UpOptions(source, warehouse, data, scale, schedule, day)
    with progress("looking at the state") as say:
        started = up(state, options, say)
    if started.rows:
        from catalog.pipeline import load_pipeline

        note(
            f"{load_pipeline().name} holds {sum(started.rows.values()):,} rows in {len(started.rows)} tables"
        )
    if started.taken_up:
        note("taken up from the project:")
        for line in started.taken_up:
            note(f"  {line}")
    note("the stack was up already" if started.was_running else "the stack is up")
    if started.left is not None:
        note(f"It works by the project as it was. {started.left.problem} {started.left.remedy}")
    click.echo(started.running.endpoint)
    note("This is the address for programs that speak to AWS; lakehouse env prints what they need.")
    note(f"Next: {command_line('run', state)}")


@main.command(epilog=example('eval "$(lakehouse env --as operator)"', "aws glue get-databases"))
@json_option
@role_option
@state_option
def env(role: str, as_json: bool, state: Path) -> None:
    """Print the stack's addresses as shell exports: aws, boto3 and awswrangler then use it."""
    running = find_running(state).acting(role)
    if as_json:
        click.echo(json.dumps(exports(running, role)))
        return
    for name, value in exports(running, role).items():
        click.echo(f"export {name}={shlex.quote(value)}")


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
        "WR_DATABASE": star_database(role),
        "AWS_ATHENA_WORK_GROUP": running.work_group,
        "AWS_ATHENA_S3_STAGING_DIR": pipeline.resolve(group.results, running.buckets),
    }
    if role == ROLES[0]:
        return variables
    prefix = pipeline.name.upper()
    variables[f"{prefix}_SOURCE_DSN"] = running.source
    variables[f"{prefix}_WAREHOUSE_DSN"] = running.warehouse
    if running.source_owner is not None:
        variables[f"{prefix}_SOURCE_OWNER_DSN"] = running.source_owner
    return variables


@main.command(epilog=example("lakehouse down", "lakehouse down --state /tmp/big"))
@state_option
def down(state: Path) -> None:
    """Stop the stack. Its data stay in its directory, and `lakehouse up` continues with them."""
    from lakehouse.stack import down

    with progress("looking at the state") as say:
        stopped = down(state, say)
    note("the stack is down" if stopped else f"no stack was running in {state.resolve()}")


@main.command(epilog=example("lakehouse demo"))
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    callback=remember_state,
    help="The directory of the demonstration's stack; a temporary one unless said otherwise.",
)
@click.option("--keep", is_flag=True, help="Leave the stack running at the end, to look around in it.")
def demo(state: Path | None, keep: bool) -> None:
    """Show the whole pipeline on an invented business that lives for three ticks."""
    from catalog.pipeline import load_pipeline
    from lakehouse.example import load_example

    sys.exit(load_example(load_pipeline()).demonstrate(state, keep=keep))
