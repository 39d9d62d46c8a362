"""How payments are answered over HTTP: pages, caches, problems, rights, and as of when they are known."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.catalogue import load_catalogue
from catalog.star_views import athena_views
from catalog.warehouse_names import OFFSET_TABLE
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import iso, utc_now
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.gateway.http_api import HttpApi
from payments_api import warehouse
from payments_api.app import create_app
from payments_api.handler import as_function
from payments_api.schedule import DIRECTIONS, Selection, reads, statement
from payments_api.warehouse import Warehouse, open_reader
from tests import lake as lakes
from tests.integration.payments_api.conftest import Clock
from tests.looks import commit_capture, look
from tests.payments import REPORTING, PaymentsWarehouse, Rate, Version, ask, ids

PATHS = ("/v1/payments/last5", "/v1/payments/next5", "/v1/payments")
DAY = dt.date(2024, 11, 16)


def versions(number: int) -> list[Version]:
    return [Version(one, DAY) for one in range(1, number + 1)]


def assert_problem(asked: Any, status: int) -> None:
    assert asked.status == status
    assert asked.headers["content-type"] == "application/problem+json"
    assert asked.headers["cache-control"] == "no-store"
    assert asked.body["status"] == status
    assert "Traceback" not in json.dumps(asked.body)


# --- what is answered ---------------------------------------------------------------------------------


def test_a_payment_says_what_finance_asked_for_and_nothing_personal(
    api: HttpApi, ledger: PaymentsWarehouse, clock: Clock
) -> None:
    clock.at = dt.datetime(2024, 11, 15, 12, tzinfo=dt.UTC)
    ledger.put([Version(20881, dt.date(2024, 11, 15), type="PURCHASE_PAYMENT", counterparty=2, paid=True)])
    assert ask(api, "/v1/payments/last5").body == {
        "as_of": "2024-11-15",
        "data_as_of": None,
        "payments": [
            {
                "payment_id": 20881,
                "payment_date": "2024-11-15",
                "amount": "10.00",
                "currency": "GBP",
                "amount_gbp": "10.00",
                "rate_date": None,
                "rate_is_final": True,
                "type": "PURCHASE_PAYMENT",
                "direction": "out",
                "counterparty": {"counterparty_id": 2, "name": "Counterparty 2"},
                "paid": True,
                "overdue": False,
            }
        ],
    }
    catalogue = load_catalogue()
    personal = {
        column.name
        for contract in (*catalogue.raw.values(), *catalogue.star.values())
        for column in contract.columns
        if column.personal
    }
    assert len(personal) >= 5
    assert not personal & {name for columns in reads(REPORTING).values() for name in columns}


def test_the_types_and_columns_that_are_read_are_those_of_the_contracts() -> None:
    catalogue = load_catalogue()
    (kinds,) = (c for c in catalogue.raw["payment_type"].columns if c.name == "payment_type_name")
    assert set(DIRECTIONS) == set(kinds.allowed_values or ())
    shown = {
        view.name: view.columns for contract in catalogue.star.values() for view in athena_views(contract)
    }
    shown |= {contract.table: contract.all_columns for contract in catalogue.star.values()}
    for table, columns in reads(REPORTING).items():
        if table != OFFSET_TABLE:
            assert set(columns) <= {column.name for column in shown[table]}


def test_as_of_moves_the_day_and_not_what_is_known(
    api: HttpApi, ledger: PaymentsWarehouse, clock: Clock
) -> None:
    clock.at = dt.datetime(2024, 11, 15, 12, tzinfo=dt.UTC)
    ledger.put([Version(1, DAY), Version(1, DAY, batch=2, paid=True)])
    assert ids(ask(api, "/v1/payments/next5")) == []
    assert ids(ask(api, "/v1/payments/last5")) == []
    assert ids(ask(api, "/v1/payments/last5?as_of=2024-11-16")) == [1]
    assert ask(api, "/v1/payments/last5?as_of=2024-11-16").body["as_of"] == "2024-11-16"


def test_a_page_goes_on_where_the_one_before_ended_though_payments_come_and_go(
    api: HttpApi, ledger: PaymentsWarehouse
) -> None:
    ledger.put(versions(5))
    first = ask(api, "/v1/payments?limit=2")
    assert (ids(first), first.body["next"]) == ([1, 2], "2024-11-16_2")
    # The first ones go, and one comes before the place: nothing is shown twice, and nothing is left out.
    ledger.put([Version(9, dt.date(2024, 11, 1)), *versions(5)[1:]])
    second = ask(api, f"/v1/payments?limit=2&after={first.body['next']}")
    assert (ids(second), second.body["next"]) == ([3, 4], "2024-11-16_4")
    third = ask(api, f"/v1/payments?limit=2&after={second.body['next']}")
    assert (ids(third), third.body["next"]) == ([5], None)
    assert ids(ask(api, "/v1/payments?after=2024-11-16_9999999999")) == []


def test_a_payment_that_is_moved_between_pages_is_shown_where_it_is_then(
    api: HttpApi, ledger: PaymentsWarehouse
) -> None:
    before = [Version(one, DAY + dt.timedelta(one)) for one in range(1, 7)]
    ledger.put(before)
    first = ask(api, "/v1/payments?limit=3")
    moved = [Version(1, DAY + dt.timedelta(30), batch=2), Version(6, DAY, batch=2)]
    ledger.put([*before, *moved])
    second = ask(api, f"/v1/payments?after={first.body['next']}")
    assert (ids(first), ids(second)) == ([1, 2, 3], [4, 5, 1])


def test_an_answer_that_has_not_changed_is_not_sent_again(
    api: HttpApi, ledger: PaymentsWarehouse, clock: Clock
) -> None:
    clock.at = dt.datetime(2024, 11, 15, 12, tzinfo=dt.UTC)
    ledger.put(versions(1))
    first = ask(api, "/v1/payments/next5")
    assert first.headers["cache-control"] == "private, max-age=60"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = ask(api, "/v1/payments/next5", If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    ledger.put(versions(2))
    changed = ask(api, "/v1/payments/next5", If_None_Match=first.headers["etag"])
    assert ids(changed) == [1, 2]
    assert changed.headers["etag"] != first.headers["etag"]


def test_rates_of_years_are_looked_up_without_comparing_them_row_against_row(
    ledger: PaymentsWarehouse,
) -> None:
    ledger.put(versions(20))
    days = [dt.date(2023, 1, 2) + dt.timedelta(number) for number in range(1500)]
    ledger.publish(Rate(day, currency, Decimal("1.25")) for day in days for currency in ("GBP", "USD"))
    text, parameters = statement(Selection("all", DAY), '"public"', REPORTING)
    try:
        with psycopg.connect(ledger.owner) as owner:
            owner.execute("ANALYZE")
            asked = f"EXPLAIN (ANALYZE, FORMAT JSON) {text}"
            row = owner.execute(asked.encode(), parameters).fetchone()
    finally:
        ledger.publish([])
    assert row is not None
    plans, compared = [row[0][0]["Plan"]], 0
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        compared += plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Join Filter", 0))
    # All pairs of the calendar's days and the rates would be ten millions.
    assert compared < 500_000


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "parameter", "reason"),
    [
        ("as_of=15.11.2024", "as_of", "it is a day, YYYY-MM-DD"),
        ("as_of=2024-02-30", "as_of", "there is no such day"),
        ("as_of=1731628800", "as_of", "it is a day, YYYY-MM-DD"),
        ("as_of=2024-11-15T00:00:00", "as_of", "it is a day, YYYY-MM-DD"),
        ("as_of=", "as_of", "it is a day, YYYY-MM-DD"),
        ("as_of=2024-11-15%0A", "as_of", "it is a day, YYYY-MM-DD"),
        ("as_of=%FF", "as_of", "it is a day, YYYY-MM-DD"),
        ("type=SALES", "type", "it is one of SALES_RECEIPT, PURCHASE_REFUND, PURCHASE_PAYMENT, SALES_REFUND"),
        ("currency=gbp", "currency", "String should match pattern '^[A-Z]{3}$'"),
        ("currency=GBP%0A", "currency", "String should match pattern '^[A-Z]{3}$'"),
        ("curency=GBP", "curency", "there is no such parameter"),
        ("currency=GBP&currency=EUR", "currency", "it is stated more than once"),
    ],
)
def test_a_question_that_is_not_understood_is_refused_by_its_parameter(
    api: HttpApi, path: str, query: str, parameter: str, reason: str
) -> None:
    refused = ask(api, f"{path}?{query}")
    assert_problem(refused, 422)
    assert refused.body["errors"] == [{"parameter": parameter, "reason": reason}]
    assert parameter in refused.body["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("after=2024-11-16", "after"),
        ("after=2024-02-30_1", "after"),
        ("after=2024-11-16_1'", "after"),
        ("after=2024-11-16_1%0A", "after"),
        ("after=2024-11-16_-1", "after"),
        ("after=0000-01-01_1", "after"),
        ("after=", "after"),
        ("limit=", "limit"),
        ("limit=1e1", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.0", "limit"),
        ("limit=-1", "limit"),
        ("limit=%D9%A1", "limit"),
    ],
)
def test_a_page_that_is_not_understood_is_refused_by_its_parameter(
    api: HttpApi, query: str, parameter: str
) -> None:
    refused = ask(api, f"/v1/payments?{query}")
    assert_problem(refused, 422)
    assert [one["parameter"] for one in refused.body["errors"]] == [parameter]


def test_what_was_given_is_not_said_again(api: HttpApi, capsys: pytest.CaptureFixture[str]) -> None:
    refused = ask(api, "/v1/payments?as_of=mysecret&currency=mysecret")
    assert_problem(refused, 422)
    assert "mysecret" not in json.dumps(refused.body) + capsys.readouterr().out


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/payments/",
        "/v1/payments/last5/?limit=1",
        "/health/",
        "//v1/payments",
        "/v1/payments/last6",
        "/v1/payments/1",
        "/docs",
        "/v2/payments",
    ],
)
def test_what_is_not_there_is_a_problem(api: HttpApi, path: str) -> None:
    assert_problem(ask(api, path), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_is_written(api: HttpApi, method: str) -> None:
    refused = ask(api, "/v1/payments", method)
    assert_problem(refused, 405)
    assert refused.headers["allow"] == "GET"


# --- what goes wrong ----------------------------------------------------------------------------------


def test_a_session_that_was_ended_is_opened_again(api: HttpApi, ledger: PaymentsWarehouse) -> None:
    ledger.put(versions(1))
    assert ask(api, "/v1/payments").status == 200
    with psycopg.connect(ledger.superuser) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'payments_reader'"
        ).fetchall()
    assert ended == [(True,)]
    assert ids(ask(api, "/v1/payments")) == [1]


def over(ledger: PaymentsWarehouse, lake: LakeClients, dsn: str, clock: Clock) -> HttpApi:
    source = Warehouse(lambda: open_reader(dsn), lake, ledger.catalogue, REPORTING, now=clock.naive)
    return HttpApi(as_function(create_app(source, REPORTING, clock)))


@pytest.mark.parametrize("path", [*PATHS, "/ready"])
def test_a_warehouse_that_is_down_is_a_problem_that_tells_no_address(
    ledger: PaymentsWarehouse, empty_lake: LakeClients, clock: Clock, path: str
) -> None:
    down = over(ledger, empty_lake, "postgresql://payments_reader:mysecret@127.0.0.1:1/warehouse", clock)
    refused = ask(down, path)
    assert_problem(refused, 503)
    assert refused.headers["retry-after"] == "60"
    assert "127.0.0.1" not in json.dumps(refused.body)
    assert ask(down, "/health").body == {"status": "ok"}


def test_a_warehouse_that_nothing_was_loaded_into_is_a_problem(
    server: EmbeddedPostgres, ledger: PaymentsWarehouse, empty_lake: LakeClients, clock: Clock
) -> None:
    server.ensure_database("nothing")
    assert_problem(
        ask(over(ledger, empty_lake, server.dsn("payments_reader", "nothing"), clock), PATHS[0]), 503
    )


def test_a_question_that_takes_too_long_is_given_up(
    api: HttpApi, ledger: PaymentsWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, psycopg.connect(ledger.owner) as connection:
        patched.setattr(warehouse, "LIMITS", dict.fromkeys(warehouse.LIMITS, "50ms"))
        connection.execute("LOCK TABLE fact_payment IN ACCESS EXCLUSIVE MODE")
        assert_problem(ask(api, "/v1/payments"), 503)
    assert ask(api, "/v1/payments").status == 200


def test_a_failure_of_the_code_is_a_problem_and_a_log_line_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        def read(self, _: object) -> Any:
            raise ZeroDivisionError("mysecret")

    refused = ask(HttpApi(as_function(create_app(Broken(), REPORTING))), "/v1/payments")
    assert_problem(refused, 500)
    logged = capsys.readouterr()
    assert "ZeroDivisionError" in logged.out
    assert "mysecret" not in json.dumps(refused.body) + logged.out + logged.err


def test_the_role_reads_what_is_answered_and_nothing_else(ledger: PaymentsWarehouse) -> None:
    with psycopg.connect(ledger.dsn, autocommit=True) as reader:
        for table, columns in reads(REPORTING).items():
            reader.execute(f"SELECT {', '.join(columns)} FROM {table}".encode())
        for refused in (
            "SELECT counterparty_legal_phone_number FROM dim_counterparty",
            "SELECT * FROM fact_payment",
            "SELECT * FROM dim_staff",
            "UPDATE dim_currency SET currency_code = 'XXX'",
            "DELETE FROM load_offset",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused.encode())


# --- as of when ---------------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeClients]:
    with lakes.lake(tmp_path, monkeypatch) as made:
        yield made.clients


def test_three_idle_days_are_fresh_and_a_capture_that_stopped_is_not(
    ledger: PaymentsWarehouse, lake: LakeClients
) -> None:
    clock = Clock()
    api = over(ledger, lake, ledger.dsn, clock)
    seen = utc_now()
    clock.at = seen.replace(tzinfo=dt.UTC)
    ledger.loaded(0)
    before = ask(api, "/ready")
    assert_problem(before, 503)
    assert "cannot be told" in before.body["detail"]
    batch = commit_capture(lake, seen - dt.timedelta(days=3))
    look(lake, load_catalogue(), seen, batch)
    ledger.loaded(batch)
    assert ask(api, "/ready").body == {"status": "ready", "data_as_of": iso(seen), "age_seconds": 0}
    clock.at += dt.timedelta(minutes=30)
    assert ask(api, "/ready").body["age_seconds"] == 1800
    clock.at += dt.timedelta(minutes=1)
    stopped = ask(api, "/ready")
    assert_problem(stopped, 503)
    assert iso(seen) in stopped.body["detail"]
    # The payments are answered all the same, and say as of when they are known.
    assert ask(api, "/v1/payments").body["data_as_of"] == iso(seen)


def test_what_another_lake_loaded_is_not_as_of_this_ones_looks(
    ledger: PaymentsWarehouse, lake: LakeClients
) -> None:
    clock = Clock()
    clock.at = utc_now().replace(tzinfo=dt.UTC)
    batch = commit_capture(lake, clock.naive())
    ledger.loaded(batch, "another")
    api = over(ledger, lake, ledger.dsn, clock)
    assert ask(api, "/v1/payments").body["data_as_of"] is None
    ledger.loaded(batch, lake.identity)
    assert ask(api, "/v1/payments").body["data_as_of"] == iso(clock.naive())


def test_a_lake_that_cannot_be_read_leaves_the_payments_and_says_not_as_of_when(
    ledger: PaymentsWarehouse, lake: LakeClients, tmp_path: Path
) -> None:
    gone = LakeClients(lake.s3, lake.glue, "no-such-bucket")
    clock = Clock()
    api = over(ledger, gone, ledger.dsn, clock)
    ledger.loaded(1, "a lake")
    assert ask(api, "/v1/payments").body["data_as_of"] is None
    assert_problem(ask(api, "/ready"), 503)
