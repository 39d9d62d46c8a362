"""The housekeeping job removes page by page, counts what it did, and says what it may not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from catalog.catalogue import load_catalogue
from catalog.glue import database_input, table_input
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.maintenance import housekeeping
from glue_jobs.maintenance.housekeeping import MaintainArguments, RemovalError, list_under, run
from glue_jobs.runtime import arguments, log
from glue_jobs.runtime.errors import UserError
from local_aws.endpoint.app import Endpoint, create_endpoint

CATALOGUE = load_catalogue()
BUCKETS = {"ingestion": "keep-in", "processed": "keep-out"}
GIVEN = MaintainArguments("keep-in", "keep-out", grace_hours=48, retention_days=7)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with create_endpoint(tmp_path_factory.mktemp("aws")) as made:
        for bucket in BUCKETS.values():
            made.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
            )
        glue = made.client("glue")
        for zone in CATALOGUE.zones.values():
            glue.create_database(DatabaseInput=database_input(zone))
        for contract in CATALOGUE.tables:
            bucket = BUCKETS[contract.zone_info.bucket]
            glue.create_table(
                DatabaseName=contract.zone_info.database, TableInput=table_input(contract, bucket)
            )
        yield made


def lake_of(endpoint: Endpoint, s3: Any = None) -> LakeClients:
    return LakeClients(s3 or endpoint.client("s3"), endpoint.client("glue"), **BUCKETS)


def keep_house(endpoint: Endpoint, now: datetime, s3: Any = None) -> dict[str, int]:
    log.start(housekeeping.JOB, [])  # a run of its own, whatever ran in this process before
    found = run(GIVEN, lake_of(endpoint, s3), CATALOGUE, now)
    return {kind: tally.objects for kind, tally in found.items()}


def raw(batch: int, attempt: str, part: int = 0) -> str:
    return f"raw/staff/captured_date=2026-11-01/batch={batch}/attempt={attempt}/part-{part:05d}.parquet"


def keys(endpoint: Endpoint, prefix: str) -> list[str]:
    return [listed.key for listed in list_under(endpoint.client("s3"), "keep-in", prefix)]


def test_what_dead_attempts_left_goes_after_the_grace_and_what_was_published_stays(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 10)
    s3 = endpoint.client("s3")
    CommitLog(s3, "keep-in", "capture").publish(Commit("capture", 1, "good", iso(utc_now()), 1, 1, {}, {}))
    for part in range(25):
        s3.put_object(Bucket="keep-in", Key=raw(1, "dead", part), Body=b"12345")
    published = [raw(1, "good"), "raw/staff/notes.txt"]
    for key in published:
        s3.put_object(Bucket="keep-in", Key=key, Body=b"x")

    assert keep_house(endpoint, utc_now()) == {"abandoned": 0, "superseded": 0}
    later = utc_now() + timedelta(days=3)
    assert keep_house(endpoint, later) == {"abandoned": 25, "superseded": 0}

    assert keys(endpoint, "raw/") == published
    assert keep_house(endpoint, later) == {"abandoned": 0, "superseded": 0}
    bodies = [
        s3.get_object(Bucket="keep-in", Key=key)["Body"].read() for key in keys(endpoint, "ops/maintenance/")
    ]
    rows = [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]
    assert sorted((r["objects"], r["bytes"]) for r in rows if r["objects"]) == [(25, 125)]
    assert len(rows) == 3 * 4


def test_a_refusal_is_an_error_and_the_next_run_goes_on(endpoint: Endpoint) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket="keep-in", Key=raw(1, "dead"), Body=b"x")
    strict: Any = endpoint.client("s3")

    def refuse(**_: Any) -> tuple[Any, dict[str, Any]]:
        refused = {"Key": raw(1, "dead"), "Code": "AccessDenied"}
        return AWSResponse("", 200, HTTPHeaders(), None), {"Errors": [refused], "ResponseMetadata": {}}

    strict.meta.events.register("before-call.s3.DeleteObjects", refuse)
    later = utc_now() + timedelta(days=3)
    with pytest.raises(RemovalError, match=r"refused to remove 1 objects of keep-in \(AccessDenied\)"):
        keep_house(endpoint, later, strict)
    assert keep_house(endpoint, later) == {"abandoned": 1, "superseded": 0}


@pytest.mark.parametrize(("grace", "retention"), [(1.0, 7.0), (48.0, 0.01)])
def test_a_time_that_a_job_can_outlive_is_refused(endpoint: Endpoint, grace: float, retention: float) -> None:
    short = MaintainArguments("keep-in", "keep-out", grace, retention)
    with pytest.raises(UserError, match="not longer than a job may run"):
        run(short, lake_of(endpoint), CATALOGUE, utc_now())


def test_the_deployed_arguments_are_ones_that_the_job_takes() -> None:
    stated = load_pipeline().jobs[housekeeping.JOB].arguments
    given = arguments.parse(MaintainArguments, [part for pair in stated.items() for part in pair])
    given.check()
    assert (given.grace_hours, given.retention_days) == tuple(
        float(stated[f"--{name}"]) for name in ("grace_hours", "retention_days")
    )
