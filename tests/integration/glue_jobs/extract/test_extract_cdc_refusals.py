"""What cannot be captured is held or refused, clearly, and costs the rest nothing."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.capture_run import TablesPaused
from lakehouse.release import release
from tests.integration.glue_jobs.extract.conftest import READER, World
from tests.night import at_night, by_day

UNCAPTURABLE = {
    "finer": (
        "ALTER TABLE staff ALTER created_at TYPE timestamp",
        ["staff.created_at", "timestamp", "cannot hold; text or timestamp(6) can."],
    ),
    "table gone": ("ALTER TABLE payment RENAME TO payments", ["payment"]),
    "a view": (
        "ALTER TABLE payment RENAME TO p; CREATE VIEW payment AS SELECT * FROM p; GRANT SELECT ON payment TO "
        + READER,
        ["payment", "view"],
    ),
    "revoked": (f"REVOKE SELECT ON staff FROM {READER}", ["staff", "GRANT SELECT"]),
    "column grant": (
        f"""REVOKE SELECT ON staff FROM {READER};
            GRANT SELECT (staff_id, first_name, last_name, department_id, email_address, created_at,
            last_updated)
            ON staff TO {READER}""",
        ["staff", "a grant on columns alone"],
    ),
    "row security": ("ALTER TABLE staff ENABLE ROW LEVEL SECURITY", ["staff", "row-level security"]),
}


@pytest.mark.parametrize(("change", "words"), by_day(["table gone", "revoked"], UNCAPTURABLE))
def test_a_table_that_cannot_be_captured_is_held_and_the_others_are_published(
    world: World, change: str, words: list[str]
) -> None:
    world.run()
    world.sql(change)
    world.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    with pytest.raises(TablesPaused) as refused:
        world.run()
    for word in words:
        assert word in str(refused.value)
    assert world.operations(2) == {"address": [("update", 2)]}
    held = [table for table, state in world.latest().state["tables"].items() if state["pause"]]
    assert len(held) == 1
    first = world.commits.get(1)
    assert first is not None
    kept, before = world.latest().state["tables"][held[0]], first.state["tables"][held[0]]
    assert {**kept, "pause": None} == before


@pytest.mark.slow
def test_a_table_that_was_held_misses_nothing_once_it_is_mended(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department RENAME manager TO boss")
    world.sql(
        "UPDATE department SET boss = 'B' WHERE department_id = 2;"
        "DELETE FROM department WHERE department_id = 4"
    )
    world.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    with pytest.raises(TablesPaused):
        world.run()
    world.sql("ALTER TABLE department RENAME boss TO manager")
    world.run()
    assert world.operations(3) == {"department": [("update", 2), ("delete", 4)]}
    world.assert_lake_equals_source()


def test_more_columns_than_the_contract_states_are_reported_and_left(world: World) -> None:
    world.sql("ALTER TABLE staff ADD shoe_size integer DEFAULT 40")
    lines = world.run()
    (warning,) = [line for line in lines if line["event"] == "capture.extra_columns"]
    assert (warning["table"], warning["columns"]) == ("staff", ["shoe_size"])
    world.assert_lake_equals_source()


MORE_TRANSACTIONS = (
    "INSERT INTO transaction (transaction_type, last_updated)"
    " SELECT 'SALE', now() FROM generate_series(1, 200);"
)
MORE_PAYMENTS = (
    MORE_TRANSACTIONS
    + "INSERT INTO payment (last_updated, transaction_id, counterparty_id, payment_amount, currency_id,"
    " payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number)"
    " SELECT now(), 40 + i, 1, i, 1, 1, false, '2024-11-16', 1, 2 FROM generate_series(1, 200) i"
)


def said(world: World, event: str) -> list[dict[str, Any]]:
    """The last run's lines of one kind."""
    return [line for line in map(json.loads, world.output.splitlines()) if line["event"] == event]


@pytest.mark.parametrize(
    "statement", [at_night("TRUNCATE payment"), "DELETE FROM payment WHERE payment_id > 40"]
)
def test_a_mass_delete_is_held_until_exactly_it_is_released(world: World, statement: str) -> None:
    world.sql(MORE_PAYMENTS)
    world.run()
    world.sql(statement)
    world.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    with pytest.raises(
        TablesPaused, match=r"live rows of payment are gone at once.*lakehouse release --table payment"
    ):
        world.run()
    assert world.operations(2) == {"address": [("update", 2)]}
    with pytest.raises(TablesPaused):
        world.run()
    assert world.commits.latest_sequence() == 2
    (delete,) = world.deletes.waiting()
    (line,) = said(world, "capture.delete_paused")
    assert (line["rows"], line["release"]) == (delete.missing, delete.resume_key)
    held = [line["deletions_held"] for line in said(world, "metric") if "deletions_held" in line]
    assert held == [delete.missing]
    with pytest.raises(UserError, match=r"No deletion of staff is held\. Held are deletions of: payment"):
        release(world.deletes, "staff", "now")

    release(world.deletes, None, "now")
    world.run()
    assert [line["deletions_held"] for line in said(world, "metric") if "deletions_held" in line] == [0]
    deleted = world.operations(3)["payment"]
    assert {operation for operation, _ in deleted} == {"delete"}
    assert len(deleted) == len(set(deleted)) == delete.missing
    world.assert_lake_equals_source()
    with pytest.raises(UserError, match=r"No deletion is held\. There is nothing to release"):
        release(world.deletes, None, "now")


@pytest.mark.slow
def test_a_release_lets_no_later_mass_delete_through(world: World) -> None:
    world.sql(MORE_PAYMENTS)
    world.run()
    world.sql("CREATE TABLE aside AS SELECT * FROM payment")
    world.sql("DELETE FROM payment WHERE payment_id BETWEEN 41 AND 140")
    with pytest.raises(TablesPaused):
        world.run()
    (first,) = world.deletes.waiting()
    release(world.deletes, "payment", "now")
    # What is gone besides is judged by itself: an everyday deletion passes, another mass delete does not.
    world.sql("DELETE FROM payment WHERE payment_id BETWEEN 141 AND 240")
    with pytest.raises(TablesPaused, match="200 of the 240"):
        world.run()
    (second,) = world.deletes.waiting()
    assert second.name != first.name
    assert not world.deletes.is_resumed(second)
    assert world.deletes.first(second) == first.since
    world.sql("INSERT INTO payment SELECT * FROM aside WHERE payment_id BETWEEN 141 AND 237")
    world.run()
    assert world.latest().tables["payment"].counts["deletes"] == 103
    world.assert_lake_equals_source()
    # The very keys that were released once come back and go again: that is another mass delete.
    world.sql("INSERT INTO payment SELECT * FROM aside WHERE payment_id BETWEEN 41 AND 140")
    world.run()
    world.sql("DELETE FROM payment WHERE payment_id BETWEEN 41 AND 140")
    with pytest.raises(TablesPaused, match="100 of the 237"):
        world.run()


def test_rows_that_are_restored_end_a_hold(world: World) -> None:
    world.sql(MORE_PAYMENTS)
    world.run()
    world.sql("CREATE TABLE aside AS SELECT * FROM payment; TRUNCATE payment")
    with pytest.raises(TablesPaused):
        world.run()
    world.sql("INSERT INTO payment SELECT * FROM aside")
    world.run()
    assert world.deletes.waiting() == []
    assert world.latest().tables["payment"].counts["deletes"] == 0
    world.assert_lake_equals_source()


def test_truncating_a_small_table_gives_one_deletion_each(world: World) -> None:
    world.run()
    world.sql("TRUNCATE payment")
    world.run()
    assert world.operations(2) == {"payment": [("delete", number) for number in range(1, 41)]}


def test_another_source_is_captured_in_full_and_compared_by_key(world: World) -> None:
    world.run()
    commit = world.latest()
    document = json.loads(
        world.clients.s3.get_object(Bucket=world.given.ingestion_bucket, Key=world.commits.key(1))[
            "Body"
        ].read()
    )
    # As a capture of the cluster that this one was restored from would have left it.
    document["state"]["tables"]["department"]["source"]["system_id"] += 1
    document["state"]["tables"]["address"]["source"]["timeline"] += 1
    document["state"]["tables"]["staff"]["xmin_horizon"] = document["state"]["snapshot_xmax"] + 1000
    document["state"]["tables"]["currency"]["xmin_horizon"] = document["state"]["snapshot_xmax"] - 2**32
    world.clients.s3.put_object(
        Bucket=world.given.ingestion_bucket, Key=world.commits.key(1), Body=json.dumps(document).encode()
    )
    world.sql("DELETE FROM department WHERE department_id = 4")
    lines = world.run()
    in_full = {line["table"] for line in lines if line["event"] == "capture.in_full"}
    assert in_full == {"department", "address", "staff", "currency"}
    assert set(world.operations(2)) == in_full
    assert world.operations(2)["department"] == [("update", 1), ("update", 2), ("update", 3), ("delete", 4)]
    assert commit.state["source"] == world.latest().state["source"]
    world.assert_lake_equals_source()


def test_a_role_that_may_not_name_the_source_is_told_and_works(world: World) -> None:
    world.sql(
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public;"
        "REVOKE EXECUTE ON FUNCTION pg_control_checkpoint() FROM public"
    )
    lines = world.run()
    assert "capture.source_unnamed" in {line["event"] for line in lines}
    world.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    world.run()
    assert world.operations(2) == {"address": [("update", 2)]}


def test_a_wrong_password_is_said_without_the_password(world: World) -> None:
    dsn = world.postgres.dsn(user=READER, database=world.database)
    password = dsn.split(":")[2].split("@")[0]
    world.use_dsn(dsn.replace(password, "secret-but-wrong"))
    with pytest.raises(UserError) as refused:
        world.run()
    assert "password authentication failed" in str(refused.value)
    assert "secret-but-wrong" not in str(refused.value) + world.output
    # Nothing but that another try waits.
    (waits,) = world.keys()
    assert waits.startswith("_commits/waits/extract_cdc/")


def test_a_source_that_is_down_is_said_and_the_retry_completes(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        world.use_dsn(f"postgresql://someone:pw@127.0.0.1:{taken.getsockname()[1]}/x")
        with pytest.raises(UserError, match="source database cannot be reached"):
            world.run()
    world.use_dsn(world.postgres.dsn(user=READER, database=world.database))
    world.run()
    world.assert_lake_equals_source()


def test_a_remote_source_without_verified_tls_is_refused(world: World) -> None:
    world.use_dsn("postgresql://someone:pw@db.example.com/x?sslmode=require")
    with pytest.raises(UserError, match="sslmode"):
        world.run()
