"""Full captures that were asked for: every row of a table is captured again, whatever wrote it.

A request is a numbered commit of a stage of its own, as a rebuild's is. The state of each table says which
request its last capture answered; one that was paused meanwhile has not answered, and does so once it is
captured. Equal rows make no versions: the star compares what comes with what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitConflict, CommitLog
from glue_jobs.lake.source_state import CaptureState, SourceState
from glue_jobs.runtime.errors import UserError

STAGE = "full_capture"
"""The stage of requests in the commit log."""

ALL = "all"
"""What stands for all tables where tables are named."""

_TABLE, _REASON = "table", "reason"


def request_full_capture(lake: LakeClients, table: Optional[str], reason: str) -> int:
    """Ask for a full capture, unless the same was asked for and is not answered yet.

    Args:
        lake: Its clients.
        table: The table; nothing for all.
        reason: Why, for a person.

    Returns:
        The request's number.
    """
    log = lake.log(STAGE)
    while True:
        states = SourceState.of(lake.log("capture").latest()).tables
        for request in _since(log, states):
            if request.state.get(_TABLE) == table and _waits(request, states):
                return request.sequence
        number = log.latest_sequence() + 1
        state = {_TABLE: table, _REASON: reason}
        now = layout.iso(layout.utc_now())
        try:
            log.publish(Commit(STAGE, number, layout.new_attempt(), now, 0, 0, state=state))
        except CommitConflict:
            continue  # somebody else asked at the same moment, perhaps for the same
        return number


def requested(
    lake: LakeClients, states: Mapping[str, CaptureState], tables: Iterable[str]
) -> tuple[int, dict[str, str]]:
    """What was asked for and is not answered.

    Args:
        lake: Its clients.
        states: Where the last published capture left the tables.
        tables: The tables that there are.

    Returns:
        The number of the last request, 0 before the first; and by table, why it is to be captured in full.
    """
    log = lake.log(STAGE)
    found = {
        table: str(request.state.get(_REASON))
        for request in _since(log, states)
        for table in tables
        if _concerns(request, table, states)
    }
    return log.latest_sequence(), found


def named(text: str, tables: Iterable[str]) -> list[Optional[str]]:
    """The tables that an argument names, separated by commas; nothing in place of a name stands for all.

    Raises:
        UserError: It names a table that there is not.
    """
    known = sorted(tables)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known and name != ALL]
    if unknown:
        raise UserError(
            f"There is no table {', '.join(unknown)} to capture in full.",
            f"The tables are: {', '.join(known)}; {ALL} stands for all of them.",
        )
    return [None if name == ALL else name for name in names]


def _since(log: CommitLog, states: Mapping[str, CaptureState]) -> list[Commit]:
    """The requests that some table may not have answered, in order."""
    answered = min((state.full_request for state in states.values()), default=0)
    return list(log.after(answered))


def _concerns(request: Commit, table: str, states: Mapping[str, CaptureState]) -> bool:
    # One that was never captured is captured in full as it is.
    answered = states[table].full_request if table in states else request.sequence
    return request.state.get(_TABLE) in (None, table) and request.sequence > answered


def _waits(request: Commit, states: Mapping[str, CaptureState]) -> bool:
    return any(_concerns(request, table, states) for table in states)
