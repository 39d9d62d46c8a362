"""What the source did since the last capture is published, once, and nothing else is."""

from __future__ import annotations

import pytest

from glue_jobs.lake.commits import Commit, CommitLog
from tests.integration.glue_jobs.extract.conftest import World
from tests.night import at_night


def test_the_first_capture_publishes_every_row_of_every_table(world: World) -> None:
    world.run()
    commit = world.latest()
    assert commit.sequence == 1
    assert {table: counts.counts["inserts"] for table, counts in commit.tables.items()} == {
        table: len(world.source_rows(table)) for table in world.catalogue.raw if table != "purchase_order"
    }
    world.assert_lake_equals_source()


def test_a_commit_names_objects_that_are_there_with_their_checksums(world: World) -> None:
    world.run()
    named = [data for table in world.latest().tables.values() for data in table.objects]
    world.check(named)
    assert {data.key for data in named} == world.keys("raw/")


def test_rows_carry_their_version_the_time_and_where_they_came_from(world: World) -> None:
    world.run()
    with world.connect() as connection:
        xmin = connection.execute("SELECT xmin::text::bigint FROM currency LIMIT 1").fetchone()
    assert xmin is not None
    for row in world.rows("currency", 1):
        assert row["operation"] == "insert"
        assert row["version_id"] % 2**32 == xmin[0]
        assert (
            row["captured_at"].isoformat(timespec="milliseconds") + "Z" == world.latest().state["captured_at"]
        )
        assert row["unrepresentable"] is None


def test_a_capture_that_found_something_starts_the_transform(world: World) -> None:
    events = [line.get("step") for line in world.run()]
    assert events.index("capture.committed") < events.index("capture.published")
    assert "transform.started" in events


def test_a_capture_alone_starts_nothing_and_says_in_which_spans_its_keys_lie(world: World) -> None:
    steps = [line.get("step") for line in world.run(capture_only=1)]
    assert "capture.committed" in steps
    assert "transform.started" not in steps
    world.sql("UPDATE sales_order SET units_sold = 5000 WHERE sales_order_id IN (3, 4, 30)")
    world.run(capture_only=1)
    assert world.latest().tables["sales_order"].key_spans == (((3,), (4,)), ((30,), (30,)))


def test_nothing_changed_gives_a_heartbeat_and_no_other_object(world: World) -> None:
    world.run()
    before = world.keys()
    world.run()
    assert world.commits.latest_sequence() == 1
    assert {key.split("/")[1] for key in world.keys() - before} == {"heartbeats"}
    first, second = world.heartbeats()
    assert (first["last_batch"], second["last_batch"], second["changed_rows"]) == (1, 1, 0)


def test_a_metric_says_how_long_the_oldest_batch_has_waited_for_the_warehouse(world: World) -> None:
    def behind() -> float:
        (metric,) = [line for line in world.run() if "seconds_behind" in line]
        return float(metric["seconds_behind"])

    first = behind()
    assert 0 < first < behind()
    loaded = Commit("load", 1, "test", "2026-01-01T00:00:00.000Z", 1, 1)
    CommitLog(world.clients.s3, world.given.ingestion_bucket, "load").publish(loaded)
    assert behind() == 0


def test_an_update_that_leaves_last_updated_alone_is_one_new_version(world: World) -> None:
    world.run()
    world.sql("UPDATE sales_order SET design_id = 3 WHERE sales_order_id = 7")
    world.run()
    assert world.operations(2) == {"sales_order": [("update", 7)]}
    world.assert_lake_equals_source()


def test_inserts_updates_and_deletes_are_told_apart(world: World) -> None:
    world.run()
    world.sql(
        "INSERT INTO department (department_name, last_updated) VALUES ('New', now());"
        "UPDATE department SET manager = 'M' WHERE department_id = 2;"
        "DELETE FROM payment WHERE payment_id IN (3, 5)"
    )
    world.run()
    assert world.operations(2) == {
        "department": [("update", 2), ("insert", 5)],
        "payment": [("delete", 3), ("delete", 5)],
    }
    world.assert_lake_equals_source()


def test_a_deletion_holds_its_key_and_the_snapshot_alone(world: World) -> None:
    world.run()
    world.sql("DELETE FROM payment WHERE payment_id = 3")
    world.run()
    (row,) = world.rows("payment", 2)
    stated = {name for name, value in row.items() if value is not None}
    assert stated == {"payment_id", "operation", "version_id", "captured_at"}
    assert row["version_id"] == world.latest().state["snapshot_xmax"]


def test_a_changed_key_is_a_deletion_and_an_insertion(world: World) -> None:
    world.run()
    world.sql("UPDATE payment SET payment_id = 99 WHERE payment_id = 3")
    world.run()
    assert world.operations(2) == {"payment": [("delete", 3), ("insert", 99)]}


def test_a_row_deleted_and_inserted_again_between_captures_is_an_update(world: World) -> None:
    world.run()
    world.sql(
        "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM payment WHERE payment_id = 3;"
        "DELETE FROM payment WHERE payment_id = 3; INSERT INTO payment SELECT * FROM kept; COMMIT"
    )
    world.run()
    assert world.operations(2) == {"payment": [("update", 3)]}


def test_a_reinserted_row_comes_back_to_life(world: World) -> None:
    world.run()
    world.sql(
        "CREATE TABLE kept AS SELECT * FROM payment WHERE payment_id = 3;"
        "DELETE FROM payment WHERE payment_id = 3"
    )
    world.run()
    world.sql("INSERT INTO payment SELECT * FROM kept")
    world.run()
    assert world.operations(2) == {"payment": [("delete", 3)]}
    assert world.operations(3) == {"payment": [("insert", 3)]}
    world.assert_lake_equals_source()


def test_deletes_and_inserts_in_equal_number_are_seen(world: World) -> None:
    world.run()
    world.sql(
        "DELETE FROM department WHERE department_id = 4;"
        "INSERT INTO department (department_name, last_updated) VALUES ('New', now())"
    )
    world.run()
    assert world.operations(2) == {"department": [("delete", 4), ("insert", 5)]}


@pytest.mark.parametrize(
    "idle_first", [at_night(False, name="written early"), pytest.param(True, id="written late")]
)
def test_a_transaction_that_commits_after_a_capture_is_in_the_next(world: World, *, idle_first: bool) -> None:
    write = "UPDATE sales_order SET units_sold = 5000 WHERE sales_order_id = 4"
    with world.connect(autocommit=False) as late:
        late.execute("SELECT now()")
        if not idle_first:
            late.execute(write.encode())
        world.run()
        world.sql("UPDATE sales_order SET units_sold = 6000 WHERE sales_order_id = 5")
        world.run()
        if idle_first:
            late.execute(write.encode())
        late.commit()
    world.run()
    assert world.operations(3) == {"sales_order": [("update", 4)]}
    world.assert_lake_equals_source()


@pytest.mark.slow
def test_a_transaction_open_for_long_does_not_bring_the_same_versions_again(world: World) -> None:
    with world.connect(autocommit=False) as long:
        long.execute("UPDATE design SET file_name = 'x' WHERE design_id = 1")
        world.run()
        world.sql("UPDATE sales_order SET units_sold = 7777 WHERE sales_order_id = 9")
        world.run()
        lines = world.run()
        assert world.commits.latest_sequence() == 2
        (table,) = [line for line in lines if line.get("table") == "sales_order"]
        assert table["rereads"] == 1
        world.sql("UPDATE sales_order SET units_sold = 7778 WHERE sales_order_id = 10")
        world.run()
        assert world.operations(3) == {"sales_order": [("update", 10)]}
        assert world.heartbeats()[-1]["horizon_transactions"] > 0
        long.commit()
    world.run()
    assert world.operations(4) == {"design": [("update", 1)]}
    world.assert_lake_equals_source()


@pytest.mark.parametrize(
    "command", [at_night("VACUUM (FREEZE)"), "VACUUM (FULL)", at_night("CLUSTER payment USING payment_pkey;")]
)
def test_maintenance_gives_no_versions(world: World, command: str) -> None:
    world.run()
    world.sql(command)
    world.run()
    assert world.commits.latest_sequence() == 1


def test_a_rewritten_table_is_captured_again_and_equal(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE payment ALTER company_ac_number TYPE integer USING company_ac_number + 0")
    world.sql("ALTER TABLE payment ALTER payment_date TYPE varchar(10)")
    world.run()
    world.assert_lake_equals_source()


def test_a_column_that_was_dropped_and_added_again_with_a_default_is_captured_in_full(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department DROP manager; ALTER TABLE department ADD manager text DEFAULT 'nobody'")
    world.run()
    assert world.operations(2) == {"department": [("update", number) for number in (1, 2, 3, 4)]}
    world.assert_lake_equals_source()


def test_rows_that_came_in_with_an_attached_partition_are_captured(world: World) -> None:
    world.sql(
        "ALTER TABLE design RENAME TO old_design;"
        "CREATE TABLE design (LIKE old_design) PARTITION BY RANGE (design_id);"
        "CREATE TABLE low PARTITION OF design FOR VALUES FROM (0) TO (1000);"
        "CREATE TABLE high (LIKE old_design);"
        "INSERT INTO design SELECT * FROM old_design;"
        "INSERT INTO high SELECT 1001, created_at, design_name, file_location, file_name, last_updated"
        " FROM old_design LIMIT 1;"
        "GRANT SELECT ON design TO shop_reader"
    )
    world.run()
    world.sql("ALTER TABLE design ATTACH PARTITION high FOR VALUES FROM (1000) TO (2000)")
    world.run()
    assert ("insert", 1001) in world.operations(2)["design"]
    world.assert_lake_equals_source()


def test_duplicate_and_missing_keys_are_captured_without_inventing_deletions(world: World) -> None:
    world.sql(
        "ALTER TABLE currency DROP CONSTRAINT currency_pkey CASCADE;"
        "ALTER TABLE currency ALTER currency_id DROP NOT NULL;"
        "INSERT INTO currency VALUES (1, 'TWO', now(), now()), (NULL, 'NUL', now(), now())"
    )
    world.run()
    lines = world.run()
    (table,) = [line for line in lines if line["event"] == "capture.table" and line["table"] == "currency"]
    assert not table["keys_travelled"]
    assert world.operations(1)["currency"] == [("insert", n) for n in (1, 1, 2, 3, None)]
    assert world.commits.latest_sequence() == 1
    world.sql("DELETE FROM currency WHERE currency_id = 2")
    world.run()
    assert world.operations(2) == {"currency": [("delete", 2)]}


@pytest.mark.slow
def test_many_rows_are_read_by_two_connections_in_one_snapshot(world: World) -> None:
    world.sql(
        "INSERT INTO design (design_name, file_location, file_name, last_updated)"
        " SELECT 'Steel', '/x', i || '.json', now() FROM generate_series(1, 210000) i"
    )
    world.run()
    assert len(world.latest().tables["design"].objects) == 2
    assert world.current("design") == world.source_rows("design")
