"""docs/tutorial/your-own-database.md, followed from its text in a clean clone, to the first chart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres, bundled_binaries
from tests.how_to import Commands, Edit, steps
from tools.mutants import copy_checkout

from .stack_cli import Stack

PAGE = Path("docs") / "tutorial" / "your-own-database.md"

CHART = Commands(("lakehouse dashboard",), ())
"""What serves pages until a person ends it."""


def test_the_page_has_five_steps_and_the_readme_leads_to_it(root: Path) -> None:
    text = (root / PAGE).read_text(encoding="utf-8")
    numbered = [line for line in text.splitlines() if line.startswith("## ") and line[3].isdigit()]
    assert [line[3] for line in numbered] == ["1", "2", "3", "4", "5"]
    assert f"({PAGE})" in (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_leads_from_nothing_to_the_first_chart(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    copy_checkout(checkout)
    before = files(checkout)
    (checkout / ".venv").symlink_to(sys.prefix)
    monkeypatch.setenv("PATH", f"{bundled_binaries()}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("LAKEHOUSE_PROJECT", raising=False)
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        address = urlsplit(server.dsn())
        monkeypatch.setenv("PGPASSWORD", address.password or "")
        monkeypatch.setenv("PGPORT", str(address.port))
        page = (root / PAGE).read_text(encoding="utf-8")
        # The server is the reader's own.
        own = f"PGHOST={address.hostname} PGUSER={address.username}"
        page = page.replace("PGHOST=localhost PGUSER=postgres", own)
        page = page.replace("@localhost/", f"@{address.hostname}:{address.port}/")
        shell, named = tmp_path / "shell", set()
        try:
            for step in steps(page):
                if isinstance(step, Edit):
                    step.run(checkout)
                    named.add((checkout / step.path).resolve())
                elif step == CHART:
                    sheet = served(checkout, shell)
                    assert "Revenue by month" in sheet
                    assert "2026-03" in sheet
                else:
                    step.run(checkout, shell)
        finally:
            Stack(checkout / ".lakehouse").lakehouse("down")
    assert files(checkout) - before == {checkout / "shop.sql"}
    assert named == {
        checkout / "shop.sql",
        tmp_path / "shop" / "catalog" / "contracts" / "star" / "fact_purchase.yaml",
        tmp_path / "shop" / "bi" / "queries" / "revenue_by_month.sql",
        tmp_path / "shop" / "bi" / "dashboard" / "dashboard.yaml",
    }


def files(checkout: Path) -> set[Path]:
    """What lies in a checkout besides what its own programs keep there."""
    kept = {".lakehouse", ".venv", "__pycache__"}
    found = (path for path in checkout.rglob("*") if not kept & set(path.relative_to(checkout).parts))
    return {path for path in found if path.is_file()}


def served(checkout: Path, shell: Path) -> str:
    """The sheet of the new chart, as the command serves it."""
    with subprocess.Popen(
        ["bash", "-c", f". {shell}; exec {CHART.lines[0]} --port 0"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            # The loopback alone.
            with urlopen(f"{address}sales", timeout=120) as answer:  # noqa: S310
                return str(answer.read().decode())
        finally:
            process.send_signal(signal.SIGINT)
