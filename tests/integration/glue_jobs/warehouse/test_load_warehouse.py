"""The load as a process: all tables of a batch or none, each version once, whatever happens."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from catalog.warehouse import View, metadata
from glue_jobs.lake.commits import CommitLog
from glue_jobs.warehouse import schema
from glue_jobs.warehouse.load import read_alterations
from tests.night import at_night, by_day

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'load_warehouse' AND wait_event_type = 'Lock'"
)
FACTS = ("fact_payment", "fact_purchase_orders", "fact_sales_order")


if TYPE_CHECKING:
    from tests.integration.glue_jobs.warehouse.conftest import Row, World


def until(condition: Callable[[], Any]) -> None:
    """Ask until it is so, with a breath between."""
    breath = threading.Event()
    while not condition():
        breath.wait(0.02)


def one_of_each_fact(world: World, batch: int, key: int = 1, **given: Any) -> dict[str, list[Row]]:
    return {table: [world.row(table, batch, key, **given)] for table in FACTS}


def state(world: World) -> tuple[object, ...]:
    """Everything that a load may change, but for when and how fast."""
    tables = {name: world.rows(name) for name in world.catalogue.star}
    return tables, world.query("SELECT stage, sequence, last_batch FROM load_offset ORDER BY stage")


def test_rows_arrive_as_the_lake_holds_them_in_every_table(world: World) -> None:
    dimensions = world.dimensions()
    rows = one_of_each_fact(world, 1)
    world.commit("facts", rows, 1)

    code, lines = world.run()

    assert code == 0
    for table, stated in rows.items():
        assert world.rows(table) == [world.as_loaded(table, row) for row in stated]
    for table in dimensions.tables:
        contract = world.catalogue.star[table]
        assert [list(row) for row in world.rows(table)[:1]] == [[c.name for c in contract.all_columns]]
        assert len(world.rows(table)) == (31 if table == "dim_date" else 3)
    done = next(line for line in lines if line["event"] == "load.done")
    assert (done["job"], done["last_batch"]) == ("load_warehouse", 1)


def test_an_empty_lake_loads_nothing_and_is_no_error(world: World) -> None:
    code, lines = world.run()
    assert code == 0
    assert lines[-1]["event"] == "load.nothing_waits"
    assert world.query("SELECT count(*) FROM load_audit") == [(0,)]


def test_running_again_changes_nothing(world: World) -> None:
    world.dimensions()
    world.commit("facts", one_of_each_fact(world, 1), 1)
    world.run()
    before = state(world), world.rows("load_audit")

    code, lines = world.run()

    assert code == 0
    assert "load.nothing_waits" in [line["event"] for line in lines]
    assert (state(world), world.rows("load_audit")) == before


def test_the_same_commits_delivered_again_change_nothing(world: World) -> None:
    world.dimensions()
    world.commit("facts", one_of_each_fact(world, 1), 1)
    world.run()
    before = state(world)
    with world.connect() as connection:
        connection.execute("DELETE FROM load_offset")

    code, lines = world.run()

    assert code == 0
    assert state(world) == before
    done = next(line for line in lines if line["event"] == "load.done")
    assert {name: counts["changed"] for name, counts in done["tables"].items()} == dict.fromkeys(
        done["tables"], 0
    )


def test_commits_that_wait_are_loaded_in_order_and_in_one_transaction(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", 1)]}, 1)
    world.commit("dimensions", {"dim_staff": [world.row("dim_staff", 2, 1, department_name="Sales")]}, 2)
    later = world.row("fact_sales_order", 2, 1, sales_record_id=2, units_sold=7)
    world.commit("facts", {"fact_sales_order": [later]}, 2)

    assert world.run()[0] == 0

    assert [row["units_sold"] for row in world.rows("fact_sales_order")] == [1, 7]
    assert world.rows("dim_staff")[0]["department_name"] == "Sales"
    audit = world.rows("load_audit")
    assert [(row["first_batch"], row["last_batch"]) for row in audit] == [(1, 2)]
    assert audit[0]["tables"]["fact_sales_order"] == {"read": 2, "changed": 2}


def test_a_fact_waits_for_the_dimensions_of_its_batch(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", 1)]}, 1)
    ahead = world.row("fact_sales_order", 2, 2, sales_staff_id=9)
    world.commit("facts", {"fact_sales_order": [ahead]}, 2)

    assert world.run()[0] == 0
    assert [row["sales_order_id"] for row in world.rows("fact_sales_order")] == [1]

    world.commit("dimensions", {"dim_staff": [world.row("dim_staff", 2, 9)]}, 2)
    assert world.run()[0] == 0
    assert [row["sales_order_id"] for row in world.rows("fact_sales_order")] == [1, 2]


def test_a_stale_dimension_row_never_overwrites_a_newer_one(world: World) -> None:
    world.dimensions(1)
    world.commit("dimensions", {"dim_staff": [world.row("dim_staff", 5, 1, location="Leds")]}, 5)
    assert world.run()[0] == 0
    stale = world.row("dim_staff", 3, 1, location="Old")
    world.commit("dimensions", {"dim_staff": [stale, world.row("dim_staff", 3, 8)]}, 6)

    assert world.run()[0] == 0

    assert [
        (row["staff_id"], row["location"]) for row in world.rows("dim_staff") if row["staff_id"] in (1, 8)
    ] == [
        (1, "Leds"),
        (8, world.row("dim_staff", 1)["location"]),
    ]


def test_a_dimension_row_that_did_not_change_is_not_written_again(world: World) -> None:
    world.dimensions(1)
    world.run()
    versions = world.query("SELECT ctid, xmin FROM dim_staff ORDER BY 1")
    world.dimensions(1)

    assert world.run()[0] == 0
    assert world.query("SELECT ctid, xmin FROM dim_staff ORDER BY 1") == versions


def test_a_deleted_dimension_row_stays_marked(world: World) -> None:
    world.dimensions(1)
    world.commit("dimensions", {"dim_design": [world.row("dim_design", 2, 1, is_deleted=True)]}, 2)
    assert world.run()[0] == 0
    assert [row["is_deleted"] for row in world.rows("dim_design")] == [True, False, False]


def test_a_version_that_is_there_with_other_content_is_refused_and_nothing_is_loaded(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", 1)]}, 1)
    world.run()
    before = state(world)
    world.commit("dimensions", {"dim_staff": [world.row("dim_staff", 2, 1, location="Rolled back")]}, 2)
    other = world.row("fact_sales_order", 1, units_sold=99)
    world.commit("facts", {"fact_sales_order": [other, world.row("fact_sales_order", 2, 2)]}, 2)

    code, lines = world.run()

    assert code == 1
    assert lines[-1]["event"] == "job.failed"
    assert "1 versions in the changes of fact_sales_order" in lines[-1]["message"]
    assert state(world) == before


def test_old_and_new_versions_together_add_only_the_new(world: World) -> None:
    world.dimensions(1)
    first = world.row("fact_sales_order", 1)
    world.commit("facts", {"fact_sales_order": [first]}, 1)
    world.run()
    world.dimensions(2)
    world.commit("facts", {"fact_sales_order": [first, world.row("fact_sales_order", 2, 2)]}, 2)

    assert world.run()[0] == 0
    assert [row["sales_order_id"] for row in world.rows("fact_sales_order")] == [1, 2]


def test_a_fact_without_its_dimension_row_loads_nothing_and_names_the_constraint(world: World) -> None:
    world.dimensions(1)
    lost = world.row("fact_sales_order", 1, design_id=404)
    world.commit("facts", {"fact_sales_order": [lost]}, 1)

    code, lines = world.run()

    assert code == 1
    assert "fact_sales_order_design_id_fkey" in lines[-1]["message"]
    assert "404" not in lines[-1]["message"]
    assert "traceback" not in json.dumps(lines).lower()
    assert world.query("SELECT to_regclass('load_offset')") == [(None,)]


def test_a_damaged_object_loads_nothing_and_is_named(world: World) -> None:
    world.dimensions(1)
    commit = world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", 1)]}, 1)
    damaged = commit.tables["fact_sales_order"].changes[0]
    body = world.s3.get_object(Bucket=world.processed, Key=damaged.key)["Body"].read()
    world.s3.put_object(
        Bucket=world.processed, Key=damaged.key, Body=body[:40] + bytes([body[40] ^ 1]) + body[41:]
    )

    code, lines = world.run()

    assert code == 1
    assert damaged.key in lines[-1]["message"]
    assert world.query("SELECT to_regclass('dim_staff')") == [(None,)]


def test_views_show_the_current_state_and_the_whole_history(world: World) -> None:
    world.dimensions(1)
    versions = [
        world.row("fact_sales_order", 1, 1, sales_record_id=1, units_sold=10),
        world.row("fact_sales_order", 1, 2, sales_record_id=2, units_sold=20),
        world.row("fact_sales_order", 2, 1, sales_record_id=3, units_sold=11),
        world.row("fact_sales_order", 3, 2, sales_record_id=4, units_sold=20, is_deleted=True),
        world.row("fact_sales_order", 4, 1, sales_record_id=5, units_sold=11, is_deleted=True),
        world.row("fact_sales_order", 5, 1, sales_record_id=6, units_sold=12),
    ]
    world.dimensions(5)
    world.commit("facts", {"fact_sales_order": versions}, 5, first_batch=1)
    assert world.run()[0] == 0

    current = world.query("SELECT sales_order_id, units_sold FROM fact_sales_order_current")
    assert current == [(1, 12)]
    history = world.query(
        "SELECT version_number, units_sold, is_deleted, is_current, valid_to IS NULL, "
        "valid_from = captured_at, change_kind, changed_columns "
        "FROM fact_sales_order_history WHERE sales_order_id = 1 ORDER BY 1"
    )
    assert history == [
        (1, 10, False, False, False, True, "created", None),
        (2, 11, False, False, False, True, "amended", "units_sold"),
        (3, 11, True, False, False, True, "deleted", None),
        (4, 12, False, True, True, True, "restored", "units_sold"),
    ]
    gaps = world.query(
        "SELECT count(*) FROM fact_sales_order_history AS a JOIN fact_sales_order_history AS b "
        "ON b.sales_order_id = a.sales_order_id AND b.version_number = a.version_number + 1 "
        "WHERE a.valid_to <> b.valid_from"
    )
    assert gaps == [(0,)]


def test_the_synonym_shows_the_purchase_orders(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", {"fact_purchase_orders": [world.row("fact_purchase_orders", 1)]}, 1)
    world.run()
    assert world.rows("fact_purchase_order") == world.rows("fact_purchase_orders")


def test_two_loaders_at_once_load_everything_once(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", one_of_each_fact(world, 1), 1)
    world.run()
    world.dimensions(2, keys=(4, 5))
    world.commit("facts", one_of_each_fact(world, 2, 4), 2)
    with world.connect() as holder:
        holder.execute("LOCK TABLE dim_date")
        loaders = [world.start(), world.start()]
        with world.connect() as watcher:
            watcher.autocommit = True
            until(lambda: watcher.execute(WAITING).fetchone() == (2,))
    ends = [loader.communicate() for loader in loaders]

    assert [loader.returncode for loader in loaders] == [0, 0], ends
    events = sorted(event for out, _ in ends for event in ("load.done", "load.nothing_waits") if event in out)
    assert events == ["load.done", "load.nothing_waits"]
    assert [row["sales_order_id"] for row in world.rows("fact_sales_order")] == [1, 4]
    assert len(world.rows("load_audit")) == 2


def test_a_load_killed_half_way_leaves_no_trace_and_the_next_completes(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", one_of_each_fact(world, 1), 1)
    world.run()
    before = state(world)
    world.dimensions(2, keys=(4, 5))
    world.commit("facts", one_of_each_fact(world, 2, 4), 2)
    with world.connect() as holder:
        # The last table to be loaded is held, so the load stands still with all others copied.
        holder.execute("LOCK TABLE fact_sales_order IN SHARE MODE")
        process = world.start()
        assert process.stdout is not None
        for line in process.stdout:
            if '"load.copied"' in line and "fact_purchase_orders" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert state(world) == before

    assert world.run()[0] == 0
    assert [row["payment_id"] for row in world.rows("fact_payment")] == [1, 4]
    assert [row["sales_order_id"] for row in world.rows("fact_sales_order")] == [1, 4]


@pytest.mark.slow
def test_a_session_that_the_server_ends_is_a_clear_error_and_the_rerun_completes(world: World) -> None:
    world.dimensions(1)
    world.commit("facts", one_of_each_fact(world, 1), 1)
    world.run()
    world.dimensions(2)
    with world.connect() as holder:
        holder.execute("LOCK TABLE dim_date")
        process = world.start()
        with world.connect() as watcher:
            watcher.autocommit = True
            ended = WAITING.replace("*", "pg_terminate_backend(pid)")
            until(lambda: watcher.execute(ended).fetchone() == (1,))
        out, err = process.communicate()
    assert (process.returncode, err) == (1, "")
    assert "run it again" in json.loads(out.splitlines()[-2])["message"]

    assert world.run()[0] == 0
    assert world.query("SELECT last_batch FROM load_offset WHERE stage = 'dimensions'") == [(2,)]


@pytest.mark.slow
def test_a_deadlock_is_a_clear_error_and_the_rerun_completes(world: World) -> None:
    world.dimensions(1)
    world.run()
    changed = ("dim_currency", "dim_design", "dim_staff")  # the order in which a load writes them
    world.commit("dimensions", {table: [world.row(table, 2, 7)] for table in changed}, 2)
    row = "INSERT INTO dim_currency SELECT 7, 'x', 'x', 1, now(), false, false"
    with ThreadPoolExecutor() as pool, world.connect() as other, world.connect() as watcher:
        watcher.autocommit = True
        # Whoever waits last finds the deadlock and is its victim: that shall be the load.
        other.execute("SET deadlock_timeout = '1h'")
        other.execute("LOCK TABLE dim_staff IN SHARE MODE")
        with world.connect() as gate:
            gate.execute("LOCK TABLE dim_design IN SHARE MODE")
            process = world.start()
            until(lambda: watcher.execute(WAITING).fetchone() == (1,))
            waiting = pool.submit(other.execute, row)
            both = WAITING.replace("load_warehouse", "")
            until(lambda: waiting.done() or watcher.execute(both).fetchone() == (1,))
        out, err = process.communicate()
        waiting.result()
        other.rollback()
    assert (process.returncode, err) == (1, "")
    assert "deadlock detected. Nothing was changed" in json.loads(out.splitlines()[-2])["message"]

    assert world.run()[0] == 0
    assert [7 in [next(iter(found.values())) for found in world.rows(table)] for table in changed] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda dsn: dsn.replace("warehouse_loader:", "warehouse_loader:wrong"),
            "password authentication failed",
        ),
        (lambda dsn: f"{dsn}_missing", "does not exist"),
        (lambda dsn: dsn.rsplit(":", 1)[0] + ":1/x", "Connection refused"),
        (lambda dsn: dsn.replace("127.0.0.1", "db.invalid"), "resolve host"),
        (lambda dsn: dsn.replace("127.0.0.1", "db.invalid") + "?sslmode=disable", "sslmode=disable"),
        (lambda dsn: f"{dsn}?sslmod=x", "cannot be read"),
    ],
)
def test_a_dsn_that_does_not_work_is_a_clear_error_without_the_password(
    world: World, change: Callable[[str], str], words: str
) -> None:
    dsn = world.postgres.dsn(user="warehouse_loader", database=world.database)
    password = dsn.split(":")[2].split("@")[0]
    world.use_dsn(change(dsn))

    code, lines = world.run()

    assert code == 1
    assert words in lines[-1]["message"]
    assert password not in json.dumps(lines)
    assert "Traceback" not in json.dumps(lines)


def test_a_role_without_rights_is_a_clear_error(world: World) -> None:
    world.postgres.ensure_role("nobody_special")
    world.use_dsn(world.postgres.dsn(user="nobody_special", database=world.database))
    world.dimensions(1)

    code, lines = world.run()

    assert code == 1
    assert "permission denied" in lines[-1]["message"]
    assert "Grant" in lines[-1]["message"]


def test_a_schema_of_another_name_is_made_and_filled(world: World) -> None:
    world.dimensions(1)
    assert world.run("--warehouse_schema", 'Odd "name"')[0] == 0
    assert world.query('SELECT count(*) FROM "Odd ""name""".dim_staff') == [(3,)]
    assert world.query("SELECT to_regclass('public.dim_staff')") == [(None,)]


def test_a_role_that_owns_nothing_loads_what_the_owner_has_made(world: World) -> None:
    world.dimensions(1)
    world.run()
    world.postgres.ensure_role("only_writes")
    with world.connect() as connection:
        connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO only_writes")
    world.use_dsn(world.postgres.dsn(user="only_writes", database=world.database))
    many = [world.row("fact_sales_order", 1, key) for key in range(1, 5_002)]
    world.commit("facts", {"fact_sales_order": many}, 1)

    code, lines = world.run()

    assert code == 0, lines[-1]
    assert world.query("SELECT count(*) FROM fact_sales_order") == [(5_001,)]


def test_a_table_of_another_shape_is_refused_by_name(world: World) -> None:
    with world.connect() as connection:
        connection.execute("CREATE TABLE dim_currency (currency_id bigint PRIMARY KEY)")
    world.dimensions(1)
    code, lines = world.run()
    assert code == 1
    assert "public.dim_currency.currency_id is BIGINT, its contract says INTEGER" in lines[-1]["message"]


@pytest.mark.slow
def test_a_large_load_keeps_every_constraint_and_checks_it(world: World) -> None:
    world.dimensions(1)
    many = [world.row("fact_sales_order", 1, key) for key in range(1, 6_001)]
    world.commit("facts", {"fact_sales_order": many}, 1)
    world.run("--warehouse_schema", "twin")  # the same, for its names
    assert world.run()[0] == 0
    with world.connect() as connection:
        per_schema = {
            schema: connection.execute(
                "SELECT conname, contype, convalidated, conkey FROM pg_constraint "
                "WHERE connamespace = %s::regnamespace AND contype IN ('p','u','f') ORDER BY 1",
                (schema,),
            ).fetchall()
            for schema in ("public", "twin")
        }
    assert per_schema["public"] == per_schema["twin"]
    assert len([name for name, *_ in per_schema["public"] if name.startswith("fact_sales_order")]) == 11
    assert all(validated for _, _, validated, _ in per_schema["public"])


def test_a_large_load_with_a_broken_reference_loads_nothing(world: World) -> None:
    world.dimensions(1)
    many = [world.row("fact_sales_order", 1, key) for key in range(1, 6_001)]
    many[3_100]["currency_id"] = 404
    world.commit("facts", {"fact_sales_order": many}, 1)
    code, lines = world.run()
    assert code == 1
    assert "fact_sales_order_currency_id_fkey" in lines[-1]["message"]
    assert world.query("SELECT to_regclass('fact_sales_order')") == [(None,)]


def test_a_large_load_of_versions_that_are_there_changes_nothing(world: World) -> None:
    world.dimensions(1)
    many = [world.row("fact_sales_order", 1, key) for key in range(1, 5_001)]
    world.commit("facts", {"fact_sales_order": many}, 1)
    assert world.run()[0] == 0
    with world.connect() as connection:
        connection.execute("DELETE FROM load_offset")
        connection.execute("DELETE FROM fact_sales_order WHERE sales_order_id > 2000")
    before = world.query("SELECT conname FROM pg_constraint ORDER BY 1")

    assert world.run()[0] == 0

    assert world.query("SELECT count(*) FROM fact_sales_order") == [(5_000,)]
    assert world.query("SELECT conname FROM pg_constraint ORDER BY 1") == before


def test_the_lake_is_told_what_is_loaded_even_if_the_run_died_before(world: World) -> None:
    world.capture(1)
    world.dimensions(1)
    world.commit("facts", {"fact_payment": [world.row("fact_payment", 1, payment_amount=Decimal("0.01"))]}, 1)
    world.run()
    log = CommitLog(world.s3, world.ingestion, "load")
    told = log.latest()
    assert told is not None
    assert (told.sequence, told.last_batch, told.state["dimensions"], told.state["facts"]) == (1, 1, 1, 1)
    assert told.state["captured_at"] == "2026-01-01T08:05:00.123Z"
    assert told.tables["fact_payment"].counts == {"read": 1, "accepted": 1, "new": 1}
    found = world.s3.list_objects_v2(Bucket=world.ingestion, Prefix="ops/batch_records/stage=load/")
    assert found["KeyCount"] == 1

    for key in (log.key(1), found["Contents"][0]["Key"]):
        world.s3.delete_object(Bucket=world.ingestion, Key=key)
    code, lines = world.run()

    assert code == 0
    assert "load.nothing_waits" in [line["event"] for line in lines]
    assert log.latest() == told
    assert (
        world.s3.list_objects_v2(Bucket=world.ingestion, Prefix="ops/batch_records/stage=load/")["KeyCount"]
        == 1
    )


def test_a_view_of_an_older_contract_is_remade_and_others_are_left_alone(world: World) -> None:
    world.dimensions(1)
    world.run()
    named = "SELECT xmin::text FROM pg_class WHERE relname = 'fact_payment_history'"
    untouched = world.query(named)
    with world.connect() as connection:
        connection.execute("COMMENT ON VIEW fact_payment_current IS 'an older one'")
    assert world.run()[0] == 0
    comment = world.query("SELECT obj_description('fact_payment_current'::regclass)")[0][0]
    assert comment.startswith("The latest version")
    assert world.query(named) == untouched


def test_a_view_that_no_contract_states_any_more_goes_and_one_of_people_stays(world: World) -> None:
    world.dimensions(1)
    world.run()
    with world.connect() as connection:
        connection.execute(
            b"CREATE VIEW fact_payment_dem AS SELECT 1 AS one;"
            b"ALTER VIEW fact_payment_dem OWNER TO warehouse_loader;"
            b"COMMENT ON VIEW fact_payment_dem IS 'Amounts. [0123456789ab]';"
            b"CREATE VIEW of_people AS SELECT 1 AS one"
        )
    assert world.run()[0] == 0
    names = "SELECT relname FROM pg_class WHERE relname IN ('fact_payment_dem', 'of_people')"
    assert world.query(names) == [("of_people",)]


OLDER = {
    "fewer columns": "SELECT payment_record_id, payment_id FROM fact_payment",
    "a column in their midst that is gone": (
        "SELECT payment_record_id, 1 AS gone, f.payment_id, f.payment_amount FROM fact_payment f"
    ),
    "another type": "SELECT payment_record_id::text, payment_id FROM fact_payment",
}
"""Views as other contracts would have made them; not all may simply be replaced by the one that is wanted."""


@pytest.mark.parametrize(
    "body", by_day(["a column in their midst that is gone"], {name: (body,) for name, body in OLDER.items()})
)
def test_a_view_whose_columns_change_is_remade_with_the_rights_of_others(world: World, body: str) -> None:
    world.dimensions(1)
    world.run()
    shown = "SELECT * FROM fact_payment_current LIMIT 0"
    with world.connect() as connection:
        wanted = [column.name for column in connection.execute(shown).description or ()]
        for role in ("analyst", 'Head of "Sales"'):
            world.postgres.ensure_role(role)
        connection.execute(
            "DROP VIEW fact_payment_current;"
            f"CREATE VIEW fact_payment_current AS {body};"
            "ALTER VIEW fact_payment_current OWNER TO warehouse_loader;"
            'GRANT SELECT ON fact_payment_current TO analyst, "Head of ""Sales""" WITH GRANT OPTION;'
            "GRANT INSERT ON fact_payment_current TO PUBLIC;"
            "GRANT UPDATE (payment_id) ON fact_payment_current TO analyst".encode()
        )
    assert world.run()[0] == 0
    with world.connect() as connection:
        assert [column.name for column in connection.execute(shown).description or ()] == wanted
        ((acl, of_column),) = connection.execute(
            "SELECT relacl::text, (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid"
            " AND attname = 'payment_id') FROM pg_class c WHERE relname = 'fact_payment_current'"
        ).fetchall()
    for right in ("analyst=r*/", "Sales", "=r*/", "=a/"):
        assert right in acl, acl
    assert "analyst=w/" in of_column


def nullable_of(world: World, table: str) -> str:
    """A column of a dimension that may be empty."""
    return next(column.name for column in world.catalogue.star[table].columns if column.nullable)


def test_a_load_adds_the_columns_that_it_may_add_and_no_other(world: World) -> None:
    column = nullable_of(world, "dim_transaction")
    world.dimensions(1)
    assert world.run()[0] == 0
    with world.connect() as connection:
        connection.execute(f"ALTER TABLE dim_transaction DROP COLUMN {column} CASCADE".encode())
        connection.execute(b"ALTER TABLE dim_transaction ADD gone text NOT NULL DEFAULT 'x'")
        connection.execute(b"ALTER TABLE dim_transaction ALTER gone DROP DEFAULT")
    world.dimensions(2, keys=(4, 5))
    before = world.rows("dim_transaction")
    code, lines = world.run()
    assert code == 1
    assert f"public.dim_transaction has no column {column}, its contract has" in lines[-1]["message"]
    assert f"--alter_warehouse dim_transaction.{column}" in lines[-1]["message"]
    code, lines = world.run("--alter_warehouse", f"dim_transaction.{column}")
    assert code == 1
    assert "has a column gone that may not be empty, and no contract states it" in lines[-1]["message"]
    assert world.rows("dim_transaction") == before

    found = read_alterations(world.postgres.dsn("warehouse_loader", world.database), world.catalogue)
    assert [one.target for one in found] == [f"dim_transaction.{column}", "dim_transaction.gone"]
    code, lines = world.run("--alter_warehouse", ",".join(one.target for one in found))
    assert code == 0
    assert {row["transaction_id"]: row[column] is None for row in world.rows("dim_transaction")} == {
        **dict.fromkeys((1, 2, 3), True),
        **dict.fromkeys((4, 5), False),
    }
    assert read_alterations(world.postgres.dsn("warehouse_loader", world.database), world.catalogue) == []
    described = (
        f"col_description('dim_transaction'::regclass, attnum) FROM pg_attribute WHERE attname = '{column}'"
    )
    assert world.query(f"SELECT {described} AND attrelid = 'dim_transaction'::regclass") == [
        (world.catalogue.star["dim_transaction"].column(column).description,)
    ]


@pytest.mark.slow
def test_a_load_that_is_killed_after_it_added_a_column_leaves_the_warehouse_as_it_was(world: World) -> None:
    column = nullable_of(world, "dim_transaction")
    world.dimensions(1)
    world.run()
    with world.connect() as connection:
        connection.execute(f"ALTER TABLE dim_transaction DROP COLUMN {column} CASCADE".encode())
    world.dimensions(2, keys=(4,))
    before = world.rows("dim_transaction")
    with world.connect() as holder:
        holder.execute("LOCK TABLE load_audit IN SHARE MODE")
        process = world.start("--alter_warehouse", f"dim_transaction.{column}")
        assert process.stdout is not None
        assert any('"load.copied"' in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert world.rows("dim_transaction") == before
    assert world.run("--alter_warehouse", f"dim_transaction.{column}")[0] == 0
    assert [row[column] is None for row in world.rows("dim_transaction")] == [True, True, True, False]


def test_a_column_that_is_never_empty_and_another_type_are_refused_though_they_are_named(
    world: World,
) -> None:
    world.dimensions(1)
    world.run()
    required = next(
        c.name
        for c in world.catalogue.star["dim_transaction"].columns
        if not c.nullable and c.name != "transaction_id"
    )
    with world.connect() as connection:
        connection.execute(f"ALTER TABLE dim_transaction DROP COLUMN {required} CASCADE".encode())
    code, lines = world.run("--alter_warehouse", f"dim_transaction.{required}")
    assert code == 1
    assert "State it as nullable: true. Or have the table made again: DROP TABLE" in lines[-1]["message"]
    code, lines = world.run("--alter_warehouse", "dim_transaction")
    assert (code, "Write it as TABLE.COLUMN" in lines[-1]["message"]) == (1, True)


def test_a_view_is_made_as_it_is_written_whatever_signs_are_in_it(world: World) -> None:
    tables = metadata(world.catalogue)
    odd = [
        View("odd", f"SELECT {body} AS found", "Half of it, 50 % (%s), or 'all' of it: 100%.")
        for body in ("'100%' LIKE '%\\%'", "'100%' LIKE '%d%%'", "5 % 3")
    ]
    engine = sa.create_engine("postgresql+psycopg://", creator=world.connect)
    for view, found in zip(odd, (True, False, 2), strict=True):
        with engine.begin() as connection:
            assert view.name in schema.install(connection, tables, [view])
            assert schema.install(connection, tables, [view]) == []
        said = "obj_description('odd'::regclass)"
        assert world.query(f"SELECT found, {said} FROM odd") == [(found, view.comment)]
    engine.dispose()


def test_a_view_whose_columns_change_and_on_which_others_depend_is_refused_in_words(world: World) -> None:
    world.dimensions(1)
    world.run()
    with world.connect() as connection:
        connection.execute(
            b"DROP VIEW fact_payment_current;"
            b"CREATE VIEW fact_payment_current AS SELECT payment_id AS number FROM fact_payment;"
            b"ALTER VIEW fact_payment_current OWNER TO warehouse_loader;"
            b"CREATE VIEW monthly AS SELECT count(*) FROM fact_payment_current"
        )
    world.commit("facts", one_of_each_fact(world, 1), 1)
    code, lines = world.run()
    assert code == 1
    assert "The view public.fact_payment_current gets other columns" in lines[-1]["message"]
    assert "view public.monthly depends on view public.fact_payment_current" in lines[-1]["message"]
    assert world.query("SELECT count(*) FROM fact_payment") == [(0,)]
    with world.connect() as connection:
        connection.execute("DROP VIEW monthly")
    assert world.run()[0] == 0
    assert world.query("SELECT count(*) FROM fact_payment_current") == [(1,)]


def test_logs_hold_no_row_content(world: World) -> None:
    secret = "Zyxwvut-Secret"
    world.dimensions(1)
    world.commit("dimensions", {"dim_staff": [world.row("dim_staff", 2, 1, first_name=secret)]}, 2)
    _, lines = world.run()
    assert secret not in json.dumps(lines)
    assert world.rows("dim_staff")[0]["first_name"] == secret


@pytest.mark.parametrize("encoding", ["SQL_ASCII", at_night("LATIN1"), at_night("EUC_JP")])
def test_a_warehouse_of_another_encoding_is_refused_in_words(world: World, encoding: str) -> None:
    world.dimensions()
    name = f"{world.database}_{encoding.lower()}"
    with world.postgres.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} OWNER warehouse_loader TEMPLATE template0"
            f" ENCODING '{encoding}' LOCALE 'C'".encode()
        )
    world.use_dsn(world.postgres.dsn("warehouse_loader", name))

    code, lines = world.run()

    assert code == 1
    assert f"The warehouse {name} has the encoding {encoding}" in lines[-1]["message"]


@pytest.mark.parametrize("encoding", ["LATIN1", at_night("WIN1252"), at_night("SQL_ASCII")])
def test_texts_are_the_lakes_bytes_whatever_encoding_the_role_or_the_dsn_asks_for(
    world: World, encoding: str
) -> None:
    text = "Müller & Söhne ÿ"
    world.dimensions()
    world.commit(
        "dimensions", {"dim_staff": [world.row("dim_staff", 2, 1, location=text, first_name="€ 漢字")]}, 2
    )
    with world.postgres.connect() as connection:
        role = f"ALTER ROLE warehouse_loader IN DATABASE {world.database}"
        connection.execute(f"{role} SET client_encoding = {encoding}".encode())
    dsn = world.postgres.dsn("warehouse_loader", world.database)
    world.use_dsn(f"{dsn}?client_encoding={encoding}")

    assert world.run()[0] == 0

    assert world.query(
        "SELECT location, length(location), octet_length(location), first_name FROM dim_staff"
        " WHERE staff_id = 1"
    ) == [(text, 16, len(text.encode()), "€ 漢字")]
