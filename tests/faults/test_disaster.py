"""What is lost is made again: a warehouse, the star's bucket, the bucket of commits and captured rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glue_jobs.lake import rebuilds
from glue_jobs.warehouse.load import AnotherLake
from tests.faults import invariants
from tests.faults.pipeline import Base, Pipeline, start_from
from tests.faults.test_rebuild import checksums


def empty_bucket(pipeline: Pipeline, name: str) -> None:
    """Every object of a bucket is gone."""
    folder = pipeline.lake.folder(name)
    shutil.rmtree(folder)
    folder.mkdir()


def rebuild(pipeline: Pipeline) -> None:
    rebuilds.request(pipeline.lake.s3, pipeline.lake.buckets["ingestion"])
    pipeline.transform()


def test_a_warehouse_that_is_lost_is_made_again_equal_to_the_row(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        before = checksums(pipeline)
        with pipeline.server.connect(pipeline.warehouse) as warehouse:
            warehouse.execute("DROP OWNED BY warehouse_loader CASCADE")
            warehouse.execute("DROP SCHEMA public CASCADE")
            warehouse.execute("CREATE SCHEMA public AUTHORIZATION warehouse_loader")
        pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 3")
        rebuild(pipeline)
        assert checksums(pipeline) == before
        pipeline.run()
        assert checksums(pipeline) != before
        invariants.check(pipeline)


def test_a_bucket_of_the_star_that_is_lost_is_made_again_equal_to_the_row(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        before = checksums(pipeline)
        empty_bucket(pipeline, "processed")
        rebuild(pipeline)
        assert checksums(pipeline) == before
        pipeline.sql("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 8")
        pipeline.run()
        # Earlier commits name objects that are gone, which nobody reads any more.
        assert pipeline.reconcile().verdict == "equal"


def test_a_bucket_of_captured_rows_that_is_lost_is_captured_again_and_its_history_is_gone(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        now = "SELECT sales_order_id, units_sold FROM fact_sales_order_current ORDER BY 1"
        current = pipeline.ask(now)
        (history,) = pipeline.ask("SELECT count(*) FROM fact_sales_order")
        empty_bucket(pipeline, "ingestion")
        pipeline.capture()
        # The warehouse is not filled from another lake before a person says so.
        with pytest.raises(AnotherLake):
            pipeline.transform()
        rebuild(pipeline)
        assert pipeline.ask(now) == current
        assert pipeline.ask("SELECT count(*) FROM fact_sales_order") < [history]
        assert pipeline.reconcile().verdict == "equal"
