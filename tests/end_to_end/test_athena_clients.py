"""Each Python client that the documentation promises talks to the stack by `lakehouse env` alone."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs

from .stack_cli import Stack

pytestmark = pytest.mark.slow

TEXT = "SELECT count(*) AS n FROM dim_currency"
PYATHENA = f"""
import pyathena
cursor = pyathena.connect(schema_name="totesys_star").cursor()
print(cursor.execute("{TEXT}").fetchone()[0])
"""
PANDAS = f"""
import pyathena
from pyathena.pandas.cursor import PandasCursor
cursor = pyathena.connect(schema_name="totesys_star", cursor_class=PandasCursor).cursor()
print(cursor.execute("{TEXT}").as_pandas().n[0])
"""
SQLALCHEMY = f"""
import sqlalchemy as sa
engine = sa.create_engine("awsathena+rest:///totesys_star")
with engine.connect() as connection:
    print(connection.execute(sa.text("{TEXT}")).scalar())
"""
AWSWRANGLER = f"""
import awswrangler as wr
print(wr.athena.read_sql_query("{TEXT}", database="totesys_star", ctas_approach=False).n[0])
"""
CLIENTS = {
    "pyathena": (["pyathena"], PYATHENA),
    "pandas": (["pyathena[pandas]"], PANDAS),
    "sqlalchemy": (["pyathena[sqlalchemy]"], SQLALCHEMY),
    "awswrangler": (["awswrangler"], AWSWRANGLER),
}
"""What pip installs for each client, and what a person writes with it."""


@pytest.fixture(scope="module")
def environment(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that `lakehouse env` prints, and nothing else that names AWS."""
    stack = Stack(tmp_path_factory.mktemp("clients") / "state")
    stack.lakehouse("up", "--data", str(shared_data))
    try:
        stack.lakehouse("run")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS", "WR_"))}
        for line in stack.lakehouse("env").splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            kept[name] = "".join(shlex.split(value))
        yield kept
    finally:
        stack.lakehouse("down")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_of_its_own_reads_the_lake(environment: dict[str, str], tmp_path: Path, client: str) -> None:
    packages, script = CLIENTS[client]
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "own")], check=True)
    python = tmp_path / "own" / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        needs.missing(f"{packages}", f"pip says {installed.stderr.splitlines()[-1:]}")
    done = subprocess.run(
        [python, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "3", done.stderr
