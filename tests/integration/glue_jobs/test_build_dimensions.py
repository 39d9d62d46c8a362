"""The dimensions from captures on an endpoint: the latest of each key, from all their sources."""

from __future__ import annotations

import pytest

from glue_jobs.runtime.errors import UserError
from tests.lake import Lake, at, deletion, raw_row

MAY = at("2024-05-02 09:00:00")
JUNE = at("2024-06-03 10:00:00")


def latest(lake: Lake, table: str, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in columns) for row in lake.rows(table)]


def test_the_latest_row_of_each_key_stays_deleted_ones_included(star_lake: Lake) -> None:
    star_lake.capture({"design": [raw_row("design", 1, design_name="Soft"), raw_row("design", 2)]})
    star_lake.transform("dimensions")
    star_lake.capture({"design": [raw_row("design", 1, design_name="Steel"), deletion("design", 2)]})
    star_lake.capture({"design": [raw_row("design", 1, design_name="Steel")]})
    star_lake.transform("dimensions")
    columns = ("design_id", "design_name", "batch_sequence", "is_deleted")
    assert latest(star_lake, "dim_design", *columns) == [(1, "Steel", 2, False), (2, "text", 2, True)]
    assert len(star_lake.changed("dim_design")) == 2


def test_a_changed_department_changes_its_staff_and_nobody_else(star_lake: Lake) -> None:
    star_lake.capture(
        {
            "department": [
                raw_row("department", 1, department_name="Sales", location="Leds"),
                raw_row("department", 2),
            ],
            "staff": [raw_row("staff", 1), raw_row("staff", 2, department_id=2)],
        }
    )
    star_lake.transform("dimensions")
    star_lake.capture({"department": [raw_row("department", 1, department_name="Trade", location=None)]})
    star_lake.transform("dimensions")
    columns = ("staff_id", "department_name", "location", "batch_sequence")
    assert latest(star_lake, "dim_staff", *columns) == [
        (1, "Trade", "Unknown", 2),
        (2, "text", "Unknown", 1),
    ]
    assert [row["staff_id"] for row in star_lake.changed("dim_staff")] == [1]


def test_an_address_that_is_missing_leaves_the_counterparty_with_unknown_and_is_counted(
    star_lake: Lake,
) -> None:
    star_lake.capture({"counterparty": [raw_row("counterparty", 1, legal_address_id=4)]})
    star_lake.transform("dimensions")
    columns = ("counterparty_legal_city", "counterparty_legal_district", "batch_sequence")
    assert latest(star_lake, "dim_counterparty", *columns) == [("Unknown", None, 1)]
    assert star_lake.commit("dimensions").tables["dim_counterparty"].counts["unmatched"] == 1
    star_lake.capture({"address": [raw_row("address", 4, city="Utica")]})
    star_lake.transform("dimensions")
    assert latest(star_lake, "dim_counterparty", *columns) == [("Utica", None, 2)]


def test_a_changed_manager_changes_no_dimension(star_lake: Lake) -> None:
    star_lake.capture({"department": [raw_row("department", 1)], "staff": [raw_row("staff", 1)]})
    star_lake.transform("dimensions")
    star_lake.capture({"department": [raw_row("department", 1, manager="Somebody Else")]})
    star_lake.transform("dimensions")
    commit = star_lake.commit("dimensions")
    assert commit.tables["dim_staff"].objects == ()
    assert commit.tables["_current/department"].counts["new"] == 1


def test_a_transaction_lies_in_the_month_of_its_creation_once(star_lake: Lake) -> None:
    star_lake.capture(
        {
            "transaction": [
                raw_row("transaction", 1, created_at=MAY),
                raw_row("transaction", 2, created_at=JUNE),
            ]
        }
    )
    star_lake.transform("dimensions")
    star_lake.capture(
        {
            "transaction": [
                raw_row("transaction", 1, created_at=JUNE, sales_order_id=7),
                deletion("transaction", 2),
            ]
        }
    )
    star_lake.transform("dimensions")
    columns = ("transaction_id", "created_month", "sales_order_id", "is_deleted")
    assert latest(star_lake, "dim_transaction", *columns) == [
        (1, "2024-06", 7, False),
        (2, "2024-06", 1, True),
    ]


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


@pytest.mark.slow
def test_batches_in_one_run_and_in_many_give_the_same_dimensions(star_lake: Lake) -> None:
    batches = [
        {
            "department": [raw_row("department", 1)],
            "staff": [raw_row("staff", 1), raw_row("staff", 2, department_id=2)],
        },
        {"department": [raw_row("department", 2, department_name="Arts")], "staff": [deletion("staff", 1)]},
        {"department": [raw_row("department", 2, department_name="Soft")]},
        {"department": [raw_row("department", 2, department_name="Arts")]},
    ]
    for batch in batches:
        star_lake.capture(batch)
        star_lake.transform("dimensions")
    stepwise = star_lake.rows("dim_staff")
    for log in ("validate", "dimensions"):
        for sequence in range(1, 5):
            star_lake.s3.delete_object(
                Bucket=star_lake.buckets["ingestion"], Key=star_lake.log(log).key(sequence)
            )
    star_lake.transform("dimensions")
    assert star_lake.rows("dim_staff") == stepwise
    assert [(row["staff_id"], row["batch_sequence"], row["is_deleted"]) for row in stepwise] == [
        (1, 2, True),
        (2, 4, False),
    ]


def test_a_key_that_facts_refer_to_has_an_inferred_member_until_its_row_arrives(star_lake: Lake) -> None:
    columns = ("transaction_id", "transaction_type", "created_month", "is_inferred", "batch_sequence")
    star_lake.capture({"payment": [raw_row("payment", 1, transaction_id=5)], "staff": [raw_row("staff", 9)]})
    star_lake.transform("dimensions")
    assert latest(star_lake, "dim_transaction", *columns) == [(5, "Not yet known", "2024-11", True, 1)]
    assert latest(star_lake, "dim_counterparty", "counterparty_legal_city", "is_inferred") == [
        ("Not yet known", True)
    ]
    assert latest(star_lake, "dim_staff", "staff_id", "is_inferred") == [(9, False)]
    made = star_lake.commit("dimensions").tables["dim_transaction"].counts
    assert (made["read"], made["new"], made["inferred"], made["repaired"]) == (0, 1, 1, 0)
    star_lake.capture({"payment": [raw_row("payment", 2, transaction_id=5)]})
    star_lake.transform("dimensions")
    assert star_lake.commit("dimensions").tables["dim_transaction"].objects == ()
    star_lake.capture(
        {
            "transaction": [raw_row("transaction", 5, created_at=MAY)],
            "counterparty": [raw_row("counterparty", 1)],
            "address": [raw_row("address", 1, city="Utica")],
        }
    )
    star_lake.transform("dimensions")
    assert latest(star_lake, "dim_transaction", *columns) == [(5, "SALE", "2024-05", False, 3)]
    assert latest(star_lake, "dim_counterparty", "counterparty_legal_city", "is_inferred") == [
        ("Utica", False)
    ]
    repaired = star_lake.commit("dimensions").tables["dim_transaction"].counts
    assert (repaired["read"], repaired["new"], repaired["inferred"], repaired["repaired"]) == (1, 1, 0, 1)


def test_currency_codes_get_their_names(star_lake: Lake) -> None:
    star_lake.capture({"currency": [raw_row("currency", 1, currency_code="GBP")]})
    star_lake.transform("dimensions")
    assert latest(star_lake, "dim_currency", "currency_code", "currency_name") == [("GBP", "Pound Sterling")]
    location = star_lake.glue.get_table(DatabaseName="totesys_star", Name="dim_currency")
    label = star_lake.commit("dimensions").tables["dim_currency"].versions[""]
    assert location["Table"]["StorageDescriptor"]["Location"].endswith(f"star/dim_currency/version={label}/")


def test_a_dimension_row_without_a_required_value_stops_the_run(star_lake: Lake) -> None:
    star_lake.capture({"design": [raw_row("design", 1, file_name=None)]})
    star_lake.accept()
    with pytest.raises(UserError, match="dim_design: 1 cell of file_name"):
        star_lake.dimensions()
    assert star_lake.log("dimensions").latest() is None
