"""Whatever becomes of Spark's tasks, a prefix holds exactly the objects that the write returned."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from glue_jobs.engine.protocol import Destination, Engine
from glue_jobs.engine.spark import SparkEngine
from glue_jobs.lake.commits import DataObject
from tests.integration.glue_jobs.engine.conftest import BUCKET, Site, dataset
from tests.integration.glue_jobs.engine.test_engines import KEYED
from tests.night import at_night

PART = pa.schema([("part", pa.int32())])
ROWS = 20_000
MANY = 1_500_000
"""What a write is told of the rows, so that it has several tasks."""

QUERY = f"SELECT id, md5(CAST(id AS STRING)) AS name, CAST(id % 7 AS INT) AS part FROM range({ROWS}) AS r(id)"


def destination(site: Site) -> Destination:
    return Destination(BUCKET, site.prefix(), KEYED, ("id",), ("id",), "part", "version=1/")


def check(site: Site, engine: Engine, written: dict[str, tuple[DataObject, ...]], to: Destination) -> None:
    """Listing equals commit, and what the commit names can be read."""
    named = {data.key: data.bytes for found in written.values() for data in found}
    assert site.listed(to.prefix) == named
    engine.read("found", dataset(KEYED, written, to, PART))
    query = (
        "SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(CAST(id % 7 AS INT) - part) AS wrong FROM found"
    )
    assert engine.fetch(query) == [{"n": ROWS, "ids": ROWS, "wrong": 0}]


@pytest.fixture(autouse=True)
def _calm(site: Site) -> Iterator[None]:
    yield
    site.strikes.times = 0


def test_tasks_are_tried_again_as_on_glue(spark: Engine) -> None:
    session = SparkSession.getActiveSession()
    assert session is not None
    assert session.sparkContext.master == "local[2,4]"


@pytest.mark.parametrize("times", [1, at_night(3)])
def test_a_task_killed_between_put_and_answer(spark: Engine, site: Site, times: int) -> None:
    to = destination(site)
    site.strikes.method, site.strikes.after, site.strikes.times = "PUT", True, times
    written = spark.write(QUERY, to, MANY)
    assert site.strikes.times == 0
    check(site, spark, written, to)


@pytest.mark.slow
def test_a_task_killed_before_its_put(spark: Engine, site: Site) -> None:
    to = destination(site)
    site.strikes.method, site.strikes.after, site.strikes.times = "PUT", False, 2
    written = spark.write(QUERY, to, MANY)
    assert site.strikes.times == 0
    check(site, spark, written, to)


@pytest.mark.slow
def test_a_python_of_an_executor_killed_while_it_reads(spark: Engine, site: Site) -> None:
    first = destination(site)
    written = spark.write(QUERY, first, MANY)
    spark.read("before", dataset(KEYED, written, first, PART))
    to = destination(site)
    site.strikes.method, site.strikes.after, site.strikes.times = "GET", False, 2
    again = spark.write("SELECT id, name, part FROM before", to, MANY)
    assert site.strikes.times == 0
    check(site, spark, again, to)


def test_every_task_run_twice_at_once(spark: Engine, site: Site) -> None:
    to = destination(site)
    with ThreadPoolExecutor(2) as pool:
        both = [future.result() for future in [pool.submit(spark.write, QUERY, to, MANY) for _ in range(2)]]
    assert both[0] == both[1]
    check(site, spark, both[0], to)


def test_no_key_of_the_drivers_reaches_a_task(
    spark: Engine, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    """What a task is given names the region alone: executors have credentials of their own."""
    from pyspark import cloudpickle
    from pyspark.sql.classic.dataframe import DataFrame

    sent: list[bytes] = []
    original: Any = DataFrame.mapInArrow

    def noted(self: DataFrame, function: Any, schema: str) -> Any:
        sent.append(cloudpickle.dumps(function))  # type: ignore[no-untyped-call]
        return original(self, function, schema)

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key-that-nobody-may-see")
    monkeypatch.setattr(DataFrame, "mapInArrow", noted)
    to = destination(site)
    spark.read("found", dataset(KEYED, spark.write(QUERY, to, 1), to, PART))
    assert len(sent) == 2
    assert all(b"nobody-may-see" not in one and site.endpoint.region.encode() in one for one in sent)


def test_many_rows_whose_keys_nobody_wants_are_written_by_the_tasks_that_have_them(
    spark: Engine, site: Site
) -> None:
    to = Destination(BUCKET, site.prefix(), KEYED, ("id",))
    spark.table("made", f"SELECT id, CAST(id AS STRING) AS name FROM range({ROWS}) AS r(id)")
    written = spark.write("SELECT id, name FROM made", to, MANY)[""]
    # Two cores have made them; a shuffle would have spread them over three tasks.
    assert [data.rows for data in written] == [ROWS // 2, ROWS // 2]
    assert site.listed(to.prefix) == {data.key: data.bytes for data in written}


def test_small_relations_are_known_to_be_small(spark: Engine, site: Site) -> None:
    """Spark is told about how large a relation is, so that it broadcasts what is small."""
    assert isinstance(spark, SparkEngine)
    # The active session may be that of a test that ran before in this process.
    session = spark._spark
    to = destination(site)
    spark.read("small", dataset(KEYED, spark.write(QUERY, to, 1), to, PART))
    spark.view("large", "SELECT id FROM range(100000000) AS r(id)")
    plan = session.sql("EXPLAIN SELECT l.id FROM large AS l JOIN small AS s ON s.id = l.id").first()
    assert plan is not None
    assert "BroadcastHashJoin" in plan[0]
