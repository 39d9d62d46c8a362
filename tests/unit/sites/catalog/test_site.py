"""The catalogue site as it is published: complete, without a dead link, searchable, and nobody else's."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sphinx.search.en import SearchEnglish

from bi.questions import load_questions
from catalog.catalogue import load_catalogue
from catalog.star_views import athena_views
from catalog.types import glue_type
from glue_jobs.documentation.column_lineage import load_lineage
from sites.catalog.live import (
    Live,
    Partitions,
    Shown,
    Touch,
    ValidationSummary,
    differences,
    stated_table,
    stated_views,
)
from sites.catalog.pages import INDEX, Block, Page, Site, site
from sites.catalog.render import RenderError, render

CATALOGUE = load_catalogue()
QUESTIONS = load_questions()
MARKUP = "<script>alert('&')</script> `*|_:ref:`x` {{ 1 }}"
WRITTEN = "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt; `*|_:ref:`x` {{ 1 }}"

STAR = CATALOGUE.zones["star"].database


def live() -> Live:
    shown = {(one.zone_info.database, one.table): stated_table(one) for one in CATALOGUE.contracts}
    for fact in CATALOGUE.star_of_kind("fact"):
        shown |= {(STAR, name): view for name, view in stated_views(fact).items()}
    shown[STAR, "fact_payment"] = replace(shown[STAR, "fact_payment"], partitions=Partitions(1234))
    shown[STAR, "dim_date"] = replace(shown[STAR, "dim_date"], version="0.9.0")
    del shown[STAR, "dim_design"]
    touched = {(STAR, "fact_payment"): Touch("2026-11-16T10:00:00.000Z", 5678)}
    validation = ValidationSummary(
        5678, "2026-11-16T09:00:00.000Z", 43210, 7, 2, "validation/batches/payment/5678.html"
    )
    loaded = Touch("2026-11-16T11:00:00.000Z", 5677)
    return Live(shown, touched, loaded, {"payment": (validation,)}, {"payment": 7})


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    return render(site(CATALOGUE, QUESTIONS, live(), load_lineage()))


def page(files: Mapping[str, bytes], name: str) -> str:
    return files[f"{name}.html"].decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def row(html: str, column: str) -> str:
    (found,) = re.findall(rf'<tr id="column-{column}">(.*?)</tr>', html, re.DOTALL)
    return words(found)


# --- what pages say --------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", CATALOGUE.contracts, ids=lambda one: f"{one.zone}.{one.table}")
def test_every_table_has_a_page_with_all_that_its_contract_says(
    files: Mapping[str, bytes], contract: Any
) -> None:
    said = page(files, f"{contract.zone}/{contract.table}")
    for text in (contract.grain, contract.owner, f"version {contract.version}"):
        assert " ".join(text.split()) in words(said)
    columns = (*contract.all_columns, *contract.partition_columns)
    assert re.findall(r'<tr id="column-(\w+)">', said) == [column.name for column in columns]
    for column in columns:
        of_column = row(said, column.name)
        assert glue_type(column.type) in of_column
        assert column.description in of_column
        assert ("may be empty" in of_column) == column.nullable
        assert (" personal " in of_column) == column.personal
        assert all(value in of_column for value in (*(column.allowed_values or ()), column.pattern or ""))
    for reference in contract.references:
        assert f"Key of {reference.table} ." in row(said, reference.column)


def test_views_questions_and_zones_have_pages(files: Mapping[str, bytes]) -> None:
    for fact in CATALOGUE.star_of_kind("fact"):
        for view in athena_views(fact):
            said = page(files, f"star/{view.name}")
            assert re.findall(r'<tr id="column-(\w+)">', said) == [column.name for column in view.columns]
            assert view.description in words(said)
    for name, question in QUESTIONS.items():
        said = words(page(files, f"questions/{name}"))
        assert all(text in said for text in (question.title, question.answers, *question.avoids))
    for name, zone in CATALOGUE.zones.items():
        assert zone.description in words(page(files, f"{name}/index"))


def test_a_table_shows_the_questions_that_read_it_ready_to_be_copied(files: Mapping[str, bytes]) -> None:
    for table in ("star/fact_payment", "star/fact_payment_current", "star/dim_currency"):
        said = page(files, table)
        assert "payments_due.html" in said
        sql = [words(code).split() for code in re.findall(r"<pre>(.*?)</pre>", said, re.DOTALL)]
        joined = ["".join(code) for code in sql]
        assert "".join(QUESTIONS["payments_due"].sql.split()) in joined
    assert "payments_due.html" not in page(files, "star/dim_design").partition("<article")[2]


def test_a_page_says_what_the_lake_shows(files: Mapping[str, bytes]) -> None:
    said = words(page(files, "star/fact_payment"))
    assert "1,234 in the catalogue" in said
    assert "Last change 2026-11-16 10:00 UTC, batch 5,678" in said
    assert "up to batch 5,677, loaded 2026-11-16 11:00 UTC" in said
    assert "agrees with the contract" in said
    assert "5678 2026-11-16 09:00 UTC 43,210 43,203 7 2" in said
    assert '../../validation/batches/payment/5678.html"' in page(files, "star/fact_payment")
    assert "7 dead letters of payment are open" in said
    assert "was made from version 0.9.0 of the contract" in words(page(files, "star/dim_date"))
    assert "not there: deploy it" in words(page(files, "star/dim_design"))


def test_before_the_first_run_pages_say_what_the_contracts_do() -> None:
    made = site(CATALOGUE, QUESTIONS, Live())
    text = "".join(block.text for one in made.pages.values() for block in one.blocks)
    assert "Glue catalogue" not in text
    assert "No batch of payment was judged lately." in text


@pytest.mark.parametrize("name", ["raw/payment", "star/fact_payment"])
def test_where_the_catalogue_differs_from_a_contract_is_said_in_words(name: str) -> None:
    zone, _, table = name.partition("/")
    stated = stated_table(getattr(CATALOGUE, zone)[table])
    assert differences(stated, stated) == ()
    first, second, *_ = stated.columns
    changed = {
        first: "string",
        **{k: v for k, v in stated.columns.items() if k not in (first, second)},
        "odd": "int",
    }
    found = Shown(changed, {}, stated.version)
    said = differences(stated, found)
    assert f"the column {second} is missing" in said
    assert "the column odd is in no contract" in said
    assert f"the column {first} is string, not {stated.columns[first]}" in said
    assert f"the partition column {next(iter(stated.partition_columns))} is missing" in said
    turned = replace(stated, columns=dict(reversed(list(stated.columns.items()))))
    assert differences(stated, turned) == ("the columns stand in another order",)


def of_lineage(html: str, column: str) -> str:
    (found,) = re.findall(rf'<tr id="lineage-{column}">(.*?)</tr>', html, re.DOTALL)
    return str(found)


def test_each_column_of_each_table_says_where_it_comes_from_and_what_it_reaches(
    files: Mapping[str, bytes],
) -> None:
    for contract in CATALOGUE.contracts:
        said = page(files, f"{contract.zone}/{contract.table}")
        columns = (*contract.all_columns, *contract.partition_columns)
        assert re.findall(r'<tr id="lineage-(\w+)">', said) == [column.name for column in columns]
    amount = of_lineage(page(files, "star/fact_payment"), "payment_amount")
    assert 'href="../raw/payment.html#column-payment_amount"' in amount
    assert "as it is" in words(amount)
    assert 'href="../questions/payments_due.html"' in amount
    assert "5 columns, 1 question, 1 card, 2 data sets" in words(amount)
    assert f"{STAR}.fact_payment_current.payment_amount" in words(amount)
    paid = words(of_lineage(page(files, "star/fact_payment"), "paid"))
    assert "decides rows or values of" in paid
    created = words(of_lineage(page(files, "star/fact_payment"), "created_month"))
    assert re.search(r"payment\.created_at transformed", created)
    numbered = words(of_lineage(page(files, "star/fact_payment"), "payment_record_id"))
    assert "made by facts, which numbers the versions" in numbered
    source = words(of_lineage(page(files, "raw/payment"), "payment_amount"))
    assert "source.payment.payment_amount as it is" in source


def test_a_question_says_where_its_columns_come_from(files: Mapping[str, bytes]) -> None:
    said = of_lineage(page(files, "questions/payments_due"), "amount")
    assert 'href="../star/fact_payment_current.html#column-payment_amount"' in said
    assert "money/due" in words(said)


def test_what_is_untraced_is_shown_and_counted(files: Mapping[str, bytes]) -> None:
    untraced = load_lineage().untraced
    assert untraced
    said = words(page(files, "lineage/index"))
    assert f"Untraced columns {len(untraced):,}" in said
    for field, reason in untraced.items():
        assert str(field.dataset) in said
        assert field.column in said
        assert reason in said
    listed = words(of_lineage(page(files, "star/unresolved_dead_letters"), "row_key"))
    assert "untraced it is written by code" in listed
    assert f"{len(untraced):,} of them untraced" in words(page(files, INDEX))
    # Cards have no page of their own.
    assert "money/due" in said


# --- how they hang together ------------------------------------------------------------------------


def test_every_link_inside_the_site_leads_somewhere(files: Mapping[str, bytes]) -> None:
    beside = {"index.html", "state.html", "validation/index.html", "validation/batches/payment/5678.html"}
    places = {
        name: set(re.findall(r'\bid="([^"]+)"', body.decode()))
        for name, body in files.items()
        if name.endswith(".html")
    }
    for name in places:
        for target in re.findall(r'(?:href|src|action)="([^"]+)"', files[name].decode()):
            path, _, place = unescape(target).partition("#")
            path = path.partition("?")[0]
            if path == "data:,":
                continue
            there = (
                posixpath.normpath(posixpath.join("catalogue", posixpath.dirname(name), path))
                if path
                else f"catalogue/{name}"
            )
            if there in beside:
                continue
            inside = there.removeprefix("catalogue/")
            assert inside in files, f"{name} links {target}"
            assert not place or place in places[inside], f"{name} links {target}"


def index(files: Mapping[str, bytes]) -> dict[str, Any]:
    text = files["searchindex.js"].decode()
    found: dict[str, Any] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


def test_the_search_finds_every_column_by_every_word_of_its_description(files: Mapping[str, bytes]) -> None:
    found = index(files)
    english = SearchEnglish({})
    for contract in CATALOGUE.contracts:
        place = found["docnames"].index(f"{contract.zone}/{contract.table}")
        for column in contract.all_columns:
            for word in map(str.lower, english.split(column.description)):
                stem = english.stem(word)
                if english.word_filter(word) and english.word_filter(stem):
                    assert place in pages_of(found, stem), f"{word} of {contract.table}.{column.name}"


def pages_of(found: Mapping[str, Any], stem: str) -> set[int]:
    """The pages that the index has for a word; a single one stands there without a list."""
    listed = [found[where].get(stem, []) for where in ("terms", "titleterms")]
    return {page for pages in listed for page in (pages if isinstance(pages, list) else [pages])}


def test_the_search_finds_every_column_by_its_name(files: Mapping[str, bytes]) -> None:
    found = index(files)
    for contract in CATALOGUE.contracts:
        place = found["docnames"].index(f"{contract.zone}/{contract.table}")
        listed = found["objects"][f"{contract.zone_info.database}.{contract.table}"]
        names = {name: anchor for page, _, _, anchor, name in listed if page == place}
        assert names == {
            column.name: f"column-{column.name}"
            for column in (*contract.all_columns, *contract.partition_columns)
        }


# --- what they may not do --------------------------------------------------------------------------


def test_nothing_is_taken_from_elsewhere(files: Mapping[str, bytes]) -> None:
    for name, body in files.items():
        if not name.endswith((".html", ".css")):
            continue
        text = body.decode()
        assert not re.search(r"(?:src|href|action)\s*=\s*[\"']?(?:[a-z]+:)?//", text, re.IGNORECASE), name
        assert not re.search(r"@import|url\(\s*[\"']?(?!data:)[a-z]*:?//", text, re.IGNORECASE), name
        if name.endswith(".html"):
            assert "default-src 'none'; script-src 'self' 'sha256-" in text
            # What the policy names is the theme's one script that stands in a page.
            assert len(re.findall(r"<script>", text)) == 1


def small(made: Site, *names: str) -> Site:
    return replace(made, pages={name: made.pages[name] for name in (INDEX, *names)}, groups=())


def test_words_are_words_and_no_markup() -> None:
    staff = CATALOGUE.raw["staff"]
    first = staff.columns[0].model_copy(update={"description": MARKUP})
    hostile = staff.model_copy(
        update={"columns": (first, *staff.columns[1:]), "grain": MARKUP, "owner": MARKUP}
    )
    question = replace(
        QUESTIONS["payments_due"], title=MARKUP, answers=MARKUP, avoids=(MARKUP,), sql=f"SELECT '{MARKUP}'"
    )
    catalogue = replace(CATALOGUE, raw={**CATALOGUE.raw, "staff": hostile})
    made = small(site(catalogue, {"payments_due": question}, Live()), "raw/staff", "questions/payments_due")
    files = render(replace(made, entries=()))
    for name, times in (("raw/staff", 3), ("questions/payments_due", 2)):
        text = files[f"{name}.html"].decode()
        assert "<script>alert" not in text
        assert text.count(WRITTEN) >= times
    assert MARKUP in words(
        files["questions/payments_due.html"].decode().replace("</span>", "").replace("<span>", "")
    )


def test_what_the_generator_complains_about_is_an_error() -> None:
    made = small(site(CATALOGUE, {}, Live()))
    untitled = Page("", (Block("sql", "SELECT 'open", searched=False),))
    with pytest.raises(RenderError, match="untitled"):
        render(replace(made, pages={**made.pages, "untitled": untitled}))


@pytest.mark.slow
def test_the_same_is_rendered_to_the_same_bytes_in_another_process(root: Path) -> None:
    code = "from tests.unit.sites.catalog.test_site import *; print(digest())"
    # Sets of text are in another order there.
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert again.stdout.strip() == digest()


def digest() -> str:
    made = site(CATALOGUE, QUESTIONS, live(), load_lineage())
    files = render(
        small(made, "star/fact_payment", "star/dim_staff", "questions/payments_due", "lineage/index")
    )
    return hashlib.sha256(b"".join(name.encode() + body for name, body in sorted(files.items()))).hexdigest()
