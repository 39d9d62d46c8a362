"""Which wheels a deployed job installs, and what is said where one is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from local_aws.jobs import wheels


def job(kind: str, **arguments: str) -> dict[str, Any]:
    return {
        "Command": {"Name": kind},
        "DefaultArguments": {f"--{name.replace('_', '-')}": value for name, value in arguments.items()},
    }


def test_each_runtime_lists_its_wheels_in_its_own_argument() -> None:
    both = {"extra_py_files": "s3://b/a.whl,s3://b/c.whl", "additional_python_modules": "s3://b/d.whl"}
    assert wheels.listed(job("pythonshell", **both)) == ["s3://b/a.whl", "s3://b/c.whl"]
    assert wheels.listed(job("glueetl", **both)) == ["s3://b/d.whl"]


def test_a_job_of_the_laptop_lists_none() -> None:
    assert wheels.listed(job("pythonshell")) == []
    assert wheels.listed({"Command": {"Name": "glueetl"}}) == []


class Empty:
    """An S3 in which nothing is."""

    class exceptions:  # noqa: N801 - as boto3 names it
        class NoSuchKey(Exception):  # noqa: N818 - as boto3 names it
            """Nothing is there."""

    def get_object(self, **_: Any) -> dict[str, Any]:
        raise self.exceptions.NoSuchKey


def test_a_wheel_that_is_not_there_is_named_and_nothing_half_is_left(tmp_path: Path) -> None:
    listed = job("pythonshell", extra_py_files="s3://bucket/releases/one/a-1-py3-none-any.whl")
    with pytest.raises(wheels.WheelsError, match=r"one/a-1-py3-none-any\.whl is not there"):
        wheels.installed(cast("Any", Empty()), listed, Path(sys.executable), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_an_environment_was_made_with_has_none_of_its_packages(tmp_path: Path) -> None:
    base = wheels.base_of(Path(sys.executable))
    assert base.resolve() == Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
