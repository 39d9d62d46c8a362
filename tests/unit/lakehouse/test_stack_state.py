"""What is known of a stack survives, is private, and never names a process that is another's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from lakehouse.stack_state import Paths, Running, Settings, load_running, load_settings
from local_aws.processes import start_of


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(tmp_path / "state")


def running(**changes: Any) -> Running:
    stated = {
        "pid": os.getpid(),
        "pid_started": start_of(psutil.Process()),
        "endpoint": "http://127.0.0.1:1",
        "environment": {"AWS_REGION": "eu-west-2"},
        "buckets": {},
        "work_group": "w",
        "postgres_port": None,
        "source": "postgresql://a",
        "source_owner": None,
        "warehouse": "postgresql://b",
    }
    return Running(**{**stated, **changes})


def test_what_is_kept_comes_back_and_is_private(paths: Paths) -> None:
    assert load_settings(paths) is None
    assert load_running(paths) is None
    settings = Settings(source="postgresql://u:secret@h/d", scale=3).save(paths)
    running().save(paths)
    assert load_settings(paths) == settings
    assert load_running(paths) == running()
    for file in (paths.settings, paths.running):
        assert file.stat().st_mode & 0o077 == 0


def test_only_an_embedded_source_waits_to_be_filled() -> None:
    assert Settings().unfilled
    assert not Settings(filled=True).unfilled
    assert not Settings(source="postgresql://a").unfilled


def test_a_process_is_known_by_number_and_start_together() -> None:
    assert running().alive
    started = start_of(psutil.Process())
    assert not running(pid_started=started - 60).alive


def test_a_lock_has_one_holder(paths: Paths) -> None:
    with paths.locked("daemon", wait=False):
        with pytest.raises(BlockingIOError), paths.locked("daemon", wait=False):
            pass
        with paths.locked("command", wait=False):
            pass
    with paths.locked("daemon", wait=False):
        pass
