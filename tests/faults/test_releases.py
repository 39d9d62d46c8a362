"""What the release before left, and what a later one writes, is carried on by this one.

It passes over the fields that it does not know.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.lake import approvals, backoff, rebuilds
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.lake.validation_state import RESULTS, UNRESOLVED, WAITING
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from glue_jobs.sources import full_captures
from glue_jobs.sources.capture_run import TablesPaused
from glue_jobs.sources.mass_deletes import MassDeletes
from glue_jobs.validation.approval import BatchAwaitsApproval
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults import invariants
from tests.faults.pipeline import LOADER, Pipeline
from tests.faults.test_alarms import BROKEN
from tests.frozen import frozen_pipeline
from tests.night import at_night

NAMES_OF: Mapping[str, int] = {
    **dict.fromkeys(("broken", "causes", "empty", "key_ranges", "labels", "listed_from", "schemas"), 1),
    **dict.fromkeys(("tables", UNRESOLVED, "values", "versions", WAITING), 1),
    RESULTS: 2,
}
"""Fields whose members are called after tables, partitions and the like, so many levels deep."""

ADDED = "added_by_a_later_release"

FORMS = (
    *(f"_commits/{stage}/" for stage in ("capture", "validate", "dimensions", "facts", "load")),
    *(f"_commits/{kind}/" for kind in ("full_capture", "hand_over", "rebuild", "waits")),
    "_awaiting_approval/",
    "_paused/",
)
"""Where documents lie that one run writes and another reads."""


def later(stated: Any, names: int = 0) -> Any:
    """A document as a release would write it that states more in every part of it."""
    if isinstance(stated, list):
        return [later(one) for one in stated]
    if not isinstance(stated, dict):
        return stated
    if names:
        return {name: later(value, names - 1) for name, value in stated.items()}
    read = {name: later(value, NAMES_OF.get(name, 0)) for name, value in stated.items()}
    return {**read, ADDED: {"how": ["much", 1]}}


def written_by_a_later_release(pipeline: Pipeline) -> Counter[str]:
    """Have every document of the lake state more; how many there are of each form."""
    folder, found = pipeline.lake.folder("ingestion"), Counter[str]()
    for form in FORMS:
        for path in (folder / form).rglob("*.json"):
            # A person's answer is empty.
            if body := path.read_bytes():
                path.write_text(json.dumps(later(json.loads(body))), encoding="utf-8")
                found[form] += 1
    return found


def leave_open(pipeline: Pipeline) -> None:
    """Have everything open at once that can be."""
    pipeline.sql(
        "INSERT INTO address (address_line_1, city, postal_code, country, phone, last_updated)"
        " SELECT i || ' Lane', 'Leeds', '1', 'Italy', '0113 000000', now() FROM generate_series(1, 200) i"
    )
    pipeline.run()
    pipeline.sql("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id < 4")
    pipeline.capture()
    pipeline.transform("--engine", "spark")  # handed over, and not built
    pipeline.transform()
    pipeline.sql("UPDATE sales_order SET agreed_delivery_date = 'soon' WHERE sales_order_id = 5")
    pipeline.run()
    # A table is paused, a batch awaits approval, a full capture and a rebuild are asked for, a job waits.
    pipeline.sql("DELETE FROM address WHERE address_line_1 LIKE '% Lane';" + BROKEN)
    with pytest.raises(TablesPaused):
        pipeline.capture()
    full_captures.request_full_capture(pipeline.lake.clients, "design", "A test asks for it.")
    with pytest.raises(BatchAwaitsApproval):
        pipeline.transform()
    rebuilds.request(pipeline.lake.clients)


def check_carried_on(pipeline: Pipeline, *, is_another_source: bool = False) -> None:
    """See that all that was left open is answered, and that nothing is lost or doubled on the way.

    Args:
        pipeline: As it was left.
        is_another_source: Whether its source is on another server now: each table is captured in full.
    """
    s3, bucket = pipeline.lake.s3, pipeline.lake.buckets["ingestion"]
    assert [wait.job for wait in backoff.waiting(s3, bucket)] == ["transform"]
    (waiting,) = MassDeletes(s3, bucket).waiting()
    MassDeletes(s3, bucket).resume(waiting, iso(utc_now()))
    assert approvals.approve(s3, bucket, iso(utc_now())) == 1
    lines = pipeline.capture()
    in_full = {line["table"] for line in lines if line["event"] == "capture.in_full"}
    assert in_full == (pipeline.lake.catalogue.raw.keys() if is_another_source else {"design"})
    if is_another_source:
        # The rows that were approved come once more.
        with pytest.raises(BatchAwaitsApproval):
            pipeline.transform()
        assert approvals.approve(s3, bucket, iso(utc_now())) == 1
    pipeline.transform()
    assert rebuilds.unanswered(pipeline.lake.clients) == []
    assert backoff.waiting(s3, bucket) == []
    invariants.check(pipeline)
    assert pipeline.reconcile().verdict == EQUAL


@pytest.mark.slow
def test_a_lake_that_a_later_release_wrote_is_carried_on_whatever_is_open_in_it(pipeline: Pipeline) -> None:
    leave_open(pipeline)
    assert set(written_by_a_later_release(pipeline)) == set(FORMS)
    check_carried_on(pipeline)


def written_by_a_later_load(pipeline: Pipeline) -> None:
    """Have the tables of the warehouse state more."""
    with pipeline.server.connect(pipeline.warehouse) as warehouse:
        tables = warehouse.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = %s", [LOADER]
        ).fetchall()
        for (table,) in tables:
            warehouse.execute(f"ALTER TABLE \"{table}\" ADD COLUMN {ADDED} text DEFAULT 'x'".encode())
    assert {"load_offset", "load_audit", "dim_design", "fact_sales_order"} <= {table for (table,) in tables}


@pytest.mark.parametrize("release", ["before", at_night("after")])
def test_what_a_neighbouring_release_left_is_carried_on_whatever_is_open_in_it(
    release: str, server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with frozen_pipeline(server, tmp_path, monkeypatch) as pipeline:
        if release == "after":
            assert set(written_by_a_later_release(pipeline)) == set(FORMS)
            written_by_a_later_load(pipeline)
        invariants.check_lake(pipeline)
        check_carried_on(pipeline, is_another_source=True)
