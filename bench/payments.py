"""Ask for payments over HTTP.

The function behind the laptop's gateway, over loopback, one request after the other on one connection, over
as many payments as the business has, in three currencies, with the rates of four years. "seconds" are those
within which 95 of 100 requests were answered; the promise is 0.1. In turn with each request the same SQL is
sent by psycopg alone, on a session of its own: the note says how much longer the request takes. "exact" says
whether the payments are those that were to be answered.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from datetime import date, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from bench.harness import Row
    from bench.options import Options
    from lakehouse.embedded_postgres import EmbeddedPostgres
    from payments_api.schedule import Selection

OWN = 16_000
"""Payments of the business, about."""

REQUESTS = 100
FIRST, DAYS, TODAY = date(2022, 11, 1), 760, date(2024, 11, 15)
REPORTING = "GBP"

_FILL = """
INSERT INTO fact_payment
SELECT n, n, '2024-01-01', '09:30', '2024-01-01', '09:30', 1, 1, n + 0.25, 1 + n % 3, 1, n % 10 > 0,
       date '2022-11-01' + n % 760, 1, timestamp '2024-01-01 09:30', false
FROM generate_series(1, {rows}) AS n
"""


_FILL_RATES = """
INSERT INTO fact_exchange_rate
SELECT row_number() OVER (), row_number() OVER (), day, code, 'ecb', 'EUR',
       1 + extract(doy FROM day) / 1000, 1,
       timestamp '2024-01-01 09:30', false
FROM generate_series(date '2022-10-03', date '2026-10-02', interval '1 day') AS day,
     unnest(ARRAY['GBP', 'USD']) AS code
"""

_FILL_DAYS = """
INSERT INTO dim_date (date_id, year, month, day, day_of_week, day_name, month_name, quarter, batch_sequence,
                      captured_at, is_deleted)
SELECT day, 1, 1, 1, 1, 'a day', 'a month', 1, 1, timestamp '2024-01-01 09:30', false
FROM generate_series(date '2022-01-01', date '2027-12-31', interval '1 day') AS day
"""


def rows(_: Options) -> list[Row]:
    """Measure each question over as many payments as the business has."""
    from lakehouse.embedded_postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        _fill(server, "payments", OWN)
        with (
            _served(server, "payments", Path(name) / "endpoint") as port,
            server.connect("payments") as plain,
        ):
            return [_asked(port, plain, OWN, case) for case in _cases(OWN)]


class _Case(NamedTuple):
    """A question, what it selects, and the payments that answer it."""

    name: str
    path: str
    selection: Selection
    wanted: list[int]


def _cases(count: int) -> Iterator[_Case]:
    """The questions."""
    from payments_api.schedule import Selection

    due = sorted((FIRST + timedelta(n % DAYS), n, n % 10 > 0) for n in range(1, count + 1))
    last = [n for day, n, paid in due if day < TODAY or (day == TODAY and paid)][-5:][::-1]
    following = [n for day, n, paid in due if day >= TODAY and not paid][:5]
    yield _Case("the last five", f"/v1/payments/last5?as_of={TODAY}", Selection("last", TODAY), last)
    yield _Case("the next five", f"/v1/payments/next5?as_of={TODAY}", Selection("next", TODAY), following)
    hundred = [n for _, n, _ in due[:100]]
    yield _Case("a page of a hundred", "/v1/payments?limit=100", Selection("all", TODAY, 101), hundred)


def _asked(port: int, plain: Any, count: int, case: _Case) -> Row:
    from bench.harness import Row
    from payments_api.schedule import statement

    text, parameters = statement(case.selection, '"public"', REPORTING)
    taken, alone, right = [], [], True
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for _ in range(REQUESTS):
            began = time.perf_counter()
            connection.request("GET", case.path)
            body = connection.getresponse().read()
            taken.append(time.perf_counter() - began)
            began = time.perf_counter()
            plain.execute(text.encode(), parameters).fetchall()
            alone.append(time.perf_counter() - began)
            right &= [one["payment_id"] for one in json.loads(body).get("payments", ())] == case.wanted
    half, most = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    ratio = half / statistics.median(alone)
    note = f"{count:,} payments; half within {half * 1000:.0f} ms, {ratio:.2f} times the SQL alone"
    return Row(case.name, most, None, "yes" if right else "NO", note)


def _fill(server: EmbeddedPostgres, database: str, count: int) -> None:
    """The warehouse's tables, with payments and with what they name."""
    import psycopg
    import sqlalchemy as sa

    from catalog import warehouse
    from catalog.catalogue import load_catalogue
    from glue_jobs.warehouse import schema

    server.ensure_database(database)
    dsn = server.dsn(database=database)
    tables = warehouse.metadata(load_catalogue())
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    with engine.begin() as connection:
        schema.install(connection, tables, warehouse.views(load_catalogue(), tables))
    engine.dispose()
    with server.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(_FILL.format(rows=int(count)).encode())
        for table, columns in (
            ("dim_currency", "(currency_id, currency_code, currency_name) = (1, 'GBP', 'Pound')"),
            ("dim_currency", "(currency_id, currency_code, currency_name) = (2, 'EUR', 'Euro')"),
            ("dim_currency", "(currency_id, currency_code, currency_name) = (3, 'USD', 'Dollar')"),
            ("dim_payment_type", "(payment_type_id, payment_type_name) = (1, 'SALES_RECEIPT')"),
            ("dim_counterparty", "(counterparty_id, counterparty_legal_name) = (1, 'Somebody')"),
        ):
            _one_row(connection, table, columns)
        connection.execute(_FILL_DAYS.encode())
        connection.execute(_FILL_RATES.encode())
        connection.execute("VACUUM ANALYZE")


def _one_row(connection: Any, table: str, stated: str) -> None:
    """A row of a dimension; its other columns hold something of their types."""
    names, values = (part.strip(" ()") for part in stated.split("="))
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = %s AND is_nullable = 'NO' AND column_name <> ALL(%s)",
        [table, names.split(", ")],
    ).fetchall()
    plain = {"boolean": "false", "bigint": "1", "integer": "1", "timestamp without time zone": "now()"}
    more = [(name, plain.get(kind, "'Unknown'")) for name, kind in columns]
    listed = ", ".join([names, *(f'"{name}"' for name, _ in more)])
    connection.execute(
        f"INSERT INTO {table} ({listed}) VALUES ({', '.join([values, *(text for _, text in more)])})".encode()  # noqa: S608
    )


@contextmanager
def _served(server: EmbeddedPostgres, database: str, folder: Path) -> Iterator[int]:
    """The port of the function behind its gateway, over a lake before its first capture."""
    from catalog.catalogue import load_catalogue
    from glue_jobs.lake.clients import LakeClients
    from lakehouse.payments import PaymentsServer
    from local_aws.endpoint.app import create_endpoint
    from local_aws.gateway.http_api import HttpApi
    from payments_api.app import create_app
    from payments_api.handler import as_function
    from payments_api.warehouse import Warehouse, open_reader

    dsn = server.dsn(database=database)
    with create_endpoint(folder) as endpoint, (folder / "log").open("w") as log, redirect_stdout(log):
        lake = LakeClients(endpoint.client("s3"), endpoint.client("glue"), "none")
        source = Warehouse(lambda: open_reader(dsn), lake, load_catalogue(), REPORTING)
        with (
            closing(source),
            PaymentsServer(HttpApi(as_function(create_app(source, REPORTING))), 0) as served,
        ):
            thread = threading.Thread(target=served.serve_forever)
            thread.start()
            try:
                yield served.server_port
            finally:
                served.shutdown()
                thread.join()
