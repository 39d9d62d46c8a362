"""The lineage of totesys: what is untraced is counted, all else is traced up to cards and notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bi.dashboard import load_dashboard
from bi.lineage import notebook
from bi.questions import load_questions
from bi.select_lists import schema_of
from catalog.catalogue import load_catalogue
from catalog.lineage import CARD, DATA_SET, NOTEBOOK, QUESTION, READERS, SOURCE, ColumnLineage, Dataset, Field
from catalog.star_views import athena_views
from glue_jobs.documentation.column_lineage import load_lineage
from glue_jobs.documentation.openlineage import UNTRACED as UNTRACED_FACET
from glue_jobs.documentation.openlineage import Projection
from glue_jobs.lake.commits import Commit, Partition, TableCommit
from notebooks.execution import notebooks
from tests.openlineage import faults

UNTRACED = {
    "totesys_dead_letter.held_rows": 11,
    "totesys_dead_letter.quarantined_files": 10,
    "totesys_dead_letter.quarantined_lines": 9,
    "totesys_raw.exchange_rate": 8,
    "totesys_star.unresolved_dead_letters": 11,
}
"""How many columns of what are untraced: another number is a change that somebody looks at."""


@pytest.fixture(scope="module")
def lineage() -> ColumnLineage:
    return load_lineage()


def test_what_is_untraced_is_known(lineage: ColumnLineage) -> None:
    found: dict[str, int] = {}
    for field in lineage.untraced:
        found[str(field.dataset)] = found.get(str(field.dataset), 0) + 1
    assert found == UNTRACED


def test_every_view_question_data_set_card_and_notebook_is_there(lineage: ColumnLineage) -> None:
    dashboard = load_dashboard()
    cards = {f"{s}/{v}" for s, sheet in dashboard.declared.sheets.items() for v in sheet.visuals}
    by_place = {place: {d.table for d in lineage.tables if d.place == place} for place in READERS}
    assert by_place[CARD] == cards
    assert by_place[QUESTION] == set(load_questions())
    assert by_place[NOTEBOOK] == {path.stem for path in notebooks()}
    assert by_place[DATA_SET] == {f"{e}/{q}" for e in ("lake", "warehouse") for q in dashboard.queries_on(e)}
    for contract in load_catalogue().star.values():
        for view in athena_views(contract):
            known = lineage.tables[Dataset(contract.zone_info.database, view.name)]
            assert list(known.columns) == [column.name for column in view.columns]


def test_every_column_that_something_reads_is_a_column(lineage: ColumnLineage) -> None:
    known = {field for table in lineage.tables.values() for field in table.fields}
    for table in lineage.tables.values():
        every = [*(one for inputs in table.columns.values() for one in inputs), *table.rows]
        outside = {one.field for one in every} - known
        assert {field.place for field in outside} <= {SOURCE, "feed"}, table.dataset


def test_a_price_reaches_the_cards_and_the_notebook_that_show_revenue(lineage: ColumnLineage) -> None:
    reached = {str(one.dataset) for one in lineage.reached(Field(SOURCE, "sales_order", "unit_price"))}
    assert {"card sales/revenue", "card reported/reported_revenue", "notebook sales"} <= reached
    assert {"data set lake/sales", "data set warehouse/sales"} <= reached
    assert "warehouse.fact_sales_order_current" in reached
    assert "card cash/money_in" not in reached
    # Of an account's number no card knows.
    account = lineage.reached(Field(SOURCE, "payment", "company_ac_number"))
    assert {one.place for one in account} == {"totesys_raw", "totesys_dead_letter"}


def test_an_event_of_a_feed_names_it_and_lists_what_is_untraced(lineage: ColumnLineage) -> None:
    contract = load_catalogue().raw["exchange_rate"]
    fetched = Partition({}, f"{contract.prefix}captured_date=2026-11-16/batch=1/attempt=a/", ())
    tables = {"exchange_rate": TableCommit(partitions=(fetched,))}
    commit = Commit("capture", 1, "a", "2026-11-16T10:00:00.000Z", 1, 1, tables)
    event = Projection(load_catalogue(), lineage, "totesys", "lake").run_event(commit)
    assert faults(event) == []
    assert [one["name"] for one in event["inputs"]] == ["feed.exchange_rate"]
    (output,) = event["outputs"]
    assert set(output["facets"][UNTRACED_FACET]["columns"]) == {column.name for column in contract.columns}


def test_what_only_a_notebook_s_run_tells_is_untraced(tmp_path: Path, lineage: ColumnLineage) -> None:
    cells = [
        "from notebooks.lake import answer, ask",
        "answer('payments_due'); answer(chosen)",
        "ask(f'SELECT {1}'); ask('SELECT design_id FROM dim_design'); ask('SELECT nothing FROM dim_design')",
        "!pip install anything",
    ]
    path = tmp_path / "mine.ipynb"
    stated = [{"cell_type": "code", "source": [cell]} for cell in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "ask(1)"}, *stated]}))
    answers = {d.table: t for d, t in lineage.tables.items() if d.place == QUESTION}
    found = notebook(path, answers, schema_of("lake", load_catalogue()))
    assert [str(i.field) for i in found.columns["payments_due.due"]] == ["question payments_due.due"]
    assert [str(i.field) for i in found.columns["cell 3.design_id"]] == ["totesys_star.dim_design.design_id"]
    assert set(found.untraced) == {"cell 2", "cell 3", "cell 3.*", "cell 4"}
    path.write_text("{}")
    assert notebook(path, {}, schema_of("lake", load_catalogue())).untraced == {
        "*": "the file is no notebook"
    }
