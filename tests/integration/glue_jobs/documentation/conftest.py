"""A documentation bucket for each test, and one with a week of batches that reading tests share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page
from glue_jobs.documentation.validation_site import build
from local_stack.aws.app import create_endpoint
from tools.site_screenshot import commit_week

_numbers = itertools.count()


class Site:
    """A documentation bucket, the ingestion bucket whose verdicts it shows, and what was put into it."""

    def __init__(self, s3: Any, region: str) -> None:
        number = next(_numbers)
        self.s3 = s3
        self.ingestion = f"site-ingestion-{number}"
        self.bucket = Bucket(s3, f"site-documentation-{number}")
        self.puts: list[str] = []
        for name in (self.ingestion, self.bucket.name):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        s3.meta.events.register("before-parameter-build.s3.PutObject", self._note)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        if params["Bucket"] == self.bucket.name:
            self.puts.append(params["Key"])

    def build(self) -> list[str]:
        """Run what the job runs; returns the keys that it put, in order."""
        del self.puts[:]
        build(self.s3, self.ingestion, self.bucket, load_catalogue())
        publish_front_page(self.bucket)
        return list(self.puts)

    def objects(self) -> dict[str, bytes]:
        """Every object of the documentation bucket."""
        return {name: self.bucket.get(name) or b"" for name in self.bucket.names("")}


@contextmanager
def new_site(folder: Path) -> Iterator[Site]:
    with create_endpoint(folder) as endpoint:
        yield Site(endpoint.client("s3"), endpoint.region)


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
