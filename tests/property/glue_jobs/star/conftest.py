"""The engine of the star's properties: no object is read or written, so that it needs no endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    one = EmbeddedEngine(None, tmp_path_factory.mktemp("engine"), 256 << 20, 1, 1 << 30)
    yield one
    one.close()
