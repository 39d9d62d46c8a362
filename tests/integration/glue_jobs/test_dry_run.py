"""A dry run says what today's rules find in past captures, and changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from expectations.rules import Suite, load_suites
from glue_jobs.runtime import arguments
from glue_jobs.runtime.arguments import ArgumentError
from glue_jobs.validation import validate_run
from glue_jobs.validation.dry_run import DryRun, dry_run
from glue_jobs.validation.validate_run import ValidateArguments
from lakehouse.validation_dry_run import report_text
from tests.integration.glue_jobs.conftest import BOTH_ENGINES
from tests.lake import CAPTURE_INTERVAL, FIRST_CAPTURE, Lake, raw_row

DAY = timedelta(days=1)


def everything(lake: Lake) -> dict[str, Any]:
    """Every object of the lake, by its address, and every partition of the catalog."""
    objects = {
        (bucket, entry["Key"]): entry["ETag"]
        for bucket in lake.buckets.values()
        for page in lake.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for entry in page.get("Contents", ())
    }
    tables = [(contract.zone_info.database, contract.table) for contract in lake.catalogue.contracts]
    shown = {
        place: lake.glue.get_partitions(DatabaseName=place[0], TableName=place[1])["Partitions"]
        for place in tables
    }
    return {"objects": objects, "shown": {k: [p["Values"] for p in v] for k, v in shown.items()}}


def ask(lake: Lake, suites: dict[str, Suite], batch: int = 1) -> DryRun:
    """A dry run since the day of a batch."""
    with lake.stage("validate") as stage:
        return dry_run(stage, suites, (FIRST_CAPTURE + batch * CAPTURE_INTERVAL).date())


def without(suites: dict[str, Suite], table: str, names: set[str]) -> dict[str, Suite]:
    """The rules less some."""
    suite = suites[table]
    kept = tuple(rule for rule in suite.rules if rule.name not in names)
    return {**suites, table: replace(suite, rules=kept)}


def test_a_dry_run_says_what_is_found_now_and_was_found_then_and_changes_nothing(star_lake: Lake) -> None:
    rows = [raw_row("currency", 1), raw_row("currency", 2, currency_code="gbp"), raw_row("currency", 3)]
    star_lake.capture({"currency": rows, "staff": [raw_row("staff", 1)]}, live={"department": [1]})
    assert star_lake.validate() == 0
    star_lake.capture({"currency": [raw_row("currency", 4, currency_code="?")]})
    before = everything(star_lake)
    suites = dict(load_suites(load_catalogue()))

    same = ask(star_lake, suites)

    assert same.batches == (1, 2)
    assert (same.now["currency"].read, same.now["currency"].rejected) == (4, 2)
    # The second batch still waits.
    assert (same.then["currency"].read, same.then["currency"].rejected) == (3, 1)
    rules = set(same.then["currency"].broken)
    milder = ask(star_lake, without(suites, "currency", rules))
    assert not rules & set(milder.now["currency"].broken)
    assert milder.then == same.then
    for rule in rules:
        assert f"  {rule}: 0 rows, 1 then" in report_text(milder, suites)
    assert report_text(milder, suites).endswith("batches 1 to 2; nothing was changed")
    assert everything(star_lake) == before


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@BOTH_ENGINES
def test_the_job_says_the_same_where_there_is_no_laptop_and_changes_nothing(
    star_lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [raw_row("currency", 1), raw_row("currency", 2, currency_code="gbp")]
    star_lake.capture({"currency": rows})
    assert star_lake.validate() == 0
    star_lake.capture({"currency": [raw_row("currency", 4, currency_code="?")]})
    before = everything(star_lake)
    argv = [*star_lake.argv, "--dry_run_since", FIRST_CAPTURE.date().isoformat()]
    capsys.readouterr()
    with star_lake.stage("validate") as stage:
        assert validate_run.run(stage, arguments.parse(ValidateArguments, argv)) == 0
    said = lines_of(capsys.readouterr().out)
    (currency,) = [line for line in said if line["event"] == "validate.dry_run"]
    assert {name: currency[name] for name in ("table", "rows", "rejected_now", "rejected_then")} == {
        "table": "currency",
        "rows": 3,
        "rejected_now": 2,
        "rejected_then": 1,
    }
    assert sum(currency["broken_now"].values()) == 2 * sum(currency["broken_then"].values())
    assert [line["batches"] for line in said if line["event"] == "validate.dry_run_done"] == [2]
    assert everything(star_lake) == before


def test_a_day_that_is_none_is_refused_before_anything_is_read(star_lake: Lake) -> None:
    argv = [*star_lake.argv, "--dry_run_since", "yesterday"]
    with (
        star_lake.stage("validate") as stage,
        pytest.raises(ArgumentError, match="'yesterday', which is not"),
    ):
        validate_run.run(stage, arguments.parse(ValidateArguments, argv))


def test_only_captures_from_the_day_on_are_looked_at(star_lake: Lake) -> None:
    star_lake.capture({"currency": [raw_row("currency", 1)]})
    with star_lake.stage("validate") as stage:
        nothing = dry_run(stage, load_suites(stage.catalogue), (FIRST_CAPTURE + 9 * DAY).date())
    assert (nothing.batches, nothing.now) == ((), {})
    assert report_text(nothing, {}) == "nothing was captured since then"


def test_a_table_whose_rules_cannot_be_compiled_is_named(star_lake: Lake) -> None:
    star_lake.capture({"currency": [raw_row("currency", 1)], "design": [raw_row("design", 1)]})
    suites = {name: suite for name, suite in load_suites(load_catalogue()).items() if name != "design"}
    found = ask(star_lake, suites)
    assert list(found.now) == ["currency"]
    assert "design: not validated: this release knows no rules for it" in report_text(found, suites)
