"""The README's commands set themselves up on every Python that is supported, and the next one can follow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tools import dist, set_up

SUPPORTED = ("3.11", "3.12", "3.13")
NEXT = "3.14"
_GLIBC = 34

IMPORTED = "import lakehouse.cli, lakehouse.daemon, pyspark, totesys.demo; print('imported')"


def test_the_supported_pythons_are_those_that_are_looked_for_and_named(root: Path) -> None:
    wanted = (root / "tools" / "find_python.sh").read_text(encoding="utf-8")
    assert all(f"python{version} " in wanted for version in SUPPORTED)
    named = f"Python {SUPPORTED[0]} to {SUPPORTED[-1]}"
    assert named in set_up.explain("ERROR: No matching distribution found for x==1", root)
    assert named in (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("version", SUPPORTED)
def test_what_the_demonstration_needs_installs_and_imports(root: Path, tmp_path: Path, version: str) -> None:
    python = needs.interpreter(version)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    made = subprocess.run(
        [python, "tools/set_up.py", "laptop", "local-spark"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    own = tmp_path / ".venv" / "bin" / "python"
    imported = [str(own), "-W", "ignore", "-c", IMPORTED]
    done = subprocess.run(
        imported, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "imported\n", done.stderr
    asked = [str(own), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout == f"{version}\n"


@pytest.mark.slow
@pytest.mark.parametrize("version", [*SUPPORTED, NEXT])
def test_every_locked_package_has_a_wheel(tmp_path: Path, version: str) -> None:
    runtime = dist.Runtime("development.txt", version, _GLIBC)
    lock = (set_up.LOCKS / runtime.lock).read_text(encoding="utf-8")
    wanted = dist.pinned(lock, runtime.markers, set_up.BUILT_FROM_SOURCE)
    (tmp_path / "wanted.txt").write_text("\n".join(wanted), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "--quiet"]
    which = ["--only-binary", ":all:", "--python-version", version, "--require-hashes", "--no-deps"]
    platforms = [word for tag in runtime.platforms for word in ("--platform", tag)]
    target = ["--dry-run", "--ignore-installed", "--target", str(tmp_path / "none")]
    done = subprocess.run(
        [*pip, "install", *which, *platforms, *target, "--requirement", str(tmp_path / "wanted.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
