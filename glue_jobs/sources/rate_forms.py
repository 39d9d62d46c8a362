"""The forms in which providers publish exchange rates: how they are asked, and how their answers are read.

Pure functions over addresses and bytes. An answer that is not of its form, or not what was asked for, is no
answer: nothing of it is taken.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional, Union
from urllib.parse import urlencode

from glue_jobs.sources.json_documents import Number

DAYS_ASKED = 366
"""How many days of history are asked for at once."""

_WHOLE_DIGITS, _FRACTION_DIGITS, _EXPONENT_DIGITS = 9, 9, 2
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODE = re.compile(r"[A-Z]{3}")


class WrongBody(Exception):  # noqa: N818 - named for what was found
    """An answer that is not what was asked for; says why, in words that quote nothing of it."""


@dataclass(frozen=True)
class Rate:
    """A published rate.

    Attributes:
        currency: ISO 4217 code of the currency.
        day: The day that the provider states.
        units: Units of the currency for one unit of the base currency, as published.
    """

    currency: str
    day: date
    units: Decimal


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        currencies: Their codes.
        first: The first day.
        last: The last day.
    """

    currencies: tuple[str, ...]
    first: date
    last: date


@dataclass(frozen=True)
class RateForm:
    """How a provider is asked and read.

    Attributes:
        name: The provider.
        number: Its number in keys; never another's.
        base: The currency that it states rates against.
        media_types: What its answers say that they are; of an empty one nothing is asked.
        requests: The addresses that answer what is asked for, each with its part of that.
        parse: The rates of an answer.
        names_all: Whether an answer has every currency that was asked for; else it has those that are
            published.
        since: The first day of its history; nothing where it answers for today alone.
    """

    name: str
    number: int
    base: str
    media_types: tuple[str, ...]
    requests: Callable[[str, Asked], Sequence[tuple[str, Asked]]]
    parse: Callable[[bytes], tuple[Rate, ...]]
    names_all: bool
    since: Optional[date]

    @property
    def has_history(self) -> bool:
        """Whether it answers for days that have passed."""
        return self.since is not None


def is_code(text: object) -> bool:
    """Whether a text can be the code of a currency, and so stand in an address."""
    return isinstance(text, str) and _CODE.fullmatch(text) is not None


def check_type(form: RateForm, body: bytes, media_type: str) -> None:
    """Refuse what does not say that it is an answer, such as the page of a parked name.

    Args:
        form: The provider's form.
        body: The answer.
        media_type: What it says that it is.

    Raises:
        WrongBody: It is something else.
    """
    if body and media_type not in form.media_types:
        raise WrongBody(f"it says that it is {media_type[:60] or 'nothing'}")


def check_asked(form: RateForm, rates: Iterable[Rate], asked: Asked) -> None:
    """Refuse an answer that is to another question.

    Args:
        form: The provider's form.
        rates: The rates of the answer.
        asked: What was asked for.

    Raises:
        WrongBody: It has a currency or a day that was not asked for, or lacks one.
    """
    found = set()
    for rate in rates:
        found.add(rate.currency)
        if rate.currency not in asked.currencies:
            raise WrongBody(f"it has the currency {rate.currency}, which was not asked for")
        if not asked.first <= rate.day <= asked.last:
            raise WrongBody(f"it has the day {rate.day}, and {asked.first} to {asked.last} was asked for")
    lacking = sorted(set(asked.currencies) - found)
    if form.names_all and lacking:
        raise WrongBody(f"it lacks {', '.join(lacking)}")


def rate_id(form: RateForm, currency: str, day: date) -> int:
    """The key of a rate: its day, the provider's number and the currency's letters, read as digits."""
    letters = 0
    for letter in currency:
        letters = letters * 26 + ord(letter) - ord("A")
    return (int(day.strftime("%Y%m%d")) * 10 + form.number) * 100_000 + letters


# --- the European Central Bank ------------------------------------------------------------------------


def _ecb_requests(url: str, asked: Asked) -> list[tuple[str, Asked]]:
    found = []
    first = asked.first
    while first <= asked.last:
        last = min(asked.last, first + timedelta(days=DAYS_ASKED - 1))
        days = urlencode({"startPeriod": first, "endPeriod": last, "format": "csvdata"})
        series = f"D.{'+'.join(asked.currencies)}.EUR.SP00.A"
        found.append((f"{url}/{series}?{days}", Asked(asked.currencies, first, last)))
        first = last + timedelta(days=1)
    return found


_ECB_SAYS = {"FREQ": "D", "CURRENCY_DENOM": "EUR", "EXR_TYPE": "SP00", "EXR_SUFFIX": "A"}
"""What every row of the answer says: daily, against the euro, spot, average."""

_ECB_NEEDS = (*_ECB_SAYS, "CURRENCY", "TIME_PERIOD", "OBS_VALUE")


def _parse_ecb(body: bytes) -> tuple[Rate, ...]:
    if not body.strip():
        return ()  # no observation in these days
    text = _text(body)
    if not text.endswith("\n"):
        raise WrongBody("its last line has no end: it is cut off")
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head, *rows = list(lines)
    except csv.Error as error:
        raise WrongBody("it is no CSV") from error
    missing = [name for name in _ECB_NEEDS if name not in head]
    if missing or len(set(head)) != len(head):
        raise WrongBody(f"its first line is no heading with {', '.join(missing) or 'each name once'}")
    return _once(_ecb_rates(head, rows))


def _ecb_rates(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Rate]:
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(head):
            raise WrongBody(f"line {number} has {len(cells)} cells, the heading {len(head)}")
        row = dict(zip(head, cells))
        other = [name for name, value in _ECB_SAYS.items() if row[name] != value]
        if other:
            raise WrongBody(f"line {number} has another {other[0]} than was asked for")
        if row.get("UNIT_MULT", "0") not in ("", "0"):
            raise WrongBody(f"line {number} states its rate in another unit")
        if row["OBS_VALUE"] in ("", "NaN"):
            continue  # a day without a rate
        yield Rate(
            _code(row["CURRENCY"], number), _day(row["TIME_PERIOD"], number), _units(row["OBS_VALUE"], number)
        )


# --- freeforexapi.com ---------------------------------------------------------------------------------


def _freeforex_requests(url: str, asked: Asked) -> list[tuple[str, Asked]]:
    pairs = ",".join(f"USD{currency}" for currency in asked.currencies)
    return [(f"{url}?pairs={pairs}", asked)]


def _parse_freeforex(body: bytes) -> tuple[Rate, ...]:
    try:
        answer = json.loads(
            _text(body), parse_float=Number, parse_constant=_refuse_constant, object_pairs_hook=_members
        )
    except (ValueError, RecursionError) as error:
        raise WrongBody("it is no JSON") from error
    if not isinstance(answer, dict) or answer.get("code") != 200 or not isinstance(answer.get("rates"), dict):
        raise WrongBody("it does not say that it is an answer (code 200, rates)")
    return _once(_freeforex_rate(pair, stated) for pair, stated in answer["rates"].items())


def _freeforex_rate(pair: str, stated: Any) -> Rate:
    if not pair.startswith("USD") or not isinstance(stated, dict):
        raise WrongBody("a pair is not of the US dollar, or states no rate")
    rate, moment = stated.get("rate"), stated.get("timestamp")
    if isinstance(rate, bool) or not isinstance(rate, (int, Number)):
        raise WrongBody(f"{pair[:6]} states no number as its rate")
    if isinstance(moment, bool) or not isinstance(moment, int) or not 0 < moment < 2**33:
        raise WrongBody(f"{pair[:6]} states no time")
    day = datetime.fromtimestamp(moment, timezone.utc).date()
    return Rate(_code(pair[3:], 1), day, _units(_written_out(rate), 1))


def _written_out(number: Union[int, Number]) -> str:
    """A number of JSON without its exponent."""
    text = str(number)
    _, _, exponent = text.lower().partition("e")
    # A number with a larger exponent is no rate, and could be of any length.
    return text if len(exponent.lstrip("+-0")) > _EXPONENT_DIGITS else format(Decimal(text), "f")


def _members(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WrongBody("it names something twice")
    return found


def _refuse_constant(name: str) -> None:
    raise WrongBody(f"it holds {name}, which is no number")


# --- what all forms share -----------------------------------------------------------------------------


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongBody("it is no text in UTF-8") from error


def _code(text: str, line: int) -> str:
    if not is_code(text):
        raise WrongBody(f"line {line} has no code of a currency")
    return text


def _day(text: str, line: int) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise WrongBody(f"line {line} has no day")


def _units(text: str, line: int) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise WrongBody(f"line {line} has no number as its rate")
    whole, _, fraction = text.partition(".")
    if len(whole.lstrip("0")) > _WHOLE_DIGITS or len(fraction.rstrip("0")) > _FRACTION_DIGITS:
        raise WrongBody(f"line {line} has a rate of more digits than are kept")
    return Decimal(f"{whole}.{fraction.rstrip('0') or '0'}").quantize(Decimal(10) ** -_FRACTION_DIGITS)


def _once(rates: Iterable[Rate]) -> tuple[Rate, ...]:
    found = tuple(rates)
    if len({(rate.currency, rate.day) for rate in found}) != len(found):
        raise WrongBody("it has a rate of one currency and day twice")
    return found


RATE_FORMS: Mapping[str, RateForm] = {
    form.name: form
    for form in (
        RateForm(
            "ecb",
            1,
            "EUR",
            ("text/csv", "application/vnd.sdmx.data+csv"),
            _ecb_requests,
            _parse_ecb,
            names_all=False,
            since=date(1999, 1, 4),
        ),
        RateForm(
            "freeforexapi",
            2,
            "USD",
            ("application/json",),
            _freeforex_requests,
            _parse_freeforex,
            names_all=True,
            since=None,
        ),
    )
}
"""The forms by the provider's name."""
