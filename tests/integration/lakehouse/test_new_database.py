"""What `lakehouse init` reads of a database that nobody tidied up."""

from __future__ import annotations

import pytest

from catalog.catalogue import load_catalogue
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.new_project.database import Database
from lakehouse.new_project.proposal import Proposal, propose
from lakehouse.new_project.reader import read_database
from lakehouse.new_project.tables import Options

ODD = """
CREATE TABLE customer (id integer PRIMARY KEY, email text, code text);
INSERT INTO customer VALUES (1, NULL, NULL);
ALTER TABLE customer ADD CONSTRAINT has_email NOT NULL email NOT VALID;
CREATE TABLE loose (code text UNIQUE, note text);
INSERT INTO loose VALUES (NULL, 'a');
ALTER TABLE loose ADD CONSTRAINT has_code NOT NULL code NOT VALID;
CREATE TABLE person (id integer PRIMARY KEY, name text NOT NULL NO INHERIT);
CREATE TABLE pilot (licence text, PRIMARY KEY (id)) INHERITS (person);
INSERT INTO pilot VALUES (1, NULL, 'x');
CREATE TABLE event (id integer, at date) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event (PRIMARY KEY (id)) FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TYPE colour AS ENUM ('red'); CREATE DOMAIN paint AS colour;
CREATE DOMAIN short AS varchar(5); CREATE DOMAIN shorter AS short;
CREATE TABLE tin (code shorter, paint paint, PRIMARY KEY (code, paint));
"""


@pytest.fixture(scope="module")
def odd(server: EmbeddedPostgres) -> Database:
    server.ensure_database("odd")
    with server.connect("odd") as connection:
        connection.execute(ODD.encode())
    return read_database(server.dsn(database="odd"))


@pytest.fixture(scope="module")
def found(odd: Database) -> Proposal:
    return propose(odd, Options(owner="data@odd.example", schema="public"), load_catalogue().zones)


def nullable(found: Proposal, table: str) -> dict[str, bool]:
    return {column["name"]: column["nullable"] for column in found.raw[table]["columns"]}


def test_a_column_may_be_empty_where_not_every_row_was_looked_at(found: Proposal) -> None:
    assert nullable(found, "customer") == {"id": False, "email": True, "code": True}


def test_a_column_may_be_empty_where_it_may_be_in_a_child(found: Proposal) -> None:
    assert nullable(found, "person") == {"id": False, "name": True}


def test_what_may_be_empty_is_no_key(found: Proposal) -> None:
    assert "loose" not in found.raw
    assert any(str(one).startswith("public.loose has no key") for one in found.left_out)


def test_a_domain_over_a_domain_is_part_of_a_key_as_what_it_is_over_is(found: Proposal) -> None:
    assert found.raw["tin"]["key"] == ["code", "paint"]


def test_what_a_child_alone_has_is_listed(found: Proposal) -> None:
    (line,) = [str(one) for one in found.left_out if one.what == "pilot.licence"]
    assert line.startswith("pilot.licence is a column that public.person has not, of which pilot is a child.")


def test_of_a_table_without_a_key_the_parts_are_named(odd: Database, found: Proposal) -> None:
    (line,) = [str(one) for one in found.left_out if one.what == "public.event"]
    assert line.endswith("Or write contracts of its parts, such as event_1, if they have keys.")
    assert odd.parts == {("public", "event_1"), ("public", "pilot")}
