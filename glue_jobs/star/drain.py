"""Draining a stage of the star: everything that waits, built into its tables, in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Callable

from catalog.catalogue import Catalogue
from catalog.model import UNRESOLVED, Contract
from glue_jobs.lake import layout
from glue_jobs.lake.commits import FIRST_STAGE, CommitConflict
from glue_jobs.lake.rebuilds import Rebuilt, requested
from glue_jobs.runtime import log
from glue_jobs.stages.stage import Stage
from glue_jobs.star.build import (
    BuildContext,
    Built,
    build_calendar,
    build_joined,
    build_table,
    inferred_members,
)
from glue_jobs.star.rejected_changes import list_rejected_changes

Work = Callable[[], Mapping[str, Built]]
"""The building of one table; gives it and the snapshots that it stands on, by their names in commits."""


def contracts_of(stage: str, catalogue: Catalogue) -> tuple[Contract, ...]:
    """The tables that a stage builds, in the order in which it builds them.

    Args:
        stage: ``dimensions`` or ``facts``.
        catalogue: The contracts.
    """
    kinds = {"dimensions": ("calendar", "dimension"), "facts": ("fact",)}[stage]
    return tuple(contract for kind in kinds for contract in catalogue.star_of_kind(kind))


def drain(stage: Stage, contracts: Sequence[Contract]) -> int:
    """Build tables from everything that waits, and publish them in one commit.

    Where a rebuild was asked for they are built from everything that was ever accepted, as if nothing of them
    were there; the commit takes the place of what was.

    Args:
        stage: The stage.
        contracts: Its tables.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first.
    """
    began = layout.utc_now()
    latest = stage.republish()
    sequence = latest.sequence + 1 if latest else 1
    rebuilt = Rebuilt.of(latest)
    asked = requested(stage.lake)
    full = asked > rebuilt.request
    base = None if full else latest
    waiting = stage.waiting(base)
    if not waiting:
        log.info(f"{stage.name}.nothing_waits")
        return 0
    if full:
        rebuilt = Rebuilt(asked, sequence)
        log.info(f"{stage.name}.rebuilds", request=asked)
    attempt = layout.new_attempt()
    label = layout.version_label(sequence, attempt)
    engine = stage.engine()
    context = BuildContext(engine, stage.catalogue, stage.lake.buckets, stage.log, label, base, waiting)
    log.step(f"{stage.name}.read", batch=waiting[-1].last_batch, commits=len(waiting))
    try:
        built = engine.run_in_parallel(_work(context, contracts))
        found = {name: table for one in built for name, table in one.items()}
        captures = stage.lake.log(FIRST_STAGE)
        found[UNRESOLVED] = list_rejected_changes(context, contracts, found, captures)
    finally:
        engine.forget()
    log.step(f"{stage.name}.written", batch=waiting[-1].last_batch)
    tables = dict(sorted(found.items()))
    state = {"tables": {name: table.state.state for name, table in tables.items()}, **rebuilt.state}
    commits = {name: table.commit for name, table in tables.items()}
    try:
        commit = stage.commit(latest, attempt, waiting, commits, state, full=full)
    except CommitConflict:
        log.info(f"{stage.name}.commit_conflict", batch=waiting[-1].last_batch)
        return 0
    seconds = (layout.utc_now() - began).total_seconds()
    stage.show(commit, seconds, whole=base is None)
    log.step(f"{stage.name}.published", sequence=commit.sequence, batch=commit.last_batch)
    for name, table in commit.tables.items():
        log.info(f"{stage.name}.table", table=name, batch=commit.last_batch, **table.counts)
    log.info(f"{stage.name}.done", batch=commit.last_batch, seconds=round(seconds, 3))
    return 0


def _work(context: BuildContext, contracts: Sequence[Contract]) -> Iterator[Work]:
    """The building of each table; the first can begin while what the others need is found."""
    for contract in contracts:
        if contract.kind == "calendar":
            yield partial(build_calendar, context, contract)
    inferred = inferred_members(context) if any(c.kind == "dimension" for c in contracts) else {}
    for contract in contracts:
        if contract.kind == "calendar":
            continue
        joins = contract.built_from is not None and bool(contract.built_from.joins)
        yield partial(build_joined if joins else build_table, context, contract, inferred.get(contract.table))
