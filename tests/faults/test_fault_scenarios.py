"""What breaks around the pipeline: each run publishes whole or not at all, and the next one completes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from psycopg.conninfo import make_conninfo

from glue_jobs.lake.commits import STAGES
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from tests.faults import invariants
from tests.faults.injector import Fault, injected
from tests.faults.pipeline import Base, Pipeline, start_from
from tests.night import at_night

FIRST_RUN_KILLS = {"capture": ["capture.file_uploaded#3"], "load": ["load.installed", "load.copied#5"]}
CHANGE = "UPDATE sales_order SET units_sold = 9999 WHERE sales_order_id = 7"


def at_step(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], object]) -> None:
    """Let something happen when a job does a step for the first time."""
    original, waits = log.step, [step]

    def done(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name in waits:
            waits.remove(name)
            act()

    monkeypatch.setattr(log, "step", done)


@pytest.mark.slow
def test_a_batch_that_is_delivered_again_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.sql(CHANGE)
    pipeline.run()
    before = pipeline.published()
    for stage in STAGES[1:]:
        pipeline.job(stage)
    assert pipeline.published() == before
    invariants.check(pipeline)


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        ("capture", "capture.uploaded"),
        at_night("validate", "validate.checked"),
        at_night("dimensions", "dimensions.written"),
        at_night("facts", "facts.written"),
    ],
)
def test_a_run_that_wakes_after_another_has_committed_publishes_nothing(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    step: str,
) -> None:
    with start_from(bases[stage], tmp_path, monkeypatch) as pipeline:
        at_step(monkeypatch, step, lambda: pipeline.job(stage))
        events = [line["event"] for line in pipeline.job(stage)]
        assert f"{stage}.commit_conflict" in events
        assert pipeline.commits(stage).latest_sequence() == 2
        after = STAGES[STAGES.index(stage) :]
        for later in after:
            pipeline.job(later)
        if stage == "dimensions":
            pipeline.transform()
        invariants.check(pipeline)


@pytest.mark.parametrize(("zone", "stage"), [("raw", "facts"), at_night("star", "load")])
def test_an_object_that_is_truncated_or_has_a_flipped_bit_stops_its_reader_before_anything_is_published(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    stage: str,
) -> None:
    with start_from(bases[stage], tmp_path, monkeypatch) as pipeline:
        if zone == "raw":
            commit = pipeline.commits("capture").get(2)
            assert commit is not None
            (data,) = commit.tables["sales_order"].objects
        else:
            (data,) = pipeline.lake.commit("facts").tables["fact_sales_order"].changes
        path = pipeline.lake.folder("ingestion" if zone == "raw" else "processed") / data.key
        good = path.read_bytes()
        middle = len(good) // 2
        flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
        before = pipeline.published() if zone == "star" else None
        for damaged in (good[:-9], flipped):
            path.write_bytes(damaged)
            with pytest.raises((ChecksumMismatch, UserError), match=re.escape(data.key)):
                pipeline.job(stage)
            assert pipeline.commits(stage).latest_sequence() == 1
            assert before is None or pipeline.published() == before
        path.write_bytes(good)
        pipeline.transform()
        invariants.check(pipeline)


def test_a_connection_that_is_cut_in_the_midst_of_a_capture_moves_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.sql(CHANGE)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop_reader'"
    original = log.step

    def cutting(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "capture.snapshot":
            pipeline.sql(cut)

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", cutting)
        with pytest.raises(UserError, match="source"):
            pipeline.capture()
    assert pipeline.commits("capture").latest_sequence() == 1
    invariants.check_lake(pipeline)
    pipeline.run()
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_driver_that_aborts_when_the_source_ends_its_session_leaves_words_and_moves_nothing(
    pipeline: Pipeline,
) -> None:
    pipeline.sql(CHANGE)
    done = pipeline.cut_off("reader")
    assert done.returncode == 1
    (failed,) = [json.loads(line) for line in done.stdout.splitlines() if "job.failed" in line]
    assert "run it again" in failed["message"] or "next run" in failed["message"]
    assert "Traceback" not in done.stderr
    assert pipeline.commits("capture").latest_sequence() == 1
    invariants.check_lake(pipeline)
    pipeline.run()
    invariants.check(pipeline)


S3_FAULTS = (
    Fault("s3.PutObject", 503, "SlowDown", "/raw/"),
    Fault("s3.PutObject", 503, "SlowDown", "/_commits/"),
    Fault("s3.PutObject", 409, "ConditionalRequestConflict", "/raw/"),
    Fault("s3.PutObject", 0, key="/_commits/"),
    Fault("s3.PutObject", 0, key="/raw/"),
    Fault("s3.PutObject", 409, "ConditionalRequestConflict", "/_commits/", times=2),
    Fault("s3.GetObject", 500, "InternalError", "/_commits/"),
)
"""S3 is busy, fails, or is overtaken; where the status is 0 the request succeeds and its answer is lost."""


def test_faults_of_s3_that_pass_are_survived_within_the_run(pipeline: Pipeline) -> None:
    for number, fault in enumerate(S3_FAULTS, start=1):
        pipeline.sql(f"UPDATE sales_order SET units_sold = 9000 + {number} WHERE sales_order_id = 7")
        with injected(replace(fault)):
            pipeline.capture()
        assert pipeline.commits("capture").latest_sequence() == 1 + number, fault
    pipeline.transform()
    invariants.check(pipeline)


GLUE_FAULTS = (
    Fault("glue.BatchCreatePartition", 400, "ThrottlingException", times=2),
    Fault("glue.BatchCreatePartition", 0),
    Fault("glue.BatchCreatePartition", 500, "InternalServiceException"),
)
"""Glue throttles, loses an answer, fails."""


@pytest.mark.slow
def test_faults_of_glue_that_pass_register_each_partition_once(pipeline: Pipeline) -> None:
    for number, fault in enumerate(GLUE_FAULTS, start=1):
        pipeline.sql(f"UPDATE sales_order SET units_sold = 9000 + {number} WHERE sales_order_id = 7")
        with injected(replace(fault)):
            pipeline.capture()
    partitions = pipeline.lake.glue.get_partitions(DatabaseName="shop_raw", TableName="sales_order")
    assert sorted(p["Values"][1] for p in partitions["Partitions"]) == ["1", "2", "3", "4"]
    pipeline.transform()
    invariants.check(pipeline)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "denials"),
    [
        (
            "capture",
            [("s3.PutObject", ""), ("s3.PutObject", "/_commits/capture/"), ("glue.BatchCreatePartition", "")],
        ),
        at_night("validate", [("s3.PutObject", "")]),
        at_night("load", [("s3.GetObject", "")]),
    ],
    ids=["capture", "validate", "load"],
)
def test_a_denied_access_ends_the_run_and_is_completed_once_it_is_granted(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    denials: list[tuple[str, str]],
) -> None:
    with start_from(bases[stage], tmp_path, monkeypatch) as pipeline:
        for operation, key in denials:
            with (
                injected(Fault(operation, 403, "AccessDenied", key, times=99)),
                pytest.raises((ClientError, UserError), match=r"AccessDenied|denied"),
            ):
                pipeline.job(stage)
            assert pipeline.commits(stage).latest_sequence() == 1
            invariants.check_lake(pipeline)
        for later in STAGES[STAGES.index(stage) :]:
            pipeline.job(later)
        invariants.check(pipeline)


@pytest.mark.slow
def test_a_secret_that_may_not_be_read_is_a_clear_error(pipeline: Pipeline) -> None:
    denied = Fault("secrets-manager.GetSecretValue", 400, "AccessDeniedException", times=99)
    with injected(denied), pytest.raises((ClientError, UserError), match=r"AccessDenied|secret"):
        pipeline.capture()
    invariants.check(pipeline)


@pytest.mark.parametrize("stage", ["capture", at_night("load")])
def test_a_secret_that_is_rotated_in_the_midst_of_a_run_is_read_again_once(
    pipeline: Pipeline, stage: str
) -> None:
    pipeline.sql(CHANGE)
    if stage == "load":
        for earlier in STAGES[:-1]:
            pipeline.job(earlier)
    with pipeline.rotated_after_its_first_reading(stage) as read:
        lines = pipeline.job(stage)
    assert read() == 2
    assert [line["event"] for line in lines].count("secret.refreshed") == 1
    pipeline.run()
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_secret_that_is_wrong_even_when_read_again_is_a_clear_error(pipeline: Pipeline) -> None:
    pipeline.use_source(make_conninfo(pipeline.reader_dsn, password="of nobody"))
    with pytest.raises(UserError, match="source") as refused:
        pipeline.capture()
    assert "secret" in refused.value.remedy
    assert pipeline.commits("capture").latest_sequence() == 1
    pipeline.use_source(pipeline.reader_dsn)
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_first_run_that_is_killed_again_and_again_is_completed_without_gap_or_double(
    fresh: Pipeline,
) -> None:
    for stage in STAGES:
        for step in FIRST_RUN_KILLS.get(stage, ()):
            fresh.killed(stage, step)
            invariants.check_lake(fresh)
        fresh.job(stage)
    assert fresh.commits("capture").latest_sequence() == 1
    assert fresh.ask("SELECT count(*), count(DISTINCT sales_order_id) FROM fact_sales_order") == [(40, 40)]
    invariants.check(fresh)


@pytest.mark.slow
def test_facts_that_are_ready_before_their_dimensions_wait_for_them(pipeline: Pipeline) -> None:
    pipeline.sql(
        "INSERT INTO staff (first_name, last_name, department_id, email_address, last_updated)"
        " VALUES ('A', 'B', 1, 'a@x', now());"
        "UPDATE sales_order SET staff_id = 4 WHERE sales_order_id = 7"
    )
    pipeline.capture()
    pipeline.job("validate")
    pipeline.job("facts")
    pipeline.job("load")
    assert pipeline.ask("SELECT count(*) FROM fact_sales_order WHERE sales_order_id = 7") == [(1,)]
    pipeline.transform()
    assert pipeline.ask("SELECT count(*) FROM fact_sales_order WHERE sales_order_id = 7") == [(2,)]
    invariants.check(pipeline)


def test_a_warehouse_that_goes_away_during_a_load_has_all_tables_of_a_batch_or_none(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["load"], tmp_path, monkeypatch) as pipeline:
        before = pipeline.published()
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'warehouse_loader'"
        with monkeypatch.context() as patch:
            at_step(patch, "load.copied", lambda: pipeline.sql(cut))
            with pytest.raises(UserError, match="warehouse"):
                pipeline.job("load")
        assert pipeline.published() == before
        pipeline.job("load")
        invariants.check(pipeline)


REJECTED = """
INSERT INTO design (design_id, created_at, design_name, file_location, file_name, last_updated)
    VALUES (99, 'infinity', 'Late', '/usr', 'late.json', now());
INSERT INTO staff (staff_id, created_at, first_name, last_name, department_id, email_address, last_updated)
    VALUES (98, 'infinity', 'Zanzibarski', 'Late', 1, 'z@example.com', now());
INSERT INTO transaction (transaction_id, transaction_type, last_updated) VALUES (97, 'SALE', now());
UPDATE sales_order SET design_id = 99, staff_id = 98 WHERE sales_order_id IN (7, 8);
UPDATE payment SET transaction_id = 97 WHERE payment_id = 5;
"""
"""Orders and a payment that refer to rows which no rule lets through."""

ANOTHER_ORDER = """
INSERT INTO sales_order SELECT 41, created_at, now(), design_id, staff_id, counterparty_id, units_sold,
    unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
    FROM sales_order WHERE sales_order_id = 1;
"""

CORRECTED = f"""
{ANOTHER_ORDER}
UPDATE design SET created_at = '2024-11-14 09:30' WHERE design_id = 99;
UPDATE staff SET created_at = '2024-11-14 09:30' WHERE staff_id = 98;
UPDATE transaction SET sales_order_id = 41 WHERE transaction_id = 97;
"""


@pytest.mark.slow
def test_a_fact_whose_dimension_row_was_rejected_keeps_its_place_with_an_inferred_member_until_it_arrives(
    pipeline: Pipeline,
) -> None:
    totals = """
        SELECT count(*), sum(units_sold), sum(units_sold * unit_price)
        FROM fact_sales_order_current JOIN dim_design USING (design_id)
        JOIN dim_staff ON staff_id = sales_staff_id
        WHERE sales_order_id <= 40
    """
    facts = "SELECT * FROM fact_sales_order WHERE sales_order_id <= 40 ORDER BY 1"
    before = pipeline.ask(totals)
    pipeline.sql(REJECTED)
    pipeline.run()
    assert pipeline.ask(totals) == before
    assert pipeline.lake.open_dead_letters() == {"design": 1, "staff": 1, "transaction": 1}
    loaded = pipeline.ask(facts)
    members = {t.table: t.inferred_keys for t in pipeline.reconcile().tables if t.inferred}
    assert members == {"dim_design": ("99",), "dim_staff": ("98",), "dim_transaction": ("97",)}
    invariants.check(pipeline)

    pipeline.sql(CORRECTED)
    pipeline.capture()
    pipeline.job("validate")
    lines = pipeline.job("dimensions")
    repaired = {
        line["table"]: line["repaired"]
        for line in lines
        if line["event"] == "dimensions.table" and line.get("repaired")
    }
    assert repaired == {"dim_design": 1, "dim_staff": 1, "dim_transaction": 1}
    pipeline.transform()
    assert pipeline.ask(totals) == before
    assert pipeline.ask(facts) == loaded
    assert not any(t.inferred for t in pipeline.reconcile().tables)
    assert pipeline.lake.open_dead_letters() == {}
    assert pipeline.ask("SELECT count(*) FROM dim_design WHERE design_name = 'Late'") == [(1,)]
    invariants.check(pipeline)


WITHOUT_FOREIGN_KEYS = """
DO $$ DECLARE found record; BEGIN
    FOR found IN SELECT conrelid::regclass AS holder, conname FROM pg_constraint WHERE contype = 'f' LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.holder, found.conname);
    END LOOP;
END $$;
"""
"""A source that checks nothing, as many do."""

ORPHANS = """
UPDATE sales_order SET design_id = 99, staff_id = 98 WHERE sales_order_id IN (7, 8);
UPDATE payment SET transaction_id = 97 WHERE payment_id = 5;
"""
"""Orders and a payment that refer to rows which nobody has."""

MISSING_ROWS = f"""
{ANOTHER_ORDER}
INSERT INTO design (design_id, design_name, file_location, file_name, last_updated)
    VALUES (99, 'Late', '/usr', 'late.json', now());
INSERT INTO staff (staff_id, first_name, last_name, department_id, email_address, last_updated)
    VALUES (98, 'Zanzibarski', 'Late', 1, 'z@x', now());
INSERT INTO transaction (transaction_id, transaction_type, sales_order_id, created_at, last_updated)
    VALUES (97, 'SALE', 41, '2023-05-01', now());
"""


@pytest.mark.slow
def test_a_row_that_refers_to_nothing_waits_with_the_dead_letters_and_is_replayed_once_it_refers_to_something(
    pipeline: Pipeline,
) -> None:
    current = (
        "SELECT design_id, sales_staff_id FROM fact_sales_order_current"
        " WHERE sales_order_id IN (7, 8) ORDER BY sales_order_id"
    )
    before = pipeline.ask(current)
    pipeline.sql(WITHOUT_FOREIGN_KEYS + ORPHANS)
    pipeline.run()
    assert pipeline.ask(current) == before
    assert pipeline.lake.open_dead_letters() == {"payment": 1, "sales_order": 2}
    invariants.check(pipeline)

    pipeline.sql(MISSING_ROWS)
    pipeline.run()
    assert pipeline.lake.replay() == 0
    pipeline.run()
    assert pipeline.ask(current) == [(99, 98), (99, 98)]
    assert pipeline.lake.open_dead_letters() == {}
    invariants.check(pipeline)
