"""The facts from captures on an endpoint: complete, exact, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.runtime.errors import UserError
from glue_jobs.stages.stage import Stage
from tests.lake import Lake, at, deletion, raw_row

MAY = at("2024-05-02 09:00:00.500")
JUNE = at("2024-06-03 10:00:00")


def history(lake: Lake, table: str, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in columns) for row in lake.rows(table)]


def test_a_month_whose_last_record_moved_away_is_published_empty_and_filled_again(star_lake: Lake) -> None:
    star_lake.capture({"sales_order": [raw_row("sales_order", 1, created_at=MAY)]})
    star_lake.transform("facts")
    star_lake.capture({"sales_order": [raw_row("sales_order", 1, created_at=JUNE)]})
    star_lake.transform("facts")
    by_month = {
        p.values["created_month"]: p.rows
        for p in star_lake.commit("facts").tables["fact_sales_order"].partitions
    }
    assert by_month == {"2024-05": 0, "2024-06": 2}
    star_lake.capture({"sales_order": [raw_row("sales_order", 1, created_at=MAY)]})
    star_lake.transform("facts")
    assert history(star_lake, "fact_sales_order", "created_month", "batch_sequence") == [
        ("2024-05", 1),
        ("2024-05", 2),
        ("2024-05", 3),
    ]


def test_running_again_changes_nothing(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.transform("facts")
    before = star_lake.log("facts").latest_sequence()
    files = sorted(star_lake.folder("processed").rglob("*"))
    star_lake.transform("facts")
    assert star_lake.log("facts").latest_sequence() == before == 1
    assert sorted(star_lake.folder("processed").rglob("*")) == files


def test_a_batch_that_brings_nothing_new_is_covered_without_objects(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.capture({"payment": [raw_row("payment", 1)], "sales_order": [deletion("sales_order", 9)]})
    star_lake.capture({})
    star_lake.transform("facts")
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.transform("facts")
    commit = star_lake.commit("facts")
    assert (commit.first_batch, commit.last_batch) == (4, 4)
    assert all(not table.objects for table in commit.tables.values())
    assert len(star_lake.rows("fact_payment")) == 1
    assert star_lake.rows("fact_sales_order") == []


def test_only_touched_partitions_are_written_and_swapped_and_old_versions_stay(star_lake: Lake) -> None:
    star_lake.capture(
        {"payment": [raw_row("payment", 1, created_at=MAY), raw_row("payment", 2, created_at=JUNE)]}
    )
    star_lake.transform("facts")
    shown = star_lake.shown("fact_payment")
    old = {path: path.read_bytes() for path in star_lake.folder("processed").rglob("*.parquet")}
    star_lake.capture({"payment": [raw_row("payment", 2, created_at=JUNE, paid=True)]})
    star_lake.transform("facts")
    now = star_lake.shown("fact_payment")
    assert now["2024-05"] == shown["2024-05"]
    assert now["2024-06"] != shown["2024-06"]
    commit = star_lake.commit("facts")
    assert [dict(p.values) for p in commit.tables["fact_payment"].partitions] == [
        {"created_month": "2024-06"}
    ]
    assert now["2024-06"].endswith(
        f"version={commit.tables['fact_payment'].versions['created_month=2024-06']}/"
    )
    assert {path: path.read_bytes() for path in old} == old


def test_files_are_typed_by_contract_sorted_and_without_int96(star_lake: Lake) -> None:
    star_lake.capture({"sales_order": [raw_row("sales_order", key, created_at=MAY) for key in (3, 1, 2)]})
    star_lake.transform("facts")
    (partition,) = star_lake.commit("facts").tables["fact_sales_order"].partitions
    (data,) = partition.objects
    file = pq.ParquetFile(star_lake.folder("processed") / data.key)
    contract = star_lake.catalogue.star["fact_sales_order"]
    assert file.schema_arrow.names == [column.name for column in contract.all_columns]
    physical = {
        file.schema.column(n).name: file.schema.column(n).physical_type for n in range(len(file.schema))
    }
    assert "INT96" not in physical.values()
    assert str(file.schema_arrow.field("captured_at").type) == "timestamp[ms]"
    assert str(file.schema_arrow.field("unit_price").type) == "decimal128(10, 2)"
    assert file.read(["sales_order_id"])["sales_order_id"].to_pylist() == [1, 2, 3]
    assert (data.rows, data.key_min, data.key_max) == (3, (1,), (3,))


def test_a_row_that_leaves_a_required_column_empty_stops_the_run_and_names_it(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1, currency_id=None), raw_row("payment", 2)]})
    star_lake.accept()
    with pytest.raises(UserError, match="fact_payment: 1 cell of currency_id"):
        star_lake.facts()
    assert star_lake.log("facts").latest() is None


def test_a_date_that_is_none_stops_the_run_and_names_its_column(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1, payment_date="2024-13-01")]})
    star_lake.accept()
    with pytest.raises(UserError, match="1 cell of payment_date cannot be read") as failed:
        star_lake.facts()
    assert "2024-13-01" not in str(failed.value)


def test_a_live_partition_that_was_tampered_with_is_not_read(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.transform("facts")
    (partition,) = star_lake.commit("facts").tables["fact_payment"].partitions
    path = star_lake.folder("processed") / partition.objects[0].key
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    star_lake.capture({"payment": [raw_row("payment", 1, paid=True)]})
    star_lake.validate()
    with pytest.raises(ChecksumMismatch, match="is not read"):
        star_lake.facts()


def test_an_attempt_that_comes_second_loses_the_race_and_leaves_the_first_ones_state(
    star_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.validate()
    run_in_parallel = EmbeddedEngine.run_in_parallel
    first: list[bool] = []

    def overtaken(engine: EmbeddedEngine, work: Iterable[Any]) -> list[Any]:
        built = run_in_parallel(engine, work)
        if not first:
            first.append(True)
            assert star_lake.facts() == 0
        return built

    monkeypatch.setattr(EmbeddedEngine, "run_in_parallel", overtaken)
    assert star_lake.facts() == 0
    assert star_lake.log("facts").latest_sequence() == 1
    assert len(star_lake.rows("fact_payment")) == 1
    assert star_lake.shown("fact_payment")["2024-11"].endswith(
        f"version={star_lake.commit('facts').tables['fact_payment'].versions['created_month=2024-11']}/"
    )


def test_a_run_that_died_before_the_catalog_was_swapped_is_completed(
    star_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.validate()
    with monkeypatch.context() as patched:
        patched.setattr(Stage, "show", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            star_lake.facts()
    assert star_lake.shown("fact_payment") == {}
    assert star_lake.facts() == 0
    assert list(star_lake.shown("fact_payment")) == ["2024-11"]


def test_what_an_attempt_that_died_left_behind_is_never_read(star_lake: Lake) -> None:
    star_lake.capture({"payment": [raw_row("payment", 1)]})
    star_lake.transform("facts")
    (partition,) = star_lake.commit("facts").tables["fact_payment"].partitions
    stray = star_lake.folder("processed") / partition.objects[0].key
    left = stray.parent.parent / "version=0000000002-dead" / stray.name
    left.parent.mkdir()
    left.write_bytes(stray.read_bytes())
    star_lake.capture({"payment": [raw_row("payment", 1, paid=True)]})
    star_lake.transform("facts")
    assert history(star_lake, "fact_payment", "batch_sequence", "paid") == [(1, False), (2, True)]
