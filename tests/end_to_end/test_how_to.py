"""docs/how-to/add-a-source.md, to its end: a database that nobody has seen before, in lake and warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.how_to import follow
from tools.mutants import copy_checkout

from .stack_cli import Stack


@pytest.mark.slow
def test_a_source_is_added_and_goes_to_its_warehouse_as_its_page_says(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    copy_checkout(checkout)
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        server.ensure_role("reader")
        server.ensure_role("loader")
        server.ensure_database("books")
        server.ensure_database("warehouse", owner="loader")
        with server.connect("books") as source:
            source.execute(b"CREATE TABLE book (book_id integer PRIMARY KEY, title text NOT NULL)")
            source.execute(b"INSERT INTO book VALUES (1, 'Emma'), (2, 'Ulysses')")
            source.execute(b"GRANT SELECT ON book TO reader")
        monkeypatch.setenv("LAKEHOUSE_SOURCE", server.dsn("reader", "books"))
        monkeypatch.setenv("LAKEHOUSE_WAREHOUSE", server.dsn("loader", "warehouse"))
        try:
            follow((root / "docs" / "how-to" / "add-a-source.md").read_text(encoding="utf-8"), checkout)
            with server.connect("warehouse") as warehouse:
                shown = warehouse.execute("SELECT title FROM dim_book ORDER BY title").fetchall()
            assert shown == [("Emma",), ("Ulysses",)]
        finally:
            Stack(checkout / ".lakehouse").lakehouse("down")
