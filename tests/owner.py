"""The account itself, by a stack's own keys: it prepares what an operator may not do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lakehouse.stack import find_running
from lakehouse.stack_state import Paths, Running
from local_aws.rights.keys import kept_keys


def owner_of(state: Path) -> Running:
    """The stack that runs in a directory, with the keys of its account."""
    running = find_running(state)
    keys = kept_keys(Paths.of(state).root / "keys.json").environment()
    return replace(running, environment={**running.environment, **keys})
