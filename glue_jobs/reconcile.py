"""Glue job ``reconcile`` (Python shell): is the source what the lake and the warehouse hold, to the row?

Ends with 1 where anything differs, so that whoever schedules it is told. Logs a line per table: counts and
keys, never a row's content.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import boto3

from catalog.warehouse import SCHEMA
from glue_jobs.reconciliation import reconcile
from glue_jobs.reconciliation.report import EQUAL
from glue_jobs.runtime import errors, log, secrets
from glue_jobs.runtime.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """What the job is told.

    Attributes:
        ingestion_bucket: Holds the commits, the raw zone and the ops zone.
        processed_bucket: Holds the star zone.
        source_secret: Secret with the DSN of totesys.
        warehouse_secret: Secret with the DSN of the warehouse.
        warehouse_schema: The warehouse's schema.
    """

    ingestion_bucket: str
    processed_bucket: str
    source_secret: str
    warehouse_secret: str
    warehouse_schema: str = SCHEMA


def main(argv: Sequence[str]) -> int:
    """Reconcile once.

    Args:
        argv: Glue-style arguments, see :class:`Arguments`.

    Returns:
        0 where all is equal, else 1.
    """
    arguments = parse(Arguments, argv)
    secrets_manager = boto3.client("secretsmanager")
    with log.timed("reconciled") as found:
        report = reconcile(
            secrets.fetch_dsn(secrets_manager, arguments.source_secret),
            secrets.fetch_dsn(secrets_manager, arguments.warehouse_secret),
            boto3.client("s3"),
            {"ingestion": arguments.ingestion_bucket, "processed": arguments.processed_bucket},
            schema=arguments.warehouse_schema,
        )
        stated = report.as_dict()
        for table in stated["tables"]:
            say = log.info if table["verdict"] == EQUAL else log.error
            say("reconciled.table", batch=report.batch, **table)
        found.update(batch=report.batch, verdict=report.verdict)
    return 0 if report.verdict == EQUAL else 1


if __name__ == "__main__":
    errors.run("reconcile", main, sys.argv[1:])
