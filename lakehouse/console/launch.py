"""Makes a console of a running stack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bi.dashboard import load_dashboard, load_redacted_dashboard
from bi.select_lists import Engine
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.documentation.health import read_health
from glue_jobs.lake.layout import utc_now
from lakehouse.account import Account, AccountRuns
from lakehouse.command_line import ROLES, seen_by
from lakehouse.console.app import Parts, create_app
from lakehouse.console.documents import Documents
from lakehouse.console.pages import Sheets
from lakehouse.console.reading import Reading
from lakehouse.dashboard.sources import Lake, Source, Warehouse
from lakehouse.job_runs import StackRuns
from lakehouse.loopback import LoopbackServer
from lakehouse.stack_state import Paths, Running, load_settings


def open_console(
    running: Running,
    role: str,
    port: int,
    paths: Paths,
    engine: Engine = "lake",
    now: Callable[[], datetime] = utc_now,
) -> LoopbackServer:
    """The console of a stack, bound to its port; `serve_forever` serves it.

    Args:
        running: The stack.
        role: Whose rights its pages are read with.
        port: The port on 127.0.0.1; 0 lets the operating system choose.
        paths: Where the stack lies.
        engine: What the dashboard reads.
        now: What says how late it is (UTC, without zone).

    Raises:
        UserError: The port is taken.
    """
    acting, catalogue, lake = running.acting(role), seen_by(role), running.lake()
    settings = load_settings(paths)
    is_scheduled = settings is not None and settings.schedule
    source: Source = Lake(acting.client("athena"), acting.work_group)
    # The warehouse has no copies without personal columns, so whoever may not see these reads the lake alone.
    other: Source | None = None if role == ROLES[0] else Warehouse(running.warehouse)
    if engine == "warehouse" and other is not None:
        source, other = other, source
    declared = load_redacted_dashboard() if role == ROLES[0] else load_dashboard()
    # What is amiss is the same whoever looks: it is of the lake itself, and not of what a role sees of it.
    parts = Parts(
        Sheets(declared, source, paths.dashboard, other),
        Documents(running.client("s3"), running.buckets["documentation"]),
        lambda: read_health(lake, load_catalogue(), now()),
        Reading(
            acting,
            running,
            role,
            catalogue,
            StackRuns(paths.runs),
            running.warehouse,
            is_scheduled=is_scheduled,
        ),
    )
    return LoopbackServer(create_app(parts), port)


def open_account_console(account: Account, role: str, port: int, kept: Path) -> LoopbackServer:
    """The console of a lake on AWS, bound to its port on this machine.

    Everything is read with the credentials of whoever asks: what they may not read is said in words.

    Args:
        account: The lake.
        role: Of analysts, the one whose tables are shown; any other is shown all.
        port: The port on 127.0.0.1; 0 lets the operating system choose.
        kept: A folder in which the charting library is kept.

    Raises:
        UserError: The port is taken.
    """
    catalogue, lake, pipeline = seen_by(role), account.lake(), load_pipeline()
    declared = load_redacted_dashboard() if role == ROLES[0] else load_dashboard()
    parts = Parts(
        Sheets(declared, Lake(account.client("athena"), account.work_group, on_aws=True), kept),
        Documents(account.client("s3"), account.buckets["documentation"]),
        lambda: read_health(lake, load_catalogue(), utc_now()),
        Reading(account, account, role, catalogue, AccountRuns(account, pipeline), None),
        account.called,
    )
    return LoopbackServer(create_app(parts), port)
