"""Housekeeping removes nothing that somebody can still come to, and everything else that is old enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from catalog.catalogue import load_catalogue
from catalog.model import UNRESOLVED
from glue_jobs.lake.commits import Commit, DataObject, TableCommit
from glue_jobs.lake.layout import iso
from glue_jobs.lake.rebuilds import Rebuilt
from glue_jobs.lake.snapshot import Snapshot
from glue_jobs.lake.source_state import CaptureState, FeedState, Pause, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.maintenance.reach import named
from glue_jobs.maintenance.retention import (
    ABANDONED,
    SUPERSEDED,
    AttemptOf,
    Listed,
    reason_to_remove,
    retained,
)

CATALOGUE = load_catalogue()
NOW = datetime.fromisoformat("2026-11-21T12:00:00")
GRACE, RETENTION = timedelta(days=2), timedelta(days=7)
TABLES = {
    "dimensions": ("dim_staff", "_current/staff", UNRESOLVED),
    "facts": ("fact_sales_order", UNRESOLVED),
}
SPECS = {"fact_sales_order": ("created_month=2024-10", "created_month=2024-11")}
SNAPSHOT = Snapshot(None, None, 5, 6, NOW, "")


@dataclass
class World:
    """Commits, and every object that they or others left: when it was written, who can come to it."""

    commits: dict[str, list[Commit]] = field(default_factory=dict)
    objects: dict[str, datetime] = field(default_factory=dict)
    named_by: dict[str, set[tuple[str, int]]] = field(default_factory=dict)

    def put(self, key: str, when: datetime, *by: tuple[str, int]) -> None:
        self.objects[key] = when
        self.named_by.setdefault(key, set()).update(by)


def label(sequence: int, attempt: str) -> str:
    return f"{sequence:010d}-{attempt}"


@st.composite
def moments(draw: st.DrawFn) -> list[datetime]:
    ages = draw(st.lists(st.integers(0, 30 * 24), max_size=6, unique=True))
    return [NOW - timedelta(hours=age) for age in sorted(ages, reverse=True)]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    _capture(draw, world)
    rebuilt_in = draw(st.booleans())
    for stage in TABLES:
        _build(draw, world, stage, rebuilt_in)
    _judge(draw, world)
    _note(draw, world)
    _strays(draw, world)
    return world


def _note(draw: st.DrawFn, world: World) -> None:
    """Notes of attempts: those on batches that some stage has yet to cover stay."""
    covered = min(len(world.commits[stage]) for stage in ("validate", "dimensions", "facts"))
    for batch in draw(st.lists(st.integers(1, 8), max_size=4, unique=True)):
        when = NOW - timedelta(hours=draw(st.integers(0, 30 * 24)))
        stays = [("always", 0)] if batch > covered else []
        for end in ("json", "ended.json"):
            world.put(
                f"_commits/attempts/{draw(st.integers(0, 2)):010d}-{batch:010d}/0001.{end}", when, *stays
            )
        world.put(f"_commits/attempts/replay-{batch:010d}-{batch:010d}/0001.json", when)


def _judge(draw: st.DrawFn, world: World) -> None:
    """Split rows and dead letters always stay; a list of the unresolved stays while it is named."""
    world.commits["validate"] = []
    unresolved: str | None = None
    for sequence, when in enumerate(draw(moments()), 1):
        attempt = f"v{sequence}"
        place = f"captured_date={when.date()}/batch=9/attempt={label(sequence, attempt)}/part-0.parquet"
        for zone in ("accepted", "dead_letter"):
            world.put(f"{zone}/staff/{place}", when, ("always", 0))
        if unresolved is None or draw(st.booleans()):
            kind = "open" if unresolved is None else "unresolved"
            unresolved = f"_commits/validate-state/{kind}/staff/{label(sequence, attempt)}/part-0.parquet"
        world.put(unresolved, world.objects.get(unresolved, when), ("validate", sequence))
        stated = ValidationState(unresolved={"staff": (DataObject(unresolved, 1, 1, ""),)}).state
        commit = Commit("validate", sequence, attempt, iso(when), sequence, sequence, {}, stated)
        world.commits["validate"].append(commit)


def _capture(draw: st.DrawFn, world: World) -> None:
    world.commits["capture"] = []
    live: str | None = None
    ledger: str | None = None
    for sequence, when in enumerate(draw(moments()), 1):
        raw = f"raw/staff/captured_date={when.date()}/batch={sequence}/attempt=a{sequence}/part-00000.parquet"
        # The raw zone and the letters of held tables stay whatever is retained.
        world.put(raw, when, ("always", 0))
        world.put(raw.replace("raw/staff", "dead_letter/held_rows"), when, ("always", 0))
        if live is None or draw(st.booleans()):
            live = f"_commits/capture-state/staff/{label(sequence, f'a{sequence}')}.roaring"
        world.put(live, world.objects.get(live, when), ("capture", sequence))
        # What a feed's commit wrote is carried on by those after it.
        if ledger is None or draw(st.booleans()):
            ledger = f"_commits/capture-state/feeds/rates/{label(sequence, f'a{sequence}')}.values.parquet"
        world.put(ledger, world.objects.get(ledger, when), ("capture", sequence))
        feeds = {"rates": FeedState(values=StateObject(ledger, "", 1))}
        pause = None
        if draw(st.booleans()):
            seen = f"_commits/capture-state/staff/{label(sequence, f'a{sequence}')}.quarantine.roaring"
            world.put(seen, when, ("capture", sequence))
            pause = Pause("a column is gone", iso(when), seen_transactions=StateObject(seen, "", 1))
        states = {"staff": CaptureState(xmin_horizon=1, live_keys=StateObject(live, "", 1), pause=pause)}
        state = SourceState.after(SNAPSHOT, iso(when), states, {}, feeds).state
        commit = Commit("capture", sequence, f"a{sequence}", iso(when), sequence, sequence, {}, state)
        world.commits["capture"].append(commit)


def _build(draw: st.DrawFn, world: World, stage: str, rebuilds: bool) -> None:
    world.commits[stage] = []
    versions: dict[str, dict[str, str]] = {table: {} for table in TABLES[stage]}
    rebuilt = Rebuilt()
    for sequence, when in enumerate(draw(moments()), 1):
        attempt = f"b{sequence}"
        anew = rebuilds and draw(st.booleans())
        if anew:
            rebuilt = Rebuilt(rebuilt.request + 1, sequence)
        for table in TABLES[stage]:
            specs = (f"stage={stage}",) if table == UNRESOLVED else SPECS.get(table, ("",))
            for spec in specs if anew else [s for s in specs if draw(st.booleans())]:
                versions[table][spec] = label(sequence, attempt)
                location = f"star/{table}/{spec + '/' if spec else ''}version={label(sequence, attempt)}/"
                world.put(f"{location}part-0.parquet", when)
            if not table.startswith("_") and table != UNRESOLVED:
                changes = f"star/_changes/{table}/version={label(sequence, attempt)}/part-0.parquet"
                world.put(changes, when, (f"changes of {stage}", sequence), (stage, sequence))
            for spec, live in versions[table].items():
                place = f"star/{table}/{spec + '/' if spec else ''}version={live}/part-0.parquet"
                world.put(place, world.objects[place], (stage, sequence))
        tables = {table: TableCommit(versions=dict(held)) for table, held in versions.items()}
        commit = Commit(stage, sequence, attempt, iso(when), sequence, sequence, tables, rebuilt.state)
        world.commits[stage].append(commit)


def _strays(draw: st.DrawFn, world: World) -> None:
    """What dead attempts left, at sequences that others took or nobody did, and places unknown."""
    places = (
        "raw/staff/captured_date=2026-11-01/batch={n}/attempt=dead/part-00000.parquet",
        "accepted/staff/captured_date=2026-11-01/batch={n}/attempt={l}/part-0.parquet",
        "dead_letter/staff/captured_date=2026-11-01/batch={n}/attempt={l}/part-0.parquet",
        "star/fact_sales_order/created_month=2024-11/version={l}/part-0.parquet",
        "star/fact_sales_order/created_month=2024-11/version={l}/_temporary/0/part-0.parquet",
        "star/fact_sales_order/.spark-staging-1/created_month=2024-11/part-{n}.parquet",
        "star/_current/staff/version={l}/part-0.parquet",
        "star/unresolved_dead_letters/stage=facts/version={l}/part-0.parquet",
        "star/_changes/dim_staff/version={l}/part-0.parquet",
        "_commits/capture-state/staff/{l}.seen.parquet",
        "_commits/validate-state/unresolved/staff/{l}/part-0.parquet",
    )
    for place in draw(st.lists(st.sampled_from(places), max_size=6)):
        number = draw(st.integers(1, 8))
        when = NOW - timedelta(hours=draw(st.integers(0, 30 * 24)))
        world.put(place.format(n=number, l=label(number, "dead")), when)
    unknown = ("raw/staff/notes.txt", "star/else/x.parquet", "_holds/payment/a/held.json")
    for key in (*unknown, "ops/batch_records/a.parquet", "_commits/capture/0000000001.json"):
        world.put(key, NOW - timedelta(days=300), ("always", 0))


def visible_since(world: World, stage: str, cutoff: datetime) -> set[int]:
    """Sequences that were the newest at some moment since, without the code under test."""
    times = [datetime.fromisoformat(c.committed_at.rstrip("Z")) for c in world.commits[stage]]
    return {number for number, _ in enumerate(times, 1) if number == len(times) or times[number] > cutoff}


@given(worlds(), st.booleans())
def test_nothing_reachable_is_removed_and_all_else_that_is_old_enough_is(world: World, loaded: bool) -> None:
    cutoff = NOW - RETENTION
    newest = {stage: Rebuilt.of(found[-1] if found else None) for stage, found in world.commits.items()}
    state = {stage: len(world.commits[stage]) for stage in TABLES}
    load = Commit("load", 1, "l", iso(NOW), 1, 1, {}, state) if loaded else None
    kept = {stage: retained(reversed(found), cutoff) for stage, found in world.commits.items()}
    reachable = named(CATALOGUE, kept, load, (), _attempt_of(world))

    wanted = {("always", 0)}
    for stage in world.commits:
        wanted |= {(stage, number) for number in visible_since(world, stage, cutoff)}
    both = newest["dimensions"].request == newest["facts"].request > 0 and loaded
    for stage in TABLES:
        floor = newest[stage].sequence if both else 1
        wanted |= {(f"changes of {stage}", number) for number in range(floor, len(world.commits[stage]) + 1)}
    for key, when in world.objects.items():
        removed = reason_to_remove(Listed(key, 1, when), reachable, NOW - GRACE)
        stays = bool(world.named_by[key] & wanted) or when >= NOW - GRACE
        assert (removed is None) == stays, (key, removed)
        if removed is not None:
            assert removed == (SUPERSEDED if _committed(key) else ABANDONED)


def _attempt_of(world: World) -> AttemptOf:
    known = {(c.stage, c.sequence): c.attempt for found in world.commits.values() for c in found}
    return lambda stage, sequence: known.get((stage, sequence))


def _committed(key: str) -> bool:
    return "-dead" not in key and "=dead" not in key and ".spark-staging" not in key
