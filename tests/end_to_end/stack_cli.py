"""A laptop stack as a person uses it: through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

ORDINARY = [("extract_cdc", "SUCCEEDED"), ("transform", "SUCCEEDED")]
"""The jobs of an ordinary run: neither starts Java."""


class Stack:
    """The stack of one state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def lakehouse(self, *arguments: str, expect: int = 0) -> str:
        """Run a command and return what it printed on both streams."""
        command = [sys.executable, "-m", "lakehouse.cli", *arguments, "--state", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def sql(self, query: str) -> list[dict[str, Any]]:
        answer = self.lakehouse("sql", query, "--format", "json")
        rows: list[dict[str, Any]] = json.loads(answer, parse_float=Decimal)
        return rows

    def told(self, command: str, *arguments: str) -> Any:
        """What a command says as JSON."""
        return json.loads(self.lakehouse(command, *arguments, "--json"))

    def jobs(self) -> list[tuple[str, str]]:
        """Every job run so far, with its state, in the order of their starts."""
        runs = [json.loads(path.read_text()) for path in (self.state / "runs").glob("jr_*.json")]
        return [(run["job"], run["state"]) for run in sorted(runs, key=lambda run: run["started"])]

    def source(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn("SOURCE_OWNER"), autocommit=True)

    def warehouse(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn("WAREHOUSE"), autocommit=True)

    def dsn(self, name: str) -> str:
        lines = self.lakehouse("env").splitlines()
        prefix = f"export TOTESYS_{name}_DSN="
        (found,) = (line.removeprefix(prefix).strip("'\"") for line in lines if line.startswith(prefix))
        return found
