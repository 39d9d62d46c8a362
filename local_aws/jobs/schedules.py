"""When a schedule fires: what EventBridge Scheduler means by ``rate(…)`` and ``cron(…)``, by a place's clock.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html: a time that the clocks skip in
spring is skipped, and one that comes twice in autumn is a tick once.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATE = re.compile(r"^rate\((\d+) (minute|hour|day)s?\)$")
_CRON = re.compile(r"^cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)$")
_SECONDS = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (1, 7, _DAYS), (1970, 2199, ()))
"""Of minute, hour, day of the month, month, day of the week, year: least, most, names from the least on."""
_PART = re.compile(r"^(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?$")
_LONGEST_DAYS = 366 * 28
"""In which every day of the calendar has been each day of the week."""


class ScheduleError(ValueError):
    """What a schedule states that is not understood."""


@dataclass(frozen=True)
class Rate:
    """Ticks at even steps of so many seconds."""

    every: float

    def after(self, now: float) -> float:
        """The next tick, in seconds since the epoch."""
        return (now // self.every + 1) * self.every

    def first(self, now: float) -> float:
        """The first tick of a stack that starts now: at once, unless ticks are days apart."""
        return self.after(now) if self.every >= _SECONDS["day"] else now


@dataclass(frozen=True)
class Cron:
    """Ticks at the minutes that every field allows, in the order in which AWS states the fields.

    Attributes:
        fields: By field, the values that it allows.
        zone: Whose clock it goes by.
    """

    fields: tuple[frozenset[int], ...]
    zone: dt.tzinfo = dt.UTC

    def after(self, now: float) -> float:
        """The next tick, in seconds since the epoch; infinity where none comes."""
        minutes, hours = self.fields[:2]
        began = now // 60 * 60 + 60
        today = dt.datetime.fromtimestamp(began, self.zone).date()
        for days in range(_LONGEST_DAYS):
            day = today + dt.timedelta(days)
            if not self._allows(day):
                continue
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    tick = dt.datetime.combine(day, dt.time(hour, minute), self.zone).timestamp()
                    if tick >= began and self._shows(tick, hour, minute):
                        return tick
        return float("inf")

    def first(self, now: float) -> float:
        """The first tick of a stack that starts now: at once, if an hour has several, and every hour."""
        often = len(self.fields[0]) > 1 and len(self.fields[1]) == 24
        return now if often else self.after(now)

    def _shows(self, tick: float, hour: int, minute: int) -> bool:
        """Whether the clock shows that time then: one that it skips is another moment's."""
        shown = dt.datetime.fromtimestamp(tick, self.zone)
        return (shown.hour, shown.minute) == (hour, minute)

    def _allows(self, day: dt.date) -> bool:
        stated = (day.day, day.month, day.isoweekday() % 7 + 1, day.year)
        return all(value in allowed for value, allowed in zip(stated, self.fields[2:], strict=True))


Ticks = Rate | Cron


def ticks_of(expression: str, time_zone: str = "UTC") -> Ticks:
    """The ticks of a schedule.

    Args:
        expression: ``cron(…)`` or ``rate(…)``.
        time_zone: Whose clock it goes by, as IANA names it.

    Raises:
        ScheduleError: It is none of AWS's, is for once (``at(…)``), states ``L``, ``W`` or ``#``, which are
            not understood here, or names no time zone.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ScheduleError(f"there is no time zone {time_zone}") from error
    if found := _RATE.match(expression):
        return Rate(int(found[1]) * _SECONDS[found[2]])
    if found := _CRON.match(expression):
        if (found[3] == "?") == (found[5] == "?"):
            raise ScheduleError(f"{expression}: either the day of the month or that of the week is ?")
        fields = zip(found.groups(), _FIELDS, strict=True)
        return Cron(tuple(_allowed(text, *field, expression) for text, field in fields), zone)
    raise ScheduleError(f"{expression!r} is neither rate(…) nor cron(…) of six fields")


def _allowed(text: str, least: int, most: int, names: tuple[str, ...], expression: str) -> frozenset[int]:
    """The values that a field of a cron allows."""
    allowed: set[int] = set()
    for part in text.replace("?", "*").split(","):
        found = _PART.match(part)
        step = int(found[4] or 1) if found else 0
        if found is None or not step:
            raise ScheduleError(f"{expression}: {part} is not understood")
        first = least if found[1] else _number(found[2], least, names)
        last = first if found[2] and not found[3] and not found[4] else most
        last = _number(found[3], least, names) if found[3] else last
        if not least <= first <= last <= most:
            raise ScheduleError(f"{expression}: {part} is not within {least} and {most}")
        allowed |= set(range(first, last + 1, step))
    return frozenset(allowed)


def _number(word: str, least: int, names: tuple[str, ...]) -> int:
    if word.upper() in names:
        return least + names.index(word.upper())
    return int(word) if word.isdecimal() else -1
