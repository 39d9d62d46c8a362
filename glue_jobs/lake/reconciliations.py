"""What the newest reconciliation found, for jobs that read it."""

from __future__ import annotations

import io
from typing import Any

import pyarrow.parquet as pq

from catalog.catalogue import Catalogue
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import list_objects

TABLE = "reconciliations"


def newest(s3: S3Client, bucket: str, catalogue: Catalogue) -> list[dict[str, Any]]:
    """The rows of the newest reconciliation that was kept; none before the first.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        catalogue: The contracts.
    """
    entries = list(list_objects(s3, bucket, catalogue.ops[TABLE].prefix))
    if not entries:
        return []
    key = max(entries, key=lambda entry: entry["LastModified"])["Key"]
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(body), partitioning=None).to_pylist()
    return found
