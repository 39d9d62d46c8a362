"""Names use the words of docs/glossary.md, in code and in whatever a person meets by name."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.cli import main

WORDS = (
    *("letter", "letters", "court", "judge", "judged", "verdict", "verdicts", "held", "hold", "aside"),
    *("mend", "mended", "anew", "together", "wish", "everyday", "lengthy", "say", "tell"),
    *("unrepresentable", "pour", "among", "halves", "beside", "apart", "lying", "catalogue"),
)
"""Refused wherever they are a part of a name; ``dead_letter`` is the field's word."""

NAMES = (
    *("Build", "Shape", "Facts", "Bench", "Place", "place", "mark", "written", "typed", "numbered"),
    *("cut", "cuts", "by_cut", "partition_spec", "low", "high", "row_means"),
    *("ask_conditions", "every_night_later"),
)
"""Refused where they are all of a name."""

STORED = {
    "held_rows": "a table of every lake",
    "verdict": "a column of the ops zone, and what fills it",
    "verdict_of": "the same, of one comparison",
    "deletions_held": "a metric",
    "rows_set_aside": "a metric",
    "tables_held": "a metric",
    "verdicts_held": "a metric",
    "held_tables": "a column of the ops zone",
    "catalogue-site": "a picture that pages elsewhere may show",
}
"""Names that lakes, metrics and addresses carry already; a new one is not added."""

SPELLED = ("Catalogue", "catalogue", "load_catalogue", "read_catalogue", "catalogue_site")
"""Spelled as it was before ``catalog`` was chosen; these alone, since half of the tree names them."""

CODE = (
    *("bench", "bi", "catalog", "expectations", "glue_jobs", "lakehouse", "local_aws", "notebooks"),
    *("lambda_functions", "payments_api", "sites", "tools", "totesys"),
)
SPEAKING = ("info", "warning", "error", "step", "start", "timed")


def words(name: str) -> list[str]:
    """A name's words, in lower case, whatever holds them together."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def refused(name: str) -> str | None:
    """The word for which a name is refused, if it is."""
    if name in STORED or name in SPELLED:
        return None
    if name in NAMES:
        return name
    found = words(name)
    return next(
        (
            word
            for before, word in zip(["", *found], found, strict=False)
            if word in WORDS and not (word in ("letter", "letters") and before == "dead")
        ),
        None,
    )


def defined(tree: ast.AST) -> Iterator[str]:
    """Public classes and functions of a module, with those of its classes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if not node.name.startswith("_"):
                yield node.name
            if isinstance(node, ast.ClassDef):
                yield from defined(node)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from defined(node)


def texts(node: ast.expr) -> Iterator[str]:
    """The constant texts of an expression, such as the parts of an f-string."""
    return (
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def said(tree: ast.AST) -> Iterator[str]:
    """Log events, and metrics that a call emits."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in SPEAKING:
            yield from (text for text in texts(node.args[0]) if re.fullmatch(r"[a-z_.]+", text))
        if node.func.attr == "emit" and isinstance(node.args[-1], ast.Dict):
            yield from (text for key in node.args[-1].keys if key is not None for text in texts(key))


def keys(value: Any) -> Iterator[str]:
    """The keys of a YAML document, at every depth, and the metrics that alarms name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            if key == "metric":
                yield str(inner)
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def listed(root: Path, *patterns: str) -> list[str]:
    """Files of the repository that are there."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    lines = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in lines if (root / name).is_file()]


def wrong(names: Iterator[tuple[str, str]]) -> list[str]:
    """What is refused, each with where it stands."""
    return sorted({f"{place}: {name} ({word})" for place, name in names if (word := refused(name))})


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("open_letters", "letters"),
        ("DeadLetters", None),
        ("dead-letters", None),
        ("capture.stepped_aside", "aside"),
        ("TablesHeld", "held"),
        ("held_rows", None),
        ("Facts", "Facts"),
        ("build_facts", None),
        ("typed", "typed"),
        ("begin_anew", "anew"),
        ("threshold", None),
        ("HTTPVerdict", "verdict"),
    ],
)
def test_an_old_word_is_refused_in_a_name(name: str, word: str | None) -> None:
    assert refused(name) == word


def test_classes_functions_log_events_and_metrics_use_the_glossarys_words(root: Path) -> None:
    files = [name for name in listed(root, "*.py") if name.split("/")[0] in CODE]
    assert len(files) > 250
    trees = {name: ast.parse((root / name).read_text(encoding="utf-8")) for name in files}
    names = {name: [*defined(tree), *said(tree)] for name, tree in trees.items()}
    assert "capture.done" in names["glue_jobs/sources/capture_run.py"]
    assert "paused" in names["glue_jobs/sources/capture_run.py"]
    assert wrong((file, name) for file, found in names.items() for name in found) == []


def test_keys_of_yaml_and_the_metrics_of_alarms_use_the_glossarys_words(root: Path) -> None:
    files = [name for name in listed(root, "*.yaml") if name.split("/")[0] in CODE]
    stated = {name: set(keys(yaml.safe_load((root / name).read_text(encoding="utf-8")))) for name in files}
    assert {"alarms", "secret_refused"} <= stated["catalog/alarms.yaml"]
    assert wrong((file, key) for file, found in stated.items() for key in found) == []


def test_commands_and_their_options_use_the_glossarys_words() -> None:
    names = [
        (command, part)
        for command, found in main.commands.items()
        for part in (command, *(option for given in found.params for option in given.opts))
    ]
    assert ("run", "run") in names
    assert wrong(iter(names)) == []


def test_modules_documents_and_pages_use_the_glossarys_words(root: Path) -> None:
    # Decisions keep the names under which they were taken.
    files = [
        name
        for name in listed(root)
        if name.split("/")[0] in (*CODE, "docs", "glue_jobs") and not name.startswith("docs/decisions/")
    ]
    parts = ((name, Path(part).stem) for name in files for part in name.split("/"))
    assert wrong(parts) == []


def test_the_glossary_lists_each_refused_word_with_the_one_to_use(root: Path) -> None:
    rows = re.findall(
        r"^\| (`.+?) \| (.+) \|$", (root / "docs/glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert all(rather for _, rather in rows)
    listed_there = {word for left, _ in rows for word in re.findall(r"`(\w+)`", left)}
    assert listed_there == {*WORDS, *NAMES} - {"verdicts"}
