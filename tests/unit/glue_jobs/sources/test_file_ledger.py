"""What the ledger of a feed of files says of each of them."""

from __future__ import annotations

import datetime as dt

import pytest

from glue_jobs.sources.file_ledger import (
    GONE,
    READ,
    REPEATED,
    UNREADABLE,
    WAITING,
    Entry,
    Ledger,
    Version,
    changed,
    from_table,
    to_table,
    vanished,
)

NOON = dt.datetime.fromisoformat("2026-11-30T12:00:00")


def version(etag: str, hours: int = 0) -> Version:
    return Version(etag, 10, NOON + dt.timedelta(hours=hours))


def ledger(*entries: tuple[str, str, str]) -> Ledger:
    """Entries by file, content and outcome."""
    found = Ledger()
    for key, content, outcome in entries:
        found.add(Entry(key, version(content), content, outcome))
    return found


def test_what_is_kept_is_what_was_said() -> None:
    said = Ledger()
    said.add(
        Entry("a", version("x"), "x", READ, batch=3, at=NOON, upto=7, rows=5, bad=(2, 6), columns=("k",))
    )
    said.add(Entry("a", version("x"), "x", READ, after=7, reread=True), 0)
    said.add(Entry(None, None, "y", UNREADABLE, "it is empty"))
    assert from_table(to_table(said.entries)) == said
    assert from_table(None) == Ledger()
    assert [entry.position for entry in said.entries] == [0, 0, 2]


def test_every_file_that_is_new_or_another_is_found_in_the_order_of_writing() -> None:
    known = ledger(("a", "1", READ), ("b", "1", UNREADABLE), ("c", "1", GONE), ("d", "1", READ))
    listed = {
        "a": version("1"),
        "b": version("2"),
        "c": version("1"),
        "z": version("9", -1),
        # Written again as it is: S3 gives it another time.
        "d": version("1", 1),
    }
    assert [key for key, _ in changed(known, listed)] == ["z", "b", "c", "d"]
    assert vanished(known, ["b"]) == ["a", "d"]


@pytest.mark.parametrize(
    ("before", "key", "content", "repeated"),
    [
        ([], "a", "1", False),
        ([("a", "1", READ)], "a", "1", True),
        ([("a", "1", READ)], "b", "1", True),
        ([("a", "1", READ)], None, "1", True),
        ([("a", "1", UNREADABLE)], "b", "1", False),
        ([("a", "1", WAITING)], "b", "1", False),
        # It was overwritten, and is taken back.
        ([("a", "1", READ), ("a", "2", READ)], "a", "1", False),
        ([("a", "1", READ), ("a", "2", UNREADABLE)], "a", "1", False),
        ([("b", "1", READ), ("a", "1", REPEATED), ("a", "2", READ)], "a", "1", False),
        # It gets what another file holds.
        ([("a", "1", READ), ("b", "2", READ)], "b", "1", True),
    ],
)
def test_a_content_is_read_once_but_where_it_is_taken_back(
    before: list[tuple[str, str, str]], key: str | None, content: str, repeated: bool
) -> None:
    assert ledger(*before).is_repeated(key, content) == repeated


def test_a_file_of_which_a_part_is_published_is_unfinished_until_something_is_said_of_the_rest() -> None:
    said = ledger(("a", "1", READ))
    assert [said.unfinished] == [None]
    said.add(Entry("b", version("2"), "2", READ, upto=5))
    assert said.unfinished == said.entries[-1]
    said.add(Entry("b", version("2"), "2", UNREADABLE, after=5), said.entries[-1].position)
    assert [said.unfinished] == [None]


def test_what_waits_does_so_in_order_until_something_else_is_said_of_it() -> None:
    said = ledger(("a", "1", WAITING), ("b", "2", WAITING), ("a", "3", WAITING))
    assert [entry.sha256 for entry in said.waiting] == ["1", "2", "3"]
    said.add(Entry("a", version("1"), "1", READ), 0)
    assert [entry.sha256 for entry in said.waiting] == ["2", "3"]
