"""The validation site on an endpoint: complete, incremental, taken up where a run died, without a value."""

from __future__ import annotations

import json
import logging
import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from expectations import validation_report
from expectations.rules import SATISFY, load_suites
from glue_jobs import build_sites
from glue_jobs.documentation import validation_site
from glue_jobs.documentation.bucket import CONTENT_TYPES, Bucket
from glue_jobs.lake import approvals
from glue_jobs.lake.commits import CommitLog
from glue_jobs.lake.validation_state import STAGE, ValidationState, result_key, validated_batches
from glue_jobs.runtime import log
from glue_jobs.runtime.arguments import ArgumentError
from sites.validation import entries, pages
from sites.validation.data_docs import rendered
from tests.lake import Lake, raw_row
from tools.site_screenshot import commit_week

from .conftest import Site, new_site

STEPS = (
    "site.batches_written",
    "site.days_written",
    "site.noted",
    "site.index_written",
)


def document(table: str, **changes: Any) -> dict[str, Any]:
    """A validation result in which a row broke the table's last rule."""
    suite = load_suites()[table]
    meta = {"table": table, "batch": 1, "judged_at": "2026-11-16T10:00:00.000Z", "deletions": 0}
    counts = {"read": 9, "rejected": 0, "warned": 1}
    made = validation_report.validation_result(suite, 9, {suite.rules[-1].name: 1}, {}, {**meta, **counts})
    return {**made, **changes}


# --- what a page says ------------------------------------------------------------------------------


@pytest.mark.parametrize("table", sorted(load_suites()))
def test_great_expectations_renders_every_rule_with_its_owner_and_why_where_it_is_broken(
    table: str, caplog: pytest.LogCaptureFixture
) -> None:
    # The library logs what it cannot render, and goes on without it.
    with caplog.at_level(logging.WARNING):
        page = rendered(document(table))
    assert caplog.records == []
    rules = load_suites()[table].rules
    rows = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if "<td" in row]
    words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)) for row in rows]
    stated = [row for row in words if "@" in row]
    assert len(stated) == len(rules)
    assert sum("fa-times" in row for row in rows) == 1
    said = [row for row in words if any(" ".join(rule.reason.split()) in unescape(row) for rule in rules)]
    assert [" ".join(rules[-1].reason.split()) in unescape(row) for row in said] == [True]
    for rule in rules:
        if rule.type == SATISFY and "'" not in str(rule.kwargs["condition"]):
            assert any("values must satisfy" in row and rule.owner in row for row in stated)


def test_of_a_result_only_counts_are_shown_whatever_else_it_holds() -> None:
    made = document("staff")
    for result in made["results"]:
        for name in (
            "partial_unexpected_list",
            "unexpected_list",
            "partial_unexpected_counts",
            "observed_value",
        ):
            result["result"][name] = ["ada@example.org"]
        result["result"]["details"] = {"observed": "ada@example.org"}
        result["exception_info"] = {"raised_exception": True, "exception_message": "ada@example.org"}
    assert "ada@" not in rendered(made)


def test_the_same_result_gives_the_same_page() -> None:
    assert rendered(document("payment")) == rendered(document("payment"))


# --- what a site consists of -----------------------------------------------------------------------


def test_a_week_has_a_page_for_every_batch_and_day_and_an_index_and_every_link_leads_to_one(
    week: Site,
) -> None:
    found = week.objects()
    commits = CommitLog(week.s3, week.ingestion, STAGE).after(0)
    judged = [one for commit in commits for one in validated_batches(commit)]
    assert len({one.day for one in judged}) == 7
    expected = {f"validation/{pages.batch_page_name(one.table, one.batch)}" for one in judged}
    expected |= {f"validation/days/{one.day}.html" for one in judged}
    expected |= {f"validation/state/days/{one.day}.json" for one in judged}
    expected |= {"index.html", "assets/site.css", "validation/index.html", "validation/assets/site.css"}
    assert set(found) == expected | {"validation/state/site.json"}
    linked = {"index.html"}
    for key, body in found.items():
        for target in re.findall(r'href="([^"#]+)', body.decode()):
            if target != "data:,":
                there = posixpath.normpath(posixpath.join(posixpath.dirname(key), unquote(target)))
                assert there in found, f"{key} links {target}"
                linked.add(there)
    assert {key for key in found if key.endswith(".html")} <= linked


def test_every_object_says_what_it_is(week: Site) -> None:
    for key in week.bucket.names(""):
        head = week.s3.head_object(Bucket=week.bucket.name, Key=key)
        assert head["ContentType"] == CONTENT_TYPES[f".{key.rpartition('.')[2]}"]
        assert head["CacheControl"] == "no-cache"


def test_the_index_says_the_sums_of_what_was_committed(week: Site) -> None:
    commits = CommitLog(week.s3, week.ingestion, STAGE).after(0)
    counts = [table.counts for commit in commits for table in commit.tables.values()]
    index = (week.bucket.get("validation/index.html") or b"").decode()
    figures = re.findall(r'<p class="figure">([\d,]+)<', index)[:4]
    opened = sum(ValidationState.of(commits[-1]).unresolved_rows.values())
    expected = [sum(one[name] for one in counts) for name in ("accepted", "rejected", "warned")]
    assert [int(figure.replace(",", "")) for figure in figures] == [*expected, opened]
    assert f"As of batch {commits[-1].last_batch}," in index


# --- how it is built -------------------------------------------------------------------------------


def test_a_run_writes_what_is_new_and_leaves_past_batches_alone(site: Site) -> None:
    commit_week(site.s3, site.ingestion, days=1, batches=1)
    assert any(key.startswith("validation/batches/") for key in site.build())
    assert site.build() == []
    commit_week(site.s3, site.ingestion, days=2, batches=1)
    written = site.build()
    batches = [key for key in written if "/batches/" in key]
    assert batches
    assert all(key.endswith("/2.html") for key in batches)
    assert sorted(set(written) - set(batches)) == [
        "validation/days/2026-11-17.html",
        "validation/index.html",
        "validation/state/days/2026-11-17.json",
        "validation/state/site.json",
    ]


def test_another_template_makes_the_pages_of_batches_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_week(site.s3, site.ingestion, days=1, batches=1)
    first = [key for key in site.build() if "/batches/" in key]
    monkeypatch.setattr(pages, "template_version", lambda: "another")
    assert [key for key in site.build() if "/batches/" in key] == first
    assert site.build() == []


def test_what_another_lake_validated_counts_for_nothing(site: Site) -> None:
    commit_week(site.s3, site.ingestion, days=1, batches=1)
    first = [key for key in site.build() if "/batches/" in key]
    noted = json.loads(site.bucket.get(validation_site.PROGRESS) or b"{}")
    site.bucket.put(validation_site.PROGRESS, json.dumps({**noted, "lake": "another"}).encode())
    for key in first:
        site.s3.delete_object(Bucket=site.bucket.name, Key=key)
    assert [key for key in site.build() if "/batches/" in key] == first


class Killed(BaseException):
    """Ends a run as a kill does: nothing of the job can catch it."""


def test_a_run_that_is_killed_at_any_step_is_completed_by_the_next(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation_site, "AT_ONCE", 1)
    commit_week(site.s3, site.ingestion, days=2, batches=1)
    with new_site(tmp_path / "never killed") as never_killed:
        commit_week(never_killed.s3, never_killed.ingestion, days=2, batches=1)
        never_killed.build()
        expected = never_killed.objects()
    steps: list[str] = []

    def dies_at(name: str) -> Any:
        def step(done: str, **_: Any) -> None:
            steps.append(done)
            if done == name:
                raise Killed

        return step

    for name in STEPS:
        monkeypatch.setattr(log, "step", dies_at(name))
        with pytest.raises(Killed):
            site.build()
    monkeypatch.setattr(log, "step", dies_at(""))
    site.build()
    assert set(steps) == set(STEPS)
    assert site.objects() == expected


def test_of_two_runs_side_by_side_neither_takes_back_what_the_other_said(site: Site) -> None:
    rows = entries.Entry("payment", 1, "2026-11-16T10:00:00.000Z", 5, 0, 0, 0, ())
    others = [entries.Entry("payment", batch, rows.judged_at, 5, 0, 0, 0, ()) for batch in (2, 3)]

    def added(known: bytes | None, more: entries.Entry) -> bytes:
        return entries.to_json(entries.merged(entries.from_json(known) if known else (), [more]))

    def slow(known: bytes | None) -> bytes:
        if others:
            other = others.pop()
            site.bucket.change("day.json", lambda found: added(found, other))
        return added(known, rows)

    site.bucket.change("day.json", slow)
    found = entries.from_json(site.bucket.get("day.json") or b"")
    assert [entry.batch for entry in found] == [3, 2, 1]


def test_who_is_refused_by_s3_hears_it(site: Site) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        Bucket(site.s3, "no-such-bucket").change("a.html", lambda _: b"")


def test_a_verdict_whose_results_are_not_written_yet_waits_with_all_after_it(site: Site) -> None:
    first, second, _ = commit_week(site.s3, site.ingestion, days=3, batches=1)
    table = min(second.tables)
    key = result_key(table, 2)
    kept = site.s3.get_object(Bucket=site.ingestion, Key=key)["Body"].read()
    site.s3.delete_object(Bucket=site.ingestion, Key=key)
    written = [name for name in site.build() if "/batches/" in name]
    assert {name.rpartition("/")[2] for name in written} == {"1.html"}
    assert len(written) == len(first.tables)
    site.s3.put_object(Bucket=site.ingestion, Key=key, Body=kept)
    assert {name.rpartition("/")[2] for name in site.build() if "/batches/" in name} == {"2.html", "3.html"}


def test_before_the_first_verdict_there_is_a_site_that_says_so_and_says_what_is_held(site: Site) -> None:
    site.build()
    assert b"No batch has been validated yet." in (site.bucket.get("validation/index.html") or b"")
    rejected = {"payment/1": {"read": 50, "rejected": 40, "rules": {"due_date_is_a_date": 40}}}
    approvals.await_approval(site.s3, site.ingestion, rejected, "2026-11-16T10:00:00.000Z")
    assert "validation/index.html" in site.build()
    assert b"Batch 1 waits for a person." in (site.bucket.get("validation/index.html") or b"")
    # Corrected rules judged it, or a person let it through: nobody is waited for any more.
    assert approvals.waiting(site.s3, site.ingestion, validated=1) == []
    approvals.approve(site.s3, site.ingestion, "2026-11-16T11:00:00.000Z")
    assert approvals.waiting(site.s3, site.ingestion, validated=0) == []
    site.build()
    assert b"waits for a person" not in (site.bucket.get("validation/index.html") or b"")


def test_the_front_page_links_the_catalogue_once_there_is_one(site: Site) -> None:
    site.build()
    assert b"catalogue/" not in (site.bucket.get("index.html") or b"")
    site.bucket.put("catalogue/index.html", b"")
    assert site.build() == ["index.html"]
    assert b'href="catalogue/index.html"' in (site.bucket.get("index.html") or b"")


# --- from rows to pages ----------------------------------------------------------------------------


def test_the_site_shows_real_verdicts_and_no_value_of_any_row(
    star_lake: Lake,
) -> None:
    values = {
        "first_name": "Zzfirstname",
        "last_name": "Zzlastname",
        "email_address": "ZZ not an address",
        "unrepresentable": '{"last_updated": "Zzunrepresentable"}',
    }
    contact = {"commercial_contact": "Zzcontact", "counterparty_legal_name": "Zzlegalname"}
    star_lake.capture(
        {
            "staff": [
                raw_row("staff", 900_000_001, **values),
                raw_row("staff", 2, **{**values, "unrepresentable": None}),
            ],
            "counterparty": [raw_row("counterparty", 1, legal_address_id=900_000_002, **contact)],
            "design": [raw_row("design", 1, design_name="Zzdesign", file_name="Zz file")],
        },
        live={"address": [1], "department": [1]},
    )
    assert star_lake.validate() == 0
    assert [len(star_lake.dead_letters(table)) for table in ("staff", "counterparty")] == [1, 1]
    s3 = star_lake.s3
    name = f"{star_lake.buckets['ingestion']}-documentation"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    argv = ["--ingestion_bucket", star_lake.buckets["ingestion"], "--documentation_bucket", name]
    assert build_sites.main(argv) == 0
    bucket = Bucket(s3, name)
    found = {key: bucket.get(key) or b"" for key in bucket.names("")}
    day = star_lake.commit("validate").tables["staff"].partitions[0].values["captured_date"]
    assert {"validation/batches/staff/1.html", f"validation/days/{day}.html"} <= set(found)
    text = "\n".join(body.decode("utf-8", "replace") for body in found.values())
    assert not re.search("zz|90000000", text, re.IGNORECASE)
    page = found["validation/batches/staff/1.html"].decode()
    assert re.search(r"<dt>Read</dt><dd>2</dd>.*<dt>Accepted</dt><dd>1</dd>", page, re.DOTALL)
    assert "A cell holds a value that its column" in page
    sql = f"SELECT * FROM shop_dead_letter.staff WHERE captured_date = DATE &#39;{day}&#39; AND batch = 1"
    assert sql in page
    recorded = json.loads(found[f"validation/state/days/{day}.json"])
    assert {entry["table"] for entry in recorded["entries"]} == {"staff", "counterparty", "design"}


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ArgumentError, match="--documentation_bucket is missing"):
        build_sites.main(["--ingestion_bucket", "b"])
