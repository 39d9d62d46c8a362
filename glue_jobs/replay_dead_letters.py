"""Glue job: judge open dead letters again by today's rules, and send on what passes as a new batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from expectations.rules import load_suites
from glue_jobs.runtime import arguments, errors
from glue_jobs.runtime.stages import open_stage
from glue_jobs.star.read import session
from glue_jobs.star.replay import replay
from glue_jobs.star.stage import Arguments

JOB = "replay_dead_letters"


def main(argv: Sequence[str]) -> int:
    """Replay once.

    Args:
        argv: See :class:`Arguments`; others are ignored.
    """
    stage = open_stage("validate", "capture", arguments.parse(Arguments, argv))
    return replay(stage, partial(session, JOB), load_suites(stage.catalogue))


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
