"""Two kinds of analysts: one sees personal columns by no way, the other does; no web page sees anything."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from bi.dashboard import load_dashboard, load_redacted_dashboard
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.rights import ANALYST, PERSONAL_DATA_ANALYST
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.athena import QueryFailed, named_queries, run_query
from lakehouse.console.launch import open_console
from lakehouse.dashboard.sources import Lake
from lakehouse.stack import find_running
from lakehouse.stack_state import Paths, Running
from tests import needs
from tests.night import at_night
from tests.owner import owner_of
from tests.small_shop import small_server
from tools.browser import browser, serving
from totesys import database as totesys

from .stack_cli import Stack

CATALOGUE, PIPELINE = load_catalogue(), load_pipeline()
READER, LOADER = "analysts_source", "analysts_warehouse"
ROLES = {ANALYST: CATALOGUE.redacted(), PERSONAL_DATA_ANALYST: CATALOGUE}


@dataclass
class World:
    """A lake in which every personal value is like no other, and what has been made of it."""

    stack: Stack
    values: frozenset[str]

    @cached_property
    def owner(self) -> Running:
        return owner_of(self.stack.state)

    def acting(self, role: str) -> Running:
        return find_running(self.stack.state).acting(role)

    @cached_property
    def stores(self) -> dict[str, Any]:
        """By role, its client of S3."""
        return {role: self.acting(role).client("s3") for role in ROLES}

    def ask(self, role: str, sql: str) -> list[tuple[Any, ...]]:
        acting, database = self.acting(role), ROLES[role].zones["star"].database
        found = run_query(acting.client("athena"), sql, database=database, work_group=acting.work_group)
        return [tuple(row) for row in found.rows]

    @cached_property
    def objects(self) -> list[tuple[str, str]]:
        """Every object that there is, of whatever bucket."""
        s3 = self.owner.client("s3")
        return [
            (bucket, entry["Key"])
            for bucket in self.owner.buckets.values()
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for entry in page.get("Contents", ())
        ]

    def read(self, role: str, bucket: str, key: str) -> bytes | None:
        """An object as `s3 cp` gets it; nothing where that is denied."""
        try:
            body: bytes = self.stores[role].get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return None
        return body


def told(body: bytes) -> str:
    """Everything that an object says: a table's cells and its footer, or its own bytes."""
    if not body.startswith(b"PAR1"):
        return body.decode("utf-8", "replace")
    file = pq.ParquetFile(io.BytesIO(body))
    return f"{json.dumps(file.read().to_pylist(), default=str)} {file.metadata.to_dict()} {file.schema_arrow}"


def personal_in(said: str, values: frozenset[str]) -> set[str]:
    """The personal values in a text; each is a word of `mark_personal`'s making, or a whole number."""
    return set(values).intersection(re.findall(r"personal-[\w-]*\w|\d+", said))


def mark_personal(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """Let every personal value of the source be like no other; returns them."""
    found: set[str] = set()
    for contract in CATALOGUE.raw.values():
        for column in contract.columns:
            if not column.personal:
                continue
            table, key, name = contract.table, contract.key[0], column.name
            number = f"{10_000_000 + 7919 * len(found)} + {key}"
            made = f"'personal-{table}-{name}-' || {key}" if column.type.name == "text" else number
            connection.execute(f"UPDATE {table} SET {name} = {made}".encode())
            found |= {str(row[0]) for row in connection.execute(f"SELECT {name} FROM {table}".encode())}
    return frozenset(found - {"None"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    stack = Stack(tmp_path_factory.mktemp("analysts") / "state")
    with small_server(READER, create=totesys.create) as server:
        server.ensure_role(LOADER)
        server.ensure_database("warehouse", owner=LOADER)
        with server.connect("small") as connection:
            values = mark_personal(connection)
            # A dead letter, whole, and a cell that its type cannot hold.
            connection.execute(
                b"UPDATE sales_order SET agreed_delivery_date = 'soon' WHERE sales_order_id = 5"
            )
            connection.execute(b"UPDATE staff SET last_updated = 'infinity' WHERE staff_id = 2")
        source, warehouse = server.dsn(READER, "small"), server.dsn(LOADER, "warehouse")
        stack.lakehouse("up", "--source", source, "--warehouse", warehouse)
        try:
            stack.lakehouse("run")
            with server.connect("small") as connection:
                connection.execute(b"UPDATE staff SET department_id = 1")
            stack.lakehouse("run")
            made = World(stack, values)
            # What those leave behind who may see everything: results, and a table of their own.
            made.ask(PERSONAL_DATA_ANALYST, "SELECT * FROM dim_staff_current")
            made.ask(PERSONAL_DATA_ANALYST, "CREATE TABLE totesys_sandbox.mine AS SELECT * FROM dim_staff")
            yield made
        finally:
            stack.lakehouse("down")


def test_no_object_that_an_analyst_may_read_holds_a_personal_value(world: World) -> None:
    read = {place: body for place in world.objects if (body := world.read(ANALYST, *place)) is not None}
    for place, body in read.items():
        assert not personal_in(told(body), world.values), place
    # It looked where something is: copies, and tables that have no personal columns.
    tables = (*CATALOGUE.copies, CATALOGUE.star["fact_sales_order"], CATALOGUE.ops["batch_records"])
    for contract in tables:
        bucket = world.owner.buckets[contract.zone_info.bucket]
        has_rows = contract.table not in {"purchase_order", "exchange_rate", "delivery_event"}
        assert any(b == bucket and k.startswith(contract.prefix) for b, k in read) == has_rows, contract.table


def test_the_same_values_are_found_where_the_other_analyst_reads(world: World) -> None:
    bodies = (world.read(PERSONAL_DATA_ANALYST, *place) for place in world.objects)
    found = (personal_in(told(body), world.values) for body in bodies if body is not None)
    assert set().union(*found) == world.values


@pytest.mark.parametrize("role", ROLES)
def test_an_analyst_reads_no_commit_no_release_no_site_and_no_others_results(world: World, role: str) -> None:
    buckets, theirs = world.owner.buckets, {"redacted/": ANALYST, "queries/": PERSONAL_DATA_ANALYST}
    shut = [
        (bucket, key)
        for bucket, key in world.objects
        if bucket in (buckets["artefacts"], buckets["documentation"])
        or key.startswith(("_", "star/_", "accepted/"))
        or (bucket == buckets["athena_results"] and theirs[key.partition("/")[0] + "/"] != role)
        or (bucket == buckets["sandbox"] and role == ANALYST)
    ]
    assert {bucket for bucket, _ in shut} >= {
        buckets["artefacts"],
        buckets["ingestion"],
        buckets["processed"],
    }
    for place in shut:
        assert world.read(role, *place) is None, place
    if role == ANALYST:
        assert buckets["sandbox"] in {bucket for bucket, _ in shut}
        assert buckets["athena_results"] in {bucket for bucket, _ in shut}


def refused_with(attempt: Callable[[], object]) -> str:
    """The code with which AWS refuses; empty where it does not."""
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


DENIED_QUERIES = (
    "SELECT staff_id FROM totesys_star.dim_staff",
    "SELECT * FROM totesys_star.dim_staff_current",
    "SELECT * FROM totesys_raw.staff",
    "SELECT * FROM totesys_raw.currency",
    "SELECT * FROM totesys_dead_letter.sales_order",
    "SELECT * FROM totesys_sandbox.mine",
    "CREATE TABLE totesys_sandbox.theirs AS SELECT 1 AS one",
    "CREATE TABLE totesys_star_redacted.theirs AS SELECT 1 AS one",
)


@pytest.mark.parametrize("sql", DENIED_QUERIES)
def test_a_query_finds_no_way_to_personal_columns(world: World, sql: str) -> None:
    with pytest.raises(QueryFailed, match=r"(?i)not authorized|denied"):
        world.ask(ANALYST, sql)


def test_a_table_shows_an_analyst_all_but_its_personal_columns(world: World) -> None:
    for name in ("dim_staff", "dim_staff_current"):
        assert world.ask(ANALYST, f"SELECT staff_id, department_name FROM {name} ORDER BY 1") == world.ask(
            PERSONAL_DATA_ANALYST, f"SELECT staff_id, department_name FROM {name} ORDER BY 1"
        )
    hidden = "SELECT first_name FROM dim_staff"
    with pytest.raises(QueryFailed, match="first_name"):
        world.ask(ANALYST, hidden)
    assert world.ask(PERSONAL_DATA_ANALYST, hidden)
    counts = world.ask(ANALYST, "SELECT count(*) FROM totesys_raw_redacted.staff")
    assert counts == world.ask(PERSONAL_DATA_ANALYST, "SELECT count(*) FROM totesys_raw.staff")


@pytest.mark.parametrize("role", [ANALYST, at_night(PERSONAL_DATA_ANALYST)])
def test_an_analyst_does_what_the_other_does_but_in_a_place_of_its_own(world: World, role: str) -> None:
    groups = {ANALYST: PIPELINE.athena.redacted, PERSONAL_DATA_ANALYST: PIPELINE.athena}
    sandboxes = {name: group.sandbox.database for name, group in groups.items() if group and group.sandbox}
    acting, (other,) = world.acting(role), set(ROLES) - {role}
    athena, glue, s3 = (acting.client(service) for service in ("athena", "glue", "s3"))
    world.ask(role, f"CREATE TABLE {sandboxes[role]}.tried AS SELECT * FROM fact_sales_order_current")
    assert world.ask(role, f"SELECT count(*) FROM {sandboxes[role]}.tried") != [("0",)]
    world.ask(role, f"DROP TABLE {sandboxes[role]}.tried")
    theirs = world.acting(other)
    asked = theirs.client("athena").start_query_execution(
        QueryString="SELECT 1", WorkGroup=theirs.work_group
    )["QueryExecutionId"]
    secret = PIPELINE.secrets["warehouse"].name
    ingestion, star = acting.buckets["ingestion"], ROLES[role].zones["star"].database
    refused = {
        "others' results": lambda: athena.get_query_results(QueryExecutionId=asked),
        "others' queries": lambda: athena.get_query_execution(QueryExecutionId=asked),
        "others' work group": lambda: athena.start_query_execution(
            QueryString="SELECT 1", WorkGroup=theirs.work_group
        ),
        "a secret": lambda: acting.client("secretsmanager").get_secret_value(SecretId=secret),
        "an object": lambda: s3.put_object(Bucket=ingestion, Key="redacted/raw/x", Body=b"", IfNoneMatch="*"),
        "a table": lambda: glue.delete_table(DatabaseName=star, Name="dim_staff"),
        "a run": lambda: glue.start_job_run(JobName="transform"),
        "what is waited for": lambda: s3.list_objects_v2(Bucket=ingestion, Prefix="_commits/"),
    }
    for what, attempt in refused.items():
        assert refused_with(attempt).startswith("AccessDenied"), what


@pytest.mark.slow
@pytest.mark.parametrize("role", [ANALYST, pytest.param(PERSONAL_DATA_ANALYST, marks=pytest.mark.slow)])
def test_every_question_and_every_card_is_answered(world: World, role: str) -> None:
    acting = world.acting(role)
    kept = named_queries(acting.client("athena"), acting.work_group)
    assert kept
    for query in kept.values():
        assert query["Database"] == ROLES[role].zones["star"].database
        world.ask(role, query["QueryString"])
    dashboard = load_redacted_dashboard() if role == ANALYST else load_dashboard()
    answers = Lake(acting.client("athena"), acting.work_group).read(dashboard.queries_on("lake")).answers
    assert {name: answer.error for name, answer in answers.items() if answer.error} == {}
    shown = dict.fromkeys(dashboard.queries["sales"].columns)
    assert ("first_name" in shown) == (role == PERSONAL_DATA_ANALYST)
    assert {"seller", "staff_id", "department"} <= shown.keys()


@pytest.mark.slow
def test_the_command_line_asks_with_the_rights_that_it_is_told(world: World) -> None:
    sql = ("sql", "SELECT * FROM dim_staff", "--format", "json")
    assert "first_name" in json.loads(world.stack.lakehouse(*sql))[0]
    assert "first_name" not in json.loads(world.stack.lakehouse(*sql, "--as", "analyst"))[0]
    named = json.loads(
        world.stack.lakehouse("sql", "--named", "revenue_by_staff", *sql[2:], "--as", "analyst")
    )
    assert {"staff_id", "department"} <= named[0].keys()
    variables = world.stack.lakehouse("env", "--as", "analyst")
    assert "DSN" not in variables
    assert world.acting(ANALYST).environment["AWS_ACCESS_KEY_ID"] in variables
    assert world.acting(PERSONAL_DATA_ANALYST).environment["AWS_ACCESS_KEY_ID"] in world.stack.lakehouse(
        "env"
    )
    refused = world.stack.lakehouse("dashboard", "--from", "warehouse", "--as", "analyst", expect=2)
    assert "an analyst reads the lake" in refused


@pytest.mark.slow
def test_copies_are_compared_with_what_they_are_of(world: World) -> None:
    report = world.stack.told("reconcile")
    compared = {
        (table["zone"], table["table"])
        for table in report["tables"]
        for comparison in table["comparisons"]
        if comparison["right"] == "copies" and comparison["verdict"] == "equal"
    }
    assert report["verdict"] == "equal"
    assert compared == {(CATALOGUE.zones[copy.zone].copies, copy.table) for copy in CATALOGUE.copies}


# --- web pages ---------------------------------------------------------------------------------------

READS = """
(async () => {
  const found = [];
  for (const url of %s) for (const options of [
    {}, {mode: "no-cors"}, {credentials: "include"},
    {method: "POST", mode: "no-cors", body: "Action=ListUsers"},
    {headers: {"X-Amz-Target": "AWSGlue.GetDatabases"}},
  ]) {
    try { const said = await (await fetch(url, options)).text(); if (said) found.push([url, said]); } catch {}
  }
  return JSON.stringify(found);
})()
"""


@pytest.mark.slow
def test_a_page_of_another_origin_reads_no_server_of_the_stack(world: World, tmp_path: Path) -> None:
    needs.chromium()
    running = find_running(world.stack.state)
    (tmp_path / "index.html").write_text("<title>Somebody else's</title>")

    class Elsewhere(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_: Any) -> None:
            """Nothing is said of a page that is read."""

    documentation = Bucket(world.owner.client("s3"), running.buckets["documentation"])
    documentation.put("index.html", b"<title>Ours</title>")
    with (
        open_console(running, "operator", 0, Paths.of(world.stack.state)) as console,
        ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere,
        serving(console),
        serving(elsewhere),
        browser(tmp_path / "profile") as page,
    ):
        ports = [console.server_port, int(running.endpoint.rpartition(":")[2])]
        addresses = [f"http://127.0.0.1:{port}/" for port in ports]
        addresses += [
            f"{console.url}{path}" for path in ("docs/", "dashboard/sales", "quality", "record", "query")
        ]
        addresses += [f"{running.endpoint}/moto-api/", f"{running.endpoint}/{running.buckets['ingestion']}/"]
        page.open(f"http://127.0.0.1:{elsewhere.server_port}/index.html")
        assert json.loads(page.run(READS % json.dumps(addresses))) == []
        # It is these servers that refuse, and not the browser alone; and by a name of somebody else's, too.
        for port in ports:
            for headers in (
                {"Origin": "http://elsewhere.example"},
                {"Origin": "null"},
                {"Host": f"elsewhere.example:{port}"},
                {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
                {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
            ):
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", "/", headers=headers)
                assert connection.getresponse().status in (403, 421), (port, headers)
                connection.close()
