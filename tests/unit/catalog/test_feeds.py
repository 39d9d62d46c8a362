"""Feeds hang together with their tables and jobs, or are refused in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.catalogue import Catalogue, load_catalogue, read_catalogue
from catalog.model import Contract
from catalog.pipeline import fed_faults, load_pipeline, read_pipeline
from catalog.project import project_folder
from catalog.reporting import load_reporting, reporting_faults, reporting_of
from catalog.yaml_lines import ContractError

CATALOGUE, PIPELINE = load_catalogue(), load_pipeline()
TABLE = "exchange_rate"
(FACT,) = [fact for fact in CATALOGUE.star_of_kind("fact") if fact.daily is not None]
Stated = dict[str, Any]


@pytest.fixture
def contracts(tmp_path: Path) -> Callable[[str, Callable[[Stated], Any]], Catalogue]:
    """Reads the project's contracts with one of them changed."""

    def read(name: str, change: Callable[[Stated], Any]) -> Catalogue:
        folder = tmp_path / "contracts"
        shutil.copytree(project_folder() / "catalog" / "contracts", folder)
        stated = yaml.safe_load((folder / name).read_text())
        change(stated)
        (folder / name).write_text(yaml.safe_dump(stated, sort_keys=False))
        return read_catalogue(folder)

    return read


def test_the_tables_of_feeds_are_no_captured_ones() -> None:
    assert {*CATALOGUE.captured, *CATALOGUE.fed} == set(CATALOGUE.raw)
    assert TABLE not in CATALOGUE.captured
    assert CATALOGUE.dead_letter[TABLE].key == CATALOGUE.raw[TABLE].key
    assert fed_faults(PIPELINE, CATALOGUE) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"zone": "ops"}, "only raw tables have an origin"),
        ({"rotation": "routine"}, "only tables of the captured database have a rotation"),
        ({"key": ["provider"]}, "one integer or bigint column"),
        ({"origin": "carrier pigeon"}, "origin"),
        ({"origin": "files"}, "of the origin files, and no other, states how they are read"),
        ({"read": {}}, "of the origin files, and no other, states how they are read"),
    ],
)
def test_a_table_of_a_feed_that_cannot_be_one_is_refused(changes: Stated, reason: str) -> None:
    stated = CATALOGUE.raw[TABLE].model_dump(exclude_none=True)
    with pytest.raises(ValueError, match=reason):
        Contract.model_validate({**stated, **changes})


def test_a_reference_to_a_table_of_a_feed_is_refused(
    contracts: Callable[[str, Callable[[Stated], Any]], Catalogue],
) -> None:
    def refer(stated: Stated) -> None:
        column = {"name": "rate_id", "type": "bigint", "nullable": True, "description": "A rate."}
        stated["columns"].append(column)
        stated["references"].append({"column": "rate_id", "table": TABLE})

    with pytest.raises(ContractError, match=f"{TABLE} is brought by a feed: which of its keys are there"):
        contracts("raw/payment.yaml", refer)


def test_a_star_table_that_joins_a_feed_is_refused(
    contracts: Callable[[str, Callable[[Stated], Any]], Catalogue],
) -> None:
    def join(stated: Stated) -> None:
        stated["built_from"]["joins"] = [{"table": "currency", "on": "rate_id"}]

    with pytest.raises(ContractError, match="versions of feeds and captures are not compared"):
        contracts(f"star/{FACT.table}.yaml", join)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"day": "rate_id"}, "rate_id refers to no calendar with the key date_id"),
        ({"calendar_key": "day"}, "refers to no calendar with the key day"),
        ({"shows": ["nothing"]}, "daily names nothing"),
        ({"shows": ["currency_code"]}, "daily names a column twice"),
        ({"stale_days": 0}, "stale_days"),
    ],
)
def test_a_fact_that_cannot_be_shown_for_every_day_is_refused(
    contracts: Callable[[str, Callable[[Stated], Any]], Catalogue], changes: Stated, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        contracts(f"star/{FACT.table}.yaml", lambda stated: stated["daily"].update(changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": ["units_bought"]}, "reported names units_bought"),
        ({"amount": ["created_time"]}, "a product of numbers"),
        ({"amount": ["units_sold", "unit_price", "design_id"]}, "at most 20 digits"),
        ({"amount": ["unit_price", "unit_price"]}, "at most 2 digits after the point"),
        ({"amount": []}, "amount"),
        ({"currency": "price_in"}, "reported names price_in"),
    ],
)
def test_an_amount_that_cannot_be_converted_is_refused(
    contracts: Callable[[str, Callable[[Stated], Any]], Catalogue], changes: Stated, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        contracts("star/fact_sales_order.yaml", lambda stated: stated["reported"].update(changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"cross_rates": {"base": "rate_date", "units": "units_per_base"}},
            "of one currency and of one base",
        ),
        ({"of": ["currency_code", "rate_id"]}, "of one currency and of one base"),
        (
            {"cross_rates": {"base": "base_currency", "units": "rate_id"}},
            r"the units of rates are decimal\(18,9\)",
        ),
    ],
)
def test_rates_of_which_no_cross_rate_follows_are_refused(
    contracts: Callable[[str, Callable[[Stated], Any]], Catalogue], changes: Stated, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        contracts(f"star/{FACT.table}.yaml", lambda stated: stated["daily"].update(changes))


def test_what_is_reported_needs_rates_and_refers_to_the_currencies_and_days_that_these_have() -> None:
    assert reporting_of(PIPELINE, CATALOGUE) == load_reporting()
    assert list(reporting_faults(load_reporting(), CATALOGUE)) == []
    sales = CATALOGUE.star["fact_sales_order"]
    without = PIPELINE.model_copy(update={"feeds": {}})
    assert reporting_of(without, CATALOGUE) is None
    (reason, *_) = reporting_faults(None, CATALOGUE)
    assert reason[1] == "it is reported, and no feed brings rates"
    for changes, words in [
        ({"currency": "design_id"}, "design_id of what is reported does not refer to dim_currency"),
        ({"day": "created_time"}, "created_time of what is reported does not refer to dim_date"),
    ]:
        assert sales.reported is not None
        other = sales.model_copy(update={"reported": sales.reported.model_copy(update=changes)})
        catalogue = replace(CATALOGUE, star={**CATALOGUE.star, sales.table: other})
        assert [reason for _, reason in reporting_faults(load_reporting(), catalogue)] == [words]


def test_a_feed_and_its_table_say_the_same() -> None:
    (name,) = PIPELINE.http_feeds
    feed = PIPELINE.http_feeds[name]

    def faults(**changes: Any) -> list[str]:
        feeds = {**PIPELINE.feeds, name: feed.model_copy(update=changes)}
        return fed_faults(PIPELINE.model_copy(update={"feeds": feeds}), CATALOGUE)

    assert any("no raw contract of that origin" in fault for fault in faults(table="payment"))
    assert any(f"no feed brings {TABLE}" in fault for fault in faults(table="payment"))
    assert any("no dimension's column" in fault for fault in faults(currencies="dim_currency.colour"))
    assert any("no dimension's column" in fault for fault in faults(currencies="fact_payment.payment_id"))
    without = replace(CATALOGUE, raw=CATALOGUE.captured)
    assert fed_faults(PIPELINE.model_copy(update={"feeds": {}}), without) == []


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("    job: fetch_rates", "    job: fetch_nothing", "there is no job fetch_nothing"),
        ("    url: https://", "    url: http://", "url"),
        ("    provider: ecb", "    provider: nobody", "provider"),
        (
            "    runtime: python_shell\n    timeout_minutes: 30\n",
            "    runtime: python_shell\n    timeout_minutes: 30\n    network: internet\n",
            "extract_cdc is given a secret, and reaches the internet",
        ),
        ("reporting_currency: GBP", "reporting_currency: pounds", "reporting_currency"),
        ("    bucket: deliveries\n", "    bucket: letters\n", "there is no external bucket letters"),
        ("    bucket: totes-carrier-deliveries", "    bucket: The_Carrier", "bucket"),
        (
            "    bucket: totes-carrier-deliveries",
            "    bucket: totes-carrier-deliveries\n    role_arn: arn:aws:iam::123456789012:role/lends",
            "a role is taken with an external id, and only for a role one is stated",
        ),
    ],
)
def test_a_pipeline_whose_feeds_cannot_run_is_refused(
    tmp_path: Path, before: str, after: str, reason: str
) -> None:
    text = (project_folder() / "catalog" / "pipeline.yaml").read_text()
    assert before in text
    path = tmp_path / "pipeline.yaml"
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(ContractError, match=reason):
        read_pipeline(path)


def test_two_feeds_do_not_bring_one_table(tmp_path: Path) -> None:
    stated = yaml.safe_load((project_folder() / "catalog" / "pipeline.yaml").read_text())
    stated["feeds"]["again"] = dict(stated["feeds"]["exchange_rate"])
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(stated, sort_keys=False))
    with pytest.raises(ContractError, match="the table of another feed, too"):
        read_pipeline(path)
