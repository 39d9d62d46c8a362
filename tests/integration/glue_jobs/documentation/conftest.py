"""A documentation bucket for each test; tests that only read share one of a week, and one of a lake."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.documentation import catalogue_site, validation_site
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page
from glue_jobs.documentation.validation_site import build
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, Partition, TableCommit
from glue_jobs.lake.partitions import register_live, register_new
from lakehouse.local_deployment import deploy_tables
from local_aws.endpoint.app import Endpoint, create_endpoint
from sites.validation import entries
from tools.site_screenshot import commit_week

_numbers = itertools.count()


class Site:
    """A documentation bucket, the ingestion bucket whose verdicts it shows, and what was put into it."""

    def __init__(self, endpoint: Endpoint) -> None:
        number = next(_numbers)
        self.s3: Any = endpoint.client("s3")
        self.glue: Any = endpoint.client("glue")
        self.ingestion = f"site-ingestion-{number}"
        self.bucket = Bucket(self.s3, f"site-documentation-{number}")
        self.puts: list[str] = []
        self.asked: list[dict[str, Any]] = []
        for name in (self.ingestion, self.bucket.name):
            where = {"LocationConstraint": endpoint.region}
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        self.s3.meta.events.register("before-parameter-build.s3.PutObject", self._note)
        self.glue.meta.events.register("before-parameter-build.glue.GetPartitions", self._note_partitions)

    @property
    def clients(self) -> LakeClients:
        """The lake's clients, new ones for each run, as each job makes its own."""
        return LakeClients(self.s3, self.glue, self.ingestion, self.ingestion)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        if params["Bucket"] == self.bucket.name:
            self.puts.append(params["Key"])

    def _note_partitions(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(dict(params))

    def build(self) -> list[str]:
        """Run what the job runs; returns the keys that it put, in order."""
        del self.puts[:]
        build(self.clients, self.bucket, load_catalogue())
        publish_front_page(self.bucket)
        return list(self.puts)

    def build_catalogue(self) -> list[str]:
        """Run what the job of the catalogue site runs; returns the keys that it put, in order."""
        del self.puts[:]
        catalogue_site.build(self.clients, self.bucket, load_catalogue())
        publish_front_page(self.bucket)
        return list(self.puts)

    def objects(self) -> dict[str, bytes]:
        """Every object of the documentation bucket."""
        return {name: self.bucket.get(name) or b"" for name in self.bucket.names("")}


@contextmanager
def new_site(folder: Path) -> Iterator[Site]:
    with create_endpoint(folder) as endpoint:
        yield Site(endpoint)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with new_site(tmp_path) as made:
        yield made


@pytest.fixture(scope="package")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of a week with a batch a day, built; for tests that only read it."""
    with new_site(tmp_path_factory.mktemp("week")) as made:
        commit_week(made.s3, made.ingestion, batches=1)
        made.build()
        yield made


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A catalogue site, built, of a lake with two captures of payments, of which one is loaded."""
    with new_site(tmp_path_factory.mktemp("lake")) as made:
        fill_lake(made)
        made.build_catalogue()
        yield made


def fill_lake(site: Site) -> None:
    """Deploy the tables; capture payments on two far days, judge the last, build and load the first."""
    catalogue = load_catalogue()
    deploy_tables(site.glue, catalogue, site.clients.buckets)
    payment, fact = catalogue.raw["payment"], catalogue.star["fact_payment"]
    for batch, day in ((1, "2026-10-01"), (2, "2026-11-16")):
        values = {"captured_date": day, "batch": str(batch)}
        captured = Partition(values, f"{payment.prefix}captured_date={day}/batch={batch}/attempt=a/", ())
        tables = {"payment": TableCommit(partitions=(captured,))}
        commit = Commit("capture", batch, "a", f"{day}T10:00:00.000Z", batch, batch, tables)
        site.clients.log("capture").publish(commit)
        register_new(site.clients, payment, [captured])
    versions = {f"created_month={month}": layout.version_label(1, "b") for month in ("2026-09", "2026-10")}
    built = {"fact_payment": TableCommit(versions=versions)}
    for stage, tables in (("facts", built), ("load", {})):
        commit = Commit(stage, 1, "b", f"2026-10-01T1{len(stage)}:00:00.000Z", 1, 1, tables)
        site.clients.log(stage).publish(commit)
    register_live(site.clients, fact, built["fact_payment"])
    verdict = entries.Entry("payment", 2, "2026-11-16T10:01:00.000Z", 50, 3, 1, 0, ())
    site.bucket.put(f"{validation_site.RECORDS}2026-11-16.json", entries.to_json([verdict]))
