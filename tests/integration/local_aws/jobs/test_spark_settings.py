"""A job's own JVM reads the stack's settings from its files, and its workers are the job's own Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.spark_classes import make
from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import CLASSES, spark_environment, spark_settings, write_conf

JOB = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("toy").getOrCreate()
python = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).first()
conf = dict(spark.sparkContext.getConf().getAll())
print(json.dumps({"python": python, "conf": conf}))
spark.stop()
"""


@pytest.mark.slow
def test_a_process_with_the_environment_has_the_settings(tmp_path: Path) -> None:
    directory = tmp_path / "a space, an ä, a 'quote', two \"\" and a \\".replace(",", ";")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    environment = {**own, **spark_environment(write_conf(directory / "conf"), java_home(directory))}
    done = subprocess.run(
        [sys.executable, "-c", JOB], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # The log's settings are read: without them Spark tells of each step.
    assert " INFO " not in done.stderr
    assert "NativeCodeLoader" not in done.stderr
    found = json.loads(done.stdout)
    stated = spark_settings(directory / "conf" / "scratch")
    # Spark puts options of its own before these, and where the log's settings lie comes after them.
    options = stated.pop("spark.driver.extraJavaOptions")
    assert options in found["conf"]["spark.driver.extraJavaOptions"]
    assert stated.items() <= found["conf"].items()
    assert found["python"] == sys.executable
    # Nothing of it lies beside it.
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


@pytest.mark.slow
def test_java_takes_sparks_classes_from_the_archive_that_the_set_up_makes(tmp_path: Path) -> None:
    directory = tmp_path / "a space and an ä"
    directory.mkdir()
    archive = directory / "classes.jsa"
    assert make(archive)
    assert [path.name for path in directory.iterdir()] == [archive.name]
    told = f'-XX:SharedArchiveFile="{archive}" -Xlog:class+load'
    environment = {
        **os.environ,
        **spark_environment(write_conf(tmp_path / "conf", classes=told), java_home(tmp_path)),
    }
    done = subprocess.run(
        [sys.executable, "-c", JOB], env=environment, capture_output=True, text=True, check=True
    )
    loaded = re.findall(r" (org\.apache\.spark\.\S+) source: (.*)", done.stdout)
    shared = [name for name, source in loaded if source.startswith("shared objects file (top)")]
    assert len(shared) > len(loaded) / 2


def test_an_archive_that_is_broken_or_not_there_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsa"
    broken.write_bytes(b"no archive")
    java = java_home(tmp_path) / "bin" / "java"
    for archive in (broken, tmp_path / "nowhere.jsa"):
        stated = next(
            option
            for option in spark_settings(tmp_path)["spark.driver.extraJavaOptions"].split()
            if option.startswith("-XX:SharedArchiveFile")
        )
        assert str(CLASSES) in stated
        options = [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        done = subprocess.run([java, *options, "-version"], capture_output=True, text=True, check=True)
        assert (done.stdout, "warning" in done.stderr) == ("", False)


def test_spark_knows_no_object_store(tmp_path: Path) -> None:
    assert not [name for name in spark_settings(tmp_path) if name.startswith("spark.hadoop.")]
