"""The embedded server starts anywhere, keeps to itself, and comes back after any end."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres, PostgresError
from tests import needs


def one(dsn: str, query: LiteralString) -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_it_asks_for_a_password_and_speaks_to_this_machine_alone(server: EmbeddedPostgres) -> None:
    assert one(server.dsn(), "SELECT current_setting('server_version_num')::int / 10000") == 18
    assert one(server.dsn(), "SELECT current_setting('unix_socket_directories')") == ""
    assert one(server.dsn(), "SELECT current_setting('listen_addresses')") == "127.0.0.1"
    assert one(server.dsn(), "SELECT current_setting('TimeZone')") == "UTC"
    without = f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(without)


def test_its_passwords_are_private(server: EmbeddedPostgres) -> None:
    assert (server.directory / "passwords.json").stat().st_mode & 0o077 == 0


def test_roles_and_databases_are_made_once(server: EmbeddedPostgres) -> None:
    for _ in range(2):
        server.ensure_role("a reader")
        server.ensure_database("a database", owner="a reader")
    dsn = server.dsn("a reader", "a database")
    assert one(dsn, "SELECT current_user || ' in ' || current_database()") == "a reader in a database"
    with pytest.raises(PostgresError, match="no password is kept for the role 'nobody knows'"):
        server.dsn("nobody knows")


def test_a_long_path_with_spaces_does_not_matter(home: Path) -> None:
    deep = home / ("a b" * 40)
    with EmbeddedPostgres(deep, durable=False) as running:
        assert one(running.dsn(), "SELECT 1") == 1


def test_stopping_stops_and_starting_again_keeps_data_and_port(home: Path) -> None:
    first = EmbeddedPostgres(home, durable=False).start()
    port = first.port
    with first.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS v")
    first.stop()
    assert first.process() is None
    with pytest.raises(PostgresError, match="is not running"):
        _ = first.port
    first.stop()
    with EmbeddedPostgres(home, durable=False, port=port) as second:
        assert second.port == port
        assert one(second.dsn(), "SELECT v FROM t") == 7


def test_a_killed_server_starts_again(home: Path) -> None:
    first = EmbeddedPostgres(home).start()
    with first.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS v")
    process = first.process()
    assert process is not None
    process.kill()
    process.wait()
    first.stop()
    assert (home / "data" / "postmaster.pid").exists()
    with EmbeddedPostgres(home) as second:
        assert one(second.dsn(), "SELECT v FROM t") == 7


def test_a_pid_file_that_names_another_process_misleads_nobody(home: Path) -> None:
    first = EmbeddedPostgres(home, durable=False).start()
    lines = (home / "data" / "postmaster.pid").read_text()
    first.stop()
    (home / "data" / "postmaster.pid").write_text(lines.replace(lines.split("\n")[0], str(os.getpid()), 1))
    assert EmbeddedPostgres(home).process() is None


def test_a_running_server_is_adopted_by_whoever_starts_it(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False) as first:
        second = EmbeddedPostgres(home, durable=False).start()
        assert second.port == first.port
        second.stop()
        assert first.process() is None


def test_a_taken_port_is_not_insisted_on(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with EmbeddedPostgres(home, durable=False, port=port) as running:
            assert running.port != port


def test_a_setting_that_the_server_refuses_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.embedded_postgres._START_SECONDS", 0.5)
    with pytest.raises(PostgresError, match=r"no_such_setting"):
        EmbeddedPostgres(home, settings={"no_such_setting": "1"}).start()


@needs.ROOT
def test_it_runs_for_an_ordinary_user_too(home: Path) -> None:
    home.chmod(0o777)
    # A fork has what it needs imported: the interpreter's own files may be root's alone.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with EmbeddedPostgres(home / "pg", durable=False) as running:
                code = 0 if one(running.dsn(), "SELECT 1") == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@needs.ROOT
def test_roots_server_is_not_roots(server: EmbeddedPostgres) -> None:
    process = server.process()
    assert process is not None
    assert process.uids().real != 0


@needs.ROOT
def test_a_directory_of_roots_alone_stays_shut_to_everybody_else(home: Path) -> None:
    shut = home / "shut"
    shut.mkdir(mode=0o700)
    for _again in range(2):
        with EmbeddedPostgres(shut / "pg", durable=False) as running:
            assert one(running.dsn(), "SELECT 1") == 1
            assert one(running.dsn(), "SELECT count(*) FROM pg_class") > 100
    assert shut.stat().st_mode & 0o777 == 0o700
