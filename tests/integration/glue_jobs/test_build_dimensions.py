"""The dimensions from captures on an endpoint: the latest of each key, from all their sources."""

from __future__ import annotations

import pytest

from glue_jobs.runtime.errors import UserError
from tests.lake import Lake, at, deletion, raw_row

MAY = at("2024-05-02 09:00:00")
JUNE = at("2024-06-03 10:00:00")


def latest(lake: Lake, table: str, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in columns) for row in lake.rows(table)]


def test_the_calendar_covers_every_date_that_a_fact_refers_to(star_lake: Lake) -> None:
    star_lake.capture({"sales_order": [raw_row("sales_order", 1, agreed_delivery_date="2026-08-25")]})
    star_lake.transform("dimensions")
    years = {row["year"] for row in star_lake.rows("dim_date")}
    assert years == {2024, 2026}
    star_lake.capture({"payment": [raw_row("payment", 1, payment_date="2025-01-01"), deletion("payment", 2)]})
    star_lake.transform("dimensions")
    rows = star_lake.rows("dim_date")
    assert len(rows) == 366 + 365 + 365
    assert len({row["date_id"] for row in rows}) == len(rows)
    assert {row["batch_sequence"] for row in rows if row["year"] == 2025} == {2}
    assert len(star_lake.changed("dim_date")) == 365
    (monday,) = [row for row in rows if str(row["date_id"]) == "2024-11-18"]
    assert (monday["day_of_week"], monday["day_name"], monday["month_name"], monday["quarter"]) == (
        1,
        "Monday",
        "November",
        4,
    )


def test_a_dimension_row_without_a_required_value_stops_the_run(star_lake: Lake) -> None:
    star_lake.capture({"design": [raw_row("design", 1, file_name=None)]})
    star_lake.accept()
    with pytest.raises(UserError, match="dim_design: 1 cell of file_name"):
        star_lake.dimensions()
    assert star_lake.log("dimensions").latest() is None
