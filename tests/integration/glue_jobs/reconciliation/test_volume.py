"""How many rows came on which day, as Athena counts it over the records of what captures did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.publish import append_ops
from glue_jobs.reconciliation.reconcile_run import check_volume
from glue_jobs.reconciliation.views import Athena
from glue_jobs.reconciliation.volume import read_counts
from lakehouse.daemon import add_athena
from lakehouse.local_deployment import bucket_names, deploy_athena, deploy_tables
from local_aws.endpoint.app import create_endpoint

MONDAY = date(2026, 11, 30)
CATALOGUE, PIPELINE = load_catalogue(), load_pipeline()


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[tuple[LakeClients, Athena]]:
    """A lake with nothing in it, and Athena over it."""
    buckets = bucket_names(PIPELINE)
    endpoint = create_endpoint(tmp_path)
    athena = add_athena(endpoint, tmp_path / "athena")
    with endpoint:
        s3, glue = endpoint.client("s3"), endpoint.client("glue")
        for name in buckets.values():
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        deploy_tables(glue, CATALOGUE, buckets)
        deploy_athena(endpoint.client("athena"), CATALOGUE, PIPELINE, buckets)
        clients = LakeClients(s3, glue, buckets["ingestion"], buckets["processed"])
        yield clients, Athena(endpoint.client("athena"), PIPELINE.athena.work_group)
        athena.close()


def record(lake: LakeClients, stage: str, day: date, rows: int, sequence: int) -> None:
    """What publishing a commit leaves of a table."""
    at = datetime.fromisoformat(f"{day}T09:00:00")
    counts = dict.fromkeys(("rows_read", "rows_accepted", "rows_rejected", "rows_new", "objects", "bytes"), 1)
    row = {
        "sequence": sequence,
        "table_name": "payment",
        "attempt": "a",
        "first_batch": sequence,
        "last_batch": sequence,
        "snapshot_at": at,
        "committed_at": at,
        **counts,
        "rows_written": rows,
        "seconds": 1.0,
    }
    values = {"stage": stage, "committed_date": str(day)}
    append_ops(lake, CATALOGUE.ops["batch_records"], values, f"{sequence:010d}", [row])


def test_rows_of_days_that_are_over_are_counted_by_athena(
    lake: tuple[LakeClients, Athena], capsys: pytest.CaptureFixture[str]
) -> None:
    clients, athena = lake
    days = [MONDAY - timedelta(days=7 * number) for number in range(6)]
    for number, day in enumerate(days):
        record(clients, "capture", day, 100, 2 * number)
        record(clients, "capture", day, 11, 2 * number + 1)
    # What comes later, and what other stages do, is not counted.
    record(clients, "validate", MONDAY, 5000, 20)
    record(clients, "capture", MONDAY + timedelta(days=1), 5000, 21)
    database = CATALOGUE.zones["ops"].database
    counts = read_counts(athena.ask, database, MONDAY)
    assert counts == {("payment", day): 111 for day in days[:5]}

    check_volume(athena, CATALOGUE, MONDAY)
    assert '"tables_unusual": 0' in capsys.readouterr().out
    record(clients, "capture", MONDAY, 1000, 30)
    check_volume(athena, CATALOGUE, MONDAY)
    said = capsys.readouterr().out
    assert '"event": "reconcile.unusual_volume"' in said
    assert '"rows": 1111, "usual": [111, 111, 111, 111]' in said
    assert '"tables_unusual": 1' in said


def test_an_athena_that_does_not_answer_is_said_and_nothing_is_told(
    lake: tuple[LakeClients, Athena], capsys: pytest.CaptureFixture[str]
) -> None:
    clients, athena = lake
    table = {"DatabaseName": CATALOGUE.zones["ops"].database, "Name": "batch_records"}
    clients.glue.delete_table(**table)
    check_volume(athena, CATALOGUE, MONDAY)
    said = capsys.readouterr().out
    assert "reconcile.volume_unknown" in said
    assert "tables_unusual" not in said
