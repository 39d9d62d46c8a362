"""The demonstration: a totesys comes to life on this machine, and everything that happens in it arrives.

It starts a stack of its own, fills a source, runs the pipeline, lets the business live for three days with a
run after each, and checks at every step that what happened is what the lake and the warehouse show. It ends
with ``demo: OK`` and exit code 0, or says what differs; either way nothing is left running.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import psycopg
from rich.console import Console
from rich.status import Status
from rich.table import Table

from catalog.pipeline import load_pipeline
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.reconciliation import Report, reconcile
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime.athena import QueryFailed, run_query
from glue_jobs.runtime.connections import ENCODING
from glue_jobs.runtime.errors import UserError
from glue_jobs.transformation.decide import SPARK
from lakehouse.command_line import FILES_JOB, RATES_JOB
from lakehouse.drive import SPARK_JOBS, TRANSFORM_JOB, JobEvent, run_job, run_until_idle
from lakehouse.feed_files import feed_files
from lakehouse.parts import require_for
from lakehouse.rates_server import RateHistory, moved, shipped_history
from lakehouse.run_outcome import RunOutcome, outcome_since, positions
from lakehouse.stack import UpOptions, down, up
from lakehouse.stack_state import Paths, Running
from totesys.business import Act, Tick, live_one_tick
from totesys.carrier import deliveries, first_files, later_files
from totesys.generator import last_finished_day

TRADED = ("GBP", "USD")
"""The currencies of totesys that have a rate; the euro is what rates are stated against."""

STALE_DAYS = 7
"""A rate that is older, by more days, than the newest of its provider is none."""

BASE = "EUR"
"""What the rates are stated against."""

RATE, HUNDREDTHS = Decimal("1e-12"), Decimal("0.01")
"""To what cross rates and amounts are rounded."""

DELIVERED = 100
"""How many orders the carrier delivers."""

MONTHS = 6
"""How many months are shown in one currency."""

TICKS = 3
SPARK_TICK = 3
"""The tick whose batch is forced onto Spark, as a large one goes."""

DATABASE = "totesys_star"

_INTERRUPTED = 130


class Difference(Exception):  # noqa: N818 - named for what was found
    """The pipeline does not show what happened."""


@dataclass(frozen=True)
class Question:
    """What an analyst asks.

    Attributes:
        words: The question.
        athena: Its answer, in Athena's SQL on the star.
        source: The same from the source itself, in PostgreSQL's SQL, to check the answer.
        headings: What the columns are called.
    """

    words: str
    athena: str
    source: str
    headings: tuple[str, ...]


QUESTIONS = (
    Question(
        "What have we sold, in each currency?",
        "SELECT c.currency_name, count(*), sum(f.units_sold), sum(f.units_sold * f.unit_price)"
        " FROM fact_sales_order_current f JOIN dim_currency c ON c.currency_id = f.currency_id"
        " GROUP BY c.currency_name, c.currency_code ORDER BY c.currency_code",
        "SELECT currency_code, count(*), sum(units_sold), sum(units_sold * unit_price)"
        " FROM sales_order JOIN currency USING (currency_id) GROUP BY 1 ORDER BY 1",
        ("currency", "orders", "totes", "revenue"),
    ),
    Question(
        "Which five designs sell best, by totes?",
        "SELECT d.design_id, d.design_name, count(*), sum(f.units_sold)"
        " FROM fact_sales_order_current f JOIN dim_design d ON d.design_id = f.design_id"
        " GROUP BY d.design_id, d.design_name ORDER BY sum(f.units_sold) DESC, d.design_id LIMIT 5",
        "SELECT design_id, design_name, count(*), sum(units_sold)"
        " FROM sales_order JOIN design USING (design_id)"
        " GROUP BY 1, 2 ORDER BY sum(units_sold) DESC, design_id LIMIT 5",
        ("design", "name", "orders", "totes"),
    ),
    Question(
        "What is still owed to us, and since when at the longest?",
        "SELECT c.currency_code, count(*), sum(f.payment_amount), min(f.payment_date)"
        " FROM fact_payment_current f JOIN dim_currency c ON c.currency_id = f.currency_id"
        " JOIN dim_payment_type t ON t.payment_type_id = f.payment_type_id"
        " WHERE NOT f.paid AND t.payment_type_name = 'SALES_RECEIPT' GROUP BY c.currency_code ORDER BY 1",
        "SELECT currency_code, count(*), sum(payment_amount), min(payment_date)"
        " FROM payment JOIN currency USING (currency_id) JOIN payment_type USING (payment_type_id)"
        " WHERE NOT paid AND payment_type_name = 'SALES_RECEIPT' GROUP BY 1 ORDER BY 1",
        ("currency", "payments", "amount", "since"),
    ),
)


class Told(NamedTuple):
    """A row of the demonstration's table: what happened, and what the run after it did.

    Attributes:
        name: Of the run.
        words: What happened before it.
        outcome: What it did.
        seconds: From the first commit in the source, or the start of the run, to the end of the load.
    """

    name: str
    words: str
    outcome: RunOutcome
    seconds: float | None


class Demonstration:
    """One stack and the story told about it.

    Args:
        directory: The stack's state.
        running: The stack.
        console: Where the story is told.
        spark_tick: The tick whose batch is forced onto Spark; none where it is None.
        ticks: How many ticks the business lives for.
        today: The day on which it is shown: rates are published until the working day before.
    """

    def __init__(
        self,
        directory: Path,
        running: Running,
        console: Console,
        spark_tick: int | None,
        ticks: int,
        today: date,
    ) -> None:
        if running.source_owner is None:
            raise UserError("The source of this stack is not its own.", "Start the demo without --source.")
        self._paths = Paths.of(directory)
        self._running = running
        self._owner = running.source_owner
        self._console = console
        self._spark_tick = spark_tick
        self._ticks = ticks
        self._today = today
        self._bucket = running.buckets["ingestion"]
        self._s3 = running.client("s3")
        self._athena = running.client("athena")
        self._rows: list[Told] = []
        self._events: list[JobEvent] = []
        self._history = shipped_history()

    def run(self) -> None:
        """Tell the story.

        Raises:
            Difference: Something is not as it happened.
            UserError: A job failed.
        """
        first = self._run("first run: everything is captured", time.time())
        self._rows.append(Told("first run", "everything, for the first time", *first))
        self._say(f"The first run carried {first[0].rows:,} rows to the lake and the warehouse.")
        self._rates()
        self._reconcile()
        self._deliveries()
        self._reconcile()
        for number in range(1, self._ticks + 1):
            self._live(number)
        again = self._run("a run with nothing to do", time.time())
        if again[0] != RunOutcome():
            raise Difference(f"a run with nothing to do did something: {again[0]}")
        self._rows.append(Told("again", "nothing happened", *again))
        self._console.print(ticks_table(self._rows))
        report = self._reconcile()
        self._console.print(reconciliation_table(report))
        for question in QUESTIONS:
            self._ask(question)
        self._in_one_currency()

    # ------------------------------------------------------------------ steps

    def _live(self, number: int) -> None:
        before = self._fact_versions()
        began = time.time()
        tick = live_one_tick(self._owner, number)
        self._say(f"[bold]Tick {number}[/bold]")
        for act in tick.acts:
            self._say(f"  {act.words}")
        on_spark = number == self._spark_tick
        if on_spark:
            forced = f"This batch is forced onto Spark ({TRANSFORM_JOB} --engine spark)"
            self._say(f"  {forced}; each of its jobs starts Java.")
        outcome, seconds = self._run(f"tick {number}", began, SPARK if on_spark else None)
        if on_spark:
            self._say(spark_seconds(self._events))
        expect("rows captured", tick.rows(), outcome.captured)
        for act in tick.acts:
            self._check(act, before)
        self._reconcile()
        name = f"tick {number}{', on Spark' if on_spark else ''}"
        self._rows.append(Told(name, words_of(tick), outcome, seconds))

    def _rates(self) -> None:
        """Fetch exchange rates, and see that the star has those that are published, and no others."""
        feed = load_pipeline().http_feeds["exchange_rate"]
        history = moved(shipped_history(), self._today)
        began, before = time.time(), positions(self._s3, self._bucket)
        lake, runs = self._running.lake(), self._paths.runs
        with self._busy("fetching exchange rates") as status:

            def watch(event: JobEvent) -> None:
                status.update(f"exchange rates: {event.job} {event.state.lower()}")

            run_job(lake.glue, RATES_JOB, runs, watch)
            run_until_idle(lake, runs, watch)
        outcome = outcome_since(self._s3, self._bucket, before)
        seconds = None if outcome.loaded_at is None else outcome.loaded_at - began
        self._rows.append(Told("rates", "exchange rates", outcome, seconds))
        published = {
            code: [(str(day), rates[code]) for day, rates in history.rates.items() if day >= feed.first_day]
            for code in TRADED
        }
        shown = self._query(
            "SELECT currency_code, count(*), min(rate_date), max(rate_date),"
            " max_by(units_per_base, rate_date)"
            " FROM fact_exchange_rate_current GROUP BY currency_code ORDER BY currency_code"
        )
        newest = [
            (code, str(len(days)), days[0][0], days[-1][0], f"{Decimal(days[-1][1]):.9f}")
            for code, days in published.items()
        ]
        expect("exchange rates", newest, shown)
        headings = ("currency", "days", "first", "last", "for 1 EUR")
        self._console.print(answer_table("Exchange rates", headings, shown))
        self._say(f"They are {history.words}.")
        self._history = history
        self._check_daily(history)

    def _deliveries(self) -> None:
        """Have a carrier put files into its bucket, a bad and a late one too; see what becomes of each."""
        orders = self._source(
            "SELECT sales_order_id, agreed_delivery_date::date FROM sales_order ORDER BY 1 LIMIT %s",
            DELIVERED,
        )
        sent = deliveries(orders)
        self._fetch_files("deliveries", "files of a carrier, one of them cut off", first_files(sent))
        (bad,) = [
            one for one in feed_files(self._running.lake(), load_pipeline().file_feeds) if one.needs_somebody
        ]
        self._say(f"Nothing of {bad.key} was taken: {bad.reason}. Its sender puts it right.")
        half = {one.order: "collected" for one in sent}
        taken = [one for one in sent if one.ended() is not None]
        half.update({one.order: one.status for one in taken[: len(taken) // 2]})
        self._check_deliveries(half)
        self._fetch_files("late ones", "a late file, and the bad one put right", later_files(sent))
        self._check_deliveries({one.order: one.status for one in sent})
        quarantined = run_query(
            self._athena,
            "SELECT source_key, outcome FROM quarantined_files ORDER BY entry",
            database="totesys_dead_letter",
            work_group=self._running.work_group,
        )
        expect("quarantined files", [(bad.key, "unreadable"), (bad.key, "read")], list(quarantined.rows))
        shown = self._query("SELECT status, count(*) FROM delivery_status GROUP BY 1 ORDER BY 1")
        self._console.print(answer_table("Deliveries", ("status", "deliveries"), shown))

    def _fetch_files(self, name: str, words: str, files: Mapping[str, bytes]) -> None:
        """Put files into the carrier's bucket, and fetch them."""
        feed = load_pipeline().file_feeds["delivery_event"]
        bucket = load_pipeline().external_buckets[feed.bucket].bucket
        began, before = time.time(), positions(self._s3, self._bucket)
        for key, body in files.items():
            self._s3.put_object(Bucket=bucket, Key=f"{feed.prefix}{key}", Body=body)
        lake, runs = self._running.lake(), self._paths.runs
        with self._busy(f"fetching {words}") as status:

            def watch(event: JobEvent) -> None:
                status.update(f"{words}: {event.job} {event.state.lower()}")

            run_job(lake.glue, FILES_JOB, runs, watch)
            run_until_idle(lake, runs, watch)
        outcome = outcome_since(self._s3, self._bucket, before)
        seconds = None if outcome.loaded_at is None else outcome.loaded_at - began
        self._rows.append(Told(name, words, outcome, seconds))

    def _check_deliveries(self, by_order: Mapping[int, str]) -> None:
        """See that the newest event of each delivery is shown, whatever came last."""
        text = "SELECT sales_order_id, status FROM delivery_status ORDER BY sales_order_id"
        wanted = [(str(order), status) for order, status in sorted(by_order.items())]
        expect("the status of deliveries in the lake", wanted, self._query(text))
        in_the_warehouse = [(str(order), status) for order, status in self._in_warehouse(text)]
        expect("the status of deliveries in the warehouse", wanted, in_the_warehouse)

    def _check_daily(self, history: RateHistory) -> None:
        """See that each day is shown with the rate that was published on it, or last before it."""
        wanted = [
            (str(day), code, rate, None if of is None else str(of))
            for code in TRADED
            for day, rate, of in daily_rates(history, code, self._calendar())
        ]
        columns = "date_id, currency_code, units_per_base, rate_date"
        text = f"SELECT {columns} FROM fact_exchange_rate_daily ORDER BY currency_code, date_id"  # noqa: S608
        in_the_lake = [
            (day, code, Decimal(rate) if rate else None, of or None)
            for day, code, rate, of in self._query(text)
        ]
        expect("the rates of every day in the lake", wanted, in_the_lake)
        in_the_warehouse = [
            (str(day), code, rate, None if of is None else str(of))
            for day, code, rate, of in self._in_warehouse(text)
        ]
        expect("the rates of every day in the warehouse", wanted, in_the_warehouse)

    def _calendar(self) -> list[date]:
        return [date.fromisoformat(row[0]) for row in self._query("SELECT date_id FROM dim_date ORDER BY 1")]

    def _run(self, what: str, began: float, engine: str | None = None) -> tuple[RunOutcome, float | None]:
        """Run the pipeline; gives what it did, and the seconds from ``began`` to the end of its load."""
        before = positions(self._s3, self._bucket)
        with self._busy(what) as status:
            self._events.clear()

            def watch(event: JobEvent) -> None:
                self._events.append(event)
                status.update(f"{what}: {event.job} {event.state.lower()}")

            run_until_idle(self._running.lake(), self._paths.runs, watch, engine)
        outcome = outcome_since(self._s3, self._bucket, before)
        return outcome, None if outcome.loaded_at is None else outcome.loaded_at - began

    def _reconcile(self) -> Report:
        with self._busy("comparing source, lake and warehouse"):
            report = reconcile(
                self._running.source,
                self._running.warehouse,
                self._running.lake(),
                source_schema=load_pipeline().source.schema_name,
                athena=Athena(self._running.client("athena"), self._running.work_group),
            )
        if report.verdict != EQUAL:
            raise Difference(f"source, lake and warehouse are not the same:\n{report.as_text()}")
        return report

    def _ask(self, question: Question) -> None:
        with self._busy(question.words):
            answer = self._query(question.athena)
        truth = [tuple(map(str, row)) for row in self._source(question.source)]
        # The first column may be a name where the source has a code.
        expect(question.words, [row[1:] for row in truth], [row[1:] for row in answer])
        rows = [tuple(with_commas(cell) for cell in row) for row in answer]
        self._console.print(answer_table(question.words, question.headings, rows))

    def _in_one_currency(self) -> None:
        """See that each sale is converted by the rate of its day, and show what the last months come to."""
        currency = load_pipeline().reporting_currency
        code = currency.lower()
        sales = self._source(
            "SELECT sales_order.created_at::date, currency_code, units_sold * unit_price"
            " FROM sales_order JOIN currency USING (currency_id)"
        )
        wanted = [
            (str(day), str(orders), str(converted), str(revenue or ""), str(newest or ""))
            for day, orders, converted, revenue, newest in reported_sales(self._history, sales, currency)
        ]
        text = (
            "SELECT created_date, count(*),"  # noqa: S608 - a currency's code
            f" count(amount_{code}), sum(amount_{code}), max(rate_date)"
            f" FROM fact_sales_order_{code} GROUP BY created_date ORDER BY created_date"
        )
        expect(f"sales in {currency} in the lake", wanted, self._query(text))
        in_warehouse = [tuple(str(cell or "") for cell in row) for row in self._in_warehouse(text)]
        expect(f"sales in {currency} in the warehouse", wanted, in_warehouse)
        words = f"What have we sold by month, in {currency}?"
        months = {month: list(days) for month, days in groupby(wanted, lambda row: row[0][:7])}
        rows = [(month, *of_month(days)) for month, days in list(months.items())[-MONTHS:]]
        headings = ("month", "orders", "no rate", "revenue", "newest rate")
        self._console.print(answer_table(words, headings, rows))

    # ------------------------------------------------------------------ checks

    def _fact_versions(self) -> dict[str, int]:
        """How many versions each sales order has."""
        rows = self._query("SELECT sales_order_id, count(*) FROM fact_sales_order GROUP BY sales_order_id")
        return {key: int(count) for key, count in rows}

    def _check(self, act: Act, before: dict[str, int]) -> None:
        """See that an act is visible in the star, as what it was."""
        checks: dict[str, Callable[[Act, dict[str, int]], None]] = {
            "silent_amendment": self._check_amendment,
            "change_department": self._check_department,
            "delete_an_order": self._check_deletion,
        }
        check = checks.get(act.kind)
        if check is not None:
            check(act, before)

    def _check_amendment(self, act: Act, before: dict[str, int]) -> None:
        key = act.changes[0].key
        versions = self._query(
            "SELECT last_updated_date, last_updated_time FROM fact_sales_order"  # noqa: S608 - a number
            f" WHERE sales_order_id = {key:d}"
        )
        expect(f"versions of sales order {key}", before.get(str(key), 0) + 1, len(versions))
        expect(f"last_updated of sales order {key}, in all its versions", 1, len(set(versions)))

    def _check_department(self, act: Act, _: dict[str, int]) -> None:
        key = act.changes[0].key
        truth = self._source(
            "SELECT staff_id, location FROM staff JOIN department USING (department_id)"
            " WHERE department_id = %s ORDER BY 1",
            key,
        )
        keys = ", ".join(str(row[0]) for row in truth)
        shown = self._query(
            f"SELECT staff_id, location FROM dim_staff WHERE staff_id IN ({keys}) ORDER BY 1"  # noqa: S608 - numbers
        )
        expect(
            f"the location of the staff of department {key}", [(str(row[0]), row[1]) for row in truth], shown
        )

    def _check_deletion(self, act: Act, before: dict[str, int]) -> None:
        key = next(change.key for change in act.changes if change.table == "sales_order")
        marks = self._query(
            f"SELECT is_deleted FROM fact_sales_order WHERE sales_order_id = {key:d} ORDER BY batch_sequence"  # noqa: S608 - a number
        )
        expect(f"versions of the deleted sales order {key}", before[str(key)] + 1, len(marks))
        expect(f"the deletion mark of sales order {key}", ("true",), marks[-1])

    # ------------------------------------------------------------------ means

    def _query(self, text: str) -> list[tuple[str, ...]]:
        found = run_query(self._athena, text, database=DATABASE, work_group=self._running.work_group)
        return [tuple("" if cell is None else cell for cell in row) for row in found.rows]

    def _source(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._running.source, client_encoding=ENCODING) as connection:
            return connection.execute(text.encode(), values or None).fetchall()

    def _in_warehouse(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            self._running.warehouse, client_encoding=ENCODING, options=f"-c search_path={WAREHOUSE_SCHEMA}"
        ) as connection:
            return connection.execute(text.encode()).fetchall()

    def _say(self, words: str) -> None:
        self._console.print(words, highlight=False)

    def _busy(self, words: str) -> Status:
        return self._console.status(words)


# ---------------------------------------------------------------------- pure parts


def words_of(tick: Tick) -> str:
    """The kinds of things that happened in a tick, shortly."""
    short = {
        "morning_paid_batch": "paid batch",
        "place_orders": "orders",
        "silent_amendment": "silent edit",
        "change_address": "address",
        "change_department": "department",
        "delete_an_order": "deletion",
    }
    return ", ".join(short[act.kind] for act in tick.acts)


def daily_rates(
    history: RateHistory, currency: str, days: Sequence[date]
) -> Iterator[tuple[date, Decimal | None, date | None]]:
    """The rate of each day, by the plainest means: the last one published until then, and of which day it is.

    Args:
        history: What is published.
        currency: The currency.
        days: The days.
    """
    first = load_pipeline().http_feeds["exchange_rate"].first_day
    published = [day for day in history.rates if day >= first]
    own = [day for day in published if currency in history.rates[day]]
    for day in days:
        place, newest = bisect_right(own, day), bisect_right(published, day)
        if not place or (published[newest - 1] - own[place - 1]).days > STALE_DAYS:
            yield day, None, None
        else:
            of = own[place - 1]
            yield day, Decimal(history.rates[of][currency]), of


def reported_sales(
    history: RateHistory, sales: Iterable[tuple[date, str, Decimal]], currency: str
) -> Iterator[tuple[date, int, int, Decimal | None, date | None]]:
    """Sales of each day in one currency, by plain means: each is converted and rounded, then all are added.

    Args:
        history: What is published.
        sales: Day, currency and amount of each.
        currency: The one currency.

    Yields:
        The day, its sales, those that have a rate, their sum, and of which day the newest rate is.
    """
    first = load_pipeline().http_feeds["exchange_rate"].first_day
    published = {day: {**rates, BASE: "1"} for day, rates in history.rates.items() if day >= first}
    both: dict[str, list[date]] = {}
    by_day: dict[date, list[tuple[Decimal | None, date | None]]] = {}
    days = list(published)
    for day, sold_in, amount in sales:
        if sold_in not in both:
            both[sold_in] = [one for one in days if {sold_in, currency} <= published[one].keys()]
        place, newest = bisect_right(both[sold_in], day), bisect_right(days, day)
        of = both[sold_in][place - 1] if place else None
        found: tuple[Decimal | None, date | None] = (None, None)
        if sold_in == currency:
            found = (amount, None)
        elif of is not None and (days[newest - 1] - of).days <= STALE_DAYS:
            units = published[of]
            rate = (Decimal(units[currency]) / Decimal(units[sold_in])).quantize(RATE, ROUND_HALF_UP)
            found = ((amount * rate).quantize(HUNDREDTHS, ROUND_HALF_UP), of)
        by_day.setdefault(day, []).append(found)
    for day, rows in sorted(by_day.items()):
        amounts = [amount for amount, _ in rows if amount is not None]
        rated = [of for _, of in rows if of is not None]
        yield (
            day,
            len(rows),
            len(amounts),
            sum(amounts, Decimal(0)) if amounts else None,
            max(rated, default=None),
        )


def of_month(days: Sequence[tuple[str, ...]]) -> tuple[str, str, str, str]:
    """What the days of a month come to: orders, those without a rate, revenue, and the newest rate's day.

    Args:
        days: Of each day, as the lake shows it.
    """
    orders = sum(int(day[1]) for day in days)
    converted = sum(int(day[2]) for day in days)
    revenue = sum((Decimal(day[3]) for day in days if day[3]), Decimal(0))
    return str(orders), str(orders - converted), with_commas(str(revenue)), max(day[4] for day in days)


def spark_seconds(events: Sequence[JobEvent]) -> str:
    """How long each job took that ran on Spark or after it, in words.

    Args:
        events: The job runs that began and ended.
    """
    took = {event.job: event.seconds for event in events if event.state == "SUCCEEDED"}
    parts = [f"{job} {took[job]:.1f} s" for job in SPARK_JOBS.values() if job in took]
    return f"  On Spark: {', '.join(parts)}."


def expect(what: str, wanted: Any, found: Any) -> None:
    """Raise unless two things are equal.

    Raises:
        Difference: They are not.
    """
    if wanted != found:
        raise Difference(f"{what}: expected {wanted}, found {found}")


def with_commas(cell: str) -> str:
    """A number with commas between its thousands; any other text as it is."""
    whole, point, fraction = cell.partition(".")
    return f"{int(whole):,}{point}{fraction}" if whole.isdecimal() and len(whole) > 4 else cell


def answer_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Table:
    """An answer: what each row is about at the left, its numbers and days at the right."""
    table = Table(*headings, title=title, title_justify="left", title_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def ticks_table(rows: Sequence[Told]) -> Table:
    """The table by tick."""
    table = Table(title="What the pipeline did", title_justify="left", title_style="bold")
    table.add_column("run")
    table.add_column("what happened")
    for heading in ("rows captured", "new versions", "loaded", "seconds to the warehouse"):
        table.add_column(heading, justify="right")
    for name, words, outcome, took in rows:
        seconds = "-" if took is None else f"{took:.1f}"
        counts = (outcome.rows, outcome.versions, outcome.loaded)
        table.add_row(name, words, *(f"{count:,}" for count in counts), seconds)
    return table


def reconciliation_table(report: Report) -> Table:
    """The reconciliation, table by table."""
    table = Table(title="Source, lake and warehouse, compared to the row", title_justify="left")
    table.title_style = "bold"
    table.add_column("table")
    for heading in ("source", "lake", "warehouse"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for found in report.tables:
        counts = (found.source, found.lake, found.warehouse)
        shown = ["" if count is None else f"{count:,}" for count in counts]
        table.add_row(f"{found.zone}.{found.table}", *shown, found.verdict)
    return table


# ---------------------------------------------------------------------- the frame


def main(
    state: Path | None = None,
    spark_tick: int | None = SPARK_TICK,
    ticks: int = TICKS,
    *,
    keep: bool = False,
    today: date | None = None,
) -> int:
    """Show the whole pipeline on a generated totesys that lives for some ticks.

    Args:
        state: Where the stack lives, which must be empty; a temporary directory unless told.
        spark_tick: The tick whose batch is forced onto Spark; none where it is None.
        ticks: How many ticks it lives for.
        keep: Whether the stack is left running where all went well.
        today: The day on which it is shown; the last tick is on the working day before.

    Returns:
        0 where everything arrived as it happened, 130 when interrupted, else 1.
    """
    console = Console(width=None if sys.stdout.isatty() else 110)
    began = time.monotonic()
    today = today or datetime.now(UTC).date()
    last_day = today
    for _ in range(ticks + 1):
        last_day = last_finished_day(last_day)
    try:
        if spark_tick is not None:
            for job in SPARK_JOBS.values():
                require_for(job, console.print)
        with (
            _terminable(),
            _directory(state, console, keep=keep) as directory,
            _stack(directory, console, last_day, keep=keep) as running,
        ):
            Demonstration(directory, running, console, spark_tick, ticks, today).run()
    except (Difference, UserError, QueryFailed) as error:
        console.print(f"demo: FAILED: {error}", style="bold red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: interrupted; nothing is left running")
        return _INTERRUPTED
    console.print(f"demo: OK ({time.monotonic() - began:.0f} seconds)", style="bold green", highlight=False)
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a request to terminate end the demo as Ctrl-C does, with everything taken down."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _directory(state: Path | None, console: Console, *, keep: bool) -> Iterator[Path]:
    """A fresh directory, gone afterwards if all went well and nobody asked for it."""
    if state is not None and state.exists() and any(state.iterdir()):
        raise UserError(
            f"{state} is not empty.", "The demo starts afresh: remove it, or name another directory, or none."
        )
    directory = state or Path(tempfile.mkdtemp(prefix="lakehouse-demo-"))
    try:
        yield directory
    except KeyboardInterrupt:
        if state is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    except Exception:
        if directory.exists() and any(directory.iterdir()):
            console.print(
                f"The stack's files and logs are kept in {directory}", highlight=False, soft_wrap=True
            )
        raise
    if state is None and not keep:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _stack(directory: Path, console: Console, last_day: date, *, keep: bool) -> Iterator[Running]:
    """A running stack with a generated source, down again afterwards unless all went well and it is kept."""
    is_kept = False
    try:
        with console.status("starting the stack") as status:
            started = up(directory, UpOptions(scale=1, until=last_day.isoformat()), status.update)
        rows = sum(started.rows.values())
        console.print(
            f"A totesys with {rows:,} rows runs beside a lake and a warehouse, all on this machine."
        )
        yield started.running
        is_kept = keep
        if keep:
            console.print(
                f"The stack goes on: look around with lakehouse dashboard --state {directory}, or status,"
                f" sql, docs, and end it with lakehouse down --state {directory}.",
                highlight=False,
                soft_wrap=True,
            )
    finally:
        # A second Ctrl-C must not leave half of it running.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if not is_kept:
                down(directory, lambda _: None)
        finally:
            signal.signal(signal.SIGINT, before)
