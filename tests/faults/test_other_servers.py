"""The source is a standby, or a server whose transaction ids have gone round."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from glue_jobs.runtime import log
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults import invariants
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, start_from
from tests.faults.servers import age, freeze, standby_of
from tests.faults.test_capture_scenarios import captured
from tests.small_shop import small_server

TURN = 2**32
PAID = "UPDATE payment SET paid = true WHERE payment_id = {}"


pytestmark = pytest.mark.slow


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that nothing else uses: it is followed, stopped and aged, which nothing takes back."""
    with small_server(READER) as server:
        server.ensure_role(LOADER)
        server.ensure_database("empty_warehouse", owner=LOADER)
        yield server


@pytest.fixture
def pipeline(
    own_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pipeline]:
    """A pipeline on that server that has not run yet."""
    empty = Base(own_server, "small", "empty_warehouse", {}, {})
    with start_from(empty, tmp_path, monkeypatch) as pipeline:
        yield pipeline


def follow(pipeline: Pipeline, standby: EmbeddedPostgres) -> None:
    """Wait until a standby shows all that its primary has written."""
    with pipeline.connect() as connection:
        (here,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or ()
    reached = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    while True:
        with psycopg.connect(standby.dsn()) as connection:
            (done,) = connection.execute(reached, [here]).fetchone() or ()
        if done:
            return


def holds_a_snapshot(server: EmbeddedPostgres) -> bool:
    """Whether a capture still holds its snapshot on a server."""
    held = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = %s AND backend_xmin IS NOT NULL"
    with psycopg.connect(server.dsn()) as connection:
        (found,) = connection.execute(held, [READER]).fetchone() or ()
    return bool(found)


def answers(server: EmbeddedPostgres) -> bool:
    """Whether a server lets sessions in."""
    try:
        with server.connect():
            return True
    except psycopg.OperationalError:
        return False


def test_a_standby_that_cancels_the_capture_is_asked_again_from_the_same_base(
    pipeline: Pipeline, own_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = log.step
    struck: list[str] = []

    def recovery_in_the_way(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "capture.snapshot" and not struck:
            struck.append(name)
            pipeline.sql("DELETE FROM payment WHERE payment_id = 4")
            # Whatever else has a snapshot there, autoanalyze for one, keeps VACUUM from removing the row.
            while holds_a_snapshot(standby):
                pipeline.sql("VACUUM payment")
                follow(pipeline, standby)

    with tempfile.TemporaryDirectory() as folder, standby_of(own_server, Path(folder) / "pg") as standby:
        pipeline.use_source(standby.dsn(READER, pipeline.source))
        pipeline.capture()
        pipeline.sql(PAID.format(5))
        follow(pipeline, standby)
        with monkeypatch.context() as patch:
            patch.setattr(log, "step", recovery_in_the_way)
            lines = pipeline.capture()
        assert [line["batch"] for line in lines if line["event"] == "capture.again"] == [2]
        with pipeline.connect(autocommit=False) as late:
            late.execute(PAID.format(6).encode())
            pipeline.sql(PAID.format(7))
            follow(pipeline, standby)
            pipeline.capture()
            late.commit()
        follow(pipeline, standby)
        pipeline.run()
        assert captured(pipeline, 2) == {"payment": [("delete", 4), ("update", 5)]}
        assert captured(pipeline, 3) == {"payment": [("update", 7)]}
        assert captured(pipeline, 4) == {"payment": [("update", 6)]}
        invariants.check(pipeline)


def test_a_server_whose_transaction_ids_go_round_between_captures_loses_nothing(
    pipeline: Pipeline, own_server: EmbeddedPostgres
) -> None:
    pipeline.run()
    freeze(own_server)
    age(own_server, TURN - 3)
    # A server that was started again may have been restored from an older copy: it is captured in full, once.
    pipeline.run()
    assert pipeline.ask("SELECT count(*) FROM fact_payment WHERE batch_sequence > 1") == [(0,)]
    for number in range(1, 7):
        pipeline.sql(PAID.format(number))
    lines = pipeline.capture()
    (snapshot,) = (line for line in lines if line.get("step") == "capture.snapshot")
    assert TURN < snapshot["xmax"] < TURN + 100
    assert not [line for line in lines if line["event"] == "capture.in_full"]
    pipeline.transform()
    assert captured(pipeline, 3) == {"payment": [("update", number) for number in range(1, 7)]}
    pipeline.sql(PAID.format(7))
    pipeline.run()
    assert captured(pipeline, 4) == {"payment": [("update", 7)]}
    invariants.check(pipeline)

    age(own_server, 3 * TURN + 1_000)
    pipeline.sql(PAID.format(8))
    lines = pipeline.capture()
    pipeline.transform()
    in_full = {line["table"] for line in lines if line["event"] == "capture.in_full"}
    assert in_full == set(pipeline.lake.catalogue.raw)
    versions = pipeline.ask("SELECT payment_id FROM fact_payment WHERE batch_sequence = 5")
    assert versions == [(8,)]
    invariants.check(pipeline)


def test_a_server_that_is_restored_from_a_copy_of_its_disk_is_noticed_whatever_its_counter_says(
    pipeline: Pipeline, own_server: EmbeddedPostgres
) -> None:
    pipeline.run()
    copy = own_server.data.with_name("copy")
    own_server.stop()
    subprocess.run(["cp", "-a", str(own_server.data), str(copy)], check=True)
    own_server.start()
    pipeline.sql("UPDATE payment SET payment_amount = 5555 WHERE payment_id IN (1, 2)")
    pipeline.sql("DELETE FROM payment WHERE payment_id = 3")
    pipeline.run()
    own_server.stop()
    shutil.rmtree(own_server.data)
    copy.rename(own_server.data)
    own_server.start()
    # The same transaction id writes the same row, otherwise than before.
    pipeline.sql("UPDATE payment SET payment_amount = 7777 WHERE payment_id IN (1, 4)")
    for _ in range(200):
        pipeline.sql("SELECT pg_current_xact_id()")
    pipeline.run()
    amounts = pipeline.ask(
        "SELECT payment_id, payment_amount FROM fact_payment_current WHERE payment_id <= 4 ORDER BY 1"
    )
    assert [float(amount) for _, amount in amounts] == [7777, 20.5, 30.75, 7777]
    invariants.check(pipeline)
    before = pipeline.commits("capture").latest_sequence()
    pipeline.run()
    assert pipeline.commits("capture").latest_sequence() == before


def test_a_server_that_crashed_and_lost_what_was_captured_is_captured_in_full(
    pipeline: Pipeline, own_server: EmbeddedPostgres
) -> None:
    # What is committed is not written down before it must be, and so is lost.
    with own_server.connect() as superuser:
        superuser.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        superuser.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
        superuser.execute("SELECT pg_reload_conf()")
    pipeline.run()
    with own_server.connect() as superuser:
        superuser.execute("CHECKPOINT")
        (start,) = superuser.execute("SELECT pg_postmaster_start_time()").fetchone() or ()
    pipeline.sql("UPDATE payment SET payment_amount = 5555 WHERE payment_id IN (1, 2)")
    pipeline.run()
    with pipeline.connect() as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
    while not answers(own_server):
        pass
    # The same transaction ids write other rows.
    pipeline.sql("UPDATE payment SET payment_amount = 7777 WHERE payment_id = 4")
    for _ in range(50):
        pipeline.sql("SELECT pg_current_xact_id()")
    lines = pipeline.capture()
    pipeline.transform()
    assert {line["table"] for line in lines if line["event"] == "capture.in_full"} >= {"payment"}
    with own_server.connect() as superuser:
        assert superuser.execute("SELECT pg_postmaster_start_time()").fetchone() == (start,)
    with pipeline.connect() as source:
        right = source.execute("SELECT payment_id, payment_amount FROM payment ORDER BY 1").fetchall()
    assert pipeline.ask("SELECT payment_id, payment_amount FROM fact_payment_current ORDER BY 1") == right
    invariants.check(pipeline)
    before = pipeline.commits("capture").latest_sequence()
    pipeline.run()
    assert pipeline.commits("capture").latest_sequence() == before
