"""What a reconciliation found, where the owner of the data can query it: a row per table in the ops zone."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from catalog.catalogue import Catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.publish import append_ops
from glue_jobs.lake.reconciliations import TABLE
from glue_jobs.reconciliation.reconciliation_report import (
    COUNTS,
    PAUSED,
    Comparison,
    Report,
    TableReport,
)


def rows(report: Report, run_id: str, at: datetime) -> list[dict[str, Any]]:
    """The report as rows of the ops zone's table ``reconciliations``, one for each table and pair of sides.

    Args:
        report: The report.
        run_id: The run that compared.
        at: When (UTC, without zone).
    """
    return [
        {
            "run_id": run_id,
            "compared_at": at,
            "last_batch": report.batch,
            "table_zone": table.zone,
            "table_name": table.table,
            "left_side": comparison.left,
            "right_side": comparison.right,
            "verdict": table.verdict_of(comparison) if table.comparisons else table.verdict,
            "rows_left": _rows_of(table, comparison.left),
            "rows_right": _rows_of(table, comparison.right),
            **{f"rows_{name}": getattr(comparison, name) for name in COUNTS},
            "examples": _examples(comparison),
        }
        for table in report.tables
        # A table that was not compared has a row that says so.
        for comparison in table.comparisons or (Comparison("source", "lake"),)
    ]


def metrics(report: Report) -> dict[str, float]:
    """What an alarm and the dashboard read of all tables together; of each table the log has the counts.

    ``unequal`` counts rows that should be the same and are not, without those that only wait for the next
    capture. Counts alone: keys are in the record.
    """
    judged = [c for table in report.tables for c in table.comparisons if table.verdict_of(c) != PAUSED]
    return {
        "unequal": sum(c.total - c.waiting for c in judged),
        "inferred": sum(table.inferred for table in report.tables),
    }


def write(lake: LakeClients, catalogue: Catalogue, found: list[dict[str, Any]]) -> None:
    """Keep the rows of one report in the ops zone, once.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        found: From :func:`rows`.
    """
    if found:
        values = {"compared_date": found[0]["compared_at"].date().isoformat()}
        contract = catalogue.ops[TABLE]
        append_ops(lake, contract, values, found[0]["run_id"], found)


def _rows_of(table: TableReport, side: str) -> int:
    return int(getattr(table, side) or 0)


def _examples(comparison: Comparison) -> str:
    return json.dumps(
        [
            {"kind": e.kind, "key": e.key, "waiting": e.waiting, "columns": list(e.columns)}
            for e in comparison.examples
        ]
    )
