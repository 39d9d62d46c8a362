"""A stack's endpoint with Athena in front of moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pyarrow as pa
import pytest

from local_aws.athena.service import AthenaService
from local_aws.endpoint.app import create_endpoint
from local_aws.endpoint.layers import json_service
from tests.integration.local_aws.athena.lake import LAKE, RESULTS, Lake, register_orders


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A database `shop` with `orders`, a fact of three months in versioned folders, and `currencies`."""
    state = tmp_path_factory.mktemp("stack")
    endpoint = create_endpoint(state)
    service = AthenaService(
        endpoint.client("glue"),
        endpoint.client("s3"),
        endpoint.client("athena"),
        spool=state / "athena",
        path_of=lambda bucket, key: endpoint.bucket_dir(bucket) / key,
    )
    endpoint.add(json_service("AmazonAthena", service))
    with endpoint:
        made = Lake(
            endpoint,
            endpoint.client("glue"),
            endpoint.client("s3"),
            endpoint.client("athena"),
            tmp_path_factory.mktemp("scratch"),
        )
        for bucket in (LAKE, RESULTS):
            made.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region}
            )
        made.glue.create_database(DatabaseInput={"Name": "shop"})
        register_orders(made)
        made.table("currencies", {"code": "string", "name": "string"})
        made.put(
            pa.table({"code": ["GBP", "USD", "EUR"], "name": ["Pound", "Dollar", "Euro"]}),
            "currencies/part-0.parquet",
        )
        yield made
        service.close()


@pytest.fixture
def table_name() -> Callable[[], str]:
    """Names that no other test uses."""
    return lambda: f"t_{uuid4().hex[:12]}"
