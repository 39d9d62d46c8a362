"""A cell above its limit stays in the source: its row comes with the length in place of the text."""

from __future__ import annotations

import json

import pytest

from glue_jobs.sources.capture_run import TablesPaused
from tests.integration.glue_jobs.extract.conftest import Row, World
from tests.integration.glue_jobs.extract.test_extract_cdc_structure import column

LIMIT = 16 << 20


def design(world: World, batch: int, key: int) -> Row:
    (row,) = [row for row in world.rows("design", batch) if row["design_id"] == key]
    return row


def test_a_text_above_the_limit_stays_where_it_is_and_its_neighbours_come(world: World) -> None:
    world.sql(
        f"UPDATE design SET file_location = repeat('é', {LIMIT // 2}) || 'x' WHERE design_id = 2;"
        f"UPDATE design SET file_location = repeat('é', {LIMIT // 2}) WHERE design_id = 3"
    )
    world.run()
    row = design(world, 1, 2)
    assert row["file_location"] is None
    assert json.loads(row["unrepresentable"]) == {
        "file_location": f"{LIMIT + 1} bytes, not kept: the contract allows {LIMIT}"
    }
    assert row["file_name"] == "2.json"
    assert len(design(world, 1, 3)["file_location"]) == LIMIT // 2
    assert len(world.rows("design", 1)) == 6
    world.sql("UPDATE design SET file_location = '/home' WHERE design_id = 2")
    world.run()
    assert world.operations(2) == {"design": [("update", 2)]}
    world.assert_lake_equals_source()


@pytest.mark.slow
def test_the_contract_states_the_limit_and_under_another_the_rows_come_again(world: World) -> None:
    world.publish("design", column("file_name", max_bytes=6))
    world.sql("UPDATE design SET file_name = '1234567', file_location = '1234567' WHERE design_id = 2")
    world.run()
    row = design(world, 1, 2)
    assert (row["file_name"], row["file_location"]) == (None, "1234567")
    assert json.loads(row["unrepresentable"]) == {"file_name": "7 bytes, not kept: the contract allows 6"}
    assert design(world, 1, 1)["file_name"] == "1.json"
    world.publish("design", column("file_name", max_bytes=7))
    world.run()
    assert design(world, 2, 2)["file_name"] == "1234567"
    world.assert_lake_equals_source()


def test_a_table_is_read_by_several_connections_with_its_long_texts_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glue_jobs.sources.capture.ROWS_WORTH_SPLITTING", 1)
    world.publish("design", column("file_name", max_bytes=1000))
    world.sql(
        "INSERT INTO design (design_name, file_location, file_name, last_updated)"
        " SELECT 'Steel', '/x', repeat('x', 500 + i), now() FROM generate_series(1, 1000) i"
    )
    world.run()
    rows = world.rows("design", 1)
    assert sum(row["unrepresentable"] is not None for row in rows) == 500
    assert len(rows) == 1006


def test_rows_of_a_paused_table_are_kept_with_the_length_of_a_long_text(world: World) -> None:
    world.sql(
        "ALTER TABLE design RENAME file_name TO name;"
        f"UPDATE design SET file_location = repeat('x', {LIMIT + 1}) WHERE design_id = 2"
    )
    with world.connect() as connection:
        printed = connection.execute(
            "SELECT row_to_json(d.*)::text FROM design d WHERE design_id = 3"
        ).fetchone()
    with pytest.raises(TablesPaused, match="has no column file_name"):
        world.run()
    letters = {letter["source_key"]: letter["source_row"] for letter in world.letters("design", 1)}
    kept = json.loads(letters["2"])
    assert kept["file_location"] == f"{LIMIT + 1} bytes, not kept"
    assert kept["name"] == "2.json"
    assert printed == (letters["3"],)


@pytest.mark.slow
def test_a_text_of_nearly_a_gigabyte_does_not_travel(world: World) -> None:
    world.sql(
        "ALTER TABLE design ALTER file_location SET STORAGE EXTERNAL;"
        f"UPDATE design SET file_location = repeat('x', {900 << 20}) WHERE design_id = 2"
    )
    world.run()
    assert json.loads(design(world, 1, 2)["unrepresentable"]) == {
        "file_location": f"{900 << 20} bytes, not kept: the contract allows {LIMIT}"
    }
    assert len(world.rows("design", 1)) == 6
