from __future__ import annotations

from catalog.catalogue import load_catalogue
from glue_jobs.star.merge_spec import merge_spec


def test_a_facts_content_is_all_but_its_key_and_its_number_with_its_partition() -> None:
    contract = load_catalogue().star["fact_sales_order"]
    spec = merge_spec(contract)
    own = {column.name for column in contract.columns}
    assert set(spec.content) == own - {"sales_record_id", "sales_order_id"} | {"created_month"}
    assert (spec.key, spec.record_id, spec.partition) == (
        ("sales_order_id",),
        "sales_record_id",
        "created_month",
    )


def test_what_a_star_contract_calls_not_nullable_is_required_and_so_is_what_the_star_adds() -> None:
    spec = merge_spec(load_catalogue().star["dim_transaction"])
    assert set(spec.required) == {"transaction_id", "transaction_type", "created_month", "is_inferred"}


def test_of_a_snapshot_only_the_key_is_required() -> None:
    assert merge_spec(load_catalogue().raw["staff"]).required == ("staff_id",)
