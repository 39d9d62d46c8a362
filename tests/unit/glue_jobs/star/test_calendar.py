from __future__ import annotations

import calendar as python_calendar
import datetime as dt

import pytest
from pyspark.sql import SparkSession

from catalog.catalogue import load_catalogue
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import calendar
from glue_jobs.star.local import local_frame
from tests.spark_lake import Row, at

DIM_DATE = load_catalogue().star["dim_date"]
SEEN = at("2024-01-01 10:00:00")


def test_a_year_in_use_is_covered_day_by_day_with_iso_weekdays_and_english_names(spark: SparkSession) -> None:
    years = calendar.stated(spark, [{"year": 2024, "batch_sequence": 3, "captured_at": SEEN}])
    rows = [row.asDict() for row in calendar.days(DIM_DATE, years).orderBy("date_id").collect()]
    first = dt.date(2024, 1, 1)
    assert rows == [
        {
            "date_id": day,
            "year": day.year,
            "month": day.month,
            "day": day.day,
            "day_of_week": day.isoweekday(),
            "day_name": python_calendar.day_name[day.weekday()],
            "month_name": python_calendar.month_name[day.month],
            "quarter": (day.month + 2) // 3,
            "batch_sequence": 3,
            "captured_at": SEEN,
            "is_deleted": False,
        }
        for day in (first + dt.timedelta(days=n) for n in range(366))
    ]
    assert len(rows) == calendar.length(2024) == calendar.length(2023) + 1


def test_a_year_belongs_to_the_first_batch_that_used_it(spark: SparkSession) -> None:
    rows: list[Row] = [
        {"due": "2024-05-01", "made": "2023-12-31", "batch_sequence": 4, "captured_at": SEEN},
        {
            "due": "2026-08-25",
            "made": "2024-01-01",
            "batch_sequence": 2,
            "captured_at": at("2023-01-01 00:00:00"),
        },
        {"due": None, "made": None, "batch_sequence": 1, "captured_at": SEEN},
    ]
    frame = local_frame(spark, rows, "due date, made date, batch_sequence bigint, captured_at timestamp_ntz")
    found = calendar.years_in_use(frame, ["due", "made"]).orderBy("year").collect()
    assert [(row["year"], row["batch_sequence"]) for row in found] == [(2023, 4), (2024, 2), (2026, 2)]


def test_a_contract_that_asks_for_something_else_is_refused(spark: SparkSession) -> None:
    other = load_catalogue().star["dim_design"]
    with pytest.raises(UserError, match=r"star\.dim_design has the columns design_id"):
        calendar.days(other, calendar.stated(spark, []))
