"""Glue job: the sites in the documentation bucket, from contracts, commits and what the lake says.

It runs where Great Expectations and the generator of the catalogue's pages do, which the Python shell's 3.9
is too old for, and starts no Spark. A site that cannot be built does not stop the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from catalog.catalogue import Catalogue, load_catalogue
from glue_jobs.documentation import catalogue_site, validation_site
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page, publish_state
from glue_jobs.runtime import errors, log
from glue_jobs.runtime.arguments import parse

JOB = "build_sites"


@dataclass(frozen=True)
class Arguments:
    """Arguments of this job.

    Attributes:
        ingestion_bucket: Holds the commits, the verdicts and the validation results.
        documentation_bucket: Receives the sites.
    """

    ingestion_bucket: str
    documentation_bucket: str


@dataclass(frozen=True)
class Place:
    """Where what is built comes from, and where it goes."""

    s3: Any
    glue: Any
    ingestion: str
    bucket: Bucket
    catalogue: Catalogue


def validation(place: Place) -> int:
    """Bring the site of verdicts up to date; how many pages were put."""
    return validation_site.build(place.s3, place.ingestion, place.bucket, place.catalogue)


def catalogue(place: Place) -> int:
    """Bring the site of tables up to date; how many files it has."""
    return catalogue_site.build(place.s3, place.glue, place.ingestion, place.bucket, place.catalogue)


SITES: Mapping[str, Callable[[Place], int]] = {"validation": validation, "catalogue": catalogue}
"""In the order in which they are built: pages of the second link those of the first."""


def main(argv: Sequence[str]) -> int:
    """Bring the sites up to date.

    Args:
        argv: See :class:`Arguments`; others are ignored.

    Returns:
        The exit code: 1 where a site could not be built.
    """
    given = parse(Arguments, argv)
    s3, glue = boto3.client("s3"), boto3.client("glue")
    bucket = Bucket(s3, given.documentation_bucket)
    place = Place(s3, glue, given.ingestion_bucket, bucket, load_catalogue())
    failed = [name for name, build in SITES.items() if not _built(name, build, place)]
    publish_front_page(bucket)
    publish_state(s3, glue, given.ingestion_bucket, bucket, place.catalogue)
    log.step("site.front_page_written")
    return 1 if failed else 0


def _built(name: str, build: Callable[[Place], int], place: Place) -> bool:
    try:
        with log.timed("site.done", site=name) as found:
            found["files"] = build(place)
    except Exception as error:  # noqa: BLE001 - whatever it was, the other site is built
        log.error("site.failed", site=name, **errors.describe(error))
        return False
    return True


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
