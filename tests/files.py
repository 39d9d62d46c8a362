"""A carrier that puts files into a bucket of its own, and the job that fetches them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from botocore.exceptions import ClientError

from catalog.catalogue import load_catalogue
from catalog.pipeline import Pipeline, load_pipeline
from glue_jobs.sources.files_run import FilesArguments, run
from tests.lake import Lake

WORKFLOW = "transform"
FEED = "delivery_event"
STATED = load_pipeline().file_feeds[FEED]
BUCKET = load_pipeline().external_buckets[STATED.bucket].bucket
PREFIX = STATED.prefix


def event(number: int, **changes: Any) -> dict[str, Any]:
    """An event as the carrier states it."""
    stated = {
        "id": number,
        "delivery": {"id": 100 + number // 10, "order": 1},
        "carrier": "Swift Parcels",
        "status": "in_transit",
        "at": "2024-11-15T10:00:00.000Z",
        "parcel": {"weight_kg": 1.5},
    }
    return {**stated, **changes}


def lines(*events: Any) -> bytes:
    """Events, one a line."""
    return "".join(f"{json.dumps(one)}\n" for one in events).encode()


@dataclasses.dataclass
class Carrier:
    """The bucket of a carrier, on the endpoint of a lake."""

    lake: Lake

    def __post_init__(self) -> None:
        where = {"LocationConstraint": "eu-west-2"}
        try:
            self.lake.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise
            for name in self.names():
                self.remove(name)

    def names(self) -> list[str]:
        found = self.lake.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return [one["Key"].removeprefix(PREFIX) for one in found]

    def put(self, name: str, body: bytes) -> None:
        self.lake.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{name}", Body=body)

    def remove(self, name: str) -> None:
        self.lake.s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}{name}")


def fetch(lake: Lake, pipeline: Pipeline | None = None, **given: str) -> int:
    """Run the job."""
    arguments = FilesArguments(
        lake.buckets["ingestion"], lake.buckets["processed"], lake.registry.name, WORKFLOW, **given
    )
    return run(arguments, lake.clients, load_catalogue(), pipeline or load_pipeline(), lambda _: lake.s3)
