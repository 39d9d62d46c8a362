"""Spark for tests: the laptop's settings, set once for the one session that a test run has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glue_jobs.engine.protocol import Engine
from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import spark_environment, write_conf
from tests.lake import Lake


@pytest.fixture(scope="session")
def spark_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark keeps its settings, which this process's environment then names."""
    folder = tmp_path_factory.mktemp("spark")
    os.environ.update(spark_environment(write_conf(folder / "conf"), java_home(folder)))
    return folder


def on_spark(lake: Lake) -> Engine:
    """The engine of large batches; needs ``spark_home``."""
    from pyspark.sql import SparkSession

    from glue_jobs.engine.spark import SparkEngine

    engine = SparkEngine(lake.endpoint.region, "tests")
    session = SparkSession.getActiveSession()
    assert session is not None
    # Workers of an earlier lake know its endpoint; others in their environment make others.
    session.sparkContext.environment.update(lake.endpoint.environment())
    return engine
