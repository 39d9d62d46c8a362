"""Takes the documents' pictures of the console, one of each page, as the stack of a directory shows it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glue_jobs.runtime.errors import UserError
from lakehouse.command_line import ROLES
from lakehouse.console.launch import open_console
from lakehouse.stack import find_running
from lakehouse.stack_state import DEFAULT, Paths
from tools.browser import browser, serving

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

LARGEST = 200_000
"""Bytes that a picture may have."""

WIDTH, HEIGHT = 1160, 900

PAGES = {
    "dashboard": "dashboard/",
    "console-overview": "",
    "console-runs": "runs",
    "console-batches": "batches",
    "console-quality": "quality",
    "console-catalog": "catalog",
    "console-query": "query",
}
"""By picture, the page. Pages that show values of rows are no part of it."""

LOOKS = {
    f"-{width}-{'dark' if dark else 'light'}": (width, dark)
    for width in (1400, 800, 390)
    for dark in (False, True)
}
"""By ending of a picture's name, the width and whether it is dark."""

DRAWN = """new Promise((done) => {
    const look = () => (document.body.dataset.shown === undefined ? setTimeout(look, 20) : done(true));
    document.getElementById("payload") ? look() : done(true);
})"""
"""Settles once the charts of a page are drawn."""


def main(argv: Sequence[str]) -> int:
    """Take the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.console_screenshot", description=__doc__)
    parser.add_argument("--state", type=Path, default=DEFAULT, help="the directory of the stack")
    parser.add_argument(
        "--all",
        type=Path,
        metavar="DIR",
        help="put every page there in three widths and both modes, to be looked at, and leave the documents'",
    )
    given = parser.parse_args(argv)
    state, looks = given.state, LOOKS if given.all else {"": (WIDTH, False)}
    taken = {}
    try:
        with (
            tempfile.TemporaryDirectory() as profile,
            open_console(find_running(state), ROLES[0], 0, Paths.of(state)) as server,
            serving(server),
            browser(Path(profile)) as page,
        ):
            for name, path in PAGES.items():
                for look, (width, dark) in looks.items():
                    page.resize(width, HEIGHT, dark=dark)
                    page.open(f"{server.url}{path}")
                    page.run(DRAWN)
                    if given.all:
                        whole = page.run("document.documentElement.scrollHeight")
                        page.resize(width, whole, dark=dark)
                        page.run(DRAWN)
                    taken[f"{name}{look}"] = page.picture()
    except (UserError, FileNotFoundError) as error:
        print(f"console_screenshot: {error}", file=sys.stderr)
        return 1
    folder = given.all or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in taken.items():
        (folder / f"{name}.png").write_bytes(picture)
        print(f"{name}.png: {len(picture):,} bytes")
    return 0 if given.all or max(map(len, taken.values())) <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
