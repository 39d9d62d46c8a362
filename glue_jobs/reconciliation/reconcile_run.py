"""One run of the reconciliation: what is compared is logged, measured, kept, and captured again if missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.lake.reconciliations import newest
from glue_jobs.reconciliation import record
from glue_jobs.reconciliation.backstop import request_missed
from glue_jobs.reconciliation.comparison import reconcile
from glue_jobs.reconciliation.reconciliation_report import ALARMING, Report
from glue_jobs.reconciliation.views import Athena
from glue_jobs.reconciliation.volume import read_counts, unusual_days
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.aws import SecretsManagerClient
from glue_jobs.runtime.entry_point import describe
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.secrets import with_dsn


@dataclass(frozen=True)
class ReconcileArguments:
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
    warehouse_schema: str = WAREHOUSE_SCHEMA


class NotReconciled(UserError):  # noqa: N818 - says what happened
    """Something differs, or could not be compared."""


def run(
    given: ReconcileArguments,
    lake: LakeClients,
    secrets_manager: SecretsManagerClient,
    athena: Athena,
    catalogue: Catalogue,
) -> int:
    """Reconcile once.

    Args:
        given: The job's arguments.
        lake: Its clients.
        secrets_manager: Knows both databases' DSNs.
        athena: Where Athena is asked.
        catalogue: The contracts.

    Returns:
        0 where nothing differs but what no capture has seen yet, or what is paused; 1 where something does,
        or where a table could not be compared.
    """
    with log.timed("reconcile.done") as found:
        report = with_dsn(
            secrets_manager,
            given.source_secret,
            lambda source: with_dsn(
                secrets_manager,
                given.warehouse_secret,
                lambda warehouse: reconcile(
                    source,
                    warehouse,
                    lake,
                    catalogue=catalogue,
                    schema=given.warehouse_schema,
                    source_schema=given.source_schema,
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
        metrics.emit({"job": "reconcile"}, record.metrics(report))
        check_volume(athena, catalogue, utc_now().date() - timedelta(days=1))
        for name, number in keep(report, lake, catalogue).items():
            log.error("reconcile.full_capture_requested", table=name, request=number)
        log.step("reconcile.recorded", batch=report.batch)
        found.update(batch=report.batch, verdict=report.verdict)
    if report.verdict not in ALARMING:
        return 0
    remedy = "The log has each table's counts, the table reconciliations of the ops zone the keys of rows."
    log.error("job.failed", **describe(NotReconciled(report.trouble(), remedy)))
    return 1


def check_volume(athena: Athena, catalogue: Catalogue, day: date) -> None:
    """Say which tables brought unusually many or few rows on a day; no verdict depends on it.

    Args:
        athena: Where Athena is asked.
        catalogue: The contracts.
        day: The day, which is over.
    """
    try:
        counts = read_counts(athena.ask, catalogue.zones["ops"].database, day)
    except UserError as error:
        log.error("reconcile.volume_unknown", **describe(error))
        return
    found = unusual_days(counts, catalogue.raw, day)
    for one in found:
        log.warning(
            "reconcile.unusual_volume", table=one.table, day=str(day), rows=one.rows, usual=list(one.usual)
        )
    metrics.emit({"job": "reconcile"}, {"tables_unusual": len(found)})


def keep(report: Report, lake: LakeClients, catalogue: Catalogue) -> dict[str, int]:
    """Ask for full captures of what was missed, and keep what was found in the ops zone.

    Returns:
        By table, the number of the request.
    """
    requested = request_missed(lake, report, newest(lake.s3, lake.ingestion, catalogue), catalogue.captured)
    record.write(lake, catalogue, record.rows(report, log.run_id(), utc_now()))
    return requested
