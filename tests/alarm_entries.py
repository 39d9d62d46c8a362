"""Alarms by the entries of the runbook that they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def by_entry(spelled: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[str]]:
    """By entry of the runbook, the alarms that lead to it."""
    found: dict[str, list[str]] = {}
    for name, alarm in spelled.items():
        found.setdefault(str(alarm["entry"]), []).append(name)
    return {entry: tuple(names) for entry, names in found.items()}
