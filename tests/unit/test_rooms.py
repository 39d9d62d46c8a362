"""Rooms: the engine names nothing of the project, and no code of a room stands in a job's script."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.project import PACKED

ENGINE = (
    "bi",
    "catalog",
    "expectations",
    "glue_jobs",
    "lakehouse",
    "local_aws",
    "sites",
    "terraform/modules",
)


def names_of_the_project() -> re.Pattern[str]:
    """What only this business has: its name, its databases, and its tables that are no plain word."""
    catalogue = load_catalogue()
    built = [contract for kind in ("fact", "dimension") for contract in catalogue.star_of_kind(kind)]
    tables = {*catalogue.raw, *(c.table for c in built), *(name for c in built for name in c.also_called)}
    databases = {zone.database for zone in catalogue.zones.values()}
    stated = {load_pipeline().name, *databases, *(name for name in tables if "_" in name)}
    return re.compile("|".join(sorted(map(re.escape, stated), key=len, reverse=True)), re.IGNORECASE)


def engine_files(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *ENGINE], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [root / name for name in listed if not name.startswith(PACKED) and (root / name).is_file()]


def mentions(files: list[Path]) -> list[str]:
    names = names_of_the_project()
    return [
        f"{path}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if names.search(line)
    ]


def test_the_engine_names_nothing_of_the_project(root: Path) -> None:
    files = engine_files(root)
    assert len(files) > 200
    assert mentions(files) == []


@pytest.mark.parametrize(
    "line", ["x = 'totesys_raw'", "# like FACT_PAYMENT", "sales_order", "the TOTESYS_DSN"]
)
def test_a_name_of_the_project_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"import os\n{line}\n")
    assert mentions([path]) == [f"{path}:2: {line}"]


def test_every_package_says_what_it_is_for_what_it_may_import_and_where_to_begin(root: Path) -> None:
    for package in (
        "bi",
        "catalog",
        "expectations",
        "glue_jobs",
        "lakehouse",
        "local_aws",
        "sites",
        "totesys",
    ):
        text = (root / package / "__init__.py").read_text()
        assert "Begin\nwith " in text or "Begin with" in text, package
        assert "import" in text, package
        assert len(re.findall(r":(?:func|class|mod|meth):`", text)) >= 3, package


MAIN = 8
"""Statements in the main of a job's script: it reads arguments, makes clients, calls one function."""


def faults_of_a_script(text: str) -> list[str]:
    """What stands in a job's script and is no work of it."""
    faults = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            # Neither itself nor its docstring.
            statements = sum(isinstance(one, ast.stmt) for one in ast.walk(node)) - 1
            statements -= ast.get_docstring(node) is not None
            if statements > MAIN:
                faults.append(f"main has {statements} statements; a script has {MAIN} at most")
        elif isinstance(node, ast.ClassDef) and node.name.endswith("Arguments"):
            faults += [f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            faults.append(node.name)
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant):
            faults.append(ast.unparse(node))
    return faults


def job_scripts(root: Path) -> list[Path]:
    return [root / job.script for job in load_pipeline().jobs.values()]


def test_a_jobs_script_reads_arguments_makes_clients_and_calls_one_function(root: Path) -> None:
    assert {path.name: faults_of_a_script(path.read_text()) for path in job_scripts(root)} == {
        path.name: [] for path in job_scripts(root)
    }


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("def helper() -> None: ...", ["helper"]),
        ("class Uploads: ...", ["Uploads"]),
        ("class LoadArguments:\n    def check(self) -> None: ...", ["LoadArguments.check"]),
        ("STATE = dict(a=1)", ["STATE = dict(a=1)"]),
        ("def main() -> int:\n" + "    f()\n" * 9, ["main has 9 statements; a script has 8 at most"]),
        ("JOB = 'job'\ndef main() -> int:\n    '''Words.'''\n" + "    f()\n" * 8, []),
    ],
)
def test_code_of_a_room_in_a_script_is_noticed(planted: str, fault: list[str]) -> None:
    assert faults_of_a_script(planted) == fault
