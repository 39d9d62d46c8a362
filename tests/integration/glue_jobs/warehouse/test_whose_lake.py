"""The warehouse knows whose commits it counts: of another lake it loads nothing in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.connections import connect
from glue_jobs.warehouse.offsets import foreign, read_offsets

if TYPE_CHECKING:
    from tests.integration.glue_jobs.warehouse.conftest import World

UNLABELLED = "ALTER TABLE load_offset DROP COLUMN lake, DROP COLUMN attempt"
"""Makes the offsets what an earlier release left."""


def fill(world: World, units: int, batches: int = 1) -> None:
    """A lake of some batches, each with an order of its own."""
    for batch in range(1, batches + 1):
        world.capture(batch)
        world.dimensions(batch)
        order = world.row("fact_sales_order", batch, batch, units_sold=units)
        world.commit("facts", {"fact_sales_order": [order]}, batch)


def units(world: World) -> list[int]:
    return [row["units_sold"] for row in world.rows("fact_sales_order")]


def reason(world: World) -> str | None:
    """What a status says of the warehouse."""
    dsn = world.postgres.dsn(database=world.database)
    lake = LakeClients(world.s3, world.endpoint.client("glue"), world.ingestion)
    with connect(dsn, "warehouse", "test") as connection:
        positions = read_offsets(connection, "public")
        return foreign(connection, "public", lake, positions)


def refused(world: World) -> str:
    """The words of a load that refuses, and that it changed nothing."""
    before = units(world), world.rows("load_offset"), world.rows("load_audit")
    code, lines = world.run()
    assert code == 1
    assert (units(world), world.rows("load_offset"), world.rows("load_audit")) == before
    return str(lines[-1]["message"])


@pytest.mark.slow
def test_the_list_of_dead_letters_of_an_earlier_release_gets_the_columns_that_it_lacks(world: World) -> None:
    fill(world, 7)
    assert world.run()[0] == 0
    added = ("row_key_text", "source_key_text")
    with world.connect() as connection:
        for name in added:
            connection.execute(f"ALTER TABLE unresolved_dead_letters DROP COLUMN {name}".encode())
    world.capture(2)
    world.dimensions(2)
    world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", 2, 2, units_sold=8)]}, 2)
    assert world.run()[0] == 0
    assert world.query(f"SELECT {', '.join(added)} FROM unresolved_dead_letters") == []
    assert units(world) == [7, 8]


def test_the_warehouse_keeps_the_identity_of_what_it_counts(world: World) -> None:
    fill(world, 7)
    assert world.run()[0] == 0
    identity = world.s3.get_object(Bucket=world.ingestion, Key="_commits/capture/0000000001.json")
    assert f'"attempt": "{world.rows("load_offset")[0]["lake"]}"' in identity["Body"].read().decode()
    assert all(row["attempt"] for row in world.rows("load_offset"))
    assert reason(world) is None


def test_a_load_of_another_lake_refuses_and_says_what_to_do(world: World) -> None:
    fill(world, 1013)
    world.run()
    for batches in (1, 2):
        other = world.another_lake()
        fill(other, 4321, batches)

        words = refused(other)

        assert "The warehouse is not this lake's: it holds what another lake" in words
        assert "`lakehouse rebuild`" in words
        assert "another lake" in str(reason(other))
    assert world.run()[0] == 0


def test_a_rebuild_lets_another_lake_replace_all_that_the_warehouse_holds(world: World) -> None:
    fill(world, 1013, 2)
    world.run()
    other = world.another_lake()
    fill(other, 4321)
    refused(other)
    other.dimensions(1, rebuild=True)
    other.commit(
        "facts", {"fact_sales_order": [other.row("fact_sales_order", 1, 1, units_sold=4321)]}, 1, rebuild=True
    )

    assert other.run()[0] == 0

    assert units(other) == [4321]
    assert reason(other) is None
    assert "another lake" in refused(world)


def test_a_rebuild_from_before_the_last_load_replaces_nothing(world: World) -> None:
    other = world.another_lake()
    other.capture(1)
    other.dimensions(1, rebuild=True)
    other.commit("facts", {"fact_sales_order": [other.row("fact_sales_order", 1)]}, 1, rebuild=True)
    fill(world, 1013)
    world.run()

    assert "another lake" in refused(other)


@pytest.mark.slow
def test_a_lake_that_was_restored_from_an_older_copy_is_told_from_the_one_that_was_loaded(
    world: World,
) -> None:
    fill(world, 1013, 3)
    world.run()
    for stage in ("capture", "dimensions", "facts"):
        world.restore_to(stage, 1)
    assert "up to commit 3, which this lake does not have" in refused(world)

    for batch in (2, 3, 4):
        world.capture(batch)
        world.dimensions(batch)
        world.commit("facts", {"fact_sales_order": [world.row("fact_sales_order", batch, batch)]}, batch)
    assert "another commit 3" in refused(world)


def test_a_warehouse_of_an_earlier_release_is_taken_over_once(world: World) -> None:
    fill(world, 1013)
    world.run()
    with world.connect() as connection:
        connection.execute(UNLABELLED)
    assert reason(world) is None

    assert world.run()[0] == 0

    assert all(row["lake"] and row["attempt"] for row in world.rows("load_offset"))
    other = world.another_lake()
    fill(other, 4321)
    assert "another lake" in refused(other)


@pytest.mark.slow
def test_a_warehouse_of_an_earlier_release_is_not_taken_over_by_another_lake(world: World) -> None:
    fill(world, 1013)
    world.run()
    with world.connect() as connection:
        connection.execute(UNLABELLED)
        connection.execute("UPDATE load_audit SET snapshot_at = snapshot_at + interval '3 s'")

    code, lines = world.run()

    assert code == 1
    assert "as batch 1, and batch 1 of this lake is another" in lines[-1]["message"]
