"""TLS is verified wherever the server is not this machine, and errors hold neither password nor row."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from glue_jobs.runtime.connections import (
    AUTHORITIES,
    DatabaseError,
    connect,
    explain,
    location_of,
    secured_dsn,
)


@pytest.fixture(autouse=True)
def no_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@127.0.0.1:5432/x",
        "postgresql://u:p@localhost/x",
        "postgresql://u:p@[::1]/x",
        "postgresql:///x?host=/run/postgresql",
        "postgresql:///x",
        "host=db.example.com hostaddr=127.0.0.2 dbname=x",
    ],
)
def test_this_machine_is_spoken_to_as_the_dsn_says(dsn: str) -> None:
    assert "sslmode" not in conninfo_to_dict(secured_dsn(dsn))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@db.example.com/x",
        "postgresql://u:p@10.0.0.7/x",
        "postgresql://u:p@127.0.0.1,db.example.com/x",
        "postgresql:///x?host=localhost&hostaddr=10.0.0.7",
        "service=elsewhere",
    ],
)
def test_any_other_host_must_prove_who_it_is(dsn: str) -> None:
    secured = conninfo_to_dict(secured_dsn(dsn))
    assert (secured["sslmode"], secured["sslrootcert"]) == ("verify-full", str(AUTHORITIES))


def test_a_host_from_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert conninfo_to_dict(secured_dsn("postgresql:///x"))["sslmode"] == "verify-full"


def test_an_authority_that_the_dsn_names_is_kept() -> None:
    secured = conninfo_to_dict(secured_dsn("postgresql://u@db.example.com/x?sslrootcert=/etc/rds.pem"))
    assert secured["sslrootcert"] == "/etc/rds.pem"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_less_than_verified_tls_is_refused_by_name(mode: str) -> None:
    with pytest.raises(DatabaseError, match=f"warehouse asks for sslmode={mode}") as refused:
        secured_dsn(f"postgresql://u:hunter2@db.example.com/x?sslmode={mode}", "warehouse")
    assert "hunter2" not in str(refused.value)


def test_a_dsn_that_cannot_be_read_is_not_shown() -> None:
    with pytest.raises(DatabaseError, match="cannot be read") as refused:
        secured_dsn("postgresql://u:hunter2@host:5432/x?nonsense=1", "warehouse")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hunter@2zaphod@db.example.com/x",
        "postgresql://u:hunter2/zaphod@db.example.com/x",
        "postgresql://u:hunter2?zaphod@db.example.com/x",
        "postgresql://u:hunter2?port=zaphod@db.example.com/x",
        "postgres://u:5432/zaphod@db.example.com/x",
        "postgresql://u:hunter2@zaphod/x@db.example.com/x?sslmode=verify-full",
        "postgresql://u:hunter%2zaphod@db.example.com/x",
        "postgresql://u:hunter2@db.example.com:zaphod/x",
        "postgresql+psycopg://u:hunter2@zaphod/x?sslmode=verify-full",
        "host=db.example.com password=hunter2 zaphod dbname=x",
        "host=db.example.com password=hunter2 zaphod=1 dbname=x",
        "host=db.example.com password='hunter2'zaphod",
        "postgresql://u:hunter2\udc80zaphod@db.example.com/x",
        '{"password": "hunter2 zaphod"}',
    ],
)
def test_no_message_holds_a_part_of_a_password_however_the_dsn_is_mistyped(dsn: str) -> None:
    for parse in (secured_dsn, location_of, lambda one: connect(one, "warehouse", "test")):
        with pytest.raises(DatabaseError, match=r"cannot be read|two ways") as refused:
            parse(dsn)
        said = str(refused.value)
        assert "hunter" not in said
        assert "zaphod" not in said
        assert refused.value.__cause__ is None
        assert "%40" in said


@pytest.mark.parametrize(
    ("dsn", "password"),
    [
        ("postgresql://u:hunter%402@db.example.com/x", "hunter@2"),
        ("postgresql://u:hunter:2#'@db.example.com/x?application_name=a%40b", "hunter:2#'"),
        ("host=db.example.com password='hun@ter/2 ?' dbname=x", "hun@ter/2 ?"),
    ],
)
def test_a_password_may_hold_anything_that_is_written_as_libpq_reads_it(dsn: str, password: str) -> None:
    assert conninfo_to_dict(secured_dsn(dsn))["password"] == password


def test_no_unknown_word_of_a_dsn_is_repeated() -> None:
    with pytest.raises(DatabaseError, match="asks for another sslmode") as refused:
        secured_dsn("postgresql://db.example.com/x?sslmode=hunter2")
    assert "hunter2" not in str(refused.value)


def test_what_the_server_quotes_from_a_row_is_not_repeated() -> None:
    error = psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "Zaphod"')
    assert "Zaphod" not in str(explain(error, "warehouse"))


def test_an_unknown_loss_of_the_connection_says_that_nothing_changed() -> None:
    said = str(explain(psycopg.OperationalError("the line went dead\nmore"), "warehouse"))
    assert said.startswith("The connection to the warehouse failed: the line went dead.")
    assert "Nothing was changed" in said


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DiskFull("could not extend file"),
        psycopg.OperationalError(
            "connection failed: FATAL: could not write init file: No space left on device"
        ),
    ],
)
def test_a_full_disk_of_the_server_is_called_that(error: psycopg.Error) -> None:
    said = str(explain(error, "warehouse"))
    assert "The disk of its server is full" in said
    assert "network" not in said


def test_dsns_of_one_database_lead_to_one_place() -> None:
    place = location_of("postgresql://reader:one@db.example.com/totesys")
    assert place == location_of("postgresql://other:two@db.example.com:5432/totesys?sslmode=verify-full")
    assert place == location_of("host=db.example.com dbname=totesys user=reader password='a b'")
    for other in ("db.example.com/other", "db.example.com:5433/totesys", "db2.example.com/totesys"):
        assert place != location_of(f"postgresql://reader:one@{other}")


def test_every_session_speaks_utf8_whatever_its_dsn_says() -> None:
    for dsn in ("postgresql:///x", "postgresql:///x?client_encoding=latin1", "dbname=x client_encoding=auto"):
        assert conninfo_to_dict(secured_dsn(dsn + ""))["client_encoding"] == "UTF8"
