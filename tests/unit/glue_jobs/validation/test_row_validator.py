from __future__ import annotations

import dataclasses
import json
from typing import Any

import pyarrow as pa
import pytest

from catalog.arrow import arrow_schema
from catalog.catalogue import load_catalogue
from expectations.rules import Rule, Suite
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.validation_state import ValidationResult
from glue_jobs.validation import row_validator
from glue_jobs.validation.row_validator import BROKEN_RULES, RowValidator

CONTRACT = load_catalogue().raw["payment"]
SCHEMA = pa.schema([*arrow_schema(CONTRACT), ("batch", pa.int64())])
ODD = "the \"quoted\" amount's \\d+\nis ${odd} é or 'worse'"


def rule(name: str, severity: str, column: str, reason: str = ODD) -> Rule:
    return Rule(name, "payment", severity, reason, "owner", "expect_something", {"column": column})  # type: ignore[arg-type]


def validator(*rules: tuple[str, str, str, str]) -> RowValidator:
    """Of rules with name, severity, column and condition."""
    suite = Suite(CONTRACT, tuple(rule(name, severity, column) for name, severity, column, _ in rules))
    return RowValidator(suite, tuple(condition for *_, condition in rules))


THREE = validator(
    ("amount_is_given", "reject", "payment_amount", "payment_amount IS NULL"),
    ("is_paid", "warn", "paid", "paid IS NOT NULL AND NOT paid"),
    ("date_is_no_star", "reject", "payment_date", "payment_date = '*'"),
)


def insert(batch: int, **columns: Any) -> dict[str, Any]:
    return {"operation": "insert", "payment_amount": 1, "paid": True, "batch": batch, **columns}


ROWS = [
    insert(1, payment_id=1),
    insert(1, payment_id=2, paid=False),
    insert(1, payment_id=3, payment_amount=None, paid=False, payment_date="*"),
    {"operation": "delete", "payment_id": 4, "batch": 1},
    insert(2, payment_id=5, payment_date="*"),
]


def tallied(engine: Engine, some: RowValidator, rows: list[dict[str, Any]]) -> dict[int, ValidationResult]:
    engine.rows("payments", SCHEMA, rows)
    found = engine.fetch(row_validator.tally(some, "payments", len(some.flags) + 1))
    assert {row[row_validator.TABLE] for row in found} == {"payment"}
    return row_validator.results(some, found)


def test_rows_are_counted_by_what_they_break_and_deletions_apart(engine: Engine) -> None:
    # payment_date may not be empty by its contract: some rule of its own counts that.
    assert tallied(engine, THREE, ROWS) == {
        1: ValidationResult(
            read=4,
            rejected=1,
            warned=1,
            deletions=1,
            broken={"amount_is_given": 1, "is_paid": 2, "date_is_no_star": 1},
        ),
        2: ValidationResult(read=1, rejected=1, broken={"date_is_no_star": 1}),
    }


@pytest.mark.parametrize("rules", [61, 62, 63, 130])
def test_any_number_of_rules_is_counted(engine: Engine, rules: int) -> None:
    many = validator(
        *((f"rule_{index}", "warn", "paid", f"payment_id = {index}") for index in range(rules - 1)),
        ("last", "reject", "paid", "payment_id >= 60"),
    )
    rows = [insert(1, payment_id=index) for index in range(rules)]
    result = tallied(engine, many, [*rows, {"operation": "delete", "payment_id": 70, "batch": 1}])[1]
    assert result.broken == {**{f"rule_{index}": 1 for index in range(rules - 1)}, "last": rules - 60}
    assert (result.read, result.deletions, result.rejected) == (rules + 1, 1, rules - 60)


def test_empty_cells_are_counted_where_some_rule_speaks_of_a_column_that_may_be_empty(engine: Engine) -> None:
    nullable = dataclasses.replace(
        THREE.suite,
        contract=CONTRACT.model_copy(
            update={"columns": tuple(c.model_copy(update={"nullable": True}) for c in CONTRACT.columns)}
        ),
    )
    some = RowValidator(nullable, THREE.conditions)
    assert some.emptiable == ("payment_amount", "paid", "payment_date")
    assert tallied(engine, some, ROWS)[1].empty == {"payment_amount": 1, "payment_date": 2}


def test_rows_are_split_by_what_rejects_and_say_everything_that_they_break(engine: Engine) -> None:
    engine.rows("payments", SCHEMA, ROWS)
    narrowed = THREE.narrowed({"amount_is_given", "is_paid", "date_is_no_star"})
    kept = engine.fetch(row_validator.accepted(narrowed, "payments", ["payment_id", "batch"]))
    assert sorted(row["payment_id"] for row in kept) == [1, 2, 4]
    dead = {
        row["payment_id"]: json.loads(row[BROKEN_RULES])
        for row in engine.fetch(row_validator.rejected(narrowed, "payments", ["payment_id"]))
    }
    assert {key: [found["rule"] for found in broken] for key, broken in dead.items()} == {
        3: ["amount_is_given", "is_paid", "date_is_no_star"],
        5: ["date_is_no_star"],
    }
    assert dead[5] == [{"rule": "date_is_no_star", "severity": "reject", "reason": ODD}]


def test_a_condition_that_is_neither_true_nor_false_breaks_nothing(engine: Engine) -> None:
    unknown = validator(("unknown", "reject", "paid", "CAST(NULL AS BOOLEAN)"))
    result = tallied(engine, unknown, [insert(1, payment_id=1)])[1]
    assert (result.rejected, result.broken) == (0, {})
    assert len(engine.fetch(row_validator.accepted(unknown, "payments", ["payment_id"]))) == 1


def test_narrowed_to_nothing_everything_is_accepted(engine: Engine) -> None:
    engine.rows("payments", SCHEMA, ROWS)
    none = THREE.narrowed(())
    assert len(engine.fetch(row_validator.accepted(none, "payments", ["payment_id"]))) == len(ROWS)
    assert none.conditions == ()


def test_names_in_literals_are_no_columns() -> None:
    texts = ["payment_id = 1 AND paid = 'it''s company_ac_number' OR known__currency_id"]
    assert {"payment_id", "paid", "known__currency_id"} <= row_validator.names_in(texts)
    assert "company_ac_number" not in row_validator.names_in(texts)


def test_too_many_are_more_than_the_share_and_at_least_the_minimum() -> None:
    few = ValidationResult(read=9, rejected=9)
    ten = ValidationResult(read=60, rejected=10, deletions=10)
    assert not row_validator.too_many(few, 0.2, 10)
    assert not row_validator.too_many(ten, 0.2, 10)
    assert row_validator.too_many(dataclasses.replace(ten, deletions=11), 0.2, 10)


def test_empty_cells_are_those_counted_by_themselves_and_those_of_a_rule() -> None:
    given = Rule(
        "amount_is_given",
        "payment",
        "reject",
        "why",
        "owner",
        "expect_column_values_to_not_be_null",
        {"column": "payment_amount"},
    )
    some = RowValidator(Suite(CONTRACT, (given,)), ("payment_amount IS NULL",))
    result = ValidationResult(broken={"amount_is_given": 3}, empty={"paid": 1})
    assert row_validator.empty_cells(some, result) == {"payment_amount": 3, "paid": 1}
