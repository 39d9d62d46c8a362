"""Exchange rates: what was published is in the lake, every revision of it, and what was not is nowhere."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bi.dashboard import load_dashboard
from bi.questions import load_questions
from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.project import VARIABLE, packed, project_folder
from catalog.warehouse import metadata, views
from glue_jobs.lake.commits import CommitConflict, CommitLog
from glue_jobs.lake.source_state import CaptureState, SourceState
from glue_jobs.maintenance import reach
from glue_jobs.reconciliation.comparison import _read_landed
from glue_jobs.reconciliation.lake_rows import open_lake
from glue_jobs.runtime.athena import run_query
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources import feeds
from glue_jobs.sources.rates_run import RatesArguments, run
from glue_jobs.sources.web import WebAnswer
from lakehouse.alerts import cloudwatch_of
from lakehouse.as_of import as_of
from lakehouse.local_deployment import deploy_views
from local_aws.alarms import ALARM, OK
from tests.cross_rates import CASES, chosen_pairs, in_views, wanted
from tests.faults.pipeline import athena_over
from tests.lake import Lake, Row, at, lake, raw_row
from tests.rates import WORKFLOW, Provider, begin, body, fetch, line

LIVE = b'{"rates": {"USDGBP": {"rate": 0.746331, "timestamp": 1795522200}}, "code": 200}'
FRIDAY, MONDAY, TUESDAY = "2026-11-20", "2026-11-23", "2026-11-24"
HISTORY = {
    ("GBP", day): "1.1500" for day in ("2022-10-03", "2023-10-02", "2024-10-02", "2025-10-03", "2026-10-05")
}
"""A rate in each part of the history that is asked for."""


@pytest.fixture
def rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with lake(tmp_path, monkeypatch) as one:
        one.glue.create_workflow(Name=WORKFLOW)
        # Without a dimension only the reporting currency is asked for, which is enough for most.
        one.capture({})
        yield one


@pytest.fixture
def traded(rates: Lake) -> Lake:
    begin(rates, "GBP", "USD", "EUR")
    return rates


def captured(lake: Lake) -> list[tuple[str, str, Decimal, Decimal | None, str]]:
    """The rates of every capture, in order."""
    names = ("currency_code", "rate_date", "units_per_base", "previous_units_per_base", "operation")
    found = [tuple(row[name] for name in names) for row in rows_of(lake)]
    return [(code, str(of), *rest) for code, of, *rest in found]


def rows_of(lake: Lake) -> list[Row]:
    tables = [commit.tables.get("exchange_rate") for commit in lake.log("capture").after(0)]
    partitions = [one for table in tables if table is not None for one in table.partitions]
    return lake._read([data.key for partition in partitions for data in partition.objects])


def landed(lake: Lake, refused: str = "") -> dict[str, bytes]:
    folder = lake.folder("ingestion") / "landing/exchange_rate/ecb" / refused
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def unequal(lake: Lake) -> tuple[list[Any], dict[str, str]]:
    """What the lake lacks or has otherwise than the landed answers, and why that cannot be told."""
    with duckdb.connect() as workspace:
        workspace.execute("CREATE SCHEMA source")
        pipeline, catalogue = load_pipeline(), load_catalogue()
        unread = _read_landed(workspace, open_lake(lake.clients), catalogue, pipeline.feeds, lambda _: None)
        names = [column.name for column in catalogue.raw["exchange_rate"].columns]
        rows = workspace.execute(f"SELECT {', '.join(names)} FROM source.exchange_rate").fetchall()
    should_be = {row[0]: row for row in rows}
    spelled = [tuple(None if row[n] is None else str(row[n]) for n in names) for row in rows_of(lake)]
    is_so = {row[0]: row for row in spelled}
    keys = should_be.keys() | is_so.keys()
    return sorted(key for key in keys if should_be.get(key) != is_so.get(key)), unread


def test_what_is_published_becomes_rows_and_what_is_asked_again_adds_nothing(traded: Lake) -> None:
    provider = Provider({("USD", FRIDAY): "1.1592", ("GBP", FRIDAY): "0.8831", ("USD", MONDAY): "1.1600"})
    assert fetch(traded, provider, f"{TUESDAY}T10:10") == 0
    assert captured(traded) == [
        ("GBP", FRIDAY, Decimal("0.883100000"), None, "insert"),
        ("USD", FRIDAY, Decimal("1.159200000"), None, "insert"),
        ("USD", MONDAY, Decimal("1.160000000"), Decimal("1.159200000"), "insert"),
    ]
    batches = traded.log("capture").latest_sequence()
    assert fetch(traded, provider, f"{TUESDAY}T11:10") == 0
    assert traded.log("capture").latest_sequence() == batches
    assert unequal(traded) == ([], {})


def test_the_first_run_asks_for_the_history_in_parts_and_later_ones_for_the_window(rates: Lake) -> None:
    provider = Provider({**HISTORY, ("GBP", MONDAY): "1.1600"}, instead=WebAnswer(b"", "text/csv"))
    # A year without any rate is asked for again: the bank may have failed without a word.
    for answers, known in [(WebAnswer(b"", "text/csv"), 0), (None, 6)]:
        provider.instead = answers
        provider.asked.clear()
        fetch(rates, provider, f"{TUESDAY}T10:10")
        assert "?startPeriod=2022-10-01&" in provider.asked[0]
        assert all("D.GBP.EUR.SP00.A" in url for url in provider.asked)
        assert len(provider.asked) == 5
        assert len(captured(rates)) == known
    provider.asked.clear()
    fetch(rates, provider, f"{TUESDAY}T11:10")
    (url,) = provider.asked
    assert "startPeriod=2026-11-10&endPeriod=2026-11-24" in url


def test_rates_that_grow_old_are_told_until_newer_ones_come(
    rates: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = load_pipeline()
    file = read_alarms(pipeline)
    alarm = spell_out(file, pipeline, load_catalogue())["rates-old"]
    watch, provider = cloudwatch_of(file), Provider({("GBP", FRIDAY): "1.1600"})
    # From Friday's rate on five days may pass, which is longer than any pause for holidays.
    for day in range(8):
        fetch(rates, provider, f"2026-11-{21 + day}T10:10")
        watch.read(day * 86400.0, capsys.readouterr().out)
    until = 8 * 86400.0
    assert watch.messages(alarm, 0, until) == [OK, ALARM]
    provider.published["GBP", "2026-11-27"] = "1.1650"
    fetch(rates, provider, "2026-11-29T10:10")
    watch.read(until, capsys.readouterr().out)
    assert watch.messages(alarm, 0, until + 86400) == [OK, ALARM, OK]


def test_after_a_long_outage_the_window_reaches_back_to_what_is_known(rates: Lake) -> None:
    provider = Provider({**HISTORY, ("GBP", "2026-10-01"): "1.1600"})
    fetch(rates, provider, "2026-10-01T16:10")
    provider.asked.clear()
    fetch(rates, provider, f"{TUESDAY}T11:10")
    assert "startPeriod=2026-10-01&" in provider.asked[0]


@pytest.mark.slow
def test_a_currency_that_is_new_is_asked_for_from_the_first_day(traded: Lake) -> None:
    provider = Provider({("USD", MONDAY): "1.1600", ("PLN", "2023-01-02"): "4.6843"})
    fetch(traded, provider, f"{TUESDAY}T10:10")
    begin(traded, "GBP", "USD", "EUR", "PLN")
    fetch(traded, provider, f"{TUESDAY}T11:10")
    assert ("PLN", "2023-01-02", Decimal("4.684300000"), None, "insert") in captured(traded)


def test_a_revision_is_a_version_and_so_is_its_withdrawal(rates: Lake) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592", ("GBP", MONDAY): "1.1600"})
    for hour, units in enumerate(["1.1600", "1.1610", "1.1600"], start=10):
        provider.published["GBP", MONDAY] = units
        fetch(rates, provider, f"{TUESDAY}T{hour}:10")
    of_monday = [(units, operation) for _, of, units, _, operation in captured(rates) if of == MONDAY]
    assert of_monday == [
        (Decimal("1.160000000"), "insert"),
        (Decimal("1.161000000"), "update"),
        (Decimal("1.160000000"), "update"),
    ]
    assert unequal(rates) == ([], {})


def test_the_star_keeps_every_revision_and_a_rate_beyond_belief_is_a_dead_letter(traded: Lake) -> None:
    provider = Provider({("USD", FRIDAY): "1.1592", ("GBP", FRIDAY): "0.8831", ("USD", MONDAY): "11.600"})
    fetch(traded, provider, f"{TUESDAY}T10:10")
    traded.transform()
    assert traded.open_dead_letters()["exchange_rate"] == 1
    provider.published["USD", MONDAY] = "1.1600"
    fetch(traded, provider, f"{TUESDAY}T11:10")
    provider.published["USD", MONDAY] = "1.1601"
    fetch(traded, provider, f"{TUESDAY}T12:10")
    traded.transform()
    assert traded.open_dead_letters().get("exchange_rate", 0) == 0
    versions = [
        (str(row["rate_date"]), row["units_per_base"], row["rate_month"])
        for row in traded.rows("fact_exchange_rate")
        if row["currency_code"] == "USD"
    ]
    assert versions == [
        (FRIDAY, Decimal("1.159200000"), "2026-11"),
        (MONDAY, Decimal("1.160000000"), "2026-11"),
        (MONDAY, Decimal("1.160100000"), "2026-11"),
    ]
    assert {str(row["date_id"]) for row in traded.rows("dim_date")} >= {FRIDAY, MONDAY}


@pytest.mark.slow
def test_a_good_rate_that_was_rejected_beside_a_wrong_one_is_taken_once_that_one_is_corrected(
    traded: Lake,
) -> None:
    provider = Provider({("USD", FRIDAY): "1.1592", ("USD", MONDAY): "11.600", ("USD", TUESDAY): "1.1610"})
    fetch(traded, provider, f"{TUESDAY}T10:10")
    traded.transform()
    assert traded.open_dead_letters()["exchange_rate"] == 2
    provider.published["USD", MONDAY] = "1.1600"
    fetch(traded, provider, f"{TUESDAY}T11:10")
    assert captured(traded)[-2:] == [
        ("USD", MONDAY, Decimal("1.160000000"), Decimal("1.159200000"), "update"),
        ("USD", TUESDAY, Decimal("1.161000000"), Decimal("1.160000000"), "update"),
    ]
    # A day that is published late comes before another.
    provider.published["USD", "2026-11-19"] = "1.1595"
    fetch(traded, provider, f"{TUESDAY}T12:10")
    traded.transform()
    assert traded.open_dead_letters().get("exchange_rate", 0) == 0
    assert unequal(traded) == ([], {})
    # What comes again unchanged is no other version.
    rows = traded.rows("fact_exchange_rate")
    assert sorted((str(row["rate_date"]), row["units_per_base"]) for row in rows) == [
        ("2026-11-19", Decimal("1.159500000")),
        (FRIDAY, Decimal("1.159200000")),
        (MONDAY, Decimal("1.160000000")),
        (TUESDAY, Decimal("1.161000000")),
    ]


def test_two_wrong_rates_that_agree_are_rejected_and_the_good_one_after_them_is_not(traded: Lake) -> None:
    good = {("USD", f"2026-11-{day}"): "1.1592" for day in (16, 17, 18)}
    provider = Provider({**good, ("USD", "2026-11-19"): "11.60", ("USD", FRIDAY): "11.61"})
    provider.published["USD", MONDAY] = "1.1610"
    fetch(traded, provider, f"{TUESDAY}T10:10")
    traded.transform()
    assert traded.open_dead_letters()["exchange_rate"] == 2
    days = [str(row["rate_date"]) for row in traded.rows("fact_exchange_rate")]
    assert sorted(days) == ["2026-11-16", "2026-11-17", "2026-11-18", MONDAY]
    assert unequal(traded) == ([], {})


def test_a_wrong_answer_fails_whole_and_is_kept_for_a_person(rates: Lake) -> None:
    provider = Provider({("GBP", FRIDAY): "0.8831"})
    fetch(rates, provider, f"{MONDAY}T10:10")
    before, batches = landed(rates), rates.log("capture").latest_sequence()
    parked = WebAnswer(b"<html>This name is for sale.</html>", "text/html")
    cut_off = WebAnswer(body(line("GBP", MONDAY, "0.89"))[:-2], "text/csv")
    for answer, words in [(parked, "text/html"), (cut_off, "cut off")]:
        provider.instead = answer
        with pytest.raises(UserError, match=words):
            fetch(rates, provider, f"{TUESDAY}T10:10")
    assert rates.log("capture").latest_sequence() == batches
    assert landed(rates) == before
    kept = {hashlib.sha256(answer.body).hexdigest(): answer.body for answer in (parked, cut_off)}
    assert landed(rates, "refused") == kept
    provider.instead = None
    assert fetch(rates, provider, f"{TUESDAY}T11:10") == 0


def test_an_answer_without_observations_is_one_and_changes_nothing(rates: Lake) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})
    fetch(rates, provider, f"{MONDAY}T10:10")
    provider.instead = WebAnswer(b"", "")
    assert fetch(rates, provider, f"{TUESDAY}T10:10") == 0
    assert unequal(rates) == ([], {})


def test_a_run_before_the_first_capture_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    with lake(tmp_path, monkeypatch) as one:
        assert fetch(one, provider, f"{TUESDAY}T10:10") == 0
    assert provider.asked == []


def test_killed_between_landing_and_commit_the_next_run_publishes_it(
    rates: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(rates, provider, f"{MONDAY}T10:10")
    assert captured(rates) == []
    missing, _ = unequal(rates)
    assert len(missing) == 1, "the reconciliation sees what no commit names"
    provider.published["GBP", FRIDAY] = "1.1600"
    fetch(rates, provider, f"{MONDAY}T11:10")
    assert [row[2] for row in captured(rates)] == [Decimal("1.159200000"), Decimal("1.160000000")]
    assert unequal(rates) == ([], {})


def test_a_lost_an_altered_and_an_extra_answer_turn_the_reconciliation_red(rates: Lake) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})
    fetch(rates, provider, f"{MONDAY}T10:10")
    folder = rates.folder("ingestion") / "landing/exchange_rate/ecb"
    (path,) = (one for one in folder.iterdir() if one.stat().st_size)
    known, key = path.read_bytes(), f"landing/exchange_rate/ecb/{path.name}"
    bucket = rates.buckets["ingestion"]

    rates.s3.put_object(Bucket=bucket, Key=key, Body=known.replace(b"1.1592", b"1.1593"))
    assert "is not what was received" in unequal(rates)[1]["exchange_rate"]
    rates.s3.delete_object(Bucket=bucket, Key=key)
    assert "is missing, though a commit names it" in unequal(rates)[1]["exchange_rate"]
    rates.s3.put_object(Bucket=bucket, Key=key, Body=known)
    assert unequal(rates) == ([], {})

    more = body(line("GBP", MONDAY, "1.1601"))
    name = hashlib.sha256(more).hexdigest()
    rates.s3.put_object(Bucket=bucket, Key=f"landing/exchange_rate/ecb/{name}", Body=more)
    assert len(unequal(rates)[0]) == 1


def test_a_row_that_a_commit_has_and_no_answer_turns_it_red(
    rates: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})
    real = feeds.raw_rows
    monkeypatch.setattr(
        feeds,
        "raw_rows",
        lambda contract, rows, at: real(contract, [{**r, "base_currency": "USD"} for r in rows], at),
    )
    fetch(rates, provider, f"{MONDAY}T10:10")
    assert len(unequal(rates)[0]) == 1


def test_a_feed_carries_on_the_tables_and_a_replay_the_feeds(rates: Lake) -> None:
    rates.capture({}, live={"currency": [1, 2, 3]})
    before = SourceState.of(rates.commit("capture"))
    fetch(rates, Provider({**HISTORY, ("GBP", FRIDAY): "1.1592"}), f"{MONDAY}T10:10")
    after = SourceState.of(rates.commit("capture"))
    assert after.tables == before.tables
    assert after.tables["currency"] != CaptureState()
    assert after.feeds["exchange_rate"].asked == ("ecb/GBP",)
    assert after.captured_at >= before.captured_at


def test_times_do_not_run_back_along_the_log(rates: Lake) -> None:
    ahead = dataclasses.replace(
        SourceState.of(rates.commit("capture")), captured_at="2031-01-01T00:00:00.000Z"
    )
    newest = rates.commit("capture")
    batch = newest.sequence + 1
    rates.log("capture").publish(
        dataclasses.replace(
            newest,
            sequence=batch,
            first_batch=batch,
            last_batch=batch,
            attempt="a",
            tables={},
            state=ahead.state,
        )
    )
    fetch(rates, Provider({("GBP", FRIDAY): "1.1592"}), f"{MONDAY}T10:10")
    assert rates.commit("capture").captured_at == "2031-01-01T00:00:00.000Z"


def test_housekeeping_keeps_what_a_kept_commit_says_of_feeds(rates: Lake) -> None:
    fetch(rates, Provider({("GBP", FRIDAY): "1.1592"}), f"{MONDAY}T10:10")
    state = SourceState.of(rates.commit("capture")).feeds["exchange_rate"]
    named = {one.key for one in state.objects}
    assert len(named) == 2
    # Long after, when a capture that knows nothing of it but carries it on is the newest.
    newest = rates.commit("capture")
    batch = newest.sequence + 1
    rates.log("capture").publish(
        dataclasses.replace(newest, sequence=batch, attempt="later", tables={}, state=dict(newest.state))
    )
    cutoff = dt.datetime(2040, 1, 1)  # noqa: DTZ001 - the lake's times have no zone
    assert named <= reach.read(rates.clients, load_catalogue(), cutoff).state


def test_a_feed_that_is_always_second_says_so_and_loses_nothing(
    rates: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})

    def second(log: CommitLog, commit: Any) -> None:
        raise CommitConflict(log.stage, commit.sequence)

    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "publish", second)
        with pytest.raises(UserError, match="first 5 times"):
            fetch(rates, provider, f"{MONDAY}T10:10")
    fetch(rates, provider, f"{MONDAY}T11:10")
    assert len(captured(rates)) == 1


def test_another_run_of_the_feed_that_was_first_is_not_undone(
    rates: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider({("GBP", FRIDAY): "1.1592"})
    newer = Provider({("GBP", FRIDAY): "1.1600"})
    real, once = CommitLog.publish, threading.Event()

    def publish(log: CommitLog, commit: Any) -> None:
        if not once.is_set():
            once.set()
            fetch(rates, newer, f"{MONDAY}T10:20")
        real(log, commit)

    monkeypatch.setattr(CommitLog, "publish", publish)
    fetch(rates, provider, f"{MONDAY}T10:10")
    assert captured(rates)[-1][2] == Decimal("1.160000000")
    assert unequal(rates)[0] == [], "what the second run reads of the first one's answer is read in order"


def test_the_days_of_a_range_are_asked_for_again(rates: Lake) -> None:
    provider = Provider({("GBP", "2024-03-01"): "1.0813"})
    fetch(rates, provider, f"{MONDAY}T10:10")
    provider.published["GBP", "2024-03-01"] = "1.0814"
    provider.asked.clear()
    fetch(rates, provider, f"{MONDAY}T11:10", first="2024-03-01", last="2024-03-31")
    fetch(rates, provider, f"{MONDAY}T11:10", first=FRIDAY, last="9999-12-31")
    assert [url.partition("?")[2] for url in provider.asked] == [
        "startPeriod=2024-03-01&endPeriod=2024-03-31&format=csvdata",
        f"startPeriod={FRIDAY}&endPeriod={MONDAY}&format=csvdata",
    ]
    assert captured(rates)[-1][1:3] == ("2024-03-01", Decimal("1.081400000"))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"first": "1 March"}, "no day"),
        ({"first": "2027-01-01"}, "before the first"),
    ]
    for given, words in wrong:
        with pytest.raises(UserError, match=words):
            fetch(rates, provider, f"{MONDAY}T11:10", **given)


def test_another_provider_is_asked_from_the_first_day_and_of_what_was_kept_nothing_is_read_twice(
    rates: Lake,
) -> None:
    fetch(rates, Provider({("GBP", FRIDAY): "0.8831"}), f"{MONDAY}T10:10")
    pipeline = load_pipeline()
    feed = pipeline.feeds["exchange_rate"].model_copy(update={"provider": "freeforexapi"})
    other = pipeline.model_copy(update={"feeds": {"exchange_rate": feed}})
    live = Provider(instead=WebAnswer(LIVE, "application/json"))
    for hour in (11, 12):
        assert fetch(rates, live, f"{TUESDAY}T{hour}:10", other) == 0
    assert live.asked == ["https://data-api.ecb.europa.eu/service/data/EXR?pairs=USDGBP"] * 2
    rows = [(row["provider"], row["base_currency"], row["currency_code"]) for row in rows_of(rates)]
    assert rows == [("ecb", "EUR", "GBP"), ("freeforexapi", "USD", "GBP")]
    assert unequal(rates) == ([], {})
    with pytest.raises(UserError, match="answers for today alone"):
        fetch(rates, live, f"{TUESDAY}T13:10", other, first="2024-03-01")


def test_each_feed_asks_where_its_own_provider_answers(rates: Lake) -> None:
    pipeline = load_pipeline()
    feed = pipeline.feeds["exchange_rate"]
    live = feed.model_copy(update={"provider": "freeforexapi", "url": "https://live.example/api"})
    both = pipeline.model_copy(update={"feeds": {"exchange_rate": feed, "live_rate": live}})
    asked = []

    def get(url: str, accepted: Sequence[str]) -> WebAnswer:
        asked.append(url.partition("?")[0])
        return WebAnswer(LIVE if "pairs=" in url else b"", accepted[0])

    for urls in ("", "live_rate=http://127.0.0.1:1/live exchange_rate=http://127.0.0.1:1/bank"):
        arguments = RatesArguments(
            rates.buckets["ingestion"], rates.buckets["processed"], rates.registry.name, WORKFLOW, urls=urls
        )
        moment = dt.datetime.fromisoformat(f"{TUESDAY}T10:10")
        assert run(arguments, rates.clients, load_catalogue(), both, moment, get) == 0
    assert list(dict.fromkeys(asked)) == [
        "https://data-api.ecb.europa.eu/service/data/EXR/D.GBP.EUR.SP00.A",
        "https://live.example/api",
        "http://127.0.0.1:1/bank/D.GBP.EUR.SP00.A",
        "http://127.0.0.1:1/live",
    ]


def test_what_somebody_put_among_the_answers_stops_nothing_and_is_told(rates: Lake) -> None:
    key = "landing/exchange_rate/ecb/" + hashlib.sha256(b"nonsense").hexdigest()
    rates.s3.put_object(Bucket=rates.buckets["ingestion"], Key=key, Body=b"nonsense")
    with pytest.raises(UserError, match="is no answer of ecb"):
        fetch(rates, Provider({("GBP", FRIDAY): "0.8831"}), f"{MONDAY}T10:10")
    assert len(captured(rates)) == 1
    assert "cannot be read again" in unequal(rates)[1]["exchange_rate"]


# --- amounts in the reporting currency ----------------------------------------------------------------------

SALES = {
    # By order: currency, day, units, price.
    1: (1, FRIDAY, 1000, "2.00"),
    2: (2, FRIDAY, 1000, "2.50"),
    3: (3, FRIDAY, 1020, "2.50"),
    4: (2, "2026-11-22", 1000, "2.50"),
    5: (2, "2026-10-30", 1000, "2.50"),
    6: (4, FRIDAY, 1000, "2.50"),
    7: (2, "2026-12-01", 1000, "2.50"),
}
STAR = load_catalogue().zones["star"].database
BOUGHT_AND_SOLD = ("fact_purchase_orders", "fact_sales_order")


@dataclasses.dataclass
class Sold:
    """A lake with sales in four currencies, of one of which there is no rate; a rate was revised since."""

    lake: Lake
    before: int
    """The last batch before the revision."""
    athena: Any

    def ask(self, sql: str) -> list[tuple[str | None, ...]]:
        group = load_pipeline().athena.work_group
        return [tuple(row) for row in run_query(self.athena, sql, STAR, work_group=group).rows]

    def as_known_before(self, sql: str) -> list[tuple[str | None, ...]]:
        return self.ask(as_of(load_catalogue(), STAR, sql, self.before, lambda _: 0))


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sold]:
    orders = [
        raw_row(
            "sales_order",
            key,
            currency_id=currency,
            created_at=at(f"{day} 12:00"),
            last_updated=at(f"{day} 12:00"),
            units_sold=units,
            unit_price=Decimal(price),
            agreed_delivery_date="2026-12-31",
            agreed_payment_date="2026-12-31",
        )
        for key, (currency, day, units, price) in SALES.items()
    ]
    provider = Provider({("USD", FRIDAY): "1.1592", ("GBP", FRIDAY): "0.8831", ("USD", MONDAY): "1.1600"})
    with (
        pytest.MonkeyPatch.context() as patch,
        lake(tmp_path_factory.mktemp("sold"), patch) as one,
        athena_over(one, tmp_path_factory.mktemp("athena")) as endpoint,
    ):
        one.glue.create_workflow(Name=WORKFLOW)
        begin(one, "GBP", "USD", "EUR", "XXX")
        one.capture({"sales_order": orders})
        fetch(one, provider, f"{TUESDAY}T10:10")
        before = one.log("capture").latest_sequence()
        provider.published["USD", FRIDAY] = "1.1292"
        fetch(one, provider, f"{TUESDAY}T11:10")
        one.transform()
        yield Sold(one, before, endpoint.client("athena"))


def converted(code: str) -> str:
    columns = f"sales_order_id, amount, amount_{code}, rate_to_{code}, rate_date, rate_is_final"
    return f"SELECT {columns} FROM fact_sales_order_{code} ORDER BY 1"


def test_an_amount_is_rounded_by_row_at_the_rate_of_its_day_and_none_where_there_is_none(sold: Sold) -> None:
    dollar = "0.761818495514"
    assert sold.as_known_before(converted("gbp")) == [
        ("1", "2000.00", "2000.00", "1.000000000000", None, "true"),
        ("2", "2500.00", "1904.55", dollar, FRIDAY, "true"),
        # Exactly half a penny goes up: 2251.905.
        ("3", "2550.00", "2251.91", "0.883100000000", FRIDAY, "true"),
        # On Sunday the last one before it; Monday has no pounds, and nothing is crossed of two days.
        ("4", "2500.00", "1904.55", dollar, FRIDAY, "true"),
        ("5", "2500.00", None, None, None, "true"),
        ("6", "2500.00", None, None, None, "false"),
        # Of a day that is to come the newest one, which may still change.
        ("7", "2500.00", "1904.55", dollar, FRIDAY, "false"),
    ]


def test_a_revised_rate_changes_past_months_and_what_was_known_before_is_still_answered(sold: Sold) -> None:
    month = load_questions()["revenue_by_month_reported"].sql
    old, new = sold.as_known_before(month), sold.ask(month)
    assert old == [
        ("2026-10", "GBP", "1", None, "1", "0", None, None),
        ("2026-11", "GBP", "5", "8061.01", "1", "1", FRIDAY, FRIDAY),
        ("2026-12", "GBP", "1", "1904.55", "0", "1", FRIDAY, FRIDAY),
    ]
    assert [row[3] for row in new] == [None, "8162.21", "1955.15"]
    assert [(*row[:3], *row[4:]) for row in new] == [(*row[:3], *row[4:]) for row in old]


def test_rates_used_shows_which_figures_a_revision_changed(sold: Sold) -> None:
    used = sold.ask(load_questions()["rates_used"].sql)
    assert [row[:9] for row in used] == [
        ("2026-10", "USD", None, None, "1", "2500.00", None, "0", None),
        ("2026-11", "EUR", FRIDAY, "0.883100000000", "1", "2550.00", "2251.91", "0", "1"),
        ("2026-11", "USD", FRIDAY, "0.782058094226", "2", "5000.00", "3910.30", "0", "2"),
        ("2026-11", "XXX", None, None, "1", "2500.00", None, "1", None),
        ("2026-12", "USD", FRIDAY, "0.782058094226", "1", "2500.00", "1955.15", "1", "2"),
    ]
    first, revised, again = (str(row[9]) for row in used if row[2])
    assert first < revised == again


def test_cross_rates_are_python_s_own_in_athena(sold: Sold) -> None:
    given = CASES + chosen_pairs(100)
    found = [rate for _, rate in sold.ask(in_views(given))]
    assert [rate and Decimal(rate) for rate in found] == [wanted(ours, theirs) for ours, theirs in given]


def test_another_reporting_currency_is_one_line_and_the_views_made_again(
    sold: Sold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in packed(project_folder()):
        place = project_folder() / name
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(place, target) if place.is_dir() else shutil.copy(place, target)
    pipeline = tmp_path / "catalog" / "pipeline.yaml"
    text = pipeline.read_text()
    pipeline.write_text(text.replace("reporting_currency: GBP", "reporting_currency: EUR"))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    deploy_views(sold.lake.glue, load_catalogue())
    dollar = "0.885582713425"
    assert sold.ask(converted("eur")) == [
        ("1", "2000.00", "2264.75", "1.132374589514", FRIDAY, "true"),
        ("2", "2500.00", "2213.96", dollar, FRIDAY, "true"),
        ("3", "2550.00", "2550.00", "1.000000000000", None, "true"),
        ("4", "2500.00", "2213.96", dollar, FRIDAY, "true"),
        ("5", "2500.00", None, None, None, "true"),
        ("6", "2500.00", None, None, None, "false"),
        ("7", "2500.00", "2155.17", "0.862068965517", MONDAY, "false"),
    ]
    month = load_questions()["revenue_by_month_reported"]
    assert month.title == "Revenue by month in EUR"
    assert [row[1:4] for row in sold.ask(month.sql)][1] == ("EUR", "5", "9242.67")
    assert {"revenue", "net"} <= {name for query in load_dashboard().queries.values() for name in query.money}
    wanted_views = [f"{name}_eur" for name in ("fact_exchange_rate", "fact_payment", *BOUGHT_AND_SOLD)]
    in_the_lake = {table["Name"] for table in sold.lake.glue.get_tables(DatabaseName=STAR)["TableList"]}
    in_the_warehouse = {view.name for view in views(load_catalogue(), metadata(load_catalogue()))}
    for made in (in_the_lake, in_the_warehouse):
        assert sorted(name for name in made if name.endswith(("_gbp", "_eur"))) == wanted_views
