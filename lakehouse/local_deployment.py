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
from typing import TYPE_CHECKING, Any, cast

import glue_jobs
from bi.questions import load_questions, named_query_request
from catalog.catalogue import Catalogue
from catalog.glue import database_input, partition_indexes, table_input, view_inputs
from catalog.model import Contract
from catalog.pipeline import Function, Job, Pipeline, PythonShell, Registry, Schedule, Trigger
from catalog.registry_requests import registry_request, schema_request, version_request
from catalog.rights import (
    OPERATORS,
    SCHEDULES,
    Document,
    analysts,
    documents,
    fill,
    queue_of_failed,
    role_name,
)
from catalog.types import FINE_MOMENTS
from glue_jobs.runtime.athena import named_queries
from glue_jobs.runtime.aws import AthenaClient, GlueClient, IAMClient, S3Client, SecretsManagerClient
from glue_jobs.runtime.errors import UserError
from local_aws.jobs.scheduler import refused

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import CreateNamedQueryInputTypeDef
    from mypy_boto3_glue.literals import TriggerTypeType
    from mypy_boto3_glue.type_defs import CreateJobRequestTypeDef, CreateTriggerRequestTypeDef
    from mypy_boto3_lambda.type_defs import CreateFunctionRequestTypeDef
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_scheduler.type_defs import CreateScheduleInputTypeDef

_WAITS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 15, 30)
"""Seconds between looks at a schema version that the registry has not decided on."""

_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)

_PROJECT = Path(glue_jobs.__file__).parent.parent


def bucket_names(pipeline: Pipeline) -> dict[str, str]:
    """The real name of each bucket on a laptop, such as ``<project>-ingestion``."""
    return {name: f"{pipeline.name}-{name.replace('_', '-')}" for name in pipeline.buckets}


def job_request(
    pipeline: Pipeline, name: str, job: Job, buckets: Mapping[str, str]
) -> CreateJobRequestTypeDef:
    """The CreateJob request of a job."""
    request: CreateJobRequestTypeDef = {
        "Name": name,
        "Description": job.description,
        "Role": role_name(pipeline.name, name),
        "ExecutionProperty": {"MaxConcurrentRuns": job.max_concurrent_runs},
        "DefaultArguments": {key: pipeline.resolve(text, buckets) for key, text in job.arguments.items()},
        "MaxRetries": job.max_retries,
        "Timeout": job.timeout_minutes,
        "Command": {"ScriptLocation": f"s3://{buckets['artefacts']}/{job.script}"},
    }
    if isinstance(job.runtime, PythonShell):
        request["Command"] |= {"Name": "pythonshell", "PythonVersion": job.runtime.python}
        request["MaxCapacity"] = job.runtime.max_capacity
    else:
        request["Command"] |= {"Name": "glueetl", "PythonVersion": "3"}
        request["GlueVersion"] = job.runtime.glue
        request["WorkerType"] = job.runtime.worker_type
        request["NumberOfWorkers"] = job.runtime.workers
    return request


def trigger_request(name: str, trigger: Trigger) -> CreateTriggerRequestTypeDef:
    """The CreateTrigger request of a trigger, activated from the start where Glue allows it."""
    request: CreateTriggerRequestTypeDef = {
        "Name": name,
        "WorkflowName": trigger.workflow,
        "Type": cast("TriggerTypeType", trigger.type.upper()),
        "Actions": [{"JobName": job} for job in trigger.starts],
    }
    if trigger.when:
        request["Predicate"] = {
            "Logical": "ANY" if trigger.logical == "any" else "AND",
            "Conditions": [
                {"LogicalOperator": "EQUALS", "JobName": condition.job, "State": condition.state}
                for condition in trigger.when
            ],
        }
    # An on-demand trigger cannot be activated at its creation.
    if trigger.type != "on_demand":
        request["StartOnCreation"] = True
    return request


def function_request(
    pipeline: Pipeline, name: str, function: Function, buckets: Mapping[str, str], role: str
) -> CreateFunctionRequestTypeDef:
    """The CreateFunction request of a function, whose zip holds nothing: it imports the checkout.

    Args:
        pipeline: What is deployed.
        name: The function.
        function: As it is stated.
        buckets: The real name of each bucket.
        role: The ARN of its role.
    """
    environment = {key: pipeline.resolve(text, buckets) for key, text in function.environment.items()}
    return {
        "FunctionName": role_name(pipeline.name, name),
        "Description": function.description,
        "Runtime": "python3.13",
        "Architectures": ["x86_64"],
        "Handler": function.handler,
        "Role": role,
        "MemorySize": function.memory_megabytes,
        "Timeout": function.timeout_seconds,
        "Environment": {"Variables": environment},
        "Code": {"ZipFile": _EMPTY_ZIP},
    }


def schedule_request(
    pipeline: Pipeline, name: str, schedule: Schedule, function: str, role: str, queue: str
) -> CreateScheduleInputTypeDef:
    """The CreateSchedule request of a schedule.

    Args:
        pipeline: What is deployed.
        name: The schedule.
        schedule: As it is stated.
        function: The ARN of the function that it calls.
        role: The ARN of the role by which it does.
        queue: The ARN of the queue of what it could not call it with.

    Raises:
        UserError: The laptop cannot fire it.
    """
    request: CreateScheduleInputTypeDef = {
        "Name": name,
        "GroupName": pipeline.name,
        "Description": f"Starts the workflow {schedule.workflow}",
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.time_zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": function,
            "RoleArn": role,
            "Input": json.dumps({"workflow": schedule.workflow}),
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            "DeadLetterConfig": {"Arn": queue},
        },
    }
    if why := refused(request):
        raise UserError(f"The laptop cannot fire the schedule {name}: {why}.", "State another one for it.")
    return request


def deploy(
    client: Any,
    catalogue: Catalogue,
    pipeline: Pipeline,
    region: str,
    secrets: Mapping[str, str],
    addresses: Mapping[str, str] | None = None,
    project: Path = _PROJECT,
) -> dict[str, str]:
    """Provision everything.

    Args:
        client: Makes a boto3 client of the endpoint from a service's name.
        catalogue: The tables.
        pipeline: Everything else.
        region: The buckets' region.
        secrets: The DSN of each of the pipeline's secrets.
        addresses: By job that asks the internet, where each of its feeds asks instead: ``<feed>=<url>``.
        project: The directory that holds the jobs' scripts.

    Returns:
        The real name of each bucket.
    """
    buckets, s3, glue = bucket_names(pipeline), client("s3"), client("glue")
    _deploy_buckets(s3, pipeline, buckets, region, project)
    secret_arns = _deploy_secrets(client("secretsmanager"), pipeline, secrets)
    account = client("sts").get_caller_identity()["Account"]
    made = documents(pipeline, catalogue)
    values = placeholder_values(pipeline, region, account, buckets, secret_arns)
    deploy_rights(client("iam"), s3, pipeline, made, values)
    _deploy_external_buckets(s3, pipeline, region, account)
    deploy_tables(glue, catalogue, buckets)
    deploy_schemas(glue, catalogue, pipeline.registries["raw"])
    _deploy_jobs(glue, pipeline, buckets, addresses or {})
    deploy_functions(client, pipeline, buckets, account, region)
    deploy_athena(client("athena"), catalogue, pipeline, buckets)
    deploy_sandboxes(glue, pipeline, buckets)
    return buckets


def _deploy_buckets(
    s3: S3Client, pipeline: Pipeline, buckets: Mapping[str, str], region: str, project: Path
) -> None:
    for name in buckets.values():
        _make_bucket(s3, name, region)
    for job in pipeline.jobs.values():
        s3.put_object(
            Bucket=buckets["artefacts"], Key=job.script, Body=project.joinpath(job.script).read_bytes()
        )


def _deploy_external_buckets(s3: S3Client, pipeline: Pipeline, region: str, account: str) -> None:
    """Make the buckets of others; operators play their owners, and put files there."""
    owner = f"arn:aws:iam::{account}:role/{role_name(pipeline.name, OPERATORS)}"
    for stated in pipeline.external_buckets.values():
        _make_bucket(s3, stated.bucket, region)
        arn = f"arn:aws:s3:::{stated.bucket}"
        allowed = {
            "Sid": "OperatorsPlayTheOwner",
            "Effect": "Allow",
            "Principal": {"AWS": owner},
            "Action": ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            "Resource": [arn, f"{arn}/*"],
        }
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        s3.put_bucket_policy(Bucket=stated.bucket, Policy=json.dumps(policy))


def _make_bucket(s3: S3Client, name: str, region: str) -> None:
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": cast("BucketLocationConstraintType", region)},
        )


def deploy_tables(glue: GlueClient, catalogue: Catalogue, buckets: Mapping[str, str]) -> None:
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
    for contract in catalogue.tables:
        zone = contract.zone_info
        with contextlib.suppress(there):
            glue.create_table(
                DatabaseName=zone.database, TableInput=table_input(contract, buckets[zone.bucket])
            )
        for index in partition_indexes(contract):
            with contextlib.suppress(there):
                glue.create_partition_index(
                    DatabaseName=zone.database, TableName=contract.table, PartitionIndex=index
                )
    deploy_views(glue, catalogue)


def deploy_views(glue: GlueClient, catalogue: Catalogue) -> None:
    """Make the views over facts and dimensions; one that no contract states any more goes.

    Args:
        glue: A boto3 ``glue`` client.
        catalogue: The contracts.
    """
    stated = {(catalogue.zones[zone].database, view["Name"]): view for zone, view in view_inputs(catalogue)}
    for database in sorted({database for database, _ in stated}):
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
            for table in page["TableList"]:
                if table["TableType"] == "VIRTUAL_VIEW" and (database, table["Name"]) not in stated:
                    glue.delete_table(DatabaseName=database, Name=table["Name"])
    for (database, _), view in stated.items():
        with contextlib.suppress(glue.exceptions.AlreadyExistsException):
            glue.create_table(DatabaseName=database, TableInput=view)


def deploy_schemas(glue: GlueClient, catalogue: Catalogue, registry: Registry) -> None:
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
            first = glue.create_schema(**schema_request(registry.name, registry.compatibility, contract))
            version, status = first["SchemaVersionId"], str(first["SchemaVersionStatus"])
        except there:
            further = glue.register_schema_version(**version_request(registry.name, contract))
            version, status = further["SchemaVersionId"], str(further["Status"])
        _await_decision(glue, contract, version, status)


def _await_decision(glue: GlueClient, contract: Contract, version_id: str, status: str) -> None:
    """Wait until the registry has looked at a version, unless its answer to the request says that it has."""
    for wait in _WAITS:
        if status != "PENDING":
            break
        time.sleep(wait)
        status = glue.get_schema_version(SchemaVersionId=version_id)["Status"]
    if status != "AVAILABLE":
        raise UserError(
            f"The schema registry answered {status} to version {contract.version} of {contract.table}.",
            "Look at that version in the registry; a definition that it refused keeps its number.",
        )


def _deploy_jobs(
    glue: GlueClient, pipeline: Pipeline, buckets: Mapping[str, str], addresses: Mapping[str, str]
) -> None:
    for name, job in pipeline.jobs.items():
        request = job_request(pipeline, name, job, buckets)
        if name in addresses:
            request["DefaultArguments"] = {**request["DefaultArguments"], "--urls": addresses[name]}
        glue.create_job(**request)
    there = glue.exceptions.AlreadyExistsException
    for name, workflow in pipeline.workflows.items():
        with contextlib.suppress(there):
            glue.create_workflow(
                Name=name, Description=workflow.description, MaxConcurrentRuns=workflow.max_concurrent_runs
            )
    for name, trigger in pipeline.triggers.items():
        with contextlib.suppress(there):
            glue.create_trigger(**trigger_request(name, trigger))


def deploy_functions(
    client: Any, pipeline: Pipeline, buckets: Mapping[str, str], account: str, region: str
) -> None:
    """Make the functions that no option asks for, and what calls them.

    Args:
        client: Makes a boto3 client of the endpoint from a service's name.
        pipeline: What is deployed.
        buckets: The real name of each bucket.
        account: The account's number.
        region: The region.
    """
    functions, queues = client("lambda"), client("sqs")
    arns = {}
    for name, function in pipeline.functions.items():
        if function.option is not None:
            continue
        role = f"arn:aws:iam::{account}:role/{role_name(pipeline.name, name)}"
        request = function_request(pipeline, name, function, buckets, role)
        with contextlib.suppress(functions.exceptions.ResourceConflictException):
            functions.create_function(**request)
        arns[name] = f"arn:aws:lambda:{region}:{account}:function:{request['FunctionName']}"
        if function.is_awaited:
            continue
        failed = queue_of_failed(pipeline.name, name)
        queues.create_queue(QueueName=failed)
        functions.put_function_event_invoke_config(
            FunctionName=request["FunctionName"],
            MaximumRetryAttempts=function.retries,
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{region}:{account}:{failed}"}},
        )
    if pipeline.starter is None:
        return
    scheduler = client("scheduler")
    if pipeline.name not in {one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]}:
        scheduler.create_schedule_group(Name=pipeline.name)
    role = f"arn:aws:iam::{account}:role/{role_name(pipeline.name, SCHEDULES)}"
    queue = f"arn:aws:sqs:{region}:{account}:{queue_of_failed(pipeline.name, pipeline.starter)}"
    for name, schedule in pipeline.schedules.items():
        due = schedule_request(pipeline, name, schedule, arns[pipeline.starter], role, queue)
        with contextlib.suppress(scheduler.exceptions.ConflictException):
            scheduler.create_schedule(**due)


def _deploy_secrets(
    manager: SecretsManagerClient, pipeline: Pipeline, secrets: Mapping[str, str]
) -> dict[str, str]:
    """Make the secrets and fill them; the ARN of each."""
    arns = {}
    for key, secret in pipeline.databases.items():
        value = json.dumps({"dsn": secrets[key]})
        try:
            arns[key] = manager.create_secret(
                Name=secret.name, Description=secret.description, SecretString=value
            )["ARN"]
        except manager.exceptions.ResourceExistsException:
            arns[key] = manager.put_secret_value(SecretId=secret.name, SecretString=value)["ARN"]
    return arns


def placeholder_values(
    pipeline: Pipeline, region: str, account: str, buckets: Mapping[str, str], secrets: Mapping[str, str]
) -> dict[str, str]:
    """What the placeholders of the documents of rights stand for on a laptop.

    It has no network of its own, no customer's keys and no site at an edge: what names these names nothing.

    Args:
        pipeline: What is deployed.
        region: The region that is played.
        account: The account that is played.
        buckets: The real name of each bucket.
        secrets: The ARN of each secret.
    """
    network = ("connection", "vpc", "subnet", "security_group", "functions_security_group")
    none = dict.fromkeys(network, "none")
    return {
        **none,
        **{f"bucket_{key}": name for key, name in buckets.items()},
        **{f"secret_{key}": arn for key, arn in secrets.items()},
        "bucket_access_logs": "none",
        "partition": "aws",
        "region": region,
        "account": account,
        "name": pipeline.name,
        "releases": "glue_jobs/",
        "data_key": f"arn:aws:kms:{region}:{account}:key/none",
        "secrets_key": f"arn:aws:kms:{region}:{account}:key/none",
        "site": f"arn:aws:cloudfront::{account}:distribution/none",
    }


def deploy_rights(
    iam: IAMClient, s3: S3Client, pipeline: Pipeline, made: Mapping[str, Document], values: Mapping[str, str]
) -> None:
    """Make the roles of jobs and of people, and the policies of the buckets.

    Args:
        iam: A boto3 ``iam`` client.
        s3: A boto3 ``s3`` client.
        pipeline: What is deployed.
        made: The documents of rights.
        values: What their placeholders stand for.
    """
    trusts = json.dumps(fill(made["glue_takes_roles.json"], values))
    for job in pipeline.jobs:
        policies = {"what-the-job-does": f"jobs/{job}", "what-knows-no-resource": f"jobs/{job}.unbound"}
        there = {name: path for name, path in policies.items() if f"{path}.json" in made}
        _deploy_role(iam, role_name(pipeline.name, job), trusts, there, made, values)
    _deploy_roles_of_functions(iam, pipeline, made, values)
    people = json.dumps(fill(made["people/account_takes_roles.json"], values))
    for role in (OPERATORS, *analysts(pipeline)):
        policies = {"works": f"people/{role}", "writes-in-the-sandbox": f"people/{role}.sandbox"}
        if role == OPERATORS:
            policies["repairs"] = "people/repairs"
        there = {name: path for name, path in policies.items() if f"{path}.json" in made}
        _deploy_role(iam, role_name(pipeline.name, role), people, there, made, values)
    for key in pipeline.buckets:
        policy = json.dumps(fill(made[f"buckets/{key}.json"], values))
        s3.put_bucket_policy(Bucket=values[f"bucket_{key}"], Policy=policy)


def _deploy_roles_of_functions(
    iam: IAMClient, pipeline: Pipeline, made: Mapping[str, Document], values: Mapping[str, str]
) -> None:
    for name, function in pipeline.functions.items():
        if function.option is not None:
            continue
        trusts = json.dumps(fill(made["lambda_takes_roles.json"], values))
        policies = {"what-the-function-does": f"functions/{name}"}
        _deploy_role(iam, role_name(pipeline.name, name), trusts, policies, made, values)
    if pipeline.starter is not None:
        trusts = json.dumps(fill(made["scheduler_takes_roles.json"], values))
        _deploy_role(
            iam, role_name(pipeline.name, SCHEDULES), trusts, {"what-schedules-do": "schedules"}, made, values
        )


def _deploy_role(
    iam: IAMClient,
    name: str,
    trust: str,
    policies: Mapping[str, str],
    made: Mapping[str, Document],
    values: Mapping[str, str],
) -> None:
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    for policy, path in policies.items():
        document = json.dumps(fill(made[f"{path}.json"], values))
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)


def deploy_athena(
    athena: AthenaClient, catalogue: Catalogue, pipeline: Pipeline, buckets: Mapping[str, str]
) -> None:
    """Make the analysts' work groups and, in each, a named query of each question.

    Args:
        athena: A boto3 ``athena`` client.
        catalogue: The contracts.
        pipeline: What states the work groups.
        buckets: The real name of each bucket.
    """
    known = {group["Name"] for group in athena.list_work_groups()["WorkGroups"]}
    groups = pipeline.work_group_requests(buckets)
    for request in groups:
        if request["Name"] not in known:
            athena.create_work_group(**request)
    named = {request["Name"]: named_queries(athena, request["Name"]) for request in groups}
    for query in question_requests(pipeline, catalogue):
        if query["Name"] not in named[query["WorkGroup"]]:
            athena.create_named_query(**query)


def question_requests(pipeline: Pipeline, catalogue: Catalogue) -> list[CreateNamedQueryInputTypeDef]:
    """The CreateNamedQuery requests of the questions, for each work group what its analysts may ask.

    Args:
        pipeline: What states the work groups.
        catalogue: The contracts.

    Raises:
        ContractError: A question asks for a time that Athena rounds.
    """
    columns = (column for contract in catalogue.contracts for column in contract.all_columns)
    if any(column.type.name in FINE_MOMENTS for column in columns):
        # Who reads SQL takes a while to load, for which no other project waits.
        from bi.select_lists import check_questions

        check_questions(catalogue)
    questions, zones = load_questions().values(), catalogue.zones
    made = [named_query_request(q, zones["star"].database, pipeline.athena.work_group) for q in questions]
    if pipeline.athena.redacted is not None:
        group, database = pipeline.athena.redacted.work_group, zones["redacted_star"].database
        made += [named_query_request(question.redacted(), database, group) for question in questions]
    return made


def deploy_sandboxes(glue: GlueClient, pipeline: Pipeline, buckets: Mapping[str, str]) -> None:
    """Make the databases in which analysts may write.

    Args:
        glue: A boto3 ``glue`` client.
        pipeline: What states them.
        buckets: The real name of each bucket.
    """
    for stated in pipeline.sandbox_requests(buckets):
        with contextlib.suppress(glue.exceptions.AlreadyExistsException):
            glue.create_database(DatabaseInput=stated)
