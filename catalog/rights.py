"""Who may do what, made from ``pipeline.yaml``: the policy documents of roles, buckets, keys and secrets.

Nothing else states rights. The documents hold placeholders for what only a deployment knows (account, names
of buckets, keys, the network); whoever deploys fills them in: Terraform reads the files below
``terraform/rights`` as templates, the laptop calls :func:`fill`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from catalog.catalogue import Catalogue
from catalog.model import Zone
from catalog.pipeline import Access, Function, Job, Pipeline, Sandbox, WorkGroup, named
from catalog.star_views import athena_views

Document = dict[str, Any]
"""A policy document, as JSON states it."""

# What a placeholder stands for:
#   partition, region, account   where it is deployed
#   name                         what names of roles begin with
#   bucket_<key>, bucket_access_logs   the name of a bucket
#   releases                     the key prefix of what jobs download before they begin
#   data_key, secrets_key        the ARN of the key of the buckets, of the secrets
#   secret_<key>                 the ARN of a secret
#   connection, vpc, subnet, security_group   the jobs' network
#   functions_security_group     the security group of the functions in it
#   site                         the ARN of the distribution that reads the documentation
#   api                          the identifier of the HTTP API of programs
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

_GLUE = "arn:${partition}:glue:${region}:${account}"
_EC2 = "arn:${partition}:ec2:${region}:${account}"
SCHEDULES = "schedules"
"""What the scheduler's role is named after."""

OPERATORS = "operators"
"""Those who run the pipeline by hand: who they are is the account's matter."""

ANALYST, PERSONAL_DATA_ANALYST = "analyst", "personal-data-analyst"
"""Those who ask, and see no personal columns; those who see them too."""

_DOCUMENTATION = "documentation"
_RESULTS = "athena_results"
LOG_GROUPS = {
    "python_shell": ("python-jobs/output", "python-jobs/error"),
    "spark": ("jobs/output", "jobs/error", "jobs/logs-v2"),
}
"""Glue's own names of the log groups of jobs, below ``/aws-glue/``, by the kind of their runtime."""

_READS_TABLES = (
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
)


def documents(pipeline: Pipeline, catalogue: Catalogue) -> dict[str, Document]:
    """Every policy document, by the path of its file below ``terraform/rights``.

    Args:
        pipeline: What is deployed.
        catalogue: The tables, and which of their columns are personal.
    """
    zones = catalogue.zones
    made = {"glue_takes_roles.json": _document([_glue_takes_roles()])}
    for name, job in pipeline.jobs.items():
        statements = [*_job_statements(pipeline, zones, job), *_external_statements(pipeline, name)]
        made[f"jobs/{name}.json"] = _document(statements)
        if job.network == "vpc":
            made[f"jobs/{name}.unbound.json"] = _document(_unbound_statements())
    made.update(_function_documents(pipeline))
    for key in pipeline.buckets:
        made[f"buckets/{key}.json"] = _document(_bucket_statements(pipeline, zones, key))
    made["buckets/access_logs.json"] = _document([*_tls("access_logs"), _delivers_logs()])
    made["keys/data.json"] = _document([_account_decides(), _site_decrypts()])
    made["keys/secrets.json"] = _document([_account_decides()])
    for key in pipeline.secrets:
        made[f"secrets/{key}.json"] = _document([_nobody_elsewhere(key)])
    made["people/account_takes_roles.json"] = _document([_account_takes_roles()])
    made["people/operators.json"] = _document(_operator_statements(pipeline, zones))
    for role, group in analysts(pipeline).items():
        shown = _shown_without_personal(catalogue)
        if role == PERSONAL_DATA_ANALYST:
            shown = _shown_with_personal(catalogue, [sandbox.database for sandbox in pipeline.sandboxes])
        made[f"people/{role}.json"] = _document(_analyst_statements(group, shown))
        if group.sandbox is not None:
            made[f"people/{role}.sandbox.json"] = _document(_sandbox_statements(group.sandbox))
    made["people/repairs.json"] = _document(_repair_statements(pipeline, zones))
    return made


def analysts(pipeline: Pipeline) -> dict[str, WorkGroup]:
    """The roles of analysts, each with the work group that it asks in.

    Args:
        pipeline: What is deployed.
    """
    redacted = {} if pipeline.athena.redacted is None else {ANALYST: pipeline.athena.redacted}
    return {**redacted, PERSONAL_DATA_ANALYST: pipeline.athena}


def fill(document: Mapping[str, Any], values: Mapping[str, str]) -> Document:
    """A document with its placeholders filled in.

    Args:
        document: From :func:`documents`.
        values: By name, what a placeholder stands for.

    Raises:
        KeyError: There is no value for one.
    """
    text = _PLACEHOLDER.sub(lambda found: json.dumps(values[found.group(1)])[1:-1], json.dumps(document))
    filled: Document = json.loads(text)
    return filled


def role_name(name: str, job: str) -> str:
    """The name of a job's role.

    Args:
        name: What names of roles begin with.
        job: The job.
    """
    return f"{name}-{job.replace('_', '-')}"


def _document(statements: Sequence[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str, actions: Iterable[str], resources: Iterable[str], condition: Optional[Document] = None
) -> Document:
    stated = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return stated if condition is None else {**stated, "Condition": condition}


# --- jobs --------------------------------------------------------------------------------------------


def _bucket(key: str) -> str:
    return f"arn:${{partition}}:s3:::${{bucket_{key}}}"


def _objects(place: str) -> str:
    """The objects of a place: ``ingestion/raw/`` is the prefix ``raw/`` of the bucket ``ingestion``."""
    bucket, _, prefix = place.partition("/")
    return f"{_bucket(bucket)}/{prefix}*"


def _tables(zones: Mapping[str, Zone], names: Iterable[str]) -> list[str]:
    databases = [zones[name].database for name in names]
    return [
        f"{_GLUE}:catalog",
        *(arn for db in databases for arn in (f"{_GLUE}:database/{db}", f"{_GLUE}:table/{db}/*")),
    ]


def _job_statements(pipeline: Pipeline, zones: Mapping[str, Zone], job: Job) -> list[Document]:
    access = job.access
    statements = [
        *_object_statements(access),
        *_listings((*access.reads, *access.writes, *access.removes)),
        _allow("UsesTheKeyOfTheBuckets", ["kms:Decrypt", "kms:GenerateDataKey"], ["${data_key}"]),
        *_table_statements(zones, access),
        *_secret_statements(pipeline, named(job.arguments, "secret"), access.sees),
        *_named_statements(pipeline, job),
    ]
    if access.watches:
        watched = [f"{_GLUE}:job/{name}" for name in access.watches]
        statements.append(_allow("SeesWhetherRunsGoOn", ["glue:GetJobRun", "glue:GetJobRuns"], watched))
    return [*statements, *_service_statements(job)]


def _object_statements(access: Access) -> list[Document]:
    read = [_objects(place) for place in _widest((*access.reads, *access.writes))]
    made = [_allow("ReadsObjects", ["s3:GetObject"], [f"{_bucket('artefacts')}/${{releases}}*", *read])]
    if access.writes:
        places = [_objects(place) for place in access.writes]
        made.append(_allow("WritesObjects", ["s3:AbortMultipartUpload", "s3:PutObject"], places))
    if access.removes:
        removed = [_objects(place) for place in access.removes]
        made.append(_allow("RemovesObjects", ["s3:DeleteObject"], removed))
    return made


def _external_statements(pipeline: Pipeline, job: str) -> list[Document]:
    """What a job's feeds read in buckets of others: below their prefixes, and nothing is written."""
    made = []
    for key, stated in pipeline.external_buckets.items():
        prefixes = [f.prefix for f in pipeline.file_feeds.values() if (f.job, f.bucket) == (job, key)]
        if not prefixes:
            continue
        if stated.role_arn is not None:
            made.append(_allow(f"TakesTheRoleOf{_title(key)}", ["sts:AssumeRole"], [stated.role_arn]))
            continue
        bucket = f"arn:${{partition}}:s3:::{stated.bucket}"
        listed = _prefixes([f"{prefix}*" for prefix in prefixes])
        made.append(_allow(f"ListsExternal{_title(key)}", ["s3:ListBucket"], [bucket], listed))
        places = [f"{bucket}/{prefix}*" for prefix in prefixes]
        made.append(_allow(f"ReadsExternal{_title(key)}", ["s3:GetObject"], places))
        if stated.kms_key_arn is not None:
            made.append(_allow(f"UsesTheKeyOf{_title(key)}", ["kms:Decrypt"], [stated.kms_key_arn]))
    return made


def _widest(places: Iterable[str]) -> list[str]:
    """Places without those that lie in another of them."""
    named = list(dict.fromkeys(places))
    return [one for one in named if not any(one.startswith(other) for other in named if other != one)]


def _listings(places: Iterable[str]) -> list[Document]:
    prefixes: dict[str, list[str]] = {}
    for place in _widest(places):
        bucket, _, prefix = place.partition("/")
        prefixes.setdefault(bucket, []).append(f"{prefix}*")
    return [
        _allow(f"Lists{_title(bucket)}", ["s3:ListBucket"], [_bucket(bucket)], _prefixes(listed))
        for bucket, listed in prefixes.items()
    ]


def _title(key: str) -> str:
    return "".join(part.capitalize() for part in key.split("_"))


def _prefixes(listed: Sequence[str]) -> Document:
    return {"StringLike": {"s3:prefix": list(listed)}}


def _table_statements(zones: Mapping[str, Zone], access: Access) -> list[Document]:
    made = []
    looked_up = list(dict.fromkeys([*access.looks_up, *access.registers]))
    if looked_up:
        made.append(_allow("LooksUpTables", _READS_TABLES, _tables(zones, looked_up)))
    if access.registers:
        made.append(_allow("RegistersPartitions", _REGISTERS, _tables(zones, access.registers)))
    return made


def _secret(pipeline: Pipeline, key: str) -> str:
    """A secret's ARN; of one that not every environment has, with what AWS adds to its name left open."""
    secret = pipeline.secrets[key]
    if secret.option is None:
        return f"${{secret_{key}}}"
    return f"arn:${{partition}}:secretsmanager:${{region}}:${{account}}:secret:{secret.name}-??????"


def _secret_statements(
    pipeline: Pipeline, secrets: Sequence[str], sees: Sequence[str] = ()
) -> list[Document]:
    seen = [_secret(pipeline, key) for key in sees]
    made = [_allow("SeesWhichValueSecretsHave", ["secretsmanager:DescribeSecret"], seen)] if seen else []
    if not secrets:
        return made
    by_way_of = {"StringEquals": {"kms:ViaService": "secretsmanager.${region}.amazonaws.com"}}
    return [
        *made,
        _allow(
            "ReadsItsSecrets",
            ["secretsmanager:GetSecretValue"],
            [_secret(pipeline, key) for key in secrets],
        ),
        _allow("UsesTheKeyOfTheSecrets", ["kms:Decrypt"], ["${secrets_key}"], by_way_of),
    ]


def _named_statements(pipeline: Pipeline, job: Job) -> list[Document]:
    """What a job's arguments name besides buckets and secrets."""
    made = []
    registries = [pipeline.registries[key].name for key in named(job.arguments, "registry")]
    if registries:
        arns = [arn for r in registries for arn in (f"{_GLUE}:registry/{r}", f"{_GLUE}:schema/{r}/*")]
        made.append(_allow("ReadsRegisteredContracts", ["glue:GetSchemaVersion"], arns))
    workflows = [f"{_GLUE}:workflow/{key}" for key in named(job.arguments, "workflow")]
    if workflows:
        made.append(_allow("StartsWorkflows", ["glue:StartWorkflowRun"], workflows))
    if named(job.arguments, "athena"):
        actions = [
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:GetWorkGroup",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        ]
        group = f"arn:${{partition}}:athena:${{region}}:${{account}}:workgroup/{pipeline.athena.work_group}"
        made.append(_allow("AsksAthena", actions, [group]))
        made.append(_allow("FindsTheResults", ["s3:GetBucketLocation"], [_bucket(_RESULTS)]))
    return made


def _service_statements(job: Job) -> list[Document]:
    """What Glue itself does with the role, around the job."""
    logs = "arn:${partition}:logs:${region}:${account}:log-group:/aws-glue"
    groups = [f"{logs}/{name}:*" for name in LOG_GROUPS[job.runtime.kind]]
    writes_logs = _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], groups)
    return [writes_logs, *(_network_statements() if job.network == "vpc" else [])]


def _network_statements() -> list[Document]:
    """How a job comes into the network of the databases."""
    interfaces = f"{_EC2}:network-interface/*"
    joined = [interfaces, f"{_EC2}:security-group/${{security_group}}", f"{_EC2}:subnet/${{subnet}}"]
    in_the_vpc = {"ArnEquals": {"ec2:Vpc": f"{_EC2}:vpc/${{vpc}}"}}
    glues_tag = {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}}
    return [
        _allow(
            "ReadsItsConnection",
            ["glue:GetConnection"],
            [f"{_GLUE}:catalog", f"{_GLUE}:connection/${{connection}}"],
        ),
        _allow("JoinsTheNetwork", ["ec2:CreateNetworkInterface"], joined),
        _allow("LeavesTheNetwork", ["ec2:DeleteNetworkInterface"], [interfaces], in_the_vpc),
        _allow("MarksItsInterfaces", ["ec2:CreateTags", "ec2:DeleteTags"], [interfaces], glues_tag),
    ]


def _unbound_statements() -> list[Document]:
    """Actions that know no resource: looking at the network."""
    looks = [
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints",
    ]
    return [{**_allow("SeesTheNetwork", looks, []), "Resource": "*"}]


def _glue_takes_roles() -> Document:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "glue.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": _OF_THE_ACCOUNT,
    }


# --- functions and schedules -------------------------------------------------------------------------

_OF_THE_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "${account}"}}


def _service_takes_roles(service: str, condition: Optional[Document] = None) -> Document:
    stated = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return stated if condition is None else {**stated, "Condition": condition}


def _function_documents(pipeline: Pipeline) -> dict[str, Document]:
    made = {
        f"functions/{name}.json": _document(_function_statements(pipeline, name, function))
        for name, function in pipeline.functions.items()
    }
    for name, function in pipeline.functions.items():
        if function.network == "vpc":
            made[f"functions/{name}.unbound.json"] = _document([_sees_interfaces()])
        if function.called_by == "http":
            made[f"people/callers_of_{name}.json"] = _document([_calls_the_api()])
    if pipeline.functions:
        made["lambda_takes_roles.json"] = _document([_service_takes_roles("lambda")])
    if pipeline.starter is not None:
        made["scheduler_takes_roles.json"] = _document([_service_takes_roles("scheduler", _OF_THE_ACCOUNT)])
        made["schedules.json"] = _document(_schedule_statements(pipeline.starter))
    return made


def function_arn(name: str) -> str:
    """The ARN of a function, with placeholders.

    Args:
        name: The function.
    """
    return f"arn:${{partition}}:lambda:${{region}}:${{account}}:function:{role_name('${name}', name)}"


def queue_of_failed(name: str, function: str) -> str:
    """The name of the queue of the calls that a function failed at.

    Args:
        name: What names of queues begin with.
        function: The function.
    """
    return f"{role_name(name, function)}-failed"


def _leaves_what_failed(function: str) -> Document:
    queue = f"arn:${{partition}}:sqs:${{region}}:${{account}}:{queue_of_failed('${name}', function)}"
    return _allow("LeavesWhatFailed", ["sqs:SendMessage"], [queue])


def _function_statements(pipeline: Pipeline, name: str, function: Function) -> list[Document]:
    access, made = function.access, []
    if access.reads:
        made.append(_allow("ReadsObjects", ["s3:GetObject"], [_objects(place) for place in access.reads]))
        made += _listings(access.reads)
        made.append(_allow("UsesTheKeyOfTheBuckets", ["kms:Decrypt"], ["${data_key}"]))
    made += _secret_statements(pipeline, named(function.environment, "secret"))
    if function.called_by == "schedules":
        started = dict.fromkeys(schedule.workflow for schedule in pipeline.schedules.values())
        workflows = [f"{_GLUE}:workflow/{workflow}" for workflow in started]
        made.append(_allow("StartsWorkflows", ["glue:StartWorkflowRun"], workflows))
    if function.network == "vpc":
        made += _interface_statements(name)
    if not function.is_awaited:
        made.append(_leaves_what_failed(name))
    group = f"/aws/lambda/{role_name('${name}', name)}"
    logs = f"arn:${{partition}}:logs:${{region}}:${{account}}:log-group:{group}:*"
    return [*made, _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs])]


_USES_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
)


def _interface_statements(name: str) -> list[Document]:
    """How Lambda brings a function into the network of the databases, which its code itself may not do."""
    interfaces = f"{_EC2}:network-interface/*"
    group = f"{_EC2}:security-group/${{functions_security_group}}"
    code = {"ArnEquals": {"lambda:SourceFunctionArn": [function_arn(name)]}}
    joins = _allow("JoinsTheNetwork", _USES_INTERFACES, [interfaces, group, f"{_EC2}:subnet/${{subnet}}"])
    return [joins, {**_allow("ItsCodeDoesNot", _USES_INTERFACES, [interfaces], code), "Effect": "Deny"}]


def _sees_interfaces() -> Document:
    looks = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    return {**_allow("SeesTheNetwork", looks, []), "Resource": "*"}


def _calls_the_api() -> Document:
    """What programs do that ask a function by its HTTP API."""
    api = "arn:${partition}:execute-api:${region}:${account}:${api}/$default/GET/*"
    return _allow("AsksTheApi", ["execute-api:Invoke"], [api])


def _schedule_statements(starter: str) -> list[Document]:
    """What the scheduler does with its role: call the function, and leave what it could not call it with."""
    called = _allow("CallsTheFunction", ["lambda:InvokeFunction"], [function_arn(starter)])
    return [called, _leaves_what_failed(starter)]


# --- buckets -----------------------------------------------------------------------------------------


def _deny(sid: str, actions: Any, resources: Sequence[str], condition: Document) -> Document:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": list(resources),
        "Condition": condition,
    }


def _tls(key: str) -> list[Document]:
    whole = [_bucket(key), f"{_bucket(key)}/*"]
    return [
        _deny("TlsOnly", "s3:*", whole, {"Bool": {"aws:SecureTransport": "false"}}),
        _deny("RecentTlsOnly", "s3:*", whole, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ]


def _bucket_statements(pipeline: Pipeline, zones: Mapping[str, Zone], key: str) -> list[Document]:
    made = _tls(key)
    once = pipeline.buckets[key].written_once
    if once:
        # Parts of an upload bear no such header; what completes it does.
        unconditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
        places = [f"{_bucket(key)}/{prefix}*" for prefix in once]
        made.append(_deny("NothingIsWrittenTwice", "s3:PutObject", places, unconditional))
    answers = pipeline.buckets[key].written_by_people
    if answers:
        places = [f"{_bucket(key)}/{pattern}" for pattern in answers]
        made.append(_deny("NoJobAnswersItself", "s3:PutObject", places, _roles(pipeline.jobs)))
    if key in {zones[zone].bucket for zone in ("raw", "dead_letter", "star")}:
        made += _immutability(pipeline, key)
    if key == _DOCUMENTATION:
        made.append(_the_site_reads())
    return made


def _roles(jobs: Iterable[str]) -> Document:
    """Holds for the roles of jobs."""
    arns = [f"arn:${{partition}}:iam::${{account}}:role/{role_name('${name}', job)}" for job in jobs]
    return {"ArnEquals": {"aws:PrincipalArn": arns}}


def _immutability(pipeline: Pipeline, key: str) -> list[Document]:
    versions = [
        "s3:DeleteObjectVersion",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectAcl",
        "s3:BypassGovernanceRetention",
    ]
    others = [name for name, job in pipeline.jobs.items() if not job.access.removes]
    objects = [f"{_bucket(key)}/*"]
    return [
        _deny("JobsRemoveNoVersion", versions, objects, _roles(pipeline.jobs)),
        _deny("WhatIsPublishedStays", "s3:DeleteObject", objects, _roles(others)),
    ]


def _the_site_reads() -> Document:
    return {
        "Sid": "TheSiteReads",
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": [f"{_bucket(_DOCUMENTATION)}/*"],
        "Condition": {"StringEquals": {"aws:SourceArn": "${site}"}},
    }


def _delivers_logs() -> Document:
    return {
        "Sid": "S3DeliversLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{_bucket('access_logs')}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": "${account}"}},
    }


# --- keys and secrets --------------------------------------------------------------------------------


def _account_decides() -> Document:
    return {
        "Sid": "TheAccountDecides",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:${partition}:iam::${account}:root"},
        "Action": "kms:*",
        # In a key's policy: this key.
        "Resource": "*",
    }


def _site_decrypts() -> Document:
    return {
        "Sid": "TheSiteReads",
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceArn": "${site}"}},
    }


def _nobody_elsewhere(key: str) -> Document:
    return {
        "Sid": "NobodyElsewhere",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": f"${{secret_{key}}}",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "${account}"}},
    }


# --- people ------------------------------------------------------------------------------------------


def _account_takes_roles() -> Document:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:${partition}:iam::${account}:root"},
        "Action": "sts:AssumeRole",
    }


def _operator_statements(pipeline: Pipeline, zones: Mapping[str, Zone]) -> list[Document]:
    """What a person needs who runs, watches, approves and repairs: the command line's work."""
    data = ["ingestion", "processed", _DOCUMENTATION, _RESULTS]
    written = [_objects(place) for place in _OPERATORS_WRITE]
    group = f"arn:${{partition}}:athena:${{region}}:${{account}}:workgroup/{pipeline.athena.work_group}"
    by_way_of_s3 = {"StringEquals": {"kms:ViaService": "s3.${region}.amazonaws.com"}}
    jobs = [f"{_GLUE}:job/{name}" for name in pipeline.jobs]
    workflows = [f"{_GLUE}:workflow/{name}" for name in pipeline.workflows]
    return [
        _allow("ReadsObjects", ["s3:GetObject"], [f"{_bucket(key)}/*" for key in data]),
        _allow("ListsBuckets", ["s3:GetBucketLocation", "s3:ListBucket"], [_bucket(key) for key in data]),
        _allow("WritesObjects", ["s3:AbortMultipartUpload", "s3:PutObject"], written),
        _allow(
            "UsesTheKeyOfTheBuckets", ["kms:Decrypt", "kms:GenerateDataKey"], ["${data_key}"], by_way_of_s3
        ),
        _allow("LooksUpTables", _READS_TABLES, _tables(zones, zones)),
        _allow("ListsDatabases", ["glue:GetDatabases"], [f"{_GLUE}:catalog", f"{_GLUE}:database/*"]),
        _allow("RunsJobs", _RUNS_JOBS, jobs),
        _allow("RunsWorkflows", _RUNS_WORKFLOWS, workflows),
        _allow("AsksAthena", _ASKS_ATHENA, [group]),
    ]


def _repair_statements(pipeline: Pipeline, zones: Mapping[str, Zone]) -> list[Document]:
    """What the runbook has operators do besides; apart, since a policy has 6,144 letters at most."""
    registries = [
        arn
        for registry in pipeline.registries.values()
        for arn in (f"{_GLUE}:registry/{registry.name}", f"{_GLUE}:schema/{registry.name}/*")
    ]
    return [
        _allow("ReadsRegisteredContracts", ["glue:GetSchemaVersion"], registries),
        _allow("RegistersPartitions", _REGISTERS, _tables(zones, zones)),
        *(_pausing_statements() if pipeline.schedules else []),
        *_watching_statements(pipeline),
        *_putting_statements(pipeline),
    ]


def _pausing_statements() -> list[Document]:
    """A schedule is paused by stating it anew, the role of the scheduler included."""
    scheduler = "arn:${partition}:scheduler:${region}:${account}:schedule"
    role = f"arn:${{partition}}:iam::${{account}}:role/{role_name('${name}', SCHEDULES)}"
    handed_on = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    return [
        _allow("FindsSchedules", ["scheduler:ListSchedules"], [f"{scheduler}/*/*"]),
        _allow(
            "PausesSchedules",
            ["scheduler:GetSchedule", "scheduler:UpdateSchedule"],
            [f"{scheduler}/${{name}}/*"],
        ),
        _allow("HandsOnTheirRole", ["iam:PassRole"], [role], handed_on),
    ]


def _watching_statements(pipeline: Pipeline) -> list[Document]:
    """What the runbook looks at: the logs of runs, and how runs ended where that could not be written."""
    logs = "arn:${partition}:logs:${region}:${account}:log-group"
    read = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    groups = [f"{logs}:/aws-glue/{name}:*" for names in LOG_GROUPS.values() for name in names]
    failed = [name for name, one in pipeline.functions.items() if not one.is_awaited]
    names = ["${name}-undelivered", *(queue_of_failed("${name}", one) for one in failed)]
    queues = [f"arn:${{partition}}:sqs:${{region}}:${{account}}:{name}" for name in names]
    groups += [f"{logs}:/aws/lambda/{role_name('${name}', one)}:*" for one in pipeline.functions]
    asked = [name for name, one in pipeline.functions.items() if one.called_by == "http"]
    groups += [f"{logs}:/aws/vendedlogs/{role_name('${name}', one)}-*" for one in asked]
    taken = ["sqs:GetQueueUrl", "sqs:PurgeQueue", "sqs:ReceiveMessage"]
    return [
        _allow("FindsLogs", ["logs:DescribeLogGroups"], [f"{logs}:*"]),
        _allow("ReadsLogs", read, [*groups, f"{logs}:/aws/events/${{name}}-run-ends:*"]),
        _allow("TakesWhatWasNotDelivered", taken, queues),
    ]


def _putting_statements(pipeline: Pipeline) -> list[Document]:
    """A secret gets another value from whoever knows one, and is read by jobs alone."""
    secrets = [_secret(pipeline, key) for key in pipeline.secrets]
    by_way_of = {"StringEquals": {"kms:ViaService": "secretsmanager.${region}.amazonaws.com"}}
    uses = ["kms:Decrypt", "kms:GenerateDataKey"]
    return [
        _allow("PutsSecrets", ["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"], secrets),
        _allow("UsesTheKeyOfTheSecrets", uses, ["${secrets_key}"], by_way_of),
    ]


_OPERATORS_WRITE = (
    # Requests to the pipeline, and answers to what it asks of a person.
    "ingestion/_awaiting_approval/",
    "ingestion/_commits/full_capture/",
    "ingestion/_commits/rebuild/",
    # That a job need not wait any more.
    "ingestion/_commits/waits/",
    "ingestion/_paused/",
    # A comparison that is made by hand is recorded as the nightly one is.
    "ingestion/ops/",
    "documentation/",
    "athena_results/queries/",
)
_REGISTERS = (
    "glue:BatchCreatePartition",
    "glue:BatchDeletePartition",
    "glue:BatchUpdatePartition",
    "glue:CreateTable",
    "glue:UpdateTable",
)
_RUNS_JOBS = ("glue:BatchStopJobRun", "glue:GetJob", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun")
_RUNS_WORKFLOWS = (
    "glue:GetWorkflow",
    "glue:GetWorkflowRun",
    "glue:GetWorkflowRuns",
    "glue:StartWorkflowRun",
    "glue:StopWorkflowRun",
)
_ASKS_ATHENA = (
    "athena:BatchGetNamedQuery",
    "athena:BatchGetQueryExecution",
    "athena:GetNamedQuery",
    "athena:GetPreparedStatement",
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetQueryRuntimeStatistics",
    "athena:GetWorkGroup",
    "athena:ListNamedQueries",
    "athena:ListPreparedStatements",
    "athena:ListQueryExecutions",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
)


@dataclass(frozen=True)
class _Shown:
    """What analysts read.

    Attributes:
        places: Objects, by bucket and key prefix.
        tables: Tables and views, by database; ``*`` is all of one.
    """

    places: tuple[str, ...]
    tables: Mapping[str, tuple[str, ...]]


def _shown_with_personal(catalogue: Catalogue, sandboxes: Sequence[str]) -> _Shown:
    """Whole zones, dead letters among them; of sandboxes what tables there are."""
    zones = catalogue.zones.values()
    records = [f"{contract.zone_info.bucket}/{contract.prefix}" for contract in catalogue.ops.values()]
    star = [f"{contract.zone_info.bucket}/{contract.prefix}" for contract in catalogue.star.values()]
    whole = [f"{zone.bucket}/{zone.prefix}" for zone in zones if zone.name not in ("star", "ops")]
    databases = [*(zone.database for zone in zones), *sandboxes]
    return _Shown((*whole, *star, *records), dict.fromkeys(databases, ("*",)))


def _shown_without_personal(catalogue: Catalogue) -> _Shown:
    """Copies where a table has personal columns, else the table itself; no dead letters."""
    copied = {(catalogue.zones[copy.zone].copies, copy.table) for copy in catalogue.copies}
    tables = {"raw": catalogue.raw, "star": catalogue.star, "ops": catalogue.ops}
    plain = [
        contract
        for zone, contracts in tables.items()
        for contract in contracts.values()
        if (zone, contract.table) not in copied
    ]
    named: dict[str, tuple[str, ...]] = {
        zone.database: ("*",) for zone in catalogue.zones.values() if zone.copies is not None
    }
    for contract in plain:
        database = contract.zone_info.database
        views = [view.name for view in athena_views(contract)]
        hidden = [table for zone, table in copied if zone and catalogue.zones[zone].database == database]
        named[database] = (*named.get(database, ()), *_patterns(contract.table, views, hidden))
    named[catalogue.zones["ops"].database] = ("*",)
    shown = [*catalogue.copies, *plain]
    return _Shown(tuple(f"{contract.zone_info.bucket}/{contract.prefix}" for contract in shown), named)


def _patterns(table: str, views: Sequence[str], others: Iterable[str]) -> list[str]:
    """A table and its views, by one pattern where that is shorter and shows no other table."""
    named_otherwise = [view for view in views if not view.startswith(table)]
    if len(named_otherwise) < len(views) and not any(other.startswith(table) for other in others):
        return [f"{table}*", *named_otherwise]
    return [table, *views]


def _analyst_statements(group: WorkGroup, shown: _Shown) -> list[Document]:
    """What analysts do: ask in their work group, read what it reads, and their results."""
    read = [*shown.places, group.results_prefix]
    work_group = f"arn:${{partition}}:athena:${{region}}:${{account}}:workgroup/{group.work_group}"
    by_way_of_s3 = {"StringEquals": {"kms:ViaService": "s3.${region}.amazonaws.com"}}
    tables = [
        arn
        for database, names in shown.tables.items()
        for arn in (
            f"{_GLUE}:database/{database}",
            *(f"{_GLUE}:table/{database}/{name}" for name in names),
        )
    ]
    buckets = dict.fromkeys(place.partition("/")[0] for place in read)
    return [
        _allow("ReadsObjects", ["s3:GetObject"], [_objects(place) for place in read]),
        *_listings(read),
        _allow("FindsBuckets", ["s3:GetBucketLocation"], [_bucket(key) for key in buckets]),
        _allow(
            "WritesResults", ["s3:AbortMultipartUpload", "s3:PutObject"], [_objects(group.results_prefix)]
        ),
        _allow(
            "UsesTheKeyOfTheBuckets", ["kms:Decrypt", "kms:GenerateDataKey"], ["${data_key}"], by_way_of_s3
        ),
        _allow("LooksUpTables", _READS_TABLES, [f"{_GLUE}:catalog", *tables]),
        _allow("ListsDatabases", ["glue:GetDatabases"], [f"{_GLUE}:catalog", f"{_GLUE}:database/*"]),
        _allow("AsksAthena", (*_ASKS_ATHENA, *_KEEPS_QUERIES), [work_group]),
    ]


_KEEPS_QUERIES = (
    "athena:CreatePreparedStatement",
    "athena:DeletePreparedStatement",
    "athena:UpdatePreparedStatement",
)


def _sandbox_statements(sandbox: Sandbox) -> list[Document]:
    """What analysts may do in their sandbox."""
    bucket = _bucket(sandbox.bucket)
    prefix = sandbox.location.partition("}/")[2]
    of_this_bucket = {
        "StringEquals": {"kms:ViaService": "s3.${region}.amazonaws.com"},
        # All buckets have one key; S3 says for which of them it asks.
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
    }
    written = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ]
    listed = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    changed = [
        "glue:BatchCreatePartition",
        "glue:BatchDeletePartition",
        "glue:BatchGetPartition",
        "glue:BatchUpdatePartition",
        "glue:CreatePartition",
        "glue:CreateTable",
        "glue:DeletePartition",
        "glue:DeleteTable",
        "glue:GetDatabase",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:GetTable",
        "glue:GetTables",
        "glue:UpdatePartition",
        "glue:UpdateTable",
    ]
    tables = [
        f"{_GLUE}:catalog",
        f"{_GLUE}:database/{sandbox.database}",
        f"{_GLUE}:table/{sandbox.database}/*",
    ]
    return [
        _allow("WritesObjects", written, [f"{bucket}/{prefix}*"]),
        _allow("ListsTheBucket", listed, [bucket]),
        _allow(
            "UsesTheKeyForThisBucket",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            ["${data_key}"],
            of_this_bucket,
        ),
        _allow("ChangesTables", changed, tables),
    ]
