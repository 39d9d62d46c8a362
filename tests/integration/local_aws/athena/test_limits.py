"""A query runs in a process of its own, within limits; one that runs away ends alone, in words."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_aws.athena.jobs import Limits
from local_aws.athena.query_errors import AthenaError
from local_aws.athena.service import AthenaService
from local_aws.athena.syntax import LARGEST_STATEMENT
from tests.integration.local_aws.athena.lake import RESULTS, Lake

ENDLESS = (
    "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(y) "
    "CROSS JOIN UNNEST(sequence(1, 10000)) c(z) WHERE (x + y) * z % 7 = 3"
)
HUGE = (
    "SELECT cardinality(array_agg(lpad('a', 2000, 'b') || CAST(x * y AS varchar))) "
    "FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(y)"
)


class Small:
    """A service with limits of its own, asked without the network."""

    def __init__(self, service: AthenaService) -> None:
        self.service = service

    def start(self, sql: str) -> str:
        request = {"QueryString": sql, "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/limits/"}}
        answer = self.service.handle("StartQueryExecution", request)
        assert answer is not None
        return str(answer["QueryExecutionId"])

    def status(self, identity: str) -> dict[str, Any]:
        answer = self.service.handle("GetQueryExecution", {"QueryExecutionId": identity})
        assert answer is not None
        return dict(answer["QueryExecution"]["Status"])

    def ended(self, identity: str) -> dict[str, Any]:
        while (status := self.status(identity))["State"] in ("QUEUED", "RUNNING"):
            threading.Event().wait(0.01)
        return status


@pytest.fixture
def small(lake: Lake, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Small]:
    service = AthenaService(
        lake.glue,
        lake.s3,
        lake.athena,
        spool=tmp_path / "spool",
        path_of=lambda bucket, key: lake.endpoint.bucket_dir(bucket) / key,
        limits=request.param,
    )
    yield Small(service)
    service.close()


@pytest.mark.parametrize("small", [Limits(seconds=5)], indirect=True)
def test_a_query_without_end_is_ended_and_others_answer_meanwhile(small: Small) -> None:
    endless = small.start(ENDLESS)
    assert small.ended(small.start("SELECT 1"))["State"] == "SUCCEEDED"
    status = small.ended(endless)
    assert status["State"] == "FAILED"
    assert (
        "EXCEEDED_TIME_LIMIT: Query exceeded the maximum run time limit of 5 seconds"
        in status["StateChangeReason"]
    )


@pytest.mark.parametrize("small", [Limits(memory=512 * 1024**2)], indirect=True)
def test_a_query_that_takes_too_much_memory_ends_alone(small: Small) -> None:
    status = small.ended(small.start(HUGE))
    assert status["State"] == "FAILED"
    assert "EXCEEDED_LOCAL_MEMORY_LIMIT" in status["StateChangeReason"]
    assert small.ended(small.start("SELECT 1"))["State"] == "SUCCEEDED"


@pytest.mark.parametrize("small", [Limits()], indirect=True)
def test_a_query_that_is_stopped_is_gone(small: Small) -> None:
    endless = small.start(ENDLESS)
    while small.status(endless)["State"] == "QUEUED":
        threading.Event().wait(0.01)
    small.service.handle("StopQueryExecution", {"QueryExecutionId": endless})
    assert small.ended(endless)["State"] == "CANCELLED"


def runs_queries(process: psutil.Process) -> bool:
    """Whether a process is a server of queries, and not one that ended and that nobody has waited for yet."""
    try:
        return "local_aws.athena.worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("small", [Limits()], indirect=True)
def test_a_process_that_dies_before_its_query_has_another_in_its_place(small: Small) -> None:
    assert small.ended(small.start("SELECT 1"))["State"] == "SUCCEEDED"
    servers = [one for one in psutil.Process().children() if runs_queries(one)]
    server = max(servers, key=psutil.Process.create_time)
    while not (ready := server.children()):
        threading.Event().wait(0.01)
    for process in ready:
        process.kill()
    assert small.ended(small.start("SELECT 1"))["State"] == "SUCCEEDED"


@pytest.mark.parametrize("small", [Limits()], indirect=True)
def test_a_statement_has_a_largest_size(small: Small) -> None:
    with pytest.raises(AthenaError, match="a statement has 262,144 bytes at most"):
        small.start("SELECT '" + "x" * LARGEST_STATEMENT + "'")


@pytest.mark.parametrize("small", [Limits()], indirect=True)
def test_what_nobody_foresaw_keeps_its_traceback_in_the_log(
    small: Small, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("local_aws.athena.service.execute", broken)
    with caplog.at_level(logging.ERROR):
        status = small.ended(small.start("SELECT 1"))
    assert "GENERIC_INTERNAL_ERROR: RuntimeError: nobody foresaw this" in status["StateChangeReason"]
    assert "Traceback" in caplog.text


def test_limits_are_stated_in_the_environment() -> None:
    stated = {"LAKEHOUSE_ATHENA_MEMORY_MB": "512", "LAKEHOUSE_ATHENA_SECONDS": "30"}
    assert Limits.of(stated) == Limits(memory=512 * 1024**2, seconds=30)
    assert Limits.of({}) == Limits()
    with pytest.raises(ValueError, match="LAKEHOUSE_ATHENA_SECONDS is 'soon'; state a whole number"):
        Limits.of({"LAKEHOUSE_ATHENA_SECONDS": "soon"})
