"""Why a stack did not start is said by the line of its log that says it, which seldom is the last one."""

from __future__ import annotations

import pytest

from lakehouse.daemon_log import why_not

SERVER = """\
2026-12-01 17:29:40,001 INFO lakehouse.daemon: ended
2026-12-01 17:29:41,199 ERROR lakehouse.daemon: PostgreSQL did not start; its log:
2026-12-01 17:29:40.914 UTC [31371] LOG:  redo done at 0/2D77A08
2026-12-01 17:29:40.915 UTC [31371] FATAL:  could not write to file "pg_wal/xlogtemp.31371": {reason}
2026-12-01 17:29:40.917 UTC [31365] LOG:  startup process (PID 31371) exited with exit code 1
2026-12-01 17:29:41.196 UTC [31383] LOG:  database system is shut down
"""
INITDB = """\
2026-12-01 17:38:44,057 ERROR lakehouse.daemon: initdb failed in /s/pg:
creating configuration files ... ok
running bootstrap script ... 2026-12-01 17:38:44.041 UTC [2095] FATAL:  could not extend a file: wrote 0
2026-12-01 17:38:44.041 UTC [2095] HINT:  Check free disk space.
2026-12-01 17:38:44.041 UTC [2095] PANIC:  cannot abort transaction 1, it was already committed
initdb: removing contents of data directory "/proc/self/cwd"
"""
TRACEBACK = """\
2026-12-01 17:25:39,061 ERROR lakehouse.daemon: {error}
Traceback (most recent call last):
  File "/w/lakehouse/daemon.py", line 178, in _databases
    postgres.ensure_database(embedded.database, embedded.owner)
some.errors.Failed: {error}
HINT:  Ask somebody.
"""


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            SERVER.format(reason="Permission denied"),
            'FATAL: could not write to file "pg_wal/xlogtemp.31371": Permission denied',
        ),
        (TRACEBACK.format(error="the port is taken."), "some.errors.Failed: the port is taken"),
        ("2026-12-01 17:25:39,061 ERROR lakehouse.daemon: another serves /s\n", "another serves /s"),
        ("Killed.\n", "Killed"),
        ("\n", "it said nothing"),
    ],
)
def test_the_reason_is_the_line_that_says_it(log: str, reason: str) -> None:
    assert why_not(log) == reason


@pytest.mark.parametrize("log", [SERVER.format(reason="No space left on device"), INITDB])
def test_a_disk_that_was_full_is_named_though_it_is_no_longer(log: str) -> None:
    assert why_not(log) == "its disk is full: free some space"


def test_what_an_earlier_start_said_does_not_count() -> None:
    earlier = SERVER.format(reason="No space left on device")
    assert why_not(f"{earlier}{TRACEBACK.format(error='no')}") == "some.errors.Failed: no"
