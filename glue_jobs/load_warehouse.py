"""Glue Python shell job: the star zone's changes into the warehouse.

Loads every commit that waits, all tables in one transaction; run twice it does nothing the second time, and
killed at any point it leaves the warehouse as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import boto3

from catalog.catalogue import load_catalogue
from catalog.warehouse import SCHEMA
from glue_jobs.runtime import arguments, errors, log
from glue_jobs.runtime.secrets import with_dsn
from glue_jobs.warehouse.load import Lake, load
from glue_jobs.warehouse.report import report

JOB = "load_warehouse"


@dataclass(frozen=True)
class Arguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Holds the commits.
        processed_bucket: Holds the star zone.
        warehouse_secret: Names the secret with the warehouse's DSN.
        warehouse_schema: The PostgreSQL schema of the tables.
    """

    ingestion_bucket: str
    processed_bucket: str
    warehouse_secret: str
    warehouse_schema: str = SCHEMA


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: Its arguments, without the script.

    Returns:
        The exit code, 0.
    """
    given = arguments.parse(Arguments, argv)
    lake = Lake(boto3.client("s3"), given.ingestion_bucket, given.processed_bucket)
    catalogue = load_catalogue()
    outcome = with_dsn(
        boto3.client("secretsmanager"),
        given.warehouse_secret,
        lambda dsn: load(lake, dsn, catalogue, given.warehouse_schema),
    )
    if outcome.changed and outcome.last:
        log.info("load.done", **asdict(outcome.last))
    else:
        log.info("load.nothing_waits")
    if outcome.last:
        report(lake, boto3.client("glue"), catalogue, outcome.last)
        log.step("load.reported")
    return 0


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
