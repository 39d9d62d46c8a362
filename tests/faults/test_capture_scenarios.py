"""What happens in a living source, carried through the whole pipeline: nothing lost, nothing doubled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glue_jobs.runtime import log
from glue_jobs.sources.capture_run import TablesPaused
from glue_jobs.sources.mass_deletes import MassDeletes
from lakehouse.release import release
from lakehouse.status import paused_deletions
from tests.faults import invariants
from tests.faults.pipeline import READER, Pipeline

ORDER = (
    "SELECT units_sold, is_deleted FROM fact_sales_order WHERE sales_order_id = {} ORDER BY sales_record_id"
)


def captured(pipeline: Pipeline, batch: int) -> dict[str, list[tuple[str, Any]]]:
    """By table, what a batch says happened to which key."""
    commit = pipeline.commits("capture").get(batch)
    assert commit is not None
    keys = {
        table: pipeline.lake.catalogue.raw[table].key[0]
        for table, found in commit.tables.items()
        if found.partitions
    }
    return {
        table: sorted((row["operation"], row[key]) for row in pipeline.raw_rows(batch, table))
        for table, key in keys.items()
    }


@pytest.mark.slow
def test_a_transaction_that_began_before_a_capture_and_commits_after_it_is_in_the_next(
    pipeline: Pipeline,
) -> None:
    write = b"UPDATE sales_order SET units_sold = 5000, last_updated = now() WHERE sales_order_id = %s"
    with pipeline.connect(autocommit=False) as early, pipeline.connect(autocommit=False) as idle:
        early.execute(write, [4])
        idle.execute("SELECT now()")
        pipeline.sql("UPDATE sales_order SET units_sold = 6000 WHERE sales_order_id = 5")
        pipeline.capture()
        early.commit()
        idle.execute(write, [6])
        idle.commit()
    pipeline.run()
    assert captured(pipeline, 2) == {"sales_order": [("update", 5)]}
    assert captured(pipeline, 3) == {"sales_order": [("update", 4), ("update", 6)]}
    assert [row[0] for row in pipeline.ask(ORDER.format(4))] == [1004, 5000]
    invariants.check(pipeline)


@pytest.mark.slow
def test_writes_inside_savepoints_during_a_capture_are_in_the_next(pipeline: Pipeline) -> None:
    with pipeline.connect(autocommit=False) as late:
        for number in range(1, 9):
            late.execute("SAVEPOINT one")
            late.execute(f"UPDATE payment SET paid = true WHERE payment_id = {number}".encode())
            late.execute(b"ROLLBACK TO one" if number % 2 else b"RELEASE one")
        pipeline.capture()
        late.commit()
    pipeline.run()
    assert captured(pipeline, 2) == {"payment": [("update", number) for number in (2, 4, 6, 8)]}
    invariants.check(pipeline)


@pytest.mark.slow
def test_rows_of_one_millisecond_that_commit_on_both_sides_of_a_capture_all_arrive_once(
    pipeline: Pipeline,
) -> None:
    insert = (
        "INSERT INTO design (created_at, last_updated, design_name, file_location, file_name)"
        " SELECT t, t, 'Steel', '/usr', i || '.json'"
        " FROM generate_series(1, 5) i, (SELECT timestamp '2024-11-20 09:00:00.123' AS t) s"
    )
    with pipeline.connect(autocommit=False) as late:
        late.execute(insert.encode())
        pipeline.sql(insert)
        pipeline.capture()
        late.commit()
    pipeline.run()
    first, second = (captured(pipeline, batch)["design"] for batch in (2, 3))
    assert len(first) == len(second) == 5
    assert not set(first) & set(second)
    invariants.check(pipeline)


def test_of_two_transactions_the_last_to_write_is_current_whatever_their_ids_and_times(
    pipeline: Pipeline,
) -> None:
    with pipeline.connect(autocommit=False) as older:
        older.execute("UPDATE design SET file_name = 'x' WHERE design_id = 1")  # takes its id now
        pipeline.sql(
            "UPDATE sales_order SET units_sold = 7777, last_updated = now() WHERE sales_order_id = 9"
        )
        pipeline.capture()
        older.execute(
            "UPDATE sales_order SET units_sold = 8888, last_updated = '2024-01-01' WHERE sales_order_id = 9"
        )
        older.commit()
    pipeline.run()
    (newer,), (final,) = (pipeline.raw_rows(batch, "sales_order") for batch in (2, 3))
    assert final["version_id"] < newer["version_id"]
    assert [row[0] for row in pipeline.ask(ORDER.format(9))] == [1009, 7777, 8888]
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_commit_in_the_midst_of_a_capture_is_wholly_in_the_next(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = log.step
    moments = ["capture.snapshot", "capture.counted", "capture.file_uploaded"]
    waits = ""

    def commit_then(name: str, **fields: Any) -> None:
        nonlocal waits
        original(name, **fields)
        if name == waits:
            waits = ""
            pipeline.sql(
                "BEGIN;"
                "INSERT INTO staff (first_name, last_name, department_id, email_address, last_updated)"
                " VALUES ('A', 'B', 1, 'a@x', now());"
                "INSERT INTO sales_order (last_updated, design_id, staff_id, counterparty_id, units_sold,"
                " unit_price, currency_id, agreed_delivery_date, agreed_payment_date,"
                " agreed_delivery_location_id)"
                " SELECT now(), 1, max(staff_id), 1, 1077, 2.5, 1, '2098-11-20', '2098-11-21', 1 FROM staff;"
                "COMMIT"
            )

    pipeline.sql("UPDATE currency SET currency_code = 'CHF' WHERE currency_id = 3")
    with monkeypatch.context() as patch:
        patch.setattr(log, "step", commit_then)
        for moment in moments:
            waits = moment
            pipeline.capture()
    pipeline.run()
    assert captured(pipeline, 2) == {"currency": [("update", 3)]}
    for number in (1, 2, 3):
        arrived = {"sales_order": [("insert", 40 + number)], "staff": [("insert", 3 + number)]}
        assert captured(pipeline, 2 + number) == arrived
    invariants.check(pipeline)


@pytest.mark.slow
def test_what_last_updated_says_hides_no_change(pipeline: Pipeline) -> None:
    moments = {11: "'2099-12-31 23:59:59.999'", 12: "'2000-01-01'", 13: "last_updated"}
    for number, moment in moments.items():
        pipeline.sql(
            "UPDATE sales_order SET units_sold = 4321,"
            f" last_updated = {moment} WHERE sales_order_id = {number}"
        )
        pipeline.capture()
    pipeline.run()
    for batch, number in enumerate(moments, start=2):
        assert captured(pipeline, batch) == {"sales_order": [("update", number)]}
        assert [row[0] for row in pipeline.ask(ORDER.format(number))] == [1000 + number, 4321]
    invariants.check(pipeline)


@pytest.mark.slow
def test_deletion_reinsertion_and_a_changed_key_are_one_mark_each(pipeline: Pipeline) -> None:
    pipeline.sql(
        "UPDATE sales_order SET sales_order_id = 900 WHERE sales_order_id = 3;"
        "CREATE TABLE kept AS SELECT * FROM payment WHERE payment_id = 5;"
        "DELETE FROM payment WHERE payment_id IN (5, 6)"
    )
    pipeline.run()
    pipeline.sql("INSERT INTO payment SELECT * FROM kept")
    pipeline.run()
    pipeline.run()
    assert captured(pipeline, 2) == {
        "payment": [("delete", 5), ("delete", 6)],
        "sales_order": [("delete", 3), ("insert", 900)],
        "transaction": [("update", 3)],
    }
    assert captured(pipeline, 3) == {"payment": [("insert", 5)]}
    marks = "SELECT payment_id, is_deleted FROM fact_payment WHERE payment_id IN (5, 6)"
    assert sorted(pipeline.ask(marks)) == [(5, False), (5, False), (5, True), (6, False), (6, True)]
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_mass_delete_is_held_with_an_alarm_until_it_is_released(
    pipeline: Pipeline,
) -> None:
    pipeline.sql(
        "INSERT INTO sales_order SELECT 40 + i, created_at, last_updated, design_id, staff_id,"
        " counterparty_id, units_sold, unit_price, currency_id, agreed_delivery_date, agreed_payment_date,"
        " agreed_delivery_location_id FROM sales_order, generate_series(1, 200) i WHERE sales_order_id = 1;"
        "INSERT INTO transaction (transaction_type, sales_order_id, last_updated)"
        " SELECT 'SALE', 40 + i, now() FROM generate_series(1, 200) i;"
        "INSERT INTO payment (created_at, last_updated, transaction_id, counterparty_id, payment_amount,"
        " currency_id, payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number)"
        " SELECT '2024-11-14 09:30', now(), 40 + i, 1, i, 1, 1, false, '2024-11-16', 1, 2"
        " FROM generate_series(1, 200) i"
    )
    pipeline.run()
    pipeline.sql("TRUNCATE payment; UPDATE address SET city = 'York' WHERE address_id = 2")
    deletes = MassDeletes(pipeline.lake.s3, pipeline.lake.buckets["ingestion"])
    with pytest.raises(TablesPaused, match="payment"):
        pipeline.capture()
    pipeline.transform()
    assert captured(pipeline, 3) == {"address": [("update", 2)]}
    assert pipeline.ask("SELECT count(*) FROM fact_payment_current") == [(240,)]
    invariants.check(pipeline, held=["payment"])
    (held,) = paused_deletions(deletes)
    assert (held.table, held.missing, held.live, held.released) == ("payment", 240, 240, False)
    release(deletes, "payment", "2026-01-01T00:00:00.000Z")
    pipeline.run()
    assert captured(pipeline, 4) == {"payment": [("delete", number) for number in range(1, 241)]}
    assert paused_deletions(deletes) == ()
    assert pipeline.ask("SELECT count(*) FROM fact_payment_current") == [(0,)]
    invariants.check(pipeline)


@pytest.mark.slow
def test_maintenance_of_the_source_loses_nothing_and_makes_no_version(pipeline: Pipeline) -> None:
    for maintenance in ("VACUUM (FREEZE)", "VACUUM (FULL)", "CLUSTER payment USING payment_pkey"):
        pipeline.sql(maintenance)
        pipeline.capture()
        assert pipeline.commits("capture").latest_sequence() == 1, maintenance
    pipeline.sql("UPDATE payment SET paid = true WHERE payment_id = 2")
    pipeline.run()
    assert captured(pipeline, 2) == {"payment": [("update", 2)]}
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_rewritten_table_gives_no_false_version(pipeline: Pipeline) -> None:
    versions = "SELECT count(*) FROM fact_payment"
    before = pipeline.ask(versions)
    pipeline.sql("ALTER TABLE payment ALTER payment_date TYPE varchar(10)")
    pipeline.run()
    assert pipeline.ask(versions) == before
    invariants.check(pipeline)


@pytest.mark.slow
def test_another_source_is_noticed_and_captured_in_full_without_a_false_version(pipeline: Pipeline) -> None:
    """As captures of other servers would have left their state, a different one for each table."""
    changes = {
        "payment": {"system_id": 1},  # a clone
        "sales_order": {"timeline": 1},  # a failover
        "staff": {"xmin_horizon": 10_000_000},  # restored to an earlier day
        "currency": {"xmin_horizon": -(2**32)},  # its counter went round
    }
    key = {"Bucket": pipeline.lake.buckets["ingestion"], "Key": pipeline.commits("capture").key(1)}
    document = json.loads(pipeline.lake.s3.get_object(**key)["Body"].read())
    for table, change in changes.items():
        for name, offset in change.items():
            state = document["state"]["tables"][table]
            (state["source"] if name in state["source"] else state)[name] += offset
    pipeline.lake.s3.put_object(**key, Body=json.dumps(document).encode())
    pipeline.sql(
        "DELETE FROM payment WHERE payment_id = 8; UPDATE payment SET paid = true WHERE payment_id = 9"
    )
    lines = pipeline.capture()
    pipeline.transform()
    assert {line["table"] for line in lines if line["event"] == "capture.in_full"} == set(changes)
    rows = pipeline.ask("SELECT payment_id, is_deleted FROM fact_payment WHERE batch_sequence = 2 ORDER BY 1")
    assert rows == [(8, True), (9, False)]
    assert pipeline.ask("SELECT count(*) FROM fact_sales_order WHERE batch_sequence = 2") == [(0,)]
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_transaction_open_for_hours_costs_no_second_version_and_its_age_is_shown(
    pipeline: Pipeline,
) -> None:
    with pipeline.connect(autocommit=False) as long:
        long.execute("UPDATE design SET file_name = 'x' WHERE design_id = 1")
        pipeline.sql("UPDATE sales_order SET units_sold = 7777 WHERE sales_order_id = 9")
        pipeline.capture()
        lines = [line for _ in range(3) for line in pipeline.capture()]
        rereads = [line["rereads"] for line in lines if line.get("table") == "sales_order"]
        assert rereads == [1, 1, 1]
        horizons = [line["horizon_transactions"] for line in lines if line.get("step") == "capture.snapshot"]
        assert all(horizon > 0 for horizon in horizons)
        long.commit()
    pipeline.run()
    assert captured(pipeline, 3) == {"design": [("update", 1)]}
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_table_that_may_not_be_seen_any_more_is_held_and_not_taken_for_empty(pipeline: Pipeline) -> None:
    losses = (
        f"REVOKE SELECT ON payment FROM {READER}",
        f"GRANT SELECT (payment_id, paid) ON payment TO {READER}",
        f"GRANT SELECT ON payment TO {READER}; ALTER TABLE payment ENABLE ROW LEVEL SECURITY",
    )
    for number, loss in enumerate(losses, start=1):
        pipeline.sql(f"{loss}; UPDATE address SET city = 'York {number}' WHERE address_id = 2")
        with pytest.raises(TablesPaused, match="payment"):
            pipeline.capture()
        assert captured(pipeline, 1 + number) == {"address": [("update", 2)]}, loss
    pipeline.transform()
    invariants.check_lake(pipeline)
    pipeline.sql(
        "ALTER TABLE payment DISABLE ROW LEVEL SECURITY;UPDATE payment SET paid = true WHERE payment_id = 2"
    )
    pipeline.run()
    assert captured(pipeline, 5) == {"payment": [("update", 2)]}
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_source_in_which_nothing_changed_gives_a_heartbeat_and_no_spark(pipeline: Pipeline) -> None:
    before = {key for key in pipeline.known if "ops/heartbeats" not in key[1]}
    invariants.check(pipeline)
    steps = [line.get("step") for line in pipeline.capture()]
    assert "capture.committed" not in steps
    assert "transform.started" not in steps
    invariants.check(pipeline)
    fresh = {key for key in pipeline.known if key not in before}
    assert any("ops/heartbeats" in key for _, key in fresh)
    pipeline.transform()
    assert pipeline.commits("validate").latest_sequence() == 1


def test_of_doubles_in_a_source_without_a_primary_key_one_is_current_and_they_are_counted(
    pipeline: Pipeline,
) -> None:
    pipeline.sql(
        "ALTER TABLE currency DROP CONSTRAINT currency_pkey CASCADE;"
        "INSERT INTO currency VALUES (1, 'CHF', now(), now())"
    )
    pipeline.run()
    assert ("insert", 1) in captured(pipeline, 2)["currency"] or ("update", 1) in captured(pipeline, 2)[
        "currency"
    ]
    assert len(pipeline.ask("SELECT * FROM dim_currency WHERE currency_id = 1")) == 1
    invariants.check_lake(pipeline)


@pytest.mark.slow
def test_a_full_capture_that_is_asked_for_makes_no_version(pipeline: Pipeline) -> None:
    facts = "SELECT count(*), max(batch_sequence) FROM fact_payment"
    before = pipeline.ask(facts)
    pipeline.capture("--full_capture", "all")
    pipeline.transform()
    assert len(captured(pipeline, 2)["payment"]) == 40
    assert pipeline.ask(facts) == before
    invariants.check(pipeline)
