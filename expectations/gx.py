"""Great Expectations, asked for the Spark condition of every rule, and for its own judgement of a table.

Importing it takes seconds, so a job imports this module only where a suite has changed since its conditions
were asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, cast

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from great_expectations import get_context
from great_expectations.core import ExpectationSuite
from great_expectations.execution_engine.sparkdf_batch_data import SparkDFBatchData
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.expectations.registry import get_metric_kwargs
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.metrics_calculator import MetricsCalculator
from great_expectations.validator.validator import Validator
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from catalog.yaml_lines import ContractError
from expectations.report import configuration
from expectations.rules import RULES, Rule, Suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

_BATCH_ID = "rows"

_COUNTS: Any = {"result_format": "BASIC", "exclude_unexpected_values": True}


class _ColumnValuesSatisfy(ColumnMapMetricProvider):
    condition_metric_name = "column_values.satisfy"
    condition_value_keys = ("condition",)

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, _column: SparkColumn, condition: str, **_: Any) -> SparkColumn:  # noqa: N805
        return F.expr(condition)


class ExpectColumnValuesToSatisfy(ColumnMapExpectation):
    """Expect a condition in Spark SQL to hold wherever the column is not empty; it may name other columns."""

    condition: str
    map_metric: ClassVar[str] = "column_values.satisfy"
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "condition")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
        **_: Any,
    ) -> list[RenderedStringTemplateContent]:
        """How data docs state it."""
        stated = configuration or (result and result.expectation_config)
        if not stated:
            raise ValueError("an expectation is stated by its configuration or its result")
        said = {
            "template": "values must satisfy $condition",
            "params": {"condition": stated.kwargs["condition"]},
            "styling": (runtime_configuration or {}).get("styling"),
        }
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template=said)]


def conditions(suite: Suite, rows: DataFrame) -> tuple[str, ...]:
    """The condition under which a row breaks each rule, as Great Expectations states it to Spark.

    Args:
        suite: The rules.
        rows: Rows with everything that the rules speak of; only its columns count, no job is run.

    Returns:
        Spark SQL for each rule, in the suite's order. Each is proved to be read back as the same expression.

    Raises:
        ContractError: A rule cannot be judged; names the rule.
    """
    calculator = MetricsCalculator(_engine(rows))
    return tuple(_condition(rule, calculator, rows) for rule in suite.rules)


def judged_by_gx(suite: Suite, rows: DataFrame) -> ExpectationSuiteValidationResult:
    """What Great Expectations itself says of rows; several Spark jobs, counts alone."""
    # A suite belongs to a context; this one is in memory alone.
    get_context(mode="ephemeral")
    validator = Validator(execution_engine=_engine(rows))
    found = validator.validate(
        expectation_suite=expectation_suite(suite), result_format=_COUNTS, catch_exceptions=False
    )
    return cast("ExpectationSuiteValidationResult", found)


def expectation_suite(suite: Suite) -> ExpectationSuite:
    """The suite as Great Expectations keeps it."""
    made = [ExpectationConfiguration(**configuration(rule)) for rule in suite.rules]
    return ExpectationSuite(name=suite.contract.table, expectations=made)


def _engine(rows: DataFrame) -> SparkDFExecutionEngine:
    engine = SparkDFExecutionEngine(persist=False)
    engine.load_batch_data(_BATCH_ID, SparkDFBatchData(engine, rows))
    return engine


def _condition(rule: Rule, calculator: MetricsCalculator, rows: DataFrame) -> str:
    where = RULES / "*.yaml"
    try:
        stated = ExpectationConfiguration(type=rule.type, kwargs={**rule.kwargs, "batch_id": _BATCH_ID})
        expectation = stated.to_domain_obj()
        if not isinstance(expectation, ColumnMapExpectation):
            raise TypeError("it does not judge the values of one column, row by row")  # noqa: TRY301
        metric = f"{expectation.map_metric}.condition"
        needed = get_metric_kwargs(metric_name=metric, configuration=expectation.configuration)
        wanted = MetricConfiguration(metric, needed["metric_domain_kwargs"], needed["metric_value_kwargs"])
        found, aborted = calculator.compute_metrics([wanted])
        if wanted.id in aborted:
            raise ValueError(aborted[wanted.id]["exception_info"])  # noqa: TRY301
        column: SparkColumn = found[wanted.id][0]
        return _as_sql(rows, column)
    except Exception as error:
        # Whatever the library raises, it is the rule that a person has to mend.
        raise ContractError(
            where, 1, f"the rule {rule.name} of {rule.table} cannot be judged: {error}"
        ) from error


def _as_sql(rows: DataFrame, condition: SparkColumn) -> str:
    expression = _analysed(rows, condition)
    text = str(expression.sql())
    if not _analysed(rows, F.expr(text)).semanticEquals(expression):
        raise ValueError(f"Spark does not read its own spelling of the condition back: {text}")
    return text


def _analysed(rows: DataFrame, condition: SparkColumn) -> Any:
    plan: Any = rows.select(condition.alias("broken"))._jdf.queryExecution().analyzed()  # noqa: SLF001
    return plan.expressions().apply(0).child()
