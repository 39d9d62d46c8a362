"""Each gate, with this project's own settings, refuses a case that it is there to refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.night import at_night

BIN = Path(sys.executable).parent


def run(tool: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs one of the environment's tools."""
    return subprocess.run([BIN / tool, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import os\n", "F401"),
        (
            '"""A module."""\n\ntry:\n    print(1)\nexcept Exception:\n    pass\n',
            "BLE001",
        ),
        ("def public(a: int) -> int:\n    return a\n", "D103"),
        ('"""A module."""\n\nimport subprocess\n\nsubprocess.run("ls", shell=True, check=True)\n', "S602"),
        ('"""A module."""\n\nX = "' + "x" * 120 + '"\n', "E501"),
    ],
)
def test_ruff_refuses(root: Path, tmp_path: Path, code: str, rule: str) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(code)
    refused = run("ruff", "check", "--no-cache", "--config", root / "pyproject.toml", bad, cwd=root)
    assert refused.returncode == 1
    assert rule in refused.stdout


def test_ruff_refuses_another_format(root: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("x = {  'a':1 }\n")
    assert (
        run(
            "ruff", "format", "--check", "--no-cache", "--config", root / "pyproject.toml", bad, cwd=root
        ).returncode
        == 1
    )


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Makes a notebook of one cell."""

    def make(source: str, **stated: Any) -> Path:
        path = tmp_path / "bad.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell(source, id="one", **stated)]), path)
        return path

    return make


def test_ruff_refuses_what_a_notebook_imports_and_does_not_use(
    root: Path, notebook: Callable[..., Path]
) -> None:
    bad = notebook("import os")
    refused = run("ruff", "check", "--no-cache", "--config", root / "pyproject.toml", bad, cwd=root)
    assert refused.returncode == 1
    assert "F401" in refused.stdout


@pytest.mark.parametrize(
    "stated",
    [{"outputs": [new_output("stream", text="7")]}, {"execution_count": 7}],
    ids=["outputs", "execution count"],
)
def test_a_notebook_with_outputs_or_counts_is_refused_until_they_are_taken_out(
    root: Path, notebook: Callable[..., Path], stated: dict[str, Any]
) -> None:
    bad = notebook("7", **stated)
    refused = run("nbstripout", "--verify", bad, cwd=root)
    assert refused.returncode == 1
    assert "bad.ipynb" in refused.stdout
    assert run("nbstripout", bad, cwd=root).returncode == 0
    assert run("nbstripout", "--verify", bad, cwd=root).returncode == 0
    assert "nbstripout --verify notebooks/*.ipynb" in (root / "Makefile").read_text()


def test_notebooks_are_stored_without_outputs(root: Path) -> None:
    stored = sorted((root / "notebooks").glob("*.ipynb"))
    assert len(stored) >= 3
    assert run("nbstripout", "--verify", *stored, cwd=root).returncode == 0


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("def f(a):\n    return a\n", "no-untyped-def"),
        at_night("x: int = 'one'\n", "assignment"),
        at_night("x: int = 'one'  # type: ignore\n", "ignore-without-code"),
    ],
)
def test_mypy_refuses(root: Path, tmp_path: Path, code: str, rule: str) -> None:
    (tmp_path / "bad.py").write_text(code)
    cache = f"--cache-dir={tmp_path / 'cache'}"
    refused = run("mypy", cache, "--config-file", root / "pyproject.toml", "bad.py", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"[{rule}]" in refused.stdout


def test_bandit_refuses(root: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import pickle\n\n\ndef f(b):\n    return pickle.loads(b)\n")
    refused = run(
        "bandit", "--quiet", "--recursive", "--configfile", root / "pyproject.toml", tmp_path, cwd=root
    )
    assert refused.returncode == 1
    assert "B301" in refused.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("glue_jobs/transform.py", "import lakehouse", "No package imports one above it"),
        at_night("catalog/model.py", "import glue_jobs", "No package imports one above it"),
        at_night("lakehouse/stack.py", "import totesys", "No package imports one above it"),
        at_night("local_aws/athena.py", "import notebooks", "No package imports one above it"),
        at_night(
            "glue_jobs/lake/commits.py", "import glue_jobs.engine", "No room of the jobs imports one above it"
        ),
        at_night(
            "glue_jobs/star/facts.py",
            "import glue_jobs.warehouse",
            "No room of the jobs imports one above it",
        ),
        at_night("glue_jobs/new_room.py", "", "No room of the jobs imports one above it"),
        ("glue_jobs/transform.py", "import moto", "Jobs, pages and notebooks bring no server"),
        ("local_aws/jobs.py", "import glue_jobs", "The emulated AWS knows no table of anybody's"),
        at_night("catalog/model.py", "import boto3", "The core imports no AWS, no clock, no argv"),
        at_night("glue_jobs/star/facts.py", "import time", "The core imports no AWS, no clock, no argv"),
        at_night("glue_jobs/transform.py", "import awsglue", "awsglue is nowhere"),
        ("glue_jobs/transform.py", "import pyspark", "Spark is behind its engine"),
        at_night("glue_jobs/star/facts.py", "import duckdb", "Spark jobs need no driver of a database"),
        at_night(
            "expectations/rules.py",
            "import sqlglot",
            "No job but that of the sites needs a parser of SQL, none needs charts",
        ),
        at_night(
            "glue_jobs/documentation/front.py",
            "import sqlglot",
            "No job but that of the sites needs a parser of SQL, none needs charts",
        ),
    ],
)
def test_import_linter_refuses(root: Path, tmp_path: Path, file: str, line: str, contract: str) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_bytes((root / "pyproject.toml").read_bytes())
    contracts = tomllib.loads(config.read_text())["tool"]["importlinter"]
    # A contract that names a module wants it to be there, and each end of an import that one ignores.
    named = [name for one in contracts["contracts"] for name in one.get("source_modules", ())]
    ignored: list[list[str]] = []
    for one in contracts["contracts"]:
        floors = [name.strip() for floor in one.get("layers", ()) for name in floor.split("|")]
        named += [".".join([*one.get("containers", ()), floor]) for floor in floors]
        ends = [imported.split(" -> ") for imported in one.get("ignore_imports", ())]
        ignored += [pair for pair in ends if pair[1].split(".")[0] in contracts["root_packages"]]
    for name in [*contracts["root_packages"], *named, *(end for pair in ignored for end in pair)]:
        package = tmp_path
        for part in name.split("."):
            package /= part
            package.mkdir(exist_ok=True)
            (package / "__init__.py").touch()
    for importer, imported in ignored:
        with (tmp_path / f"{importer.replace('.', '/')}" / "__init__.py").open("a") as module:
            module.write(f"import {imported}\n")
    assert run("lint-imports", "--no-cache", cwd=tmp_path).returncode == 0
    (tmp_path / file).write_text(line + "\n")
    refused = run("lint-imports", "--no-cache", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"{contract} BROKEN" in refused.stdout


def test_the_gate_of_contracts_refuses(root: Path, tmp_path: Path) -> None:
    for package in ("catalog", "tools"):
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    contract = tmp_path / "catalog" / "contracts" / "raw" / "payment.yaml"
    contract.write_text(contract.read_text().replace("name: company_ac_number", "name: our_account"))
    refused = run("python", "-m", "tools.published_contracts", "check", cwd=tmp_path)
    assert refused.returncode == 1
    assert "catalog/contracts/raw/payment.yaml: column company_ac_number is gone (breaks)" in refused.stderr
    assert "contracts" in (root / "Makefile").read_text().split("\ngates: ")[1].split("##")[0].split()


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (
            "import warnings\n\ndef test_it():\n    warnings.warn('old', DeprecationWarning)\n",
            "DeprecationWarning: old",
        ),
        at_night(
            "import pytest\n\n@pytest.mark.nosuch\ndef test_it():\n    pass\n",
            "'nosuch' not found in `markers`",
        ),
        at_night("import pytest\n\n@pytest.mark.xfail\ndef test_it():\n    pass\n", "XPASS(strict)"),
    ],
)
def test_pytest_refuses(root: Path, tmp_path: Path, test: str, said: str) -> None:
    bad = tmp_path / "test_bad.py"
    bad.write_text(test)
    refused = run(
        "pytest",
        "-c",
        root / "pyproject.toml",
        "--rootdir",
        tmp_path,
        "-p",
        "no:cacheprovider",
        "--basetemp",
        tmp_path / "base",
        bad,
        cwd=tmp_path,
    )
    assert refused.returncode != 0
    assert said in refused.stdout + refused.stderr


SKIPS = """
import pytest
from tests import needs

@pytest.fixture
def refused_fixture():
    needs.missing("PostgreSQL 14", "make postgres-versions fetches it")

@pytest.fixture
def listed_fixture():
    needs.missing("Python 3.9", "on PATH")

def test_refused_reason():
    pytest.skip("it is not there")

def test_refused_need():
    needs.missing("zizmor", "make checkers installs it")

def test_refused_by_its_fixture(refused_fixture):
    pass

@pytest.mark.skipif(True, reason="not today")
def test_refused_by_its_mark():
    pass

@pytest.mark.xfail
def test_expected_to_fail():
    pytest.fail()

def test_listed():
    needs.missing("Terraform", "a terraform on PATH")

def test_listed_by_its_fixture(listed_fixture):
    pass
"""


def test_a_skip_is_refused_where_everything_is_to_run_unless_nobody_offers_what_it_lacks(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "test_bad.py").write_text(SKIPS)
    (tmp_path / "test_refused_whole.py").write_text("import pytest\npytest.importorskip('nosuch')\n")
    refused = subprocess.run(
        [
            *(BIN / "pytest", "-c", root / "pyproject.toml", "--rootdir", tmp_path, "-p", "no:cacheprovider"),
            *("-p", "tests.needs", "--refuse-skips", "--continue-on-collection-errors", "-rfEs", tmp_path),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    failed = set(re.findall(r"^(?:FAILED|ERROR) test_(?:bad.py::test_)?(\w+)", refused.stdout, re.MULTILINE))
    assert failed == {
        "refused_reason",
        "refused_need",
        "refused_by_its_fixture",
        "refused_by_its_mark",
        "refused_whole",
    }
    assert re.search(r"2 skipped, .*1 xfailed", refused.stdout), refused.stdout
    assert "What nobody offers is listed in tests/needs.py" in refused.stdout


def test_coverage_refuses_code_that_no_test_runs(root: Path, tmp_path: Path) -> None:
    package = tmp_path / "catalog"
    package.mkdir()
    (package / "__init__.py").write_text("def f(a):\n" + "    a += 1\n" * 20 + "    return a\n")
    (tmp_path / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    assert run("coverage", "run", "-m", "catalog.__init__", cwd=tmp_path).returncode == 0
    run("coverage", "combine", cwd=tmp_path)
    refused = run("coverage", "report", cwd=tmp_path)
    assert refused.returncode == 2
    assert "less than fail-under" in refused.stdout
