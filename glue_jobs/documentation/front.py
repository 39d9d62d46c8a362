"""The front page of the documentation bucket, and what all its pages show at their heads."""

from __future__ import annotations

from catalog.catalogue import Catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.health import read_health
from glue_jobs.lake.layout import utc_now
from glue_jobs.runtime.aws import GlueClient, S3Client
from sites.validation import pages


def publish_front_page(bucket: Bucket) -> None:
    """Write the front page; every job that publishes a part of the documentation ends with it."""

    def made(_: bytes | None) -> bytes:
        parts = [part for part in pages.PARTS if bucket.has(f"{part.folder}/{pages.INDEX}")]
        return pages.front_page(parts).encode()

    bucket.publish(pages.STYLESHEET, pages.stylesheet().encode())
    bucket.change(pages.INDEX, made)


def publish_state(
    s3: S3Client, glue: GlueClient, ingestion: str, bucket: Bucket, catalogue: Catalogue
) -> None:
    """Write the state of the data, which every page of the documentation shows at its head.

    Args:
        s3: A boto3 ``s3`` client.
        glue: A boto3 ``glue`` client.
        ingestion: The ingestion bucket.
        bucket: The documentation bucket.
        catalogue: The contracts.
    """
    health = read_health(s3, glue, ingestion, catalogue, utc_now())
    bucket.put(pages.STATE, pages.state_page(health).encode())
