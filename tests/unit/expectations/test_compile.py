"""What conditions rules are compiled to, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from catalog.yaml_lines import ContractError
from expectations.compile import EXPECTATIONS, compile_rules, needed_lookups
from expectations.rules import SATISFY, Lookup, Rule, Suite, load_suites

PAYMENT = load_catalogue().raw["payment"]


def compiled(kind: str, column: str = "payment_date", lookups: tuple[Lookup, ...] = (), **kwargs: Any) -> str:
    name = f"expect_column_value{'' if kind.startswith('lengths') else 's'}_{kind}"
    rule = Rule("one", "payment", "warn", "why", "who", name, {"column": column, **kwargs}, lookups)
    return compile_rules(Suite(PAYMENT, (rule,)), load_catalogue()).conditions[0]


def looked_up(table: str, on: str) -> Lookup:
    return Lookup(table=table, on=on)


@pytest.mark.parametrize(
    ("kind", "kwargs", "condition"),
    [
        ("to_not_be_null", {}, "payment_date IS NULL"),
        ("to_be_null", {}, "payment_date IS NOT NULL"),
        (
            "to_be_in_set",
            {"value_set": ["a", "it's"]},
            "payment_date IS NOT NULL AND NOT (payment_date IN ('a', ('it' || chr(39) || 's')))",
        ),
        (
            "to_not_be_in_set",
            {"column": "payment_amount", "value_set": [-1, 5]},
            (
                "payment_amount IS NOT NULL AND"
                " NOT (NOT (payment_amount IN (CAST(-1 AS DECIMAL(10,2)), CAST(5 AS DECIMAL(10,2)))))"
            ),
        ),
        (
            "to_be_between",
            {"column": "payment_amount", "min_value": 0.01, "max_value": 10**9, "strict_max": True},
            (
                "payment_amount IS NOT NULL AND NOT (payment_amount >= CAST(0.01 AS DECIMAL(10,2))"
                " AND CAST(payment_amount AS DECIMAL(12,2)) < CAST(1000000000 AS DECIMAL(12,2)))"
            ),
        ),
        (
            "to_match_regex",
            {"regex": r"\A(?:\d{4}\.)\z"},
            "payment_date IS NOT NULL AND NOT (matches(payment_date, '[0-9]{4}[.]'))",
        ),
        (
            "to_not_match_regex",
            {"regex": r"\A(?:a)|(?:b)\z"},
            "payment_date IS NOT NULL AND NOT (NOT finds(payment_date, ('^(?:a)|(?:b)' || chr(92) || 'z')))",
        ),
        (
            "lengths_to_equal",
            {"value": 10},
            "payment_date IS NOT NULL AND NOT (length_of(payment_date) = 10)",
        ),
        (
            "lengths_to_be_between",
            {"min_value": 1, "strict_min": True, "max_value": 10},
            (
                "payment_date IS NOT NULL"
                " AND NOT (length_of(payment_date) > 1 AND length_of(payment_date) <= 10)"
            ),
        ),
        (
            "to_satisfy",
            {"condition": "iso_date(payment_date) >= date_of(created_at)"},
            (
                "payment_date IS NOT NULL"
                " AND coalesce(NOT (iso_date(payment_date) >= date_of(created_at)), FALSE)"
            ),
        ),
        (
            "to_satisfy",
            {"condition": "length_of(payment_date) < 11 OR known.currency_id"},
            (
                "payment_date IS NOT NULL"
                " AND coalesce(NOT (length_of(payment_date) < 11 OR known__currency_id), FALSE)"
            ),
        ),
    ],
)
def test_an_expectation_is_a_condition_that_is_never_null(
    kind: str, kwargs: dict[str, Any], condition: str
) -> None:
    assert compiled(kind, **kwargs) == condition


def test_every_expectation_that_can_be_compiled_is_tried_here() -> None:
    assert len(EXPECTATIONS) == 10


@pytest.mark.parametrize(
    ("kind", "kwargs", "complaint"),
    [
        ("to_be_unique", {}, "is not one of"),
        ("to_be_in_set", {"value_set": []}, "a list with something in it"),
        ("to_be_in_set", {"value_set": [1]}, "1 is no value of text"),
        ("to_be_in_set", {"value_set": [None]}, "None is no value of text"),
        ("to_be_in_set", {"column": "payment_id", "value_set": [True]}, "True is no value of integer"),
        ("to_be_in_set", {"column": "payment_id", "value_set": [1.5]}, "1.5 is no value of integer"),
        ("to_be_in_set", {"column": "created_at", "value_set": ["2024"]}, "no value of timestamp"),
        ("to_be_between", {"min_value": 1}, "a range of text is stated as a condition"),
        ("to_be_between", {"column": "batch", "min_value": 1}, "names no column"),
        (
            "to_be_between",
            {"column": "version_id", "min_value": 1},
            "a range of bigint is stated as a condition",
        ),
        ("to_be_between", {"column": "payment_id"}, "min_value, max_value or both"),
        ("to_be_between", {"column": "payment_id", "min_value": "1"}, "'1' is no number"),
        ("to_be_between", {"column": "payment_id", "min_value": float("nan")}, "nan is no number"),
        ("to_be_between", {"column": "payment_id", "min_value": 1 + 10**15}, "more than 15 digits"),
        ("to_match_regex", {"column": "payment_id", "regex": "1"}, "needs text"),
        ("to_match_regex", {}, "states no regex"),
        ("to_match_regex", {"regex": "(?i)a"}, "a group has no flags"),
        ("lengths_to_equal", {"value": None}, "None is no number"),
        ("to_satisfy", {}, "states no condition"),
        ("to_satisfy", {"condition": "payment_date"}, "is text, which boolean does not hold"),
        ("to_satisfy", {"condition": "staff.location = 'x'"}, "there is no column staff.location"),
        ("to_not_be_null", {"mostly": 0.9}, "takes no mostly"),
        ("to_be_null", {"lookups": (looked_up("colour", "currency_id"),)}, "no raw table colour to look up"),
        (
            "to_satisfy",
            {"condition": "paid", "lookups": (looked_up("colour", "currency_id"),)},
            "there is no raw table colour",
        ),
        (
            "to_satisfy",
            {"condition": "paid", "lookups": (looked_up("currency", "known.currency_id"),)},
            "nothing before the lookup of currency has the column known.currency_id",
        ),
        (
            "to_satisfy",
            {
                "condition": "currency.created_at = created_at",
                "lookups": (looked_up("currency", "currency_id"),),
            },
            "there is no column currency.created_at",
        ),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_words(
    kind: str, kwargs: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ContractError, match=f"the rule one of payment cannot be used: .*{complaint}"):
        compiled(kind, **kwargs)


def test_lookups_are_read_for_the_columns_that_rules_name() -> None:
    assert needed_lookups(load_suites()["payment"]) == {
        "transaction": ("purchase_order_id", "sales_order_id"),
        "sales_order": ("unit_price", "units_sold"),
        "purchase_order": ("item_quantity", "item_unit_price"),
    }


def test_a_condition_reads_its_columns_by_flat_names() -> None:
    found = compile_rules(load_suites()["payment"], load_catalogue())
    assert {
        "sales_order__unit_price",
        "known__currency_id",
        "captured_at",
        "unrepresentable",
    } <= found.columns
    assert not any("." in name for name in found.columns)


def test_the_business_states_what_great_expectations_lacks_as_a_condition() -> None:
    kinds = {rule.type for suite in load_suites().values() for rule in suite.rules}
    assert SATISFY in kinds
    assert kinds <= set(EXPECTATIONS)
