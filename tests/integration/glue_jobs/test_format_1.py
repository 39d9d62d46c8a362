"""A lake and a warehouse that the last release with format 1 wrote are carried on, on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.lake import approvals, rebuilds
from glue_jobs.lake.commits import STAGES
from glue_jobs.lake.rebuilds import Rebuilt
from glue_jobs.reconciliation import star_checksums
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from glue_jobs.sources.capture_run import TablesPaused
from glue_jobs.sources.mass_deletes import MassDeletes
from glue_jobs.validation.approval import BatchAwaitsApproval
from lakehouse.dead_letters import open_dead_letters
from tests.faults import invariants
from tests.faults.pipeline import Pipeline
from tests.format_1 import MOMENTS, Restored, format_1_pipeline, restored_server
from tests.lake import embedded
from tests.spark import on_spark

ENGINES = {"embedded": embedded, "spark": on_spark}
NOW = "2026-12-01T00:00:00.000Z"

IN_SHORT = [("embedded", "captured")]
"""What every run of the tests looks at."""

CARRIED_ON = [
    pytest.param(case, id="-".join(case), marks=[] if case in IN_SHORT else [pytest.mark.slow])
    for case in [
        *[("embedded", moment) for moment in MOMENTS],
        *[("spark", moment) for moment in ("approved", "validated", "rebuild_requested")],
    ]
]


@pytest.fixture(scope="module")
def restored() -> Iterator[Restored]:
    with restored_server() as restored:
        yield restored


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest,
    restored: Restored,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pipeline]:
    engine, moment = request.param
    if engine == "spark":
        request.getfixturevalue("spark_home")
    with format_1_pipeline(moment, restored, tmp_path, monkeypatch, ENGINES[engine]) as pipeline:
        yield pipeline


def transform(pipeline: Pipeline) -> None:
    """What follows a capture; every stage but the load on the lake's own engine."""
    assert pipeline.lake.validate() == 0
    assert pipeline.lake.dimensions() == 0
    assert pipeline.lake.facts() == 0
    pipeline.job("load")


def versions(pipeline: Pipeline) -> dict[tuple[str, str], str]:
    """By table and partition path, the live version."""
    return {
        (name, path): label
        for stage in rebuilds.BUILT
        for name, table in pipeline.lake.commit(stage).tables.items()
        for path, label in table.versions.items()
    }


def record_ids(pipeline: Pipeline) -> dict[tuple[str, Any, int], int]:
    """By fact, key and batch, the record id."""
    star, found = pipeline.lake.star(), {}
    for contract in pipeline.lake.catalogue.star_of_kind("fact"):
        record_id = next(name for name in (c.name for c in contract.columns) if name.endswith("record_id"))
        for row in star.rows(contract.table):
            found[contract.table, row[contract.key[0]], row["batch_sequence"]] = row[record_id]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", CARRIED_ON, indirect=True)
def test_a_lake_of_format_1_is_carried_on_without_a_rebuild(
    pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    engine, moment = request.node.callspec.params["pipeline"]
    bucket, s3 = pipeline.lake.buckets["ingestion"], pipeline.lake.s3
    invariants.check_lake(pipeline)
    before, numbered = versions(pipeline), record_ids(pipeline)
    asked = moment == "rebuild_requested"
    assert rebuilds.unanswered(pipeline.lake.clients) == (["dimensions", "facts", "load"] if asked else [])

    if moment in ("captured", "awaiting_approval"):
        # What the release noted is the same, and what it would have noted, too.
        for _ in range(2):
            with pytest.raises(BatchAwaitsApproval, match="14 of 34 rows of sales_order in batch 7"):
                pipeline.lake.validate()
        (waiting,) = approvals.waiting(s3, bucket, 6)
        assert (waiting.table, waiting.batch, waiting.rejected) == ("sales_order", 7, 14)
        assert approvals.approve(s3, bucket, NOW) == 1
    transform(pipeline)

    assert pipeline.lake.open_dead_letters() == {"design": 1, "sales_order": 16}
    assert {one.batch for one in open_dead_letters(s3, bucket, pipeline.lake.catalogue)} == {2, 7}
    assert rebuilds.unanswered(pipeline.lake.clients) == []
    for stage in rebuilds.BUILT:
        assert Rebuilt.of(pipeline.lake.commit(stage)).request == (1 if asked else 0)
    kept = {name for name, label in versions(pipeline).items() if label == before.get(name)}
    assert ("fact_sales_order", "created_month=2023-01") in kept or asked
    assert kept or asked
    now = record_ids(pipeline)
    assert asked or {version: now.get(version) for version in numbered} == numbered
    # A source whose structure disagrees cannot be reconciled; lake and warehouse can be compared.
    invariants.check_lake(pipeline)
    invariants.check_state(pipeline)
    sums = star_checksums(pipeline.loader_dsn, pipeline.lake.clients)
    for table in pipeline.lake.catalogue.star:
        assert sums[f"warehouse.{table}"] == sums[f"lake.{table}"], table

    # The release did not say all that its rows depended on: each table is captured in full, once.
    pipeline.sql(
        "UPDATE sales_order SET agreed_payment_date = '2023-02-28' WHERE sales_order_id = 9;"
        "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 12;"
        "UPDATE design SET created_at = '2022-11-20 09:30' WHERE design_id = 9001;"
        "DELETE FROM payment WHERE payment_id = 11;"
        "ALTER TABLE department RENAME head TO manager"
    )
    deletes = MassDeletes(s3, bucket)
    with suppress(TablesPaused):
        pipeline.capture()
    (waiting_delete,) = deletes.waiting()
    assert (waiting_delete.table, waiting_delete.missing) == ("payment", 111)
    deletes.resume(waiting_delete, NOW)
    lines = pipeline.capture()
    assert [line["table"] for line in lines if line["event"] == "capture.in_full"] == ["payment"]
    assert pipeline.commits("capture").latest_sequence() == 9
    if (engine, moment) in IN_SHORT:
        pipeline.transform()
    else:
        transform(pipeline)

    # Two payments were accepted while the rule that rejects them only warned; the star keeps what it has.
    assert pipeline.lake.open_dead_letters() == {"payment": 2, "sales_order": 15}
    later = record_ids(pipeline)
    assert {version: later.get(version) for version in now} == now
    invariants.check(pipeline)
    report = pipeline.reconcile()
    assert report.verdict == EQUAL
    assert not any(table.inferred for table in report.tables)
    assert {pipeline.lake.commit(stage).last_batch for stage in STAGES} == {9}


@pytest.mark.parametrize("pipeline", [("embedded", "approved")], indirect=True, ids="-".join)
def test_a_mass_delete_that_an_earlier_release_noted_is_let_go_where_it_told(pipeline: Pipeline) -> None:
    bucket, s3 = pipeline.lake.buckets["ingestion"], pipeline.lake.s3
    (delete,) = MassDeletes(s3, bucket).waiting()
    # The key that its log named.
    key = f"_holds/payment/{delete.name}/released.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
    assert MassDeletes(s3, bucket).is_resumed(delete)
    with pytest.raises(TablesPaused, match="Held: department"):
        pipeline.capture()
    assert pipeline.commits("capture").latest_sequence() == 8
    assert pipeline.lake.commit("capture").tables["payment"].counts["deletes"] == 110
    assert MassDeletes(s3, bucket).waiting() == []
