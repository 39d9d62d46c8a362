"""The job tells its scheduler by its exit code, and people by a log line per table."""

from __future__ import annotations

import json

import boto3
import pytest

from glue_jobs import reconcile
from glue_jobs.runtime import log
from tests.integration.glue_jobs.reconciliation.world import World


@pytest.fixture
def argv(settled: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The job's arguments, its secrets in place."""
    for name, value in settled.environment.items():
        monkeypatch.setenv(name, value)
    secrets = boto3.client("secretsmanager")
    for name, dsn in (("reconcile-source", settled.source), ("reconcile-warehouse", settled.warehouse)):
        secrets.create_secret(Name=name, SecretString=json.dumps({"dsn": dsn}))
    words = ["--source_secret", "reconcile-source", "--warehouse_secret", "reconcile-warehouse"]
    words += ["--ingestion_bucket", settled.buckets["ingestion"]]
    words += ["--processed_bucket", settled.buckets["processed"], "--JOB_NAME", "reconcile"]
    log.start("reconcile", words)
    return words


def test_the_job_ends_well_where_all_is_equal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile.main(argv) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    tables = [line for line in lines if line["event"] == "reconciled.table"]
    assert len(tables) == 22
    assert {line["verdict"] for line in tables} == {"equal"}
    assert lines[-1]["event"] == "reconciled"
    assert lines[-1]["verdict"] == "equal"


def test_the_job_ends_with_one_and_names_the_table_that_differs(
    settled: World, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settled.sql("UPDATE dim_design SET design_name = 'Gilded' WHERE design_id = 12", on="warehouse")

    assert reconcile.main(argv) == 1

    printed = capsys.readouterr().out
    errors = [line for line in map(json.loads, printed.splitlines()) if line["level"] == "error"]
    assert [line["table"] for line in errors] == ["dim_design"]
    assert "Gilded" not in printed
