"""What a capture leaves for the next one: part of its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Optional

from glue_jobs.sources.live_keys import StateObject
from glue_jobs.sources.postgres import Snapshot


@dataclass(frozen=True)
class TableState:
    """Where the capture of one table stands. A table that was held keeps its older state.

    Attributes:
        base: Lower bound of the next capture; nothing means that everything is new.
        high: Upper bound of the snapshot of the last capture.
        system_id: The cluster that these ids belong to.
        timeline: Its timeline.
        structure: Fingerprint of the columns as the source declared them.
        live: Where the live keys are kept.
        seen: Where the versions that may be read again are kept.
        held: Why the table was held, if it was.
    """

    base: Optional[int] = None
    high: int = 0
    system_id: Optional[int] = None
    timeline: Optional[int] = None
    structure: str = ""
    live: Optional[StateObject] = None
    seen: Optional[StateObject] = None
    held: Optional[str] = None


NEW = TableState()
"""The state of a table that was never captured."""


def base_for(state: TableState, snapshot: Snapshot, structure: str) -> Optional[int]:
    """From where a table is to be captured; nothing for all of it.

    All of it when nothing is known, when the ids are another cluster's or another timeline's, when the
    counter went back or passed a whole turn, and when columns came or went (a column that is added with a
    default moves no row's transaction id).
    """
    if state.base is None:
        return None
    same_source = (state.system_id, state.timeline) == (snapshot.system_id, snapshot.timeline)
    in_reach = state.base <= snapshot.high and state.high <= snapshot.high
    within_a_turn = snapshot.high - state.base < 2**32
    unchanged = state.structure == structure
    return state.base if same_source and in_reach and within_a_turn and unchanged else None


def read_states(state: Mapping[str, Any]) -> dict[str, TableState]:
    """The tables' states out of a commit's ``state``."""
    return {
        table: TableState(
            **{**stated, "live": _state_object(stated["live"]), "seen": _state_object(stated["seen"])}
        )
        for table, stated in state.get("tables", {}).items()
    }


def write_states(snapshot: Snapshot, captured_at: str, tables: Mapping[str, TableState]) -> dict[str, Any]:
    """The ``state`` of a capture's commit.

    Args:
        snapshot: The capture's snapshot.
        captured_at: Its time as commits state times.
        tables: The state of every table.
    """
    return {
        "captured_at": captured_at,
        "system_id": snapshot.system_id,
        "timeline": snapshot.timeline,
        "low": snapshot.low,
        "high": snapshot.high,
        "tables": {table: asdict(state) for table, state in sorted(tables.items())},
    }


def _state_object(stated: Optional[Mapping[str, Any]]) -> Optional[StateObject]:
    return None if stated is None else StateObject(**stated)
