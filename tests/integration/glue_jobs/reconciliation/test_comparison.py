"""Reconciliation sees every row that is not the same in source, lake and warehouse, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from glue_jobs.lake.commits import CommitLog
from glue_jobs.lake.source_state import CaptureState, Pause, SourceState
from glue_jobs.reconciliation import record
from glue_jobs.reconciliation.reconciliation_report import (
    DIFFERENT,
    EQUAL,
    PAUSED,
    UNREAD,
    WAITING,
    Comparison,
    Report,
    TableReport,
)
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.integration.glue_jobs.reconciliation.world import World
from tests.night import at_night, by_day
from totesys import database


def table(report: Report, name: str) -> TableReport:
    return next(found for found in report.tables if found.table == name)


def comparison(report: Report, name: str, left: str, right: str) -> Comparison:
    return next(c for c in table(report, name).comparisons if (c.left, c.right) == (left, right))


def test_a_settled_world_is_equal_to_the_row_in_every_table(settled: World) -> None:
    report = settled.reconcile()

    assert report.verdict == EQUAL, report.as_text()
    assert [found.zone for found in report.tables] == ["raw"] * 11 + ["star"] * 12
    assert table(report, "payment").source == table(report, "payment").lake == 60
    fact = table(report, "fact_payment")
    assert (fact.source, fact.lake, fact.warehouse) == (60, 60, 60)
    assert report.batch == 1
    assert "source = lake = warehouse, to the row" in report.as_text()
    stated = json.loads(json.dumps(report.as_dict()))
    assert stated["verdict"] == "equal"
    assert {"zone", "table", "source", "lake", "warehouse", "missing", "verdict"} <= stated["tables"][
        0
    ].keys()


def test_an_inferred_member_is_named_and_is_a_difference_only_where_its_row_has_arrived(
    settled: World,
) -> None:
    """Design 4 was captured, so that a member inferred in its place should have been repaired."""
    rows = settled.star_rows()["dim_design"]
    unknown = {"design_name": "Not yet known", "is_inferred": True}
    inferred = [row | unknown if row["design_id"] == 4 else row for row in rows]
    settled.build({"dim_design": [*inferred, rows[0] | unknown | {"design_id": 9_000}]})
    settled.load()

    report = settled.reconcile()

    found = table(report, "dim_design")
    assert (found.inferred, found.inferred_keys) == (2, ("4", "9000"))
    assert found.source == found.lake + 1 == (found.warehouse or 0) + 1
    for side in ("lake", "warehouse"):
        judged = comparison(report, "dim_design", "source", side)
        assert (judged.missing, judged.total) == (1, 1)
        assert judged.examples[0].key == "4"
    assert comparison(report, "dim_design", "lake", "warehouse").verdict == EQUAL
    assert {t.table for t in report.tables if t.verdict != EQUAL} == {"dim_design"}


def test_before_the_first_run_everything_waits(world: World) -> None:
    report = world.reconcile()

    assert report.verdict == WAITING
    assert table(report, "sales_order").lake == 0
    assert comparison(report, "sales_order", "source", "lake").missing == table(report, "sales_order").source


CHANGES = {
    "sales_order SET staff_id = staff_id % 20 + 1 WHERE sales_order_id = 3": (
        "sales_order",
        "fact_sales_order",
    ),
    "department SET location = NULL WHERE department_id = 6": ("department", "dim_staff"),
    "address SET phone = '0001 000002' WHERE address_id = 14": (
        "address",
        "dim_location",
        "dim_counterparty",
    ),
    "payment SET payment_amount = payment_amount + 0.01 WHERE payment_id = 9": ("payment", "fact_payment"),
    "purchase_order SET item_code = ' x' WHERE purchase_order_id = 4": (
        "purchase_order",
        "fact_purchase_orders",
    ),
    "design SET created_at = created_at + interval '1 ms' WHERE design_id = 4": ("design",),
}
"""Updates of one row each and the tables that they reach."""


def test_what_the_source_changed_after_the_capture_is_waiting(settled: World) -> None:
    for statement in CHANGES:
        settled.sql(f"UPDATE {statement}")

    report = settled.reconcile()

    assert report.verdict == WAITING
    reached = {name for tables in CHANGES.values() for name in tables}
    assert {found.table for found in report.tables if found.verdict == WAITING} == reached
    for raw, *_ in CHANGES.values():
        seen = comparison(report, raw, "source", "lake")
        assert (seen.different, seen.waiting, seen.missing, seen.extra) == (1, 1, 0, 0), raw


@pytest.mark.slow
def test_an_order_that_came_after_the_capture_is_waiting_and_named(settled: World) -> None:
    settled.sql(
        "INSERT INTO design (design_name, file_location, file_name, last_updated)"
        " VALUES ('O''Hara, & (Sons)', '/usr', 'x.json', now())"
    )

    report = settled.reconcile()

    assert report.verdict == WAITING
    example = comparison(report, "design", "source", "lake").examples[0]
    assert (example.kind, example.key, example.waiting) == ("missing", "474", True)
    assert "missing key 474 (waiting)" in report.as_text()


@pytest.mark.slow
def test_a_deletion_that_the_lake_does_not_know_is_a_difference(settled: World) -> None:
    settled.sql("DELETE FROM payment WHERE payment_id = 7")

    report = settled.reconcile()

    assert report.verdict == DIFFERENT
    assert comparison(report, "payment", "source", "lake").extra == 1
    assert comparison(report, "fact_payment", "source", "warehouse").extra == 1
    assert comparison(report, "fact_payment", "lake", "warehouse").total == 0


@pytest.mark.slow
def test_a_captured_deletion_is_gone_from_the_current_state(settled: World) -> None:
    settled.sql("DELETE FROM payment WHERE payment_id = 7")
    settled.capture_rows("payment", [{"payment_id": 7, "operation": "delete"}])
    rows = settled.star_rows()["fact_payment"]
    gone = next(
        row for row in settled.lake_rows(settled.catalogue.star["fact_payment"]) if row["payment_id"] == 7
    )
    rows += [{**gone, "payment_record_id": 1_000, "batch_sequence": 1}]
    rows += [{**gone, "payment_record_id": 1_001, "batch_sequence": 2, "is_deleted": True}]
    settled.build({"fact_payment": rows})
    settled.load()

    report = settled.reconcile()

    assert report.verdict == EQUAL, report.as_text()
    assert table(report, "fact_payment").lake == table(report, "fact_payment").warehouse == 59


def test_a_warehouse_that_was_touched_is_different(settled: World) -> None:
    for statement in (
        "UPDATE fact_sales_order SET unit_price = unit_price + 0.01 WHERE sales_record_id = 2",
        "UPDATE fact_sales_order SET created_time = created_time + interval '1 ms' WHERE sales_record_id = 3",
        "UPDATE fact_sales_order SET is_deleted = true WHERE sales_record_id = 4",
        "DELETE FROM fact_sales_order WHERE sales_record_id = 5",
        "UPDATE fact_sales_order SET batch_sequence = 0 WHERE sales_record_id = 6",
    ):
        settled.sql(statement, on="warehouse")

    report = settled.reconcile()

    assert report.verdict == DIFFERENT
    assert [found.table for found in report.tables if found.verdict != EQUAL] == ["fact_sales_order"]
    assert comparison(report, "fact_sales_order", "source", "lake").total == 0
    current = comparison(report, "fact_sales_order", "source", "warehouse")
    assert (current.different, current.missing) == (2, 2)
    everything = comparison(report, "fact_sales_order", "lake", "warehouse")
    assert {(example.kind, example.key, example.columns) for example in everything.examples} == {
        ("different", "2", ("unit_price",)),
        ("different", "3", ("created_time",)),
        ("different", "4", ("is_deleted",)),
        ("missing", "5", ()),
        ("different", "6", ("batch_sequence",)),
    }


@pytest.mark.slow
def test_the_columns_that_differ_are_named_and_their_values_are_not(settled: World) -> None:
    settled.sql(
        "UPDATE dim_staff SET email_address = 'someone.else@example.com' WHERE staff_id = 4", on="warehouse"
    )

    report = settled.reconcile()

    example = comparison(report, "dim_staff", "source", "warehouse").examples[0]
    assert (example.key, example.columns) == ("4", ("email_address",))
    assert "different key 4 in email_address" in report.as_text()
    assert "example.com" not in report.as_text() + json.dumps(report.as_dict())


@pytest.mark.slow
def test_a_lost_version_is_different_and_not_waiting(settled: World) -> None:
    settled.sql("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 3")
    settled.capture_rows("sales_order", [])
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "capture")
    last = log.latest()
    assert last is not None
    # The capture that should have seen the change says that it has seen everything before now.
    now = settled.sql("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS low")[0]["low"]
    settled.batch += 1
    settled.commit("capture", settled.batch, {}, {**last.state, "snapshot_xmin": now})

    report = settled.reconcile()

    assert table(report, "sales_order").verdict == DIFFERENT
    assert comparison(report, "sales_order", "source", "lake").waiting == 0


@pytest.mark.parametrize(
    ("other", "verdict"),
    by_day(
        ["database", "the same"],
        {
            "server": ({"system_id": 7}, DIFFERENT),
            "timeline": ({"timeline": 7}, DIFFERENT),
            # Of the same name, and made again.
            "database": ({"database": 7}, DIFFERENT),
            # An earlier release did not say which database it was.
            "an earlier release": ({"database": None}, WAITING),
            "the same": ({}, WAITING),
        },
    ),
)
def test_what_another_source_holds_is_not_waiting(
    settled: World, other: dict[str, int | None], verdict: str
) -> None:
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "capture")
    last = log.latest()
    assert last is not None
    settled.batch += 1
    settled.commit("capture", settled.batch, {}, {**last.state, "source": {**last.state["source"], **other}})
    settled.sql("UPDATE currency SET currency_code = 'CHF' WHERE currency_id = 3")

    assert table(settled.reconcile(), "currency").verdict == verdict


@pytest.mark.slow
def test_rows_that_came_twice_in_one_batch_are_repeated(settled: World) -> None:
    row = settled.source_rows(settled.catalogue.raw["currency"])[0]
    settled.capture_rows("currency", [row, row])

    seen = comparison(settled.reconcile(), "currency", "source", "lake")

    assert (seen.repeated, seen.total) == (1, 1)


def test_a_version_that_the_star_has_twice_is_repeated(settled: World) -> None:
    rows = settled.star_rows()["fact_payment"]
    settled.build({"fact_payment": [*rows, {**rows[0], "payment_record_id": 999}]})

    report = settled.reconcile()

    assert comparison(report, "fact_payment", "source", "lake").repeated == 1
    assert comparison(report, "fact_payment", "lake", "warehouse").missing == 1


@pytest.mark.slow
def test_a_missing_day_and_a_wrong_weekday_are_seen(settled: World) -> None:
    days = settled.star_rows()["dim_date"]
    needed = settled.sql("SELECT min(created_at)::date AS day FROM sales_order")[0]["day"]
    wrong = {**next(day for day in days if day["date_id"] == needed + timedelta(days=1)), "day_of_week": 0}
    kept = [day for day in days if day["date_id"] not in (needed, wrong["date_id"])]
    settled.build({"dim_date": [*kept, wrong]})

    seen = comparison(settled.reconcile(), "dim_date", "source", "lake")

    assert (seen.missing, seen.different, seen.extra) == (1, 1, 0)
    assert {(e.kind, e.key, e.columns) for e in seen.examples} == {
        ("missing", str(needed), ()),
        ("different", str(wrong["date_id"]), ("day_of_week",)),
    }


@pytest.mark.slow
def test_a_cell_that_no_type_can_hold_is_compared_by_the_sources_own_text(settled: World) -> None:
    settled.sql("UPDATE currency SET last_updated = 'infinity' WHERE currency_id = 1")
    row = settled.sql("SELECT currency_id, currency_code, created_at FROM currency WHERE currency_id = 1")[0]
    settled.capture_rows("currency", [{**row, "unrepresentable": json.dumps({"last_updated": "infinity"})}])
    assert table(settled.reconcile(), "currency").verdict == EQUAL

    settled.capture_rows("currency", [{**row, "unrepresentable": json.dumps({"last_updated": "-infinity"})}])
    assert table(settled.reconcile(), "currency").verdict != EQUAL


def test_an_object_that_changed_after_its_commit_keeps_its_table_alone_from_being_compared(
    settled: World,
) -> None:
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "capture")
    last = log.latest()
    assert last is not None
    data = last.tables["design"].objects[0]
    settled.s3.put_object(Bucket=settled.buckets["ingestion"], Key=data.key, Body=b"something else")

    report = settled.reconcile()

    assert {found.table: found.verdict for found in report.tables if found.verdict != EQUAL} == {
        "design": UNREAD
    }
    assert report.verdict == UNREAD
    assert data.key in str(table(report, "design").unread)


def test_a_prefix_that_athena_reads_holds_what_its_commit_names_and_nothing_else(settled: World) -> None:
    commit = CommitLog(settled.s3, settled.buckets["ingestion"], "facts").latest()
    assert commit is not None
    named = commit.tables["fact_payment"].objects[0].key
    bucket = settled.buckets["processed"]
    body = settled.s3.get_object(Bucket=bucket, Key=named)["Body"].read()
    extra = named.replace("part-00000", "part-00001")
    settled.s3.put_object(Bucket=bucket, Key=extra, Body=body)

    seen = comparison(settled.reconcile(), "fact_payment", "commits", "prefixes")
    assert (seen.verdict, seen.extra, seen.missing) == (DIFFERENT, 1, 0)
    assert [(example.kind, example.key) for example in seen.examples] == [("extra", extra)]

    settled.s3.delete_object(Bucket=bucket, Key=extra)
    settled.s3.delete_object(Bucket=bucket, Key=named)
    report = settled.reconcile()
    seen = comparison(report, "fact_payment", "commits", "prefixes")
    assert (seen.verdict, seen.extra, seen.missing) == (DIFFERENT, 0, 1)
    assert (
        comparison(report, "fact_payment", "source", "lake").missing == table(report, "fact_payment").source
    )
    assert f"missing key {named}" in report.as_text()

    settled.s3.put_object(Bucket=bucket, Key=named, Body=body)
    assert settled.reconcile().verdict == EQUAL


def test_a_live_version_without_its_commit_is_named(settled: World) -> None:
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "facts")
    last = log.latest()
    assert last is not None
    stray = replace(
        last.tables["fact_payment"], partitions=(), versions={"created_month=all": "0000000009-x"}
    )
    settled.commit("facts", last.sequence + 1, {**last.tables, "fact_payment": stray}, {})

    found = table(settled.reconcile(), "fact_payment")
    assert found.verdict == UNREAD
    assert "written by no commit of facts" in str(found.unread)


def other_encoding(world: World, server: EmbeddedPostgres, encoding: str) -> None:
    """Let the world's source be a copy of it in another encoding."""
    name = f"source_{encoding.lower()}"
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(
            f"CREATE DATABASE {name} OWNER owner TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode()
        )
    # A session without conversion hands bytes over; the tests' own have to say what they are.
    source, world.source = world.source, f"{server.dsn('owner', name)}?client_encoding=utf8"
    database.create(world.source)
    with psycopg.connect(source) as old, psycopg.connect(world.source) as new:
        for table in database.TABLES:
            with (
                old.cursor().copy(f"COPY {table} TO STDOUT".encode()) as rows,
                new.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy,
            ):
                for row in rows:
                    copy.write(row)


@pytest.mark.parametrize("encoding", ["LATIN1", at_night("WIN1252"), at_night("SQL_ASCII")])
def test_a_source_of_another_encoding_is_compared_letter_for_letter(
    world: World, server: EmbeddedPostgres, encoding: str
) -> None:
    other_encoding(world, server, encoding)
    world.sql("UPDATE address SET city = 'São Tomé, Côte d''Ivoire' WHERE address_id = 3")
    world.run()
    assert world.reconcile().verdict == EQUAL

    world.sql("UPDATE address SET city = 'São Tome, Côte d''Ivoire' WHERE address_id = 3")
    assert comparison(world.reconcile(), "address", "source", "lake").different == 1


@pytest.mark.slow
def test_bytes_of_a_source_without_an_encoding_are_compared_as_the_raw_zone_keeps_them(
    world: World, server: EmbeddedPostgres
) -> None:
    other_encoding(world, server, "SQL_ASCII")
    world.run()
    row = world.sql("SELECT * FROM address WHERE address_id = 3")[0]
    kept = {**row, "city": None, "unrepresentable": json.dumps({"city": "M\\xfcnchen"})}
    world.capture_rows("address", [kept])
    with psycopg.connect(world.source, client_encoding="SQL_ASCII") as connection:
        connection.execute(b"UPDATE address SET city = E'M\\xfcnchen' WHERE address_id = 3")
    assert comparison(world.reconcile(), "address", "source", "lake").total == 0


@pytest.mark.slow
def test_a_table_that_cannot_be_read_is_named_and_the_others_are_compared(settled: World) -> None:
    settled.sql("ALTER TABLE payment RENAME TO paiement")
    settled.sql("UPDATE design SET design_name = 'Gilded' WHERE design_id = 12")
    settled.sql("UPDATE dim_staff SET location = 'Leds' WHERE staff_id = 3", on="warehouse")

    report = settled.reconcile()

    found = {t.table: t.verdict for t in report.tables if t.verdict != EQUAL}
    # The calendar's days are those of all facts.
    assert found == {
        "payment": UNREAD,
        "fact_payment": UNREAD,
        "dim_date": UNREAD,
        "design": WAITING,
        "dim_design": WAITING,
        "dim_staff": DIFFERENT,
    }
    assert "The source's payment cannot be read" in str(table(report, "payment").unread)
    assert comparison(report, "fact_payment", "lake", "warehouse").verdict == EQUAL
    assert "raw.payment: not compared: The source's payment" in report.as_text()


REWRITES = {
    "a column that is computed": (
        "ALTER TABLE payment_type ADD label text GENERATED ALWAYS AS (payment_type_id::text) STORED"
    ),
    "a part that joins": (
        "CREATE TABLE more (LIKE payment_type INCLUDING ALL);"
        "INSERT INTO more SELECT 100 + payment_type_id, payment_type_name, created_at, last_updated"
        " FROM payment_type; ALTER TABLE more INHERIT payment_type"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement", by_day(["a part that joins"], {name: (sql,) for name, sql in REWRITES.items()})
)
def test_a_table_that_is_rewritten_while_it_is_read_is_named_and_is_no_difference(
    settled: World, statement: str
) -> None:
    def strike(step: str) -> None:
        if step == "source payment_type":
            settled.sql(statement)

    report = settled.reconcile(strike)
    found = {t.table: t.verdict for t in report.tables if t.verdict != EQUAL}
    assert found["payment_type"] == UNREAD
    assert DIFFERENT not in found.values()
    assert "payment_type was rewritten while it was read" in str(table(report, "payment_type").unread)


@pytest.mark.parametrize("statement", ["ALTER TABLE address RENAME COLUMN phone TO telephone", at_night("")])
def test_a_paused_table_is_named_with_since_and_why_and_the_others_are_compared(
    settled: World, statement: str
) -> None:
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "capture")
    last = log.latest()
    assert last is not None
    settled.sql("DELETE FROM payment WHERE payment_id = 7")
    if statement:
        settled.sql(statement)
    pause = Pause("The column phone is missing.", "2024-11-18T14:48:00.000Z")
    state = replace(SourceState.of(last), tables={"address": CaptureState(pause=pause)})
    settled.batch += 1
    settled.commit("capture", settled.batch, {}, {**last.state, "tables": state.state["tables"]})

    report = settled.reconcile()

    paused = {t.table for t in report.tables if t.verdict == PAUSED}
    assert paused == {"address", "dim_location", "dim_counterparty"}
    assert {t.table for t in report.tables if t.verdict == DIFFERENT} == {"payment", "fact_payment"}
    words = "paused: address, since 2024-11-18T14:48:00.000Z: The column phone is missing."
    assert f"raw.address: {words}" in report.as_text()
    assert f"star.dim_location: {words}" in report.as_text()


@pytest.mark.slow
def test_what_a_paused_table_lacks_of_its_source_is_no_difference_and_no_alarm(settled: World) -> None:
    log = CommitLog(settled.s3, settled.buckets["ingestion"], "capture")
    last = log.latest()
    assert last is not None
    settled.sql("DELETE FROM payment WHERE payment_id > 30")
    state = replace(SourceState.of(last), tables={"payment": CaptureState(pause=Pause("Too many.", "now"))})
    settled.batch += 1
    settled.commit("capture", settled.batch, {}, {**last.state, "tables": state.state["tables"]})

    report = settled.reconcile()

    assert report.verdict == PAUSED
    assert comparison(report, "payment", "source", "lake").extra == 30
    assert record.metrics(report)["unequal"] == 0
    # What the warehouse lacks of the lake is a difference all the same.
    settled.sql("DELETE FROM fact_payment WHERE payment_record_id = 3", on="warehouse")
    assert table(settled.reconcile(), "fact_payment").verdict == DIFFERENT


@pytest.mark.slow
def test_the_source_may_have_another_schema(settled: World) -> None:
    settled.sql("ALTER SCHEMA public RENAME TO sales")
    settled.source_schema = "sales"
    assert settled.reconcile().verdict == EQUAL


@pytest.mark.slow
def test_a_warehouse_of_another_lake_is_named_and_nothing_waits_for_a_load(settled: World) -> None:
    settled.sql("UPDATE load_offset SET lake = 'another', attempt = 'another'", on="warehouse")
    settled.sql("DELETE FROM fact_payment WHERE payment_record_id = 3", on="warehouse")

    report = settled.reconcile()

    assert "another lake (another)" in str(report.foreign_warehouse)
    assert "the warehouse is not this lake's" in report.as_text()
    assert comparison(report, "fact_payment", "lake", "warehouse").waiting == 0
    assert report.verdict == DIFFERENT
