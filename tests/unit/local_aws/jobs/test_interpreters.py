"""A job runs on the Python of the Glue runtime that it names, where that is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.jobs.interpreters import CHECKOUT, interpreter_for
from tools.set_up import RUNTIMES

SHELL = {"Command": {"Name": "pythonshell"}}
SPARK = {"Command": {"Name": "glueetl"}}


@pytest.mark.parametrize(
    ("job", "directory", "variable"),
    [
        (SHELL, ".venv-glue-shell-3.9", "LAKEHOUSE_SHELL_PYTHON"),
        (SPARK, ".venv-glue-spark-3.13", "LAKEHOUSE_SPARK_PYTHON"),
    ],
)
def test_the_runtime_is_used_where_it_is_set_up(
    tmp_path: Path, job: Any, directory: str, variable: str
) -> None:
    missing = interpreter_for(job, {}, tmp_path)
    assert missing.executable == Path(sys.executable)
    assert f"{directory} is not there" in missing.note
    python = tmp_path / directory / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert interpreter_for(job, {}, tmp_path).executable == python
    assert interpreter_for(job, {variable: "/some/python"}, tmp_path).executable == Path("/some/python")


def test_the_runtimes_are_looked_for_where_the_set_up_makes_them(root: Path) -> None:
    assert root == CHECKOUT
    for name, environment in RUNTIMES.items():
        kind = "pythonshell" if name == "3.9" else "glueetl"
        found = interpreter_for({"Command": {"Name": kind}}, {})
        assert environment.folder in found.note
        assert not environment.python.exists() or found.executable == environment.python
