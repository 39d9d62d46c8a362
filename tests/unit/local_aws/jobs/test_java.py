"""A Java that Spark runs on is found, others are passed over, and the wheel's is the last resort."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.jobs.java import (
    JavaNotFoundError,
    bundled_home,
    candidates,
    find_installed,
    java_home,
    java_version,
)

MakeHome = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> MakeHome:
    """Makes directories that look like a Java installation."""

    def make(version: str, *, runnable: bool = True) -> Path:
        directory = tmp_path / f"java-{version}"
        java = directory / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text("#!/bin/sh\n")
        java.chmod(0o755 if runnable else 0o644)
        (directory / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        return directory

    return make


def test_the_version_is_read_from_the_release_file(home: MakeHome) -> None:
    assert java_version(home("17.0.15")) == 17
    assert java_version(home("21")) == 21
    assert java_version(home("25.0.1")) == 25


def test_what_cannot_run_is_no_java(home: MakeHome, tmp_path: Path) -> None:
    assert java_version(home("17.0.1", runnable=False)) is None
    assert java_version(tmp_path / "nowhere") is None
    release = home("17.0.2") / "release"
    release.write_text("nothing of use")
    assert java_version(release.parent) is None
    release.unlink()
    assert java_version(release.parent) is None


def test_a_java_that_spark_does_not_support_is_passed_over(home: MakeHome) -> None:
    newest, supported = home("25.0.1"), home("21.0.2")
    assert find_installed([newest, supported]) == supported
    assert find_installed([newest]) is None


def test_the_variable_comes_first_then_the_path(home: MakeHome) -> None:
    by_variable, by_path = home("17.0.1"), home("21.0.1")
    environment = {"JAVA_HOME": str(by_variable), "PATH": str(by_path / "bin")}
    assert list(candidates(environment))[:2] == [by_variable, by_path]
    assert java_home(by_variable, environment) == by_variable
    assert java_home(by_variable, {"JAVA_HOME": str(home("25")), "PATH": str(by_path / "bin")}) == by_path


def test_the_wheels_java_starts_without_the_module_that_it_lacks(tmp_path: Path) -> None:
    launcher = bundled_home(tmp_path / "a b") / "bin" / "java"
    done = subprocess.run(
        [launcher, "--add-modules=jdk.incubator.vector", "-Dx=a b", "-version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'version "17' in done.stderr


def test_no_java_at_all_is_an_error_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_aws.jobs.java._USUAL_PLACES", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(JavaNotFoundError, match="make development"):
        java_home(tmp_path, {"PATH": ""})
