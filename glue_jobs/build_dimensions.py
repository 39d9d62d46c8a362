"""Glue Spark job: the dimensions of the star, the latest row of each key, from what validation accepted."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.engine.spark import SparkEngine
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, errors
from glue_jobs.stages.open_stage import StageArguments, made_once, open_stage, registered_catalog
from glue_jobs.star.drain import contracts_of, drain

JOB = "build_dimensions"


def main(argv: Sequence[str]) -> int:
    """Drain every validated batch that the dimensions have not covered.

    Args:
        argv: See :class:`StageArguments`; others are ignored.
    """
    given = arguments.parse(StageArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    catalogue = registered_catalog(lake.glue, given)
    with made_once(lambda: SparkEngine(lake.s3.meta.region_name, JOB)) as engine:
        stage = open_stage("dimensions", lake, catalogue, engine)
        return drain(stage, contracts_of("dimensions", catalogue))


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
