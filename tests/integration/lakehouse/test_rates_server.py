"""The laptop's provider of exchange rates answers as real ones do; the job refuses what is no answer."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Iterator
from datetime import date, timedelta
from http import HTTPStatus

import pytest

from catalog.pipeline import load_pipeline
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources import web
from glue_jobs.sources.rate_forms import RATE_FORMS, Asked, check_asked, check_type
from lakehouse.daemon import _start_providers
from lakehouse.loopback import Answer
from lakehouse.rates_server import BANK_PATH, LIVE_PATH, RatesServer, moved, shipped_history
from tools.browser import serving

ECB, LIVE = RATE_FORMS["ecb"], RATE_FORMS["freeforexapi"]
MONDAY = date(2026, 11, 30)
CSV = ("text/csv",)


@pytest.fixture
def server() -> Iterator[RatesServer]:
    with RatesServer(0, moved(shipped_history(), MONDAY)) as made, serving(made):
        yield made


def get(server: RatesServer, accepted: tuple[str, ...] = CSV) -> web.WebAnswer:
    return web.get(f"{server.url}rates", accepted, pause=0.0)


def test_each_feed_of_a_job_is_told_where_its_own_provider_is_played() -> None:
    pipeline = load_pipeline()
    live = pipeline.feeds["exchange_rate"].model_copy(update={"provider": "freeforexapi"})
    feeds = {**pipeline.feeds, "live_rate": live}
    with contextlib.ExitStack() as parts:
        told = _start_providers(parts, pipeline.model_copy(update={"feeds": feeds}))["fetch_rates"]
        urls = dict(one.split("=") for one in told.split())
        asked = Asked(("GBP",), date(2024, 3, 1), date(2024, 3, 1))
        for form, name in [(ECB, "exchange_rate"), (LIVE, "live_rate")]:
            ((url, _),) = form.requests(urls[name], asked)
            assert [rate.currency for rate in form.parse(web.get(url, form.media_types).body)] == ["GBP"]


def test_the_history_ends_on_the_last_working_day_and_says_where_it_is_from() -> None:
    real = shipped_history()
    assert real.last == real.moved_from
    for day, last in [(MONDAY, date(2026, 11, 27)), (MONDAY + timedelta(2), date(2026, 12, 1))]:
        history = moved(real, day)
        assert history.last == last
        assert len(history.rates) == len(real.rates)
        assert all(one.weekday() < 5 for one in history.rates)
        assert list(history.rates.values())[-1] == list(real.rates.values())[-1]
        assert str(real.last) in history.words
    assert moved(real, real.last + timedelta(1)).rates == real.rates
    assert "moved" not in real.words


def test_currencies_that_the_bank_stopped_end_in_it() -> None:
    real = shipped_history().rates
    ends = {code: max(day for day, rates in real.items() if code in rates) for code in ("RUB", "HRK", "BGN")}
    assert ends == {"RUB": date(2022, 3, 1), "HRK": date(2022, 12, 30), "BGN": date(2025, 12, 31)}


def test_both_forms_are_answered_as_they_are_read(server: RatesServer) -> None:
    asked = Asked(("GBP", "USD"), MONDAY - timedelta(14), MONDAY)
    ((url, part),) = ECB.requests(f"{server.url.rstrip('/')}{BANK_PATH}", asked)
    answer = web.get(url, ECB.media_types)
    check_type(ECB, answer.body, answer.media_type)
    rates = ECB.parse(answer.body)
    check_asked(ECB, rates, part)
    assert len(rates) == 20
    asked = Asked(("EUR", "GBP"), MONDAY - timedelta(14), MONDAY)
    ((url, part),) = LIVE.requests(f"{server.url.rstrip('/')}{LIVE_PATH}", asked)
    answer = web.get(url, LIVE.media_types)
    check_type(LIVE, answer.body, answer.media_type)
    check_asked(LIVE, LIVE.parse(answer.body), part)


def test_a_pair_that_is_not_there_is_not_found(server: RatesServer) -> None:
    asked = Asked(("XXX",), MONDAY - timedelta(14), MONDAY)
    ((url, _),) = ECB.requests(f"{server.url.rstrip('/')}{BANK_PATH}", asked)
    with pytest.raises(UserError, match="the status 404"):
        web.get(url, ECB.media_types)


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR])
def test_who_is_busy_is_asked_three_times(server: RatesServer, status: HTTPStatus) -> None:
    busy, good = (
        Answer(status, b"Later.\n", headers={"Retry-After": "3600"}),
        Answer(HTTPStatus.OK, b"a\n", "text/csv"),
    )
    server.script.extend([busy, busy, good])
    began = time.monotonic()
    assert get(server).body == b"a\n"
    server.script.extend([busy] * 3)
    with pytest.raises(UserError, match=f"the status {status.value}"):
        get(server)
    assert not server.script
    assert time.monotonic() - began < 60, "what it says of an hour is not waited for"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(HTTPStatus.FOUND, b"", headers={"Location": "/"}), "the status 302"),
        (Answer(HTTPStatus.NOT_FOUND, b"Not here.\n"), "the status 404"),
        (Answer(HTTPStatus.NO_CONTENT, b""), "the status 204"),
        (Answer(HTTPStatus.PARTIAL_CONTENT, b"a,b\n", "text/csv"), "the status 206"),
        (Answer(HTTPStatus.NOT_MODIFIED, b""), "the status 304"),
        (
            Answer(HTTPStatus.OK, gzip.compress(b"0" * 50_000_000), "text/csv", {"Content-Encoding": "gzip"}),
            "compressed",
        ),
        (Answer(HTTPStatus.OK, b"0" * (web.MOST_BYTES + 1), "text/csv"), "more than 5,000,000 bytes"),
        (
            Answer(HTTPStatus.OK, b"a,b\n", "text/csv", {"Content-Length": "400", "Connection": "close"}),
            "cut off|cannot be read",
        ),
        (
            Answer(HTTPStatus.OK, b"a,b\n", "text/csv", {"Content-Length": "9" * 5000}),
            "cut off|cannot be read",
        ),
    ],
)
def test_what_cannot_be_an_answer_is_none(server: RatesServer, answer: Answer, words: str) -> None:
    server.script.append(answer)
    with pytest.raises(UserError, match=words):
        get(server)


def test_nobody_is_asked_without_tls_but_this_machine(server: RatesServer) -> None:
    with pytest.raises(UserError, match="could be anybody's"):
        web.get("http://bank.example/rates", CSV)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="cannot be read"):
        web.get(url, CSV, pause=0.0)
