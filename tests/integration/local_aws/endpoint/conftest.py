"""An AWS endpoint for a module's tests, and an empty bucket for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.endpoint.app import Endpoint, create_endpoint

BUCKET = "shop-ingestion"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with create_endpoint(tmp_path_factory.mktemp("stack")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Iterator[Any]:
    client = endpoint.client("s3")
    yield client
    client.close()


@pytest.fixture
def s3(endpoint: Endpoint, client: Any) -> Iterator[Any]:
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
    yield client
    for bucket in endpoint.bucket_dir(BUCKET).parent.iterdir():
        shutil.rmtree(bucket)


@pytest.fixture
def directory(endpoint: Endpoint) -> Path:
    return endpoint.bucket_dir(BUCKET)
