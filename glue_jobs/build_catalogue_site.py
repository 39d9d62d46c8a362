"""Glue job: the catalogue site in the documentation bucket, from contracts and what the lake says.

It runs where the site's generator does, which the Python shell's 3.9 is too old for, and starts no Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.catalogue import load_catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.catalogue_site import build
from glue_jobs.documentation.front import publish_front_page, publish_state
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import errors, log
from glue_jobs.runtime.arguments import parse

JOB = "build_catalogue_site"


@dataclass(frozen=True)
class Arguments:
    """Arguments of this job.

    Attributes:
        ingestion_bucket: Holds the commits.
        documentation_bucket: Receives the site, and holds the validation site's days.
    """

    ingestion_bucket: str
    documentation_bucket: str


def main(argv: Sequence[str]) -> int:
    """Bring the site up to date.

    Args:
        argv: See :class:`Arguments`; others are ignored.

    Returns:
        The exit code, 0.
    """
    given = parse(Arguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket)
    bucket, catalogue = Bucket(lake.s3, given.documentation_bucket), load_catalogue()
    with log.timed("catalogue.done") as found:
        found["files"] = build(lake, bucket, catalogue)
        publish_front_page(bucket)
        publish_state(lake, bucket, catalogue)
    return 0


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
