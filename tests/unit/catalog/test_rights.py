"""The one statement of rights: what is made from `pipeline.yaml`, and that Terraform reads it."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import Pipeline, load_pipeline
from catalog.rights import _patterns, analysts, documents, fill, role_name
from local_aws.rights.evaluate import (
    AccessRequest,
    ApplicablePolicies,
    Outcome,
    Principal,
    evaluate,
)
from local_aws.rights.policy import PolicyKind, read_policy
from tools import rights

PIPELINE, CATALOGUE = load_pipeline(), load_catalogue()
DOCUMENTS = documents(PIPELINE, CATALOGUE)
TERRAFORM = Path(__file__).parents[3] / "terraform"


def kind_of(name: str) -> PolicyKind:
    if name.endswith("_takes_roles.json"):
        return "trust"
    return "resource" if name.startswith(("buckets/", "keys/", "secrets/")) else "identity"


def filled(name: str, made: dict[str, Any] = DOCUMENTS) -> str:
    values = {
        key: f"the-{key.replace('_', '-')}" for key in re.findall(r"\$\{(\w+)\}", json.dumps(made[name]))
    }
    arns = {
        key: f"arn:aws:x:eu-west-2:123456789012:{key}" for key in values if re.search("key$|^secret_", key)
    }
    fixed = {"account": "123456789012", "region": "eu-west-2", "partition": "aws"}
    return json.dumps(fill(made[name], {**values, **arns, **fixed}))


def statements(name: str, made: dict[str, Any] = DOCUMENTS) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in made[name]["Statement"]}


def test_the_files_that_terraform_reads_are_what_the_pipeline_makes() -> None:
    assert rights.check(DOCUMENTS, rights.folder()) == []


MANAGED, OF_A_ROLE, OF_A_BUCKET = 6_144, 10_240, 20_480
"""How many letters a policy may have that is attached to roles, all that are a role's own, and a bucket's
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""


def length(name: str) -> int:
    """The letters of a document as it is deployed; blanks do not count."""
    project = f"{PIPELINE.name}-prod"
    account = "123456789012"
    values = dict.fromkeys(re.findall(r"\$\{(\w+)\}", json.dumps(DOCUMENTS[name])), "x" * 21)
    values |= {
        key: f"{project}-{key.removeprefix('bucket_')}-{account}"
        for key in values
        if key.startswith("bucket_")
    }
    arns = [key for key in values if re.search("key$|^secret_|^site$", key)]
    values |= dict.fromkeys(arns, "x" * 80)
    values |= {"account": account, "region": "ap-southeast-2", "partition": "aws", "name": project}
    return len(json.dumps(fill(DOCUMENTS[name], values), separators=(",", ":")))


def test_no_policy_is_longer_than_aws_takes() -> None:
    of_roles: dict[str, int] = {}
    for name in DOCUMENTS:
        if name.startswith("buckets/"):
            assert length(name) <= OF_A_BUCKET, name
        elif name in ("people/operators.json", "people/repairs.json"):
            assert length(name) <= MANAGED, name
        elif name.startswith(("jobs/", "people/")):
            role = name.partition(".")[0]
            of_roles[role] = of_roles.get(role, 0) + length(name)
    assert {role.partition("/")[2] for role in of_roles} >= PIPELINE.jobs.keys()
    assert {role: letters for role, letters in of_roles.items() if letters > OF_A_ROLE} == {}


def test_a_file_that_is_not_what_is_made_is_named_and_written_anew(tmp_path: Path) -> None:
    rights.write(DOCUMENTS, tmp_path)
    assert rights.check(DOCUMENTS, tmp_path) == []
    (tmp_path / "jobs" / "transform.json").write_text("{}")
    (tmp_path / "jobs" / "gone.json").write_text("{}")
    (tmp_path / "keys" / "data.json").unlink()
    assert {line.partition(" ")[0] for line in rights.check(DOCUMENTS, tmp_path)} == {
        "jobs/transform.json",
        "jobs/gone.json",
        "keys/data.json",
    }
    rights.write(DOCUMENTS, tmp_path)
    assert rights.check(DOCUMENTS, tmp_path) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_one_that_aws_takes(name: str) -> None:
    assert read_policy(filled(name), kind_of(name)).statements


def test_no_document_is_larger_than_aws_takes() -> None:
    sizes = {name: len(re.sub(r"\s", "", filled(name))) for name in DOCUMENTS}
    for job in PIPELINE.jobs:
        # All policies that stand in a role, together.
        assert sizes[f"jobs/{job}.json"] + sizes.get(f"jobs/{job}.unbound.json", 0) < 10_240
    assert sizes["people/operators.json"] < 6_144  # a policy of its own
    for role in analysts(PIPELINE):
        assert sizes[f"people/{role}.json"] + sizes[f"people/{role}.sandbox.json"] < 10_240
    assert max(size for name, size in sizes.items() if name.startswith(("buckets/", "keys/"))) < 20_480


def test_nothing_else_states_rights() -> None:
    stated = [
        path
        for path in (TERRAFORM / "modules").rglob("main.tf")
        if path.parent.name in ("access", "storage", "secrets")
        and re.search(r"\bEffect\s*=", path.read_text())
    ]
    assert stated == []


def test_a_job_has_what_its_access_states_and_its_arguments_name() -> None:
    job = statements("jobs/reconcile.json")
    ingestion = "arn:${partition}:s3:::${bucket_ingestion}"
    assert f"{ingestion}/raw/*" in job["ReadsObjects"]["Resource"]
    assert f"{ingestion}/ops/*" in job["WritesObjects"]["Resource"]
    assert f"{ingestion}/raw/*" not in job["WritesObjects"]["Resource"]
    assert job["ReadsItsSecrets"]["Resource"] == ["${secret_source}", "${secret_warehouse}"]
    assert job["ListsIngestion"]["Condition"]["StringLike"]["s3:prefix"] == [
        "_commits/*",
        "landing/*",
        "raw/*",
        "redacted/*",
        "ops/*",
    ]
    assert "RemovesObjects" not in job
    assert "AsksAthena" in job


def test_a_job_that_reaches_the_internet_has_no_way_into_the_network_and_no_secret() -> None:
    outside = {name for name, job in PIPELINE.jobs.items() if job.network == "internet"}
    assert outside == {"fetch_files", "fetch_rates"}
    for name, job in PIPELINE.jobs.items():
        stated = json.dumps([DOCUMENTS[f"jobs/{name}.json"], DOCUMENTS.get(f"jobs/{name}.unbound.json")])
        assert ("ec2:" in stated) == (job.network == "vpc")
        if name in outside:
            assert "secret" not in stated
    assert "AsksAthena" not in statements("jobs/transform.json")


def test_of_another_s_bucket_a_feed_s_job_reads_below_its_prefix_and_writes_nothing() -> None:
    feed = PIPELINE.file_feeds["delivery_event"]
    key, bucket = feed.bucket, PIPELINE.external_buckets[feed.bucket]
    arn = f"arn:${{partition}}:s3:::{bucket.bucket}"
    named = {
        name: [s for s in DOCUMENTS[f"jobs/{name}.json"]["Statement"] if bucket.bucket in json.dumps(s)]
        for name in PIPELINE.jobs
    }
    assert {name for name, found in named.items() if found} == {feed.job}
    listed, read = named[feed.job]
    assert (listed["Action"], listed["Resource"]) == (["s3:ListBucket"], [arn])
    assert listed["Condition"] == {"StringLike": {"s3:prefix": [f"{feed.prefix}*"]}}
    assert (read["Action"], read["Resource"]) == (["s3:GetObject"], [f"{arn}/{feed.prefix}*"])

    def with_bucket(**changes: str) -> list[dict[str, Any]]:
        other = PIPELINE.model_dump()
        other["external_buckets"] = {key: {**other["external_buckets"][key], **changes}}
        made = documents(Pipeline.model_validate(other), CATALOGUE)
        return [s for s in made[f"jobs/{feed.job}.json"]["Statement"] if s not in named[feed.job]]

    encrypted = "arn:aws:kms:eu-west-2:123456789012:key/1-2"
    assert with_bucket(kms_key_arn=encrypted)[-1]["Resource"] == [encrypted]
    role = "arn:aws:iam::123456789012:role/lends"
    made = with_bucket(role_arn=role, external_id="totes-1")
    assert bucket.bucket not in json.dumps(made)
    assert (made[-1]["Action"], made[-1]["Resource"]) == (["sts:AssumeRole"], [role])


def changed(**values: Any) -> Pipeline:
    stated = PIPELINE.model_dump()
    stated["athena"].update(values)
    return Pipeline.model_validate(stated)


def test_analysts_write_below_the_prefix_that_the_sandbox_states_and_nowhere_else() -> None:
    sandbox = {"database": "playground", "description": "x", "location": "s3://${bucket:sandbox}/below/"}
    made = documents(changed(sandbox=sandbox), CATALOGUE)
    bucket, glue = "arn:${partition}:s3:::${bucket_sandbox}", "arn:${partition}:glue:${region}:${account}"
    reached = {
        r for s in made["people/personal-data-analyst.sandbox.json"]["Statement"] for r in s["Resource"]
    }
    assert reached == {
        bucket,
        f"{bucket}/below/*",
        "${data_key}",
        f"{glue}:catalog",
        f"{glue}:database/playground",
        f"{glue}:table/playground/*",
    }


def test_where_no_sandbox_is_stated_nobody_writes() -> None:
    made = documents(changed(sandbox=None, redacted=None), CATALOGUE)
    assert not [name for name in made if name.endswith(".sandbox.json")]


def test_a_placeholder_that_nothing_fills_is_refused() -> None:
    with pytest.raises(KeyError, match="account"):
        fill(DOCUMENTS["keys/data.json"], {"partition": "aws"})


def test_every_log_group_that_a_job_writes_to_is_deployed() -> None:
    deployed = set(re.findall(r'"(/aws-glue/[\w/-]+)"', (TERRAFORM / "modules/alerts/main.tf").read_text()))
    written = {
        arn.partition("log-group:")[2].removesuffix(":*")
        for job in PIPELINE.jobs
        for arn in statements(f"jobs/{job}.json")["Logs"]["Resource"]
    }
    assert written == deployed


def decided(identity: str, role: str, action: str, place: str, **context: str) -> Outcome:
    """How a request for a place, `ingestion/raw/x`, comes out for a role."""
    bucket, _, key = place.partition("/")
    arn = f"arn:aws:s3:::the-bucket-{bucket.replace('_', '-')}/{key}"
    account = "123456789012"
    who = Principal(
        f"arn:aws:sts::{account}:assumed-role/{role}/s", account, f"arn:aws:iam::{account}:role/{role}"
    )
    policies = ApplicablePolicies(
        [read_policy(filled(identity), "identity")],
        resource=read_policy(filled(f"buckets/{bucket}.json"), "resource"),
    )
    seen = {"s3:ObjectCreationOperation": "true", "s3:if-none-match": "*", "aws:SecureTransport": "true"}
    return evaluate(who, AccessRequest(action, arn, account, {**seen, **context}), policies).outcome


ANSWERS = ("ingestion/_awaiting_approval/1f/approved.json", "ingestion/_paused/staff/1f/resumed.json")


@pytest.mark.parametrize("place", ANSWERS)
def test_no_job_answers_what_it_asks_of_a_person(place: str) -> None:
    for job in PIPELINE.jobs:
        role = role_name("the-name", job)
        assert decided(f"jobs/{job}.json", role, "s3:PutObject", place) is Outcome.EXPLICIT_DENY, job
    assert decided("people/operators.json", "person", "s3:PutObject", place) is Outcome.ALLOWED


def test_a_person_has_jobs_tried_again_that_wait() -> None:
    for place in ("ingestion/_commits/waits/extract_cdc/0000000002.json",):
        assert decided("people/operators.json", "person", "s3:PutObject", place) is Outcome.ALLOWED
        for job in ("extract_cdc", "transform"):
            role = role_name("the-name", job)
            assert decided(f"jobs/{job}.json", role, "s3:PutObject", place) is Outcome.ALLOWED


def test_what_jobs_ask_of_a_person_they_may_write() -> None:
    for job, place in (
        ("extract_cdc", "ingestion/_paused/staff/1f/paused.json"),
        ("transform", "ingestion/_awaiting_approval/1f/rejected.json"),
        ("validate_raw", "ingestion/_awaiting_approval/1f/rejected.json"),
    ):
        assert (
            decided(f"jobs/{job}.json", role_name("the-name", job), "s3:PutObject", place) is Outcome.ALLOWED
        )


def test_no_job_writes_into_the_lake_but_where_its_condition_is_demanded() -> None:
    lake = {zone.bucket for zone in CATALOGUE.zones.values()}
    for name, job in PIPELINE.jobs.items():
        for place in job.access.writes:
            bucket, _, prefix = place.partition("/")
            if bucket in lake:
                assert prefix.startswith(PIPELINE.buckets[bucket].written_once), (name, place)


def test_nobody_takes_a_published_object_away_but_housekeeping() -> None:
    for job in PIPELINE.jobs:
        for place in ("ingestion/raw/a", "processed/star/a"):
            outcome = decided(f"jobs/{job}.json", role_name("the-name", job), "s3:DeleteObject", place)
            assert (outcome is Outcome.ALLOWED) == (job == "maintain_lake")
            outcome = decided(f"jobs/{job}.json", role_name("the-name", job), "s3:DeleteObjectVersion", place)
            assert outcome is Outcome.EXPLICIT_DENY
    assert (
        decided("people/operators.json", "person", "s3:DeleteObject", "ingestion/raw/a")
        is not Outcome.ALLOWED
    )


def test_a_pattern_of_an_analyst_shows_no_table_with_personal_columns() -> None:
    looked_up = statements("people/analyst.json")["LooksUpTables"]["Resource"]
    hidden = [
        f"{CATALOGUE.zones[zone].database}/{copy.table}"
        for copy in CATALOGUE.copies
        if (zone := CATALOGUE.zones[copy.zone].copies) is not None
    ]
    assert hidden
    shown = [arn.partition(":table/")[2] for arn in looked_up if ":table/" in arn]
    assert [name for name in hidden if any(fnmatchcase(name, pattern) for pattern in shown)] == []
    assert "totesys_star/fact_sales_order*" in shown


def test_a_table_whose_name_begins_that_of_a_hidden_one_is_named_with_its_views() -> None:
    assert _patterns("fact_sale", ["fact_sale_current"], ["dim_staff"]) == ["fact_sale*"]
    assert _patterns("fact_sale", ["fact_sale_current"], ["fact_sale_by_staff"]) == [
        "fact_sale",
        "fact_sale_current",
    ]
    assert _patterns("dim_design", [], []) == ["dim_design"]
