"""Verdicts on captures on an endpoint: every row accounted for."""

from __future__ import annotations

import dataclasses

import pytest

from glue_jobs import validate_raw
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.runtime.arguments import ArgumentError
from glue_jobs.validation.count_checks import CountMismatch
from tests.lake import Lake, deletion, raw_row


def test_every_waiting_batch_is_judged_in_one_commit_and_counted_by_table(star_lake: Lake) -> None:
    star_lake.capture({"currency": [raw_row("currency", 1)], "payment": [raw_row("payment", 1)]})
    star_lake.capture({})
    star_lake.capture({"payment": [raw_row("payment", 1, paid=True), deletion("payment", 2)]})
    assert star_lake.validate() == 0
    commit = star_lake.commit("validate")
    assert (commit.sequence, commit.first_batch, commit.last_batch) == (1, 1, 3)
    assert {name: dict(table.counts) for name, table in commit.tables.items()} == {
        "currency": {"read": 1, "accepted": 1, "rejected": 0, "warned": 0},
        "payment": {"read": 3, "accepted": 3, "rejected": 0, "warned": 0},
    }
    assert commit.state["captured_at"] == star_lake.commit("capture").state["captured_at"]
    captured = [star_lake.log("capture").get(n) for n in (1, 3)]
    accepted = tuple(p for one in captured if one for p in one.tables["payment"].partitions)
    assert commit.tables["payment"].partitions == accepted


def test_nothing_waiting_commits_nothing(star_lake: Lake) -> None:
    assert star_lake.validate() == 0
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    assert star_lake.validate() == star_lake.validate() == 0
    assert star_lake.log("validate").latest_sequence() == 1


def test_a_batch_without_rows_is_covered(star_lake: Lake) -> None:
    star_lake.capture({})
    assert star_lake.validate() == 0
    assert (star_lake.commit("validate").last_batch, star_lake.commit("validate").tables) == (1, {})


def test_an_object_that_is_not_what_was_captured_is_not_judged(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    (partition,) = star_lake.commit("capture").tables["payment"].partitions
    path = star_lake.folder("ingestion") / partition.objects[0].key
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ChecksumMismatch, match="is not read"):
        star_lake.validate()
    assert star_lake.log("validate").latest() is None


def test_a_capture_that_names_other_rows_than_it_holds_is_refused(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    log = star_lake.log("capture")
    commit = star_lake.commit("capture")
    (partition,) = commit.tables["payment"].partitions
    wrong = dataclasses.replace(partition, objects=(dataclasses.replace(partition.objects[0], rows=2),))
    tables = {"payment": dataclasses.replace(commit.tables["payment"], partitions=(wrong,))}
    star_lake.s3.delete_object(Bucket=star_lake.buckets["ingestion"], Key=log.key(1))
    log.publish(dataclasses.replace(commit, tables=tables))
    with pytest.raises(CountMismatch, match=r"raw payment, batch 1: 1 rows were read where .* 2"):
        star_lake.validate()


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ArgumentError, match="--processed_bucket is missing"):
        validate_raw.main(["--ingestion_bucket", "b"])
