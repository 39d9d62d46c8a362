"""Both engines over one bucket, and what strikes the executors of Spark."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Dataset, Destination, Engine
from glue_jobs.lake.commits import DataObject, Partition
from local_aws.endpoint.app import Endpoint, create_endpoint

if TYPE_CHECKING:
    import pyarrow as pa

BUCKET = "shop-processed"


@dataclass
class Strikes:
    """What befalls the process that makes a request: it is killed before or after the request is done.

    Attributes:
        method: The requests' method.
        times: How many processes are still to be struck; a process is struck once.
        after: Whether the request is done first.
        paths: The requests of S3's that were seen.
    """

    method: str = "PUT"
    times: int = 0
    after: bool = True
    paths: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def layer(self, behind: Any) -> Any:
        """What goes in front of an endpoint."""

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            self.paths.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            strikes = self._strikes(environ)
            if strikes and not self.after:
                _kill(environ)
            answer = behind(environ, start_response)
            if strikes and self.after:
                answer = [b"".join(answer)]
                _kill(environ)
            return answer

        return application

    def _strikes(self, environ: dict[str, Any]) -> bool:
        with self._lock:
            strikes = self.times > 0 and environ["REQUEST_METHOD"] == self.method
            self.times -= strikes
            return strikes


def _kill(environ: dict[str, Any]) -> None:
    """End the process at the other end of a connection, unless it is this one."""
    address = (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]))
    [owner] = {one.pid for one in psutil.net_connections("tcp4") if one.laddr == address and one.pid}
    assert owner != os.getpid()
    os.kill(owner, signal.SIGKILL)


@dataclass
class Site:
    """A bucket, and the requests that are made of it.

    Attributes:
        endpoint: The endpoint.
        s3: A client.
        strikes: See there.
    """

    endpoint: Endpoint
    s3: Any
    strikes: Strikes
    folders: Iterator[str]

    def prefix(self) -> str:
        """A prefix of its own for a test."""
        return next(self.folders)

    def listed(self, prefix: str) -> dict[str, int]:
        """Sizes of the objects below a prefix, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}

    def body(self, data: DataObject) -> bytes:
        """An object's bytes."""
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=data.key)["Body"].read()
        return content


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    endpoint = create_endpoint(tmp_path_factory.mktemp("aws"))
    strikes = Strikes()
    endpoint.add(strikes.layer)
    with endpoint:
        s3 = endpoint.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        yield Site(endpoint, s3, strikes, (f"star/table_{number}/" for number in range(1000)))


@pytest.fixture(scope="module")
def engines(
    site: Site, spark_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Engine]]:
    from pyspark.sql import SparkSession

    from glue_jobs.engine.spark import SparkEngine

    made: dict[str, Engine] = {
        "embedded": EmbeddedEngine(site.s3, tmp_path_factory.mktemp("duckdb"), 256 << 20, 1, 1 << 30),
        "spark": SparkEngine(site.endpoint.region, "tests"),
    }
    session = SparkSession.getActiveSession()
    assert session is not None
    session.sparkContext.environment.update(site.endpoint.environment())
    # As on Glue; a laptop's jobs are too small for it.
    session.conf.set("spark.sql.adaptive.enabled", "true")
    yield made
    session.conf.set("spark.sql.adaptive.enabled", "false")
    for engine in made.values():
        engine.close()


@pytest.fixture(params=["embedded", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Iterator[Engine]:
    """Each engine, without any relation."""
    yield engines[request.param]
    engines[request.param].forget()


@pytest.fixture
def spark(engines: dict[str, Engine]) -> Iterator[Engine]:
    """Spark alone."""
    yield engines["spark"]
    engines["spark"].forget()


@pytest.fixture
def embedded(engines: dict[str, Engine]) -> Iterator[Engine]:
    """DuckDB alone."""
    yield engines["embedded"]
    engines["embedded"].forget()


def dataset(
    schema: pa.Schema, written: dict[str, tuple[DataObject, ...]], destination: Destination, by: pa.Schema
) -> Dataset:
    """What was written, as a commit names it."""
    names: Sequence[str] = by.names
    partitions = tuple(
        Partition(dict(zip(names, [value], strict=False)), destination.location(value), found)
        for value, found in written.items()
    )
    return Dataset(destination.bucket, schema, by, partitions)
