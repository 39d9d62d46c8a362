"""Rules as Great Expectations keeps and shows them; importing it takes seconds, and it applies no rule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult


class ExpectColumnValuesToSatisfy(ColumnMapExpectation):
    """Expect a condition to hold wherever the column is not empty; it may name other columns."""

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
