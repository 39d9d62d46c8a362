"""The split of rows and Great Expectations' own judgement never disagree."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from catalog.catalogue import load_catalogue
from expectations import gx, report, verdict
from expectations.rules import load_suites
from expectations.verdict import Judge
from glue_jobs.star import conditions, context
from tests.spark_lake import FIRST_CAPTURE, at

SUITE = load_suites()["payment"]
SCHEMA = context.schema_of(SUITE, load_catalogue())

ids = st.sampled_from([None, -1, 0, 1, 2_147_483_647])
known = st.sampled_from([None, True, False])
dates = st.sampled_from(
    [None, "2024-11-20", "2024-02-30", "2024-11-20\n", "2024-11-13", "tomorrow", "", "2024-1-1"]
)
moments = st.sampled_from(
    [None, at("2024-11-14 09:30:00.123"), at("2031-01-01 00:00:00"), at("0001-01-01 00:00:00")]
)
money = st.sampled_from([None, Decimal("-0.01"), Decimal("0.00"), Decimal("2.50"), Decimal("99999999.99")])
rows = st.fixed_dictionaries(
    {
        "payment_id": ids,
        "created_at": moments,
        "last_updated": moments,
        "transaction_id": ids,
        "counterparty_id": ids,
        "payment_amount": money,
        "currency_id": ids,
        "payment_type_id": ids,
        "paid": known,
        "payment_date": dates,
        "company_ac_number": st.sampled_from([None, -1, 99_999_999, 100_000_000]),
        "counterparty_ac_number": ids,
        "operation": st.sampled_from(["insert", "update"]),
        "version_id": st.just(7),
        "captured_at": st.just(FIRST_CAPTURE),
        "unrepresentable": st.sampled_from([None, '{"payment_amount": "NaN"}']),
        "captured_date": st.just(FIRST_CAPTURE.date()),
        "batch": st.just(1),
        "known": st.fixed_dictionaries({one.column: known for one in SUITE.contract.references}),
        "transaction": st.fixed_dictionaries({"sales_order_id": ids, "purchase_order_id": ids}),
        "sales_order": st.none() | st.just({"units_sold": 2, "unit_price": Decimal("1.25")}),
        "purchase_order": st.none() | st.just({"item_quantity": 1, "item_unit_price": Decimal("2.50")}),
    }
)


@pytest.fixture(scope="module")
def judge(spark: SparkSession) -> Judge:
    """The judge by what Great Expectations says now, and not by what is kept."""
    return Judge(SUITE, conditions.asked(load_catalogue(), {"payment": SUITE}, spark)["payment"])


def frame(spark: SparkSession, found: list[dict[str, Any]]) -> DataFrame:
    chosen = StructType([SCHEMA[name] for name in found[0]])
    return spark.createDataFrame(found, chosen, verifySchema=False).select(*SCHEMA.names).cache()


def test_the_kept_conditions_are_what_great_expectations_says(judge: Judge) -> None:
    kept = json.loads(conditions.ANSWERS.read_text(encoding="utf-8"))["payment"]["conditions"]
    assert tuple(kept) == judge.conditions


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(rows, min_size=12, max_size=40))
def test_report_and_split_say_the_same(
    spark: SparkSession, judge: Judge, found: list[dict[str, Any]]
) -> None:
    judged = frame(spark, found)
    marked = verdict.marked(judged, judge)
    said = verdict.verdicts(judge, verdict.tallied(marked, judge).collect())[1]
    # Rows are split by the rules that were found broken, and by no other.
    broken = judge.narrowed(said.broken)
    accepted, rejected = verdict.split(verdict.marked(judged, broken), broken)
    letters = [json.loads(row[verdict.BROKEN_RULES]) for row in rejected.collect()]
    assert (accepted.count(), len(letters)) == (said.read - said.rejected, said.rejected)

    theirs: dict[str, Any] = gx.judged_by_gx(SUITE, judged).to_json_dict()  # type: ignore[no-untyped-call]
    empty = verdict.empty_cells(judge, said)
    ours = report.validation_result(SUITE, said.read, said.broken, empty, {})
    assert ours["statistics"] == theirs["statistics"]
    # The library groups its results by column.
    by_rule = {its["expectation_config"]["meta"]["rule"]: its for its in theirs["results"]}
    for mine, rule in zip(ours["results"], SUITE.rules, strict=True):
        its = by_rule.pop(rule.name)
        assert mine["success"] == its["success"], rule.name
        assert mine["result"] == {"partial_unexpected_list": [], **its["result"]}, rule.name
    assert not by_rule
    severe = {rule.name for rule in SUITE.rules if rule.severity == "reject"}
    for letter in letters:
        assert severe & {rule["rule"] for rule in letter}
    for name in severe:
        assert sum(name in {rule["rule"] for rule in letter} for letter in letters) == said.broken.get(
            name, 0
        )
