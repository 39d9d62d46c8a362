"""A warm JVM gives a job what a cold one does, and is thrown away after a job that was killed in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_stack.java import java_home
from local_stack.spark_gateway import SparkGatewayError, SparkPool, spark_environment, start_jvm, write_conf

Spark = tuple[dict[str, str], Path]

JOB = """
import sys
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.appName("toy").getOrCreate()
out = "s3://bucket/some rows/" + sys.argv[1]
moment = F.lit("2024-11-15 10:00:00.123456").cast("timestamp")
rows = spark.range(1000).select((F.col("id") % 7).alias("k"), moment.alias("t"))
rows.write.parquet(out)
read = spark.read.parquet(out)
found = sorted((row.k, row.n) for row in read.groupBy("k").agg(F.count("*").alias("n")).collect())
names = ("spark.sql.ansi.enabled", "spark.sql.session.timeZone", "spark.sql.shuffle.partitions")
print(found, [spark.conf.get(name) for name in names])
if "leave" not in sys.argv:
    spark.stop()
if "fail" in sys.argv:
    raise SystemExit(3)
"""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Spark:
    """The environment of Spark processes for one bucket, and the bucket's directory."""
    directory = tmp_path_factory.mktemp("spark with a space")
    bucket = directory / "s3" / "bucket"
    bucket.mkdir(parents=True)
    conf = write_conf(directory / "conf", {"bucket": bucket})
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return {**own, **spark_environment(conf, java_home(directory))}, bucket


@pytest.fixture(scope="module")
def pool(spark: Spark, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkPool]:
    directory = tmp_path_factory.mktemp("pool")
    pool = SparkPool(spark[0], directory / "work", directory / "spark.log", size=1)
    yield pool
    pool.close()


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", JOB, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_warm_and_cold_give_the_same_and_a_context_left_behind_is_stopped(
    spark: Spark, pool: SparkPool
) -> None:
    environment, bucket = spark
    cold = run(environment, "cold")
    outputs = [cold.stdout]
    jvms = []
    for name, extra in (("first", ("leave",)), ("second", ("fail",)), ("third", ())):
        jvm = pool.lease(threading.Event())
        done = run({**environment, **jvm.environment}, name, *extra)
        assert done.returncode == (3 if "fail" in extra else 0), done.stderr
        outputs.append(done.stdout)
        jvms.append(jvm.process.pid)
        pool.give_back(jvm, killed=False)
    assert len(set(outputs)) == 1
    assert "['true', 'UTC', '2']" in outputs[0]
    assert len(set(jvms)) == 1
    assert len(list(bucket.glob("some rows/*/*.parquet"))) >= 4


def test_timestamps_are_not_written_as_int96(spark: Spark) -> None:
    import pyarrow.parquet as pq

    _, bucket = spark
    file = next(iter(bucket.glob("some rows/*/*.parquet")))
    column = pq.ParquetFile(file).schema.column(1)
    assert (column.name, column.physical_type) == ("t", "INT64")


def test_the_jvm_of_a_killed_job_is_not_used_again(pool: SparkPool) -> None:
    jvm = pool.lease(threading.Event())
    pool.give_back(jvm, killed=True)
    assert not jvm.alive
    again = pool.lease(threading.Event())
    assert again.process.pid != jvm.process.pid
    pool.give_back(again, killed=False)


def test_a_jvm_that_died_while_idle_is_replaced(pool: SparkPool) -> None:
    jvm = pool.lease(threading.Event())
    pool.give_back(jvm, killed=False)
    jvm.kill()
    again = pool.lease(threading.Event())
    assert again.alive
    pool.give_back(again, killed=False)


def test_a_job_that_was_given_up_waits_no_longer(pool: SparkPool) -> None:
    jvm = pool.lease(threading.Event())
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(SparkGatewayError, match="stopped before Spark started"):
        pool.lease(given_up)
    pool.give_back(jvm, killed=False)


def test_closing_ends_every_jvm(spark: Spark, tmp_path: Path) -> None:
    pool = SparkPool(spark[0], tmp_path / "work", tmp_path / "spark.log", size=1)
    jvm = pool.lease(threading.Event())
    pool.give_back(jvm, killed=False)
    pool.close()
    assert not jvm.alive
    with pytest.raises(SparkGatewayError):
        pool.lease(threading.Event())


def test_closing_ends_a_jvm_that_is_just_starting(spark: Spark, tmp_path: Path) -> None:
    pool = SparkPool(spark[0], tmp_path / "work", tmp_path / "spark.log", size=1)
    warming = threading.Thread(target=pool.warm_up)
    warming.start()
    while not (tmp_path / "work").exists() or not (launched := _with_directory(tmp_path / "work")):
        assert warming.is_alive()
    pool.close()
    assert not any(process.is_running() for process in launched)
    warming.join()
    assert _with_directory(tmp_path / "work") == []


def _with_directory(directory: Path) -> list[psutil.Process]:
    """The processes of this one that work in a directory."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(directory):
                found.append(process)
    return found


def test_a_jvm_that_does_not_start_says_where_to_look(spark: Spark, tmp_path: Path) -> None:
    broken = {**spark[0], "JAVA_HOME": str(tmp_path)}
    with (tmp_path / "spark.log").open("wb") as log, pytest.raises(SparkGatewayError, match=r"spark\.log"):
        start_jvm(broken, tmp_path, log)
