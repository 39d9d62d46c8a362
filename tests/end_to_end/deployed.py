"""A laptop stack on which nothing is deployed yet: Terraform deploys to it, and it runs what is deployed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from catalog.rights import role_name
from glue_jobs.lake import documented
from glue_jobs.lake.layout import iso, utc_now
from lakehouse.daemon import add_athena, add_functions
from lakehouse.drive import JobFailed, run_job
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.guard import Access
from local_aws.endpoint.layers import json_service
from local_aws.endpoint.services import Services
from local_aws.functions.runner import FunctionRunner
from local_aws.gateway.deployed import DeployedApis, http_apis
from local_aws.jobs.java import java_home
from local_aws.jobs.job_process import JobEnvironment
from local_aws.jobs.runner import GlueRunner
from local_aws.jobs.spark_settings import spark_environment, write_conf
from local_aws.rights.evaluate import Principal
from local_aws.rights.keys import Caller, Credentials
from tests.files import BUCKET, PREFIX
from tests.small_shop import small_server
from totesys import database as totesys

READER, LOADER = "totesys_reader", "warehouse_loader"
NAME, POLICY = "totesys-dev", "what-the-job-does"
"""What names of roles begin with, and the policy of a role that states what its job may do."""


@dataclass(frozen=True)
class Refused:
    """A run that lacked a right: what its end says, and its log."""

    job: str
    statement: str
    error: str
    log: str


@dataclass
class Site:
    """An endpoint with a network and databases, and nothing else.

    Attributes:
        trace: What was asked of it by whom, and how it was decided.
        refused: Runs that lacked a right.
        pages: By URL, what an issuer of tokens has.
    """

    state: Path
    endpoint: Endpoint
    postgres: EmbeddedPostgres
    services: Services
    functions: FunctionRunner
    network: dict[str, Any]
    trace: list[Access] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    def person(self, policy: str) -> Callable[[str], Any]:
        """Makes clients of somebody who takes a role to which a policy is attached, and nothing else."""
        keys = self.keys_of_person(policy)
        return lambda service: self.endpoint.client(service, keys)

    def keys_of_person(self, policy: str) -> Credentials:
        """The keys of somebody who takes such a role."""
        iam, place = self.endpoint.client("iam"), self.endpoint.guard.place
        root = {"AWS": f"arn:aws:iam::{place.account}:root"}
        trust = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="a-person", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.attach_role_policy(RoleName="a-person", PolicyArn=policy)
        arn = f"arn:aws:sts::{place.account}:assumed-role/a-person/somebody"
        return self.endpoint.guard.keys.issue(Caller(Principal(arn, place.account, role), "a-person"))

    def forget_person(self, policy: str) -> None:
        """Take the role away again."""
        iam = self.endpoint.client("iam")
        iam.detach_role_policy(RoleName="a-person", PolicyArn=policy)
        iam.delete_role(RoleName="a-person")

    def rights(self, job: str) -> dict[str, Any]:
        """What a job's role may do, as it is deployed."""
        iam = self.endpoint.client("iam")
        found = iam.get_role_policy(RoleName=role_name(NAME, job), PolicyName=POLICY)
        document: dict[str, Any] = found["PolicyDocument"]
        return document

    @contextmanager
    def without(self, job: str, statement: str) -> Iterator[None]:
        """Take a statement away from a job's role for a while; what is refused meanwhile is not traced."""
        stated, before = self.rights(job), len(self.trace)
        kept = [one for one in stated["Statement"] if one["Sid"] != statement]
        assert len(kept) == len(stated["Statement"]) - 1, f"{job} has no {statement}"
        self._put_rights(job, {**stated, "Statement": kept})
        try:
            yield
        finally:
            self._put_rights(job, stated)
            self.trace[before:] = [access for access in self.trace[before:] if access.decision.allowed]

    def _put_rights(self, job: str, document: Mapping[str, Any]) -> None:
        self.endpoint.client("iam").put_role_policy(
            RoleName=role_name(NAME, job), PolicyName=POLICY, PolicyDocument=json.dumps(document)
        )

    def refused_run(self, operator: Callable[[str], Any], job: str, statement: str) -> Refused:
        """Run a job whose role lacks a statement, which has to fail."""
        with self.without(job, statement), pytest.raises(JobFailed) as failed:
            run_job(operator("glue"), job, self.runs, lambda _: None)
        (log,) = map(Path, re.findall(r"Its log: (\S+)", str(failed.value)))
        # Where not even its script may be fetched there is none.
        return Refused(job, statement, str(failed.value), log.read_text() if log.exists() else "")

    @contextmanager
    def carrier(self, files: Mapping[str, bytes]) -> Iterator[None]:
        """Have files in the bucket of somebody else, which is gone afterwards."""
        s3 = self.endpoint.client("s3")
        where: Any = {"LocationConstraint": self.endpoint.region}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        for name, body in files.items():
            s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{name}", Body=body)
        yield
        for name in files:
            s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}{name}")
        s3.delete_bucket(Bucket=BUCKET)

    def leave_behind(self, bucket: str, keys: Iterable[str], days: int) -> None:
        """Put objects that were written some days ago, as by runs that never ended."""
        for key in keys:
            self.endpoint.client("s3").put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*")
            path = self.endpoint.bucket_dir(bucket) / key
            past = path.stat().st_mtime - days * 86400
            os.utime(path, (past, past))

    def document_again(self, bucket: str) -> None:
        """Have the sites be behind: nothing was shown when they were asked for, hours ago."""
        s3 = self.endpoint.client("s3")
        last = documented.newest(s3, bucket)
        past = iso(utc_now() - documented.EVERY)
        documented.note(s3, bucket, documented.Documented(last.number + 1, past))

    def drop_a_partition(self, database: str) -> None:
        """Drop a partition of some table of a database, as by accident."""
        glue = self.endpoint.client("glue")
        for table in glue.get_tables(DatabaseName=database)["TableList"]:
            named = {"DatabaseName": database, "TableName": table["Name"]}
            if found := glue.get_partitions(**named)["Partitions"]:
                glue.delete_partition(**named, PartitionValues=found[0]["Values"])
                return
        raise AssertionError(f"{database} has no partition")

    def fill_secrets(self, secrets: Mapping[str, str]) -> None:
        """Put into the deployed secrets what a person would put in."""
        manager = self.endpoint.client("secretsmanager")
        dsns = {
            "source": self.postgres.dsn(READER, "small"),
            "warehouse": self.postgres.dsn(LOADER, "warehouse"),
        }
        for key, dsn in dsns.items():
            manager.put_secret_value(SecretId=secrets[key], SecretString=json.dumps({"dsn": dsn}))


@contextmanager
def site(state: Path) -> Iterator[Site]:
    """Start one."""
    trace: list[Access] = []
    with ExitStack() as parts:
        postgres = parts.enter_context(small_server(READER, create=totesys.create))
        postgres.ensure_role(LOADER)
        postgres.ensure_database("warehouse", LOADER)
        endpoint = create_endpoint(state, enforced=True)
        parts.callback(endpoint.stop)
        endpoint.guard.noted = trace.append
        environment = _job_environment(state, endpoint)
        services = Services(endpoint.guard)
        runner = GlueRunner(
            endpoint.stack_client("glue"),
            endpoint.caller_client("s3"),
            environment,
            told=lambda end: services.event("aws.glue", "Glue Job State Change", end),
        )
        parts.callback(runner.close)
        endpoint.add(json_service("AWSGlue", runner))
        functions = add_functions(endpoint, state / "nowhere", state / "functions", minute=0.001)
        parts.callback(functions.close)
        pages: dict[str, bytes] = {}
        endpoint.add_gate(http_apis(DeployedApis(endpoint.guard, functions, partial(_fetch, pages))))
        parts.callback(add_athena(endpoint, state / "athena").close)
        endpoint.start()
        ec2 = endpoint.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zone = f"{endpoint.region}a"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone=zone)["Subnet"]
        network = {
            "vpc_id": vpc,
            "subnet_id": subnet["SubnetId"],
            "availability_zone": zone,
            "database_cidrs": ["10.0.4.0/24"],
        }
        yield Site(state, endpoint, postgres, services, functions, network, trace, pages=pages)


def _fetch(pages: Mapping[str, bytes], url: str) -> bytes:
    if url not in pages:
        raise OSError(f"{url} cannot be reached")
    return pages[url]


def _job_environment(state: Path, endpoint: Endpoint) -> JobEnvironment:
    spark = spark_environment(write_conf(state / "spark" / "conf"), java_home(state / "spark"))
    # A folder that is not there: what jobs import comes out of the wheels that are deployed.
    variables = {**endpoint.addresses(), **spark}
    return JobEnvironment(variables, state / "nowhere", state / "runs", endpoint.runs)


def stated_tables() -> dict[tuple[str, str], Any]:
    """By database and name, each contract's table."""
    catalogue = load_catalogue()
    return {(c.zone_info.database, c.table): c for c in catalogue.contracts}
