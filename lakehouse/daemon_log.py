"""Why a stack did not start, out of what its daemon left in its log."""

from __future__ import annotations

import re

from glue_jobs.runtime.errors import says_disk_full

_FAILED = re.compile(r"^[\d-]+ [\d:,]+ ERROR lakehouse\.daemon: ")
_OF_A_SERVER = re.compile(r"\b(?:FATAL|PANIC):.*")
_ASIDE = re.compile(r"\b(?:HINT|DETAIL|CONTEXT|STATEMENT):")


def why_not(log: str) -> str:
    """Why the newest start failed, in words that a sentence can end with.

    Args:
        log: The log, of every start.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    begins = max((at for at, line in enumerate(lines) if _FAILED.match(line)), default=0)
    entry = lines[begins:]
    if says_disk_full("\n".join(entry)):
        # Whoever found it cleans up: the disk may have space again by now.
        return "its disk is full: free some space"
    # A server says why, then how it goes down; Python says why last.
    server = (found.group() for line in entry if (found := _OF_A_SERVER.search(line)))
    said = [line for line in entry if not _ASIDE.search(line)]
    reason = next(server, _FAILED.sub("", said[-1]) if said else "it said nothing")
    return " ".join(reason.split()).rstrip(".")
