"""Values that a source can hold and a lake must survive: exact in the warehouse, or dead letters, alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import sql

from lakehouse.dead_letters import open_dead_letters
from tests.faults import invariants
from tests.faults.pipeline import Pipeline

ODD_TEXTS = (
    "\u202eright to left\u202c and \U0001f45c\U0001f3fd\u200d\U0001f9b0",
    "two\r\nlines,\ta tab and a \\backslash",
    "'; DROP TABLE dim_design; --",
    '"quoted" ${jndi:ldap://x} {{ x }} %s $1 <script>alert(1)</script>',
    "é" * 1_500_000,
    " ",
    "NULL",
)

IMPOSSIBLE = {
    "created_at = 'infinity'": "created_at_is_given",
    "last_updated = '-infinity'": "last_updated_is_given",
    "created_at = '0044-03-15 12:00:00 BC'": "created_at_is_given",
    "created_at = '10000-01-01'": "created_at_is_given",
    "unit_price = 'NaN'": "unit_price_is_given",
    "agreed_delivery_date = '2023-02-30'": "delivery_date_is_a_date",
    "agreed_payment_date = 'infinity'": "payment_date_is_a_date",
    "agreed_payment_date = '2024-11-16 24:00:00'": "payment_date_is_a_date",
}
"""What no lake can hold as it is, and no business means; by change, a rule that it breaks."""


def current(pipeline: Pipeline, key: int) -> Any:
    return pipeline.ask(
        "SELECT units_sold, created_date::text, created_time::text FROM fact_sales_order_current"
        f" WHERE sales_order_id = {key}"
    )


def test_texts_of_any_size_and_oddity_arrive_byte_for_byte_and_nothing_in_them_is_executed(
    pipeline: Pipeline,
) -> None:
    with pipeline.connect() as source:
        for key, text in enumerate(ODD_TEXTS, start=101):
            source.execute(
                "INSERT INTO design (design_id, design_name, file_location, file_name, last_updated)"
                " VALUES (%s, %s, '/usr', 'x.json', now())",
                [key, text],
            )
    pipeline.run()
    found = pipeline.ask("SELECT design_id, design_name FROM dim_design WHERE design_id > 100 ORDER BY 1")
    assert found == list(enumerate(ODD_TEXTS, start=101))
    assert pipeline.lake.open_dead_letters() == {}
    invariants.check(pipeline)


@pytest.mark.slow
def test_dates_and_numbers_that_cannot_be_are_dead_letters_alone_and_arrive_once_they_are_corrected(
    pipeline: Pipeline,
) -> None:
    before = {key: current(pipeline, key) for key in range(1, len(IMPOSSIBLE) + 1)}
    with pipeline.connect() as source:
        for key, change in enumerate(IMPOSSIBLE, start=1):
            source.execute(
                sql.SQL("UPDATE sales_order SET units_sold = 5000, {} WHERE sales_order_id = {}").format(
                    sql.SQL(change),
                    sql.Literal(key),
                )
            )
        # 24:00 is midnight of the next day, and the last millisecond is the last millisecond.
        source.execute(
            "UPDATE sales_order SET created_at = '2023-12-31 24:00:00', units_sold = 6000"
            " WHERE sales_order_id = 20;"
            "UPDATE sales_order SET created_at = '2023-12-31 23:59:59.999', units_sold = 6001"
            " WHERE sales_order_id = 21"
        )
    pipeline.run()
    bucket = pipeline.lake.buckets["ingestion"]
    letters = list(open_dead_letters(pipeline.lake.s3, bucket, pipeline.lake.catalogue))
    assert [(letter.table, letter.key) for letter in letters] == [("sales_order", key) for key in before]
    for letter, rule in zip(letters, IMPOSSIBLE.values(), strict=True):
        assert rule in {broken["rule"] for broken in letter.rules}
    held = {row["sales_order_id"]: row for row in pipeline.lake.dead_letters("sales_order")}
    assert json.loads(held[3]["unrepresentable"]) == {"created_at": "0044-03-15 12:00:00 BC"}
    assert json.loads(held[5]["unrepresentable"]) == {"unit_price": "NaN"}
    assert held[6]["agreed_delivery_date"] == "2023-02-30"
    assert {key: current(pipeline, key) for key in before} == before
    assert current(pipeline, 20) == [(6000, "2024-01-01", "00:00:00")]
    assert current(pipeline, 21) == [(6001, "2023-12-31", "23:59:59.999")]
    invariants.check(pipeline)

    pipeline.sql(
        "UPDATE sales_order SET created_at = '2024-11-14 09:30', last_updated = now(), unit_price = 2.5,"
        " agreed_delivery_date = '2024-11-15', agreed_payment_date = '2024-11-16' WHERE sales_order_id <= 8"
    )
    pipeline.run()
    assert pipeline.lake.open_dead_letters() == {}
    assert [current(pipeline, key)[0][0] for key in before] == [5000] * len(before)
    invariants.check(pipeline)


@pytest.mark.slow
def test_a_text_above_its_limit_is_a_dead_letter_alone_and_arrives_once_it_is_corrected(
    pipeline: Pipeline,
) -> None:
    location = "SELECT file_location FROM dim_design WHERE design_id = {}"
    (before,) = pipeline.ask(location.format(2))
    pipeline.sql(
        f"UPDATE design SET file_location = repeat('x', {32 << 20}) WHERE design_id = 2;"
        f"UPDATE design SET file_location = repeat('y', {16 << 20}) WHERE design_id = 3;"
        "UPDATE design SET file_location = '/opt' WHERE design_id = 4"
    )
    pipeline.run()
    bucket = pipeline.lake.buckets["ingestion"]
    (letter,) = open_dead_letters(pipeline.lake.s3, bucket, pipeline.lake.catalogue)
    assert (letter.table, letter.key) == ("design", 2)
    (broken,) = [rule for rule in letter.rules if rule["rule"] == "representable"]
    assert "longer than the contract allows" in broken["reason"]
    (row,) = pipeline.lake.dead_letters("design")
    assert json.loads(row["unrepresentable"]) == {
        "file_location": f"{32 << 20} bytes, not kept: the contract allows {16 << 20}"
    }
    assert pipeline.ask(location.format(2)) == [before]
    assert pipeline.ask(location.format(3)) == [("y" * (16 << 20),)]
    assert pipeline.ask(location.format(4)) == [("/opt",)]
    (raw,) = [
        table for table in pipeline.reconcile().tables if (table.zone, table.table) == ("raw", "design")
    ]
    assert raw.verdict == "equal"
    invariants.check(pipeline)

    pipeline.sql("UPDATE design SET file_location = '/home' WHERE design_id = 2")
    pipeline.run()
    assert pipeline.lake.open_dead_letters() == {}
    assert pipeline.ask(location.format(2)) == [("/home",)]
    invariants.check(pipeline)
