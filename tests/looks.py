"""Captures and looks of a lake, as `extract_cdc` leaves them, for what goes by how fresh things are."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Sequence

from catalog.catalogue import Catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit
from glue_jobs.lake.layout import iso, new_attempt, utc_now
from glue_jobs.lake.publish import append_ops
from glue_jobs.lake.source_state import CaptureState, Pause, SourceState

_numbers = itertools.count(1)


def commit_capture(lake: LakeClients, captured_at: dt.datetime, paused: Sequence[str] = ()) -> int:
    """Publish a capture, now; its batch."""
    log = lake.log("capture")
    batch = log.latest_sequence() + 1
    states = {table: CaptureState(pause=Pause("it cannot be seen", iso(captured_at))) for table in paused}
    state = SourceState(captured_at=iso(captured_at), tables=states).state
    log.publish(Commit("capture", batch, new_attempt(), iso(utc_now()), batch, batch, {}, state))
    return batch


def look(
    lake: LakeClients,
    catalogue: Catalogue,
    captured_at: dt.datetime,
    last_batch: int,
    paused: Sequence[str] = (),
) -> None:
    """Record a look at the source."""
    run_id = f"run-{next(_numbers):06d}"
    append_ops(
        lake,
        catalogue.ops["heartbeats"],
        {"captured_date": captured_at.date().isoformat()},
        run_id,
        [
            {
                "run_id": run_id,
                "captured_at": captured_at,
                "last_batch": last_batch,
                "changed_rows": 0,
                "horizon_transactions": 0,
                "held_tables": json.dumps(sorted(paused)) if paused else None,
                "unstated_columns": None,
                "seconds": 1.0,
            }
        ],
    )
