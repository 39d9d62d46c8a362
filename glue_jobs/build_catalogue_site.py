"""Glue job: the catalogue site in the documentation bucket, from contracts and what the lake says.

It runs where the site's generator does, which the Python shell's 3.9 is too old for, and starts no Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.documentation.catalogue_site import build
from glue_jobs.documentation.front import SiteArguments, publish_part
from glue_jobs.runtime import arguments, errors

JOB = "build_catalogue_site"


def main(argv: Sequence[str]) -> int:
    """Bring the site up to date.

    Args:
        argv: See :class:`~glue_jobs.documentation.front.SiteArguments`; others are ignored.
    """
    return publish_part(arguments.parse(SiteArguments, argv), build, "catalogue.done", "files")


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
