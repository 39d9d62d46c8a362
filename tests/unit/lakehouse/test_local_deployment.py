"""The requests that deploy the pipeline, as data."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import contract_versions, load_pipeline
from catalog.project import VARIABLE
from catalog.yaml_lines import ContractError
from glue_jobs.runtime.errors import UserError
from lakehouse.local_deployment import (
    bucket_names,
    function_request,
    job_request,
    question_requests,
    schedule_request,
    trigger_request,
)
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
    on_demand = trigger_request("captured", PIPELINE.triggers["captured"])
    assert "StartOnCreation" not in on_demand
    joined = trigger_request("built", PIPELINE.triggers["built"])
    assert joined["StartOnCreation"] is True
    assert joined["Predicate"]["Logical"] == "AND"
    assert [condition["JobName"] for condition in joined["Predicate"]["Conditions"]] == [
        "build_dimensions",
        "build_facts",
    ]


ARNS = ("arn:aws:lambda:eu-west-2:1:function:f", "arn:aws:iam::1:role/r", "arn:aws:sqs:eu-west-2:1:q")


def test_a_schedule_calls_the_function_once_and_leaves_what_it_could_not() -> None:
    request = schedule_request(PIPELINE, "every_night", PIPELINE.schedules["every_night"], *ARNS)
    assert request["ScheduleExpressionTimezone"] == "Europe/London"
    assert request["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert request["Target"]["DeadLetterConfig"] == {"Arn": ARNS[2]}
    assert json.loads(request["Target"]["Input"]) == {"workflow": "reconcile"}


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"expression": "cron(0 0 L * ? *)"}, r"cron\(0 0 L \* \? \*\): L is not"),
        ({"time_zone": "Europe/Atlantis"}, "there is no time zone Europe/Atlantis"),
    ],
)
def test_a_schedule_that_the_laptop_cannot_fire_is_refused_in_words(edit: dict[str, str], why: str) -> None:
    changed = PIPELINE.schedules["every_ten_minutes"].model_copy(update=edit)
    with pytest.raises(UserError, match=f"cannot fire the schedule monthly: {why}"):
        schedule_request(PIPELINE, "monthly", changed, *ARNS)


def test_a_function_imports_the_checkout_and_is_what_the_file_says() -> None:
    stated = PIPELINE.functions["start_workflow"]
    request = function_request(PIPELINE, "start_workflow", stated, BUCKETS, ARNS[1])
    assert request["FunctionName"] == "shop-start-workflow"
    assert (request["Runtime"], request["Architectures"]) == ("python3.13", ["x86_64"])
    assert (request["Handler"], request["Timeout"]) == (stated.handler, stated.timeout_seconds)
    content = request["Code"]["ZipFile"]
    assert isinstance(content, bytes)
    with zipfile.ZipFile(io.BytesIO(content)) as code:
        assert code.namelist() == []


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
