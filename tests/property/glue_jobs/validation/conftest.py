"""Validation's properties run on the embedded engine; an example forgets what the one before it made."""

from __future__ import annotations

import pytest

from glue_jobs.engine.protocol import Engine
from tests.engines import one_engine


@pytest.fixture(scope="session")
def engine(one_engine: Engine) -> Engine:
    return one_engine


__all__ = ["one_engine"]
