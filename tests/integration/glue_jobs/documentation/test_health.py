"""What is amiss stands at the head of every page, with since when, owner and what to do; then no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from bi.dashboard import load_dashboard
from catalog.catalogue import load_catalogue
from glue_jobs.documentation.front import publish_state
from glue_jobs.documentation.health import read_health
from glue_jobs.lake import approvals
from glue_jobs.lake.commits import Commit, CommitLog, DataObject
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.lake.publish import append_ops
from glue_jobs.lake.source_state import CaptureState, Pause, SourceState
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.reconciliation import record
from glue_jobs.reconciliation.reconciliation_report import Comparison, Report, TableReport
from lakehouse.console.frame import PARTS
from lakehouse.dashboard.page import look_at, render
from lakehouse.dashboard.sources import Warehouse
from lakehouse.local_deployment import deploy_tables
from sites.validation import pages
from sites.validation.health import Health
from tests.integration.glue_jobs.documentation.conftest import Site

CATALOGUE = load_catalogue()
PLATFORM = CATALOGUE.ops["heartbeats"].owner


@pytest.fixture
def well(site: Site) -> Site:
    """A lake that was captured, loaded, compared and looked at a moment ago."""
    deploy_tables(site.glue, CATALOGUE, site.clients.buckets)
    commit(site, "capture", 1)
    commit(site, "load", 1)
    look(site)
    compare(site, Comparison("source", "lake"))
    return site


def commit(site: Site, stage: str, batch: int, **state: Any) -> None:
    now = iso(utc_now())
    stated = {"captured_at": now, **state}
    CommitLog(site.s3, site.ingestion, stage).publish(
        Commit(stage, batch, f"a{batch}", now, batch, batch, {}, stated)
    )


def look(site: Site) -> None:
    """A capture notes that it has looked at the source."""
    now = utc_now()
    row = dict.fromkeys(column.name for column in CATALOGUE.ops["heartbeats"].columns)
    row |= {"run_id": iso(now), "captured_at": now, "last_batch": 1, "changed_rows": 0}
    row |= {"horizon_transactions": 0, "seconds": 1.0}
    values = {"captured_date": now.date().isoformat()}
    append_ops(site.clients, CATALOGUE.ops["heartbeats"], values, iso(now), [row])


def compare(site: Site, comparison: Comparison, at: datetime | None = None) -> None:
    """A reconciliation notes what it found of payments."""
    at = at or utc_now()
    report = Report(1, (TableReport("raw", "payment", 5, 5, None, (comparison,)),))
    rows = record.rows(report, iso(at), at)
    record.write(site.clients, CATALOGUE, rows)


def health(site: Site, later: timedelta = timedelta()) -> Health:
    return read_health(site.clients, CATALOGUE, utc_now() + later)


def words(found: Health) -> str:
    """What the head of every page says."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", pages.state_page(found))))


@contextmanager
def runs(site: Site, *states: str) -> Iterator[datetime]:
    """Of the job transform, runs that ended so, the newest first; gives when the oldest began."""
    site.glue.create_job(Name="transform", Role="r", Command={"Name": "pythonshell"})
    now = datetime.now(UTC).replace(microsecond=0)
    stated = [
        {"JobRunState": state, "StartedOn": now - timedelta(minutes=5 * age), "ErrorMessage": f"no {age}."}
        for age, state in enumerate(states)
    ]

    def answer(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if json.loads(params["body"])["JobName"] != "transform":
            return None
        return SimpleNamespace(status_code=200), {"JobRuns": stated}

    events = site.glue.meta.events
    events.register("before-call.glue.GetJobRuns", answer)
    yield now - timedelta(minutes=5 * (len(states) - 1))
    events.unregister("before-call.glue.GetJobRuns", answer)


def test_where_nothing_is_amiss_that_is_said_with_how_fresh_the_data_are(well: Site) -> None:
    found = health(well)
    assert found.alerts == ()
    assert "Nothing is amiss as of" in words(found)
    assert re.search(r"Warehouse loaded: 20.* Last compared with the source: 20.*, equal", words(found))


def test_before_the_first_run_nothing_is_amiss(site: Site) -> None:
    deploy_tables(site.glue, CATALOGUE, site.clients.buckets)
    assert "Nothing is amiss" in words(health(site))
    assert "Last compared with the source: -" in words(health(site))


def test_a_paused_table_is_named_until_it_goes_on(well: Site) -> None:
    pause = Pause("Column phone is missing.", "2026-11-28T14:48:00.000Z")
    state = SourceState(tables={"address": CaptureState(pause=pause)}).state
    commit(well, "capture", 2, tables=state["tables"])
    commit(well, "load", 2)

    (alert,) = health(well).alerts

    assert (alert.since, alert.owner) == (pause.since, CATALOGUE.raw["address"].owner)
    said = words(health(well))
    assert "address is not captured: Column phone is missing. Since 2026-11-28 14:48 UTC." in said
    assert f"Owner: {alert.owner}" in said
    assert "table-paused in the runbook" in said
    commit(well, "capture", 3, tables={"address": {}})
    commit(well, "load", 3)
    assert health(well).alerts == ()


def test_a_stale_warehouse_is_named_until_it_is_loaded(well: Site) -> None:
    old = iso(utc_now() - timedelta(minutes=45))
    commit(well, "capture", 2, captured_at=old)

    (alert,) = health(well).alerts

    assert (alert.what, alert.since) == ("The warehouse is behind: batch 2 waits to be loaded.", old)
    assert alert.owner == PLATFORM
    commit(well, "load", 2)
    assert health(well).alerts == ()


def test_a_source_that_nobody_looks_at_is_named_until_somebody_does(well: Site) -> None:
    (alert,) = health(well, timedelta(minutes=40)).alerts
    assert "has not been looked at" in alert.what
    assert alert.since <= iso(utc_now())
    assert health(well, timedelta(minutes=20)).alerts == ()


@pytest.mark.parametrize("found", [Comparison("source", "lake", missing=2)])
def test_a_reconciliation_that_found_something_is_named_until_one_does_not(
    well: Site, found: Comparison
) -> None:
    at = utc_now()
    compare(well, found, at)

    (alert,) = health(well).alerts

    assert (alert.what, alert.since) == (
        "Source, lake and warehouse are not the same in payment.",
        iso(at),
    )
    assert "reconciliation in the runbook" in words(health(well))
    compare(well, Comparison("source", "lake"))
    assert health(well).alerts == ()
    assert "have not been compared" in words(health(well, timedelta(days=3)))


def test_a_job_that_fails_is_named_since_its_first_failure_until_it_succeeds(well: Site) -> None:
    with runs(well, "RUNNING", "FAILED", "TIMEOUT", "SUCCEEDED", "FAILED"):
        (alert,) = health(well).alerts
    assert alert.what == "The job transform fails: no 1."
    since = datetime.fromisoformat(alert.since)
    assert timedelta(minutes=9) < datetime.now(UTC) - since < timedelta(minutes=12)
    well.glue.delete_job(JobName="transform")
    with runs(well, "RUNNING", "SUCCEEDED", "FAILED"):
        assert health(well).alerts == ()


def test_what_the_catalog_lacks_is_named_until_it_is_made_again(well: Site) -> None:
    stated = well.glue.get_table(DatabaseName="shop_star", Name="dim_staff")["Table"]
    well.glue.delete_table(DatabaseName="shop_star", Name="dim_staff")
    (alert,) = health(well).alerts
    assert alert.what == "shop_star.dim_staff is missing in the catalog."
    kept = ("Name", "Description", "Owner", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    well.glue.create_table(DatabaseName="shop_star", TableInput={name: stated[name] for name in kept})
    assert health(well).alerts == ()


def test_a_batch_that_awaits_approval_is_named_until_a_person_has_looked(well: Site) -> None:
    at = "2026-11-28T14:48:00.000Z"
    commit(well, "validate", 1)
    rejected = {"payment/2": {"read": 40, "rejected": 30, "rules": {}}}
    approvals.await_approval(well.s3, well.ingestion, rejected, at)

    (alert,) = health(well).alerts

    assert alert.what == (
        "Batch 2 awaits approval, and later ones wait with it: 30 of 40 rows of payment would be rejected."
    )
    assert (alert.since, alert.owner) == (at, CATALOGUE.raw["payment"].owner)
    assert "batch-awaits-approval in the runbook" in words(health(well))
    approvals.approve(well.s3, well.ingestion, at)
    assert health(well).alerts == ()


def test_dead_letters_are_named_with_their_owners_until_none_is_unresolved(well: Site) -> None:
    def unresolved(**rows: int) -> dict[str, Any]:
        listed = {table: (DataObject(table, count, 1, "00"),) for table, count in rows.items()}
        return ValidationState(unresolved=listed).state

    commit(well, "validate", 1, **unresolved(payment=1200, staff=0, currency=3))

    alerts = {alert.owner: alert.what for alert in health(well).alerts}

    owners = [CATALOGUE.raw[table].owner for table in ("payment", "currency")]
    assert list(alerts) == sorted(set(owners), key=owners[::-1].index)
    said = " ".join(alerts.values())
    assert "3 of currency" in said
    assert "1,200 of payment" in said
    assert "staff" not in said
    assert "dead-letters in the runbook" in words(health(well))
    commit(well, "validate", 2, **unresolved(currency=0))
    assert health(well).alerts == ()


def test_quarantined_rows_of_a_paused_table_are_dead_letters_too(well: Site) -> None:
    pause = Pause("Column phone is missing.", "2026-11-28T14:48:00.000Z", quarantined=7)
    state = SourceState(tables={"address": CaptureState(pause=pause)}).state
    commit(well, "capture", 2, tables=state["tables"])
    commit(well, "load", 2)
    assert "Rejected rows are not in the star: 7 of address." in {one.what for one in health(well).alerts}


def test_every_page_of_every_site_shows_it_at_its_head(week: Site, lake: Site) -> None:
    for site in (week, lake):
        for name in site.bucket.names(""):
            if name.endswith(".html") and name != pages.STATE:
                body = (site.bucket.get(name) or b"").decode()
                (frame,) = re.findall(r'<iframe class="state" src="([^"]+)"', body)
                assert frame == "../" * name.count("/") + pages.STATE, name
                assert "frame-src 'self'" in body
    publish_state(lake.clients, lake.bucket, CATALOGUE)
    assert b"has not been looked at" in (lake.bucket.get(pages.STATE) or b"")


def test_every_sheet_of_the_dashboard_shows_it(well: Site) -> None:
    pause = Pause("Column phone is missing.", "2026-11-28T14:48:00.000Z")
    state = SourceState(tables={"address": CaptureState(pause=pause)}).state
    commit(well, "capture", 2, tables=state["tables"])
    dashboard, source = load_dashboard(), Warehouse("postgresql:///nowhere")
    for name in dashboard.sheets_on("warehouse"):
        look = look_at(dashboard, name, [source], {}, datetime.now(UTC))
        frame = {
            "header_label": "Console",
            "parts": PARTS,
            "here": "/dashboard/",
            "title_of_all": "",
            "health": health(well),
            "role": None,
            "account": None,
        }
        page = render(dashboard, [source], look, frame)
        assert "address is not captured: Column phone is missing." in unescape(page)
