"""Lakes on which the stages run as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lake import Lake, lake


@pytest.fixture
def star_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with lake(tmp_path, monkeypatch) as one:
        yield one
