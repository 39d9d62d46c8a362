"""What was removed from a versioned bucket shows again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.endpoint.app import create_endpoint
from tools import restore


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with create_endpoint(tmp_path) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        # A session keeps the keys that it was made with, and each endpoint has its own.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        client = endpoint.client("s3")
        yield client
        client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    location = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket="versioned", CreateBucketConfiguration=location)
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    return "versioned"


def contents(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}


def test_objects_whose_newest_version_was_removed_are_what_they_were(
    s3: Any, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    began = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    for number in range(5):
        for text in ("old", "new"):
            s3.put_object(Bucket=bucket, Key=f"star/{number}", Body=f"{text} {number}".encode())
    before = contents(s3, bucket)
    for number in range(4):
        s3.delete_object(Bucket=bucket, Key=f"star/{number}")
    assert len(contents(s3, bucket)) == 1
    assert restore.main([bucket, "--since", began]) == 0
    assert "4 objects would show again" in capsys.readouterr().out
    assert len(contents(s3, bucket)) == 1
    assert restore.main([bucket, "--prefix", "star/", "--since", began, "--yes"]) == 0
    assert contents(s3, bucket) == before


def test_what_was_removed_before_stays_removed(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="raw/1", Body=b"one")
    s3.delete_object(Bucket=bucket, Key="raw/1")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert restore.main([bucket, "--since", later, "--yes"]) == 0
    assert contents(s3, bucket) == {}


def test_a_moment_without_a_zone_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(SystemExit):
        restore.main([bucket, "--since", "2026-11-29T12:00:00"])
