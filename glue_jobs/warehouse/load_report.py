"""What the warehouse has loaded, told to the lake: a commit of the stage ``load`` and its ops record.

The truth stays in the warehouse, in the transaction that loads. What is told here is made from its last load,
as often as one likes with the same result, so a run that died in between is mended by the next.
"""

from __future__ import annotations

from contextlib import suppress

from catalog.catalogue import Catalogue
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitConflict, TableCommit
from glue_jobs.lake.load_state import LoadState
from glue_jobs.lake.publish import publish
from glue_jobs.warehouse.load import Load

STAGE = "load"


def report(lake: LakeClients, catalogue: Catalogue, last: Load) -> None:
    """Tell the lake of the warehouse's last load, unless it knows.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        last: The warehouse's last load.
    """
    log = lake.log(STAGE)
    known = log.latest()
    if known is None or _differs(known, last):
        known = as_commit(last, known.sequence + 1 if known else 1)
        # Another loader that tells the same load first is as good.
        with suppress(CommitConflict):
            log.publish(known)
    publish(lake, catalogue, known, last.seconds)


def as_commit(last: Load, sequence: int) -> Commit:
    """A load as a commit of its stage."""
    return Commit(
        stage=STAGE,
        sequence=sequence,
        attempt=last.run_id,
        committed_at=layout.iso(last.loaded_at),
        first_batch=last.first_batch,
        last_batch=last.last_batch,
        tables={
            name: TableCommit({"read": counts.read, "accepted": counts.read, "new": counts.changed})
            for name, counts in last.tables.items()
        },
        state=_state(last).state,
    )


def _differs(known: Commit, last: Load) -> bool:
    stated, loaded = LoadState.of(known), _state(last)
    return (stated.dimensions, stated.facts) != (loaded.dimensions, loaded.facts)


def _state(last: Load) -> LoadState:
    captured_at = layout.iso(last.snapshot_at) if last.snapshot_at else None
    return LoadState(last.dimensions_sequence, last.facts_sequence, captured_at)
