"""Pages for people: dashboard, documentation, notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glue_jobs.runtime.errors import UserError
from lakehouse.command_line import (
    JOBS,
    ROLES,
    command_line,
    example,
    main,
    role_option,
    state_option,
)
from lakehouse.commands.stack import exports
from lakehouse.stack import find_running
from lakehouse.stack_state import Paths
from lakehouse.terminal import (
    note,
    progress,
    watch,
)

if TYPE_CHECKING:
    from bi.select_lists import Engine
    from lakehouse.loopback import LoopbackServer
    from lakehouse.stack_state import Running
    from local_aws.gateway.http_api import Gatekeeper

_FROM_LAKE: Engine = "lake"


def _served(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that serves the console."""
    return click.option(
        "--port",
        type=click.IntRange(min=0, max=65_535),
        default=8600,
        show_default=True,
        help="The port on 127.0.0.1; 0 takes a free one.",
    )(role_option(state_option(command)))


@main.command(
    epilog=example(
        "lakehouse console",
        "lakehouse console --as analyst --port 8080",
        "lakehouse console --environment dev --profile totes --region eu-west-2   # AWS, not the stack",
    )
)
@click.option(
    "--environment",
    metavar="NAME",
    help="Show the lake that is deployed as this environment on AWS, such as dev, with your own credentials.",
)
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration, for --environment.")
@click.option("--region", metavar="NAME", help="The region of the lake, for --environment.")
@_served
def console(
    environment: str | None, profile: str | None, region: str | None, port: int, role: str, state: Path
) -> None:
    """Serve the console: what runs, what came, dashboard, catalog, queries, documentation. Ctrl-C ends it.

    It reads what the role may read, and changes nothing. This machine alone can see it.
    """
    if environment is None and (profile or region):
        raise click.UsageError("--profile and --region say how to reach AWS: name --environment, too.")
    if environment is None:
        _serve(find_running(state), role, port, state)
        return
    from catalog.pipeline import load_pipeline
    from lakehouse.account import connect

    account = connect(load_pipeline(), environment, role, profile, region)

    def opened() -> LoopbackServer:
        from lakehouse.console.launch import open_account_console

        return open_account_console(account, role, port, Path(click.get_app_dir("lakehouse")) / "dashboard")

    _serve_console(opened)


@main.command(epilog=example("lakehouse docs", "lakehouse docs --port 8080 --as-is"))
@click.option("--as-is", is_flag=True, help="Serve what is there, and build nothing first.")
@_served
def docs(as_is: bool, port: int, role: str, state: Path) -> None:
    """Open the console at the documentation, brought up to date by its job first. Ctrl-C ends it.

    What every table and column means, and every batch as Great Expectations shows it.
    """
    from lakehouse.console.documents import BUILD, NOT_BUILT, Documents
    from lakehouse.drive import run_job
    from lakehouse.parts import SITES_JOB

    running = find_running(state)
    if as_is and not Documents(running.client("s3"), running.buckets["documentation"]).are_built:
        raise UserError(NOT_BUILT, BUILD)
    if not as_is:
        with progress("building the documentation") as say:
            run_job(running.client("glue"), SITES_JOB, Paths.of(state).runs, watch(say, JOBS))
    _serve(running, role, port, state, front="docs/")


@main.command(epilog=example("lakehouse dashboard", "lakehouse dashboard --from warehouse --port 8080"))
@click.option(
    "--from",
    "engine",
    type=click.Choice([_FROM_LAKE, "warehouse"]),
    default=_FROM_LAKE,
    show_default=True,
    help="What it reads: the lake, by Athena, or the warehouse.",
)
@_served
def dashboard(engine: Engine, port: int, role: str, state: Path) -> None:
    """Open the console at the dashboard; a reload reads it again. Ctrl-C ends it.

    The same sheets that QuickSight shows.
    """
    from bi.dashboard import load_dashboard

    if engine == "warehouse" and role == ROLES[0]:
        raise click.UsageError("The warehouse shows personal columns: an analyst reads the lake.")
    # Whether there is one is said first.
    load_dashboard()
    _serve(find_running(state), role, port, state, engine, front="dashboard/")


def _serve(
    running: Running, role: str, port: int, state: Path, engine: Engine = _FROM_LAKE, front: str = ""
) -> None:
    """Serve the console until a person ends it, and say where one part of it is."""

    def opened() -> LoopbackServer:
        from lakehouse.console.launch import open_console

        return open_console(running, role, port, Paths.of(state), engine)

    _serve_console(opened, front)


def _serve_console(opened: Callable[[], LoopbackServer], front: str = "") -> None:
    """Serve a console until a person ends it, once what it is made with is there."""
    from lakehouse.parts import DASHBOARD, require

    with progress("drawing up the console") as say:
        require(DASHBOARD, say)
        server = opened()
    with server:
        click.echo(f"{server.url}{front}")
        note("Ctrl-C ends it")
        # The interrupt is how a person ends it, at whatever line.
        with suppress(KeyboardInterrupt):
            server.serve_forever()


@main.command(
    epilog=example(
        "lakehouse notebooks && lakehouse docs --as-is",
        "lakehouse notebooks --bucket my-documentation   # AWS, not the stack",
    )
)
@click.option(
    "--bucket",
    metavar="NAME",
    help="A documentation bucket on AWS, where credentials and region of the environment lead.",
)
@role_option
@state_option
def notebooks(bucket: str | None, role: str, state: Path) -> None:
    """Run the notebooks, and publish what they show on the documentation site, in notebooks/.

    They read Athena: that of the stack, or that of AWS where a bucket is named.
    """
    from lakehouse.parts import NOTEBOOKS, require

    with progress("looking at what is installed") as say:
        require(NOTEBOOKS, say)

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
        note(f"Next: {command_line('docs --as-is', state)}, then notebooks/ at its address")


@main.command(
    epilog=example(
        "lakehouse payments",
        "curl 'http://127.0.0.1:8620/v1/payments/next5?as_of=2024-11-15'",
        "lakehouse payments --issuer https://login.example/finance --audience payments",
        "lakehouse payments --signed",
    )
)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65_535),
    default=8620,
    show_default=True,
    help="The port on 127.0.0.1; 0 takes a free one.",
)
@click.option("--reader", metavar="DSN", help="The role that reads the payments in a warehouse of your own.")
@click.option("--issuer", metavar="URL", help="Ask for a token that this issuer has signed.")
@click.option("--audience", metavar="NAME", multiple=True, help="Whom the token must be for.")
@click.option(
    "--signed", is_flag=True, help="Ask for a signature of AWS, as programs show; print keys for one."
)
@click.option("--grants", metavar="ROLE", help="Print what lets a role read the payments, and serve nothing.")
@state_option
def payments(
    port: int,
    reader: str | None,
    issuer: str | None,
    audience: tuple[str, ...],
    signed: bool,
    grants: str | None,
    state: Path,
) -> None:
    """Serve the payments API: the function that is deployed, behind its gateway. Ctrl-C ends it.

    Nobody is asked who he is unless an issuer of tokens is named, or signatures are asked for. This machine
    alone can reach it.
    """
    from catalog.catalogue import load_catalogue
    from lakehouse import payments as api
    from lakehouse.stack_state import load_settings

    if grants is not None:
        api.refuse_other_projects(load_catalogue())
        click.echo("\n".join(f"{statement};" for statement in api.grants_of(grants)))
        return
    if signed and (issuer is not None or audience):
        raise click.UsageError(
            "An API asks for tokens or for signatures: serve the other one on another --port."
        )
    gate: Gatekeeper | None = api.authorizer_of(issuer, audience)
    running, paths = find_running(state), Paths.of(state)
    api.refuse_other_projects(load_catalogue())
    settings = load_settings(paths)
    embedded = settings is not None and settings.warehouse is None
    dsn = api.reader_of(paths, running, reader, embedded=embedded)
    keys = None
    if signed:
        gate, keys = api.program()
    with api.serving(running, dsn, gate, port) as server:
        click.echo(server.url)
        if keys is not None:
            signs = f"--aws-sigv4 aws:amz:{api.REGION}:execute-api --user {keys.access_key}:{keys.secret_key}"
            click.echo(f"curl {signs} {server.url}v1/payments/next5")
        note("Ctrl-C ends it")
        # The interrupt is how a person ends it, at whatever line.
        with suppress(KeyboardInterrupt):
            server.serve_forever()
