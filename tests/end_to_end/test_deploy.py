"""Terraform deploys the platform to the laptop's endpoint, and what is deployed runs."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import RSAKey

from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.glue import COMMENT_LIMIT, database_input, table_input, view_inputs
from catalog.json_schema import definition
from catalog.pipeline import PythonShell, load_pipeline
from catalog.rights import analysts, documents
from glue_jobs.lake import approvals, rebuilds
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.sources.mass_deletes import MassDeletes
from lakehouse.drive import JobFailed, follow_running, run_job, run_until_idle, run_workflow, waiting
from lakehouse.local_deployment import (
    function_request,
    job_request,
    question_requests,
    schedule_request,
    trigger_request,
)
from lakehouse.payments import grants_of
from lakehouse.rates_server import BANK_PATH, RatesServer, moved, shipped_history
from lakehouse.release import release
from lakehouse.schedules import pause, resume
from local_aws.endpoint.guard import Access
from local_aws.jobs.scheduler import Scheduler
from tests import needs
from tests.conftest import ROOT
from tests.end_to_end.deployed import LOADER, Refused, Site, site
from tests.faults.test_fault_scenarios import WITHOUT_FOREIGN_KEYS
from tests.files import event, lines
from tests.granted import Grant, Sourced, denied_without, idle, needless, unused
from tests.signed import Signed, ask
from tests.slack import TOKEN, FakeSlack
from tests.terraform import CONFIGURATION, Terraform
from tools import costs, deploy, dist, restore
from tools.browser import serving
from tools.set_up import RUNTIMES

PIPELINE, CATALOGUE = load_pipeline(), load_catalogue()
ALARMS = spell_out(read_alarms(PIPELINE), PIPELINE, CATALOGUE)
STATE_BUCKET = "terraform-state"
ISSUER = "https://login.example/finance"
CASES = Path(__file__).resolve().parent.parent / "cases"
EVENTS = CASES.parent / "integration" / "payments_api" / "events"

# What a second plan still wants to change, because the emulator does not give back what it was told.
DRIFTS: Mapping[tuple[str, str], str] = {
    ("aws_cloudfront_distribution", "default_cache_behavior"): "moto forgets its function and its headers",
    ("aws_cloudfront_distribution", "origin"): "moto forgets an origin's access control",
    ("aws_cloudfront_distribution", "viewer_certificate"): "moto gives empty texts back where nothing was",
    ("aws_glue_connection", "connection_type"): "moto does not give it back",
    ("aws_glue_job", "execution_class"): "moto states one for Python shell, which has none",
    ("aws_glue_registry", "tags_all"): "moto forgets the tags of a registry",
    ("aws_glue_trigger", "enabled"): "moto takes an on-demand trigger for a deactivated one",
    ("aws_vpc_security_group_egress_rule", "description"): "moto forgets it where a group is named",
    ("aws_vpc_security_group_ingress_rule", "description"): "moto forgets it where a group is named",
}


@dataclass(frozen=True)
class Deployment:
    """A planned deployment: where to, with what, and the plan."""

    site: Site
    terraform: Terraform
    variables: tuple[str, ...]
    plan: Path
    planned: Mapping[str, Any]

    def values(self, kind: str) -> dict[str, dict[str, Any]]:
        """By address, what is planned of a kind of resource."""
        return {
            change["address"]: change["change"]["after"]
            for change in self.planned["resource_changes"]
            if change["type"] == kind and change["mode"] == "managed"
        }

    def destroy(self) -> None:
        """Take away all that is in the state."""
        # What is there need not be asked again: nothing but jobs has changed it.
        arguments = ("-no-color", "-input=false", "-auto-approve", "-refresh=false", "-parallelism=20")
        self.terraform.run("destroy", *arguments, *self.variables)

    def buckets(self) -> dict[str, str]:
        """The name of each bucket, as it is planned."""
        named: dict[str, str] = self.planned["planned_values"]["outputs"]["buckets"]["value"]
        return named


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A plan for an account in which there is nothing."""
    folder = tmp_path_factory.mktemp("deployment")
    Terraform(folder)
    dist.build(folder / "release")
    with site(folder / "stack") as found:
        for _again in range(2):
            deploy.ensure_state_bucket(found.endpoint.client("s3"), STATE_BUCKET, found.endpoint.region)
        terraform = Terraform(folder / "data", found.endpoint.environment())
        terraform.init(*deploy.backend(STATE_BUCKET, found.endpoint.region))
        variables = (
            f"-var-file={CONFIGURATION}/environments/dev.tfvars",
            f"-var=release={folder / 'release'}",
            f"-var=network={json.dumps(found.network)}",
            "-var=slack=true",
            f"-var=http_api={json.dumps({'issuer': ISSUER, 'audiences': ['payments']})}",
        )
        terraform.run("plan", "-input=false", *variables, f"-out={folder / 'plan'}")
        planned = terraform.json("show", "-json", str(folder / "plan"))
        yield Deployment(found, terraform, variables, folder / "plan", planned)


def table_of(planned: Mapping[str, Any]) -> dict[str, Any]:
    """A planned table as a request to Glue would state it."""
    (storage,) = planned["storage_descriptor"]

    def columns(stated: Any) -> list[dict[str, str]]:
        return [{"Name": c["name"], "Type": c["type"], "Comment": c["comment"]} for c in stated]

    found: dict[str, Any] = {
        "Name": planned["name"],
        "Description": planned["description"],
        "TableType": planned["table_type"],
        "Parameters": planned["parameters"],
        "PartitionKeys": columns(planned["partition_keys"]),
        "StorageDescriptor": {"Columns": columns(storage["columns"]), "Location": storage["location"] or ""},
    }
    if planned["table_type"] == "VIRTUAL_VIEW":
        text = planned["view_original_text"].removeprefix("/* Presto View: ").removesuffix(" */")
        view = json.loads(base64.b64decode(text))
        return {**found, "View": view, "ViewExpandedText": planned["view_expanded_text"]}
    (serde,) = storage["ser_de_info"]
    found["StorageDescriptor"] |= {
        "InputFormat": storage["input_format"],
        "OutputFormat": storage["output_format"],
        "SerdeInfo": {
            "SerializationLibrary": serde["serialization_library"],
            "Parameters": serde["parameters"],
        },
    }
    return {**found, "Owner": planned["owner"]}


def view_of(stated: Mapping[str, Any]) -> dict[str, Any]:
    text = stated["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    view = json.loads(base64.b64decode(text))
    return {**{k: v for k, v in stated.items() if k != "ViewOriginalText"}, "View": view}


def test_every_planned_table_is_what_python_builds_from_the_same_contract(deployment: Deployment) -> None:
    buckets = deployment.buckets()
    stated: dict[tuple[str, str], Any] = {
        (c.zone_info.database, c.table): table_input(c, buckets[c.zone_info.bucket]) for c in CATALOGUE.tables
    }
    for zone, view in view_inputs(CATALOGUE):
        stated[CATALOGUE.zones[zone].database, view["Name"]] = view_of(view)
    planned = {
        (values["database_name"], values["name"]): table_of(values)
        for values in deployment.values("aws_glue_catalog_table").values()
    }
    assert planned == stated
    databases = {
        values["name"]: (values["description"], values.get("location_uri"))
        for values in deployment.values("aws_glue_catalog_database").values()
    }
    wanted = [database_input(zone) for zone in CATALOGUE.zones.values()]
    wanted += PIPELINE.sandbox_requests(buckets)
    assert databases == {one["Name"]: (one["Description"], one.get("LocationUri")) for one in wanted}
    assert max(len(c.description) for t in CATALOGUE.contracts for c in t.columns) <= COMMENT_LIMIT


def test_every_named_query_is_the_question_as_python_reads_it(deployment: Deployment) -> None:
    redacted = PIPELINE.athena.redacted
    assert redacted is not None
    groups = {
        CATALOGUE.zones["star"].database: PIPELINE.athena.work_group,
        CATALOGUE.zones["redacted_star"].database: redacted.work_group,
    }
    planned = [
        {
            "Name": values["name"],
            "Description": values["description"],
            "Database": values["database"],
            "QueryString": values["query"],
            "WorkGroup": groups[values["database"]],
        }
        for values in deployment.values("aws_athena_named_query").values()
    ]

    def place(query: Mapping[str, Any]) -> tuple[str, str]:
        return query["WorkGroup"], query["Name"]

    assert sorted(planned, key=place) == sorted(question_requests(PIPELINE, CATALOGUE), key=place)


def test_every_registered_definition_is_the_published_contract(deployment: Deployment) -> None:
    planned = {
        values["schema_name"]: values["schema_definition"]
        for values in deployment.values("aws_glue_schema").values()
    }
    assert planned == {name: definition(contract) for name, contract in CATALOGUE.raw.items()}


def test_every_job_and_trigger_is_what_the_laptop_deploys_from_the_same_file(deployment: Deployment) -> None:
    buckets = deployment.buckets()
    jobs = {values["name"]: values for values in deployment.values("aws_glue_job").values()}
    assert jobs.keys() == PIPELINE.jobs.keys()
    for name, job in PIPELINE.jobs.items():
        stated, planned = job_request(PIPELINE, name, job, buckets), jobs[name]
        assert planned["default_arguments"].items() >= stated["DefaultArguments"].items()
        assert planned["timeout"] == stated["Timeout"]
        assert planned["max_retries"] == stated["MaxRetries"]
        assert planned["execution_property"] == [
            {"max_concurrent_runs": stated["ExecutionProperty"]["MaxConcurrentRuns"]}
        ]
        (command,) = planned["command"]
        assert command["name"] == stated["Command"]["Name"]
        assert command["python_version"] == stated["Command"]["PythonVersion"]
        assert command["script_location"].endswith(f"/{job.script}")
        if isinstance(job.runtime, PythonShell):
            assert planned["max_capacity"] == stated["MaxCapacity"]
        else:
            assert planned["glue_version"] == stated["GlueVersion"]
            assert planned["worker_type"] == stated["WorkerType"]
            assert planned["number_of_workers"] == stated["NumberOfWorkers"]
    triggers = {values["name"]: values for values in deployment.values("aws_glue_trigger").values()}
    assert triggers.keys() == PIPELINE.triggers.keys()
    for name, trigger in PIPELINE.triggers.items():
        request, planned = trigger_request(name, trigger), triggers[name]
        assert planned["workflow_name"] == request["WorkflowName"]
        assert planned["type"] == request["Type"]
        assert [action["job_name"] for action in planned["actions"]] == list(trigger.starts)
        conditions = [
            (condition["job_name"], condition["state"], condition["logical_operator"])
            for predicate in planned["predicate"]
            for condition in predicate["conditions"]
        ]
        assert conditions == [(c.job, c.state, "EQUALS") for c in trigger.when]


@pytest.fixture(scope="module")
def applied(deployment: Deployment) -> Deployment:
    """The plan, applied; secrets filled as a person would."""
    deployment.terraform.run("apply", "-no-color", "-input=false", "-parallelism=20", str(deployment.plan))
    outputs = deployment.terraform.json("output", "-json")
    deployment.site.fill_secrets(outputs["secrets"]["value"])
    return deployment


TURNED_ON = ("aws_scheduler_schedule", "state")
"""What a second plan has to change: the secrets hold values by then."""


def plan_again(applied: Deployment, *arguments: str) -> dict[str, Any]:
    """A second plan: what is known only of what is there, such as every policy, stands in it."""
    path = str(applied.plan.parent / "again")
    stated = ("-input=false", "-detailed-exitcode", *arguments, *applied.variables, f"-out={path}")
    applied.terraform.run("plan", *stated, expect=(0, 2))
    return applied.terraform.json("show", "-json", path)


def drifts(plan: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The kinds of resource that a plan would change, and which of their attributes."""
    return {
        (change["type"], attribute)
        for change in plan["resource_changes"]
        if change["change"]["actions"] != ["no-op"]
        for attribute in drifted(change["change"])
    }


@pytest.fixture(scope="module")
def again(applied: Deployment) -> Mapping[str, Any]:
    """A second plan by what the first apply was told."""
    return plan_again(applied, "-refresh=false")


def test_a_second_plan_turns_schedules_on_and_changes_nothing_else_but_what_the_emulator_forgets(
    again: Mapping[str, Any],
) -> None:
    # The provider itself keeps a trigger's actions otherwise until it reads them again.
    assert drifts(again) - DRIFTS.keys() == {TURNED_ON, ("aws_glue_trigger", "actions")}


@pytest.mark.slow
def test_a_plan_that_asks_for_all_that_is_there_changes_nothing_but_what_the_emulator_forgets(
    applied: Deployment,
) -> None:
    assert drifts(plan_again(applied)) == {*DRIFTS, TURNED_ON}


def test_schedules_are_off_until_secrets_hold_values_and_the_next_deployment_turns_them_on(
    again: Mapping[str, Any],
) -> None:
    schedules = {
        change["index"]: (change["change"]["before"]["state"], change["change"]["after"]["state"])
        for change in again["resource_changes"]
        if change["type"] == "aws_scheduler_schedule"
    }
    assert schedules == dict.fromkeys(PIPELINE.schedules, ("DISABLED", "ENABLED"))


def test_every_function_and_schedule_is_what_the_laptop_deploys_from_the_same_file(
    again: Mapping[str, Any], deployment: Deployment
) -> None:
    kinds = ("aws_lambda_function", "aws_scheduler_schedule", "aws_lambda_function_event_invoke_config")
    planned: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    for change in again["resource_changes"]:
        if change["type"] in planned:
            planned[change["type"]][change["index"]] = change["change"]["after"]
    functions, schedules, settings = planned.values()
    assert {name: there["maximum_retry_attempts"] for name, there in settings.items()} == {
        name: function.retries for name, function in PIPELINE.functions.items() if not function.is_awaited
    }
    assert functions.keys() == PIPELINE.functions.keys()
    for name, there in functions.items():
        stated = PIPELINE.functions[name]
        request = function_request(PIPELINE, name, stated, deployment.buckets(), there["role"])
        assert there["handler"] == request["Handler"]
        assert there["runtime"] == request["Runtime"]
        assert there["architectures"] == request["Architectures"]
        assert (there["memory_size"], there["timeout"]) == (request["MemorySize"], request["Timeout"])
        code = deployment.plan.parent / "release" / "functions" / f"{name}.zip"
        assert (
            there["source_code_hash"] == base64.b64encode(hashlib.sha256(code.read_bytes()).digest()).decode()
        )
    assert schedules.keys() == PIPELINE.schedules.keys()
    for name, there in schedules.items():
        (target,) = there["target"]
        stated_so = (target["arn"], target["role_arn"], target["dead_letter_config"][0]["arn"])
        due = schedule_request(PIPELINE, name, PIPELINE.schedules[name], *stated_so)
        assert there["schedule_expression"] == due["ScheduleExpression"]
        assert there["schedule_expression_timezone"] == due["ScheduleExpressionTimezone"]
        assert json.loads(target["input"]) == json.loads(due["Target"]["Input"])
        assert target["retry_policy"][0]["maximum_retry_attempts"] == 0


@pytest.fixture(scope="module")
def edges(deployment: Deployment) -> Mapping[str, list[str]]:
    """By node of Terraform's graph, those that are made before it."""
    found: dict[str, list[str]] = {}
    for one, other in re.findall(r'"([^"]+)" -> "([^"]+)"', deployment.terraform.run("graph")):
        found.setdefault(one, []).append(other)
    return found


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("aws_cloudfront_distribution.site", "aws_s3_bucket_ownership_controls.access_logs"),
        ("aws_glue_trigger.this", "aws_iam_role_policy.job"),
        ("aws_scheduler_schedule.this", "aws_cloudwatch_metric_alarm.this"),
        ("aws_scheduler_schedule.this", "aws_sns_topic_policy.this"),
        ("aws_scheduler_schedule.this", "aws_iam_role_policy.schedules"),
        ("aws_scheduler_schedule.this", "aws_glue_trigger.this"),
        ("aws_lambda_function.this", "aws_iam_role_policy.function"),
        ("aws_lambda_function.this", "aws_cloudwatch_log_group.this"),
        ("aws_lambda_function.this", "aws_iam_role_policy.unbound_function"),
        ("aws_cloudwatch_event_target.run_ends", "aws_sqs_queue_policy.undelivered"),
    ],
)
def test_what_needs_another_is_made_after_it(
    edges: Mapping[str, list[str]], later: str, earlier: str
) -> None:
    found = [node for node in edges if node.endswith(later)]
    assert found
    seen = set(found)
    while found:
        fresh = [other for other in edges.get(found.pop(), ()) if other not in seen]
        seen.update(fresh)
        found += fresh
    assert [node for node in seen if node.endswith(earlier)], sorted(seen)


# By feature, what makes a plan break it.
BAD: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "access": (
        "aws_iam_role_policy",
        {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})},
    ),
    "alerts": ("aws_cloudwatch_log_group", {"retention_in_days": 1}),
    "athena": ("aws_athena_workgroup", {"configuration": [{"publish_cloudwatch_metrics_enabled": False}]}),
    "functions": ("aws_lambda_function", {"runtime": "python3.9"}),
    "http_apis": ("aws_apigatewayv2_route", {"authorization_type": "NONE"}),
    "jobs": ("aws_glue_job", {"timeout": 2880}),
    "keys": ("aws_kms_key", {"enable_key_rotation": False}),
    "schedules": (
        "aws_scheduler_schedule",
        {"target": [{"retry_policy": [{"maximum_retry_attempts": 185}]}]},
    ),
    "secrets": ("aws_secretsmanager_secret_policy", {"block_public_policy": False}),
    "site": ("aws_cloudfront_distribution", {"default_root_object": "other.html"}),
    "storage": ("aws_s3_bucket_public_access_block", {"block_public_acls": False}),
    "tags": ("aws_sns_topic", {"tags_all": {}}),
}


def judge(plan: Mapping[str, Any], folder: Path) -> tuple[int, str]:
    """terraform-compliance over a plan: its exit code, and what it says."""
    tool = needs.checker("terraform-compliance")
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    features = CONFIGURATION / "compliance"
    done = subprocess.run(
        [tool, "--planfile", path, "--features", features, "--no-ansi"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}"},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_whole_plan_keeps_every_policy(again: Mapping[str, Any], tmp_path: Path) -> None:
    code, said = judge(again, tmp_path)
    assert (code, "Failure:" in said) == (0, False), said


def test_every_policy_refuses_a_plan_that_breaks_it(again: Mapping[str, Any], tmp_path: Path) -> None:
    names = {path.stem for path in (CONFIGURATION / "compliance").glob("*.feature")}
    assert BAD.keys() == names
    edits = dict(BAD.values())
    # What no feature is to break on here need not be judged.
    bad = of_kinds(copy.deepcopy(dict(again)), edits.keys())
    for values, kind in everything(bad):
        values.update(edits.get(kind, {}))
    code, said = judge(bad, tmp_path)
    assert code == 1
    # What is said of a feature begins with its name and ends with the path of its file.
    judged = {text.split(".feature", 1)[0].rpartition("/")[2]: text for text in said.split("\nFeature: ")[1:]}
    assert {name for name, text in judged.items() if "Failure:" in text} == names, said


def of_kinds(plan: dict[str, Any], kinds: Iterable[str]) -> dict[str, Any]:
    """A plan with some types of resources alone."""
    kept = set(kinds)
    modules = [plan["planned_values"]["root_module"], plan["prior_state"]["values"]["root_module"]]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", [])
        module["resources"] = [one for one in module.get("resources", ()) if one["type"] in kept]
    plan["resource_changes"] = [one for one in plan["resource_changes"] if one["type"] in kept]
    return plan


def everything(plan: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The values and the type of everything that is planned, wherever the plan states it."""
    modules = [plan["planned_values"]["root_module"]]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", [])
        yield from ((resource["values"], resource["type"]) for resource in module.get("resources", []))
    yield from ((change["change"]["after"], change["type"]) for change in plan["resource_changes"])


def test_every_bucket_refuses_what_comes_without_tls(again: Mapping[str, Any]) -> None:
    policies = [values for values, kind in everything(again) if kind == "aws_s3_bucket_policy"]
    assert {values["bucket"] for values in policies} == {
        values["bucket"] for values, kind in everything(again) if kind == "aws_s3_bucket"
    }
    for values in policies:
        (stated,) = [
            statement
            for statement in json.loads(values["policy"])["Statement"]
            if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        arn = f"arn:aws:s3:::{values['bucket']}"
        assert (stated["Effect"], stated["Action"]) == ("Deny", "s3:*")
        assert stated["Resource"] == [arn, f"{arn}/*"]


def test_analysts_may_write_in_their_sandbox_alone(again: Mapping[str, Any]) -> None:
    policies = {
        values["role"]: values
        for values, kind in everything(again)
        if kind == "aws_iam_role_policy" and values["name"] == "writes-in-the-sandbox"
    }
    assert len(policies) == len(analysts(PIPELINE))
    for role, group in analysts(PIPELINE).items():
        sandbox = group.sandbox
        assert sandbox is not None
        arn = f"arn:aws:s3:::{again['planned_values']['outputs']['buckets']['value'][sandbox.bucket]}"
        (values,) = [values for name, values in policies.items() if name.endswith(f"-dev-{role}")]
        statements = {s["Sid"]: s for s in json.loads(values["policy"])["Statement"]}
        reached = {place for s in statements.values() for place in s["Resource"]}
        assert {place for place in reached if ":s3:" in place} == {arn, f"{arn}/*"}
        assert {place.rpartition(":")[2] for place in reached if ":glue:" in place} == {
            "catalog",
            f"database/{sandbox.database}",
            f"table/{sandbox.database}/*",
        }


def test_no_job_may_remove_what_is_published_or_write_it_again(again: Mapping[str, Any]) -> None:
    policies = {
        values["bucket"]: {s["Sid"]: s for s in json.loads(values["policy"])["Statement"]}
        for values, kind in everything(again)
        if kind == "aws_s3_bucket_policy"
    }
    housekeepers = {name for name, job in PIPELINE.jobs.items() if job.access.removes}
    assert housekeepers == {"maintain_lake"}
    for bucket in ("ingestion", "processed"):
        (stated,) = [found for name, found in policies.items() if f"-{bucket}-" in name]
        assert _jobs(stated["WhatIsPublishedStays"]) == PIPELINE.jobs.keys() - housekeepers
        assert _jobs(stated["JobsRemoveNoVersion"]) == PIPELINE.jobs.keys()
        once = stated["NothingIsWrittenTwice"]
        prefixes = [resource.partition("/")[2] for resource in once["Resource"]]
        assert prefixes == [f"{prefix}*" for prefix in PIPELINE.buckets[bucket].written_once]
        assert once["Condition"]["Null"] == {"s3:if-none-match": "true"}


def _jobs(statement: Mapping[str, Any]) -> set[str]:
    """The jobs whose roles a statement names."""
    named = {arn.rpartition("/")[2] for arn in statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]}
    return {name for name in PIPELINE.jobs if f"totesys-dev-{name.replace('_', '-')}" in named}


def drifted(change: Mapping[str, Any]) -> set[str]:
    """The attributes that a change concerns."""
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, is_so in (change["after_unknown"] or {}).items() if is_so is True}
    return {
        name
        for name in before.keys() | after.keys()
        if name not in unknown and before.get(name) != after.get(name)
    }


LEFT_BEHIND: Mapping[str, tuple[str, ...]] = {
    "ingestion": (
        "raw/design/captured_date=2024-11-15/batch=9999999999/attempt=0/part-0.parquet",
        "accepted/design/captured_date=2024-11-15/batch=9999999999/attempt=9999999999-0/part-0.parquet",
        "dead_letter/design/captured_date=2024-11-15/batch=9999999999/attempt=9999999999-0/part-0.parquet",
        "_commits/capture-state/design/9999999999-0.json",
        "_commits/validate-state/design/9999999999-0.json",
        "_commits/attempts/0000000000-0000000000/1.json",
    ),
    "processed": ("star/dim_design/version=9999999999-0/part-0.parquet",),
}
"""By bucket, objects of runs that never ended, a kind each."""

DESIGN = (
    "INSERT INTO design (design_id, design_name, file_location, file_name, last_updated)"
    " VALUES ({0}, 'Late {0}', '/usr', 'late.json', now())"
)
"""A design that orders referred to before it was there."""

LANES = (
    "INSERT INTO address (address_line_1, city, postal_code, country, phone, last_updated)"
    " SELECT i || ' Lane', 'Leeds', '1', 'Italy', '0113 000000', now() FROM generate_series(1, 200) i"
)
"""Addresses enough that their end is a mass delete."""


@pytest.fixture(scope="module")
def ran(applied: Deployment) -> Deployment:
    """What is deployed has run, as an operator starts it, through all that happens to a pipeline."""
    site = applied.site
    for version in RUNTIMES:
        needs.runtime(version)
    policy = applied.terraform.json("output", "-json")["operators_policy"]["value"]
    operator, bucket = site.person(policy), applied.buckets()["ingestion"]
    lake = LakeClients(operator("s3"), operator("glue"), bucket)

    try:

        def change(*statements: str) -> None:
            with site.postgres.connect("small") as source:
                for statement in statements:
                    source.execute(statement.encode())

        def run() -> None:
            run_until_idle(lake, site.runs, lambda _: None)

        def job(name: str, arguments: Mapping[str, str] | None = None) -> None:
            run_job(operator("glue"), name, site.runs, lambda _: None, arguments)

        def refused(name: str, statement: str) -> None:
            site.refused.append(site.refused_run(operator, name, statement))

        run()
        # More waits than one run takes, a rejected row among it, so that it is handed over to Spark; a table
        # is captured in full.
        change(
            "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id < 4",
            "DELETE FROM payment WHERE payment_id = 40",
            "UPDATE design SET design_name = 'Renamed' WHERE design_id = 1",
            "UPDATE sales_order SET agreed_delivery_date = 'soon' WHERE sales_order_id = 6",
            "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 10",
            "UPDATE payment SET paid = NOT paid WHERE payment_id = 4",
        )
        job("extract_cdc", {"--capture_only": "1", "--full_capture": "design"})
        job("transform", {"--waiting_rows": "0"})
        follow_running(operator("glue"), "transform_large", site.runs, lambda _: None)
        assert not any(waiting(operator("s3"), bucket).values())
        # A rejected row beside an accepted one, and two that refer to nothing, by runs of which each lacks a
        # right before one has it: what they leave undone, the next ones do.
        change(
            WITHOUT_FOREIGN_KEYS,
            "UPDATE sales_order SET agreed_delivery_date = 'soon' WHERE sales_order_id = 5",
            "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 9",
            "UPDATE sales_order SET design_id = 90 + sales_order_id WHERE sales_order_id IN (7, 8)",
        )
        refused("extract_cdc", "ReadsItsSecrets")
        job("extract_cdc", {"--capture_only": "1", "--retry": "1"})
        refused("validate_raw", "WritesObjects")
        refused("transform", "ReadsItsSecrets")
        run()
        # Then so many that a person is asked, and approves.
        change(
            "UPDATE sales_order SET agreed_delivery_date = 'later' WHERE sales_order_id > 20",
            LANES,
            DESIGN.format(97),
        )
        with pytest.raises(JobFailed, match="transform"):
            run()
        assert approvals.approve(operator("s3"), bucket, iso(utc_now())) == 1
        run()
        # What refers to something by now is sent on, by either engine.
        job("replay_dead_letters")
        change(
            "UPDATE sales_order SET agreed_delivery_date = '2024-12-24' WHERE sales_order_id > 8 OR"
            " sales_order_id IN (5, 6)",
            DESIGN.format(98),
        )
        run()
        job("replay_dead_letters", {"--waiting_rows": "0"})
        follow_running(operator("glue"), "replay_large", site.runs, lambda _: None)
        # A mass delete pauses its table until a person lets it through, a column that is renamed another.
        change(
            "DELETE FROM address WHERE address_line_1 LIKE '% Lane'",
            "ALTER TABLE payment RENAME company_ac_number TO account",
            "UPDATE payment SET paid = NOT paid WHERE payment_id = 3",
        )
        with pytest.raises(JobFailed, match="extract_cdc"):
            run()
        change("ALTER TABLE payment RENAME account TO company_ac_number")
        (released,) = release(MassDeletes(operator("s3"), bucket), None, iso(utc_now()))
        assert released.table == "address"
        # A rebuild is asked for, and comes with the next batch; so do the sites, which are an hour old.
        rebuilds.request(LakeClients(operator("s3"), operator("glue"), bucket))
        site.document_again(bucket)
        run()
        assert not rebuilds.unanswered(LakeClients(operator("s3"), operator("glue"), bucket))
        follow_running(operator("glue"), "document", site.runs, lambda _: None)
        # Nobody is asked on the internet: the provider is played here.
        with RatesServer(0, moved(shipped_history(), datetime.now(UTC).date())) as rates, serving(rates):
            job("fetch_rates", {"--url": f"{rates.url.rstrip('/')}{BANK_PATH}"})
        # Nor is another account: its bucket lies beside ours.
        with site.carrier({"a.ndjson": lines(event(1), 1), "b.json": b"["}):
            job("fetch_files")
        run()
        run_workflow(operator("glue"), "reconcile", site.runs, lambda _: None)
        # What housekeeping finds: objects that nobody names, and partitions that somebody dropped.
        for key, left in LEFT_BEHIND.items():
            site.leave_behind(applied.buckets()[key], left, days=3)
        for zone in ("raw", "dead_letter", "star"):
            site.drop_a_partition(CATALOGUE.zones[zone].database)
        run_workflow(operator("glue"), "maintain", site.runs, lambda _: None)
    finally:
        site.forget_person(policy)
    return applied


def test_what_is_deployed_runs_and_ends_in_source_lake_and_warehouse_equal_to_the_row(
    ran: Deployment,
) -> None:
    (log,) = (path for path in ran.site.runs.glob("*.log") if '"job": "reconcile"' in path.read_text())
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (done,) = [line for line in lines if line["event"] == "reconcile.done"]
    assert done["verdict"] == "equal"
    tables = [line for line in lines if line["event"] == "reconcile.table"]
    assert len(tables) == len(CATALOGUE.raw) + len(CATALOGUE.star)


def job_of(access: Access) -> str:
    """The job whose session asked; empty where none did."""
    found = re.search(r":assumed-role/totesys-dev-([a-z-]+)/", access.principal.arn)
    return found.group(1).replace("-", "_") if found else ""


def test_every_job_ran_under_its_role_and_nothing_that_it_asked_for_was_refused(ran: Deployment) -> None:
    asked = {job for access in ran.site.trace if (job := job_of(access))}
    assert asked == PIPELINE.jobs.keys()
    refused = {
        (job_of(access), access.request.action, access.request.resource, access.decision)
        for access in ran.site.trace
        if job_of(access) and not access.decision.allowed
    }
    assert refused == set()


def test_housekeeping_removed_what_runs_that_never_ended_left(ran: Deployment) -> None:
    s3 = ran.site.endpoint.client("s3")
    there = [
        key
        for bucket, keys in LEFT_BEHIND.items()
        for key in keys
        if s3.list_objects_v2(Bucket=ran.buckets()[bucket], Prefix=key).get("Contents")
    ]
    assert there == []


NEEDED_ELSEWHERE = [
    Sourced(**{"role": "*", "part": "*", **stated})
    for stated in yaml.safe_load((CASES / "rights" / "needed_elsewhere.yaml").read_text(encoding="utf-8"))
]
"""Rights that no trace shows."""


def traces(ran: Deployment) -> dict[str, list[Access]]:
    """By job, what it asked for."""
    found: dict[str, list[Access]] = {job: [] for job in PIPELINE.jobs}
    for access in ran.site.trace:
        if job := job_of(access):
            found[job].append(access)
    return found


def test_what_housekeeping_removed_a_person_can_bring_back_and_no_job_can_remove_for_good(
    ran: Deployment,
) -> None:
    s3, bucket = ran.site.endpoint.client("s3"), ran.buckets()["processed"]
    (key,) = LEFT_BEHIND["processed"]
    (removed,) = s3.list_object_versions(Bucket=bucket, Prefix=key)["DeleteMarkers"]
    moment = (removed["LastModified"] - timedelta(seconds=1)).astimezone(UTC)
    markers = list(restore.markers(s3, bucket, key, moment))
    assert [marked for marked, _ in markers] == [key]
    assert restore.restore(s3, bucket, iter(markers)) == 1
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == 0
    assert not [a for a in ran.site.trace if job_of(a) and a.request.action == "s3:DeleteObjectVersion"]


METRICS_READ = {metric["metric"] for alarm in ALARMS.values() for metric in alarm["metrics"].values()}


def test_every_metric_that_a_job_says_is_read_and_every_one_is_counted_in_the_costs(ran: Deployment) -> None:
    (dashboard,) = ran.values("aws_cloudwatch_dashboard").values()
    said: dict[str, dict[Path, set[str]]] = {}
    for log in ran.site.runs.glob("*.log"):
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        for line in lines:
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                names = {metric["Name"] for metric in directive["Metrics"]}
                shown = {name for name in names if f'"{name}' in dashboard["dashboard_body"]}
                assert names - METRICS_READ - shown == set(), line
                counted = set() if "table" in line else {f"{name} of {line.get('secret')}" for name in names}
                said.setdefault(line["job"], {}).setdefault(log, set()).update(counted)
    # How a run ended is one more, which Glue tells of.
    most = {job: max(map(len, by_run.values())) + 1 for job, by_run in said.items()}
    assert most.keys() == PIPELINE.jobs.keys()
    assert {job: most[job] for job in most if most[job] > costs.METRICS[job]} == {}


def test_every_right_of_a_job_was_used_or_a_source_says_who_needs_it(ran: Deployment) -> None:
    stated = documents(PIPELINE, CATALOGUE)
    open_ones = {
        grant
        for job, trace in traces(ran).items()
        for grant in unused(job, stated[f"jobs/{job}.json"], ran.site.rights(job), trace)
    }
    found = [*needless(open_ones, NEEDED_ELSEWHERE), *idle(open_ones, NEEDED_ELSEWHERE)]
    assert not found, "\n".join(map(str, found))


def test_without_any_one_of_its_statements_a_job_would_be_refused_by_name(ran: Deployment) -> None:
    nothing_changes = set()
    for job, trace in traces(ran).items():
        for statement in ran.site.rights(job)["Statement"]:
            told = denied_without(statement["Sid"], trace)
            assert all("is not authorized to perform" in one for one in told)
            nothing_changes |= set() if told else {Grant(job, statement["Sid"], "")}
    found = needless(nothing_changes, NEEDED_ELSEWHERE)
    assert not found, "\n".join(map(str, found))


def test_a_run_that_lacks_a_right_ends_in_words_that_name_it(ran: Deployment) -> None:
    assert {one.job for one in ran.site.refused} == {"extract_cdc", "transform", "validate_raw"}
    for one in ran.site.refused:
        check_refusal(one)


def check_refusal(run: Refused) -> None:
    """See that a run's end names action, resource and reason, and that its log is no traceback."""
    named = re.search(r"not authorized to perform: (\S+) on resource: (\S+)", run.error)
    assert named, run.error
    # What Athena refuses it is told by, too.
    assert re.search("AccessDenied|Athena does not answer", run.error), run.error
    assert "because no identity-based policy allows" in run.error
    assert "Traceback" not in run.log


KINDS_OF_RIGHTS = (
    ("extract_cdc", "ListsIngestion"),
    ("extract_cdc", "ReadsItsSecrets"),
    ("extract_cdc", "ReadsRegisteredContracts"),
    ("extract_cdc", "RegistersPartitions"),
    ("extract_cdc", "StartsWorkflows"),
    ("extract_cdc", "UsesTheKeyOfTheBuckets"),
    ("extract_cdc", "UsesTheKeyOfTheSecrets"),
    ("extract_cdc", "WritesObjects"),
    ("transform", "ListsIngestion"),
    ("transform", "ReadsItsSecrets"),
    ("transform", "ReadsObjects"),
    ("transform", "RegistersPartitions"),
    ("transform", "WritesObjects"),
    ("validate_raw", "ReadsRegisteredContracts"),
    ("validate_raw", "WritesObjects"),
    ("build_dimensions", "UsesTheKeyOfTheBuckets"),
    ("load_warehouse", "ReadsItsSecrets"),
    ("reconcile", "AsksAthena"),
    ("reconcile", "LooksUpTables"),
    ("maintain_lake", "LooksUpTables"),
    ("build_sites", "WritesObjects"),
)
"""One right of each kind, and whose it is taken away from."""


@pytest.mark.slow
def test_without_one_right_of_any_kind_a_run_ends_in_words_and_nothing_is_lost(ran: Deployment) -> None:
    site, runs = ran.site, ran.site.runs
    policy = ran.terraform.json("output", "-json")["operators_policy"]["value"]
    operator, bucket = site.person(policy), ran.buckets()["ingestion"]
    try:
        for number, (job, statement) in enumerate(KINDS_OF_RIGHTS):
            with site.postgres.connect("small") as source:
                update = f"UPDATE design SET design_name = 'Kind {number}' WHERE design_id = 2"
                source.execute(update.encode())
            if job != "extract_cdc":
                arguments = {"--capture_only": "1", "--retry": "1"}
                run_job(operator("glue"), "extract_cdc", runs, lambda _: None, arguments)
            check_refusal(site.refused_run(operator, job, statement))
        run_until_idle(LakeClients(operator("s3"), operator("glue"), bucket), runs, lambda _: None)
        run_workflow(operator("glue"), "reconcile", runs, lambda _: None)
    finally:
        site.forget_person(policy)


def test_services_reach_what_the_deployment_has_for_them_and_nothing_without_its_policy(
    ran: Deployment,
) -> None:
    site, client, buckets = ran.site, ran.site.endpoint.client, ran.buckets()
    logs, group = client("logs"), "/aws/events/totesys-dev-run-ends"
    written = [json.loads(one["message"]) for one in logs.filter_log_events(logGroupName=group)["events"]]
    assert {one["detail"]["jobName"] for one in written} == PIPELINE.jobs.keys()
    assert {one["detail"]["state"] for one in written} == {"SUCCEEDED", "FAILED"}
    alarms = [alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]]
    told = [one for alarm in alarms for one in site.services.alarm(alarm, "ALARM")]
    assert [one.refused for one in told if one.refused] == []
    assert {one.target for one in told} == {
        topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]
    }
    (shown,) = client("cloudfront").list_distributions()["DistributionList"]["Items"]
    assert site.services.edge_read(shown["ARN"], buckets["documentation"], "index.html") == ""
    assert site.services.edge_read(shown["ARN"], buckets["ingestion"], "raw/x") != ""
    assert site.services.edge_read(shown["ARN"] + "2", buckets["documentation"], "index.html") != ""
    # Without its policy the log group takes nothing; what could not be written is kept.
    (policy,) = logs.describe_resource_policies()["resourcePolicies"]
    logs.delete_resource_policy(policyName=policy["policyName"])
    end = {"jobName": "transform", "state": "FAILED"}
    (delivery,) = site.services.event("aws.glue", "Glue Job State Change", end)
    logs.put_resource_policy(policyName=policy["policyName"], policyDocument=policy["policyDocument"])
    assert "is not authorized to perform: logs:CreateLogStream" in delivery.refused
    assert delivery.kept_in.endswith(":totesys-dev-undelivered")


def test_what_is_written_once_was_written_with_the_condition_that_the_bucket_demands(ran: Deployment) -> None:
    names = {name: key for key, name in ran.buckets().items()}
    written = 0
    for access in ran.site.trace:
        bucket, _, key = access.request.resource.removeprefix("arn:aws:s3:::").partition("/")
        creates = access.request.context.get("s3:ObjectCreationOperation") == "true"
        if access.request.action == "s3:PutObject" and bucket in names and creates and job_of(access):
            written += 1
            once = key.startswith(PIPELINE.buckets[names[bucket]].written_once)
            assert "s3:if-none-match" in access.request.context or not once, access
    assert written > 0


def test_schedules_of_the_deployment_start_workflows_by_their_roles_and_a_run_that_goes_on_is_no_failure(
    ran: Deployment,
) -> None:
    site, name = ran.site, f"{PIPELINE.name}-dev"
    outputs = ran.terraform.json("output", "-json")
    repairs, operators = (outputs[f"{kind}_policy"]["value"] for kind in ("repairs", "operators"))
    now, before = [datetime(2027, 1, 15, 4, 0, tzinfo=UTC).timestamp()], len(site.trace)
    endpoint = site.endpoint
    scheduler = Scheduler(
        endpoint.stack_client("scheduler"),
        endpoint.caller_client("lambda"),
        endpoint.caller_client("sqs"),
        endpoint.runs,
        lambda: now[0],
    )
    assert scheduler.look() == []
    person = site.person(repairs)
    resume(person("scheduler"), name, "nightly_maintenance")
    assert scheduler.look() == []
    now[0] += 1800
    assert scheduler.look() == ["nightly_maintenance"]
    now[0] += 86400
    assert scheduler.look() == ["nightly_maintenance"]
    site.functions.wait()
    pause(person("scheduler"), name, "nightly_maintenance")
    now[0] += 86400
    assert scheduler.look() == []
    site.forget_person(repairs)
    log = site.state / "functions" / f"{name}-start-workflow.log"
    events = [json.loads(line)["event"] for line in log.read_text().splitlines() if line.startswith("{")]
    assert events == ["start_workflow.started", "start_workflow.runs_already"]
    watcher = site.person(operators)
    follow_running(watcher("glue"), "maintain", site.runs, lambda _: None)
    site.forget_person(operators)
    asked = [access for access in site.trace[before:] if job_of(access) in ("start_workflow", "schedules")]
    assert [access for access in asked if not access.decision.allowed] == []
    assert {access.request.action for access in asked} == {"glue:StartWorkflowRun", "lambda:InvokeFunction"}
    for statement in ("StartsWorkflows", "CallsTheFunction"):
        assert denied_without(statement, asked)
    url = endpoint.client("sqs").get_queue_url(QueueName=f"{name}-start-workflow-failed")["QueueUrl"]
    assert "Messages" not in endpoint.client("sqs").receive_message(QueueUrl=url)


def test_an_alarm_is_posted_to_slack_too_and_one_about_slack_goes_by_mail_alone(applied: Deployment) -> None:
    site, name, before = applied.site, f"{PIPELINE.name}-dev", len(applied.site.trace)
    client = site.endpoint.client
    queue = client("sqs").get_queue_url(QueueName=f"{name}-notify-slack-failed")["QueueUrl"]
    client("sqs").purge_queue(QueueUrl=queue)
    with FakeSlack() as slack:
        stated = json.dumps({"webhook": slack.webhook})
        client("secretsmanager").put_secret_value(
            SecretId=PIPELINE.secrets["slack"].name, SecretString=stated
        )
        site.services.alarm(f"{name}-freshness", "ALARM")
        site.functions.wait()
        (posted,) = slack.taken
        assert posted["text"] == f"ALARM {name}-freshness"
        slack.answers = [(404, "no_service", {})] * 3
        site.services.alarm(f"{name}-freshness", "OK")
        site.functions.wait()
        assert len(slack.taken) == 4
        (left,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
        assert "Make a webhook again" in left["Body"]
        assert TOKEN not in left["Body"]
        (told,) = site.services.alarm(f"{name}-function-failed-notify-slack", "ALARM")
        site.functions.wait()
        assert (told.refused, told.target.rpartition(":")[2]) == ("", f"{name}-alerts-by-mail")
        assert len(slack.taken) == 4
    asked = [access for access in site.trace[before:] if job_of(access) == "notify_slack"]
    assert [access for access in asked if not access.decision.allowed] == []
    assert denied_without("ReadsItsSecrets", asked)


def test_the_payments_are_answered_by_the_deployed_function_to_who_may_ask_and_under_its_role_alone(
    ran: Deployment,
) -> None:
    site, before, reader = ran.site, len(ran.site.trace), "payments_reader"
    outputs = ran.terraform.json("output", "-json")
    hosts = {name: url.removeprefix("https://") for name, url in outputs["http_apis"]["value"].items()}
    policy = outputs["callers_policies"]["value"]["payments_api"]
    site.postgres.ensure_role(reader)
    with psycopg.connect(site.postgres.dsn(LOADER, "warehouse")) as loader:
        for statement in grants_of(reader):
            loader.execute(statement.encode())
    stated = json.dumps({"dsn": site.postgres.dsn(reader, "warehouse")})
    site.endpoint.client("secretsmanager").put_secret_value(
        SecretId=PIPELINE.secrets[reader].name, SecretString=stated
    )

    programs, people = (
        partial(ask, site.endpoint.url, hosts[f"payments_api_{callers}"])
        for callers in ("programs", "people")
    )
    signed = Signed(site.keys_of_person(policy), datetime.now(UTC), "/v1/payments", "limit=3")
    status, said = programs("/v1/payments?limit=3", signed.headers(hosts["payments_api_programs"]))
    site.forget_person(policy)
    assert (status, len(said["payments"])) == (200, 3)
    assert {one["amount_gbp"] for one in said["payments"] if one["currency"] == "GBP"} == {
        one["amount"] for one in said["payments"] if one["currency"] == "GBP"
    }
    assert said["data_as_of"] is not None
    # By then the role may do nothing any more.
    assert programs("/v1/payments?limit=3", signed.headers(hosts["payments_api_programs"]))[0] == 403
    assert programs("/v1/payments?limit=3", {})[0] == 403

    key, now = RSAKey.generate_key(2048, {"kid": "first"}), int(datetime.now(UTC).timestamp())
    site.pages[f"{ISSUER}/.well-known/openid-configuration"] = b'{"jwks_uri": "https://login.example/keys"}'
    site.pages["https://login.example/keys"] = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
    claims = {"iss": ISSUER, "aud": "payments", "exp": now + 600}
    token = jwt.encode({"alg": "RS256", "kid": "first"}, claims, key, algorithms=["RS256"])
    status, shown = people("/v1/payments?limit=3", {"Authorization": f"Bearer {token}"})
    assert (status, shown["payments"]) == (200, said["payments"])
    assert people("/v1/payments?limit=3", {})[0] == 401

    # Events as AWS's documentation has them, handed to the function itself.
    function, answered = f"{PIPELINE.name}-dev-payments-api", {}
    for path in EVENTS.glob("*.json"):
        returned = site.endpoint.client("lambda").invoke(FunctionName=function, Payload=path.read_bytes())
        answered[path.stem] = json.loads(returned["Payload"].read())["statusCode"]
    assert answered == {
        "parameter_is_stated_twice": 422,
        "path_is_unknown": 404,
        "person_asks_a_page": 200,
        "person_asks_next5": 200,
        "program_asks_last5": 200,
        "something_is_posted": 405,
    }

    asked = [access for access in site.trace[before:] if job_of(access) == "payments_api"]
    assert [access for access in asked if not access.decision.allowed] == []
    reads = ("ReadsItsSecrets", "ReadsObjects", "ListsIngestion")
    for statement in (*reads, "UsesTheKeyOfTheBuckets", "UsesTheKeyOfTheSecrets"):
        assert denied_without(statement, asked), statement


def test_a_release_stays_for_runs_that_start_and_goes_once_none_can_load_it(
    applied: Deployment, tmp_path: Path
) -> None:
    s3, bucket = applied.site.endpoint.client("s3"), applied.buckets()["artefacts"]
    script, release = PIPELINE.jobs["extract_cdc"].script, tmp_path / "release"
    manifest = json.loads((applied.plan.parent / "release" / "manifest.json").read_text())
    # Of the other release one object does.
    old, objects = manifest["release"], {script: manifest["objects"][script]}
    (release / script).parent.mkdir(parents=True)
    shutil.copy(applied.plan.parent / "release" / script, release / script)
    (release / "manifest.json").write_text(json.dumps({**manifest, "release": "another", "objects": objects}))

    run = applied.terraform.run
    assert deploy.leave_release(run, old) is None
    assert deploy.leave_release(run, "another") == old
    variables = (*applied.variables, f"-var=release={release}", f"-target={deploy.RELEASE}")
    run("apply", "-no-color", "-input=false", "-auto-approve", "-refresh=false", *variables)

    # Whoever was started before finds what it was started with, until the longest run has ended.
    now = datetime.now(UTC)
    assert deploy.remove_releases(s3, bucket, now) == []
    assert s3.head_object(Bucket=bucket, Key=f"releases/{old}/{script}")
    assert deploy.remove_releases(s3, bucket, now + timedelta(days=1)) == [old]
    left = {one["Key"].split("/")[1] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {"another"}


@pytest.mark.slow
def test_what_the_runbook_says_of_terraform_does_what_it_says(applied: Deployment) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"`(terraform -chdir=terraform import [^`]+)`", runbook)
    _, _, *command, address, name = shlex.split(said)
    run, s3 = applied.terraform.run, applied.site.endpoint.client("s3")
    run("state", "rm", address)
    run(*command, *applied.variables, address, name)
    # A lock that nobody holds any more keeps everybody out, until it is taken away by its name.
    lock = {"ID": "11111111-2222-3333-4444-555555555555", "Path": f"{STATE_BUCKET}/{deploy.STATE}"}
    s3.put_object(Bucket=STATE_BUCKET, Key=f"{deploy.STATE}.tflock", Body=json.dumps(lock).encode())
    run("state", "rm", address, expect=(1,))
    run("force-unlock", "-force", lock["ID"])
    assert address in run("state", "list")
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket=STATE_BUCKET)["Contents"]}
    assert f"{deploy.STATE}.tflock" not in keys


@pytest.mark.slow
def test_destroying_an_environment_whose_data_is_worth_keeping_leaves_its_data_as_it_is(
    applied: Deployment,
) -> None:
    client, name = applied.site.endpoint.client, applied.buckets()["ingestion"]
    s3 = client("s3")
    s3.put_object(Bucket=name, Key="raw/of/value", Body=b"of value", IfNoneMatch="*")
    before = {bucket: s3.get_bucket_policy(Bucket=bucket)["Policy"] for bucket in applied.buckets().values()}
    kept = deploy.split_data_state(applied.terraform.run, s3, STATE_BUCKET)
    assert set(kept) >= {*before, *(secret.name for secret in PIPELINE.secrets.values())}
    assert sum(one.startswith("arn:aws:kms:") for one in kept) == 2
    applied.destroy()
    assert applied.terraform.run("state", "list") == ""
    for bucket, policy in before.items():
        assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
    assert s3.get_object(Bucket=name, Key="raw/of/value")["Body"].read() == b"of value"
    for key in (one for one in kept if one.startswith("arn:aws:kms:")):
        assert client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    for secret in PIPELINE.databases.values():
        assert client("secretsmanager").get_secret_value(SecretId=secret.name)["SecretString"]
    # The rest is gone.
    assert client("glue").list_jobs()["JobNames"] == []
    assert client("iam").list_roles()["Roles"] == []
    # Another deployment takes over what stayed.
    assert deploy.take_data_back(applied.terraform.run, s3, STATE_BUCKET)
    assert "module.storage.aws_s3_bucket.this" in applied.terraform.run("state", "list")
    assert not deploy.take_data_back(applied.terraform.run, s3, STATE_BUCKET)


@pytest.mark.slow
def test_destroying_it_leaves_nothing(applied: Deployment) -> None:
    applied.destroy()
    assert applied.terraform.run("state", "list") == ""
    client = applied.site.endpoint.client
    glue = client("glue")
    assert [b["Name"] for b in client("s3").list_buckets()["Buckets"]] == [STATE_BUCKET]
    assert glue.get_databases()["DatabaseList"] == []
    assert glue.list_jobs()["JobNames"] == []
    assert glue.list_workflows()["Workflows"] == []
    assert glue.list_triggers()["TriggerNames"] == []
    assert glue.get_connections()["ConnectionList"] == []
    assert client("iam").list_roles()["Roles"] == []
    assert client("secretsmanager").list_secrets()["SecretList"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("events").list_rules()["Rules"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("apigatewayv2").get_apis()["Items"] == []
    assert client("scheduler").list_schedules()["Schedules"] == []
    assert "QueueUrls" not in client("sqs").list_queues()
    assert client("sns").list_topics()["Topics"] == []
    assert client("logs").describe_log_groups()["logGroups"] == []
    assert "Items" not in client("cloudfront").list_distributions()["DistributionList"]
