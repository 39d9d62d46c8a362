"""The pipeline's statement holds together, or is refused with file, line and reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from catalog.catalogue import load_catalogue
from catalog.pipeline import PythonShell, Spark, load_pipeline, read_pipeline
from catalog.project import project_folder
from catalog.yaml_lines import ContractError


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes the project's own file with one place replaced, and returns its path."""

    def write(before: str, after: str) -> Path:
        text = (project_folder() / "catalog" / "pipeline.yaml").read_text()
        assert text.count(before) >= 1
        path = tmp_path / "pipeline.yaml"
        path.write_text(text.replace(before, after, 1))
        return path

    return write


def test_the_jobs_run_where_the_design_says() -> None:
    jobs = load_pipeline().jobs
    shell = [name for name, job in jobs.items() if isinstance(job.runtime, PythonShell)]
    spark = [name for name, job in jobs.items() if isinstance(job.runtime, Spark)]
    assert shell == [
        "extract_cdc",
        "fetch_rates",
        "fetch_files",
        "transform",
        "replay_dead_letters",
        "load_warehouse",
        "reconcile",
        "maintain_lake",
    ]
    assert spark == [
        "validate_raw",
        "replay_dead_letters_large",
        "build_dimensions",
        "build_facts",
        "build_sites",
    ]


def test_an_ordinary_batch_is_one_python_shell_job_and_a_large_one_the_chain_on_spark() -> None:
    pipeline = load_pipeline()
    starts = {
        workflow: [trigger.starts for trigger in pipeline.triggers.values() if trigger.workflow == workflow]
        for workflow in ("transform", "transform_large")
    }
    assert starts == {
        "transform": [("transform",)],
        "transform_large": [("validate_raw",), ("build_dimensions", "build_facts"), ("load_warehouse",)],
    }
    starters = {
        name for name, job in pipeline.jobs.items() if "${workflow:transform_large}" in job.arguments.values()
    }
    assert starters == {"transform"}
    assert all(pipeline.workflows[name].max_concurrent_runs == 1 for name in starts)


def test_the_engine_and_its_limits_are_arguments_of_the_jobs_that_choose() -> None:
    pipeline = load_pipeline()
    stated = {f"--{name}": str(value) for name, value in pipeline.transform}
    buckets = {key: key for key in pipeline.buckets}
    for name in ("transform", "replay_dead_letters"):
        arguments = pipeline.jobs[name].arguments
        resolved = {key: pipeline.resolve(text, buckets) for key, text in arguments.items()}
        assert resolved.items() >= stated.items()


def test_each_sandbox_is_a_database_below_a_bucket_of_its_own() -> None:
    pipeline = load_pipeline()
    buckets = {"sandbox": "play", "redacted_sandbox": "play-redacted"}
    stated = {request["Name"]: request["LocationUri"] for request in pipeline.sandbox_requests(buckets)}
    assert stated == {
        "totesys_sandbox": "s3://play/",
        "totesys_sandbox_redacted": "s3://play-redacted/",
    }
    assert not stated.keys() & {zone.database for zone in load_catalogue().zones.values()}
    nothing = {"sandbox": None, "redacted": None}
    nowhere = pipeline.model_copy(update={"athena": pipeline.athena.model_copy(update=nothing)})
    assert nowhere.sandbox_requests(buckets) == []


def test_every_script_is_in_the_project(root: Path) -> None:
    for job in load_pipeline().jobs.values():
        assert (root / job.script).is_file()


def test_the_file_is_plain_data_that_terraform_reads_too() -> None:
    text = (project_folder() / "catalog" / "pipeline.yaml").read_text()
    assert "&" not in text
    assert "<<" not in text
    assert yaml.safe_load(text)["jobs"].keys() == load_pipeline().jobs.keys()


def test_placeholders_become_real_names() -> None:
    pipeline = load_pipeline()
    stated = "s3://${bucket:ingestion}/${workflow:transform}/${secret:source}"
    assert pipeline.resolve(stated, {"ingestion": "b"}) == "s3://b/transform/totesys/source"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("max_retries: 0", "retries: 0", "retries"),
        ("reads: [ingestion/_commits/]", "reads: [elsewhere/_commits/]", "there is no bucket elsewhere"),
        ("registers: [ops]", "registers: [everything]", "registers"),
        ("watches: [transform]", "watches: [transforms]", "there is no job transforms"),
        ("  engine: auto", "  engine: duckdb", "engine"),
        ("  waiting_rows: 1", "  waiting_rows: -1", "waiting_rows"),
        ("  memory_megabytes: 300", "  memory_megabytes: 3000", "less than or equal to 700"),
        ("${transform:engine}", "${transform:engines}", "holds a placeholder that nothing fills"),
        ("    starts: [validate_raw]", "    starts: [validate]", "there is no job validate"),
        ("workflow: ingest", "workflow: ingestion", "there is no workflow ingestion"),
        (
            "{job: validate_raw, state",
            "{job: extract_cdc, state",
            "no trigger of transform_large starts a job extract_cdc",
        ),
        ("${bucket:ingestion}", "${bucket:raw}", "holds a placeholder that nothing fills"),
        ("${secret:source}", "${secret:source", "holds a placeholder that nothing fills"),
        ("state: SUCCEEDED}", "state: DONE}", "SUCCEEDED"),
        ("cron(0/10 * * * ? *)", "every 5 minutes", "should match pattern"),
        (
            "{workflow: ingest, expression",
            "{workflow: ingestion, expression",
            "there is no workflow ingestion",
        ),
        ("time_zone: Europe/London", "time_zone: over there", "should match pattern"),
        ("    called_by: schedules\n", "    called_by: alerts\n", "alerts call start_workflow already"),
        ("    requires: [boto3, structlog]\n", "", "requires"),
        ("  start_workflow:\n", "  transform:\n", "transform is a job, too"),
        (
            "    called_by: schedules\n",
            "    called_by: schedules\n    environment: {DSN: '${secret:source}'}\n",
            "opens a database, and reaches the internet",
        ),
        (
            "    called_by: schedules\n",
            "    called_by: schedules\n    environment: {DSN: '${secret:other}'}\n",
            "holds a placeholder that nothing fills",
        ),
        (
            "    called_by: schedules\n",
            "    called_by: schedules\n    access: {reads: [elsewhere/raw/]}\n",
            "there is no bucket elsewhere",
        ),
        ("    retries: 0\n", "    retries: 3\n", "less than or equal to 2"),
        ("    retries: 0\n", "    network: intranet\n", "network"),
        ("    network: vpc\n    option: http_api", "    option: http_api", "opens a database, and reaches"),
        ("    throttle: {per_second: 20, burst: 40}\n", "", "states its throttle"),
        ("    called_by: schedules\n", "    called_by: http\n", "states its throttle"),
        ("per_second: 20", "per_second: 0", "greater than or equal to 1"),
        ("    logical: and\n", "", "states `when` and `logical`"),
        ("type: on_demand", "type: conditional", "states `when` and `logical`"),
        ("workers: 2", "workers: 1", "greater than or equal to 2"),
        ("max_capacity: 0.0625", "max_capacity: 0.5", "Glue offers 0.0625 or 1 DPU"),
        ("expire_days: 30", "expire_days: 0", "greater than or equal to 1"),
        ("expire_days: 30", "expire_days: 366", "less than or equal to 365"),
        ("    expire_days: 30\n", "", "sandbox states no expire_days"),
        ("    expire_days: 30", "    expire_days: 30\n    written_once: [a/]", "sandbox is written once"),
        ("s3://${bucket:sandbox}/", "s3://${bucket:sandboxes}/", "holds a placeholder that nothing fills"),
        ("s3://${bucket:sandbox}/", "s3://a-bucket/", "should match pattern"),
        ("s3://${bucket:sandbox}/", "s3://${bucket:sandbox}/below", "should match pattern"),
        ("s3://${bucket:sandbox}/", "s3://${bucket:processed}/", "no place for analysts"),
        ("s3://${bucket:sandbox}/", "s3://${bucket:athena_results}/", "Athena's results"),
        ("s3://${bucket:sandbox}/", "s3://${bucket:artefacts}/", "no place for analysts"),
        ("s3://${bucket:redacted_sandbox}/", "s3://${bucket:sandbox}/", "of analysts who see everything"),
        ("work_group: totesys_redacted", "work_group: totesys", "of analysts who see everything"),
        ("athena_results}/redacted/", "athena_results}/queries/", "hold each other's results"),
        ("athena_results}/redacted/", "athena_results}/queries/below/", "hold each other's results"),
        ("  documentation:\n", "  documentation:\n    expire_days: 30\n", "never expires"),
        ("  artefacts:\n", "  artefacts:\n    expire_days: 30\n", "never expires"),
    ],
)
def test_what_does_not_hang_together_is_refused(
    changed: Callable[[str, str], Path], before: str, after: str, reason: str
) -> None:
    path = changed(before, after)
    with pytest.raises(ContractError, match=r"pipeline\.yaml:\d+: ") as refusal:
        read_pipeline(path)
    assert reason in str(refusal.value)


def test_a_workflow_has_exactly_one_start(changed: Callable[[str, str], Path]) -> None:
    second = "triggers:\n  also:\n    workflow: ingest\n    type: on_demand\n    starts: [extract_cdc]\n"
    with pytest.raises(ContractError, match="not also and capture_due"):
        read_pipeline(changed("triggers:\n", second))


def test_the_line_of_the_fault_is_named(changed: Callable[[str, str], Path]) -> None:
    path = changed("workflow: ingest", "workflow: ingestion")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "workflow: ingestion" in text)
    with pytest.raises(ContractError) as refusal:
        read_pipeline(path)
    assert refusal.value.line == line
