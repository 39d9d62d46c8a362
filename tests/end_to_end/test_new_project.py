"""Of a database that nobody wrote contracts for, `lakehouse init` writes a project that runs at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bi.dashboard import load_dashboard
from catalog.catalogue import load_catalogue
from catalog.project import VARIABLE
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.foreign import LOADER, READER, WEBSHOP, foreign_server, init, paste

from .stack_cli import Stack


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with foreign_server(root, tmp_path_factory.mktemp("webshop") / "pg", WEBSHOP) as server:
        yield server


@pytest.fixture(scope="module")
def said(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The project, and what was said of it."""
    folder = tmp_path_factory.mktemp("new") / "webshop"
    return folder, init(server, WEBSHOP, folder)


@pytest.fixture(autouse=True)
def _is_chosen(said: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with the project that its file is about; these are about the new one."""
    monkeypatch.setenv(VARIABLE, str(said[0]))


def test_a_project_is_written_and_what_it_does_not_hold_is_listed_with_the_way_out(
    said: tuple[Path, str],
) -> None:
    _, text = said
    assert "7 tables of webshop to capture, 1 left out by the patterns" in text
    assert "the first capture reads about 279 rows" in text
    assert "raw/source_user, email: its name looks personal" in text
    listed = text.partition("not held (")[2]
    for line in (
        'public.open_order is a view over public."Order", public."User": it has no row versions.',
        'public.open_orders is a view over public."Order", public."User"',
        "public.visit has no key.",
        'public.setting has the key column id, which would be id, as "Id" would.',
        "public.tariff has the key column rate, which is numeric",
        "public.product.picture holds bytes",
        "public.metric is a hypertable of Timescale",
    ):
        assert line in listed
    assert "movement_2025" not in text
    catalogue = load_catalogue()
    assert sorted(catalogue.star) == [
        *("dim_category", "dim_product", "dim_source_user"),
        *("fact_movement", "fact_order_line", "fact_source_order", "fact_stock", "unresolved_dead_letters"),
    ]
    user = catalogue.raw["source_user"]
    assert user.grain == 'One version of a row of public."User". Whoever may log in.'
    assert user.column("profile").description == "What a user states of herself."
    assert catalogue.raw["movement"].at_source("public") == ("Depot", "movement")
    assert catalogue.raw["movement"].column("order_id").type.name == "bigint"
    assert set(load_dashboard().declared.sheets) == {"trust"}


def test_given_again_it_changes_nothing_that_a_person_wrote(
    server: EmbeddedPostgres, said: tuple[Path, str]
) -> None:
    folder, _ = said
    product = folder / "catalog" / "contracts" / "raw" / "product.yaml"
    product.write_text(product.read_text().replace("TO DESCRIBE", "Described by a person."))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = init(server, WEBSHOP, folder)
    assert "0 files written" in again
    assert "left as they were: REVIEW.txt" in again
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_what_was_written_runs_at_once_to_an_equal_reconciliation_and_takes_a_column_up(
    server: EmbeddedPostgres, said: tuple[Path, str], tmp_path: Path
) -> None:
    stack = Stack(tmp_path / "state")
    stack.lakehouse(
        "up",
        "--source",
        server.dsn(READER, "webshop"),
        "--warehouse",
        server.dsn(LOADER, "webshop_warehouse"),
    )
    try:
        stack.lakehouse("run")
        with server.connect("webshop") as source:
            source.execute("UPDATE \"User\" SET \"firstName\" = 'Zoë' WHERE email = '7@shop.example'")
            source.execute('DELETE FROM "Order Line" WHERE "orderId" = 9 AND "lineNo" = 2')
            source.execute("UPDATE \"Depot\".movement SET took = '2 days' WHERE id = 12")
            source.execute('ALTER TABLE "Order Line" ADD "giftNote" text')
            source.execute('UPDATE "Order Line" SET "giftNote" = \'For Zoë\' WHERE "orderId" = 8')
        paste(said[0], stack.lakehouse("contracts", "propose", "--exclude", "*_log"))
        assert "fact_order_line.gift_note is added (text)" in stack.lakehouse("run", expect=1)
        stack.lakehouse("run", "--alter-warehouse")
        assert stack.told("dead-letters") == []
        assert stack.told("reconcile")["verdict"] == "equal"
        rows = json.loads(stack.lakehouse("sql", "--named", "freshness", "--format", "json"))
        assert rows[0]["batches_waiting"] == 0
    finally:
        stack.lakehouse("down")
    with psycopg.connect(server.dsn(LOADER, "webshop_warehouse")) as warehouse:
        counted = warehouse.execute(
            "SELECT count(*), sum(total) FROM fact_source_order_current JOIN dim_source_user AS u"
            " ON u.id = user_id"
        ).fetchone()
        lines = warehouse.execute("SELECT count(*), count(gift_note) FROM fact_order_line_current").fetchone()
    assert (counted, lines) == ((60, 2287.5), (119, 2))
