"""What a capture leaves for the next one: part of its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Optional, Union

from glue_jobs.sources.live_keys import StateObject
from glue_jobs.sources.snapshot import Snapshot


@dataclass(frozen=True)
class Hold:
    """A table that is held, and how far its batch was set aside.

    Attributes:
        reason: Why it is held.
        since: When the capture that first held it took its snapshot, as commits state times.
        conflict: The structure that the letters were written under; nothing where none were.
        letters: Open dead letters: versions that were set aside and are still to be captured.
        base: Lower bound of what is to be set aside next.
        high: Upper bound of the snapshot of the last letters.
        system_id: The cluster that these ids belong to.
        timeline: Its timeline.
        seen: Where the transactions are kept that were seen and whose versions are read again.
    """

    reason: str
    since: str
    conflict: Optional[str] = None
    letters: int = 0
    base: Optional[int] = None
    high: int = 0
    system_id: Optional[int] = None
    timeline: Optional[int] = None
    seen: Optional[StateObject] = None


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
        held: Why the table is held, and what was set aside meanwhile; nothing where it is not.
    """

    base: Optional[int] = None
    high: int = 0
    system_id: Optional[int] = None
    timeline: Optional[int] = None
    structure: str = ""
    live: Optional[StateObject] = None
    seen: Optional[StateObject] = None
    held: Optional[Hold] = None

    @property
    def objects(self) -> tuple[StateObject, ...]:
        """Everything outside the commit that the next capture reads."""
        named = (self.live, self.seen, None if self.held is None else self.held.seen)
        return tuple(stated for stated in named if stated is not None)


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


def letters_base(state: TableState, snapshot: Snapshot, conflict: str) -> Optional[int]:
    """From where the letters of a held table continue; nothing where they begin anew."""
    held = state.held
    if held is None or held.conflict is None:
        return None
    end = TableState(held.base, held.high, held.system_id, held.timeline, held.conflict)
    return base_for(end, snapshot, conflict)


def conflicts(tables: Mapping[str, TableState]) -> dict[str, Optional[str]]:
    """The held tables, each with the structure that it was set aside under, if it was."""
    return {table: state.held.conflict for table, state in tables.items() if state.held is not None}


def read_states(state: Mapping[str, Any]) -> dict[str, TableState]:
    """The tables' states out of a commit's ``state``."""
    return {
        table: TableState(
            **{
                **stated,
                "live": _state_object(stated["live"]),
                "seen": _state_object(stated["seen"]),
                "held": _hold(stated["held"]),
            }
        )
        for table, stated in state.get("tables", {}).items()
    }


def write_states(
    snapshot: Snapshot,
    captured_at: str,
    tables: Mapping[str, TableState],
    schemas: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The ``state`` of a capture's commit.

    Args:
        snapshot: The capture's snapshot.
        captured_at: Its time as commits state times.
        tables: The state of every table.
        schemas: Which registered schema each table was captured by.
    """
    return {
        "captured_at": captured_at,
        "system_id": snapshot.system_id,
        "timeline": snapshot.timeline,
        "low": snapshot.low,
        "high": snapshot.high,
        "schemas": dict(schemas),
        "tables": {table: asdict(state) for table, state in sorted(tables.items())},
    }


def _hold(stated: Union[str, Mapping[str, Any], None]) -> Optional[Hold]:
    if stated is None:
        return None
    if isinstance(stated, str):  # as commits stated it before there were dead letters
        return Hold(reason=stated, since="")
    return Hold(**{**stated, "seen": _state_object(stated["seen"])})


def _state_object(stated: Optional[Mapping[str, Any]]) -> Optional[StateObject]:
    return None if stated is None else StateObject(**stated)
