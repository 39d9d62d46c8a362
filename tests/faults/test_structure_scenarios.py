"""The source's structure changes in a living pipeline: a table is held, the others go on, nothing is lost."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import load_catalogue
from catalog.project import VARIABLE, project_folder
from glue_jobs.engine.protocol import Dataset
from glue_jobs.lake.catalog_check import restore_partitions
from glue_jobs.sources.capture_run import TablesPaused
from lakehouse.local_deployment import deploy_schemas
from lakehouse.status import paused_tables
from tests.faults import invariants
from tests.faults.pipeline import Pipeline
from tests.lake import embedded

Edit = Callable[[Pipeline, str, str, str], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Changes a contract's file and deploys the contracts, as a person would."""
    numbers = itertools.count()

    def change(pipeline: Pipeline, table: str, old: str, new: str) -> None:
        project = shutil.copytree(project_folder(), tmp_path / f"project-{next(numbers)}")
        monkeypatch.setenv(VARIABLE, str(project))
        path = project / "catalog" / "contracts" / "raw" / f"{table}.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        pipeline.lake.catalogue = load_catalogue()
        deploy_schemas(pipeline.lake.glue, pipeline.lake.catalogue, pipeline.lake.registry)

    return change


def floors(pipeline: Pipeline) -> list[tuple[int, int | None]]:
    """By batch, the departments' new column, read from every file by the contract of today."""
    lake = pipeline.lake
    contract = lake.catalogue.raw["department"]
    captures = pipeline.commits("capture").after(0)
    partitions = tuple(p for commit in captures for p in commit.tables["department"].partitions)
    engine = embedded(lake)
    try:
        schemas = (arrow_schema(contract), partition_schema(contract))
        engine.read("rows_read", Dataset(lake.buckets["ingestion"], *schemas, partitions))
        rows = engine.fetch("SELECT DISTINCT batch, floor FROM rows_read ORDER BY batch NULLS FIRST")
    finally:
        engine.close()
    return [(row["batch"], row["floor"]) for row in rows]


def letters(pipeline: Pipeline) -> list[tuple[int, str, str]]:
    """Batch, table and key of every row that was set aside, as commits name and the catalogue shows them."""
    found = []
    shown = pipeline.lake.glue.get_partitions(DatabaseName="shop_dead_letter", TableName="held_rows")
    where = {tuple(p["Values"]): p["StorageDescriptor"]["Location"] for p in shown["Partitions"]}
    bucket = pipeline.lake.buckets["ingestion"]
    for commit in pipeline.commits("capture").after(0):
        for table, stated in commit.tables.items():
            for partition in stated.dead_letters:
                values = (partition.values["captured_date"], partition.values["batch"])
                assert where[values] == f"s3://{bucket}/{partition.location}"
                for data in partition.objects:
                    assert data.key.startswith(partition.location)
                    rows = pq.ParquetFile(pipeline.lake.folder("ingestion") / data.key).read().to_pylist()
                    found += [(commit.sequence, table, row["source_key"]) for row in rows]
    return sorted(found)


def test_a_renamed_column_holds_its_table_and_once_the_contract_follows_all_rows_are_there(
    pipeline: Pipeline, edit: Edit
) -> None:
    pipeline.sql(
        "ALTER TABLE payment RENAME company_ac_number TO our_account;"
        "UPDATE payment SET paid = true, our_account = 1 WHERE payment_id IN (2, 3);"
        "DELETE FROM payment WHERE payment_id = 5;"
        "UPDATE sales_order SET units_sold = 7777 WHERE sales_order_id = 9"
    )
    with pytest.raises(TablesPaused, match="payment has no column company_ac_number"):
        pipeline.capture()
    pipeline.transform()
    assert pipeline.ask("SELECT units_sold FROM fact_sales_order_current WHERE sales_order_id = 9") == [
        (7777,)
    ]
    assert pipeline.ask("SELECT count(*) FROM fact_payment WHERE batch_sequence > 1") == [(0,)]
    invariants.check_lake(pipeline)
    assert letters(pipeline) == [(2, "payment", "2"), (2, "payment", "3")]

    pipeline.sql("UPDATE payment SET paid = true WHERE payment_id = 4")
    with pytest.raises(TablesPaused):
        pipeline.capture()
    with pytest.raises(TablesPaused):
        pipeline.capture()
    assert letters(pipeline)[2:] == [(3, "payment", "4")]
    commit = pipeline.commits("capture").latest()
    assert commit is not None
    (held,) = paused_tables(commit)
    assert (held.table, held.dead_letters) == ("payment", 3)

    edit(pipeline, "payment", "name: company_ac_number", "name: our_account")
    pipeline.run()
    assert paused_tables(pipeline.commits("capture").latest()) == ()
    changed = "SELECT payment_id, is_deleted FROM fact_payment WHERE batch_sequence > 1 ORDER BY 1"
    assert pipeline.ask(changed) == [(2, False), (3, False), (4, False), (5, True)]
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_column_that_is_added_with_a_default_is_in_every_row_once_the_contract_states_it(
    pipeline: Pipeline, edit: Edit
) -> None:
    star = {
        name: rows for name, rows in pipeline.published().items() if name.startswith(("star", "warehouse"))
    }
    pipeline.sql(
        "ALTER TABLE department ADD floor integer NOT NULL DEFAULT 3;"
        "ALTER TABLE sales_order ADD channel text NOT NULL DEFAULT 'shop'"
    )
    pipeline.run()
    assert pipeline.commits("capture").latest_sequence() == 1
    invariants.check(pipeline)

    for table, name, kind in (("department", "floor", "integer"), ("sales_order", "channel", "text")):
        added = f"columns:\n- name: {name}\n  type: {kind}\n  nullable: false\n  description: New.\n"
        edit(pipeline, table, "columns:\n", added)
    pipeline.run()
    assert {row["floor"] for row in pipeline.raw_rows(2, "department")} == {3}
    assert {row["channel"] for row in pipeline.raw_rows(2, "sales_order")} == {"shop"}
    assert floors(pipeline) == [(1, None), (2, 3)]
    again = pipeline.published()
    assert {name: again[name] for name in star} == star
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_capture_that_is_killed_while_it_holds_a_table_sets_each_row_aside_once(pipeline: Pipeline) -> None:
    pipeline.sql("ALTER TABLE payment ALTER paid TYPE text USING paid::text")
    for step in ("capture.file_uploaded", "capture.uploaded", "capture.committed"):
        pipeline.killed("capture", step)
        invariants.check_lake(pipeline)
    with pytest.raises(TablesPaused):
        pipeline.capture()
    expected = [(2, "payment", str(number)) for number in range(1, 41)]
    assert sorted(letters(pipeline)) == sorted(expected)
    pipeline.lake.glue.delete_partition(
        DatabaseName="shop_dead_letter",
        TableName="held_rows",
        PartitionValues=_values(pipeline),
    )
    restore_partitions(pipeline.lake.clients, pipeline.lake.catalogue)
    assert sorted(letters(pipeline)) == sorted(expected)


def _values(pipeline: Pipeline) -> list[str]:
    (partition,) = pipeline.lake.glue.get_partitions(DatabaseName="shop_dead_letter", TableName="held_rows")[
        "Partitions"
    ]
    values: list[str] = partition["Values"]
    return values
