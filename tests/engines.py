"""Engines for tests that read and write no objects, so that they need no endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Engine


@pytest.fixture(scope="session")
def one_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = EmbeddedEngine(cast("Any", None), tmp_path_factory.mktemp("engine"), 256 << 20, 1, 1 << 30)
    yield engine
    engine.close()


@pytest.fixture
def engine(one_engine: Engine) -> Engine:
    """The embedded engine, without any relation."""
    one_engine.forget()
    return one_engine
