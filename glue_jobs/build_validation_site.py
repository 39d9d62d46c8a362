"""Glue job: the validation site in the documentation bucket, from the verdicts that were committed.

It runs where Great Expectations does, which no Python shell can (3.9), and starts no Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.documentation.front import SiteArguments, publish_part
from glue_jobs.documentation.validation_site import build
from glue_jobs.runtime import arguments, errors

JOB = "build_validation_site"


def main(argv: Sequence[str]) -> int:
    """Bring the site up to date.

    Args:
        argv: See :class:`~glue_jobs.documentation.front.SiteArguments`; others are ignored.
    """
    return publish_part(arguments.parse(SiteArguments, argv), build, "site.done", "pages")


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
