"""A warehouse of payments, and the function over it at a time that the test sets."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.lake.clients import LakeClients
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import create_endpoint
from local_aws.gateway.http_api import HttpApi
from payments_api.app import create_app
from payments_api.handler import as_function
from payments_api.warehouse import Warehouse, open_reader
from tests.payments import REPORTING, PaymentsWarehouse


class Clock:
    """A time that stands still until the test sets another."""

    def __init__(self) -> None:
        self.at = dt.datetime(2024, 11, 15, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.at

    def naive(self) -> dt.datetime:
        return self.at.astimezone(dt.UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-") as directory,
        EmbeddedPostgres(Path(directory), durable=False) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def ledger(server: EmbeddedPostgres) -> PaymentsWarehouse:
    return PaymentsWarehouse(server, "warehouse")


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeClients]:
    """A lake before its first capture."""
    with create_endpoint(tmp_path_factory.mktemp("endpoint")) as endpoint:
        s3: Any = endpoint.client("s3")
        s3.create_bucket(
            Bucket="ingestion", CreateBucketConfiguration={"LocationConstraint": endpoint.region}
        )
        yield LakeClients(s3, endpoint.client("glue"), "ingestion")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def source(ledger: PaymentsWarehouse, empty_lake: LakeClients, clock: Clock) -> Iterator[Warehouse]:
    made = Warehouse(
        lambda: open_reader(ledger.dsn), empty_lake, ledger.catalogue, REPORTING, now=clock.naive
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def api(source: Warehouse, clock: Clock) -> HttpApi:
    """The function behind a gateway that lets everybody in."""
    return HttpApi(as_function(create_app(source, REPORTING, clock)))
