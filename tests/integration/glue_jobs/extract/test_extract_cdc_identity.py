"""What moves rows without writing them is noticed: every row that came so is captured, every one that went is
gone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glue_jobs.lake.commits import Commit
from glue_jobs.sources.capture_run import TablesPaused
from lakehouse.release import release
from tests.integration.glue_jobs.extract.conftest import READER, Row, World
from tests.night import at_night, by_day

COLUMNS = (
    "created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id, payment_type_id,"
    " paid, payment_date, company_ac_number, counterparty_ac_number"
)
PARTED = (
    "ALTER TABLE payment RENAME TO plain;"
    "CREATE TABLE payment (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (payment_id))"
    " PARTITION BY RANGE (payment_id);"
    "CREATE TABLE first PARTITION OF payment FOR VALUES FROM (1) TO (201);"
    "CREATE TABLE second PARTITION OF payment FOR VALUES FROM (201) TO (421);"
    f"INSERT INTO payment (payment_id, {COLUMNS}) SELECT i, {COLUMNS} FROM plain, generate_series(1, 420) i"
    " WHERE plain.payment_id = 1;"
    f"GRANT SELECT ON payment TO {READER}"
)
TOTAL = "SELECT sum(payment_amount) FROM payment"


def copy_of_the_second(change: str, shift: int = 0) -> str:
    """A table like the second partition, written long before it takes its place."""
    return (
        "CREATE TABLE third (LIKE payment INCLUDING ALL);"
        f"INSERT INTO third (payment_id, {COLUMNS})"
        f" SELECT payment_id + {shift}, {COLUMNS.replace('payment_amount', change)} FROM second"
    )


def swap(first: int, end: int) -> str:
    return (
        "BEGIN; ALTER TABLE payment DETACH PARTITION second;"
        f"ALTER TABLE payment ATTACH PARTITION third FOR VALUES FROM ({first}) TO ({end}); COMMIT"
    )


def total(rows: list[Row]) -> Any:
    return sum(row["payment_amount"] for row in rows)


def test_a_partition_that_takes_the_place_of_another_brings_its_rows(world: World) -> None:
    world.sql(PARTED)
    world.sql(copy_of_the_second("payment_amount + 1"))
    world.run()
    before = total(world.current("payment"))
    world.sql(swap(201, 421))
    world.run()
    assert world.operations(2) == {"payment": [("update", number) for number in range(201, 421)]}
    assert total(world.current("payment")) == before + 220
    world.assert_lake_equals_source()
    world.run()
    assert world.commits.latest_sequence() == 2


def test_a_partition_and_what_takes_its_place_may_be_of_one_transaction(world: World) -> None:
    world.sql(PARTED)
    with world.connect(autocommit=False) as long:
        long.execute("UPDATE design SET file_name = 'x' WHERE design_id = 1")
        world.sql(f"BEGIN; UPDATE second SET paid = paid; {copy_of_the_second('payment_amount + 1')}; COMMIT")
        world.run()
        world.sql(swap(201, 421))
        world.run()
        long.rollback()
    assert ("update", 201) in world.operations(2)["payment"]
    world.assert_lake_equals_source()


@pytest.mark.parametrize("routine", [pytest.param(False, id="asked"), at_night(True, name="declared")])
def test_a_partition_that_goes_takes_its_rows_along_once_a_person_or_the_contract_says_so(
    world: World, *, routine: bool
) -> None:
    world.sql(PARTED)
    world.sql(copy_of_the_second("payment_amount", 1000))
    if routine:
        world.publish("payment", lambda stated: {**stated, "rotation": "routine", "version": "1.0.1"})
    world.run()
    world.sql(swap(1201, 1421))
    if not routine:
        with pytest.raises(TablesPaused, match="220 of the 420 live rows of payment are gone"):
            world.run()
        release(world.deletes, "payment", "now")
    world.run()
    found = world.operations(world.commits.latest_sequence())["payment"]
    assert sorted(found) == [
        *(("delete", number) for number in range(201, 421)),
        *(("insert", number) for number in range(1201, 1421)),
    ]
    world.assert_lake_equals_source()


def test_a_declared_rotation_excuses_the_rows_of_what_was_detached_alone(world: World) -> None:
    world.sql(PARTED)
    world.publish("payment", lambda stated: {**stated, "rotation": "routine", "version": "1.0.1"})
    world.run()
    world.sql("ALTER TABLE payment DETACH PARTITION second; DELETE FROM payment WHERE payment_id <= 150")
    with pytest.raises(TablesPaused, match="370 of the 420"):
        world.run()


@pytest.mark.slow
def test_a_partition_that_is_rewritten_or_moved_changes_no_row(world: World) -> None:
    world.sql(PARTED)
    world.run()
    for statement in ("VACUUM (FULL) payment", "CLUSTER second USING second_pkey", "VACUUM (FREEZE) payment"):
        world.sql(statement)
        world.run()
        assert world.commits.latest_sequence() == 1


def test_of_a_partition_that_goes_and_comes_back_nothing_is_captured(world: World) -> None:
    world.sql(PARTED)
    world.run()
    world.sql("ALTER TABLE payment DETACH PARTITION second")
    world.sql("ALTER TABLE payment ATTACH PARTITION second FOR VALUES FROM (201) TO (421)")
    world.run()
    assert world.commits.latest_sequence() == 1


@pytest.mark.slow
def test_a_column_that_is_made_anew_while_its_partition_is_detached_is_in_every_row(world: World) -> None:
    world.sql(PARTED)
    world.run()
    world.sql("ALTER TABLE payment DETACH PARTITION second")
    world.sql("ALTER TABLE second DROP paid; ALTER TABLE second ADD paid boolean NOT NULL DEFAULT true")
    world.sql("ALTER TABLE payment ATTACH PARTITION second FOR VALUES FROM (201) TO (421)")
    world.run()
    assert world.operations(2) == {"payment": [("update", number) for number in range(201, 421)]}
    world.assert_lake_equals_source()
    world.sql("ALTER TABLE payment ADD note text; ALTER TABLE payment DROP note")
    world.run()
    assert world.commits.latest_sequence() == 2, "no contract states that column"


@pytest.mark.slow
def test_columns_that_exchange_their_names_while_a_partition_is_detached_are_in_every_row(
    world: World,
) -> None:
    attached = "ALTER TABLE payment ATTACH PARTITION later FOR VALUES FROM (201) TO (MAXVALUE)"
    world.sql(PARTED)
    world.sql(
        "ALTER TABLE payment DETACH PARTITION second;"
        "CREATE TABLE later (LIKE payment INCLUDING ALL) PARTITION BY RANGE (payment_id);"
        "ALTER TABLE later ATTACH PARTITION second FOR VALUES FROM (201) TO (421);" + attached
    )
    world.run()
    # Of what lies between, whose parts stay where they are.
    world.sql(
        "ALTER TABLE payment DETACH PARTITION later;"
        "ALTER TABLE later RENAME company_ac_number TO other;"
        "ALTER TABLE later RENAME counterparty_ac_number TO company_ac_number;"
        "ALTER TABLE later RENAME other TO counterparty_ac_number;" + attached
    )
    world.run()
    assert world.operations(2) == {"payment": [("update", number) for number in range(201, 421)]}
    world.assert_lake_equals_source()
    world.run()
    assert world.commits.latest_sequence() == 2


@pytest.mark.slow
def test_children_that_come_and_go_by_inheritance_bring_and_take_their_rows(world: World) -> None:
    world.sql(
        "CREATE TABLE more (LIKE design INCLUDING ALL);"
        "INSERT INTO more SELECT 1000 + design_id, created_at, design_name, file_location, file_name,"
        " last_updated FROM design"
    )
    world.run()
    world.sql("ALTER TABLE more INHERIT design")
    world.run()
    assert world.operations(2) == {"design": [("insert", 1000 + number) for number in range(1, 7)]}
    world.assert_lake_equals_source()
    world.sql("UPDATE design SET file_name = 'x' WHERE design_id IN (2, 1002)")
    world.run()
    assert world.operations(3) == {"design": [("update", 2), ("update", 1002)]}
    world.run()
    assert world.commits.latest_sequence() == 3
    world.sql("ALTER TABLE more NO INHERIT design")
    world.run()
    assert world.operations(4) == {"design": [("delete", 1000 + number) for number in range(1, 7)]}
    world.assert_lake_equals_source()


def test_a_key_that_stands_twice_hides_no_deletion(world: World) -> None:
    world.sql(
        "CREATE TABLE more (LIKE design INCLUDING ALL);"
        "INSERT INTO more SELECT * FROM design WHERE design_id = 1;"
        "ALTER TABLE more INHERIT design;"
        "ALTER TABLE sales_order DROP CONSTRAINT sales_order_design_id_fkey;"
        "DELETE FROM design WHERE design_id > 2"
    )
    world.run()
    world.sql("DELETE FROM ONLY design WHERE design_id = 2")
    world.run()
    assert world.operations(2) == {"design": [("delete", 2)]}


def test_a_row_without_a_key_hides_no_deletion(world: World) -> None:
    world.sql(
        "ALTER TABLE payment_type DROP CONSTRAINT payment_type_pkey CASCADE;"
        "ALTER TABLE payment_type ALTER payment_type_id DROP DEFAULT,"
        " ALTER payment_type_id DROP NOT NULL, ADD UNIQUE (payment_type_id);"
        "INSERT INTO payment_type SELECT NULL, payment_type_name, created_at, last_updated"
        " FROM payment_type WHERE payment_type_id = 1"
    )
    world.run()
    world.sql("DELETE FROM payment_type WHERE payment_type_id = 2")
    world.run()
    assert world.operations(2) == {"payment_type": [("delete", 2)]}


@pytest.mark.slow
def test_tables_that_change_their_names_are_captured_in_full(world: World) -> None:
    world.sql(
        "CREATE TABLE other (LIKE currency INCLUDING ALL);"
        "INSERT INTO other SELECT currency_id, 'X' || currency_id, created_at, last_updated FROM currency;"
        f"GRANT SELECT ON other TO {READER}"
    )
    world.run()
    world.sql("ALTER TABLE currency RENAME TO old; ALTER TABLE other RENAME TO currency")
    world.run()
    assert world.operations(2) == {"currency": [("update", number) for number in (1, 2, 3)]}
    world.assert_lake_equals_source()


def test_schemas_that_change_their_names_are_captured_in_full(world: World) -> None:
    world.run()
    world.sql(
        "CREATE SCHEMA green; CREATE TABLE green.currency (LIKE public.currency INCLUDING ALL);"
        "INSERT INTO green.currency SELECT currency_id, 'Y' || currency_id, created_at, last_updated"
        " FROM public.currency;"
    )
    tables = [table for table in world.catalogue.raw if table != "currency"]
    moves = ";".join(f"ALTER TABLE blue.{table} SET SCHEMA public" for table in tables)
    world.sql(
        "ALTER SCHEMA public RENAME TO blue; ALTER SCHEMA green RENAME TO public;"
        f"GRANT USAGE ON SCHEMA public TO {READER}; GRANT SELECT ON public.currency TO {READER}; {moves}"
    )
    world.run()
    assert world.operations(2) == {"currency": [("update", number) for number in (1, 2, 3)]}
    world.assert_lake_equals_source()


def test_a_database_that_is_made_again_from_a_template_is_captured_in_full(world: World) -> None:
    backup = f"{world.database}_backup"
    with world.postgres.connect() as server:
        server.execute(f"CREATE DATABASE {backup} TEMPLATE {world.database}".encode())
        try:
            world.sql("UPDATE sales_order SET units_sold = 5555 WHERE sales_order_id IN (1, 2)")
            world.run()
            server.execute(f"ALTER DATABASE {world.database} RENAME TO {backup}_old".encode())
            server.execute(f"CREATE DATABASE {world.database} TEMPLATE {backup}".encode())
            world.run()
        finally:
            for name in (backup, f"{backup}_old"):
                server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
    rows = {row["sales_order_id"]: row["units_sold"] for row in world.current("sales_order")}
    assert (rows[1], rows[2]) == (1001, 1002)
    world.assert_lake_equals_source()


def test_a_renamed_value_of_an_enumeration_is_in_every_row_once_the_contract_follows(world: World) -> None:
    world.run()
    world.sql("""ALTER TYPE "TransactionType" RENAME VALUE 'SALE' TO 'DEAL'""")
    with pytest.raises(TablesPaused, match="'DEAL'"):
        world.run()

    def follow(stated: Row) -> Row:
        columns = [
            {**c, **({"allowed_values": ("DEAL", "PURCHASE")} if c["name"] == "transaction_type" else {})}
            for c in stated["columns"]
        ]
        return {**stated, "columns": columns, "version": "2.0.0"}

    world.publish("transaction", follow)
    world.run()
    assert {row["transaction_type"] for row in world.current("transaction")} == {"DEAL"}
    assert len(world.current("transaction")) == 40


def test_a_value_that_is_added_to_an_enumeration_moves_no_row(world: World) -> None:
    def widen(stated: Row) -> Row:
        columns = [
            {
                **c,
                **(
                    {"allowed_values": ("SALE", "PURCHASE", "GIFT")}
                    if c["name"] == "transaction_type"
                    else {}
                ),
            }
            for c in stated["columns"]
        ]
        return {**stated, "columns": columns, "version": "1.1.0"}

    world.publish("transaction", widen)
    world.run()
    world.sql("""ALTER TYPE "TransactionType" ADD VALUE 'GIFT'""")
    world.run()
    assert world.commits.latest_sequence() == 1


def test_a_generated_column_whose_expression_changes_is_in_every_row(world: World) -> None:
    world.sql(
        "ALTER TABLE staff DROP email_address;"
        "ALTER TABLE staff ADD email_address text GENERATED ALWAYS AS (first_name || '@x') VIRTUAL"
    )
    world.run()
    world.sql("ALTER TABLE staff ALTER email_address SET EXPRESSION AS (last_name || '@y')")
    world.run()
    assert world.operations(2) == {"staff": [("update", number) for number in (1, 2, 3)]}
    world.assert_lake_equals_source()


REFUSED = {
    "a foreign partition": (
        (
            "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER there FOREIGN DATA WRAPPER elsewhere;"
            "ALTER TABLE payment DROP CONSTRAINT payment_pkey1;"
            "CREATE FOREIGN TABLE abroad PARTITION OF payment FOR VALUES FROM (5000) TO (6000) SERVER there"
        ),
        "abroad, a part of payment, is a foreign table",
    ),
    "another access method": (
        (
            "CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;"
            "CREATE TABLE column_wise PARTITION OF payment FOR VALUES FROM (5000) TO (6000) USING columnar"
        ),
        "column_wise keeps its rows by the access method columnar",
    ),
}


@pytest.mark.parametrize(("change", "words"), by_day(["another access method"], REFUSED))
def test_a_part_whose_row_versions_are_not_known_is_refused_in_words(
    world: World, change: str, words: str
) -> None:
    world.sql(PARTED)
    world.run()
    world.sql(f"{change}; UPDATE staff SET last_name = 'X' WHERE staff_id = 2")
    with pytest.raises(TablesPaused, match=words):
        world.run()
    assert world.operations(2) == {"staff": [("update", 2)]}


def test_a_state_of_a_release_that_knew_less_is_followed_by_one_full_capture(world: World) -> None:
    world.run()
    known = {"xmin_horizon", "snapshot_xmax", "structure", "live_keys", "seen_versions", "pause", "source"}
    document = json.loads(
        world.clients.s3.get_object(Bucket=world.given.ingestion_bucket, Key=world.commits.key(1))[
            "Body"
        ].read()
    )
    tables = document["state"]["tables"]
    document["state"]["tables"] = {
        table: {
            **{name: value for name, value in state.items() if name in known},
            "source": {name: state["source"][name] for name in ("system_id", "timeline")},
        }
        for table, state in tables.items()
    }
    world.clients.s3.put_object(
        Bucket=world.given.ingestion_bucket, Key=world.commits.key(1), Body=json.dumps(document).encode()
    )
    lines = world.run()
    assert {line["table"] for line in lines if line["event"] == "capture.in_full"} == set(tables)
    commit: Commit = world.latest()
    assert {counts.counts["deletes"] for counts in commit.tables.values()} == {0}
    world.assert_lake_equals_source()
    world.run()
    assert world.commits.latest_sequence() == 2


@pytest.mark.slow
def test_two_thousand_partitions_are_one_scan_and_one_object_of_state(world: World) -> None:
    world.sql(
        "ALTER TABLE design RENAME TO plain;"
        "CREATE TABLE design (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (design_id))"
        " PARTITION BY RANGE (design_id);"
        "DO $$ BEGIN FOR i IN 0..1999 LOOP EXECUTE format('CREATE TABLE design_%s PARTITION OF design"
        " FOR VALUES FROM (%s) TO (%s)', i, 10 * i, 10 * i + 10); END LOOP; END $$;"
        "INSERT INTO design SELECT i, created_at, design_name, file_location, file_name, last_updated"
        " FROM plain, generate_series(1, 19999, 3) i WHERE plain.design_id = 1;"
        f"GRANT SELECT ON design TO {READER}"
    )
    world.run()
    world.assert_lake_equals_source()
    state = world.latest().state["tables"]["design"]
    assert state["leaves"]["count"] == 2000
    assert len(world.keys("_commits/capture-state/design/")) == 2
    world.sql("UPDATE design SET file_name = 'x' WHERE design_id IN (4, 19999)")
    world.run()
    assert world.operations(2) == {"design": [("update", 4), ("update", 19999)]}
