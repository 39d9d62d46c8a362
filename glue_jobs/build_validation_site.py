"""Glue job: the validation site in the documentation bucket, from the verdicts that were committed.

It runs where Great Expectations does, which no Python shell can (3.9), and starts no Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.catalogue import load_catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page, publish_state
from glue_jobs.documentation.validation_site import build
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import errors, log
from glue_jobs.runtime.arguments import parse

JOB = "build_validation_site"


@dataclass(frozen=True)
class Arguments:
    """Arguments of this job.

    Attributes:
        ingestion_bucket: Holds the verdicts and the validation results.
        documentation_bucket: Receives the site.
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
    catalogue = load_catalogue()
    bucket = Bucket(lake.s3, given.documentation_bucket)
    with log.timed("site.done") as found:
        found["pages"] = build(lake, bucket, catalogue)
        publish_front_page(bucket)
        publish_state(lake, bucket, catalogue)
        log.step("site.front_page_written")
    return 0


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
