"""Provision an AWS endpoint from what the catalogue states: buckets, scripts, tables, jobs, secrets.

The request dictionaries are pure functions of `catalog.pipeline`; `deploy` sends them. What is there already
is left as it is, so the same call serves the first start and every later one. moto forgets everything but
objects when it stops: `glue_jobs.lake.catalog_check` brings the partitions back from the commits.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import glue_jobs
from bi.questions import load_questions, named_query_request
from catalog.catalogue import Catalogue
from catalog.glue import database_input, fact_view_inputs, table_input
from catalog.model import Contract
from catalog.pipeline import Job, Pipeline, PythonShell, Registry, Trigger
from catalog.registry_requests import registry_request, schema_request, version_request
from glue_jobs.runtime.errors import UserError

_WAITS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between looks at a schema version that the registry has not decided on."""

_ROLE = "arn:aws:iam::123456789012:role/glue"
_PROJECT = Path(glue_jobs.__file__).parent.parent


def bucket_names(pipeline: Pipeline) -> dict[str, str]:
    """The real name of each bucket on a laptop, such as ``<project>-ingestion``."""
    return {name: f"{pipeline.name}-{name.replace('_', '-')}" for name in pipeline.buckets}


def job_request(pipeline: Pipeline, name: str, job: Job, buckets: Mapping[str, str]) -> dict[str, Any]:
    """The CreateJob request of a job."""
    request: dict[str, Any] = {
        "Name": name,
        "Description": job.description,
        "Role": _ROLE,
        "ExecutionProperty": {"MaxConcurrentRuns": job.max_concurrent_runs},
        "DefaultArguments": {key: pipeline.resolve(text, buckets) for key, text in job.arguments.items()},
        "MaxRetries": job.max_retries,
        "Timeout": job.timeout_minutes,
    }
    script = f"s3://{buckets['artefacts']}/{job.script}"
    if isinstance(job.runtime, PythonShell):
        command = {"Name": "pythonshell", "ScriptLocation": script, "PythonVersion": job.runtime.python}
        return {**request, "Command": command, "MaxCapacity": job.runtime.max_capacity}
    return {
        **request,
        "Command": {"Name": "glueetl", "ScriptLocation": script, "PythonVersion": "3"},
        "GlueVersion": job.runtime.glue,
        "WorkerType": job.runtime.worker_type,
        "NumberOfWorkers": job.runtime.workers,
    }


def trigger_request(name: str, trigger: Trigger) -> dict[str, Any]:
    """The CreateTrigger request of a trigger, activated from the start where Glue allows it."""
    request: dict[str, Any] = {
        "Name": name,
        "WorkflowName": trigger.workflow,
        "Type": trigger.type.upper(),
        "Actions": [{"JobName": job} for job in trigger.starts],
    }
    if trigger.schedule is not None:
        request["Schedule"] = trigger.schedule
    if trigger.when:
        request["Predicate"] = {
            "Logical": (trigger.logical or "and").upper(),
            "Conditions": [
                {"LogicalOperator": "EQUALS", "JobName": condition.job, "State": condition.state}
                for condition in trigger.when
            ],
        }
    # An on-demand trigger cannot be activated at its creation.
    return request if trigger.type == "on_demand" else {**request, "StartOnCreation": True}


def deploy(
    client: Any,
    catalogue: Catalogue,
    pipeline: Pipeline,
    region: str,
    secrets: Mapping[str, str],
    project: Path = _PROJECT,
) -> dict[str, str]:
    """Provision everything.

    Args:
        client: Makes a boto3 client of the endpoint from a service's name.
        catalogue: The tables.
        pipeline: Everything else.
        region: The buckets' region.
        secrets: The DSN of each of the pipeline's secrets.
        project: The directory that holds the jobs' scripts.

    Returns:
        The real name of each bucket.
    """
    buckets = bucket_names(pipeline)
    _deploy_buckets(client("s3"), pipeline, buckets, region, project)
    deploy_tables(client("glue"), catalogue, buckets)
    deploy_schemas(client("glue"), catalogue, pipeline.registries["raw"])
    _deploy_jobs(client("glue"), pipeline, buckets)
    _deploy_secrets(client("secretsmanager"), pipeline, secrets)
    deploy_athena(client("athena"), catalogue, pipeline, buckets)
    deploy_sandbox(client("glue"), pipeline, buckets)
    return buckets


def _deploy_buckets(
    s3: Any, pipeline: Pipeline, buckets: Mapping[str, str], region: str, project: Path
) -> None:
    for name in buckets.values():
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    for job in pipeline.jobs.values():
        s3.put_object(
            Bucket=buckets["artefacts"], Key=job.script, Body=project.joinpath(job.script).read_bytes()
        )


def deploy_tables(glue: Any, catalogue: Catalogue, buckets: Mapping[str, str]) -> None:
    """Make the databases, their tables and the views over the facts.

    Args:
        glue: A boto3 ``glue`` client.
        catalogue: The contracts.
        buckets: The real name of each bucket.
    """
    there = glue.exceptions.AlreadyExistsException
    for zone in catalogue.zones.values():
        with contextlib.suppress(there):
            glue.create_database(DatabaseInput=database_input(zone))
    for contract in catalogue.contracts:
        zone = contract.zone_info
        with contextlib.suppress(there):
            glue.create_table(
                DatabaseName=zone.database, TableInput=table_input(contract, buckets[zone.bucket])
            )
    deploy_views(glue, catalogue)


def deploy_views(glue: Any, catalogue: Catalogue) -> None:
    """Make the views over facts and dimensions.

    Args:
        glue: A boto3 ``glue`` client.
        catalogue: The contracts.
    """
    for contract in catalogue.star.values():
        for view in fact_view_inputs(contract):
            with contextlib.suppress(glue.exceptions.AlreadyExistsException):
                glue.create_table(DatabaseName=contract.zone_info.database, TableInput=view)


def deploy_schemas(glue: Any, catalogue: Catalogue, registry: Registry) -> None:
    """Register the contracts of the raw zone, each as a new version where it is one.

    Args:
        glue: A boto3 ``glue`` client.
        catalogue: The contracts.
        registry: The registry; it is made if it is missing.

    Raises:
        UserError: The registry refuses a definition, or does not come to a decision.
    """
    there = glue.exceptions.AlreadyExistsException
    with contextlib.suppress(there):
        glue.create_registry(**registry_request(registry.name, registry.description))
    for contract in catalogue.raw.values():
        try:
            made = glue.create_schema(**schema_request(registry.name, registry.compatibility, contract))
        except there:
            made = glue.register_schema_version(**version_request(registry.name, contract))
        _await_decision(glue, contract, made["SchemaVersionId"])


def _await_decision(glue: Any, contract: Contract, version_id: str) -> None:
    """Wait until the registry has looked at a version."""
    status = "PENDING"
    for wait in _WAITS:
        status = glue.get_schema_version(SchemaVersionId=version_id)["Status"]
        if status != "PENDING":
            break
        time.sleep(wait)
    if status != "AVAILABLE":
        raise UserError(
            f"The schema registry answered {status} to version {contract.version} of {contract.table}.",
            "Look at that version in the registry; a definition that it refused keeps its number.",
        )


def _deploy_jobs(glue: Any, pipeline: Pipeline, buckets: Mapping[str, str]) -> None:
    for name, job in pipeline.jobs.items():
        glue.create_job(**job_request(pipeline, name, job, buckets))
    there = glue.exceptions.AlreadyExistsException
    for name, workflow in pipeline.workflows.items():
        with contextlib.suppress(there):
            glue.create_workflow(
                Name=name, Description=workflow.description, MaxConcurrentRuns=workflow.max_concurrent_runs
            )
    for name, trigger in pipeline.triggers.items():
        with contextlib.suppress(there):
            glue.create_trigger(**trigger_request(name, trigger))


def _deploy_secrets(manager: Any, pipeline: Pipeline, secrets: Mapping[str, str]) -> None:
    for key, secret in pipeline.secrets.items():
        value = json.dumps({"dsn": secrets[key]})
        try:
            manager.create_secret(Name=secret.name, Description=secret.description, SecretString=value)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=secret.name, SecretString=value)


def deploy_athena(athena: Any, catalogue: Catalogue, pipeline: Pipeline, buckets: Mapping[str, str]) -> None:
    """Make the analysts' work group and, in it, a named query of each question.

    Args:
        athena: A boto3 ``athena`` client.
        catalogue: The contracts.
        pipeline: What states the work group.
        buckets: The real name of each bucket.
    """
    group = pipeline.athena.work_group
    if group not in {known["Name"] for known in athena.list_work_groups()["WorkGroups"]}:
        athena.create_work_group(**pipeline.work_group_request(buckets))
    there = named_queries(athena, group)
    for question in load_questions().values():
        if question.name not in there:
            athena.create_named_query(
                **named_query_request(question, catalogue.zones["star"].database, group)
            )


def deploy_sandbox(glue: Any, pipeline: Pipeline, buckets: Mapping[str, str]) -> None:
    """Make the database in which analysts may write, where one is stated.

    Args:
        glue: A boto3 ``glue`` client.
        pipeline: What states it.
        buckets: The real name of each bucket.
    """
    stated = pipeline.sandbox_request(buckets)
    if stated is None:
        return
    with contextlib.suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput=stated)


def named_queries(athena: Any, work_group: str) -> dict[str, dict[str, Any]]:
    """The named queries of a work group, by name.

    Args:
        athena: A boto3 ``athena`` client.
        work_group: The work group.
    """
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=work_group)
    found = [
        query
        for page in pages
        if page["NamedQueryIds"]
        for query in athena.batch_get_named_query(NamedQueryIds=page["NamedQueryIds"])["NamedQueries"]
    ]
    return {query["Name"]: query for query in found}
