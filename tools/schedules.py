"""Shows, pauses and resumes the schedules of an environment on AWS: `python -m tools.schedules GROUP`.

    python -m tools.schedules totesys-dev
    python -m tools.schedules totesys-dev pause every_night
    python -m tools.schedules totesys-dev resume every_night

A deployment sets them as its variable `paused_schedules` says. On a laptop: `lakehouse schedules`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import boto3

from catalog.pipeline import load_pipeline
from glue_jobs.runtime.errors import UserError
from lakehouse.schedules import pause, read_schedules, resume, schedules_text

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

CHANGES: dict[str, Callable[[EventBridgeSchedulerClient, str, str], None]] = {
    "pause": pause,
    "resume": resume,
}


def main(argv: Sequence[str]) -> int:
    """Show the schedules, after one was paused or resumed where that is asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.schedules", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("group", help="what names of the environment begin with, such as totesys-dev")
    parser.add_argument("change", nargs="?", choices=CHANGES)
    parser.add_argument("name", nargs="?", choices=list(load_pipeline().schedules))
    given = parser.parse_args(argv)
    if given.change and not given.name:
        parser.error(f"which schedule is to {given.change}?")
    scheduler = boto3.client("scheduler")
    try:
        if given.change:
            CHANGES[given.change](scheduler, given.group, given.name)
        print(schedules_text(read_schedules(scheduler, given.group, load_pipeline().schedules)))
    except UserError as error:
        print(f"schedules: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
