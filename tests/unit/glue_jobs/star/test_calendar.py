from __future__ import annotations

import calendar as python_calendar
import datetime as dt

import pyarrow as pa

from catalog.catalogue import load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.star import calendar
from glue_jobs.star.build import DAYS
from tests.lake import Row, at

DIM_DATE = load_catalogue().star["dim_date"]
SEEN = at("2024-01-01 10:00:00")


def test_a_year_in_use_is_covered_day_by_day_with_iso_weekdays_and_english_names(engine: Engine) -> None:
    year = {calendar.YEAR: 2024, "batch_sequence": 3, "captured_at": SEEN}
    engine.rows("days", DAYS, list(calendar.days_of([year])))
    rows = engine.fetch(calendar.days(DIM_DATE, "days") + " ORDER BY date_id NULLS FIRST")
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
    assert len(list(calendar.days_of([{**year, calendar.YEAR: 2023}]))) == 365


def test_a_year_belongs_to_the_first_batch_that_used_it(engine: Engine) -> None:
    rows: list[Row] = [
        {"due": dt.date(2024, 5, 1), "made": dt.date(2023, 12, 31), "batch_sequence": 4, "captured_at": SEEN},
        {
            "due": dt.date(2026, 8, 25),
            "made": dt.date(2024, 1, 1),
            "batch_sequence": 2,
            "captured_at": at("2023-01-01 00:00:00"),
        },
        {"due": None, "made": None, "batch_sequence": 1, "captured_at": SEEN},
    ]
    schema = pa.schema(
        [
            ("due", pa.date32()),
            ("made", pa.date32()),
            ("batch_sequence", pa.int64()),
            ("captured_at", pa.timestamp("ms")),
            ("is_deleted", pa.bool_()),
        ]
    )
    engine.rows("incoming", schema, [{"is_deleted": False, **row} for row in rows])
    text = calendar.years_in_use([("incoming", ["due", "made"])])
    assert text.count("incoming") == 1, "a fact is read once, however many days it states"
    found = engine.fetch(text)
    assert sorted((row[calendar.YEAR], row["batch_sequence"]) for row in found) == [
        (2023, 4),
        (2024, 2),
        (2026, 2),
    ]
