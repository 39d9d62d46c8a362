"""The function that is deployed, called with events as API Gateway's documentation states them."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.runtime.errors import UserError
from local_aws.endpoint.app import create_endpoint
from payments_api.handler import Settings
from tests.payments import PaymentsWarehouse, Version

EVENTS = Path(__file__).parent / "events"
DAY = dt.date(2024, 11, 14)

_CALLS = """
import json, sys
from payments_api.handler import handle
for line in sys.stdin:
    print("ANSWER " + json.dumps(handle(json.loads(line), None)), flush=True)
"""


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return found


class Container:
    """A process that answers one event after the other, as a container of Lambda's does."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CALLS],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, name: str) -> tuple[int, Any]:
        """Status and body of the answer to an event."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event(name)) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("ANSWER "):
                answered = json.loads(line.removeprefix("ANSWER "))
                assert answered["isBase64Encoded"] is False
                return answered["statusCode"], json.loads(answered["body"])
        raise AssertionError("the function ended")


@pytest.fixture(scope="module")
def container(ledger: PaymentsWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The function with nothing but its environment, and the rights of whoever it finds there."""
    with create_endpoint(tmp_path_factory.mktemp("function")) as endpoint:
        endpoint.client("s3").create_bucket(
            Bucket="ingestion", CreateBucketConfiguration={"LocationConstraint": endpoint.region}
        )
        endpoint.client("secretsmanager").create_secret(
            Name="payments", SecretString=json.dumps({"dsn": ledger.dsn})
        )
        made = Container(
            {**endpoint.environment(), "INGESTION_BUCKET": "ingestion", "WAREHOUSE_SECRET": "payments"}
        )
        try:
            yield made
        finally:
            assert made.process.stdin is not None
            assert made.process.stdout is not None
            made.process.stdin.close()
            made.process.wait(timeout=60)
            made.process.stdout.close()


def test_recorded_events_are_answered_one_after_the_other(
    container: Container, ledger: PaymentsWarehouse
) -> None:
    ledger.put([Version(1, DAY), Version(2, DAY, currency="EUR"), Version(3, dt.date(2024, 11, 20))])
    status, body = container("program_asks_last5")
    assert (status, [one["payment_id"] for one in body["payments"]]) == (200, [1])
    status, body = container("person_asks_next5")
    assert (status, [one["payment_id"] for one in body["payments"]]) == (200, [3])
    status, body = container("person_asks_a_page")
    assert (status, [one["payment_id"] for one in body["payments"]], body["next"]) == (
        200,
        [2],
        "2024-11-14_2",
    )
    for name, wanted in (
        ("parameter_is_stated_twice", 422),
        ("something_is_posted", 405),
        ("path_is_unknown", 404),
    ):
        status, body = container(name)
        assert (status, body["status"]) == (wanted, wanted)


def test_an_environment_that_lacks_something_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"lacks WAREHOUSE_SECRET\. State it"):
        Settings.of({"INGESTION_BUCKET": "b"})
    with pytest.raises(UserError, match="lacks INGESTION_BUCKET, WAREHOUSE_SECRET"):
        Settings.of({"INGESTION_BUCKET": ""})
