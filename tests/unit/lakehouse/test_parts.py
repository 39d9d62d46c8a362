"""What is not installed with the stack is installed when it is first needed, or named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from catalog.pipeline import load_pipeline
from glue_jobs.runtime.errors import UserError
from lakehouse import parts
from lakehouse.parts import DOCUMENTATION, PARTS, SPARK, Part, part_of, require, starts_spark
from tools import set_up

ABSENT = Part("charts", "the charts", ("no_such_charts",), 7)

# Where the notebooks and the sites are made: nothing else of ours may need a part to be imported.
OF_PARTS = ("notebooks.", "sites.", "glue_jobs.documentation", "glue_jobs.build_sites", "expectations.gx")
OF_SPARK = ("glue_jobs.engine.spark",)

# Imports modules as they are imported where only some distributions are installed.
IMPORTS = """
import importlib, importlib.abc, sys
from importlib.metadata import packages_distributions
kept, modules = map(set, __import__("json").loads(sys.stdin.read()))
normal = lambda name: name.lower().replace("_", "-").replace(".", "-")
away = {m for m, owners in packages_distributions().items() if not {*map(normal, owners)} & kept}
class Away(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in away:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Away())
for module in sorted(modules):
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        print(module, error.name)
"""


def modules_of(root: Path, package: str) -> Iterator[str]:
    """The modules of a package by name."""
    for file in sorted((root / package).rglob("*.py")):
        name = ".".join(file.relative_to(root).with_suffix("").parts)
        yield name.removesuffix(".__init__")


def not_importable(root: Path, lock: str, modules: list[str]) -> dict[str, str]:
    """Modules that cannot be imported with what a lock names alone, each with what it lacks."""
    names = map(canonicalize_name, set_up.locked_packages(root / "requirements" / f"{lock}.txt"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTS],
        input=json.dumps([sorted({*names, "totesys-lakehouse"}), modules]),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_everything_but_spark_sites_and_notebooks_runs_on_what_the_set_up_installs(root: Path) -> None:
    packages = ("bi", "catalog", "expectations", "glue_jobs", "lakehouse", "local_aws", "totesys")
    modules = [
        module
        for package in packages
        for module in modules_of(root, package)
        if not module.startswith((*OF_PARTS, *OF_SPARK))
    ]
    assert len(modules) > 200
    jobs = {Path(job.script).stem for name, job in load_pipeline().jobs.items() if starts_spark(name)}
    on_spark = {f"glue_jobs.{job}" for job in jobs} | {"glue_jobs.stages.spark_stage"}
    missing = not_importable(root, "laptop", modules)
    assert missing == dict.fromkeys(sorted(on_spark & set(missing)), "pyspark")


def test_every_part_that_can_be_installed_is_known_and_here_for_the_tests() -> None:
    assert {part.extra for part in PARTS} == set(set_up.LAPTOP.parts)
    assert [part.extra for part in PARTS if not part.is_installed] == []


def test_what_is_there_is_not_installed_again() -> None:
    said: list[str] = []
    require(SPARK, said.append)
    assert said == []


def test_an_installed_package_names_the_extra_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parts, "SET_UP", tmp_path / "set_up.py")
    with pytest.raises(UserError, match=r"needs the charts, .* pip install 'WHEEL\[charts\]'"):
        require(ABSENT, lambda _: None)


def fake_set_up(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let the environment be that of a checkout whose set-up is another script."""
    (folder / "set_up.py").write_text(script)
    monkeypatch.setattr(parts, "SET_UP", folder / "set_up.py")
    monkeypatch.setattr(parts, "ENVIRONMENT", Path(sys.prefix))


def test_what_cannot_be_installed_is_named_with_the_reason_of_the_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_set_up(
        monkeypatch,
        tmp_path,
        "import sys; print('set-up: .venv: installing');"
        "print('set-up: no network. Check\\n  the cable', file=sys.stderr); exit(1)",
    )
    said: list[str] = []
    with pytest.raises(UserError) as refused:
        require(ABSENT, said.append)
    assert str(refused.value).startswith(
        "This needs the charts, which is not installed, and cannot be: no network. Check the cable."
    )
    assert said == ["installing the charts, 7 MB, once", "installing the charts: .venv: installing"]


def test_a_part_is_installed_by_the_set_up_while_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    fake_set_up(
        monkeypatch,
        tmp_path,
        f"import pathlib, sys; assert sys.argv[1:] == ['laptop', 'charts'];"
        f"pathlib.Path({str(tmp_path)!r}, 'no_such_charts.py').touch()",
    )
    require(ABSENT, lambda _: None)
    assert ABSENT.is_installed


@pytest.mark.parametrize(
    ("job", "needed"),
    [("extract_cdc", None), ("transform", None), ("build_sites", DOCUMENTATION), ("build_facts", SPARK)],
)
def test_each_job_needs_the_part_that_it_runs_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, job: str, needed: Part | None
) -> None:
    monkeypatch.setattr(Part, "is_installed", False)
    monkeypatch.setattr("local_aws.jobs.interpreters._SPARK", (str(tmp_path), "LAKEHOUSE_NO_PYTHON"))
    assert part_of(job) == needed


def test_every_spark_job_of_the_project_has_its_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Part, "is_installed", False)
    monkeypatch.setattr("local_aws.jobs.interpreters._SPARK", (str(tmp_path), "LAKEHOUSE_NO_PYTHON"))
    jobs = load_pipeline().jobs
    assert {job for job in jobs if part_of(job)} == {job for job in jobs if jobs[job].runtime.kind == "spark"}


def test_spark_s_part_has_what_spark_asks_for_before_it_maps_arrow(root: Path) -> None:
    # pyspark states it nowhere as what it requires: DataFrame.mapInArrow asks for it when it is called.
    lock = (root / "requirements" / "laptop-local-spark.txt").read_text(encoding="utf-8")
    assert re.search(r"^pandas==", lock, re.MULTILINE)
    assert "pandas" in SPARK.modules
