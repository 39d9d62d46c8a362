"""As of when what is loaded shows the source: never later than it does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.freshness import data_as_of, newest_look
from glue_jobs.lake.layout import utc_now
from tests import lake as lakes
from tests.looks import commit_capture, look

ONE, ANOTHER, OTHER, *_ = sorted(load_catalogue().raw)
TABLES = frozenset({ONE, ANOTHER})


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeClients]:
    with lakes.lake(tmp_path, monkeypatch) as made:
        yield made.clients


@pytest.fixture
def now() -> dt.datetime:
    return utc_now()


def minutes(number: float) -> dt.timedelta:
    return dt.timedelta(minutes=number)


def known(lake: LakeClients, loaded: int, now: dt.datetime) -> dt.datetime | None:
    return data_as_of(lake, load_catalogue(), loaded, TABLES, now)


def test_before_the_first_load_nothing_is_known(lake: LakeClients, now: dt.datetime) -> None:
    assert known(lake, 0, now) is None
    commit_capture(lake, now)
    assert known(lake, 0, now) is None


def test_without_a_look_the_capture_itself_is_what_was_seen(lake: LakeClients, now: dt.datetime) -> None:
    batch = commit_capture(lake, now - minutes(9))
    assert known(lake, batch, now) == now - minutes(9)


def test_after_idle_days_the_newest_look_counts_whatever_it_found(
    lake: LakeClients, now: dt.datetime
) -> None:
    batch = commit_capture(lake, now - dt.timedelta(days=3))
    for back in (30, 20, 10):
        look(lake, load_catalogue(), now - minutes(back), batch)
    assert known(lake, batch, now) == now - minutes(10)


def test_where_a_batch_waits_the_last_look_before_it_counts(lake: LakeClients, now: dt.datetime) -> None:
    loaded = commit_capture(lake, now - minutes(60))
    look(lake, load_catalogue(), now - minutes(60), loaded)
    look(lake, load_catalogue(), now - minutes(50), loaded)
    waiting = commit_capture(lake, now - minutes(40))
    look(lake, load_catalogue(), now - minutes(40), waiting)
    look(lake, load_catalogue(), now - minutes(30), waiting)
    assert known(lake, loaded, now) == now - minutes(50)
    assert known(lake, waiting, now) == now - minutes(30)


def test_a_paused_table_is_known_as_of_the_look_before(lake: LakeClients, now: dt.datetime) -> None:
    batch = commit_capture(lake, now - minutes(60))
    look(lake, load_catalogue(), now - minutes(60), batch)
    look(lake, load_catalogue(), now - minutes(50), batch)
    paused = commit_capture(lake, now, paused=[ONE])
    look(lake, load_catalogue(), now, paused, paused=[ONE])
    assert known(lake, paused, now + minutes(10)) == now - minutes(50)


def test_a_table_that_is_paused_since_the_first_capture_is_not_known(
    lake: LakeClients, now: dt.datetime
) -> None:
    batch = commit_capture(lake, now, paused=[ONE])
    look(lake, load_catalogue(), now, batch, paused=[ONE])
    assert known(lake, batch, now) is None


def test_another_table_that_is_paused_changes_nothing(lake: LakeClients, now: dt.datetime) -> None:
    batch = commit_capture(lake, now, paused=[OTHER])
    look(lake, load_catalogue(), now, batch, paused=[OTHER])
    assert known(lake, batch, now + minutes(1)) == now


def test_a_look_of_yesterday_evening_is_found_after_midnight(lake: LakeClients, now: dt.datetime) -> None:
    batch = commit_capture(lake, now - dt.timedelta(days=1))
    look(lake, load_catalogue(), now, batch)
    tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(0, 5))
    assert known(lake, batch, tomorrow) == now


def test_the_newest_look_is_found_however_long_ago_it_was(lake: LakeClients, now: dt.datetime) -> None:
    assert newest_look(lake, load_catalogue()) is None
    for back in (9, 400, 3):
        look(lake, load_catalogue(), now - dt.timedelta(days=back), last_batch=back)
    found = newest_look(lake, load_catalogue())
    assert found is not None
    assert (found.captured_at, found.last_batch) == (now - dt.timedelta(days=3), 3)
    # Of two within a second, of which a listing states the same time.
    for part in (7, 8, 1):
        look(lake, load_catalogue(), now + dt.timedelta(milliseconds=part), last_batch=part, paused=[ONE])
    found = newest_look(lake, load_catalogue())
    assert found is not None
    assert (found.last_batch, found.paused) == (8, frozenset({ONE}))
