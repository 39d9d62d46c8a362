"""Star and warehouse are made again from what was accepted, and are what they were; also after kills."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from glue_jobs.lake import rebuilds
from glue_jobs.lake.layout import utc_now
from glue_jobs.maintenance.housekeeping import MaintainArguments, Tally, run
from glue_jobs.reconciliation import star_checksums
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from tests.faults import invariants
from tests.faults.pipeline import Base, Pipeline, start_from

KILLS = [
    ("dimensions", "star.written#3"),
    ("dimensions", "dimensions.committed"),
    ("facts", "facts.written"),
    ("load", "load.emptied"),
    ("load", "load.recorded"),
]


def ask(pipeline: Pipeline) -> None:
    rebuilds.request(pipeline.lake.clients)


def left(pipeline: Pipeline) -> list[str]:
    return rebuilds.unanswered(pipeline.lake.clients)


def checksums(pipeline: Pipeline, schema: str = "public") -> dict[str, tuple[int, int, int]]:
    lake = pipeline.lake
    return star_checksums(pipeline.loader_dsn, lake.clients, schema=schema)


def keep_house(pipeline: Pipeline) -> dict[str, Tally]:
    """What the nightly job does a month later."""
    lake = pipeline.lake
    given = MaintainArguments(
        lake.buckets["ingestion"], lake.buckets["processed"], grace_hours=48, retention_days=7
    )
    return run(given, lake.clients, lake.catalogue, utc_now() + timedelta(days=30))


def versions(pipeline: Pipeline, stage: str) -> set[str]:
    commit = pipeline.commits(stage).latest()
    assert commit is not None
    return {label for table in commit.tables.values() for label in table.versions.values()}


@pytest.mark.slow
def test_a_rebuild_is_what_was_there_to_the_row_also_in_an_empty_warehouse(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        before, old = checksums(pipeline), versions(pipeline, "facts") | versions(pipeline, "dimensions")
        ask(pipeline)
        assert left(pipeline) == ["dimensions", "facts", "load"]
        pipeline.transform()

        assert left(pipeline) == []
        assert checksums(pipeline) == before
        assert not old & (versions(pipeline, "facts") | versions(pipeline, "dimensions"))
        invariants.check(pipeline)

        pipeline.job("load", "--warehouse_schema", "fresh")
        assert checksums(pipeline, "fresh") == before

        # Once the retention is over, what it replaced goes, and nobody misses it.
        removed = keep_house(pipeline)
        assert removed["superseded"].objects > 0
        assert removed["abandoned"].objects == 0
        assert checksums(pipeline) == before
        pipeline.job("load", "--warehouse_schema", "fresher")
        assert checksums(pipeline, "fresher") == before

        # What comes afterwards builds on it, and nothing is built again.
        pipeline.sql("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 8")
        pipeline.run()
        assert left(pipeline) == []
        assert pipeline.reconcile().verdict == EQUAL


@pytest.mark.slow
def test_a_rebuild_killed_again_and_again_is_completed_by_the_next_runs(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        before = checksums(pipeline)
        warehouse = {name: sums for name, sums in before.items() if name.startswith("warehouse")}
        ask(pipeline)
        for stage, step in KILLS:
            pipeline.killed(stage, step)
            # Half a rebuild is nothing that a reader of the warehouse sees.
            if stage != "load":
                pipeline.job("load")
            now = checksums(pipeline)
            assert {name: sums for name, sums in now.items() if name in warehouse} == warehouse
            assert "load" in left(pipeline)
            if step == "facts.written":
                pipeline.job("facts")
        pipeline.transform()

        assert left(pipeline) == []
        assert checksums(pipeline) == before
        assert pipeline.published() == bases["done"].published
        invariants.check(pipeline)
