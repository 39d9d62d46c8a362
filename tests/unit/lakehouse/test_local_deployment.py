"""The requests that deploy the pipeline, as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import contract_versions, load_pipeline
from catalog.project import VARIABLE
from catalog.yaml_lines import ContractError
from glue_jobs.runtime.errors import UserError
from lakehouse.local_deployment import bucket_names, job_request, question_requests, trigger_request
from tests.projects import PARCELS, lay_out

PIPELINE = load_pipeline()
BUCKETS = bucket_names(PIPELINE)


def test_buckets_have_real_names() -> None:
    assert BUCKETS == {
        "ingestion": "shop-ingestion",
        "processed": "shop-processed",
        "artefacts": "shop-artefacts",
        "athena_results": "shop-athena-results",
        "sandbox": "shop-sandbox",
        "redacted_sandbox": "shop-redacted-sandbox",
        "documentation": "shop-documentation",
    }


def test_a_python_shell_job_is_small_and_pinned() -> None:
    request = job_request(PIPELINE, "extract_cdc", PIPELINE.jobs["extract_cdc"], BUCKETS)
    assert request["Command"] == {
        "Name": "pythonshell",
        "ScriptLocation": "s3://shop-artefacts/glue_jobs/extract_cdc.py",
        "PythonVersion": "3.9",
    }
    assert request["MaxCapacity"] == 0.0625
    assert request["DefaultArguments"] == {
        "--ingestion_bucket": "shop-ingestion",
        "--processed_bucket": "shop-processed",
        "--source_secret": "shop/source",
        "--schema_registry": "shop_raw",
        "--schema_versions": contract_versions(),
        "--transform_workflow": "transform",
        "--document_workflow": "document",
        "--source_schema": "public",
    }
    assert "WorkerType" not in request


def test_the_numbers_of_the_pipeline_stand_in_the_arguments_of_transform() -> None:
    arguments = job_request(PIPELINE, "transform", PIPELINE.jobs["transform"], BUCKETS)["DefaultArguments"]
    assert arguments["--engine"] == PIPELINE.transform.engine
    assert arguments["--waiting_rows"] == str(PIPELINE.transform.waiting_rows)
    assert arguments["--large_workflow"] == "transform_large"


def test_a_spark_job_pins_its_glue_version_and_workers() -> None:
    request = job_request(PIPELINE, "build_facts", PIPELINE.jobs["build_facts"], BUCKETS)
    assert request["GlueVersion"] == "6.0"
    assert (request["WorkerType"], request["NumberOfWorkers"]) == ("G.1X", 2)
    assert request["Command"]["Name"] == "glueetl"
    assert "MaxCapacity" not in request


def test_triggers_are_active_from_the_start_where_glue_allows_it() -> None:
    scheduled = trigger_request("every_ten_minutes", PIPELINE.triggers["every_ten_minutes"])
    assert scheduled["Schedule"] == "cron(0/10 * * * ? *)"
    assert scheduled["StartOnCreation"] is True
    on_demand = trigger_request("captured", PIPELINE.triggers["captured"])
    assert "StartOnCreation" not in on_demand
    joined = trigger_request("built", PIPELINE.triggers["built"])
    assert joined["Predicate"]["Logical"] == "AND"
    assert [condition["JobName"] for condition in joined["Predicate"]["Conditions"]] == [
        "build_dimensions",
        "build_facts",
    ]


def test_a_schedule_that_the_laptop_cannot_fire_is_refused_in_words() -> None:
    last_day = PIPELINE.triggers["every_ten_minutes"].model_copy(update={"schedule": "cron(0 0 L * ? *)"})
    with pytest.raises(UserError, match=r"cannot fire the trigger monthly: cron\(0 0 L \* \? \*\): L is not"):
        trigger_request("monthly", last_day)


def test_a_question_of_a_time_that_athena_rounds_is_refused_by_its_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"early": "f.posted_on", "late": "date_trunc('month', f.posted_at)"}
    for name, last in asked.items():
        project = lay_out(PARCELS, root, tmp_path / name / "parcels")
        question = (project / "bi" / "queries" / "weight_by_hub.sql").read_text()
        (project / "bi" / "queries" / f"{name}.sql").write_text(
            question.replace("sum(f.weight)", f"max({last})")
        )
    monkeypatch.setenv(VARIABLE, str(tmp_path / "early" / "parcels"))
    assert question_requests(load_pipeline(), load_catalogue())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "late" / "parcels"))
    with pytest.raises(ContractError, match=r"late\.sql:1: posted_at has six digits of a second"):
        question_requests(load_pipeline(), load_catalogue())
