"""What `make dist` builds installs where no index is, and runs there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from catalog.pipeline import load_pipeline
from catalog.project import PACKED
from local_aws.jobs.wheels import base_of
from notebooks.execution import notebooks
from tests import needs
from tests.projects import FERRIES, lay_out, publish, run
from tools import dist, set_up


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built release."""
    folder = tmp_path_factory.mktemp("dist")
    dist.build(folder)
    return folder


@pytest.fixture(scope="module")
def manifest(built: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((built / "manifest.json").read_text())
    return said


def clean_environment(kind: str, folder: Path) -> Path:
    """An environment of a runtime's Python with nothing in it; its interpreter."""
    version = dist.RUNTIMES[kind].python
    subprocess.run([needs.interpreter(version), "-m", "venv", str(folder)], check=True)
    return folder / "bin" / "python"


def lend_the_engine(environment: Path) -> None:
    """Put into an environment what a Glue Spark job finds there: Spark itself, and nothing else."""
    runtime = needs.runtime("3.13").parents[1]
    (theirs,) = runtime.glob("lib/python*/site-packages")
    (ours,) = environment.glob("lib/python*/site-packages")
    for name in dist.ENGINE:
        (ours / name).symlink_to(theirs / name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", dist.RUNTIMES)
def test_every_job_imports_in_a_clean_environment_that_was_filled_offline(
    built: Path, manifest: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    python = clean_environment(kind, tmp_path / "environment")
    wheels = [str(built / wheel) for wheel in manifest["installs"][kind]]
    pip = [str(python), "-m", "pip", "--isolated", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--no-index", "--no-cache-dir", "--no-compile", *wheels], check=True, cwd=tmp_path)
    if kind == "spark":
        lend_the_engine(tmp_path / "environment")
    for job in load_pipeline().jobs.values():
        if job.runtime.kind == kind:
            imported = f"import runpy; runpy.run_path({str(built / job.script)!r}, run_name='imported')"
            done = subprocess.run(
                [python, "-I", "-c", imported], capture_output=True, text=True, check=False, cwd=tmp_path
            )
            assert done.returncode == 0, f"{job.script}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("name", load_pipeline().functions)
def test_every_function_imports_in_a_bare_python_from_its_zip_alone(
    built: Path, manifest: dict[str, Any], tmp_path: Path, name: str
) -> None:
    function, code = load_pipeline().functions[name], built / "functions" / f"{name}.zip"
    assert manifest["objects"][f"functions/{name}.zip"]["bytes"] == code.stat().st_size
    with zipfile.ZipFile(code) as archive:
        archive.extractall(tmp_path)
    module, _, called = function.handler.rpartition(".")
    # boto3 looks for the descriptions of services when it makes a client.
    loads = "import boto3; boto3.client('glue', region_name='eu-west-2')"
    imported = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module}; {module}.{called}; {loads}"
    )
    python = base_of(needs.runtime(function.python))
    done = subprocess.run(
        [python, "-I", "-S", "-c", imported], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_function_that_requires_what_the_lock_lacks_is_not_built() -> None:
    wheels = {"one": ["other>=1", "third ; python_version < '3'"], "other": []}
    markers = dist.LAMBDA.markers
    assert dist.closure(["One"], wheels, markers) == ["one", "other"]
    with pytest.raises(dist.DistError, match="requires nothing, which requirements/lambda"):
        dist.closure(["one", "nothing"], wheels, markers)


def test_wheels_of_the_python_shell_need_no_newer_glibc_than_amazon_linux_2_has(
    built: Path, manifest: dict[str, Any]
) -> None:
    needed = {}
    for wheel in manifest["installs"]["python_shell"]:
        with zipfile.ZipFile(built / wheel) as archive:
            for name in archive.namelist():
                if ".so" in name:
                    found = re.findall(rb"GLIBC_2\.(\d+)", archive.read(name))
                    needed[f"{wheel}: {name}"] = max(map(int, found), default=0)
    assert any("pyarrow" in name for name in needed)
    assert any("duckdb" in name for name in needed)
    assert {name: version for name, version in needed.items() if version > 26} == {}


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes(
    manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dist.build(tmp_path) == manifest

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, second = (dist.build_own(tmp_path / name).read_bytes() for name in ("one", "other"))
    assert first == second


def test_a_release_is_named_after_its_bytes(built: Path, manifest: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "glue_jobs").mkdir()
    script = tmp_path / "glue_jobs" / "extract_cdc.py"
    script.write_bytes((built / "glue_jobs" / "extract_cdc.py").read_bytes())
    before = dist.describe(tmp_path, manifest["installs"])["release"]
    script.write_bytes(script.read_bytes() + b"\n")
    assert dist.describe(tmp_path, manifest["installs"])["release"] != before


def test_the_laptop_stays_on_the_laptop(built: Path, manifest: dict[str, Any]) -> None:
    own = built / manifest["installs"]["spark"][-1]
    assert own.name == f"totesys_lakehouse-{manifest['version']}-py3-none-any.whl"
    with zipfile.ZipFile(own) as wheel:
        listed = wheel.namelist()
    assert {"catalog/pipeline.yaml", "glue_jobs/lake/commits.py"} <= set(listed)
    packages = {name.partition("/")[0] for name in listed if ".dist-info/" not in name}
    assert packages == {*dist.DEPLOYED_PACKAGES, "notebooks"}
    # Of the notebooks a job reads what they ask; what runs them stays behind.
    assert {name for name in listed if name.startswith("notebooks/")} == {
        f"notebooks/{path.name}" for path in notebooks()
    }
    assert [wheel.name for wheel in (built / "laptop").iterdir()] == [own.name]
    assert not any(name.startswith("laptop") for name in manifest["objects"])


def extras_of(requirement: Requirement) -> set[str]:
    """The extras that ask for a requirement."""
    return set(re.findall(r'extra == "([^"]+)"', str(requirement.marker or "")))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for people."""
    return dist.build_laptop(tmp_path_factory.mktemp("laptop"))


def test_the_wheel_for_people_requires_just_what_the_laptops_locks_name(laptop: Path, root: Path) -> None:
    required = list(map(Requirement, dist.requirements_of(laptop)))
    for extra, lock in {"": "laptop.txt", **set_up.LAPTOP.parts}.items():
        asked = {one.name for one in required if extras_of(one) == ({extra} if extra else set())}
        assert asked == set(set_up.locked_packages(root / "requirements" / lock)), extra
    assert all([one.operator for one in requirement.specifier] == ["=="] for requirement in required)


class Elsewhere:
    """A fresh environment with the wheel for people in it, and an empty folder to give commands from.

    What it requires is lent by the environment of the tests, whose link to the checkout is not followed.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.environment, self.folder = folder / "environment", folder / "elsewhere"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.environment], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(self.environment), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
        (self.packages,) = self.environment.glob("lib/python*/site-packages")
        (self.packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def lakehouse(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [self.environment / "bin" / "lakehouse", *words],
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def elsewhere(laptop: Path, tmp_path: Path) -> Elsewhere:
    return Elsewhere(laptop, tmp_path)


def test_the_wheel_for_people_runs_from_any_folder(elsewhere: Elsewhere, laptop: Path) -> None:
    version = laptop.name.split("-")[1]
    assert elsewhere.lakehouse("--version") == f"lakehouse, version {version}\n"
    # Contracts, rules and the engine's SQL travel with it.
    assert elsewhere.lakehouse("explain", "fact_sales_order").startswith("-- candidates: ")


@pytest.mark.slow
def test_a_stack_of_the_wheel_for_people_brings_rows_to_the_warehouse(elsewhere: Elsewhere) -> None:
    try:
        elsewhere.lakehouse("up")
        assert "rows loaded" in elsewhere.lakehouse("run")
        assert re.search(r"^load +1 +0 ", elsewhere.lakehouse("status"), re.MULTILINE)
        jobs = (elsewhere.folder / ".lakehouse" / "packages" / "glue_jobs").resolve()
        assert jobs == (elsewhere.packages / "glue_jobs").resolve()
    finally:
        elsewhere.lakehouse("down")


@pytest.mark.slow
def test_another_project_is_packed_and_nothing_of_this_one(root: Path, tmp_path: Path) -> None:
    project = publish(lay_out(FERRIES, root, tmp_path / "ferries"))
    run(project, "tools.dist", "--to", str(tmp_path / "dist"))
    manifest = json.loads((tmp_path / "dist" / "manifest.json").read_text())
    with zipfile.ZipFile(tmp_path / "dist" / manifest["installs"]["python_shell"][-1]) as wheel:
        listed = set(wheel.namelist())
        ours = "".join(wheel.read(name).decode() for name in listed if name.startswith(PACKED))
    theirs = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    packed = {name for name in theirs if name.startswith(PACKED)}
    assert {name for name in listed if name.startswith(PACKED)} == packed
    assert {"catalog/contracts/raw/boat.yaml", "catalog/published/boat.json"} < packed
    assert "not_overloaded" in ours
    assert "totesys" not in ours
    assert not any("totesys" in name for name in [*listed, *manifest["objects"]])
    assert "totesys" not in json.dumps(manifest["alarms"])


def test_a_shell_job_installs_one_bundle_and_ours(built: Path, manifest: dict[str, Any]) -> None:
    bundle, own = manifest["installs"]["python_shell"]
    assert bundle.startswith(f"wheels/{dist.BUNDLE}-")
    assert own == manifest["installs"]["spark"][-1]
    # pip looks for what a wheel requires by name, and the bundle has a name of its own.
    assert [dist.requirements_of(built / wheel) for wheel in (bundle, own)] == [[], []]


def test_a_bundle_holds_what_its_wheels_install_less_what_no_job_asks_for(tmp_path: Path) -> None:
    def wheel(name: str, *paths: str) -> Path:
        made = tmp_path / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(made, "w") as archive:
            for path in (*paths, f"{name}-1.0.dist-info/METADATA", f"{name}-1.0.dist-info/RECORD"):
                archive.writestr(path, f"{name}: {path}")
        return made

    wheels = [
        wheel("one", "one/a.py", "one/tests/test_a.py", "one/a.pyi"),
        wheel("botocore", "botocore/data/ec2/x.json", "botocore/data/s3/x.json"),
    ]
    runtime, folders = dist.RUNTIMES[dist.BUNDLED], [tmp_path / "first", tmp_path / "again"]
    for folder in folders:
        folder.mkdir()
    first, again = (dist.bundle(wheels, runtime, "1.0", folder) for folder in folders)
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        info = f"{dist.BUNDLE}-1.0.dist-info"
        assert set(archive.namelist()) == {
            "one/a.py",
            "one-1.0.egg-info/PKG-INFO",
            "botocore/data/s3/x.json",
            "botocore-1.0.egg-info/PKG-INFO",
            f"{info}/METADATA",
            f"{info}/RECORD",
            f"{info}/WHEEL",
        }
        assert archive.read("one/a.py") == b"one: one/a.py"


def test_a_wheel_that_installs_elsewhere_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("one-1.0.data/data/etc/one", "x")
    with pytest.raises(dist.DistError, match="which a bundle cannot"):
        dist.bundle([made], dist.RUNTIMES[dist.BUNDLED], "1.0", tmp_path)
