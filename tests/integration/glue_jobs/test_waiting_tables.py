"""A table whose rules cannot be compiled waits, and the others go on; nothing of it is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from catalog.catalogue import Catalogue
from expectations.rules import Suite, load_suites
from glue_jobs.lake.validation_state import ValidationState
from tests.lake import Lake, raw_row


@pytest.fixture
def unreadable(star_lake: Lake) -> set[str]:
    """Tables whose rules hold a condition that nobody can compile."""
    tables: set[str] = set()
    star_lake.suites = lambda catalogue: _spoilt(catalogue, tables)
    return tables


def _spoilt(catalogue: Catalogue, tables: Collection[str]) -> Mapping[str, Suite]:
    suites = dict(load_suites(catalogue))
    for table in tables:
        rules = suites[table].rules
        spoilt = dataclasses.replace(
            rules[0],
            name="unreadable",
            type="expect_column_values_to_satisfy",
            kwargs={**rules[0].kwargs, "condition": "soundex(created_at) = 1"},
        )
        suites[table] = dataclasses.replace(suites[table], rules=(*rules, spoilt))
    return suites


def waiting(lake: Lake) -> dict[str, tuple[int, ...]]:
    return dict(ValidationState.of(lake.commit("validate")).waiting)


def versions(lake: Lake, table: str, column: str) -> list[tuple[Any, ...]]:
    key = lake.catalogue.star[table].key[0]
    return [(row[key], row["batch_sequence"], row[column]) for row in lake.rows(table)]


def test_a_table_waits_while_its_rules_cannot_be_compiled_and_the_others_go_on(
    star_lake: Lake, unreadable: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1), raw_row("payment", 2)]})
    star_lake.transform("facts")
    unreadable.add("payment")
    star_lake.capture(
        {"payment": [raw_row("payment", 1, paid=True)], "sales_order": [raw_row("sales_order", 1)]}
    )
    assert star_lake.validate() == 1
    assert "the rule unreadable of payment cannot be used" in capsys.readouterr().out
    commit = star_lake.commit("validate")
    assert (commit.last_batch, list(commit.tables)) == (2, ["sales_order"])
    assert waiting(star_lake) == {"payment": (2,)}
    star_lake.facts()
    star_lake.capture({"payment": [raw_row("payment", 1, company_ac_number=5), raw_row("payment", 3)]})
    star_lake.capture({"currency": [raw_row("currency", 1)]})
    assert star_lake.validate() == 1
    star_lake.facts()
    assert waiting(star_lake) == {"payment": (2, 3)}
    assert versions(star_lake, "fact_payment", "paid") == [(1, 1, False), (2, 1, False)]
    unreadable.clear()
    # Without a batch nothing is begun; with the next one everything is taken up.
    assert star_lake.validate() == 0
    assert waiting(star_lake) == {"payment": (2, 3)}
    star_lake.capture({"payment": [raw_row("payment", 4, created_at=None)]})
    assert star_lake.validate() == 0
    assert waiting(star_lake) == {}
    commit = star_lake.commit("validate")
    assert (commit.first_batch, commit.last_batch) == (5, 5)
    assert commit.tables["payment"].counts == {"read": 4, "accepted": 3, "rejected": 1, "warned": 0}
    assert list(ValidationState.of(commit).results["payment"]) == [2, 3, 5]
    star_lake.facts()
    assert versions(star_lake, "fact_payment", "paid") == [
        (1, 1, False),
        (1, 2, True),
        (1, 3, False),
        (2, 1, False),
        (3, 3, False),
    ]


def test_a_dimension_takes_up_what_waited_over_what_was_inferred_and_joined_meanwhile(
    star_lake: Lake, unreadable: set[str]
) -> None:
    unreadable.update({"design", "department"})
    star_lake.capture(
        {
            "design": [raw_row("design", 7, design_name="first")],
            "department": [raw_row("department", 1, department_name="Sewing")],
        },
        live={"design": [7], "department": [1]},
    )
    assert star_lake.validate() == 1
    star_lake.capture(
        {
            "sales_order": [raw_row("sales_order", 1, design_id=7)],
            "staff": [raw_row("staff", 3, department_id=1)],
        },
        live={"design": [7], "department": [1]},
    )
    # What waits was there: who refers to it is accepted.
    assert star_lake.validate() == 1
    assert waiting(star_lake) == {"department": (1,), "design": (1,)}
    assert star_lake.dead_letters("staff") == star_lake.dead_letters("sales_order") == []
    star_lake.dimensions()
    assert [row["is_inferred"] for row in star_lake.rows("dim_design")] == [True]
    unreadable.clear()
    star_lake.capture({"currency": [raw_row("currency", 1)]})
    assert star_lake.validate() == 0
    star_lake.dimensions()
    (design,) = star_lake.rows("dim_design")
    assert (design["design_name"], design["is_inferred"]) == ("first", False)
    departments = {row["staff_id"]: row["department_name"] for row in star_lake.rows("dim_staff")}
    assert departments[3] == "Sewing"


def test_a_rule_looks_into_a_table_that_waits(star_lake: Lake, unreadable: set[str]) -> None:
    unreadable.add("transaction")
    star_lake.capture(
        {
            "sales_order": [raw_row("sales_order", 1, units_sold=1000)],
            "transaction": [raw_row("transaction", 1)],
        }
    )
    assert star_lake.validate() == 1
    star_lake.capture({"payment": [raw_row("payment", 1), raw_row("payment", 2, payment_amount=2500)]})
    assert star_lake.validate() == 1
    (result,) = ValidationState.of(star_lake.commit("validate")).results["payment"].values()
    assert result.broken == {"amount_is_units_times_price": 1}
