"""Glue Python shell job: what was captured, through validation, dimensions and facts, into the warehouse.

Ordinary batches go through DuckDB in this one process, each stage with its own commit; what is larger than
the limits of ``catalog/pipeline.yaml`` is handed over to Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.runtime import entry_point

JOB = "transform"


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: See :class:`~glue_jobs.transformation.transform_run.TransformArguments`; others are ignored.
    """
    # Here, and not above: the process that waits for the one that works holds none of it in memory.
    import boto3

    from catalog.catalogue import load_catalogue
    from glue_jobs.lake.clients import LakeClients
    from glue_jobs.runtime import arguments
    from glue_jobs.transformation.transform_run import TransformArguments, TransformRun

    given = arguments.parse(TransformArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    return TransformRun(given, lake, boto3.client("secretsmanager"), load_catalogue(), JOB).run()


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
