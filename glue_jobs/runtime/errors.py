"""Errors that a person can act on. Commands raise them too, so nothing here takes a moment to import."""

from __future__ import annotations

import errno
import os


class UserError(Exception):
    """Something that a person caused and can mend: says what is wrong, where, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


DISK_FULL = (
    "The disk that it writes to is full. What is not committed does not count; free some, run it again."
)
"""What is said where that is the reason, whoever found it."""


def is_disk_full(error: BaseException) -> bool:
    """Whether the system had no space left, as Python's own errors and those of engines say it."""
    return getattr(error, "errno", None) == errno.ENOSPC or says_disk_full(str(error))


def says_disk_full(text: str) -> bool:
    """Whether somebody says that a disk is full; PostgreSQL does by a hint where a part was written."""
    return os.strerror(errno.ENOSPC) in text or "Check free disk space" in text


class TablePaused(UserError):  # noqa: N818 - named for what is done
    """One table cannot be captured; the others can."""
