"""The capture's SQL: identifiers quoted, windows right across a turn of the counter."""

from __future__ import annotations

from glue_jobs.sources import capture_query as query
from glue_jobs.sources.capture_query import Blocks, TableLocation, Window

ALONE, PARTED = TableLocation("public", "t", (7,)), TableLocation("public", "t", (8, 9), alone=False)


def test_a_name_cannot_end_its_quotes() -> None:
    evil = 'x"; DROP TABLE staff; --'
    statement = query.read_rows(TableLocation(evil, evil), [(evil, True)], Window(None, 10))
    assert statement.count('"x""; DROP TABLE staff; --"') == 4
    assert '"x"' not in statement.replace('"x""', "")


def test_a_full_capture_looks_at_no_transaction_id() -> None:
    assert Window(None, 10).condition == "true"


def test_rows_are_read_with_their_own_transaction_id_and_enumerations_as_text() -> None:
    statement = query.read_rows(ALONE, [("a", False), ("b", True)], Window(7, 10))
    assert statement == (
        'SELECT "a", "b"::text AS "b", xmin FROM ONLY "public"."t"'
        " WHERE 10 - ((10 - xmin::text::bigint) & 4294967295) >= 7"
    )


def test_whole_rows_are_asked_for_by_names_that_cannot_end_their_quotes() -> None:
    evil = 'x"; DROP TABLE staff; --'
    statement = query.read_whole_rows(TableLocation(evil, evil), [(evil, True)], Window(None, 10))
    assert statement.count('"x""; DROP TABLE staff; --"') == 3
    assert query.read_whole_rows(ALONE, (), Window(7, 10)) == (
        'SELECT row_to_json(r.*)::text, NULL::text, ctid, xmin FROM ONLY "public"."t" AS r'
        " WHERE 10 - ((10 - xmin::text::bigint) & 4294967295) >= 7"
    )


def test_a_table_of_parts_is_read_through_its_parent_and_no_other_part_with_it() -> None:
    window = Window(7, 10, leaves=(9,))
    assert query.read_keys(PARTED, [("k", False)]) == (
        'SELECT "k" FROM "public"."t" WHERE tableoid = ANY(\'{8,9}\'::oid[])'
    )
    assert query.read_rows(PARTED, [("a", False)], window) == (
        'SELECT "a", xmin FROM "public"."t" WHERE'
        " (10 - ((10 - xmin::text::bigint) & 4294967295) >= 7 OR tableoid = ANY('{9}'::oid[]))"
        " AND tableoid = ANY('{8,9}'::oid[])"
    )
    assert "GROUP BY 1" in query.count_rows(PARTED, window, {})


def test_a_cell_above_its_limit_stays_where_it_is_and_its_length_comes() -> None:
    statement = query.read_rows(ALONE, [("a", False), ("b", False)], Window(None, 10), limits={"b": 5})
    assert statement == (
        'SELECT "a", CASE WHEN octet_length("b"::text) > 5 THEN NULL ELSE "b" END AS "b",'
        ' CASE WHEN octet_length("b"::text) > 5 THEN octet_length("b"::text)::bigint END, xmin'
        ' FROM ONLY "public"."t" WHERE true'
    )


def test_block_ranges_cover_every_block_once() -> None:
    assert query.split_ranges(101, 2) == [Blocks(0, 50), Blocks(50, None)]
    assert Blocks(0, 50).condition == "ctid >= '(0,0)' AND ctid < '(50,0)'"
    assert Blocks(50, None).condition == "ctid >= '(50,0)'"
