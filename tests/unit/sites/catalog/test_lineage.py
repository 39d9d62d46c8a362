"""The lineage of a table: exactly what it is made of and what is made of it, drawn and in words."""

from __future__ import annotations

import re
from html import unescape

import pytest

from catalog.catalogue import load_catalogue
from sites.catalog import lineage
from sites.catalog.lineage import Edge, Node

KNOWN = lineage.edges(load_catalogue())

STAFF = {
    "source.staff",
    "source.department",
    "shop_raw.staff",
    "shop_raw.department",
    "shop_star.dim_staff",
    "shop_star.dim_staff_current",
    "warehouse.dim_staff",
}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Node("shop_star", "dim_staff"), STAFF),
        (
            Node("shop_raw", "department"),
            {
                "source.department",
                "shop_raw.department",
                "shop_dead_letter.department",
                "shop_star.dim_staff",
                "shop_star.dim_staff_current",
                "warehouse.dim_staff",
                "shop_star.unresolved_dead_letters",
                "warehouse.unresolved_dead_letters",
            },
        ),
        (
            Node("shop_star", "fact_payment_history"),
            {
                "source.payment",
                "shop_raw.payment",
                "shop_star.fact_payment",
                "shop_star.fact_payment_history",
            },
        ),
        (Node("shop_star", "dim_date"), {"the calendar", "shop_star.dim_date", "warehouse.dim_date"}),
        (Node("shop_ops", "heartbeats"), {"the pipeline", "shop_ops.heartbeats"}),
        (
            Node("shop_dead_letter", "held_rows"),
            {f"source.{name}" for name in load_catalogue().raw} | {"shop_dead_letter.held_rows"},
        ),
    ],
    # A set is written in another order by each process, and workers must agree on names.
    ids=lambda value: str(value) if isinstance(value, Node) else "all of them",
)
def test_a_lineage_has_exactly_what_a_table_comes_from_and_what_comes_of_it(
    node: Node, expected: set[str]
) -> None:
    assert {str(found) for found in lineage.nodes(lineage.through(KNOWN, node))} == expected


def test_every_table_of_the_catalogue_has_a_lineage() -> None:
    drawn = set(lineage.nodes(KNOWN))
    assert {Node(one.zone_info.database, one.table) for one in load_catalogue().contracts} <= drawn


def test_the_drawing_has_a_box_for_each_table_and_a_line_for_each_edge_and_says_so_in_words() -> None:
    here = Node("shop_star", "dim_staff")
    drawn = lineage.through(KNOWN, here)
    svg = lineage.drawing(drawn, here, lambda node: f"{node.name}.html" if node.place == "shop_raw" else None)
    assert svg.count("<rect") == len(STAFF)
    assert svg.count("<path") == len(drawn) == 6
    assert set(re.findall(r'href="(\S+)"', svg)) == {"staff.html", "department.html"}
    assert svg.count('class="node current"') == 1
    (words,) = re.findall(r'aria-label="([^"]+)"', svg)
    assert "shop_raw.staff feeds shop_star.dim_staff (dimensions)" in words
    assert all(table in words for table in STAFF)


def test_nothing_in_a_drawing_overlaps_and_all_of_it_is_inside() -> None:
    for node in lineage.nodes(KNOWN):
        svg = lineage.drawing(lineage.through(KNOWN, node), node, lambda _: None)
        (size,) = re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)
        wide, high = map(int, size)
        boxes = [
            tuple(map(int, box))
            for box in re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', svg)
        ]
        for x, y, width, height in boxes:
            assert x + width <= wide
            assert y + height <= high
            others = [(a, b, c, d) for a, b, c, d in boxes if (a, b) != (x, y)]
            assert not [
                1 for a, b, c, d in others if a < x + width and x < a + c and b < y + height and y < b + d
            ]
        assert len(set(boxes)) == len(boxes)


def test_names_are_words_and_no_markup_in_a_drawing() -> None:
    hostile = Node("<script>", '"><b>')
    svg = lineage.drawing((Edge(Node("a", "b"), hostile, "<i>"),), hostile, lambda node: f'{node.name}"x')
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert 'href="b&quot;x"' in svg
    assert '<script>."><b>' in unescape(svg)
