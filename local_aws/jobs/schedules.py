"""When a scheduled trigger fires: what AWS means by ``rate(…)`` and ``cron(…)``, UTC."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

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
    """Ticks at the minutes that every field allows, in the order in which AWS states the fields."""

    fields: tuple[frozenset[int], ...]

    def after(self, now: float) -> float:
        """The next tick, in seconds since the epoch; infinity where none comes."""
        minutes, hours = self.fields[:2]
        began = dt.datetime.fromtimestamp(now // 60 * 60 + 60, dt.UTC)
        for days in range(_LONGEST_DAYS):
            day = began.date() + dt.timedelta(days)
            if not self._allows(day):
                continue
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    tick = dt.datetime.combine(day, dt.time(hour, minute), dt.UTC)
                    if tick >= began:
                        return tick.timestamp()
        return float("inf")

    def first(self, now: float) -> float:
        """The first tick of a stack that starts now: at once, if an hour has several, and every hour."""
        often = len(self.fields[0]) > 1 and len(self.fields[1]) == 24
        return now if often else self.after(now)

    def _allows(self, day: dt.date) -> bool:
        stated = (day.day, day.month, day.isoweekday() % 7 + 1, day.year)
        return all(value in allowed for value, allowed in zip(stated, self.fields[2:], strict=True))


Schedule = Rate | Cron


def schedule_of(expression: str) -> Schedule:
    """The ticks of a trigger's schedule.

    Raises:
        ScheduleError: It is none of AWS's, or states ``L``, ``W`` or ``#``, which are not understood here.
    """
    if found := _RATE.match(expression):
        return Rate(int(found[1]) * _SECONDS[found[2]])
    if found := _CRON.match(expression):
        if (found[3] == "?") == (found[5] == "?"):
            raise ScheduleError(f"{expression}: either the day of the month or that of the week is ?")
        fields = zip(found.groups(), _FIELDS, strict=True)
        return Cron(tuple(_allowed(text, *field, expression) for text, field in fields))
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
