"""Every contract, on every platform that reads it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from awswrangler import _data_types as athena_types
from jsonschema import Draft7Validator

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import load_catalogue
from catalog.glue import NO_VERSION, partition_input, star_view_inputs, table_input
from catalog.json_schema import UnreadableSchemaError, contract_of, definition, json_schema
from catalog.model import UNRESOLVED, Column, Contract, attach_zone
from catalog.star_views import athena_views

CATALOGUE = load_catalogue()

every_contract = pytest.mark.parametrize(
    "contract", CATALOGUE.contracts, ids=[f"{c.zone}.{c.table}" for c in CATALOGUE.contracts]
)


@every_contract
def test_a_contract_says_the_same_after_a_round_trip(contract: Contract) -> None:
    told = contract.model_dump(exclude_none=True)
    for column in (*told["columns"], *told["own_partition_columns"]):
        column["type"] = str(next(c for c in _all(contract) if c.name == column["name"]).type)
    again = attach_zone(Contract.model_validate(told), contract.zone_info)
    assert again == contract


def _all(contract: Contract) -> tuple[Column, ...]:
    return contract.columns + contract.own_partition_columns


@every_contract
def test_files_keep_the_schema_that_the_contract_gives(contract: Contract, tmp_path: Path) -> None:
    schema = arrow_schema(contract)
    pq.write_table(schema.empty_table(), tmp_path / "empty.parquet")
    assert pq.read_schema(tmp_path / "empty.parquet").equals(schema)
    assert schema.names == [column.name for column in contract.all_columns]


@every_contract
def test_athena_sees_the_types_of_the_files(contract: Contract) -> None:
    in_files = {field.name: _coarse(field.type) for field in arrow_schema(contract)}
    stated = table_input(contract, "bucket")["StorageDescriptor"]["Columns"]
    in_athena = {c["Name"]: _coarse(athena_types.athena2pyarrow(c["Type"])) for c in stated}
    assert in_athena == in_files


def _coarse(kind: pa.DataType) -> pa.DataType:
    # Files hold milliseconds, Athena reads either.
    return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind


@every_contract
def test_partition_columns_stand_in_the_path_and_not_in_the_file(contract: Contract) -> None:
    in_path = [column.name for column in contract.partition_columns]
    assert set(in_path).isdisjoint(arrow_schema(contract).names)
    assert [key["Name"] for key in table_input(contract, "bucket")["PartitionKeys"]] == in_path
    assert partition_schema(contract).names == in_path


@every_contract
def test_the_json_schema_is_a_valid_draft_07_of_every_column(contract: Contract) -> None:
    schema = json_schema(contract)
    Draft7Validator.check_schema(schema)
    assert list(schema["properties"]) == [column.name for column in contract.columns]
    assert schema["required"] == [column.name for column in contract.columns if not column.nullable]
    assert contract.version in schema["$comment"]


@every_contract
def test_a_contract_is_read_out_of_its_json_schema_as_it_was(contract: Contract) -> None:
    again = contract_of(definition(contract), CATALOGUE.zones)
    assert again == contract
    assert arrow_schema(again).equals(arrow_schema(contract))


UNREADABLE = {
    "no JSON": ("$schema", "", "Expecting property name"),
    "another project's schema": ('"x-columns"', '"y-columns"', "it says no contract (KeyError: 'columns')"),
    "no object": (None, "[1]", "it says no contract"),
    "a column that is listed and not described": ('"x-columns": [', '"x-columns": ["more",', "'more'"),
    "a type that newer code knows": ('"x-type": "timestamp"', '"x-type": "instant"', "unknown type"),
    "a word that newer code knows": ('"x-type": "text"', '"x-type": "text", "x-unit": "m"', "Extra inputs"),
    "a key that is no column": ('"x-key": [', '"x-key": ["more",', "the key names more, which is no column"),
}


@pytest.mark.parametrize(("old", "new", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_schema_that_says_no_contract_is_refused(old: str | None, new: str, said: str) -> None:
    text = definition(CATALOGUE.raw["currency"])
    spoiled = new if old is None else text.replace(f'"{old}"' if old == "$schema" else old, new, 1)
    assert spoiled != text
    with pytest.raises(UnreadableSchemaError, match=re.escape(said)):
        contract_of(spoiled, CATALOGUE.zones)


@every_contract
def test_the_glue_table_lies_in_its_own_place_with_comments_that_glue_keeps(contract: Contract) -> None:
    table = table_input(contract, "bucket")
    assert table["StorageDescriptor"]["Location"].startswith(f"s3://bucket/{contract.prefix}")
    assert all(0 < len(c["Comment"]) <= 255 for c in table["StorageDescriptor"]["Columns"])
    assert table["Parameters"]["contract_version"] == contract.version


def test_a_star_table_without_partitions_points_at_nothing_before_its_first_version() -> None:
    location = table_input(CATALOGUE.star["dim_staff"], "b")["StorageDescriptor"]["Location"]
    assert location == f"s3://b/star/dim_staff/{NO_VERSION}"
    swapped = table_input(CATALOGUE.star["dim_staff"], "b", "star/dim_staff/version=1/")
    assert swapped["StorageDescriptor"]["Location"] == "s3://b/star/dim_staff/version=1/"


VIEWS = [(table, view) for table in CATALOGUE.star.values() for view in star_view_inputs(table)]


@pytest.mark.parametrize(("table", "view"), VIEWS, ids=[view["Name"] for _, view in VIEWS])
def test_a_view_is_stored_as_athena_stores_views(table: Contract, view: dict[str, Any]) -> None:
    packed = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    definition = json.loads(base64.b64decode(packed))
    inside = [column["name"] for column in definition["columns"]]
    outside = view["StorageDescriptor"]["Columns"]
    assert inside == [column["Name"] for column in outside]
    assert (definition["catalog"], definition["schema"]) == (
        "awsdatacatalog",
        CATALOGUE.zones["star"].database,
    )
    own = [c.name for c in table.all_columns + table.partition_columns]
    if table.daily is not None and not view["Name"].endswith(("_current", "_history")):
        stated = table.daily
        shows = stated.shows if view["Name"].endswith("_daily") else ["rate_to_gbp"]
        own = [stated.calendar_key, stated.whose, *stated.of, *shows, stated.day]
    assert inside[: len(own)] == own
    spelled = {"int": "integer", "string": "varchar", "timestamp": "timestamp(3)"}
    assert [c["type"] for c in definition["columns"]] == [spelled.get(c["Type"], c["Type"]) for c in outside]
    assert all(0 < len(column["Comment"]) <= 255 for column in outside)
    query = sqlglot.parse_one(definition["originalSql"], dialect="athena")
    assert isinstance(query, sqlglot.exp.Query)
    assert query.named_selects == inside
    assert (view["TableType"], view["PartitionKeys"]) == ("VIRTUAL_VIEW", [])
    assert view["Parameters"]["presto_view"] == "true"


def test_each_fact_and_dimension_has_a_view_of_what_is_current_and_a_fact_one_of_its_history() -> None:
    kinds = {"fact": ["current", "history"], "dimension": ["current"]}
    wanted = [
        name
        for t in CATALOGUE.star.values()
        for name in [
            *(f"{t.table}_{kind}" for kind in kinds.get(str(t.kind), ())),
            *([f"{t.table}_daily"] if t.daily is not None else []),
            *([t.newest.view] if t.newest is not None else []),
            *([f"{t.table}_gbp"] if t.daily is not None or t.reported is not None else []),
        ]
    ]
    assert [view["Name"] for _, view in VIEWS] == wanted
    flagged = {view["Name"] for _, view in VIEWS if "has_rejected_change" in str(view["StorageDescriptor"])}
    rows = {f"{t.table}_gbp" for t in CATALOGUE.star.values() if t.reported is not None}
    rows |= {t.newest.view for t in CATALOGUE.star.values() if t.newest is not None}
    assert flagged == rows | {name for name in wanted if name.endswith("_current")}
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"built_from": {"calendar": True}}, "it states no sources"),
        ({"table": "another"}, "the kind dead_letters is that of the table unresolved_dead_letters alone"),
        ({"kind": "dimension"}, "the kind dead_letters is that of the table unresolved_dead_letters alone"),
    ],
)
def test_the_list_of_rejected_changes_is_one_table_and_has_no_source(
    changes: dict[str, Any], reason: str
) -> None:
    stated = CATALOGUE.star[UNRESOLVED].model_dump(exclude_none=True)
    with pytest.raises(ValueError, match=reason):
        Contract.model_validate({**stated, **changes})


def test_a_star_table_may_not_have_a_column_that_a_view_adds() -> None:
    for table in CATALOGUE.star.values():
        for view in athena_views(table):
            names = [column.name for column in view.columns]
            assert len(names) == len(set(names))


def test_a_partition_has_its_values_in_the_order_of_the_table() -> None:
    stated = partition_input(
        CATALOGUE.raw["staff"], "b", {"batch": "7", "captured_date": "2024-11-15"}, "raw/staff/x/"
    )
    assert stated["Values"] == ["2024-11-15", "7"]
    assert stated["StorageDescriptor"]["Location"] == "s3://b/raw/staff/x/"


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"star\.dim_staff has no column salary"):
        CATALOGUE.star["dim_staff"].column("salary")
