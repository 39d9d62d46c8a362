"""Glue job: judge every captured row, account for it, and pass the accepted ones on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from expectations.rules import load_suites
from glue_jobs.runtime import arguments, errors
from glue_jobs.runtime.stages import open_stage
from glue_jobs.star import stage, validation
from glue_jobs.star.read import session

JOB = "validate_raw"


@dataclass(frozen=True)
class Arguments(stage.Arguments):
    """Arguments of this job.

    Attributes:
        rejected_share: A batch of which more than this share of a table's rows is rejected is held.
        rejected_minimum: Fewer rejected rows than this never hold a batch.
    """

    rejected_share: float = validation.Limits.share
    rejected_minimum: int = validation.Limits.minimum


def main(argv: Sequence[str]) -> int:
    """Drain every captured batch that has no verdict.

    Args:
        argv: See :class:`Arguments`; others are ignored.
    """
    given = arguments.parse(Arguments, argv)
    judging = open_stage("validate", "capture", given)
    limits = validation.Limits(given.rejected_share, given.rejected_minimum)
    return validation.validate(judging, partial(session, JOB), load_suites(judging.catalogue), limits)


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
