"""Great Expectations on Spark, row by row: what compiled rules are held to.

Rows have the columns that conditions read, see :func:`expectations.compile.compile_rules`, and their session
has the functions of :mod:`catalog.functions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from great_expectations import get_context
from great_expectations.core import ExpectationSuite
from great_expectations.execution_engine.sparkdf_batch_data import SparkDFBatchData
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validator import Validator
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from catalog.catalogue import Catalogue
from expectations import gx  # noqa: F401 - it makes our expectation known
from expectations.compile import satisfied
from expectations.rules import SATISFY, Suite
from expectations.validation_report import configuration

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

_BATCH_ID = "rows"

_COUNTS: Any = {"result_format": "BASIC", "exclude_unexpected_values": True}


def expectation_suite(suite: Suite, catalog: Catalogue) -> ExpectationSuite:
    """The suite as Great Expectations keeps it, conditions of ours as they are compiled."""
    made = []
    for rule in suite.rules:
        stated = configuration(rule)
        if rule.type == SATISFY:
            stated["kwargs"]["condition"] = satisfied(rule, suite, catalog)
        made.append(ExpectationConfiguration(**stated))
    return ExpectationSuite(name=suite.contract.table, expectations=made)


class _ColumnValuesSatisfy(ColumnMapMetricProvider):
    condition_metric_name = "column_values.satisfy"
    condition_value_keys = ("condition",)

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, _column: SparkColumn, condition: str, **_: Any) -> SparkColumn:  # noqa: N805
        return F.expr(condition)


def broken(suite: Suite, catalog: Catalogue, rows: DataFrame) -> list[SparkColumn]:
    """By rule, whether each row breaks it, by the conditions of Great Expectations itself.

    Raises:
        ContractError: A rule cannot be compiled.
        ValueError: Great Expectations knows no condition for it.
    """
    calculator = MetricsCalculator(_engine(rows))
    wanted = [_metric(made) for made in expectation_suite(suite, catalog).expectations]
    found, aborted = calculator.compute_metrics(wanted)
    if aborted:
        raise ValueError(f"Great Expectations cannot judge: {aborted}")
    return [F.coalesce(found[metric.id][0], F.lit(False)) for metric in wanted]


def judged_by_gx(suite: Suite, catalog: Catalogue, rows: DataFrame) -> ExpectationSuiteValidationResult:
    """What Great Expectations itself says of rows; several Spark jobs, counts alone."""
    # A suite belongs to a context; this one is in memory alone.
    get_context(mode="ephemeral")
    validator = Validator(execution_engine=_engine(rows))
    found = validator.validate(
        expectation_suite=expectation_suite(suite, catalog), result_format=_COUNTS, catch_exceptions=False
    )
    return cast("ExpectationSuiteValidationResult", found)


def _engine(rows: DataFrame) -> SparkDFExecutionEngine:
    engine = SparkDFExecutionEngine(persist=False)
    engine.load_batch_data(_BATCH_ID, SparkDFBatchData(engine, rows))
    return engine


def _metric(expectation: Any) -> MetricConfiguration:
    name = f"{expectation.map_metric}.condition"
    stated = expectation.configuration
    stated.kwargs["batch_id"] = _BATCH_ID
    needed = get_metric_kwargs(metric_name=name, configuration=stated)
    return MetricConfiguration(name, needed["metric_domain_kwargs"], needed["metric_value_kwargs"])
