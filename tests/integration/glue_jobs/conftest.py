"""A Spark session, and lakes on which the Spark jobs run as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests import spark_lake
from tests.spark_lake import Lake


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    return spark_lake.session(tmp_path_factory.mktemp("spark"))


@pytest.fixture
def star_lake(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with spark_lake.lake(tmp_path, spark, monkeypatch) as lake:
        yield lake
