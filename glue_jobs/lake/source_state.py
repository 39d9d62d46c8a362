"""What a capture leaves for the next one: part of its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional, Union

from glue_jobs.lake.commits import CAPTURED_AT, Commit, DataObject, data_objects, read_known
from glue_jobs.lake.snapshot import UNKNOWN_SOURCE, Snapshot, SourceIdentity
from glue_jobs.lake.state_objects import StateObject

KNOWN_STARTS = 16
"""How many servers may stand behind one name, each trusted until it is started again."""


@dataclass(frozen=True)
class Pause:
    """Why a table is paused, and how far its rows are quarantined.

    Attributes:
        reason: Why it is paused.
        since: When the capture that first paused it took its snapshot, as commits state times.
        conflict: The structure that the rows were quarantined under; nothing where none were.
        quarantined: Versions that are quarantined and are still to be captured.
        xmin_horizon: Versions from this transaction id on are to be quarantined next.
        snapshot_xmax: The xmax of the snapshot of the last quarantined rows.
        source: The server and database that these ids belong to.
        seen_transactions: Where the transactions are kept that were seen and whose versions are read again.
        server_starts: When servers of it were started that have shown these ids.
    """

    reason: str
    since: str
    conflict: Optional[str] = None
    quarantined: int = 0
    xmin_horizon: Optional[int] = None
    snapshot_xmax: int = 0
    source: SourceIdentity = UNKNOWN_SOURCE
    seen_transactions: Optional[StateObject] = None
    server_starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class CaptureState:
    """Where the capture of one table stands. A table that was paused keeps its older state.

    Attributes:
        xmin_horizon: The next capture reads versions from this transaction id on; nothing means that
            everything is new.
        snapshot_xmax: The xmax of the snapshot of the last capture.
        source: The server and database that these ids belong to.
        structure: Fingerprint of the table and its columns as the source declared them.
        live_keys: Where the live keys are kept.
        seen_versions: Where the versions that may be read again are kept.
        pause: Why the table is paused, and what was quarantined meanwhile; nothing where it is not.
        server_starts: When servers of it were started that have shown these ids, the newest last.
        labels: What the values of its enumerations were called, by what names each for ever.
        leaves: Where the relations are kept that held the rows, each with how many; nothing where the table
            held them itself, and each key once.
        full_request: The last request for a full capture that was made before it.
    """

    xmin_horizon: Optional[int] = None
    snapshot_xmax: int = 0
    source: SourceIdentity = UNKNOWN_SOURCE
    structure: str = ""
    live_keys: Optional[StateObject] = None
    seen_versions: Optional[StateObject] = None
    pause: Optional[Pause] = None
    server_starts: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    leaves: Optional[StateObject] = None
    full_request: int = 0

    @property
    def objects(self) -> tuple[Union[StateObject, DataObject], ...]:
        """Everything outside the commit that the next capture reads."""
        named = (
            self.live_keys,
            self.seen_versions,
            self.leaves,
            None if self.pause is None else self.pause.seen_transactions,
        )
        stated = [one for one in named if one is not None]
        return (*stated, *(data for one in stated for data in one.parts))


NEW = CaptureState()
"""The state of a table that was never captured."""


@dataclass(frozen=True)
class FeedState:
    """Where a feed stands, as the commits of the capture log carry it on.

    Attributes:
        values: Where the newest published values are kept.
        readings: Where it is kept which landed bodies were read, in order.
        asked: What was asked for since the feed's first day, as the feed names it.
    """

    values: Optional[StateObject] = None
    readings: Optional[StateObject] = None
    asked: tuple[str, ...] = ()

    @property
    def objects(self) -> tuple[StateObject, ...]:
        """Everything outside the commit that the feed's next run reads."""
        return tuple(stated for stated in (self.values, self.readings) if stated is not None)


@dataclass(frozen=True)
class SourceState:
    """What a commit of the capture log states: the last snapshot of the source, and where each table stands.

    Attributes:
        captured_at: When what the commit brings was seen, as commits state times.
        source: The server that the snapshot was taken of.
        snapshot_xmin: The snapshot's xmin.
        snapshot_xmax: The snapshot's xmax.
        schemas: Which registered schema each table was captured by.
        tables: The state of every captured table.
        feeds: The state of every feed: a capture carries it on as it is, as a feed does the tables'.
    """

    captured_at: str = ""
    source: SourceIdentity = UNKNOWN_SOURCE
    snapshot_xmin: int = 0
    snapshot_xmax: int = 0
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, CaptureState] = field(default_factory=dict)
    feeds: Mapping[str, FeedState] = field(default_factory=dict)

    @classmethod
    def after(
        cls,
        snapshot: Snapshot,
        captured_at: str,
        tables: Mapping[str, CaptureState],
        schemas: Mapping[str, Mapping[str, Any]],
        feeds: Mapping[str, FeedState],
    ) -> SourceState:
        """What a capture that took a snapshot states."""
        return cls(captured_at, snapshot.source, snapshot.xmin, snapshot.xmax, schemas, tables, feeds)

    @classmethod
    def of(cls, commit: Optional[Commit]) -> SourceState:
        """What a commit of ``capture`` states."""
        if commit is None:
            return cls()
        tables = {table: _capture_state(stated) for table, stated in commit.state.get("tables", {}).items()}
        feeds = {name: _feed_state(stated) for name, stated in commit.state.get("feeds", {}).items()}
        return read_known(cls, commit.state, source=_source(commit.state), tables=tables, feeds=feeds)

    @property
    def objects(self) -> tuple[StateObject | DataObject, ...]:
        """Everything outside the commit that the next capture, or the next run of a feed, reads."""
        of_tables = tuple(stated for state in self.tables.values() for stated in state.objects)
        return of_tables + tuple(stated for state in self.feeds.values() for stated in state.objects)

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in a commit."""
        return {
            CAPTURED_AT: self.captured_at,
            "source": asdict(self.source),
            "snapshot_xmin": self.snapshot_xmin,
            "snapshot_xmax": self.snapshot_xmax,
            "schemas": dict(self.schemas),
            "tables": {table: asdict(state) for table, state in sorted(self.tables.items())},
            "feeds": {feed: asdict(state) for feed, state in sorted(self.feeds.items())},
        }


def horizon_for(state: CaptureState, snapshot: Snapshot, structure: str) -> Optional[int]:
    """From which transaction id on a table is to be captured; nothing for all of it.

    All of it when nothing is known, when the ids are another server's or database's, when the counter went
    back or passed a whole turn, when columns came or went (a column that is added with a default moves no
    row's transaction id), and when the server was started since: it may have been restored from an older copy
    of its disk, and its counter have passed the recorded one again.
    """
    if state.xmin_horizon is None:
        return None
    same_source = state.source == snapshot.source
    in_reach = state.xmin_horizon <= snapshot.xmax and state.snapshot_xmax <= snapshot.xmax
    within_a_turn = snapshot.xmax - state.xmin_horizon < 2**32
    unchanged = state.structure == structure and snapshot.server_started in state.server_starts
    return state.xmin_horizon if same_source and in_reach and within_a_turn and unchanged else None


def server_starts(state: CaptureState, snapshot: Snapshot) -> tuple[int, ...]:
    """The starts of servers that the next capture may trust; several standbys may stand behind one name."""
    known = state.server_starts if state.source == snapshot.source else ()
    others = tuple(start for start in known if start != snapshot.server_started)
    return (*others, snapshot.server_started)[-KNOWN_STARTS:]


def is_renamed(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a value of an enumeration has another name, which moves no row's transaction id."""
    return any(now.get(value) != label for value, label in before.items())


def quarantine_horizon(state: CaptureState, snapshot: Snapshot, conflict: str) -> Optional[int]:
    """From which transaction id on rows of a paused table are quarantined; nothing for all of them."""
    pause = state.pause
    if pause is None or pause.conflict is None:
        return None
    end = CaptureState(
        pause.xmin_horizon,
        pause.snapshot_xmax,
        pause.source,
        pause.conflict,
        server_starts=pause.server_starts,
    )
    return horizon_for(end, snapshot, conflict)


def conflicts(tables: Mapping[str, CaptureState]) -> dict[str, Optional[str]]:
    """The paused tables, each with the structure that its rows were quarantined under, if they were."""
    return {table: state.pause.conflict for table, state in tables.items() if state.pause is not None}


def _capture_state(stated: Mapping[str, Any]) -> CaptureState:
    return read_known(
        CaptureState,
        stated,
        source=_source(stated),
        server_starts=tuple(stated.get("server_starts", ())),
        live_keys=_state_object(stated, "live_keys"),
        leaves=_state_object(stated, "leaves"),
        seen_versions=_state_object(stated, "seen_versions"),
        pause=_pause(stated.get("pause")),
    )


def _feed_state(stated: Mapping[str, Any]) -> FeedState:
    return read_known(
        FeedState,
        stated,
        values=_state_object(stated, "values"),
        readings=_state_object(stated, "readings"),
        asked=tuple(stated.get("asked", ())),
    )


def _pause(stated: Optional[Mapping[str, Any]]) -> Optional[Pause]:
    if stated is None:
        return None
    seen = _state_object(stated, "seen_transactions")
    starts = tuple(stated.get("server_starts", ()))
    return read_known(Pause, stated, source=_source(stated), server_starts=starts, seen_transactions=seen)


def _source(stated: Mapping[str, Any]) -> SourceIdentity:
    return read_known(SourceIdentity, stated.get("source") or {})


def _state_object(stated: Mapping[str, Any], name: str) -> Optional[StateObject]:
    found = stated.get(name)
    return (
        None if found is None else read_known(StateObject, found, parts=data_objects(found.get("parts", ())))
    )
