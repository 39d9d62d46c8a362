"""The star schema as a drawing."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

from catalog.catalogue import load_catalogue
from lakehouse.console.diagram import diagram

STAR = load_catalogue().star


def test_every_table_has_a_box_that_leads_to_it_and_every_reference_a_line() -> None:
    drawn = ET.fromstring(diagram(STAR))  # noqa: S314 - our own drawing
    wanted = [one for one in STAR.values() if one.kind in ("fact", "dimension", "calendar")]
    assert sorted(link.get("href", "") for link in drawn.iter("a")) == sorted(
        f"/catalog/star/{one.table}" for one in wanted
    )
    lines = [title.text for title in drawn.iter("title")]
    assert len(lines) == sum(len(one.references) for one in wanted if one.kind == "fact")
    assert "fact_payment.currency_id → dim_currency" in lines


def test_boxes_of_a_side_do_not_touch() -> None:
    drawn = ET.fromstring(diagram(STAR))  # noqa: S314 - our own drawing
    boxes = [(int(b.get("x", 0)), int(b.get("y", 0)), int(b.get("height", 0))) for b in drawn.iter("rect")]
    for side in {x for x, *_ in boxes}:
        stacked = sorted((y, y + height) for x, y, height in boxes if x == side)
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(stacked))


def test_it_says_in_words_what_it_shows() -> None:
    label = ET.fromstring(diagram(STAR)).get("aria-label")  # noqa: S314 - our own drawing
    assert label is not None
    assert "fact_payment refers to dim_counterparty" in label
