"""What is lost is there again: removed objects, a warehouse, the bucket of the star, and of captured rows."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glue_jobs.lake import rebuilds
from glue_jobs.warehouse.load import AnotherLake
from tests.faults import invariants
from tests.faults.pipeline import Base, Pipeline, start_from
from tests.faults.test_rebuild import checksums
from tools import restore


def empty_bucket(pipeline: Pipeline, name: str) -> None:
    """Every object of a bucket is gone."""
    folder = pipeline.lake.folder(name)
    shutil.rmtree(folder)
    folder.mkdir()


def rebuild(pipeline: Pipeline) -> None:
    rebuilds.request(pipeline.lake.clients)
    pipeline.transform()


def remove_all(pipeline: Pipeline, bucket: str) -> None:
    """Remove every object of a bucket, as whoever errs in a prefix does."""
    s3 = pipeline.lake.s3
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for objects in [page["Contents"] for page in pages]:
        removed = [{"Key": one["Key"]} for one in objects]
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": removed})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.slow
def test_objects_whose_newest_version_was_removed_are_restored_equal_to_the_row(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        buckets = [pipeline.lake.buckets[key] for key in ("ingestion", "processed")]
        for bucket in buckets:
            versioning = {"Status": "Enabled"}
            pipeline.lake.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
        pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 3")
        pipeline.run()
        before, began = checksums(pipeline), datetime.now(UTC).isoformat()
        for bucket in buckets:
            remove_all(pipeline, bucket)
        for bucket in buckets:
            assert restore.main([bucket, "--since", began, "--yes"]) == 0
        assert checksums(pipeline) == before
        assert pipeline.reconcile().verdict == "equal"
        pipeline.sql("UPDATE address SET city = 'Leeds' WHERE address_id = 3")
        pipeline.run()
        assert checksums(pipeline) != before
        invariants.check(pipeline)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
