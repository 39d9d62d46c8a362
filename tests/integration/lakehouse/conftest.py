"""What the tests of the stack share: directories that PostgreSQL can reach, and servers in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory outside pytest's own, which another pytest may shut while PostgreSQL runs in it."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A throw-away PostgreSQL server."""
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-") as directory,
        EmbeddedPostgres(Path(directory), durable=False) as running,
    ):
        yield running
