"""What the capture missed without knowing: found here, and captured again.

A row of the source that the raw zone lacks or has otherwise, and that no later change explains, was lost to
the capture, by whatever way. Its table is asked to be captured in full, once: if the next reconciliation
finds the table unequal still, a full capture does not help, and a person has to look.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from glue_jobs.lake.clients import LakeClients
from glue_jobs.reconciliation.reconciliation_report import DIFFERENT, Report
from glue_jobs.sources.full_captures import request_full_capture


def unexplained(report: Report, captured: Container[str]) -> Iterator[str]:
    """The captured tables that differ from their source by more than what a later capture can explain.

    Args:
        report: What was found.
        captured: The tables that are captured; of a feed's no capture knows anything.
    """
    for table in report.tables:
        is_captured = table.zone == "raw" and table.table in captured
        if is_captured and any(table.verdict_of(one) == DIFFERENT for one in table.comparisons):
            yield table.table


def request_missed(
    lake: LakeClients, report: Report, previous: Iterable[Mapping[str, Any]], captured: Container[str]
) -> dict[str, int]:
    """Ask for a full capture of each table that differs, unless it did at the reconciliation before, too.

    Args:
        lake: Its clients.
        report: What was found.
        previous: The rows of the reconciliation before.
        captured: The tables that are captured.

    Returns:
        By table, the number of the request.
    """
    before = {
        row["table_name"] for row in previous if row["table_zone"] == "raw" and row["verdict"] == DIFFERENT
    }
    reason = f"the reconciliation of batch {report.batch} found rows that no later change explains"
    return {
        table: request_full_capture(lake, table, reason)
        for table in unexplained(report, captured)
        if table not in before
    }
