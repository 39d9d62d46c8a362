"""The other S3 clients of the platform: pyarrow, awswrangler, and Spark writing the directories itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awswrangler
import boto3
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from pyarrow.fs import FileSelector, FileType, S3FileSystem

from local_stack.aws.app import Endpoint
from local_stack.java import java_home
from local_stack.spark_gateway import spark_environment, write_conf

BUCKET = "totesys-ingestion"
SPARK = """
import json
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("lake").getOrCreate()
root = "s3://totesys-ingestion"
frame = spark.range(1000).selectExpr("id", "id % 3 AS batch", "concat('n ', id) AS name")
frame.write.partitionBy("batch").parquet(f"{root}/raw/sales order/")
frame.limit(10).write.mode("overwrite").parquet(f"{root}/again")
frame.limit(20).write.mode("overwrite").parquet(f"{root}/again")
print("written", flush=True)
input()
count = spark.read.parquet(f"{root}/from boto3/").count()
exact = spark.read.option("basePath", f"{root}/raw/t/").parquet(
    f"{root}/raw/t/captured_date=2024-11-15/batch=7/part-00000.parquet"
)
print(json.dumps({"count": count, "row": exact.first().asDict()}, default=str), flush=True)
spark.stop()
"""


@pytest.fixture
def arrow(endpoint: Endpoint) -> S3FileSystem:
    return S3FileSystem(
        endpoint_override=endpoint.url,
        region=endpoint.region,
        access_key="lakehouse",
        secret_key="lakehouse",
        scheme="http",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )


@pytest.fixture
def spark_job(endpoint: Endpoint, s3: Any, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script above as a process of its own, with the stack's settings."""
    (tmp_path / "job.py").write_text(SPARK)
    conf = write_conf(tmp_path / "spark", {BUCKET: endpoint.bucket_dir(BUCKET)})
    environment = spark_environment(conf, java_home(tmp_path))
    with (tmp_path / "stderr").open("w") as log:
        job = subprocess.Popen(
            [sys.executable, str(tmp_path / "job.py")],
            env={**os.environ, **environment, "PYSPARK_PYTHON": sys.executable},
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    yield job
    job.kill()
    job.communicate()


def line(job: subprocess.Popen[str], tmp_path: Path) -> str:
    """The next line that the job prints."""
    assert job.stdout is not None
    told = job.stdout.readline()
    assert told, (tmp_path / "stderr").read_text()
    return told.strip()


def test_spark_and_boto3_read_write_and_commit_in_the_same_lake(
    s3: Any, spark_job: subprocess.Popen[str], directory: Path, tmp_path: Path
) -> None:
    assert line(spark_job, tmp_path) == "written"
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="raw/sales order/")["Contents"]
    parts = [entry["Key"] for entry in listed if entry["Key"].endswith(".parquet")]
    assert {key.split("/")[2] for key in parts} == {"batch=0", "batch=1", "batch=2"}
    assert "raw/sales order/_SUCCESS" in [entry["Key"] for entry in listed]
    assert not [entry for entry in listed if "_temporary" in entry["Key"]]
    rows = 0
    for key in parts:
        content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        rows += pq.read_table(pa.BufferReader(content)).num_rows
    assert rows == 1000
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=BUCKET, Key=parts[0], Body=b"late", IfNoneMatch="*")
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"
    again = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="again/")["Contents"]]
    frames = [pq.read_table(directory / key) for key in again if key.endswith(".parquet")]
    assert pa.concat_tables(frames).num_rows == 20

    pq.write_table(pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]}), tmp_path / "local.parquet")
    for key in ("from boto3/one.parquet", "raw/t/captured_date=2024-11-15/batch=7/part-00000.parquet"):
        with (tmp_path / "local.parquet").open("rb") as file:
            s3.put_object(Bucket=BUCKET, Key=key, Body=file, IfNoneMatch="*")
    assert spark_job.stdin is not None
    spark_job.stdin.write("go on\n")
    spark_job.stdin.flush()
    told = json.loads(line(spark_job, tmp_path))
    assert told["count"] == 3
    assert told["row"] == {"id": 1, "name": "a", "captured_date": "2024-11-15", "batch": 7}


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
