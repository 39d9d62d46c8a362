"""Glue Spark job: what *replay_dead_letters* does, for more dead letters than one process takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from expectations.rules import load_suites
from glue_jobs.engine.spark import SparkEngine
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, errors
from glue_jobs.stages.open_stage import StageArguments, made_once, open_stage, registered_catalog
from glue_jobs.validation.replay import replay

JOB = "replay_dead_letters_large"


def main(argv: Sequence[str]) -> int:
    """Replay once.

    Args:
        argv: See :class:`StageArguments`; others are ignored.
    """
    given = arguments.parse(StageArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    with made_once(lambda: SparkEngine(lake.s3.meta.region_name, JOB)) as engine:
        stage = open_stage("validate", lake, registered_catalog(lake.glue, given), engine)
        return replay(stage, load_suites(stage.catalogue))


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
