"""A laptop stack on which nothing is deployed yet: Terraform deploys to it, and it runs what is deployed."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from werkzeug.wsgi import get_input_stream

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from lakehouse.daemon import add_athena
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.layers import json_service
from local_aws.jobs.java import java_home
from local_aws.jobs.job_process import JobEnvironment
from local_aws.jobs.runner import GlueRunner
from local_aws.jobs.spark_settings import spark_environment, write_conf
from tests.small_totesys import small_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

READER, LOADER = "totesys_reader", "warehouse_loader"
_JOB = re.compile(r"\bapp/(\w+)")


@dataclass(frozen=True)
class Request:
    """What a job asked of AWS, as its role's policy would see it."""

    job: str
    action: str
    resources: tuple[str, ...]
    conditional: bool = False


@dataclass
class Site:
    """An endpoint with a network and databases, and nothing else.

    Attributes:
        requests: What jobs have asked of it.
    """

    state: Path
    endpoint: Endpoint
    postgres: EmbeddedPostgres
    network: dict[str, Any]
    requests: list[Request] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    def fill_secrets(self, secrets: Mapping[str, str]) -> None:
        """Put into the deployed secrets what a person would put in."""
        manager = self.endpoint.client("secretsmanager")
        dsns = {
            "source": self.postgres.dsn(READER, "small"),
            "warehouse": self.postgres.dsn(LOADER, "warehouse"),
        }
        for key, name in secrets.items():
            manager.put_secret_value(SecretId=name, SecretString=json.dumps({"dsn": dsns[key]}))


@contextmanager
def site(state: Path) -> Iterator[Site]:
    """Start one."""
    requests: list[Request] = []
    with ExitStack() as parts:
        postgres = parts.enter_context(small_server(READER))
        postgres.ensure_role(LOADER)
        postgres.ensure_database("warehouse", LOADER)
        endpoint = create_endpoint(state)
        parts.callback(endpoint.stop)
        account = {"account": endpoint.account_id, "region": endpoint.region}
        endpoint.add(lambda behind: _recorder(behind, requests, account))
        environment = _job_environment(state, endpoint)
        runner = GlueRunner(endpoint.client("glue"), endpoint.client("s3"), environment)
        parts.callback(runner.close)
        endpoint.add(json_service("AWSGlue", runner))
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
        yield Site(state, endpoint, postgres, network, requests)


def _job_environment(state: Path, endpoint: Endpoint) -> JobEnvironment:
    spark = spark_environment(write_conf(state / "spark" / "conf"), java_home(state / "spark"))
    # A folder that is not there: what jobs import comes out of the wheels that are deployed.
    return JobEnvironment({**endpoint.environment(), **spark}, state / "nowhere", state / "runs")


def _recorder(
    behind: WSGIApplication, requests: list[Request], account: Mapping[str, str]
) -> WSGIApplication:
    """A layer that notes what jobs ask for."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        found = _JOB.search(environ.get("HTTP_USER_AGENT", ""))
        if found:
            requests.append(_request(found.group(1), environ, account))
        return behind(environ, start_response)

    return application


def _request(job: str, environ: WSGIEnvironment, account: Mapping[str, str]) -> Request:
    service, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if not action:
        return _object_request(job, environ)
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    said = json.loads(body or b"{}")
    place = f"{account['region']}:{account['account']}"
    if service == "secretsmanager":
        name = said["SecretId"]
        return Request(job, f"secretsmanager:{action}", (f"arn:aws:secretsmanager:{place}:secret:{name}-",))
    if service == "AmazonAthena":
        # What is asked of an execution is asked of the work group that it runs in, and there is one.
        group = said.get("WorkGroup", load_pipeline().athena.work_group)
        return Request(job, f"athena:{action}", (f"arn:aws:athena:{place}:workgroup/{group}",))
    root = f"arn:aws:glue:{place}"
    named: tuple[str, ...]
    if "SchemaId" in said:
        registry, schema = said["SchemaId"]["RegistryName"], said["SchemaId"]["SchemaName"]
        named = (f"{root}:registry/{registry}", f"{root}:schema/{registry}/{schema}")
    elif "DatabaseName" in said:
        # Listing a database's tables names none of them: it asks for all.
        table = said.get("TableName") or said.get("Name") or said.get("TableInput", {}).get("Name", "*")
        database = said["DatabaseName"]
        named = (f"{root}:catalog", f"{root}:database/{database}", f"{root}:table/{database}/{table}")
    elif "JobName" in said:
        named = (f"{root}:job/{said['JobName']}",)
    else:
        named = (f"{root}:workflow/{said['Name']}",)
    return Request(job, f"glue:{action}", named)


def _object_request(job: str, environ: WSGIEnvironment) -> Request:
    bucket, _, key = unquote(str(environ["PATH_INFO"])).lstrip("/").partition("/")
    method, query = str(environ["REQUEST_METHOD"]), parse_qs(str(environ.get("QUERY_STRING", "")), True)
    conditional = environ.get("HTTP_IF_NONE_MATCH") == "*"
    if key:
        action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[
            method
        ]
        return Request(job, f"s3:{action}", (f"arn:aws:s3:::{bucket}/{key}",), conditional)
    if method == "POST" and "delete" in query:
        return Request(job, "s3:DeleteObject", (f"arn:aws:s3:::{bucket}/",))
    return Request(job, "s3:ListBucket", (f"arn:aws:s3:::{bucket}", *query.get("prefix", [""])))


def stated_tables() -> dict[tuple[str, str], Any]:
    """By database and name, each contract's table."""
    catalogue = load_catalogue()
    return {(c.zone_info.database, c.table): c for c in catalogue.contracts}
