"""The front page of the documentation bucket: links to whatever parts of the documentation are there."""

from __future__ import annotations

from expectations.site import pages
from glue_jobs.documentation.bucket import Bucket


def publish_front_page(bucket: Bucket) -> None:
    """Write the front page; every job that publishes a part of the documentation ends with it."""

    def made(_: bytes | None) -> bytes:
        parts = [part for part in pages.PARTS if bucket.has(f"{part.folder}/{pages.INDEX}")]
        return pages.front_page(parts).encode()

    bucket.publish(pages.STYLESHEET, pages.stylesheet().encode())
    bucket.change(pages.INDEX, made)
