"""A job's own JVM reads the stack's settings from a directory, and its workers are the job's own Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import spark_environment, spark_settings, write_conf

JOB = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("toy").getOrCreate()
python = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).first()
conf = dict(spark.sparkContext.getConf().getAll())
print(json.dumps({"python": python, "conf": conf}))
spark.stop()
"""


def test_a_process_with_the_environment_has_the_settings(tmp_path: Path) -> None:
    directory = tmp_path / "a space, an ä, a 'quote', two \"\" and a \\".replace(",", ";")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    environment = {**own, **spark_environment(write_conf(directory / "conf"), java_home(directory))}
    done = subprocess.run(
        [sys.executable, "-c", JOB], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    stated = spark_settings(directory / "conf" / "scratch")
    # Spark puts options of its own before these.
    options = stated.pop("spark.driver.extraJavaOptions")
    assert found["conf"]["spark.driver.extraJavaOptions"].endswith(options)
    assert stated.items() <= found["conf"].items()
    assert found["python"] == sys.executable
    # Nothing of it lies beside it.
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_spark_knows_no_object_store(tmp_path: Path) -> None:
    assert not [name for name in spark_settings(tmp_path) if name.startswith("spark.hadoop.")]
