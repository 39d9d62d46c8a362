"""One run of *fetch_rates*: asks for published exchange rates, keeps the answers, publishes what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Optional

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.catalogue import Catalogue
from catalog.pipeline import HttpFeed, Pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.objects import open_verified
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.lake.table_state import TableState, live_partitions
from glue_jobs.runtime import log, metrics, workflows
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import NEWEST, read_schemas
from glue_jobs.sources import web
from glue_jobs.sources.feeds import FeedBatch, FeedWriter, Turn
from glue_jobs.sources.landing import Landing
from glue_jobs.sources.rate_batches import (
    KnownRates,
    known_rates,
    new_rows,
    readings_table,
    values_table,
)
from glue_jobs.sources.rate_forms import (
    RATE_FORMS,
    Asked,
    Rate,
    RateForm,
    WrongBody,
    check_asked,
    check_type,
    is_code,
)

JOB = "fetch_rates"

LONGEST_PAUSE = timedelta(days=31)
"""No provider publishes nothing for so long: what is empty then is asked for again."""

Get = Callable[[str, Sequence[str]], web.WebAnswer]
"""Asks an address."""


@dataclass(frozen=True)
class RatesArguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Bucket of what is received, the raw zone, the commits and the ops zone.
        processed_bucket: Bucket of the star, which knows the currencies.
        schema_registry: Schema registry that holds the contracts of the raw tables.
        transform_workflow: Workflow to start when a batch waits.
        schema_versions: Which version of the contracts the release reads.
        url: Where the provider answers, in place of what the pipeline states.
        urls: The same by feed: ``<feed>=<url>``, and spaces between several.
        first: The first day that is asked for, YYYY-MM-DD; unless given, the feed's window.
        last: The last day; today unless given.
    """

    ingestion_bucket: str
    processed_bucket: str
    schema_registry: str
    transform_workflow: str
    schema_versions: str = NEWEST
    url: str = ""
    urls: str = ""
    first: str = ""
    last: str = ""


class WrongAnswer(UserError):  # noqa: N818 - named for what was found
    """The provider's answer is not what was asked for; nothing of it was taken."""


def run(
    given: RatesArguments,
    lake: LakeClients,
    catalogue: Catalogue,
    pipeline: Pipeline,
    now: datetime,
    get: Get = web.get,
) -> int:
    """Fetch once, for every feed that the job fetches.

    Args:
        given: The arguments.
        lake: The lake's clients.
        catalogue: The contracts.
        pipeline: States the feeds and the reporting currency.
        now: UTC, without zone.
        get: Asks an address.

    Raises:
        UserError: A provider does not answer, or not with what was asked for. What other answers brought is
            published.
    """
    feeds = {name: feed for name, feed in pipeline.http_feeds.items() if feed.job == JOB}
    if lake.log("capture").latest() is None:
        log.info("rates.before_the_first_capture")
        return 0
    schemas = read_schemas(lake.glue, given.schema_registry, catalogue, given.schema_versions)
    stated = schemas.catalogue(catalogue)
    published, refused = 0, []
    for name, feed in feeds.items():
        writer = FeedWriter(lake, stated, schemas, name, feed.table)
        fetch = RateFetch(writer, feed, RATE_FORMS[feed.provider], pipeline.reporting_currency)
        try:
            fetch.fetch(given, now.date(), get)
        except UserError as error:
            refused.append(error)
        # What came before an answer was refused is published all the same.
        published += fetch.publish_new()
        refused += fetch.unreadable
        fetch.report_age(now.date())
    if published and workflows.start(lake.glue, given.transform_workflow):
        log.step("transform.started", workflow=given.transform_workflow)
    log.info("rates.done", batches=published)
    if refused:
        raise refused[0]
    return 0


class RateFetch:
    """One run of one feed.

    Args:
        writer: The feed's way into the capture log.
        feed: The feed as the pipeline states it.
        form: The provider's form.
        reporting: The currency that amounts are reported in, which is always asked for.
    """

    def __init__(self, writer: FeedWriter, feed: HttpFeed, form: RateForm, reporting: str) -> None:
        self._writer = writer
        self._feed = feed
        self._form = form
        self._reporting = reporting
        lake = writer.lake
        self._landing = Landing(lake.s3, lake.ingestion, writer.feed, form.name)
        self._store = KeyStore(lake.s3, lake.ingestion)
        self.unreadable: list[UserError] = []
        """What lies among the kept answers and cannot be read."""
        self._fetched: list[str] = []
        self._asked: Optional[tuple[str, ...]] = None

    # ------------------------------------------------------------------ what is asked

    def fetch(self, given: RatesArguments, today: date, get: Get) -> None:
        """Ask for what may be new, and keep the answers.

        Raises:
            UserError: The provider does not answer, or not with what was asked for.
        """
        currencies = self._currencies()
        if not currencies:
            log.info("rates.no_currency", feed=self._writer.feed)
            return
        asked = self._window(given, currencies, today)
        is_whole = True
        for url, part in self._form.requests(self._url(given), asked):
            answer = get(url, self._form.media_types)
            rates = self._judge(answer, part)
            name = self._landing.keep(answer.body)
            days = f"{part.first} to {part.last}"
            log.step("rates.landed", feed=self._writer.feed, days=days, answer=name)
            self._fetched.append(name)
            if not rates and part.last - max(part.first, self._form.since or part.first) > LONGEST_PAUSE:
                # A bank that has no rate and one that fails look alike.
                log.warning("rates.none_for_long", feed=self._writer.feed, days=days)
                is_whole = False
        if is_whole and (asked.first <= self._feed.first_day or not self._form.has_history):
            # From now on the window is enough for these.
            self._asked = tuple(sorted({*self._state.asked, *self._names_of(currencies)}))

    def _url(self, given: RatesArguments) -> str:
        of_feeds = {name: url for name, _, url in (one.partition("=") for one in given.urls.split())}
        return of_feeds.get(self._writer.feed) or given.url or self._feed.url

    def _judge(self, answer: web.WebAnswer, asked: Asked) -> tuple[Rate, ...]:
        form = self._form
        try:
            check_type(form, answer.body, answer.media_type)
            rates = form.parse(answer.body)
            check_asked(form, rates, asked)
        except WrongBody as error:
            kept = self._landing.keep_refused(answer.body)
            days = f"{asked.first} to {asked.last}"
            raise WrongAnswer(
                f"The answer of {form.name} for {days} is not what was asked for: {error}.",
                f"It is kept as {kept}; nothing of it was taken, and the next run asks again.",
            ) from error
        return rates

    def _currencies(self) -> tuple[str, ...]:
        found = {*self._traded(), self._reporting} - {self._form.base}
        codes = {code for code in found if is_code(code)}
        if codes != found:
            log.warning("rates.no_code", feed=self._writer.feed, currencies=len(found - codes))
        return tuple(sorted(codes))

    def _names_of(self, currencies: Iterable[str]) -> set[str]:
        """How the state names what was asked for: of another provider nothing was."""
        return {f"{self._form.name}/{currency}" for currency in currencies}

    def _traded(self) -> set[str]:
        """The currencies of the star's dimension; none before it is built."""
        lake = self._writer.lake
        name, _, column = self._feed.currencies.partition(".")
        contract = self._writer.catalogue.star[name]
        commits = lake.log(contract.stages[0])
        versions = TableState.of(commits.latest(), name).versions
        found: set[str] = set()
        for partition in live_partitions(commits, name, versions, versions, {}):
            for data in partition.objects:
                with open_verified(lake.s3, lake.bucket(contract), data) as file:
                    rows = pq.read_table(file, columns=[column, "is_inferred"]).to_pylist()
                # What stands for a row that has not come has no currency yet.
                found |= {row[column] for row in rows if not row["is_inferred"]}
        return found

    def _window(self, given: RatesArguments, currencies: tuple[str, ...], today: date) -> Asked:
        # Nothing is published for a day that has not come.
        last = min(_day(given.last, "last") or today, today)
        first = _day(given.first, "first")
        if first is not None and not self._form.has_history:
            raise UserError(
                f"{self._form.name} answers for today alone, not from {first} on.",
                "Leave --first and --last out, or name a provider with a history.",
            )
        if first is None:
            first = self._feed.first_day
            if self._names_of(currencies) <= set(self._state.asked):
                newest = self._known().newest or today
                window = min(today - timedelta(days=self._feed.window_days), newest)
                first = max(window, first)
        if last < first:
            raise UserError(
                f"The last day, {last}, is before the first, {first}.", "Give --first and --last in order."
            )
        return Asked(currencies, first, last)

    # ------------------------------------------------------------------ what is published

    def publish_new(self) -> int:
        """Publish what answers bring that were kept and not read; how many batches that were."""
        readings = self._state.readings
        names = self._landing.unread(self._names(readings))
        names = [*(name for name in names if name not in self._fetched), *self._fetched]
        parsed = [(name, self._parsed(name)) for name in names]
        answers = [(name, rates) for name, rates in parsed if rates is not None]
        batches = 0
        while answers or self._asked is not None:
            batch = _Reading(readings, answers)
            if self._writer.publish(partial(self._build, batch)) is None:
                break
            batches += 1
            answers, self._asked = answers[batch.read :], None
            readings = self._state.readings
        return batches

    def _parsed(self, name: str) -> Optional[tuple[Rate, ...]]:
        """A kept answer, read; one that cannot be, since somebody put it there, is told and left out."""
        try:
            return self._form.parse(self._landing.read(name))
        except WrongBody as error:
            self.unreadable.append(
                WrongAnswer(
                    f"{self._landing.prefix}{name} is no answer of {self._form.name}: {error}.",
                    "No run has put it there: take it away. The other answers are published.",
                )
            )
            return None

    def _build(self, batch: _Reading, turn: Turn) -> Optional[FeedBatch]:
        if turn.known.readings != batch.before:
            # Another run of the feed has read what this one was about to.
            log.info("rates.another_run_was_first", feed=self._writer.feed)
            return None
        values = self._table(turn.known.values)
        known = known_rates(self._form.name, values)
        found = new_rows(self._form, known, batch.answers)
        asked = turn.known.asked if self._asked is None else self._asked
        if not found.rows and asked == turn.known.asked:
            return None
        batch.read = found.read
        name = f"feeds/{self._writer.feed}"
        state = replace(
            turn.known,
            values=self._store.keep_table(
                name, f"{turn.label}.values", values_table(self._form.name, known, values)
            ),
            readings=self._store.keep_table(
                name,
                f"{turn.label}.readings",
                readings_table(
                    self._table(batch.before),
                    self._form.name,
                    (name for name, _ in batch.answers[: found.read]),
                    turn.batch,
                    turn.captured_at,
                ),
            ),
            asked=asked,
        )
        return FeedBatch(found.rows, state)

    def report_age(self, today: date) -> None:
        """Measure how old the newest rate is: providers pause for holidays, and stop without a word."""
        newest = self._known().newest
        age = (today - (newest or self._feed.first_day)).days
        log.info("rates.newest", feed=self._writer.feed, day=str(newest), age_days=age)
        metrics.emit({"job": JOB}, {"rates_age_days": age})

    # ------------------------------------------------------------------ what is known

    @property
    def _state(self) -> FeedState:
        newest = self._writer.lake.log("capture").latest()
        return SourceState.of(newest).feeds.get(self._writer.feed, FeedState())

    def _known(self) -> KnownRates:
        return known_rates(self._form.name, self._table(self._state.values))

    def _table(self, kept: Optional[StateObject]) -> Optional[pa.Table]:
        return None if kept is None else self._store.table(kept)

    def _names(self, readings: Optional[StateObject]) -> set[str]:
        table = self._table(readings)
        return set() if table is None else set(table["name"].to_pylist())


@dataclass
class _Reading:
    """What a batch is made of, and what became of it.

    Attributes:
        before: Where it is kept what was read before.
        answers: Answers that wait: the name of each, and its rates.
        read: How many of them the batch takes.
    """

    before: Optional[StateObject]
    answers: Sequence[tuple[str, Sequence[Rate]]]
    read: int = 0


def _day(text: str, name: str) -> Optional[date]:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--{name} is {text!r}, which is no day.", "Write it as YYYY-MM-DD.") from error
