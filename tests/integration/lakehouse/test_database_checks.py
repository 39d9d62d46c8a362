"""An existing database that cannot serve is refused at once, with the statement that would mend it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.runtime.errors import UserError
from lakehouse.database_checks import check_source, check_warehouse
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.new_project.reader import read_database
from totesys import database


@pytest.fixture(scope="module")
def totesys(server: EmbeddedPostgres) -> EmbeddedPostgres:
    server.ensure_role("owner")
    server.ensure_role("reader")
    server.ensure_database("totesys", "owner")
    database.create(server.dsn("owner", "totesys"))
    return server


def test_a_role_that_may_only_select_is_enough(totesys: EmbeddedPostgres) -> None:
    with pytest.raises(
        UserError, match=r"The role reader may not read .*sales_order.* GRANT SELECT ON public"
    ):
        check_source(totesys.dsn("reader", "totesys"), load_catalogue(), "public")
    database.grant_reader(totesys.dsn("owner", "totesys"), "reader")
    check_source(totesys.dsn("reader", "totesys"), load_catalogue(), "public")


def test_a_database_that_is_not_totesys_is_refused(totesys: EmbeddedPostgres) -> None:
    with pytest.raises(UserError, match="The source database postgres has no table address, counterparty"):
        check_source(totesys.dsn(), load_catalogue(), "public")


def test_a_wrong_password_is_told_without_the_password(totesys: EmbeddedPostgres) -> None:
    dsn = f"postgresql://reader:hunter2@127.0.0.1:{totesys.port}/totesys"
    with pytest.raises(UserError, match="password authentication failed") as refusal:
        check_source(dsn, load_catalogue(), "public")
    assert "hunter2" not in str(refusal.value)


def test_a_warehouse_needs_the_right_to_make_tables(totesys: EmbeddedPostgres) -> None:
    totesys.ensure_database("warehouse", "owner")
    check_warehouse(totesys.dsn("owner", "warehouse"))
    with pytest.raises(UserError, match="GRANT CREATE ON SCHEMA public TO reader"):
        check_warehouse(totesys.dsn("reader", "warehouse"))


def test_a_server_that_is_too_old_is_refused(
    totesys: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.database_checks.OLDEST", 190000)
    with pytest.raises(UserError, match="runs PostgreSQL 18, which is older than 19"):
        check_source(totesys.dsn(), load_catalogue(), "public")


@pytest.mark.parametrize(
    "look", [lambda dsn: check_source(dsn, load_catalogue(), "public"), read_database], ids=["up", "init"]
)
def test_a_server_that_only_speaks_as_postgresql_does_is_refused(
    totesys: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, look: Callable[[str], object]
) -> None:
    monkeypatch.setattr("lakehouse.database_checks._OTHERS", {"postgresql 18": "Another product"})
    with pytest.raises(UserError, match="The source is Another product, which speaks as PostgreSQL does"):
        look(totesys.dsn())


def database_of(server: EmbeddedPostgres, encoding: str, name: str | None = None) -> str:
    name = name or f"in_{encoding.lower()}"
    with server.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} OWNER owner TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode()
        )
    return server.dsn("owner", name)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "LATIN9", "KOI8R", "EUC_JP", "SQL_ASCII"])
def test_a_source_of_any_encoding_is_taken_and_a_warehouse_of_another_than_utf8_is_refused(
    totesys: EmbeddedPostgres, encoding: str
) -> None:
    dsn = database_of(totesys, encoding)
    with pytest.raises(UserError, match=f"The warehouse in_.* has the encoding {encoding}.* ENCODING 'UTF8'"):
        check_warehouse(dsn)
    database.create(dsn)
    check_source(dsn, load_catalogue(), "public")


def test_an_encoding_without_a_way_to_utf8_is_refused_in_words(totesys: EmbeddedPostgres) -> None:
    with pytest.raises(UserError, match="no way to UTF-8"):
        check_source(database_of(totesys, "MULE_INTERNAL"), load_catalogue(), "public")


def test_a_name_that_is_not_utf8_is_called_that(totesys: EmbeddedPostgres) -> None:
    dsn = database_of(totesys, "SQL_ASCII", "in_no_letters")
    with psycopg.connect(dsn) as connection:
        connection.execute(
            b'SET client_encoding = SQL_ASCII; CREATE TABLE "caf\xe9" (id integer PRIMARY KEY)'
        )
    with pytest.raises(
        UserError, match=r"A name or a comment of the source is not UTF-8\. Rename it"
    ) as error:
        read_database(dsn)
    assert "data" not in str(error.value)
