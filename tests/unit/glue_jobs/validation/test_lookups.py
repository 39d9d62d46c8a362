from __future__ import annotations

from typing import Any

import pyarrow as pa

from glue_jobs.engine.protocol import Engine
from glue_jobs.validation import lookups
from glue_jobs.validation.lookups import FoundRows
from tests.keyed import keyed

CHILD = pa.schema([("parent_id", pa.int32()), ("operation", pa.string()), ("batch", pa.int64())])
PARENT = pa.schema(
    [
        ("id", pa.int32()),
        ("size", pa.int32()),
        ("owner_id", pa.int32()),
        ("operation", pa.string()),
        ("batch", pa.int64()),
    ]
)
PARENTS, OWNERS = keyed("parent", id="integer"), keyed("owner", id="integer")
STARRED = keyed("dim_parent", key="integer")
STAR = pa.schema([("key", pa.int32()), ("area", pa.int32()), ("batch_sequence", pa.int64())])


def child(parent: int | None, batch: int, operation: str = "insert") -> dict[str, Any]:
    return {"parent_id": parent, "operation": operation, "batch": batch}


def parent(key: int, size: int | None, batch: int, operation: str = "insert") -> dict[str, Any]:
    return {
        "id": key,
        "size": size,
        "owner_id": None if size is None else key * 10,
        "operation": operation,
        "batch": batch,
    }


def sizes(engine: Engine, versions: list[str]) -> dict[tuple[int, int], int | None]:
    engine.table("wanted", lookups.wanted_by_rows("children", "parent_id", PARENTS))
    text = lookups.found("wanted", versions, ["size"])
    assert text is not None
    return {(row["wanted_key"], row["wanted_batch"]): row["size"] for row in engine.fetch(text)}


def test_the_newest_version_up_to_the_batch_of_the_looking_row_is_found(engine: Engine) -> None:
    engine.rows("children", CHILD, [child(1, 5), child(1, 6), child(1, 7), child(2, 5), child(3, 9)])
    waiting = [
        parent(1, 60, 6),
        parent(1, 70, 7, "delete"),
        parent(2, 60, 6),
        parent(3, None, 8),
        parent(3, 1, 8),
    ]
    engine.rows("waiting", PARENT, waiting)
    engine.rows("accepted", PARENT, [parent(1, 40, 4), parent(1, 30, 3), parent(2, 1, 4, "delete")])
    star = [{"key": 1, "area": 20, "batch_sequence": 2}, {"key": 2, "area": 21, "batch_sequence": 2}]
    engine.rows("star", STAR, star)
    versions = [
        lookups.waiting_versions("waiting", PARENTS, ["size"]),
        lookups.accepted_versions("accepted", PARENTS, ["size"]),
        lookups.star_versions("star", STARRED, ["area"], ["size"]),
    ]
    assert sizes(engine, versions) == {(1, 5): 40, (1, 6): 60, (1, 7): 60, (2, 5): 21, (3, 9): 1}


def test_what_came_before_the_waiting_batches_is_seen_by_all_of_them(engine: Engine) -> None:
    engine.rows("children", CHILD, [child(1, 3)])
    engine.rows("star", STAR, [{"key": 1, "area": 8, "batch_sequence": 8}])
    assert sizes(engine, [lookups.star_versions("star", STARRED, ["area"], ["size"])]) == {(1, 3): 8}


def test_deletions_and_empty_cells_look_up_nothing(engine: Engine) -> None:
    engine.rows("children", CHILD, [child(1, 3, "delete"), child(None, 3), child(4097, 3), child(4099, 4)])
    engine.table("wanted", lookups.wanted_by_rows("children", "parent_id", PARENTS))
    assert engine.fetch(lookups.intervals("wanted", PARENTS)) == [
        {"key_block": 1, "key_low": 4097, "key_high": 4099}
    ]
    assert lookups.found("wanted", [], ["size"]) is None


def test_lookups_are_joined_one_after_the_other_and_double_no_row(engine: Engine) -> None:
    engine.rows(
        "children", CHILD, [child(1, 5), child(1, 5), child(2, 5), child(None, 5), child(1, 5, "delete")]
    )
    engine.rows("parents", PARENT, [parent(1, 7, 5)])
    engine.rows("owners", PARENT, [parent(10, 70, 4)])
    engine.table("wanted_parent", lookups.wanted_by_rows("children", "parent_id", PARENTS))
    versions = [lookups.waiting_versions("parents", PARENTS, ["size", "owner_id"])]
    engine.table("found_parent", lookups.found("wanted_parent", versions, ["size", "owner_id"]) or "")
    engine.table("wanted_owner", lookups.wanted_by_lookup("found_parent", "owner_id", OWNERS))
    engine.table(
        "found_owner",
        lookups.found("wanted_owner", [lookups.waiting_versions("owners", OWNERS, ["size"])], ["size"]) or "",
    )
    chain = [
        FoundRows(PARENTS, "parent_id", ("size", "owner_id"), "found_parent"),
        FoundRows(OWNERS, "parent__owner_id", ("size",), "found_owner"),
    ]
    values = ", ".join(value for one in chain for value in one.values)
    joins = "".join(one.join("children", chain) for one in chain)
    rows = engine.fetch(f"SELECT parent_id, operation, {values} FROM children{joins}")
    seen = sorted(
        (row["operation"], row["parent_id"] or 0, row["parent__size"], row["owner__size"]) for row in rows
    )
    assert seen == [
        ("delete", 1, 7, 70),
        ("insert", 0, None, None),
        ("insert", 1, 7, 70),
        ("insert", 1, 7, 70),
        ("insert", 2, None, None),
    ]
