"""Objects are measured when written and checked when read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from glue_jobs.lake import objects
from glue_jobs.lake.commits import DataObject
from glue_jobs.lake.objects import ChecksumMismatch, ObjectExists

from .conftest import BUCKETS, Lake

BUCKET = BUCKETS["ingestion"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": pa.array([5, 3, 9], pa.int32()), "name": ["a", "b", "c"]}), path)
    return path


def _put(lake: Lake, file: Path, request: pytest.FixtureRequest) -> DataObject:
    return objects.upload(lake.s3, BUCKET, f"{request.node.name}/part-00000.parquet", file, 3)


def test_an_upload_tells_rows_bytes_and_checksum(
    lake: Lake, file: Path, request: pytest.FixtureRequest
) -> None:
    told = _put(lake, file, request)
    assert (told.rows, told.bytes) == (3, file.stat().st_size)
    assert told.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert lake.s3.get_object(Bucket=BUCKET, Key=told.key)["Body"].read() == file.read_bytes()


def test_an_upload_that_was_repeated_is_done_once(
    lake: Lake, file: Path, request: pytest.FixtureRequest
) -> None:
    assert _put(lake, file, request) == _put(lake, file, request)


def test_an_object_is_never_overwritten(lake: Lake, file: Path, request: pytest.FixtureRequest) -> None:
    told = _put(lake, file, request)
    before = file.read_bytes()
    file.write_bytes(b"other bytes")
    with pytest.raises(ObjectExists, match="exists already"):
        _put(lake, file, request)
    assert lake.s3.get_object(Bucket=BUCKET, Key=told.key)["Body"].read() == before


def test_an_intact_object_is_read(lake: Lake, file: Path, request: pytest.FixtureRequest) -> None:
    told = _put(lake, file, request)
    with objects.open_verified(lake.s3, BUCKET, told) as stream:
        assert stream.read() == file.read_bytes()


@pytest.mark.parametrize("damage", ["a flipped bit", "cut short", "gone"])
def test_a_damaged_object_is_refused_before_its_first_byte_is_used(
    lake: Lake, file: Path, request: pytest.FixtureRequest, damage: str
) -> None:
    told = objects.upload(lake.s3, BUCKET, f"{request.node.name}/part.parquet", file, 3)
    stored = lake.folder / "s3" / BUCKET / told.key
    content = bytearray(stored.read_bytes())
    if damage == "gone":
        stored.unlink()
    elif damage == "cut short":
        stored.write_bytes(content[:-7])
    else:
        content[len(content) // 2] ^= 1
        stored.write_bytes(content)
    refused = pytest.raises(ChecksumMismatch, match=r"part\.parquet")
    with refused, objects.open_verified(lake.s3, BUCKET, told):
        pytest.fail("the damaged object was opened")


def test_a_bucket_that_is_gone_is_not_a_missing_object(lake: Lake) -> None:
    data = DataObject("k", 1, 1, "c")
    refused = pytest.raises(ClientError, match="NoSuchBucket")
    with refused, objects.open_verified(lake.s3, "no-such-bucket", data):
        pytest.fail("an object of no bucket was opened")
