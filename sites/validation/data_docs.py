"""Great Expectations' own rendering of a validation result, as a piece of HTML that loads nothing.

The library's page renderer and its templates say what each expectation demands and what was found. What they
stand in (head, styles, scripts from public networks) is left out: the site has a frame of its own. Importing
the library takes seconds, so a job imports this module only where there is something to render.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.components import RenderedStringTemplateContent, RenderedTableContent
from great_expectations.render.renderer.content_block.validation_results_table_content_block import (
    ValidationResultsTableContentBlockRenderer,
)
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, DictLoader

# The library renders what it knows: our own expectation is known once its module is imported.
from expectations import gx  # noqa: F401

COUNTS = frozenset(
    {
        "element_count",
        "missing_count",
        "missing_percent",
        "unexpected_count",
        "unexpected_percent",
        "unexpected_percent_nonmissing",
        "unexpected_percent_total",
    }
)
"""What is shown of a result. The library would also show samples of values, which may be personal."""

_TEMPLATES = {
    "sections.j2": (
        "{% for section in sections %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}"
    ),
    # The library's own needs a script to open, and gives it a random name in every rendering.
    "collapse.j2": (
        "<details><summary>Run</summary>"
        "{% for block in content_block['collapse'] %}"
        "{{ block | render_content_block(content_block_id=content_block_id ~ '-' ~ loop.index) }}"
        "{% endfor %}</details>"
    ),
}


class _Rows(ValidationResultsTableContentBlockRenderer):
    """Rows of expectations, with why each is one and who decides on it."""

    @classmethod
    def _process_content_block(
        cls, content_block: RenderedTableContent, has_failed_evr: bool, render_object: Any = None
    ) -> None:
        super()._process_content_block(content_block, has_failed_evr, render_object)
        content_block.header_row = ["Status", "Expectation", "Observed", "If broken", "Why", "Owner"]

    @classmethod
    def _get_content_block_fn(
        cls, expectation_type: str, expectation_config: ExpectationConfiguration | None = None
    ) -> Any:
        stated: Any = super()._get_content_block_fn(expectation_type, expectation_config)

        def with_reason(result: ExpectationValidationResult, **others: Any) -> list[list[Any]]:
            found: list[list[Any]] = stated(result=result, **others)
            meta = result.expectation_config.meta if result.expectation_config else {}
            # Said of a rule that no row breaks, the reason would read as an accusation.
            told = ("outcome", "" if result.success else "reason", "owner")
            words = [_text(meta.get(name)) for name in told]
            return [[*row, *words] for row in found]

        return with_reason


class _View(DefaultJinjaPageView):
    _template = "sections.j2"

    def __init__(self) -> None:
        super().__init__()
        self.env.loader = ChoiceLoader(
            [DictLoader(_TEMPLATES), *([self.env.loader] if self.env.loader else [])]
        )


class _Page(ValidationResultsPageRenderer):
    def __init__(self) -> None:
        own = {"class_name": _Rows.__name__, "module_name": _Rows.__module__}
        super().__init__(
            column_section_renderer={
                "class_name": "ValidationResultsColumnSectionRenderer",
                "table_renderer": own,
            }
        )

    def _collect_rendered_document_content_sections(
        self, validation_results: Any, overview_content_blocks: Any, *others: Any
    ) -> Any:
        # The first block is a header that links pages of another layout; the site's frame says the same.
        return super()._collect_rendered_document_content_sections(
            validation_results, overview_content_blocks[1:], *others
        )


def rendered(document: Mapping[str, Any]) -> str:
    """A validation result as HTML; the same result always gives the same text.

    Args:
        document: See :func:`expectations.validation_report.validation_result`; of results it shows counts.
    """
    page, view = _renderers()
    html = str(view.render(page.render(_result(document))))
    # More than half of it is the indentation of the library's templates.
    return re.sub(r"\s*\n\s*", "\n", html)


@lru_cache(maxsize=1)
def _renderers() -> tuple[_Page, Any]:
    """Made once: the view compiles the library's templates as it meets them."""
    return _Page(), _View()


def _result(document: Mapping[str, Any]) -> ExpectationSuiteValidationResult:
    meta = document["meta"]
    return ExpectationSuiteValidationResult(
        suite_name=document["suite_name"],
        success=document["success"],
        statistics=dict(document["statistics"]),
        suite_parameters={},
        results=[
            ExpectationValidationResult(
                success=result["success"],
                expectation_config=ExpectationConfiguration(**result["expectation_config"]),
                result={name: value for name, value in result["result"].items() if name in COUNTS},
            )
            for result in document["results"]
        ],
        meta={
            "great_expectations_version": version("great-expectations"),
            "run_id": {"run_name": f"batch {meta['batch']}", "run_time": meta["judged_at"]},
        },
    )


def _text(words: str | None) -> Any:
    template = {"template": "$words", "params": {"words": words or ""}, "styling": {}}
    return RenderedStringTemplateContent(content_block_type="string_template", string_template=template)
