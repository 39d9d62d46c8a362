"""How runs of different sizes are planned."""

from __future__ import annotations

from pyspark.sql import SparkSession

from glue_jobs.star.stage import SMALL_PLAN, SMALL_RUN, plan_for


def test_a_large_run_after_a_small_one_is_planned_as_the_session_was_set_up_from_outside(
    spark: SparkSession,
) -> None:
    outside = spark.sparkContext.getConf()
    fresh = spark.newSession()
    untouched = {name: fresh.conf.get(name, None) for name in SMALL_PLAN}
    assert untouched["spark.sql.shuffle.partitions"] == outside.get("spark.sql.shuffle.partitions")
    plan_for(fresh, rows=0)
    assert {name: fresh.conf.get(name) for name in SMALL_PLAN} == SMALL_PLAN
    plan_for(fresh, rows=SMALL_RUN + 1)
    assert {name: fresh.conf.get(name, None) for name in SMALL_PLAN} == untouched
