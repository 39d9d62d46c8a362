"""An AWS endpoint for the lake's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from catalog.catalogue import Catalogue, load_catalogue
from catalog.glue import database_input, table_input
from glue_jobs.lake.clients import LakeClients
from local_aws.endpoint.app import create_endpoint

BUCKETS = {"ingestion": "an-ingestion", "processed": "a-processed"}


class Lake(NamedTuple):
    """Clients of an endpoint that has the buckets and an empty catalogue."""

    s3: Any
    glue: Any
    catalogue: Catalogue
    folder: Path

    @property
    def clients(self) -> LakeClients:
        return LakeClients(self.s3, self.glue, **BUCKETS)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("aws")
    catalogue = load_catalogue()
    with create_endpoint(folder) as endpoint:
        s3, glue = endpoint.client("s3"), endpoint.client("glue")
        for name in BUCKETS.values():
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        for zone in catalogue.zones.values():
            glue.create_database(DatabaseInput=database_input(zone))
        for contract in catalogue.tables:
            glue.create_table(
                DatabaseName=contract.zone_info.database,
                TableInput=table_input(contract, BUCKETS[contract.zone_info.bucket]),
            )
        yield Lake(s3, glue, catalogue, folder)
