"""Which process is meant: a number alone is given to another one once its process has ended."""

from __future__ import annotations

import contextlib

import psutil

_SAME_WITHIN_SECONDS = 0.5


def start_of(process: psutil.Process) -> float:
    """When a process started, in seconds since the machine did.

    A time of day would not do: it moves for what already runs where somebody sets the clock, or where a
    virtual machine goes on after a pause.
    """
    return process.create_time() - psutil.boot_time()


def find_process(pid: int, started: float) -> psutil.Process | None:
    """The process of this number, if it is the one that started then (see `start_of`) and has not ended."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        same = abs(start_of(process) - started) < _SAME_WITHIN_SECONDS
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
