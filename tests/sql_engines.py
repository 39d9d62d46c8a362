"""Both engines at their plainest, with the function library: what holds texts of SQL to one meaning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from catalog.functions import FUNCTIONS
from catalog.types import sql_type
from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import spark_environment, write_conf

_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.shuffle.partitions": "1",
}


class PlainEngine(Protocol):
    """What evaluates expressions."""

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        """Each expression over the rows, as a column named by its place, in the order of the rows."""


class PlainDuckDB:
    """DuckDB."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        for function in FUNCTIONS:
            names = ", ".join(name for name, _ in function.arguments)
            self._connection.execute(f"CREATE MACRO {function.name}({names}) AS {function.duckdb}")

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        self._connection.register("given", rows)
        found = self._connection.execute(f"SELECT {_selected(expressions)} FROM given")
        return found.fetch_arrow_table()


class PlainSpark:
    """Spark, in a session of its own."""

    def __init__(self, workspace: Path) -> None:
        # Whoever is first in a process starts the JVM that all others in it use.
        os.environ.update(spark_environment(write_conf(workspace / "conf"), java_home(workspace)))
        self.session = SparkSession.builder.getOrCreate().newSession()
        for name, value in _SETTINGS.items():
            self.session.conf.set(name, value)
        for function in FUNCTIONS:
            arguments = ", ".join(f"{name} {kind}" for name, kind in function.arguments)
            self.session.sql(
                f"CREATE OR REPLACE TEMPORARY FUNCTION {function.name}({arguments})"
                f" RETURNS {sql_type(function.result)} RETURN {function.spark}"
            )

    def frame(self, rows: pa.Table) -> DataFrame:
        """Rows as a frame of the session that has the functions."""
        return self.session.createDataFrame(rows).coalesce(1)

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        self.frame(rows).createOrReplaceTempView("given")
        return self.session.sql(f"SELECT {_selected(expressions)} FROM given").toArrow()


def _selected(expressions: Sequence[str]) -> str:
    return ", ".join(f"{text} AS _{index}" for index, text in enumerate(expressions))
