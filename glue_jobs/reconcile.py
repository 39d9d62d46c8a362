"""Glue Python shell job: is the source what the lake and the warehouse hold, to the row?

Ends with 1 where anything differs or could not be compared, so that whoever schedules it is told; rows that
only wait, since the source changed them after the last capture, are no difference, and a paused table has an
alarm of its own. Counts go to the log and into metrics, keys into the ops zone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import boto3

from catalog.catalogue import load_catalogue
from catalog.warehouse import SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.lake.reconciliations import newest
from glue_jobs.reconciliation import reconcile, record
from glue_jobs.reconciliation.backstop import request_missed
from glue_jobs.reconciliation.reconciliation_report import ALARMING
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime import errors, log, metrics
from glue_jobs.runtime.arguments import parse
from glue_jobs.runtime.secrets import with_dsn

JOB = "reconcile"


@dataclass(frozen=True)
class Arguments:
    """What the job is told.

    Attributes:
        ingestion_bucket: Holds the commits, the raw zone and the ops zone.
        processed_bucket: Holds the star zone.
        source_secret: Secret with the DSN of the source.
        warehouse_secret: Secret with the DSN of the warehouse.
        source_schema: The schema of the source's tables.
        work_group: The work group in which Athena is asked what analysts read.
        warehouse_schema: The warehouse's schema.
    """

    ingestion_bucket: str
    processed_bucket: str
    source_secret: str
    warehouse_secret: str
    source_schema: str
    work_group: str
    warehouse_schema: str = SCHEMA


def main(argv: Sequence[str]) -> int:
    """Reconcile once.

    Args:
        argv: Glue-style arguments, see :class:`Arguments`.

    Returns:
        0 where nothing differs but what no capture has seen yet, or what is paused; 1 where something does,
        or where a table could not be compared.
    """
    arguments = parse(Arguments, argv)
    secrets_manager, catalogue = boto3.client("secretsmanager"), load_catalogue()
    lake = LakeClients.connect(arguments.ingestion_bucket, arguments.processed_bucket)
    athena = Athena(boto3.client("athena"), arguments.work_group)
    with log.timed("reconcile.done") as found:
        report = with_dsn(
            secrets_manager,
            arguments.source_secret,
            lambda source: with_dsn(
                secrets_manager,
                arguments.warehouse_secret,
                lambda warehouse: reconcile(
                    source,
                    warehouse,
                    lake,
                    catalogue=catalogue,
                    schema=arguments.warehouse_schema,
                    source_schema=arguments.source_schema,
                    athena=athena,
                ),
            ),
        )
        log.step("reconcile.compared", batch=report.batch)
        for table in report.tables:
            report_line = log.error if table.verdict in ALARMING else log.info
            why = {"paused": table.paused, "unread": table.unread}
            stated = {name: words for name, words in why.items() if words is not None}
            report_line("reconcile.table", batch=report.batch, **table.counts(), **stated)
        for fault in report.catalog_faults:
            log.error("reconcile.catalog", fault=fault)
        if report.foreign_warehouse is not None:
            log.error("reconcile.foreign_warehouse", reason=report.foreign_warehouse)
        for dimensions, values in record.metrics(report):
            metrics.emit(dimensions, values)
        previous = newest(lake.s3, lake.ingestion, catalogue)
        for name, number in request_missed(lake, report, previous).items():
            log.error("reconcile.full_capture_requested", table=name, request=number)
        rows = record.rows(report, log.run_id(), utc_now())
        record.write(lake, catalogue, rows)
        log.step("reconcile.recorded", batch=report.batch)
        found.update(batch=report.batch, verdict=report.verdict)
    return 1 if report.verdict in ALARMING else 0


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:], apart=True)
