"""The catalogue site on an endpoint: it shows what the lake does, and only what reads differently is put."""

from __future__ import annotations

import re
from html import unescape

import pytest

from catalog.catalogue import load_catalogue
from catalog.glue import table_input
from glue_jobs import build_sites
from glue_jobs.documentation.bucket import CONTENT_TYPES

from .conftest import Site, fill_lake


def words(site: Site, name: str) -> str:
    body = (site.bucket.get(f"catalogue/{name}.html") or b"").decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_every_table_and_view_that_is_deployed_has_a_page_that_says_it_agrees(lake: Site) -> None:
    contracts = load_catalogue().contracts
    pages = [f"{one.zone}/{one.table}" for one in contracts]
    pages += [
        f"star/{one.table}_{kind}"
        for one in contracts
        if one.kind == "fact"
        for kind in ("current", "history")
    ]
    for name in pages:
        assert "Glue catalogue agrees with the contract" in words(lake, name)


def test_pages_tell_of_partitions_commits_and_verdicts(lake: Site) -> None:
    raw, fact = words(lake, "raw/payment"), words(lake, "star/fact_payment")
    # The capture of October is out of the days that are looked at.
    assert "1 in the catalogue since 2026-11-03" in raw
    assert "Last change 2026-11-16 10:00 UTC, batch 2" in raw
    assert "2 in the catalogue" in fact
    assert "Last change 2026-10-01 15:00 UTC, batch 1" in fact
    assert "up to batch 1, loaded 2026-10-01 14:00 UTC" in fact
    for said in (raw, fact):
        assert "2 2026-11-16 10:01 UTC 50 47 3 1" in said
    assert "Last change nothing lately" in words(lake, "raw/design")
    assert (
        "../../validation/batches/payment/2.html"
        in (lake.bucket.get("catalogue/raw/payment.html") or b"").decode()
    )


def test_every_object_says_what_it_is(lake: Site) -> None:
    for key in lake.bucket.names(""):
        head = lake.s3.head_object(Bucket=lake.bucket.name, Key=key)
        assert head["ContentType"] == CONTENT_TYPES[f".{key.rpartition('.')[2]}"]


def test_the_front_page_of_the_documentation_links_it(lake: Site) -> None:
    assert b'href="catalogue/index.html"' in (lake.bucket.get("index.html") or b"")


def test_what_a_run_reads_follows_the_days_and_not_the_history(lake: Site) -> None:
    asked = {(one["DatabaseName"], one["TableName"]): one.get("Expression") for one in lake.asked}
    assert asked["shop_raw", "payment"] == "captured_date >= '2026-11-03'"
    assert all(days for (database, _), days in asked.items() if database != "shop_star")


@pytest.mark.slow
def test_a_run_that_finds_nothing_new_puts_nothing(lake: Site) -> None:
    assert lake.build_catalogue() == []


def test_a_run_puts_what_reads_differently_and_a_page_without_a_table_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = {"s3": site.s3, "glue": site.glue}
    monkeypatch.setattr("boto3.client", clients.__getitem__)
    argv = ["--ingestion_bucket", site.ingestion, "--documentation_bucket", site.bucket.name]
    # Nothing is deployed yet: contracts and questions are all that there is.
    assert build_sites.main(argv) == 0
    assert "Glue catalogue" not in words(site, "raw/payment").partition("Columns")[0]
    fill_lake(site)
    altered = table_input(load_catalogue().ops["heartbeats"], site.ingestion)
    altered["StorageDescriptor"]["Columns"][0]["Type"] = "int"
    site.glue.update_table(DatabaseName="shop_ops", TableInput=altered)
    site.bucket.put("catalogue/raw/gone.html", b"A table that was.")
    again = site.build_catalogue()
    assert "catalogue/searchindex.js" in again
    assert not [key for key in again if "/_static/" in key or "/questions/" in key]
    assert "disagrees: the column run_id is int, not string" in words(site, "ops/heartbeats")
    assert "What stood here is no longer in the catalogue." in words(site, "raw/gone")
