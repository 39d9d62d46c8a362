"""Takes the README's picture of the dashboard: its first sheet, as the stack of a directory answers it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bi.dashboard import load_dashboard
from glue_jobs.runtime.errors import UserError
from lakehouse.dashboard.server import DashboardServer
from lakehouse.dashboard.sources import Lake
from lakehouse.stack import find_running
from lakehouse.stack_state import DEFAULT, Paths
from tools.browser import browser, serving

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "dashboard.png"

LARGEST = 200_000
"""Bytes that the picture may have."""

WIDTH, HEIGHT = 1160, 1150

_DRAWN = """new Promise((done) => {
    const look = () => (document.body.dataset.shown === undefined ? setTimeout(look, 20) : done(true));
    look();
})"""


def main(argv: Sequence[str]) -> int:
    """Take the picture; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboard_screenshot", description=__doc__)
    parser.add_argument("--state", type=Path, default=DEFAULT, help="the directory of the stack")
    state = parser.parse_args(argv).state
    try:
        running = find_running(state)
        source = Lake(running.client("athena"), running.work_group)
        with (
            tempfile.TemporaryDirectory() as profile,
            DashboardServer(load_dashboard(), source, Paths.of(state).dashboard, 0) as server,
            serving(server),
            browser(Path(profile)) as page,
        ):
            page.resize(WIDTH, HEIGHT)
            page.open(server.url)
            page.run(_DRAWN)
            PICTURE.write_bytes(page.picture())
    except (UserError, FileNotFoundError) as error:
        print(f"dashboard_screenshot: {error}", file=sys.stderr)
        return 1
    taken = PICTURE.stat().st_size
    print(f"{PICTURE}: {taken:,} bytes")
    return 0 if taken <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
