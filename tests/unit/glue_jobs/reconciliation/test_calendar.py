"""What a calendar should hold follows from its contract, whatever its columns are called."""

from __future__ import annotations

from pathlib import Path

import duckdb

from catalog.catalogue import read_catalogue
from glue_jobs.reconciliation.derive import EXPECTED, calendar_rows, create_functions
from tests.projects import FERRIES, lay_out


def test_days_that_facts_refer_to_and_days_that_are_held_read_as_the_contract_says(
    root: Path, tmp_path: Path
) -> None:
    catalogue = read_catalogue(lay_out(FERRIES, root, tmp_path / "ferries") / "catalog" / "contracts")
    with duckdb.connect() as workspace:
        create_functions(workspace, catalogue)
        workspace.execute(f"CREATE SCHEMA {EXPECTED}")
        workspace.execute(
            f"CREATE TABLE {EXPECTED}.fact_crossing AS SELECT * FROM (VALUES ('2026-01-20', '2026-01-21', 5),"
            " ('2026-01-20', NULL, 4)) AS rows(left_date, back_date, _row_version)"
        )
        workspace.execute("CREATE TABLE held AS SELECT '2026-01-19' AS day, 'Sunday' AS day_name")
        query = calendar_rows(catalogue.star["dim_day"], catalogue, "held", 1)
        rows = workspace.execute(f"{query} ORDER BY day").fetchall()
    assert rows == [
        ("2026-01-19", "Monday", None),
        ("2026-01-20", "Tuesday", 5),
        ("2026-01-21", "Wednesday", 5),
    ]
