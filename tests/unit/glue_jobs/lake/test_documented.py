"""The sites are built again when something was committed since, and hourly at most."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from glue_jobs.lake.documented import EVERY, Documented
from glue_jobs.lake.layout import iso

NOW = datetime.fromisoformat("2024-11-15T12:00:00")
DONE = {"validate": 3, "dimensions": 2, "facts": 3, "load": 3}


def asked(ago: timedelta) -> Documented:
    return Documented(4, iso(NOW - ago), DONE)


@pytest.mark.parametrize(
    ("ago", "commits", "behind"),
    [
        (EVERY, {**DONE, "validate": 4}, True),
        (EVERY * 30, {**DONE, "load": 4}, True),
        (EVERY - timedelta(seconds=1), {**DONE, "validate": 4}, False),
        (EVERY * 30, DONE, False),
    ],
)
def test_sites_are_behind_where_something_was_committed_and_an_hour_has_passed(
    ago: timedelta, commits: dict[str, int], behind: bool
) -> None:
    assert asked(ago).is_behind(commits, NOW) is behind


def test_a_lake_that_has_just_begun_is_noted() -> None:
    assert Documented().is_behind(DONE, NOW)
