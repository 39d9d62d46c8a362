"""Pages: nothing fetched from elsewhere, nothing taken for markup, shares that do not flatter."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from expectations.awaiting_approval import BatchAwaitingApproval
from sites.validation import pages
from sites.validation.entries import Entry, Finding
from sites.validation.overview import overview

DAY = dt.date(2026, 11, 16)
MARKUP = "<script>alert('&')</script>"
BROKEN = Entry(
    "payment", 1, "2026-11-16T10:00:00.000Z", 3, 1, 1, 1, (Finding("a_rule", "reject", MARKUP, MARKUP, 1),)
)
HELD = BatchAwaitingApproval("payment", 2, 50, 40, "2026-11-16T11:00:00.000Z")


def every_page() -> dict[str, str]:
    shown = overview([DAY], {DAY: [BROKEN]}, {"payment": MARKUP}, {"payment": 1})
    return {
        "front": pages.front_page(pages.PARTS),
        "index": pages.index_page(shown, [HELD]),
        "day": pages.day_page(DAY, [BROKEN], {"payment": "SELECT 1 < 2"}),
        "batch": pages.batch_page(BROKEN, DAY, "<p>as the library says</p>", "SELECT 1 < 2"),
        "empty": pages.index_page(overview([], {}, {"payment": "somebody"}, {}), []),
    }


@pytest.mark.parametrize("name", ["front", "index", "day", "batch", "empty"])
def test_a_page_asks_nobody_for_anything_and_runs_nothing(name: str) -> None:
    page = every_page()[name]
    assert not re.search(r"(?:src|href|action|url)\s*[=(]\s*[\"']?(?:[a-z]+:)?//", page, re.IGNORECASE)
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "://" not in page + pages.stylesheet()


@pytest.mark.parametrize("name", ["index", "day", "batch"])
def test_words_are_words_and_no_markup(name: str) -> None:
    assert "&lt;script&gt;alert(&#39;&amp;&#39;)" in every_page()[name]


def test_the_index_tells_of_a_batch_that_waits_for_a_person() -> None:
    index = every_page()["index"]
    assert "Batch 2 waits for a person." in index
    assert "lakehouse release --rejected" in index
    assert "waits for a person" not in every_page()["empty"]


def test_before_the_first_batch_the_index_says_so() -> None:
    assert "No batch has been validated yet." in every_page()["empty"]


def test_dead_letters_are_asked_for_only_where_there_are_some() -> None:
    clean = Entry("payment", 1, BROKEN.judged_at, 3, 0, 0, 0, ())
    assert "SELECT 1 &lt; 2" in every_page()["batch"]
    assert "SELECT" not in pages.batch_page(clean, DAY, "", "SELECT 1")
    assert "SELECT" not in pages.day_page(DAY, [clean], {"payment": "SELECT 1"})


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "-"),
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (1, 3, "33.33 %"),
        (1, 1_000_000, "under 0.01 %"),
        (999_999, 1_000_000, "over 99.99 %"),
    ],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part: int, whole: int, words: str) -> None:
    assert pages.share(part, whole) == words


def test_a_bar_that_is_not_nothing_can_be_seen() -> None:
    assert pages.heights([0, 1, 100_000], 48) == [0.0, 1.5, 48.0]
    assert pages.heights([0, 0], 48) == [0.0, 0.0]
