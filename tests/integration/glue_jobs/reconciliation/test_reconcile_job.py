"""The job tells its scheduler by its exit code, and people by a log line per table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs import reconcile
from glue_jobs.lake.commits import CommitLog
from glue_jobs.runtime import log
from glue_jobs.sources import full_captures
from tests import needs
from tests.integration.glue_jobs.reconciliation.world import World


@pytest.fixture
def argv(shown: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The job's arguments, its secrets in place."""
    for name, value in shown.environment.items():
        monkeypatch.setenv(name, value)
    secrets = boto3.client("secretsmanager")
    for name, dsn in (("reconcile-source", shown.source), ("reconcile-warehouse", shown.warehouse)):
        secrets.create_secret(Name=name, SecretString=json.dumps({"dsn": dsn}))
    words = [
        "--source_schema",
        "public",
        "--source_secret",
        "reconcile-source",
        "--warehouse_secret",
        "reconcile-warehouse",
    ]
    words += ["--ingestion_bucket", shown.buckets["ingestion"]]
    words += ["--processed_bucket", shown.buckets["processed"], "--JOB_NAME", "reconcile"]
    assert shown.athena is not None
    words += ["--work_group", shown.athena.work_group]
    log.start("reconcile", words)
    return words


def recorded(world: World) -> list[dict[str, Any]]:
    """The rows of every reconciliation, in the partitions that the catalogue shows."""
    bucket, prefix = world.buckets["ingestion"], "ops/reconciliations/"
    found = world.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    shown = boto3.client("glue").get_partitions(DatabaseName="shop_ops", TableName="reconciliations")
    places = {partition["StorageDescriptor"]["Location"] for partition in shown["Partitions"]}
    assert {f"s3://{bucket}/{entry['Key'].rpartition('/')[0]}/" for entry in found} == places
    bodies = [world.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in found]
    return [row for body in bodies for row in pq.read_table(pa.BufferReader(body)).to_pylist()]


@pytest.mark.slow
def test_the_job_ends_well_where_all_is_equal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile.main(argv) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    tables = [line for line in lines if line["event"] == "reconcile.table"]
    assert len(tables) == 23
    assert {line["verdict"] for line in tables} == {"equal"}
    assert lines[-1]["event"] == "reconcile.done"
    assert lines[-1]["verdict"] == "equal"
    (payments,) = [line for line in tables if line["table"] == "fact_payment"]
    assert payments["warehouse"] == 60
    (unequal,) = [line["unequal"] for line in lines if "unequal" in line]
    assert unequal == 0


@pytest.mark.slow
def test_rows_that_no_capture_has_seen_yet_are_no_difference(
    shown: World, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown.sql("UPDATE payment SET paid = NOT paid WHERE payment_id = 7")

    assert reconcile.main(argv) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counts = {(line["zone"], line["table"]): line for line in lines if line["event"] == "reconcile.table"}
    payments = counts["raw", "payment"]
    assert payments["waiting"] == payments["different"] == 1
    assert [line["unequal"] for line in lines if "unequal" in line] == [0]


def test_the_job_ends_with_one_and_names_the_table_that_differs(
    shown: World, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown.sql("UPDATE dim_design SET design_name = 'Gilded' WHERE design_id = 12", on="warehouse")

    assert reconcile.main(argv) == 1

    printed = capsys.readouterr().out
    *errors, end = [line for line in map(json.loads, printed.splitlines()) if line["level"] == "error"]
    assert [line["table"] for line in errors] == ["dim_design"]
    assert end["event"] == "job.failed"
    assert end["message"].startswith("Rows differ of star.dim_design. ")
    # Against the source, against the lake's objects, and against what Athena shows.
    assert errors[0]["different"] == 3
    assert "Gilded" not in printed
    # Keys are for people: they are in the record that the owner queries, and not in the log.
    assert '"examples"' not in printed
    rows = recorded(shown)
    # The source knows nothing of the list of rejected changes.
    assert len(rows) == 11 + 5 * 11 + 3
    (told,) = [r for r in rows if r["verdict"] == "different" and r["left_side"] == "lake"]
    assert (told["table_name"], told["rows_different"]) == ("dim_design", 1)
    assert json.loads(told["examples"]) == [
        {"kind": "different", "key": "12", "waiting": False, "columns": ["design_name"]}
    ]


@pytest.mark.slow
def test_the_job_runs_on_glues_own_python(shown: World, argv: list[str], root: Path) -> None:
    command = [str(needs.runtime("3.9")), "-W", "ignore", "-m", "glue_jobs.reconcile", *argv]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (ended,) = [json.loads(line) for line in done.stdout.splitlines() if "reconcile.done" in line]
    assert ended["verdict"] == "equal"
    assert {row["verdict"] for row in recorded(shown)} == {"equal"}


def requests(world: World) -> list[tuple[str, str]]:
    """The full captures that were asked for: the table, and why."""
    log = CommitLog(world.s3, world.buckets["ingestion"], full_captures.STAGE)
    return [(str(one.state["table"]), str(one.state["reason"])) for one in log.after(0)]


@pytest.mark.slow
def test_a_difference_that_no_later_change_explains_asks_for_one_full_capture_and_stays_an_alarm(
    shown: World, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown.sql("DELETE FROM payment WHERE payment_id = 7")
    shown.sql("UPDATE design SET design_name = 'Gilded' WHERE design_id = 12")

    assert reconcile.main(argv) == 1

    # What waits for the next capture asks for nothing.
    (asked,) = requests(shown)
    assert asked[0] == "payment"
    assert "found rows that no later change explains" in asked[1]
    assert "reconcile.full_capture_requested" in capsys.readouterr().out

    assert reconcile.main(argv) == 1
    assert requests(shown) == [asked]
    assert "reconcile.full_capture_requested" not in capsys.readouterr().out
