"""Structured log lines: one JSON object a line on standard output, never row content.

Fields: ``at`` (UTC), ``level``, ``event``, ``job``, ``run_id``, and what the event states, such as ``batch``,
``table``, counts and ``seconds``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

_current: dict[str, str] = {}
"""The job and its run. A process runs one job, so this holds for all its threads, which a context variable,
private to each, would not."""


_silent: list[None] = []
"""As many as `silenced` blocks that run."""


def _named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    if _silent:
        raise structlog.DropEvent
    return {**_current, **event}


structlog.configure(
    processors=[
        _named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.JSONRenderer(default=str),
    ],
    cache_logger_on_first_use=False,
)


def start(job: str, argv: Sequence[str]) -> str:
    """Name the job and its run in every line that follows.

    Args:
        job: The job's name.
        argv: The job's arguments; Glue's ``--JOB_RUN_ID`` is used where it is there.

    Returns:
        The run's id.
    """
    arguments = list(argv)
    run_id = uuid.uuid4().hex
    if "--JOB_RUN_ID" in arguments[:-1]:
        run_id = arguments[arguments.index("--JOB_RUN_ID") + 1]
    _current.update(job=job, run_id=run_id)
    return run_id


@contextmanager
def silenced() -> Iterator[None]:
    """Write no lines while the block runs: for a command that does what a job does, and prints an answer."""
    _silent.append(None)
    try:
        yield
    finally:
        _silent.pop()


def run_id() -> str:
    """The id that the current run's lines carry; a fresh one outside a job."""
    return _current.get("run_id") or uuid.uuid4().hex


def info(event: str, **fields: Any) -> None:
    """Say what happened."""
    structlog.get_logger().info(event, **fields)


def warning(event: str, **fields: Any) -> None:
    """Say what someone should look at."""
    structlog.get_logger().warning(event, **fields)


def error(event: str, **fields: Any) -> None:
    """Say what went wrong."""
    structlog.get_logger().error(event, **fields)


def step(name: str, **fields: Any) -> None:
    """Mark that a named step of a job is done.

    Every point at which a job may die and be run again has such a name; tests kill jobs at each of them.
    """
    structlog.get_logger().info("step", step=name, **fields)


@contextmanager
def timed(event: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Say what happened and how long it took; the block adds fields to the dictionary that it is given."""
    found: dict[str, Any] = {}
    began = time.monotonic()
    yield found
    info(event, **{**fields, **found}, seconds=round(time.monotonic() - began, 3))
