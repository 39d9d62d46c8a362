"""The Spark session of the star's tests."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from tests.spark_lake import session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    return session(tmp_path_factory.mktemp("spark"))
