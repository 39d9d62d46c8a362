"""Great Expectations on Spark and compiled rules on both engines say the same of every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pyspark.sql import functions as F  # noqa: N812

from catalog.catalogue import load_catalogue
from catalog.expression import flat_name
from catalog.model import Column, Contract, attach_zone
from catalog.types import LogicalType, arrow_type
from catalog.yaml_lines import ContractError
from expectations import validation_report
from expectations.compile import EXPECTATIONS, compile_rules, rule_columns
from expectations.rules import SATISFY, Rule, Suite, load_suites
from tests import gx_on_spark
from tests.examples import examples
from tests.invented import COLUMNS, ROW, WORDS, expressions, in_order, patterns, rows
from tests.sql_engines import PlainDuckDB, PlainSpark

CATALOG = load_catalogue()
SUITES = load_suites(CATALOG)

HEAVY = settings(
    max_examples=examples(1, 4),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[*HealthCheck],
)

INVENTED = attach_zone(
    Contract(
        table="invented",
        zone="raw",
        version="1.0.0",
        owner="nobody",
        grain="A row of a test.",
        key=("row_key",),
        columns=(
            Column(name="row_key", type=LogicalType("integer"), nullable=False, description="x"),
            *(Column(name=name, type=kind, nullable=True, description="x") for name, kind in COLUMNS.items()),
        ),
    ),
    CATALOG.zones["raw"],
)


@pytest.fixture(scope="module")
def duck() -> PlainDuckDB:
    return PlainDuckDB()


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> PlainSpark:
    return PlainSpark(tmp_path_factory.mktemp("spark"))


def columns_of(suite: Suite) -> dict[str, LogicalType]:
    """Every flat column that some rule of the suite may read."""
    found: dict[str, LogicalType] = {}
    for rule in suite.rules:
        found.update({flat_name(name): kind for name, kind in rule_columns(rule, suite, CATALOG).items()})
    return found


NOT_NULL = "expect_column_values_to_not_be_null"


def compare(suite: Suite, drawn: pa.Table, duck: PlainDuckDB, spark: PlainSpark) -> Mapping[str, int]:
    """Hold the three to each other, row by row; returns by rule how many rows break it."""
    conditions = compile_rules(suite, CATALOG).conditions
    statements = [ROW, *conditions]
    ours = in_order(duck.evaluate(drawn, statements))
    theirs = in_order(spark.evaluate(drawn, statements))
    frame = spark.frame(drawn)
    said = [one.alias(f"_{place}") for place, one in enumerate(gx_on_spark.broken(suite, CATALOG, frame), 1)]
    judged = in_order(frame.select(F.col(ROW), *said).toArrow())
    found = {}
    for place, rule in enumerate(suite.rules, 1):
        name, about = f"_{place}", (rule.name, rule.type, dict(rule.kwargs), conditions[place - 1])
        assert ours[name].null_count == theirs[name].null_count == 0, about
        assert ours[name].equals(theirs[name]), about
        assert ours[name].equals(judged[name]), about
        found[rule.name] = sum(ours[name].to_pylist())
    return found


@HEAVY
@given(data=st.data())
def test_the_projects_rules(duck: PlainDuckDB, spark: PlainSpark, data: st.DataObject) -> None:
    suite = data.draw(st.sampled_from([SUITES[name] for name in ("payment", "sales_order", "transaction")]))
    drawn = data.draw(rows(columns_of(suite)))
    broken = compare(suite, drawn, duck, spark)
    empty = {rule.column: drawn[rule.column].null_count for rule in suite.rules}
    ours = validation_report.validation_result(suite, drawn.num_rows, broken, empty, {})
    found = gx_on_spark.judged_by_gx(suite, CATALOG, spark.frame(drawn))
    theirs: dict[str, Any] = found.to_json_dict()
    assert ours["statistics"] == theirs["statistics"]
    # The library groups its results by column.
    by_rule = {its["expectation_config"]["meta"]["rule"]: its for its in theirs["results"]}
    for mine, rule in zip(ours["results"], suite.rules, strict=True):
        its = by_rule.pop(rule.name)
        assert mine["success"] == its["success"], rule.name
        assert mine["result"] == {"partial_unexpected_list": [], **its["result"]}, rule.name
    assert not by_rule


def test_every_rule_of_the_project_is_compiled(duck: PlainDuckDB, spark: PlainSpark) -> None:
    for suite in SUITES.values():
        columns = columns_of(suite)
        nothing = pa.table({ROW: pa.array([0], pa.int32())})
        for name, kind in columns.items():
            nothing = nothing.append_column(name, pa.nulls(1, arrow_type(kind)))
        found = compare(suite, nothing, duck, spark)
        assert found == {rule.name: int(rule.type == NOT_NULL) for rule in suite.rules}


def invented_rules() -> SearchStrategy[tuple[str, dict[str, Any]]]:
    """Type and arguments of a rule, of every expectation that can be compiled."""
    column = st.sampled_from(sorted(COLUMNS))
    word = st.sampled_from(["word", "other_word"])
    number = st.sampled_from(["small", "money", "rate"])
    bound = st.integers(-600, 600) | st.sampled_from([0.01, -0.5, 99999999.99, 2**31])
    strict = st.fixed_dictionaries({}, optional={"strict_min": st.booleans(), "strict_max": st.booleans()})
    limits = st.sampled_from([("min_value",), ("max_value",), ("min_value", "max_value")])

    def ranged(low: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
        def bounded(keys: tuple[str, ...]) -> SearchStrategy[dict[str, Any]]:
            pairs = st.lists(low, min_size=len(keys), max_size=len(keys)).map(sorted)
            made = pairs.map(lambda drawn: dict(zip(keys, drawn, strict=True)))
            return st.tuples(made, strict).map(lambda drawn: {**drawn[0], **drawn[1]})

        return limits.flatmap(bounded)

    sets = {
        "word": st.sampled_from(WORDS),
        "small": st.integers(-20, 20),
        "large": st.integers(-20, 20),
        "money": st.integers(-5, 5),
        "paid": st.booleans(),
    }
    in_set = st.sampled_from(sorted(sets)).flatmap(
        lambda name: st.fixed_dictionaries(
            {"column": st.just(name), "value_set": st.lists(sets[name], min_size=1, max_size=6, unique=True)}
        )
    )
    begins = "expect_column_values_to_"
    made = [
        *(_rule(f"{begins}{kind}", column=column) for kind in ("not_be_null", "be_null")),
        in_set.map(lambda kwargs: (f"{begins}be_in_set", kwargs)),
        in_set.map(lambda kwargs: (f"{begins}not_be_in_set", kwargs)),
        *(
            _rule(f"{begins}{kind}", column=word, regex=patterns())
            for kind in ("match_regex", "not_match_regex")
        ),
        st.tuples(number, ranged(bound)).map(
            lambda drawn: (f"{begins}be_between", {"column": drawn[0], **drawn[1]})
        ),
        st.tuples(word, ranged(st.integers(0, 12))).map(
            lambda drawn: ("expect_column_value_lengths_to_be_between", {"column": drawn[0], **drawn[1]})
        ),
        _rule("expect_column_value_lengths_to_equal", column=word, value=st.integers(0, 8)),
        _rule(SATISFY, column=column, condition=expressions("boolean")),
    ]
    assert len(made) == len(EXPECTATIONS)
    return st.one_of(made)


def _rule(kind: str, **kwargs: SearchStrategy[Any]) -> SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.fixed_dictionaries(kwargs).map(lambda drawn: (kind, drawn))


@HEAVY
@given(drawn=rows(COLUMNS), stated=st.lists(invented_rules(), min_size=20, max_size=40))
def test_invented_rules(
    duck: PlainDuckDB, spark: PlainSpark, drawn: pa.Table, stated: list[tuple[str, dict[str, Any]]]
) -> None:
    rules = []
    for place, (kind, kwargs) in enumerate(stated):
        rule = Rule(f"rule_{place}", "invented", "warn", "why", "who", kind, kwargs)
        if kind != SATISFY or is_compiled(rule):
            rules.append(rule)
    found = compare(Suite(INVENTED, tuple(rules)), drawn, duck, spark)
    for rule in rules:
        empty = drawn[rule.column].null_count
        if rule.type == NOT_NULL:
            assert found[rule.name] == empty, rule
        else:
            # Of an empty cell no other rule says anything, but the one that wants it.
            assert 0 <= found[rule.name] <= drawn.num_rows - empty, rule


def is_compiled(rule: Rule) -> bool:
    """Whether a condition is not refused, for what has no room for its digits."""
    try:
        compile_rules(Suite(INVENTED, (rule,)), CATALOG)
    except ContractError:
        return False
    return True
