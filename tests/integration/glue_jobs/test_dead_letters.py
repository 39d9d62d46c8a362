"""Rejected rows: kept whole with the reason, alone, listed, replayed once, and closed by what is newer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.lake import approvals
from glue_jobs.lake.validation_state import result_key
from glue_jobs.validation.approval import BatchAwaitsApproval, Limits
from glue_jobs.validation.replay import REPLAYED
from lakehouse.dead_letters import open_dead_letters
from tests.integration.glue_jobs.conftest import BOTH_ENGINES, relax
from tests.lake import Lake, at, deletion, raw_row

ODD = "\u202eright to left\u202c \U0001f45c 'quoted' \"twice\"\r\n; DROP TABLE x -- " + "é" * 100_000


def rules_of(letter: dict[str, Any]) -> list[str]:
    return [rule["rule"] for rule in json.loads(letter["broken_rules"])]


@BOTH_ENGINES
def test_one_poison_row_is_rejected_alone_with_everything_that_it_was(star_lake: Lake) -> None:
    poison = raw_row(
        "design",
        77,
        design_name=ODD,
        created_at=None,
        version_id=4_294_967_300,
        unrepresentable='{"created_at": "4713-01-01 00:00:00 BC"}',
    )
    others = [raw_row("design", key, design_name=ODD) for key in range(1, 501) if key != 77]
    batch = star_lake.capture({"design": [*others, poison], "currency": [raw_row("currency", 1)]})
    assert star_lake.validate() == 0
    assert star_lake.commit("validate").tables["design"].counts == {
        "read": 500,
        "accepted": 499,
        "rejected": 1,
        "warned": 499,
    }
    (letter,) = star_lake.dead_letters("design")
    assert {name: letter[name] for name in poison} == poison
    assert rules_of(letter) == ["representable", "created_at_is_given", "file_name_has_shape"]
    (rejected, *_) = json.loads(letter["broken_rules"])
    assert rejected["severity"] == "reject"
    assert "its text stands in unrepresentable" in rejected["reason"]
    kept = star_lake.accepted("design")
    assert sorted(row["design_id"] for row in kept) == [row["design_id"] for row in others]
    assert {row["design_name"] for row in kept} == {ODD}
    # What nothing rejected is passed on as it was captured, not copied.
    captured = star_lake.commit("capture").tables["currency"].partitions
    assert star_lake.commit("validate").tables["currency"].partitions == captured
    (shown,) = star_lake.glue.get_partitions(DatabaseName="shop_dead_letter", TableName="design")[
        "Partitions"
    ]
    assert shown["Values"][-1] == str(batch)
    star_lake.dimensions()
    assert 77 not in {row["design_id"] for row in star_lake.rows("dim_design")}


@pytest.mark.parametrize(("poison", "copied"), [((77,), [1, 2]), ((5, 205), []), ((None,), [])])
def test_objects_that_hold_no_rejected_row_are_passed_on_as_they_were_captured(
    star_lake: Lake, poison: tuple[int | None, ...], copied: list[int]
) -> None:
    spoilt = [raw_row("payment", key or 301, currency_id=None) for key in poison]
    spoilt = [{**row, "payment_id": key} for row, key in zip(spoilt, poison, strict=True)]
    good = [raw_row("payment", key) for key in range(1, 301) if key not in poison]
    rows = sorted([*good, *spoilt], key=lambda row: row["payment_id"] or 301)
    star_lake.capture({"payment": rows}, rows_an_object=101 if poison == (None,) else 100)
    assert star_lake.validate() == 0
    captured = star_lake.commit("capture").tables["payment"].partitions[0].objects
    judged = star_lake.commit("validate").tables["payment"]
    passed = judged.partitions[0].objects
    assert [number for number, data in enumerate(captured) if data in passed] == copied
    kept = star_lake.accepted("payment")
    assert sorted(row["payment_id"] for row in kept) == [row["payment_id"] for row in good]
    letters = star_lake.dead_letters("payment")
    assert sorted((row["payment_id"] for row in letters), key=str) == sorted(poison, key=str)


def test_a_deletion_is_never_rejected_and_closes_the_dead_letter_of_its_key(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", key, currency_id=None) for key in (1, 2, 3)]})
    star_lake.validate()
    assert star_lake.open_dead_letters() == {"payment": 3}
    star_lake.capture({"payment": [deletion("payment", 1), raw_row("payment", 2)]})
    star_lake.validate()
    assert star_lake.open_dead_letters() == {"payment": 1}
    (left,) = open_dead_letters(star_lake.s3, star_lake.buckets["ingestion"], load_catalogue())
    assert (left.table, left.key, left.batch) == ("payment", 3, 1)
    assert [rule["rule"] for rule in left.rules] == ["currency_id_is_given"]


def test_a_batch_of_which_too_much_is_rejected_waits_for_a_person(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", key, currency_id=None) for key in range(1, 11)]})
    with pytest.raises(BatchAwaitsApproval, match=r"10 of 10 rows of payment in batch 1 .* more than 20%"):
        star_lake.validate()
    assert star_lake.log("validate").latest() is None
    bucket = star_lake.buckets["ingestion"]
    assert approvals.approve(star_lake.s3, bucket, "2024-11-15T10:00:00.000Z") == 1
    assert star_lake.validate() == 0
    assert star_lake.open_dead_letters() == {"payment": 10}
    # What is let through is let through once: the same in a later batch is another verdict.
    star_lake.capture({"payment": [raw_row("payment", key, currency_id=None) for key in range(1, 11)]})
    with pytest.raises(BatchAwaitsApproval, match="lakehouse release --rejected"):
        star_lake.validate()
    assert star_lake.validate(Limits(share=1.0)) == 0


def test_a_replay_sends_on_what_passes_today_once(star_lake: Lake) -> None:
    good = raw_row("payment", 1, created_at=at("2024-11-14 09:30:00.123"))
    star_lake.capture({"payment": [good, raw_row("payment", 2, payment_date="2024-11-13")]})
    star_lake.capture({"payment": [raw_row("payment", 3, payment_date="2024-11-13")]})
    star_lake.transform("facts")
    assert star_lake.replay() == 0
    assert star_lake.log("capture").latest_sequence() == 2
    # The newer version of 3 is in; the business changes its mind about dates before creation.
    star_lake.capture({"payment": [raw_row("payment", 3, payment_date="2024-12-24")]})
    assert star_lake.replay() == 0
    assert star_lake.log("capture").latest_sequence() == 3
    star_lake.transform("facts")
    relax(star_lake)
    assert star_lake.replay() == star_lake.replay() == 0
    assert star_lake.log("capture").latest_sequence() == 4
    assert star_lake.commit("capture").state[REPLAYED] == {"payment": {"rows": 1, "batches": [1]}}
    star_lake.transform("facts")
    assert star_lake.open_dead_letters() == {}
    assert star_lake.replay() == 0
    assert star_lake.log("capture").latest_sequence() == 4
    dates = {row["payment_id"]: str(row["payment_date"]) for row in star_lake.rows("fact_payment")}
    assert dates == {1: "2024-11-20", 2: "2024-11-13", 3: "2024-12-24"}
    assert len(star_lake.rows("fact_payment")) == 3


def test_the_result_of_a_batch_is_kept_once_without_a_value(star_lake: Lake) -> None:
    star_lake.capture({"staff": [raw_row("staff", 1, email_address="Geheim@example", first_name=None)]})
    star_lake.validate()
    star_lake.validate()
    key = result_key("staff", 1)
    body = star_lake.s3.get_object(Bucket=star_lake.buckets["ingestion"], Key=key)["Body"].read().decode()
    document = json.loads(body)
    assert document["meta"]["rejected"] == 1
    broken = [
        found["expectation_config"]["meta"]["rule"] for found in document["results"] if not found["success"]
    ]
    assert broken == ["first_name_is_given", "email_address_has_shape"]
    assert "Geheim" not in body
