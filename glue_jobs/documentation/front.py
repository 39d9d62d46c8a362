"""The front page of the documentation bucket, and what all its pages show at their heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.catalogue import Catalogue, load_catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.health import read_health
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.runtime import entry_point, log
from sites.validation import pages

Build = Callable[[LakeClients, Bucket, Catalogue], int]


@dataclass(frozen=True)
class SiteArguments:
    """Arguments of the job that publishes the documentation.

    Attributes:
        ingestion_bucket: Holds the commits and the validation results.
        documentation_bucket: Receives the pages.
    """

    ingestion_bucket: str
    documentation_bucket: str


def publish_parts(given: SiteArguments, parts: Mapping[str, Build]) -> int:
    """Bring the parts of the documentation up to date, and what all of them share.

    A part that cannot be built does not stop the others.

    Args:
        given: The job's arguments.
        parts: By name, what brings a part up to date, and counts what it has.

    Returns:
        The exit code: 1 where one could not be built.
    """
    lake, catalogue = LakeClients.connect(given.ingestion_bucket), load_catalogue()
    bucket = Bucket(lake.s3, given.documentation_bucket)
    failed = 0
    for name, build in parts.items():
        try:
            with log.timed("site.done", site=name) as found:
                found["files"] = build(lake, bucket, catalogue)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other parts are built
            log.error("site.failed", site=name, **entry_point.describe(error))
            failed = 1
    publish_front_page(bucket)
    publish_state(lake, bucket, catalogue)
    log.step("site.front_page_written")
    return failed


def publish_front_page(bucket: Bucket) -> None:
    """Write the front page; every job that publishes a part of the documentation ends with it."""

    def made(_: bytes | None) -> bytes:
        parts = [part for part in pages.PARTS if bucket.has(f"{part.folder}/{pages.INDEX}")]
        return pages.front_page(parts).encode()

    bucket.publish(pages.STYLESHEET, pages.stylesheet().encode())
    bucket.change(pages.INDEX, made)


def publish_state(lake: LakeClients, bucket: Bucket, catalogue: Catalogue) -> None:
    """Write the state of the data, which every page of the documentation shows at its head."""
    health = read_health(lake, catalogue, utc_now())
    bucket.put(pages.STATE, pages.state_page(health).encode())
