"""Cases of a test that run by day, and those that a night is enough for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest


def at_night(*values: Any, name: str | None = None) -> Any:
    """A case that `make test-all` runs and `make test` does not."""
    return pytest.param(*values, marks=pytest.mark.slow, id=name)


def by_day(day: Collection[str], cases: Collection[str] | Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """Every case under its name: those that are named run by day too, the others at night alone.

    Args:
        day: Names of cases.
        cases: Names, or by name the values of each.
    """
    unknown = set(day) - set(cases)
    assert not unknown, f"no case is called {unknown}"
    values = {name: cases[name] if isinstance(cases, Mapping) else (name,) for name in cases}
    return [
        pytest.param(*value, id=name) if name in day else at_night(*value, name=name)
        for name, value in values.items()
    ]
