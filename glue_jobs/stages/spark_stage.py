"""A stage as a Spark job opens it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from glue_jobs.engine.spark import SparkEngine
from glue_jobs.lake.clients import LakeClients
from glue_jobs.stages.open_stage import StageArguments, made_once, open_stage, registered_catalog
from glue_jobs.stages.stage import Stage


@contextmanager
def spark_stage(name: str, given: StageArguments, job: str) -> Iterator[Stage]:
    """A stage on Spark, which ends with it.

    Args:
        name: The stage whose commits it publishes.
        given: The job's arguments.
        job: The job's name.
    """
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    with made_once(lambda: SparkEngine(lake.s3.meta.region_name, job)) as engine:
        yield open_stage(name, lake, registered_catalog(lake.glue, given), engine)
