"""A rejected change leaves its predecessor current: both sides say so where that is read, and the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from catalog.model import UNRESOLVED
from catalog.pipeline import load_pipeline
from catalog.star_views import athena_views
from glue_jobs.lake.commits import to_json
from glue_jobs.lake.layout import star_location
from glue_jobs.reconciliation.reconciliation_report import DIFFERENT, EQUAL
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime.athena import QueryResult, run_query
from tests.faults import invariants
from tests.faults.pipeline import Pipeline, athena_over
from tests.night import by_day

GROUP = load_pipeline().athena.work_group
REJECT = """
UPDATE sales_order SET units_sold = 5000, created_at = 'infinity' WHERE sales_order_id = 5;
UPDATE staff SET first_name = 'Nobody', created_at = 'infinity' WHERE staff_id = 2;
UPDATE address SET city = 'York', created_at = 'infinity' WHERE address_id = 3;
"""
CORRECT = """
UPDATE sales_order SET created_at = '2024-11-14 09:30' WHERE sales_order_id = 5;
UPDATE staff SET created_at = now() WHERE staff_id = 2;
UPDATE address SET created_at = now() WHERE address_id = 3;
"""
FLAGGED = {
    "fact_sales_order_current": ("sales_order_id", ["5"]),
    "fact_payment_current": ("payment_id", []),
    "dim_staff_current": ("staff_id", ["2"]),
    "dim_location_current": ("location_id", ["3"]),
    # The firm whose address it is.
    "dim_counterparty_current": ("counterparty_id", ["3"]),
    "dim_design_current": ("design_id", []),
}
"""By view, its key, and the rows that lack a change after ``REJECT``."""


@pytest.fixture
def athena(pipeline: Pipeline, tmp_path: Path) -> Iterator[Athena]:
    with athena_over(pipeline.lake, tmp_path / "analysts") as endpoint:
        yield Athena(endpoint.client("athena"), GROUP)


def ask(athena: Athena, sql: str) -> QueryResult:
    return run_query(athena.client, sql, "shop_star", work_group=GROUP)


def flagged(pipeline: Pipeline, athena: Athena) -> dict[str, list[str]]:
    """By view, the keys of the rows that lack a change: the same in lake and warehouse."""
    found = {}
    for view, (key, _) in FLAGGED.items():
        sql = f"SELECT {key} FROM {view} WHERE has_rejected_change ORDER BY 1"
        found[view] = [str(row[0]) for row in ask(athena, sql).rows]
        assert [str(number) for (number,) in pipeline.ask(sql)] == found[view], view
        whole = f"SELECT count(*), count(has_rejected_change) FROM {view}"
        ((rows, told),) = pipeline.ask(whole)
        assert rows == told
        assert ask(athena, whole).rows == [(str(rows), str(rows))]
    return found


@pytest.mark.slow
def test_rows_that_lack_a_rejected_change_say_so_until_it_is_corrected_in_lake_and_warehouse(
    pipeline: Pipeline, athena: Athena
) -> None:
    nothing: dict[str, list[str]] = {view: [] for view in FLAGGED}
    assert flagged(pipeline, athena) == nothing
    pipeline.sql(REJECT)
    pipeline.run()
    assert flagged(pipeline, athena) == {view: keys for view, (_, keys) in FLAGGED.items()}
    listed = "SELECT entry, table_name, row_key, source_table, source_key, dead_letters, since FROM"
    rows = pipeline.ask(f"{listed} {UNRESOLVED} ORDER BY 1")
    assert [row[0] for row in rows] == [
        "dim_counterparty/address/3/3",
        "dim_location/address/3/3",
        "dim_staff/staff/2/2",
        "fact_sales_order/sales_order/5/5",
    ]
    (captured,) = {row[-1].isoformat(timespec="milliseconds") for row in rows}
    capture = pipeline.lake.commit("capture")
    assert (capture.sequence, capture.captured_at) == (2, f"{captured}Z")
    report = pipeline.reconcile(athena)
    assert report.verdict == EQUAL, report.as_text()
    (table,) = [table for table in report.tables if table.table == UNRESOLVED]
    assert (table.lake, table.warehouse, table.athena) == (4, 4, 4)
    assert table.source is None
    invariants.check(pipeline)

    pipeline.sql(CORRECT)
    pipeline.run()
    assert flagged(pipeline, athena) == nothing
    assert pipeline.ask(f"SELECT count(*) FROM {UNRESOLVED}") == [(0,)]
    assert pipeline.reconcile(athena).verdict == EQUAL
    invariants.check(pipeline)


def test_a_query_of_one_month_scans_only_the_list_more(pipeline: Pipeline, athena: Athena) -> None:
    pipeline.sql(
        "UPDATE sales_order SET created_at = '2024-05-01' WHERE sales_order_id > 20;"
        "UPDATE sales_order SET created_at = 'infinity' WHERE sales_order_id = 5"
    )
    pipeline.run()
    contract, tables = pipeline.lake.catalogue.star[UNRESOLVED], ("dimensions", "facts")
    parts = [
        pq.ParquetFile(path).metadata
        for stage in tables
        for spec, label in pipeline.lake.commit(stage).tables[UNRESOLVED].versions.items()
        for path in (pipeline.lake.folder("processed") / star_location(contract, spec, label)).glob("*")
    ]
    of_list = sum(
        group.column(at).total_compressed_size
        for part in parts
        for group in (part.row_group(number) for number in range(part.num_row_groups))
        for at in range(group.num_columns)
        if group.column(at).path_in_schema in ("table_name", "row_key")
    )
    sql = "SELECT {} FROM fact_sales_order_current WHERE created_month = '2024-11'"
    plain, told = (
        ask(athena, sql.format("units_sold")),
        ask(athena, sql.format("units_sold, has_rejected_change")),
    )
    assert len(plain.rows) == len(told.rows) == 20
    assert [row[1] for row in told.rows].count("true") == 1
    assert plain.bytes_scanned <= told.bytes_scanned <= plain.bytes_scanned + of_list
    both = ask(athena, "SELECT units_sold FROM fact_sales_order_current")
    assert both.bytes_scanned > told.bytes_scanned


KEPT = "first_batch, since, dead_letters"
PLANTS = {
    "an entry that the warehouse lacks": (f"DELETE FROM {UNRESOLVED} WHERE row_key = 5", "fact_sales_order"),
    "an entry too many": (
        (
            f"INSERT INTO {UNRESOLVED} (entry, table_name, row_key, source_table, source_key, {KEPT})"
            f" SELECT entry || '1', table_name, 11, source_table, 11, {KEPT}"
            f" FROM {UNRESOLVED} WHERE row_key = 5"
        ),
        "fact_sales_order",
    ),
    "an entry of another table": (
        f"UPDATE {UNRESOLVED} SET table_name = 'fact_payment' WHERE row_key = 5",
        "fact_payment",
    ),
}
"""What somebody may do to the list in the warehouse: the statement, and whose view reads wrong then."""


@pytest.mark.parametrize("plant", by_day([next(iter(PLANTS))], PLANTS.keys()))
def test_a_list_that_says_something_else_in_the_warehouse_is_found(
    pipeline: Pipeline, athena: Athena, plant: str
) -> None:
    statement, table = PLANTS[plant]
    pipeline.sql(REJECT)
    pipeline.run()
    with psycopg.connect(pipeline.server.dsn(database=pipeline.warehouse)) as warehouse:
        warehouse.execute(statement.encode())
    wrong = {one.table for one in pipeline.reconcile(athena).tables if one.verdict == DIFFERENT}
    assert {UNRESOLVED, table} <= wrong <= {UNRESOLVED, "fact_sales_order", table}


@pytest.mark.slow
def test_what_the_load_has_yet_to_bring_to_the_list_is_waiting(pipeline: Pipeline, athena: Athena) -> None:
    pipeline.sql(REJECT)
    pipeline.capture()
    for stage in ("validate", "dimensions", "facts"):
        pipeline.job(stage)
    found = {table.table: table.verdict for table in pipeline.reconcile(athena).tables}
    assert found[UNRESOLVED] == "waiting"
    assert DIFFERENT not in found.values()
    pipeline.job("load")
    assert pipeline.reconcile(athena).verdict == EQUAL


@pytest.mark.slow
def test_a_warehouse_of_an_earlier_release_gets_list_and_views_with_its_next_load(
    pipeline: Pipeline, athena: Athena
) -> None:
    views = [
        view.name
        for contract in pipeline.lake.catalogue.star.values()
        for view in athena_views(contract)
        if view.name.endswith("_current")
    ]
    with psycopg.connect(pipeline.server.dsn(database=pipeline.warehouse)) as warehouse:
        for view in views:
            warehouse.execute(f"DROP VIEW {view}".encode())
        warehouse.execute(f"DROP TABLE {UNRESOLVED}".encode())
        for fact in pipeline.lake.catalogue.star_of_kind("fact"):
            columns = ", ".join(column.name for column in fact.all_columns)
            warehouse.execute(
                f"CREATE VIEW {fact.table}_current AS SELECT {columns} FROM {fact.table};"
                f"ALTER VIEW {fact.table}_current OWNER TO warehouse_loader".encode()
            )
    assert pipeline.reconcile(athena).verdict == EQUAL
    pipeline.sql(REJECT)
    pipeline.run()
    assert flagged(pipeline, athena) == {view: keys for view, (_, keys) in FLAGGED.items()}
    assert pipeline.reconcile(athena).verdict == EQUAL


@pytest.mark.slow
def test_a_list_that_leaves_out_what_validation_names_is_found(pipeline: Pipeline) -> None:
    pipeline.sql(REJECT)
    pipeline.capture()
    for stage in ("validate", "dimensions", "facts"):
        pipeline.job(stage)
    log, folder = pipeline.commits("facts"), pipeline.lake.folder("ingestion")
    newest, before = (log.get(log.latest_sequence() - back) for back in (0, 1))
    assert newest is not None
    assert before is not None
    # A build that kept the part of the commit before it.
    kept = {**newest.tables, UNRESOLVED: before.tables[UNRESOLVED]}
    (folder / log.key(newest.sequence)).write_bytes(to_json(replace(newest, tables=kept)))
    (found,) = [table for table in pipeline.reconcile().tables if table.table == UNRESOLVED]
    (comparison,) = [one for one in found.comparisons if (one.left, one.right) == ("commits", "lake")]
    assert (comparison.missing, comparison.extra, comparison.verdict) == (1, 0, DIFFERENT)
    assert [example.key for example in comparison.examples] == ["fact_sales_order/5"]
