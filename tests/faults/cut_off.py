"""Run the capture as its process does, and let the source end all its sessions at some point.

``python -m tests.faults.cut_off POINT DSN ARGUMENTS…``: the point is a step's name, or ``reader`` for a
moment at which no step is: a connection that streams rows is open and has not asked for any. The DSN is of a
role that may end the sessions of others.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

import psycopg

from glue_jobs.runtime import log
from glue_jobs.sources.postgres_source import Reader
from tests.faults.pipeline import READER

CUT = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s"


def main(argv: list[str]) -> None:
    """Run the capture; ends as it does."""
    point, dsn, *arguments = argv
    step, take_part = log.step, Reader.take_part

    def cut(now: str) -> None:
        if now == point:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(CUT, [READER])

    def stepping(name: str, **fields: Any) -> None:
        step(name, **fields)
        cut(name)

    def taking_part(reader: Reader, exported: str) -> None:
        take_part(reader, exported)
        cut("reader")

    log.step = stepping
    setattr(Reader, "take_part", taking_part)  # noqa: B010 - mypy takes an assignment for a mistake
    sys.argv[1:] = arguments
    runpy.run_module("glue_jobs.extract_cdc", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
