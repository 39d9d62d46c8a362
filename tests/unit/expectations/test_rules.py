"""Rules from contracts and from the business, and what is refused where they are stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.yaml_lines import ContractError
from expectations.compile import compile_rules
from expectations.rules import Suite, load_suites, suites

FINE = """rules:
  - name: paid_is_said
    table: payment
    severity: warn
    reason: Somebody has to say it.
    expectation:
      type: expect_column_values_to_not_be_null
      column: paid
"""


def stated(tmp_path: Path, text: str) -> dict[str, Suite]:
    (tmp_path / "own.yaml").write_text(text)
    found = dict(suites(load_catalogue(), tmp_path))
    for suite in found.values():
        compile_rules(suite, load_catalogue())
    return found


def test_every_statement_of_a_contract_is_a_rule() -> None:
    rules = {rule.name: rule for rule in load_suites()["payment"].rules}
    assert rules["representable"].severity == "reject"
    assert rules["paid_is_given"].type == "expect_column_values_to_not_be_null"
    assert dict(rules["company_ac_number_in_range"].kwargs) == {
        "column": "company_ac_number",
        "min_value": 0,
        "max_value": 99999999,
    }
    assert rules["transaction_id_is_known"].severity == "reject"
    assert rules["payment_date_has_shape"].severity == "warn"
    assert {rule.owner for rule in rules.values()} == {"finance@terrifictotes.example"}


def test_the_business_adds_to_what_a_contract_says(tmp_path: Path) -> None:
    found = stated(tmp_path, FINE)
    assert found["payment"].rules[-1].name == "paid_is_said"
    assert len(found["payment"].rules) == 1 + len(stated(tmp_path, "rules: []\n")["payment"].rules)


@pytest.mark.parametrize(
    ("was", "now", "complaint"),
    [
        ("table: payment", "table: payments", "own.yaml:3: there is no raw table payments"),
        (
            "column: paid",
            "column: payed",
            (
                "own.yaml:7: the rule paid_is_said of payment cannot be used: "
                "the expectation names no column of payment"
            ),
        ),
        ("severity: warn", "severity: maybe", "own.yaml:4: .*'reject' or 'warn'"),
        (
            "column: paid",
            "column: paid\n      mostly: 0.9",
            "own.yaml:7: .* a rule judges one row: .* takes no mostly",
        ),
        (
            "name: paid_is_said",
            "name: paid_is_given",
            "own.yaml:7: the rule paid_is_given .* a rule of this name already",
        ),
        (
            "column: paid",
            "column: paid\n      value_set: colours",
            "own.yaml:9: there is no value set colours",
        ),
        (
            "severity: warn",
            "severity: warn\n    lookups: [{table: sales_order, on: transaction.sales_order_id}]",
            "own.yaml:8: .* nothing before the lookup of sales_order has the column transaction.sales_order",
        ),
        (
            "severity: warn",
            "severity: warn\n    lookups: [{table: staff, on: currency_id}]",
            "own.yaml:8: .* no star table is built from staff alone",
        ),
        (
            "to_not_be_null",
            "to_be_unique",
            "own.yaml:7: .* is not one of expect_column_values_to_not_be_null",
        ),
        (
            "to_not_be_null\n      column: paid",
            "to_match_regex\n      column: payment_date\n      regex: '[0-9].*'",
            "own.yaml:9: .* state the characters, .* at character 6 of the pattern",
        ),
        (
            "to_not_be_null\n",
            "to_satisfy\n      condition: paid OR paid = 'yes'\n",
            "own.yaml:8: .* boolean and text are not of one kind, at character 14 of: paid OR paid = 'yes'",
        ),
        ("severity: warn", "severity: warn\n    because: so", "own.yaml:5: unknown key"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, was: str, now: str, complaint: str
) -> None:
    assert was in FINE
    with pytest.raises(ContractError, match=complaint):
        stated(tmp_path, FINE.replace(was, now))


def test_every_rule_of_the_business_says_why_and_who_decides() -> None:
    for suite in load_suites().values():
        for rule in suite.rules:
            assert len(rule.reason.split()) > 2, rule.name
            assert "@" in rule.owner, rule.name


def test_dead_letters_are_stated_by_the_raw_contract_alone() -> None:
    catalogue = load_catalogue()
    for name, raw in catalogue.raw.items():
        letters = catalogue.dead_letter[name]
        assert [c.name for c in letters.all_columns] == [*(c.name for c in raw.all_columns), "broken_rules"]
        assert [c.type for c in letters.columns[:-1]] == [c.type for c in raw.all_columns]
        assert [c.personal for c in letters.columns[:-1]] == [c.personal for c in raw.all_columns]
        assert (letters.prefix, raw.prefix) == (f"dead_letter/{name}/", f"raw/{name}/")
