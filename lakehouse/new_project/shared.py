"""What is the same for every project but for its name, taken from the one that came with the code.

Imports nothing that takes a moment: the tests lay out projects of their own by it.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lakehouse.new_project.yaml_text import one_line

ENGINE = Path(__file__).resolve().parents[2]
"""The folder of the project that came with the code, from which another one takes what is not its own."""

_SAME_FOR_EVERYBODY = ("zones.yaml", "dead_letter/*.yaml", "ops/*.yaml", "star/unresolved_dead_letters.yaml")

_RULES = """\
# What the business knows of its rows beyond their contracts: docs/how-to/add-a-rule.md says how to add to it.
# What a contract states (types, empty cells, allowed values, references) is a rule by itself.
rules: []
"""

_SHEET = "trust"
"""The sheet of the dashboard that shows what the pipeline says of itself, whatever the business."""


def shared_files(name: str, schema: str, owner: str | None = None, template: Path = ENGINE) -> dict[str, str]:
    """What is the same for every project but for its name, by path: zones, the pipeline's own tables, jobs.

    Args:
        name: The project's.
        schema: The schema of the source's tables that state none.
        owner: Who answers for the pipeline's own tables; as in the template unless stated.
        template: The project that it is taken from.
    """
    pipeline = (template / "catalog" / "pipeline.yaml").read_text(encoding="utf-8")
    own = _name_of(template)

    def ours(text: str) -> str:
        text = _renamed(text, own, name)
        if owner is None:
            return text
        stated = f"owner: {one_line(owner)}"
        return re.sub(r"(?m)^owner: .*$", lambda _: stated, text)

    found = {
        str(path.relative_to(template)): ours(path.read_text(encoding="utf-8"))
        for pattern in _SAME_FOR_EVERYBODY
        for path in sorted((template / "catalog" / "contracts").glob(pattern))
    }
    # Feeds bring what another business needs; another source has no example.
    for brought in ("feeds", "external_buckets"):
        pipeline = re.sub(rf"(?m)^(?:#.*\n)*{brought}:\n(?:(?: .*)?\n)+", "", pipeline)
    source = f"source:\n  schema: {one_line(schema)}\n\n"
    pipeline = re.sub(r"(?m)^source:\n(?:(?: .*)?\n)+", lambda _: source, ours(pipeline))
    return {**found, "catalog/pipeline.yaml": pipeline}


def starting_files(name: str, template: Path = ENGINE) -> dict[str, str]:
    """No rules yet, and a dashboard of what the pipeline says of itself, with the questions behind it."""
    found = {"expectations/rules/business.yaml": _RULES}
    path = template / "bi" / "dashboard" / "dashboard.yaml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {"sheets": {}}
    sheet = declared["sheets"].get(_SHEET)
    if sheet is None:
        return found
    own, visuals = _name_of(template), sheet["visuals"].values()
    shown = {name for one in visuals for key in ("values", "columns") for name in one.get(key, ())}
    shown |= {one[key] for one in visuals for key in ("category", "colour", "sort") if key in one}
    asked = {one["query"] for one in visuals}
    dashboard = {
        "name": name.replace("_", "-")[:32],
        "title": name.replace("_", " ").capitalize(),
        "fields": {field: stated for field, stated in declared["fields"].items() if field in shown},
        "queries": {query: stated for query, stated in declared["queries"].items() if query in asked},
        "sheets": {_SHEET: sheet},
    }
    written = yaml.safe_dump(dashboard, sort_keys=False, allow_unicode=True, width=120)
    found["bi/dashboard/dashboard.yaml"] = (
        f"# The dashboard: docs/dashboard.md says how to add sheets.\n{written}"
    )
    for folder in ("bi/dashboard", "bi/queries"):
        for query in sorted((template / folder).glob("*.sql")):
            if query.stem in asked:
                found[f"{folder}/{query.name}"] = _renamed(query.read_text(encoding="utf-8"), own, name)
    return found


def _name_of(project: Path) -> str:
    return str(yaml.safe_load((project / "catalog" / "pipeline.yaml").read_text(encoding="utf-8"))["name"])


def _renamed(text: str, own: str, name: str) -> str:
    """A text with one project's name in place of another's, in names that are made of it too."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(own)}(?![A-Za-z0-9])", name, text)
