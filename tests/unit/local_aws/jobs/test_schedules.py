"""Ticks of schedules, as AWS documents them."""

from __future__ import annotations

import datetime as dt

import pytest

from catalog.pipeline import load_pipeline
from local_aws.jobs.schedules import ScheduleError, ticks_of


def moment(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}+00:00").timestamp()


def next_ticks(expression: str, now: str, count: int) -> list[str]:
    schedule, at, found = ticks_of(expression), moment(now), []
    for _ in range(count):
        at = schedule.after(at)
        found.append(dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "ticks"),
    [
        ("rate(1 minute)", ["2026-11-30 11:58", "2026-11-30 11:59", "2026-11-30 12:00"]),
        ("rate(2 hours)", ["2026-11-30 12:00", "2026-11-30 14:00", "2026-11-30 16:00"]),
        ("rate(1 day)", ["2026-12-01 00:00", "2026-12-02 00:00", "2026-12-03 00:00"]),
        ("cron(0/5 * * * ? *)", ["2026-11-30 12:00", "2026-11-30 12:05", "2026-11-30 12:10"]),
        ("cron(20 * * * ? *)", ["2026-11-30 12:20", "2026-11-30 13:20", "2026-11-30 14:20"]),
        ("cron(57 11 * * ? *)", ["2026-12-01 11:57", "2026-12-02 11:57", "2026-12-03 11:57"]),
        ("cron(30 3 ? * * *)", ["2026-12-01 03:30", "2026-12-02 03:30", "2026-12-03 03:30"]),
        # The examples of AWS: weeks begin with Sunday, which is 1.
        ("cron(0 18 ? * MON-FRI *)", ["2026-11-30 18:00", "2026-12-01 18:00", "2026-12-02 18:00"]),
        ("cron(0 18 ? * 1,7 *)", ["2026-12-05 18:00", "2026-12-06 18:00", "2026-12-12 18:00"]),
        ("cron(0 8 1 * ? *)", ["2026-12-01 08:00", "2027-01-01 08:00", "2027-02-01 08:00"]),
        ("cron(0/10 8-17/9 ? * 2-6/4 *)", ["2026-11-30 17:00", "2026-11-30 17:10", "2026-11-30 17:20"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("cron(0 0 1 1 ? 2028-2199/10)", ["2028-01-01 00:00", "2038-01-01 00:00", "2048-01-01 00:00"]),
    ],
)
def test_ticks_are_those_of_aws(expression: str, ticks: list[str]) -> None:
    assert next_ticks(expression, "2026-11-30 11:57:30", 3) == ticks


def test_a_tick_comes_once() -> None:
    assert next_ticks("cron(15 12 * * ? *)", "2026-11-30 12:15", 1) == ["2026-12-01 12:15"]
    assert next_ticks("cron(15 12 * * ? *)", "2026-11-30 12:14:59", 1) == ["2026-11-30 12:15"]


@pytest.mark.parametrize("expression", ["cron(0 0 30 2 ? *)", "cron(0 0 1 1 ? 1999)"])
def test_a_day_that_never_comes_has_no_tick(expression: str) -> None:
    assert ticks_of(expression).after(moment("2026-11-30 12:00")) == float("inf")


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "neither rate"),
        ("cron(0 12 * * ?)", "of six fields"),
        ("rate(0.5 hours)", "neither rate"),
        ("at(2026-12-01T12:00:00)", "neither rate"),
        ("cron(60 3 * * ? *)", "60 is not within 0 and 59"),
        ("cron(0 24 * * ? *)", "24 is not within 0 and 23"),
        ("cron(0 12 ? * FRI-MON *)", "FRI-MON is not within 1 and 7"),
        ("cron(0 12 * * * *)", r"either the day of the month or that of the week is \?"),
        ("cron(0 12 ? * ? *)", r"either the day of the month or that of the week is \?"),
        ("cron(0 12 L * ? *)", "L is not within"),
        ("cron(0 12 ? * 6#3 *)", "6#3 is not understood"),
        ("cron(0/0 * * * ? *)", "0/0 is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(expression: str, complaint: str) -> None:
    with pytest.raises(ScheduleError, match=complaint):
        ticks_of(expression)


def test_every_ticks_of_the_pipeline_is_one_that_the_laptop_fires() -> None:
    stated = {one.expression: one.time_zone for one in load_pipeline().schedules.values()}
    assert stated["cron(0/10 * * * ? *)"] == "UTC"
    assert "Europe/London" in stated.values()
    assert all(ticks_of(expression, zone) for expression, zone in stated.items())


@pytest.mark.parametrize(
    ("expression", "now", "ticks"),
    [
        # An hour earlier by UTC from the last Sunday of March on.
        ("cron(30 3 * * ? *)", "2026-03-28 00:00", ["03-28 03:30", "03-29 02:30", "03-30 02:30"]),
        ("cron(30 3 * * ? *)", "2026-10-24 00:00", ["10-24 02:30", "10-25 03:30", "10-26 03:30"]),
        # The clock of London shows no 01:30 on that day, and shows it twice in October.
        ("cron(30 1 * * ? *)", "2026-03-28 00:00", ["03-28 01:30", "03-30 00:30", "03-31 00:30"]),
        ("cron(30 1 * * ? *)", "2026-10-24 12:00", ["10-25 00:30", "10-26 01:30", "10-27 01:30"]),
        # Days and months are those of the place.
        ("cron(15 0 1 * ? *)", "2026-06-30 22:00", ["06-30 23:15", "07-31 23:15", "08-31 23:15"]),
    ],
)
def test_a_schedule_goes_by_the_clock_of_its_place(expression: str, now: str, ticks: list[str]) -> None:
    schedule, at, found = ticks_of(expression, "Europe/London"), moment(now), []
    for _ in ticks:
        at = schedule.after(at)
        found.append(dt.datetime.fromtimestamp(at, dt.UTC).strftime("%m-%d %H:%M"))
    assert found == ticks


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", ""])
def test_a_place_that_is_nowhere_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError, match="there is no time zone"):
        ticks_of("rate(1 hour)", zone)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("rate(5 minutes)", "12:00:07"),
        ("cron(0/10 * * * ? *)", "12:00:07"),
        ("cron(20 * * * ? *)", "12:20:00"),
        ("cron(0/10 14 * * ? *)", "14:00:00"),
    ],
)
def test_what_fires_often_fires_at_once_and_the_rest_at_its_time(expression: str, first: str) -> None:
    now = moment("2026-11-30 12:00:07")
    assert ticks_of(expression).first(now) == moment(f"2026-11-30 {first}")
