"""A schema says everything that its contract says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from catalog.catalogue import load_catalogue
from catalog.changes import changes
from catalog.json_schema import contract_of, definition
from catalog.model import Contract, attach_zone

ZONES = load_catalogue().zones

names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in {column.name for column in ZONES["raw"].lineage + ZONES["raw"].partition_columns}
)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
decimals = st.integers(1, 38).flatmap(
    lambda precision: st.builds("decimal({},{})".format, st.just(precision), st.integers(0, precision))
)
numbers = st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1)).map(sorted)


@st.composite
def columns(draw: st.DrawFn, name: str, *, key: bool) -> dict[str, Any]:
    kinds = st.sampled_from(["integer", "bigint", "boolean", "text", "timestamp", "date", "time"])
    kind = draw(st.sampled_from(["integer", "bigint"]) if key else kinds | decimals)
    stated: dict[str, Any] = {
        "name": name,
        "type": kind,
        "nullable": not key and draw(st.booleans()),
        "description": draw(words),
        "personal": draw(st.booleans()),
    }
    if kind in ("integer", "bigint") or kind.startswith("decimal"):
        low, high = draw(numbers)
        stated |= draw(st.sampled_from([{}, {"minimum": low}, {"maximum": high}]))
        if kind.startswith("decimal"):
            stated |= draw(st.sampled_from([{}, {"minimum": "0.01", "maximum": "99.90"}]))
    if kind == "text":
        stated |= draw(st.fixed_dictionaries({}, optional={"pattern": st.just(r'^"\d+\S$')}))
        values = st.lists(words, min_size=1, max_size=3, unique=True)
        stated |= draw(st.fixed_dictionaries({}, optional={"allowed_values": values}))
    return stated


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    found = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    stated = [draw(columns(name, key=index == 0)) for index, name in enumerate(found)]
    references = [{"column": name, "table": draw(names)} for name in found[1:] if draw(st.booleans())]
    contract = Contract.model_validate(
        {
            "table": draw(names),
            "zone": "raw",
            "version": "{}.{}.{}".format(*draw(st.tuples(*[st.integers(0, 30)] * 3))),
            "owner": draw(words),
            "grain": draw(words),
            "key": [found[0]],
            "columns": draw(st.permutations(stated)),
            "references": references,
        }
    )
    return attach_zone(contract, ZONES["raw"])


@given(contracts())
def test_a_contract_is_read_out_of_its_schema_as_it_was(contract: Contract) -> None:
    text = definition(contract)
    Draft7Validator.check_schema(json.loads(text))
    again = contract_of(text, ZONES)
    assert again == contract
    assert [str(column.type) for column in again.columns] == [str(column.type) for column in contract.columns]
    assert again.zone_info == contract.zone_info
    assert changes(contract, again) == ()


@given(contracts())
def test_what_keeps_no_order_of_members_changes_nothing(contract: Contract) -> None:
    shuffled = json.dumps(json.loads(definition(contract)), sort_keys=True)
    assert contract_of(shuffled, ZONES) == contract
