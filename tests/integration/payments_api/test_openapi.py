"""The OpenAPI document says what is answered: a tool makes requests of it, good ones and bad ones."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from lakehouse.payments import PaymentsServer
from local_aws.gateway.http_api import HttpApi
from payments_api.app import PROBLEM, create_app
from payments_api.handler import as_function
from payments_api.schedule import Selection
from payments_api.warehouse import Reading, Warehouse, open_reader
from tests import lake as lakes
from tests.examples import examples
from tests.looks import commit_capture, look
from tests.payments import REPORTING, PaymentsWarehouse, Version, ask
from tools.browser import serving


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeClients]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        lakes.lake(tmp_path_factory.mktemp("lake"), monkeypatch) as made,
    ):
        yield made.clients


@pytest.fixture(scope="module")
def served(ledger: PaymentsWarehouse, lake: LakeClients) -> Iterator[PaymentsServer]:
    """The function behind its gateway, over some payments that are known as of now."""
    batch = commit_capture(lake, utc_now())
    look(lake, load_catalogue(), utc_now(), batch)
    ledger.loaded(batch)
    today = utc_now().date()
    ledger.put([Version(one, today + dt.timedelta(days=one - 6)) for one in range(1, 12)])
    source = Warehouse(lambda: open_reader(ledger.dsn), lake, ledger.catalogue, REPORTING)
    with PaymentsServer(HttpApi(as_function(create_app(source, REPORTING))), 0) as server, serving(server):
        yield server
    source.close()


class Nobody:
    """A source that nobody asks."""

    def read(self, _: Selection) -> Reading:
        raise NotImplementedError


schema = schemathesis.openapi.from_dict(create_app(Nobody(), REPORTING).openapi())


def names_no_day(case: Any) -> bool:
    """Whether a place is on a day that there is none of: its pattern cannot say how long a month is."""
    place = str((case.query or {}).get("after", ""))
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}_\d{1,10}", place, re.ASCII):
        return False
    try:
        dt.date.fromisoformat(place[:10])
    except ValueError:
        return True
    return False


@schema.parametrize()
@settings(max_examples=examples(15, 200), suppress_health_check=list(HealthCheck))
def test_every_request_that_the_document_allows_or_forbids_is_answered_as_it_says(
    served: PaymentsServer, case: Any
) -> None:
    spared = [positive_data_acceptance] if names_no_day(case) else []
    case.call_and_validate(base_url=served.url, excluded_checks=spared)


def test_the_document_names_every_answer_and_says_problems_as_problems(api: HttpApi) -> None:
    document = ask(api, "/openapi.json").body
    assert sorted(document["paths"]) == [
        "/health",
        "/ready",
        "/v1/payments",
        "/v1/payments/last5",
        "/v1/payments/next5",
    ]
    for path, methods in document["paths"].items():
        assert list(methods) == ["get"]
        for status in ("422", "500", "503"):
            assert list(methods["get"]["responses"][status]["content"]) == [PROBLEM], (path, status)
    said = document["components"]["schemas"]["Payment"]["properties"]
    assert said["amount"]["type"] == "string"
    assert {one.get("type") for one in said["amount_gbp"]["anyOf"]} == {"string", "null"}
    text = Path(__file__).parents[3].joinpath("docs", "payments.md").read_text("utf-8")
    assert [name for name in said if f"`{name}`" not in text] == []
