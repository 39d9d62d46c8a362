"""What documents say of the code is so: the page that follows a changed row names functions that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest


def functions(module: ast.Module) -> set[str]:
    """The functions of a module, and the methods of its classes as ``Class.method``."""
    found = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    return found | {
        f"{kind.name}.{node.name}"
        for kind in module.body
        if isinstance(kind, ast.ClassDef)
        for node in kind.body
        if isinstance(node, ast.FunctionDef)
    }


def steps(page: str) -> list[tuple[str, str]]:
    """File and function of each step of the page, in its order."""
    return re.findall(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \| .+ \|$", page, re.MULTILINE)


@pytest.fixture(scope="module")
def travels(root: Path) -> list[tuple[str, str]]:
    return steps((root / "docs" / "how-a-changed-row-travels.md").read_text(encoding="utf-8"))


def test_a_changed_row_travels_by_functions_that_exist(root: Path, travels: list[tuple[str, str]]) -> None:
    modules = {file: ast.parse((root / file).read_text(encoding="utf-8")) for file, _ in travels}
    assert [step for step in travels if step[1] not in functions(modules[step[0]])] == []


def test_it_travels_in_twelve_steps_at_most_and_returns_to_no_file(travels: list[tuple[str, str]]) -> None:
    files = [file for file, _ in travels]
    assert 8 <= len(files) <= 12
    assert len(set(files)) == len(files)


def test_a_function_that_is_gone_is_noticed() -> None:
    module = ast.parse("def run() -> None: ...\nclass Log:\n    def publish(self) -> None: ...\n")
    assert functions(module) == {"run", "Log.publish"}
    assert steps("| 1 | `a.py` | `run` | It runs. |\n") == [("a.py", "run")]
