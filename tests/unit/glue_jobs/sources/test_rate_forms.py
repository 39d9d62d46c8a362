"""What providers answer: what is a rate, and what is refused whole."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from glue_jobs.sources.rate_forms import (
    RATE_FORMS,
    Asked,
    Rate,
    WrongBody,
    check_asked,
    check_type,
    rate_id,
)
from tests.rates import HEAD, body, line

MONDAY = "2026-11-23"
ASKED = Asked(("GBP", "USD"), date(2026, 11, 10), date(2026, 11, 24))
ECB, LIVE = RATE_FORMS["ecb"], RATE_FORMS["freeforexapi"]
NOON = 1795435200  # 2026-11-23 12:00 UTC


def live(rates: Any = None, code: Any = 200) -> bytes:
    stated = {"USDGBP": {"rate": 0.767, "timestamp": NOON}, "USDEUR": {"rate": 0.8626, "timestamp": NOON}}
    return json.dumps({"rates": stated if rates is None else rates, "code": code}).encode()


def test_the_central_banks_answer_is_read_as_it_is_published() -> None:
    answer = body(
        line("USD", MONDAY, "1.1592"), line("GBP", MONDAY, "0.88310"), line("USD", "2026-11-24", "")
    )
    assert ECB.parse(answer) == (
        Rate("USD", date(2026, 11, 23), Decimal("1.1592")),
        Rate("GBP", date(2026, 11, 23), Decimal("0.8831")),
    )
    assert ECB.parse(b"") == ECB.parse(b"\n") == ECB.parse(body()) == ()
    # Titles are texts of any signs, those among them that end a line elsewhere.
    titled = answer.replace(b"KEY,", b"TITLE,KEY,").replace(
        b"EXR.D", '"US dollar,\u2028 \x85",EXR.D'.encode()
    )
    assert ECB.parse(titled) == ECB.parse(answer)
    assert ECB.parse(b"\xef\xbb\xbf" + answer) == ECB.parse(answer)


def test_the_live_answer_is_of_the_day_of_its_time_and_keeps_every_digit() -> None:
    asked = Asked(("EUR", "GBP"), ASKED.first, ASKED.last)
    found = LIVE.parse(live({"USDGBP": {"rate": 0.767123, "timestamp": NOON}}))
    assert found == (Rate("GBP", date(2026, 11, 23), Decimal("0.767123")),)
    check_asked(LIVE, LIVE.parse(live()), asked)
    assert LIVE.parse(live({"USDJPY": {"rate": 156, "timestamp": NOON}}))[0].units == 156
    for text in ("7.671E-1", "0.07671e1", "0.7671e-0000000000000000000000"):
        answer = live().replace(b"0.767,", f"{text},".encode())
        assert {str(rate.units) for rate in LIVE.parse(answer)} == {"0.767100000", "0.862600000"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"<html>This name is for sale.</html>", "cut off"),
        (b"<html>This name is for sale.</html>\n", "no heading"),
        (body(line("USD", MONDAY, "1.16"))[:-2], "cut off"),
        (body(line("USD", MONDAY, "1.16"), "EXR.D.USD"), "line 3 has 1 cells"),
        (body(line("USD", MONDAY, "-1.16")), "no number"),
        (body(line("USD", MONDAY, "1e1")), "no number"),
        (body(line("USD", MONDAY, "1,16")), "cells"),
        (body(line("USD", MONDAY, "1.1600000001")), "more digits"),
        (body(line("USD", MONDAY, "1234567890")), "more digits"),
        (body(line("USD", "2026-11-31", "1.16")), "no day"),
        (body(line("USD", "2026-11", "1.16")), "no day"),
        (body(line("usd", MONDAY, "1.16")), "no code"),
        (body(*[line("USD", MONDAY, "1.16")] * 2), "twice"),
        (body(line("USD", MONDAY, "1.16")).replace(b",EUR,", b",USD,"), "another CURRENCY_DENOM"),
        (body(line("USD", MONDAY, "1.16")).replace(b",D,", b",M,"), "another FREQ"),
        (body(line("USD", MONDAY, "1.16")).replace(b"A,0", b"A,3"), "another unit"),
        (body(line("USD", MONDAY, "1.16")).replace(b"OBS_VALUE", b"VALUE"), "OBS_VALUE"),
        (HEAD.replace("KEY", "FREQ").encode() + b"\n", "each name once"),
        (b"\xff\xfe" + body(line("USD", MONDAY, "1.16")), "UTF-8"),
    ],
)
def test_what_is_no_answer_of_the_central_bank_is_refused_whole(answer: bytes, words: str) -> None:
    with pytest.raises(WrongBody, match=words):
        ECB.parse(answer)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no JSON"),
        (live()[:-3], "no JSON"),
        (b"[" * 1_000_000, "no JSON"),
        (live().replace(b"0.767,", b"1e999999999999,"), "no number"),
        (live().replace(b"0.767,", b"1e9999999999999999999999,"), "no number"),
        (live().replace(b"0.767,", b"1e-9999999999999999999999,"), "no number"),
        (live().replace(b"0.767,", b"1" * 10_000 + b","), "no JSON"),
        (live().replace(b"0.767,", b"1e-10,"), "more digits"),
        (b"null", "does not say"),
        (live(code=1001), "does not say"),
        (live(rates=[]), "does not say"),
        (b'{"code": 200, "code": 200, "rates": {}}', "twice"),
        (b'{"code": 200, "rates": {"USDGBP": {"rate": NaN, "timestamp": 1}}}', "NaN"),
        (live({"EURGBP": {"rate": 0.88, "timestamp": NOON}}), "not of the US dollar"),
        (live({"USDGBP": 0.76}), "states no rate"),
        (live({"USDGBP": {"rate": "0.76", "timestamp": NOON}}), "no number"),
        (live({"USDGBP": {"rate": True, "timestamp": NOON}}), "no number"),
        (live({"USDGBP": {"rate": -0.76, "timestamp": NOON}}), "no number"),
        (live({"USDGBP": {"rate": 0.76}}), "no time"),
        (live({"USDGBP": {"rate": 0.76, "timestamp": NOON * 1000}}), "no time"),
        (live({"USDgbp": {"rate": 0.76, "timestamp": NOON}}), "no code"),
    ],
)
def test_what_is_no_live_answer_is_refused_whole(answer: bytes, words: str) -> None:
    with pytest.raises(WrongBody, match=words):
        LIVE.parse(answer)


def test_an_answer_to_another_question_is_refused() -> None:
    for answer, words in [
        (body(line("CHF", MONDAY, "0.93")), "CHF, which was not asked for"),
        (body(line("USD", "2026-11-25", "1.16")), "2026-11-25"),
        (body(line("USD", "2026-11-09", "1.16")), "2026-11-09"),
    ]:
        with pytest.raises(WrongBody, match=words):
            check_asked(ECB, ECB.parse(answer), ASKED)
    # The central bank leaves out what it has stopped to publish; a live answer has every pair.
    check_asked(ECB, ECB.parse(body(line("USD", MONDAY, "1.16"))), ASKED)
    with pytest.raises(WrongBody, match="lacks EUR"):
        check_asked(
            LIVE,
            LIVE.parse(live({"USDGBP": {"rate": 0.76, "timestamp": NOON}})),
            Asked(("EUR", "GBP"), ASKED.first, ASKED.last),
        )


def test_a_page_that_does_not_say_what_it_is_is_refused() -> None:
    check_type(ECB, b"x", "text/csv")
    check_type(ECB, b"", "")
    for media_type in ("text/html", "", "application/json"):
        with pytest.raises(WrongBody, match="it says that it is"):
            check_type(ECB, b"x", media_type)


def test_a_provider_is_asked_for_all_days_once_and_in_its_own_words() -> None:
    asked = Asked(("GBP", "USD"), date(2023, 12, 31), date(2026, 1, 1))
    parts = [part for _, part in ECB.requests("https://bank.example/EXR", asked)]
    days = [(part.last - part.first).days + 1 for part in parts]
    assert sum(days) == (asked.last - asked.first).days + 1
    assert max(days) <= 366
    assert (parts[0].first, parts[-1].last) == (asked.first, asked.last)
    ((url, _),) = ECB.requests("https://bank.example/EXR", ASKED)
    assert url == (
        "https://bank.example/EXR/D.GBP+USD.EUR.SP00.A"
        "?startPeriod=2026-11-10&endPeriod=2026-11-24&format=csvdata"
    )
    ((url, _),) = LIVE.requests("https://live.example/api/live", Asked(("EUR", "GBP"), *_days()))
    assert url == "https://live.example/api/live?pairs=USDEUR,USDGBP"


def _days() -> tuple[date, date]:
    return ASKED.first, ASKED.last


def test_keys_are_of_one_rate_each_and_fit_a_bigint() -> None:
    days = (date(1999, 1, 4), date(2026, 11, 23), date(9999, 12, 31))
    keys = {
        rate_id(form, code, of)
        for form in RATE_FORMS.values()
        for code in ("AAA", "AAB", "BAA", "USD", "ZZZ")
        for of in days
    }
    assert len(keys) == 2 * 5 * 3
    assert max(keys) < 2**63
    assert rate_id(ECB, "USD", days[1]) == 20261123_1_13991
