"""The other S3 clients of the platform: pyarrow and awswrangler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awswrangler
import boto3
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from local_aws.endpoint.app import Endpoint

BUCKET = "shop-ingestion"


@pytest.fixture
def arrow(endpoint: Endpoint) -> S3FileSystem:
    return S3FileSystem(
        endpoint_override=endpoint.url,
        region=endpoint.region,
        access_key=endpoint.environment()["AWS_ACCESS_KEY_ID"],
        secret_key=endpoint.environment()["AWS_SECRET_ACCESS_KEY"],
        scheme="http",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )


def test_pyarrow_reads_and_writes(s3: Any, arrow: S3FileSystem, directory: Path) -> None:
    table = pa.table({"id": pa.array(range(200_000)), "batch": [7, 8] * 100_000})
    pq.write_table(table, f"{BUCKET}/one/t.parquet", filesystem=arrow, row_group_size=50_000)
    assert pq.read_table(directory / "one" / "t.parquet") == table
    assert pq.read_table(f"{BUCKET}/one/t.parquet", filesystem=arrow, columns=["id"]).num_rows == 200_000
    ds.write_dataset(
        table,
        f"{BUCKET}/many",
        filesystem=arrow,
        format="parquet",
        partitioning=["batch"],
        partitioning_flavor="hive",
    )
    dataset = ds.dataset(f"{BUCKET}/many", filesystem=arrow, format="parquet", partitioning="hive")
    assert dataset.count_rows(filter=ds.field("batch") == 7) == 100_000
    with arrow.open_output_stream(f"{BUCKET}/big") as stream:
        for _ in range(12):
            stream.write(b"x" * (1 << 20))
    assert (directory / "big").stat().st_size == 12 << 20


def test_pyarrow_sees_directories_and_files(s3: Any, arrow: S3FileSystem, directory: Path) -> None:
    arrow.create_dir(f"{BUCKET}/a/b")
    (directory / "a" / "b" / "file").write_bytes(b"1")
    kinds = {info.path: info.type for info in arrow.get_file_info(FileSelector(BUCKET, recursive=True))}
    assert kinds == {
        f"{BUCKET}/a": FileType.Directory,
        f"{BUCKET}/a/b": FileType.Directory,
        f"{BUCKET}/a/b/file": FileType.File,
    }
    assert arrow.get_file_info(f"{BUCKET}/a/b").type == FileType.Directory
    assert arrow.get_file_info(f"{BUCKET}/a/c").type == FileType.NotFound
    arrow.move(f"{BUCKET}/a/b/file", f"{BUCKET}/a/b/moved")
    arrow.delete_dir(f"{BUCKET}/a")
    assert list(directory.iterdir()) == []


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_awswrangler_reads_and_writes(
    s3: Any, endpoint: Endpoint, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    frame = pa.table({"id": range(1000), "batch": [7, 8] * 500}).to_pandas()
    awswrangler.s3.to_parquet(
        frame, f"s3://{BUCKET}/t/", dataset=True, partition_cols=["batch"], boto3_session=session
    )
    assert sorted(path.name for path in (directory / "t").iterdir()) == ["batch=7", "batch=8"]
    read = awswrangler.s3.read_parquet(f"s3://{BUCKET}/t/", dataset=True, boto3_session=session)
    assert sorted(read["id"]) == list(range(1000))
    assert len(awswrangler.s3.list_objects(f"s3://{BUCKET}/t/", boto3_session=session)) == 2
    awswrangler.s3.delete_objects(f"s3://{BUCKET}/t/", boto3_session=session)
    assert awswrangler.s3.list_objects(f"s3://{BUCKET}/t/", boto3_session=session) == []
    assert list(directory.iterdir()) == []
