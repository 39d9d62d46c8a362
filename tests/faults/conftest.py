"""Pipelines in the states that faults strike them in, made once and copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glue_jobs.lake.commits import STAGES
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, keep, start_from
from tests.small_shop import small_server

CHANGES = """
UPDATE address SET city = 'York' WHERE address_id = 2;
UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 7;
DELETE FROM payment WHERE payment_id = 3;
INSERT INTO design (design_name, file_location, file_name, last_updated)
    VALUES ('Steel', '/usr', 'x.json', now());
UPDATE staff SET last_name = 'Zanzibarski' WHERE staff_id = 2;
"""
"""What happens in the source between the first run and the one that a fault strikes."""


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    with small_server(READER) as server:
        server.ensure_role(LOADER)
        server.ensure_database("empty_warehouse", owner=LOADER)
        yield server


@pytest.fixture(scope="session")
def empty(server: EmbeddedPostgres) -> Base:
    """A filled source, an empty lake and an empty warehouse."""
    return Base(server, "small", "empty_warehouse", {}, {})


@pytest.fixture(scope="session")
def bases(empty: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Base]:
    """By stage, a pipeline in which a batch waits for it; in ``done`` none waits.

    All have had a first run; ``full`` is what that left, before the source changed.
    """
    found = {}
    folder = tmp_path_factory.mktemp("bases")
    with pytest.MonkeyPatch.context() as patch, start_from(empty, folder / "own", patch) as pipeline:
        pipeline.run()
        found["full"] = keep(pipeline, folder / "full")
        pipeline.sql(CHANGES)
        for stage in STAGES:
            found[stage] = keep(pipeline, folder / stage)
            pipeline.job(stage)
        found["done"] = keep(pipeline, folder / "done")
    return found


@pytest.fixture
def fresh(empty: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline that has not run yet."""
    with start_from(empty, tmp_path, monkeypatch) as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline that has run once and has nothing to do."""
    with start_from(bases["full"], tmp_path, monkeypatch) as pipeline:
        yield pipeline
