"""What changes a table's structure beside a capture costs no row, stops no other table, and is not
stopped."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from glue_jobs.runtime import log
from glue_jobs.sources import capture_query, postgres_source
from glue_jobs.sources.capture_run import TablesPaused
from tests.integration.glue_jobs.extract.conftest import World
from tests.night import at_night, by_day

WAITING = (
    "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    " WHERE c.relname = %s AND NOT granted"
)


def wait_for_a_waiting_lock(world: World, table: str) -> None:
    with world.connect() as connection:
        while connection.execute(WAITING.encode(), [table]).fetchone() == (0,):
            pass


@contextmanager
def beside(do: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do something in a thread of its own; what it raises is raised at the end."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            do()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    if raised:
        raise raised[0]


REWRITES = {
    "made again": (
        "department",
        (
            "CREATE TABLE made (LIKE department INCLUDING ALL);"
            "INSERT INTO made SELECT * FROM department; GRANT SELECT ON made TO shop_reader;"
            "DROP TABLE department CASCADE; ALTER TABLE made RENAME TO department"
        ),
    ),
    "a generated column": (
        "payment_type",
        "ALTER TABLE payment_type ADD label text GENERATED ALWAYS AS (payment_type_id::text) STORED",
    ),
    "another type": ("sales_order", "ALTER TABLE sales_order ALTER unit_price TYPE numeric(9,2)"),
    "truncated and filled": (
        "department",
        (
            "CREATE TEMP TABLE aside AS SELECT * FROM department; TRUNCATE department;"
            "INSERT INTO department SELECT * FROM aside"
        ),
    ),
}


@pytest.mark.parametrize(("table", "change"), by_day(["truncated and filled"], REWRITES))
def test_a_table_that_is_rewritten_while_a_capture_waits_for_it_loses_no_row(
    world: World, table: str, change: str
) -> None:
    if table == "department":
        world.sql("ALTER TABLE staff DROP CONSTRAINT staff_department_id_fkey")
    world.run()
    with world.connect(autocommit=False) as rewriting:
        rewriting.execute(change.encode())
        with beside(world.run):
            wait_for_a_waiting_lock(world, table)
            rewriting.commit()
    found = [operation for batch in (2,) for operation, _ in world.operations(batch).get(table, [])]
    assert "delete" not in found
    assert world.latest().state["tables"][table]["pause"] is None
    world.assert_lake_equals_source()


def test_a_table_whose_lock_does_not_come_is_paused_alone_with_the_session_that_holds_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_source, "LOCK_SECONDS", 0.2)
    world.run()
    world.sql("UPDATE staff SET last_name = 'Changed' WHERE staff_id = 1")
    world.sql("UPDATE design SET file_name = 'x.json' WHERE design_id = 1")
    with world.connect(autocommit=False) as holder:
        holder.execute("SET application_name = 'a migration'")
        holder.execute("LOCK TABLE design IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TablesPaused) as refused:
            world.run()
        holder.rollback()
        named = f"design is locked by the session {holder.info.backend_pid}"
    assert named in str(refused.value)
    assert "of postgres" in str(refused.value)
    assert "a migration" in str(refused.value)
    assert world.operations(2) == {"staff": [("update", 1)]}
    world.run()
    assert world.operations(3) == {"design": [("update", 1)]}
    world.assert_lake_equals_source()


def test_a_capture_that_waits_for_a_lock_is_in_no_change_s_way(world: World) -> None:
    world.run()
    world.sql("UPDATE staff SET last_name = 'Changed' WHERE staff_id = 1")
    with world.connect(autocommit=False) as changing:
        changing.execute("SET lock_timeout = '2s'")
        changing.execute("ALTER TABLE staff ADD note text")
        with beside(world.run):
            wait_for_a_waiting_lock(world, "staff")
            changing.execute("ALTER TABLE department ADD note text")
            changing.commit()
    assert world.operations(2) == {"staff": [("update", 1)]}


def test_who_waits_for_a_lock_in_front_of_the_capture_is_named_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_source, "LOCK_SECONDS", 0.2)
    with world.connect(autocommit=False) as reading, world.connect() as waiting:
        reading.execute("SELECT count(*) FROM design")
        with beside(lambda: waiting.execute("ALTER TABLE design ADD note text")):
            wait_for_a_waiting_lock(world, "design")
            with pytest.raises(TablesPaused) as refused:
                world.run()
            reading.rollback()
            waits, idles = (f"the session {one.info.backend_pid} of postgres" for one in (waiting, reading))
            assert re.search(f"design is locked by {waits}.*; {idles}", str(refused.value))
    world.run()
    world.assert_lake_equals_source()


def test_who_holds_a_part_of_a_table_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_source, "LOCK_SECONDS", 0.2)
    world.sql(f"{PARTED};{ATTACH}")
    world.run()
    world.sql("UPDATE design SET file_name = 'x' WHERE design_id = 1003")
    with world.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE high IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TablesPaused, match=f"design is locked by the session {holder.info.backend_pid}"):
            world.run()
        holder.rollback()
    world.run()
    assert world.operations(world.commits.latest_sequence()) == {"design": [("update", 1003)]}


def test_who_holds_a_lock_is_called_by_what_is_known_of_it() -> None:
    named = postgres_source._session_named(None, "owner", "move 7", None)
    assert named == "a prepared transaction of owner (move 7)"
    assert postgres_source._session_named(7, "owner", None, "2024-11-15 10:00:00") == (
        "the session 7 of owner whose query began at 2024-11-15 10:00:00 UTC"
    )


def test_all_locks_together_take_no_longer_than_their_budget(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    original = capture_query.lock

    def noted(schema: str, table: str, milliseconds: int) -> str:
        waited.append(milliseconds)
        return original(schema, table, milliseconds)

    monkeypatch.setattr(capture_query, "lock", noted)
    monkeypatch.setattr(postgres_source, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(postgres_source, "LOCK_SECONDS_IN_ALL", 0.3)
    with world.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE address, counterparty, currency, department IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TablesPaused, match="Held: address, counterparty, currency, department"):
            world.run()
        holder.rollback()
    assert 0 < sum(waited) <= 300
    world.run()
    world.assert_lake_equals_source()


def test_a_change_of_structure_that_waits_for_the_capture_stops_no_reader_and_goes_through_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = log.step
    changing: list[threading.Thread] = []
    tables = sorted(world.catalogue.raw)

    def change_all(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "capture.counted":
            for table in tables:
                statement = f"ALTER TABLE {table} ADD note text"
                changing.append(threading.Thread(target=world.sql, args=[statement]))
                changing[-1].start()
                wait_for_a_waiting_lock(world, table)

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", change_all)
        lines = world.run()
    for thread in changing:
        thread.join()
    assert {line["table"] for line in lines if line["event"] == "capture.lock_left"}
    assert not [line for line in lines if line["event"] == "capture.table_paused"]
    world.assert_lake_equals_source()
    (warning, *_) = [line for line in world.run() if line["event"] == "capture.extra_columns"]
    assert warning["columns"] == ["note"]
    assert world.commits.latest_sequence() == 1


PARTED = (
    "ALTER TABLE design RENAME TO old_design;"
    "CREATE TABLE design (LIKE old_design INCLUDING DEFAULTS, PRIMARY KEY (design_id))"
    " PARTITION BY RANGE (design_id);"
    "CREATE TABLE low PARTITION OF design FOR VALUES FROM (0) TO (1000);"
    "CREATE TABLE high (LIKE design INCLUDING ALL);"
    "INSERT INTO design SELECT * FROM old_design;"
    "INSERT INTO high SELECT 1000 + design_id, created_at, design_name, file_location, file_name,"
    " last_updated FROM old_design;"
    "GRANT SELECT ON design TO shop_reader"
)
ATTACH = "ALTER TABLE design ATTACH PARTITION high FOR VALUES FROM (1000) TO (2000)"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [at_night("after the locks"), "after the snapshot"])
def test_a_partition_that_comes_in_the_midst_of_a_capture_is_wholly_in_one(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    world.sql(PARTED)
    world.run()
    attached: list[str] = []

    def attach() -> None:
        if not attached:
            attached.append(ATTACH)
            world.sql(ATTACH)

    lock, step = postgres_source.Source._lock, log.step

    def locked(source: postgres_source.Source, *arguments: Any) -> Any:
        found = lock(source, *arguments)
        attach()
        return found

    def stepped(name: str, **fields: Any) -> None:
        step(name, **fields)
        if name == "capture.snapshot":
            attach()

    with monkeypatch.context() as patch:
        if moment == "after the locks":
            patch.setattr(postgres_source.Source, "_lock", locked)
        else:
            patch.setattr(log, "step", stepped)
        world.run()
    new = [("insert", 1000 + number) for number in range(1, 7)]
    if moment == "after the snapshot":
        assert world.commits.latest_sequence() == 1
        world.run()
    assert world.operations(2) == {"design": new}
    world.assert_lake_equals_source()
    world.run()
    assert world.commits.latest_sequence() == 2


def test_a_table_that_takes_its_name_between_locks_and_snapshot_is_captured(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    world.sql("UPDATE currency SET currency_code = 'CHF' WHERE currency_id = 3")
    world.sql("ALTER TABLE currency RENAME TO aside")
    lock = postgres_source.Source._lock
    named: list[str] = []

    def locked(source: postgres_source.Source, *arguments: Any) -> Any:
        found = lock(source, *arguments)
        if not named:
            named.append("currency")
            world.sql("ALTER TABLE aside RENAME TO currency")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(postgres_source.Source, "_lock", locked)
        world.run()
    assert world.operations(2) == {"currency": [("update", 3)]}


def test_a_partition_that_goes_in_the_midst_of_a_capture_is_wholly_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sql(f"{PARTED};{ATTACH}")
    world.run()
    world.sql("UPDATE design SET file_name = 'x' WHERE design_id = 1003")
    step = log.step
    detaching: list[threading.Thread] = []

    def detach() -> None:
        world.sql("ALTER TABLE design DETACH PARTITION high CONCURRENTLY")

    def stepped(name: str, **fields: Any) -> None:
        step(name, **fields)
        if name == "capture.snapshot" and not detaching:
            detaching.append(threading.Thread(target=detach))
            detaching[0].start()
            pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
            with world.connect() as connection:
                while connection.execute(pending.encode()).fetchone() == (0,):
                    pass

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", stepped)
        world.run()
    detaching[0].join()
    assert world.operations(2) == {"design": [("update", 1003)]}
    world.run()
    assert world.operations(3) == {"design": [("delete", 1000 + number) for number in range(1, 7)]}
    world.assert_lake_equals_source()
