"""A table whose structure changes in mid-life: held, kept aside whole, and then missing nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.arrow import arrow_schema
from glue_jobs.runtime.registry import RegistryUnreadable
from glue_jobs.sources.capture_run import TablesPaused
from tests.integration.glue_jobs.extract.conftest import READER, Row, World
from tests.night import by_day

OTHER_CHANGE = "UPDATE address SET city = 'York' WHERE address_id = 2"


def column(name: str, /, **changes: Any) -> Callable[[Row], Row]:
    """A contract with one column changed; without changes that column is left out."""

    def change(stated: Row) -> Row:
        columns = [{**c, **(changes if c["name"] == name else {})} for c in stated["columns"]]
        return {**stated, "columns": [c for c in columns if changes or c["name"] != name]}

    return change


def new_column(name: str, kind: str) -> Callable[[Row], Row]:
    added = {"name": name, "type": kind, "nullable": True, "description": "New."}
    return lambda stated: {**stated, "columns": [*stated["columns"], added]}


def held(world: World) -> dict[str, Any]:
    """What the newest commit says of held tables."""
    states = world.latest().state["tables"]
    return {table: state["pause"] for table, state in states.items() if state["pause"] is not None}


def run_held(world: World, *words: str) -> None:
    with pytest.raises(TablesPaused) as refused:
        world.run()
    for word in words:
        assert word in str(refused.value)


CONFLICTS: dict[str, tuple[str, str, str, str, Callable[[Row], Row], list[str]]] = {
    "dropped": (
        "department",
        "ALTER TABLE department DROP manager",
        "UPDATE department SET location = 'Hull' WHERE department_id IN (1, 3)",
        "has no column manager",
        column("manager"),
        ["1", "3"],
    ),
    "renamed": (
        "department",
        "ALTER TABLE department RENAME manager TO boss",
        "UPDATE department SET boss = 'B' WHERE department_id IN (1, 3)",
        "has no column manager",
        column("manager", name="boss"),
        ["1", "3"],
    ),
    "retyped": (
        "payment",
        "ALTER TABLE payment ALTER payment_amount TYPE numeric(20,4)",
        "UPDATE payment SET payment_amount = 1234567890123456.7891 WHERE payment_id = 7",
        "payment_amount is numeric(20,4)",
        column("payment_amount", type="decimal(20,4)"),
        [str(number) for number in range(1, 41)],
    ),
    "a new value": (
        "transaction",
        """ALTER TYPE "TransactionType" ADD VALUE 'GIFT'""",
        "UPDATE transaction SET transaction_type = 'GIFT' WHERE transaction_id = 4",
        "transaction_type may be 'GIFT'",
        column("transaction_type", allowed_values=("SALE", "PURCHASE", "GIFT")),
        ["4"],
    ),
}


@pytest.mark.parametrize(
    ("table", "alter", "write", "said", "mend", "keys"), by_day(["a new value"], CONFLICTS)
)
def test_a_change_of_structure_keeps_the_batch_aside_and_once_the_contract_follows_nothing_is_missing(
    world: World,
    table: str,
    alter: str,
    write: str,
    said: str,
    mend: Callable[[Row], Row],
    keys: list[str],
) -> None:
    world.run()
    before = world.latest().state["tables"][table]
    world.sql(alter)
    world.sql(write)
    world.sql(OTHER_CHANGE)
    run_held(world, table, said)

    assert world.operations(2) == {"address": [("update", 2)]}
    letters = world.letters(table, 2)
    assert sorted(letter["source_key"] for letter in letters) == sorted(keys)
    assert {letter["source_table"] for letter in letters} == {table}
    assert all(said in letter["reason"] for letter in letters)
    stated = world.latest().tables[table].counts
    assert (stated["read"], stated["accepted"], stated["rejected"]) == (len(keys), 0, len(keys))
    assert {**world.latest().state["tables"][table], "pause": None} == before
    hold = held(world)[table]
    assert hold["since"] == world.latest().state["captured_at"]
    assert (hold["quarantined"], hold["conflict"]) == (len(keys), letters[0]["conflict"])

    world.publish(table, mend)
    world.run()
    assert held(world) == {}
    world.assert_lake_equals_source()


def test_letters_hold_the_row_as_the_source_writes_it_and_its_structure(world: World) -> None:
    world.run()
    text = 'a\nb\t\'; DROP TABLE staff; -- 👩\u200d👩 שלום \\ "q" \x01'
    with world.connect() as connection:
        connection.execute("""ALTER TABLE staff RENAME first_name TO "r""; --'" """)
        connection.execute("ALTER TABLE staff ADD r text, ADD big numeric, ADD odd timestamp, ADD n numeric")
        connection.execute(
            """UPDATE staff SET "r""; --'" = %s, r = %s, big = 12345678901234567890123456789.5,
               odd = 'infinity', n = 'NaN' WHERE staff_id = 2""",
            (text, "x" * 3_000_000),
        )
        ((printed, version),) = connection.execute(
            "SELECT row_to_json(s.*)::text, xmin::text::bigint FROM staff s WHERE staff_id = 2"
        ).fetchall()
    run_held(world, "first_name")
    (letter,) = world.letters("staff", 2)
    assert letter["source_row"] == printed
    assert json.loads(letter["source_row"])["r\"; --'"] == text
    assert letter["version_id"] % 2**32 == version
    assert letter["source_key"] == "2"
    structure = json.loads(letter["structure"])
    (data,) = world.latest().tables["staff"].objects
    body = world.clients.s3.get_object(Bucket=world.given.ingestion_bucket, Key=data.key)["Body"].read()
    assert pq.read_schema(io.BytesIO(body)).equals(arrow_schema(world.catalogue.dead_letter["held_rows"]))
    assert [c["name"] for c in structure][:2] == ["staff_id", "r\"; --'"]
    assert {"name": "big", "type": "numeric"} in structure
    assert text not in world.output


def test_letters_of_a_table_whose_key_is_renamed_have_none(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department RENAME department_id TO number")
    world.sql("UPDATE department SET manager = 'B' WHERE number = 2")
    run_held(world, "has no column department_id")
    (letter,) = world.letters("department", 2)
    assert letter["source_key"] is None
    assert json.loads(letter["source_row"])["number"] == 2
    world.sql("ALTER TABLE department RENAME number TO department_id")
    world.run()
    assert world.operations(3) == {"department": [("update", 2)]}


@pytest.mark.slow
def test_letters_are_written_once_and_then_only_what_is_new(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department RENAME manager TO boss")
    with world.connect(autocommit=False) as long:
        long.execute("UPDATE design SET file_name = 'x' WHERE design_id = 1")
        world.sql("UPDATE department SET boss = 'B' WHERE department_id = 2")
        run_held(world, "department")
        assert [letter["source_key"] for letter in world.letters("department", 2)] == ["2"]
        run_held(world, "department")
        assert world.commits.latest_sequence() == 2
        world.sql("UPDATE department SET boss = 'C' WHERE department_id = 3")
        run_held(world, "department")
        assert [letter["source_key"] for letter in world.letters("department", 3)] == ["3"]
        assert held(world)["department"]["quarantined"] == 2
        assert held(world)["department"]["since"] == world.commits.get(2).state["captured_at"]  # type: ignore[union-attr]
        long.commit()
    run_held(world, "department")
    assert world.operations(4) == {"design": [("update", 1)]}
    assert world.letters("department", 4) == []


@pytest.mark.slow
def test_another_structure_sets_the_whole_batch_aside_again(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department RENAME manager TO boss")
    world.sql("UPDATE department SET boss = 'B' WHERE department_id = 2")
    run_held(world, "department")
    world.sql("ALTER TABLE department RENAME boss TO chief")
    world.sql("UPDATE department SET chief = 'C' WHERE department_id = 3")
    run_held(world, "department")
    letters = world.letters("department", 3)
    assert [(letter["source_key"], "chief" in letter["source_row"]) for letter in letters] == [
        ("2", True),
        ("3", True),
    ]
    assert held(world)["department"]["quarantined"] == 2
    world.publish("department", column("manager", name="chief"))
    world.run()
    world.assert_lake_equals_source()


def test_a_held_table_whose_structure_comes_back_is_captured_and_its_letters_are_closed(world: World) -> None:
    world.run()
    world.sql("ALTER TABLE department RENAME manager TO boss")
    run_held(world, "department")
    assert world.commits.latest_sequence() == 2
    assert held(world)["department"]["quarantined"] == 0
    world.sql("ALTER TABLE department RENAME boss TO manager")
    world.run()
    assert held(world) == {}
    assert world.operations(3) == {}
    world.run()
    assert world.commits.latest_sequence() == 3


def test_a_table_that_was_never_captured_is_kept_aside_whole(world: World) -> None:
    world.sql("ALTER TABLE payment ALTER paid TYPE text USING paid::text")
    world.sql("ALTER TABLE staff DROP first_name")
    run_held(world, "payment", "staff")
    assert len(world.letters("payment", 1)) == 40
    assert len(world.letters("staff", 1)) == 3
    named = [data for table in world.latest().tables.values() for data in table.objects]
    world.check(named)
    assert {data.key for data in named} == world.keys("raw/") | world.keys("dead_letter/")
    world.publish("payment", column("paid", type="text"))
    run_held(world, "staff")
    assert len(world.rows("payment", 2)) == 40


def test_letters_stream_in_many_batches_and_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_jobs.sources.postgres_source.BATCH_BYTES", 4096)
    monkeypatch.setattr("glue_jobs.sources.parts.BYTES_PER_FILE", 4096)
    world.sql("ALTER TABLE sales_order RENAME design_id TO pattern_id")
    run_held(world, "sales_order")
    (partition,) = world.latest().tables["sales_order"].dead_letters
    assert len(partition.objects) > 1
    found = [json.loads(letter["source_row"])["sales_order_id"] for letter in world.letters("sales_order", 1)]
    assert sorted(found) == list(range(1, 41))


LOST = {
    "revoked": (f"REVOKE SELECT ON department FROM {READER}", "GRANT SELECT", False),
    "column grant, and renamed": (
        f"""REVOKE SELECT ON department FROM {READER};
            GRANT SELECT (department_id, department_name) ON department TO {READER}""",
        "GRANT SELECT",
        True,
    ),
    "row security, and renamed": ("ALTER TABLE department ENABLE ROW LEVEL SECURITY", "row-level", True),
}


@pytest.mark.parametrize(("loss", "said", "renamed"), by_day(["row security, and renamed"], LOST))
def test_a_lost_privilege_is_no_deletion_and_makes_no_dead_letters(
    world: World, loss: str, said: str, *, renamed: bool
) -> None:
    world.run()
    world.sql("UPDATE department SET manager = 'B' WHERE department_id = 2")
    if renamed:
        world.sql("ALTER TABLE department RENAME manager TO boss")
        run_held(world, "has no column manager")
    batch = world.commits.latest_sequence() + 1
    world.sql(f"{loss}; {OTHER_CHANGE}")
    run_held(world, "department", said)
    assert world.operations(batch) == {"address": [("update", 2)]}
    assert world.letters("department", batch) == []
    assert held(world)["department"]["quarantined"] == int(renamed)
    world.sql(
        f"ALTER TABLE department DISABLE ROW LEVEL SECURITY; GRANT SELECT ON department TO {READER}"
        + ("; ALTER TABLE department RENAME boss TO manager" if renamed else "")
    )
    world.run()
    assert world.operations(batch + 1) == {"department": [("update", 2)]}
    world.assert_lake_equals_source()


def test_a_new_column_is_left_out_and_told_and_once_the_contract_states_it_every_row_comes_again(
    world: World,
) -> None:
    world.run()
    world.sql("ALTER TABLE department ADD floor integer NOT NULL DEFAULT 3")
    lines = world.run()
    assert world.commits.latest_sequence() == 1
    (warning,) = [line for line in lines if line["event"] == "capture.extra_columns"]
    assert (warning["table"], warning["columns"]) == ("department", ["floor"])
    first, second = world.heartbeats()
    assert first["unstated_columns"] is None
    assert json.loads(second["unstated_columns"]) == {"department": ["floor"]}
    world.publish("department", new_column("floor", "integer"))
    world.run()
    assert {row["floor"] for row in world.rows("department", 2)} == {3}
    assert world.operations(2) == {"department": [("update", number) for number in (1, 2, 3, 4)]}
    assert {row.get("floor") for row in world.rows("department", 1)} == {None}
    world.assert_lake_equals_source()
    assert world.heartbeats()[-1]["unstated_columns"] is None


def test_a_heartbeat_and_a_metric_name_the_tables_that_are_held(world: World) -> None:
    world.sql("ALTER TABLE department RENAME manager TO boss")
    run_held(world, "department")
    (beat,) = world.heartbeats()
    assert json.loads(beat["held_tables"]) == ["department"]
    lines = [line for line in map(json.loads, world.output.splitlines()) if line["event"] == "metric"]
    (metric,) = [line for line in lines if "rows_set_aside" in line]
    assert (metric["table"], metric["rows_set_aside"]) == ("department", 4)


def test_a_capture_says_in_log_and_commit_which_schemas_it_used(world: World) -> None:
    world.publish("department", lambda stated: {**stated, "version": "1.0.1"})
    world.publish("department", lambda stated: {**stated, "version": "1.0.2"})
    lines = world.run()
    (read,) = [line for line in lines if line["event"] == "schemas.read"]
    assert read["versions"] == world.latest().state["schemas"]
    assert read["registry"] == world.given.schema_registry
    assert world.latest().state["schemas"]["department"] == {"contract": "1.0.2", "version": 2}
    assert world.latest().state["schemas"]["staff"] == {"contract": "1.0.0", "version": 1}


def test_without_the_registry_nothing_is_moved(world: World) -> None:
    world.run()
    before = world.keys()
    world.sql(OTHER_CHANGE)
    with pytest.raises(RegistryUnreadable, match="cannot be read from the registry nowhere"):
        world.run(schema_registry="nowhere")
    assert world.keys() == before
    world.run()
    assert world.operations(2) == {"address": [("update", 2)]}
