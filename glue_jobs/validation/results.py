"""Validation results as documents: what Great Expectations' pages of a batch are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from expectations import validation_report
from expectations.rules import Suite
from glue_jobs.lake.commits import Commit
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.validation_state import ValidationState, result_key
from glue_jobs.stages.stage import Stage


def write_results(stage: Stage, commit: Commit, suites: Mapping[str, Suite]) -> None:
    """Write the validation results of a commit, each once, as Great Expectations reads them."""
    for table, by_batch in ValidationState.of(commit).results.items():
        if table not in suites:
            continue
        for batch, result in by_batch.items():
            counts = asdict(result)
            meta = {
                "table": table,
                "batch": batch,
                "sequence": commit.sequence,
                "judged_at": commit.committed_at,
                **{name: counts[name] for name in ("read", "rejected", "warned", "deletions")},
            }
            rows = result.read - result.deletions
            document = validation_report.validation_result(
                suites[table], rows, result.broken, result.empty, meta
            )
            body = json.dumps(document, sort_keys=True).encode()
            key = result_key(table, batch)
            put_new(stage.lake.s3, stage.lake.ingestion, key, body, ContentType="application/json")
