"""A provider of exchange rates that says what a test wants, in the European Central Bank's form."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from catalog.catalogue import load_catalogue
from catalog.pipeline import Pipeline, load_pipeline
from glue_jobs.sources.rates_run import RatesArguments, run
from glue_jobs.sources.web import WebAnswer
from tests.lake import Lake

HEAD = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS,UNIT_MULT"
WORKFLOW = "transform"


def line(currency: str, of: str, units: str) -> str:
    return f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A,{of},{units},A,0"


def body(*lines: str) -> bytes:
    return "\r\n".join([HEAD, *lines, ""]).encode()


@dataclasses.dataclass
class Provider:
    """What is published, by currency and day; what was asked; and an answer that is given in place of it."""

    published: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    asked: list[str] = dataclasses.field(default_factory=list)
    instead: WebAnswer | None = None

    def __call__(self, url: str, accepted: Sequence[str]) -> WebAnswer:
        self.asked.append(url)
        if self.instead is not None:
            return self.instead
        parts = urlsplit(url)
        days = parse_qs(parts.query)
        currencies = parts.path.rpartition("/")[2].split(".")[1].split("+")
        lines = [
            line(currency, of, units)
            for (currency, of), units in sorted(self.published.items())
            if currency in currencies and days["startPeriod"][0] <= of <= days["endPeriod"][0]
        ]
        return WebAnswer(body(*lines) if lines else b"", accepted[0])


def fetch(lake: Lake, provider: Provider, now: str, pipeline: Pipeline | None = None, **given: str) -> int:
    """Run the job at a time, of the project's own pipeline unless another is given."""
    arguments = RatesArguments(
        lake.buckets["ingestion"], lake.buckets["processed"], lake.registry.name, WORKFLOW, **given
    )
    moment = dt.datetime.fromisoformat(now)
    stated = pipeline or load_pipeline()
    return run(arguments, lake.clients, load_catalogue(), stated, moment, provider)


def begin(lake: Lake, *currencies: str) -> None:
    """A lake whose dimension knows currencies."""
    rows = [
        {"currency_id": number, "currency_code": code, "created_at": STARTED, "last_updated": STARTED}
        for number, code in enumerate(currencies, start=1)
    ]
    lake.capture({"currency": rows})
    lake.transform()


STARTED = dt.datetime(2022, 11, 3)  # noqa: DTZ001 - the lake's times have no zone
