"""What a later release writes is read by this one, which passes over the fields that it does not know."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from glue_jobs.lake import approvals, backoff, rebuilds
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.lake.validation_state import RESULTS, UNRESOLVED, WAITING
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from glue_jobs.sources import full_captures
from glue_jobs.sources.capture_run import TablesHeld
from glue_jobs.sources.mass_deletes import MassDeletes
from glue_jobs.validation.approval import BatchAwaitsApproval
from tests.faults import invariants
from tests.faults.pipeline import Pipeline
from tests.faults.test_alarms import BROKEN

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


def test_a_lake_that_a_later_release_wrote_is_carried_on_whatever_is_open_in_it(pipeline: Pipeline) -> None:
    lake = pipeline.lake
    s3, bucket = lake.s3, lake.buckets["ingestion"]
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
    with pytest.raises(TablesHeld):
        pipeline.capture()
    full_captures.request_full_capture(s3, bucket, "design", "A test asks for it.")
    with pytest.raises(BatchAwaitsApproval):
        pipeline.transform()
    rebuilds.request(s3, bucket)

    assert set(written_by_a_later_release(pipeline)) == set(FORMS)

    assert [wait.job for wait in backoff.waiting(s3, bucket)] == ["transform"]
    (waiting,) = MassDeletes(s3, bucket).waiting()
    MassDeletes(s3, bucket).resume(waiting, iso(utc_now()))
    assert approvals.approve(s3, bucket, iso(utc_now())) == 1
    lines = pipeline.capture()
    assert "design" in [line["table"] for line in lines if line["event"] == "capture.in_full"]
    pipeline.transform()
    assert rebuilds.unanswered(s3, bucket) == []
    assert backoff.waiting(s3, bucket) == []
    invariants.check(pipeline)
    assert pipeline.reconcile().verdict == EQUAL
