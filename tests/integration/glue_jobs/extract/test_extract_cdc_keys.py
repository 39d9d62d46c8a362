"""Tables whose key is no whole number, and columns of types that have no name of their own."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from glue_jobs.sources.capture_run import TablesPaused
from tests.integration.glue_jobs.extract.conftest import Row, World

WIDE = "123456789012345678901234567890123456789.5"
OTHER_TYPES = {
    "tag": ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "doc": ("json", """'{"b": 1,  "a": [2]}'""", '{"b": 1,  "a": [2]}'),
    "docb": ("jsonb", """'{"b": 1,  "a": [2]}'""", '{"a": [2], "b": 1}'),
    "net": ("inet", "'192.168.0.1/24'", "192.168.0.1/24"),
    "span": ("int4range", "'[1,5]'", "[1,6)"),
    "words": ("text[]", """ARRAY['a', 'b c', NULL]""", '{a,"b c",NULL}'),
    "pause": ("interval", "'1 year 2 days 03:04:05.000006'", "1 year 2 days 03:04:05.000006"),
    "body": ("bytea", "'\\x00ff'", "\\x00ff"),
    "fixed": ("char(5)", "'ab'", "ab"),
    "wide": ("numeric", f"'{WIDE}'", WIDE),
    "big": ("numeric(50,1)", f"'{WIDE}'", WIDE),
    "paid": ("boolean", "true", "true"),
    "since": ("date", "'infinity'", "infinity"),
    "seen": ("timestamp(3)", "'0044-03-15 10:00 BC'", "0044-03-15 10:00:00 BC"),
    "shut": ("time(3)", "'24:00'", "24:00:00"),
    "half": ("double precision", "0.1::real", "0.10000000149011612"),
}


def stated(name: str) -> Row:
    return {"name": name, "type": "text", "nullable": True, "description": "As the source writes it."}


def with_columns(*names: str) -> Any:
    def change(contract: Row) -> Row:
        return {**contract, "version": "1.1.0", "columns": [*contract["columns"], *map(stated, names)]}

    return change


def with_key(*key: str) -> Any:
    return lambda contract: {**contract, "version": "2.0.0", "key": key}


def test_a_column_of_any_other_type_is_captured_as_the_text_that_the_source_makes_of_it(world: World) -> None:
    added = ", ".join(f"ADD {name} {kind}" for name, (kind, _, _) in OTHER_TYPES.items())
    values = ", ".join(f"{name} = {value}" for name, (_, value, _) in OTHER_TYPES.items())
    world.sql(f"ALTER TABLE department {added}; UPDATE department SET {values} WHERE department_id = 1")
    world.publish("department", with_columns(*OTHER_TYPES))
    world.run()
    rows = {row["department_id"]: row for row in world.rows("department", 1)}
    texts = {name: text for name, (_, _, text) in OTHER_TYPES.items()}
    assert {name: rows[1][name] for name in texts} == texts
    assert {rows[2][name] for name in OTHER_TYPES} == {None}


@pytest.mark.slow
def test_a_renamed_value_is_in_every_row_where_an_array_or_a_domain_holds_it(world: World) -> None:
    world.sql(
        "CREATE TYPE mood AS ENUM ('dull', 'bright'); CREATE DOMAIN best AS mood;"
        "ALTER TABLE department ADD moods mood[] DEFAULT '{dull,bright}', ADD top best DEFAULT 'bright'"
    )
    world.publish("department", with_columns("moods", "top"))
    world.run()
    world.sql("ALTER TYPE mood RENAME VALUE 'bright' TO 'sunny'")
    world.run()
    assert [(row["moods"], row["top"]) for row in world.rows("department", 2)] == [
        ("{dull,sunny}", "sunny")
    ] * 4


DEEP = {
    "a domain of a domain": ("CREATE DOMAIN best AS mood; CREATE DOMAIN {0} AS best", "bright", "{1}"),
    "a domain of an array": ("CREATE DOMAIN {0} AS mood[]", "{{dull,bright}}", "{{dull,{1}}}"),
    "an array of a domain": ("CREATE DOMAIN {0} AS mood", "{{bright}}", "{{{1}}}"),
    "a row": ("CREATE TYPE {0} AS (n integer, m mood)", "(1,bright)", "(1,{1})"),
    "a range": ("CREATE TYPE {0} AS RANGE (subtype = mood)", "[dull,bright]", "[dull,{1}]"),
    "a multirange": (
        "CREATE TYPE {0}_r AS RANGE (subtype = mood, multirange_type_name = {0})",
        "{{[dull,bright]}}",
        "{{[dull,{1}]}}",
    ),
    "rows in rows": (
        "CREATE TYPE pair AS (n integer, m mood[]); CREATE TYPE {0} AS (p pair)",
        '("(1,{{bright}})")',
        '("(1,{{{1}}})")',
    ),
}


def test_a_renamed_value_is_in_every_row_however_deep_it_stands(world: World) -> None:
    world.sql("CREATE TYPE mood AS ENUM ('dull', 'bright')")
    shown = {}
    for number, (kind, (made, value, text)) in enumerate(DEEP.items()):
        name = f"t{number}"
        array = "[]" if kind == "an array of a domain" else ""
        world.sql(made.format(name))
        world.sql(f"ALTER TABLE department ADD c_{name} {name}{array} DEFAULT '{value.format()}'")
        shown[f"c_{name}"] = text
    world.publish("department", with_columns(*shown))
    world.run()
    world.sql("ALTER TYPE mood RENAME VALUE 'bright' TO 'sunny'")
    world.run()
    for batch, said in ((1, "bright"), (2, "sunny")):
        texts = {name: text.format("", said) for name, text in shown.items()}
        assert [{name: row[name] for name in shown} for row in world.rows("department", batch)] == [texts] * 4


def test_a_row_within_a_row_has_the_attributes_of_now(world: World) -> None:
    world.sql(
        "CREATE TYPE size AS (wide integer, high integer); CREATE DOMAIN crate AS size;"
        "ALTER TABLE department ADD room size DEFAULT '(1,2)',"
        " ADD rooms crate[] DEFAULT ARRAY['(3,4)'::crate]"
    )
    world.publish("department", with_columns("room", "rooms"))
    world.run()
    found = []
    for change in ("DROP ATTRIBUTE wide", "ADD ATTRIBUTE deep integer"):
        world.sql(f"ALTER TYPE size {change}")
        world.run()
        rows = world.rows("department", world.commits.latest_sequence())
        found.append({(row["room"], row["rooms"]) for row in rows})
    assert found == [{("(2)", "{(4)}")}, {("(2,)", '{"(4,)"}')}]


@pytest.mark.slow
def test_a_cell_that_is_printed_as_a_name_has_the_name_of_now(world: World) -> None:
    world.sql(
        "CREATE TABLE watched (id integer);"
        "ALTER TABLE department ADD of regclass DEFAULT 'watched', ADD kinds regtype[] DEFAULT '{watched}'"
    )
    world.publish("department", with_columns("of", "kinds"))
    world.run()
    with world.connect() as connection:
        connection.execute("CREATE TEMP TABLE other (id integer)")
        world.run()
    assert world.commits.latest_sequence() == 1
    world.sql("ALTER TABLE watched RENAME TO seen")
    world.run()
    found = [{(row["of"], row["kinds"]) for row in world.rows("department", batch)} for batch in (1, 2)]
    assert found == [{("public.watched", "{public.watched}")}, {("public.seen", "{public.seen}")}]


@pytest.mark.slow
def test_a_cell_with_a_name_in_it_has_the_name_of_now(world: World) -> None:
    world.sql(
        "CREATE TABLE watched (id integer); CREATE TYPE pair AS (n integer, of regclass);"
        "CREATE DOMAIN lists AS regclass[];"
        "ALTER TABLE department ADD deep pair[] DEFAULT ARRAY[(1, 'watched')::pair],"
        " ADD listed lists DEFAULT '{watched}'"
    )
    world.publish("department", with_columns("deep", "listed"))
    world.run()
    world.run()
    assert world.commits.latest_sequence() == 1
    world.sql("ALTER TABLE watched RENAME TO seen")
    world.run()
    for batch, name in ((1, "public.watched"), (2, "public.seen")):
        found = {(row["deep"], row["listed"]) for row in world.rows("department", batch)}
        assert found == {(f'{{"(1,{name})"}}', f"{{{name}}}")}


def test_a_number_without_digits_is_held_by_a_stated_precision_or_kept_as_text(world: World) -> None:
    world.sql(
        "ALTER TABLE department ADD rate numeric; UPDATE department SET rate = CASE department_id"
        " WHEN 1 THEN 12.5 WHEN 2 THEN 1.234 WHEN 3 THEN 'NaN' END"
    )
    column = {**stated("rate"), "type": "decimal(12,2)"}
    world.publish(
        "department",
        lambda contract: {**contract, "version": "1.1.0", "columns": [*contract["columns"], column]},
    )
    world.run()
    found = [(row["rate"], row["unrepresentable"]) for row in world.rows("department", 1)]
    assert found == [
        (Decimal("12.50"), None),
        (None, '{"rate": "1.234"}'),
        (None, '{"rate": "NaN"}'),
        (None, None),
    ]


def test_rows_under_a_key_of_several_columns_come_change_and_go_once(world: World) -> None:
    world.publish("design", with_key("file_name", "design_id"))
    world.run()
    first = world.latest().state["tables"]["design"]["live_keys"]
    assert (first["count"], len(first["parts"])) == (6, 1)
    world.run()
    assert world.commits.latest_sequence() == 1, "nothing had changed"
    world.sql(
        "UPDATE design SET file_location = '/opt' WHERE design_id = 2;"
        "UPDATE design SET file_name = 'a/b~' WHERE design_id = 3;"
        "DELETE FROM sales_order WHERE design_id = 4; DELETE FROM design WHERE design_id = 4"
    )
    world.run()
    found = sorted((r["operation"], r["design_id"], r["file_name"]) for r in world.rows("design", 2))
    assert found == [
        ("delete", 3, "3.json"),
        ("delete", 4, "4.json"),
        ("insert", 3, "a/b~"),
        ("update", 2, "2.json"),
    ]
    world.sql("TRUNCATE design CASCADE")
    world.run()
    assert [row["operation"] for row in world.rows("design", 3)] == ["delete"] * 5
    world.run()
    assert world.commits.latest_sequence() == 3, "nothing had changed"


def test_live_keys_that_are_texts_are_written_beside_those_that_were_there(world: World) -> None:
    world.publish("design", with_key("file_name", "design_id"))
    world.run()
    world.sql("DELETE FROM sales_order WHERE design_id = 4; DELETE FROM design WHERE design_id = 4")
    world.sql("UPDATE design SET file_name = 'a/b~' WHERE design_id = 3")
    world.run()
    kept = world.latest().state["tables"]["design"]["live_keys"]
    assert (kept["count"], [part["rows"] for part in kept["parts"]]) == (5, [6, 3])
    assert world.keys() >= {part["key"] for part in kept["parts"]}


def test_a_key_whose_kind_changes_pauses_its_table_in_words(world: World) -> None:
    world.run()
    world.publish("design", with_key("design_id", "file_name"))
    with pytest.raises(TablesPaused, match=r"The key of design is of another kind than before"):
        world.run()


def test_a_key_under_a_collation_that_is_not_deterministic_pauses_its_table_in_words(world: World) -> None:
    # As a collation of ICU can be made; not every server is built with it.
    world.sql(
        "CREATE COLLATION loose (provider = libc, locale = 'C');"
        "ALTER TABLE design ALTER file_name TYPE text COLLATE loose;"
        "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose'"
    )
    world.publish("design", with_key("design_id", "file_name"))
    with pytest.raises(TablesPaused, match=r"design, file_name, has a collation that is not deterministic"):
        world.run()


def test_a_table_and_columns_of_other_names_are_captured_under_those_of_the_contract(world: World) -> None:
    world.run()
    world.sql(
        'CREATE SCHEMA "Sales % Co"; GRANT USAGE ON SCHEMA "Sales % Co" TO PUBLIC;'
        'ALTER TABLE department SET SCHEMA "Sales % Co";'
        'ALTER TABLE "Sales % Co".department RENAME TO "Order";'
        'ALTER TABLE "Sales % Co"."Order" RENAME department_id TO "ID";'
        'ALTER TABLE "Sales % Co"."Order" RENAME department_name TO "deptName";'
        'ALTER TABLE "Sales % Co"."Order" ADD department_name integer;'
        """UPDATE "Sales % Co"."Order" SET "deptName" = 'Far too long' WHERE "ID" = 2"""
    )
    with pytest.raises(TablesPaused, match="The source has no table department in the schema public"):
        world.run()
    called: dict[str, Row] = {
        "department_id": {"source": "ID"},
        "department_name": {"source": "deptName", "max_bytes": 11},
    }
    world.publish(
        "department",
        lambda contract: {
            **contract,
            "version": "1.1.0",
            "source": {"schema": "Sales % Co", "table": "Order"},
            "columns": [{**column, **called.get(column["name"], {})} for column in contract["columns"]],
        },
    )
    world.run()
    batch = world.commits.latest_sequence()
    rows = {row["department_id"]: row for row in world.rows("department", batch)}
    assert rows[2]["department_name"] is None
    words = "12 bytes, not kept: the contract allows 11"
    assert rows[2]["unrepresentable"] == json.dumps({"department_name": words})
    world.sql('ALTER TABLE "Sales % Co"."Order" RENAME "deptName" TO "Dept"')
    world.sql("""UPDATE "Sales % Co"."Order" SET "Dept" = 'Short' WHERE "ID" = 2""")
    with pytest.raises(TablesPaused, match="The source's department has no column deptName"):
        world.run()
    (letter,) = world.letters("department", world.commits.latest_sequence())
    assert (letter["source_key"], json.loads(letter["source_row"])["Dept"]) == ("2", "Short")
