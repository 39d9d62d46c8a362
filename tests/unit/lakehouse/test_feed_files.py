"""Names that others chose are shown without what they could do to a terminal."""

from __future__ import annotations

import pytest

from lakehouse.feed_files import shown


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("outgoing/a b+c%2Fé 'x' \\.json", "outgoing/a b+c%2Fé 'x' \\.json"),
        ("a\nb", r"'a\nb'"),
        ("a\x1b[2Jb", r"'a\x1b[2Jb'"),
        ("a\u202eb", r"'a\u202eb'"),
    ],
)
def test_a_name_of_others_is_one_line_of_a_terminal(name: str, line: str) -> None:
    assert shown(name) == line
