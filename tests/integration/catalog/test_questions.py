"""Every question of analysts: its answer is the source's own, and it reads no more than it must.

The notebooks, which ask them, are run here too: the pipeline below them is the most that either costs.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from catalog.catalogue import load_catalogue
from catalog.fact_views import KINDS, athena_views
from catalog.glue import partition_input
from catalog.pipeline import load_pipeline
from catalog.questions import load_questions
from glue_jobs.documentation.bucket import Bucket
from local_stack.athena.client import QueryResult, run_query
from local_stack.athena.service import AthenaService
from local_stack.aws.app import create_endpoint
from local_stack.aws.layers import json_service
from local_stack.cli import main
from local_stack.deploy import deploy_athena, deploy_views, named_queries
from local_stack.postgres import EmbeddedPostgres
from local_stack.totesys import database as totesys
from notebooks.charts import NOTHING
from notebooks.execution import notebooks
from tests import spark_lake
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, start_from
from tests.integration.catalog.business import ANSWERS, AUDIT, FIRST, TABLES, THEN

CATALOGUE = load_catalogue()
QUESTIONS = load_questions()
GROUP = load_pipeline().athena.work_group
RESULTS = "answers"
Row = tuple[str | None, ...]


@dataclass
class World:
    """A pipeline that has taken two captures to the warehouse, and Athena over its lake."""

    pipeline: Pipeline
    athena: Any
    environment: dict[str, str]
    captured_at: tuple[dt.datetime, dt.datetime]
    first_counts: dict[str, int]

    def ask(self, sql: str) -> QueryResult:
        return run_query(self.athena, sql, "totesys_star", work_group=GROUP)

    def source(self, query: str, **values: Any) -> list[Row]:
        with self.pipeline.connect() as connection:
            found = connection.execute(query.encode(), values).fetchall()
        return [tuple(None if cell is None else str(cell) for cell in row) for row in found]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    spark = spark_lake.session(tmp_path_factory.mktemp("spark"))
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(folder, durable=False) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        server.ensure_role(READER)
        server.ensure_role(LOADER)
        server.ensure_database("business")
        server.ensure_database("warehouse", owner=LOADER)
        totesys.create(server.dsn(database="business"))
        with server.connect("business") as connection:
            connection.execute(FIRST.encode())
        totesys.grant_reader(server.dsn(database="business"), READER)
        base = Base(server, "business", "warehouse", {}, {})
        with start_from(base, tmp_path_factory.mktemp("lake"), spark, patch) as pipeline:
            yield from _world(pipeline, tmp_path_factory.mktemp("athena"))


def _world(pipeline: Pipeline, folder: Path) -> Iterator[World]:
    pipeline.capture()
    with pipeline.connect() as connection:
        counts = {
            table: int(connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0])  # type: ignore[index]
            for table in TABLES
        }
    pipeline.sql(AUDIT)
    pipeline.sql(THEN)
    pipeline.capture()
    pipeline.transform()
    commits = list(pipeline.commits("capture").after(0))
    first, second = (dt.datetime.fromisoformat(commit.state["captured_at"].rstrip("Z")) for commit in commits)

    lake = pipeline.lake
    deploy_views(lake.glue, CATALOGUE)
    lake.s3.create_bucket(Bucket=RESULTS, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    endpoint = create_endpoint(folder)
    service = AthenaService(
        lake.glue,
        lake.s3,
        endpoint.client("athena"),
        spool=folder / "athena",
        path_of=lambda bucket, key: lake.endpoint.bucket_dir(bucket) / key,
    )
    endpoint.add(json_service("AmazonAthena", service))
    with endpoint:
        athena = endpoint.client("athena")
        buckets = {**lake.buckets, "athena_results": RESULTS}
        deploy_athena(athena, CATALOGUE, load_pipeline(), buckets)
        environment = {
            **lake.endpoint.environment(),
            "AWS_ENDPOINT_URL_ATHENA": endpoint.url,
            "WR_WORKGROUP": GROUP,
            # So that tests do not wait.
            "WR_ATHENA_QUERY_WAIT_POLLING_DELAY": "0.05",
        }
        yield World(pipeline, athena, environment, (first, second), counts)
        service.close()


def test_every_question_is_deployed_as_a_named_query(world: World) -> None:
    kept = named_queries(world.athena, GROUP)
    assert {name: query["QueryString"] for name, query in kept.items()} == {
        name: question.sql for name, question in QUESTIONS.items()
    }
    assert all(query["Description"] and query["Database"] == "totesys_star" for query in kept.values())


def test_every_question_has_an_answer_of_the_source() -> None:
    assert {*ANSWERS, "batch_history", "freshness"} == set(QUESTIONS)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_the_source_s_own(world: World, name: str) -> None:
    # Where midnight falls between the two looks at the day, either day's answer is right.
    days = [world.ask("SELECT current_date").rows[0][0]]
    found = world.ask(QUESTIONS[name].sql)
    days += [world.ask("SELECT current_date").rows[0][0]]
    captured_day = world.captured_at[1].date()
    answers = [world.source(ANSWERS[name], today=day, captured_day=captured_day) for day in days]
    assert len(found.rows) > 3
    assert found.rows in answers


def test_the_batches_are_those_that_the_source_has_seen(world: World) -> None:
    rows = world.ask(QUESTIONS["batch_history"].sql).rows
    ((touched,),) = world.source("SELECT count(*) FROM audit.touched")
    assert [(batch, captured) for batch, _, captured, *_ in rows] == [
        ("2", touched),
        ("1", str(sum(world.first_counts.values()))),
    ]
    moments = [dt.datetime.fromisoformat(str(snapshot)) for _, snapshot, *_ in rows]
    assert moments == [*reversed(world.captured_at)]
    for _, snapshot, _, loaded_at, seconds in rows:
        took = dt.datetime.fromisoformat(str(loaded_at)) - dt.datetime.fromisoformat(str(snapshot))
        assert int(str(seconds)) == int(took.total_seconds())


def test_freshness_is_the_age_of_the_last_look_where_nothing_waits(world: World) -> None:
    ((began,),) = world.source("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    ((looked, loaded, captured, last, waiting, seconds),) = world.ask(QUESTIONS["freshness"].sql).rows
    ((ended,),) = world.source("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    assert (captured, last, waiting) == ("2", "2", "0")
    assert dt.datetime.fromisoformat(str(looked)) == world.captured_at[1]
    assert dt.datetime.fromisoformat(str(loaded)) == world.captured_at[1]
    ages = [dt.datetime.fromisoformat(str(at)) - world.captured_at[1] for at in (began, ended)]
    assert int(ages[0].total_seconds()) <= int(str(seconds)) <= int(ages[1].total_seconds())


# --- what is read ------------------------------------------------------------------------------------------


def allowed_bytes(world: World, sql: str, partitions: str = "") -> int:
    """The most that a query may read: of each table that it names the named columns, once for each mention.

    Args:
        world: Where the files are.
        sql: The query.
        partitions: What a partition's location of a fact must contain to be read.
    """
    code = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    words = set(re.findall(r"\w+", code))
    total = 0
    for contract in (*CATALOGUE.star.values(), *CATALOGUE.ops.values()):
        names = [contract.table, *(f"{contract.table}_{kind}" for kind in KINDS if contract.kind == "fact")]
        for name in names:
            mentions = len(re.findall(rf"\b{name}\b", code))
            needed = set(words)
            if name.endswith("_history"):
                needed |= {column.name for column in contract.all_columns}
            elif name.endswith("_current"):
                needed |= {*contract.key, "batch_sequence", "is_deleted"}
            only = partitions if contract.kind == "fact" else ""
            total += mentions * sum(column_bytes(path, needed) for path in live_files(world, contract, only))
    return total


def live_files(world: World, contract: Any, only: str) -> list[Path]:
    """The files of the partitions that the catalogue names."""
    lake = world.pipeline.lake
    where = {"DatabaseName": contract.zone_info.database}
    if contract.partition_columns:
        pages = lake.glue.get_paginator("get_partitions").paginate(TableName=contract.table, **where)
        places = [part["StorageDescriptor"]["Location"] for page in pages for part in page["Partitions"]]
    else:
        table = lake.glue.get_table(Name=contract.table, **where)["Table"]
        places = [table["StorageDescriptor"]["Location"]]
    found: list[Path] = []
    for place in places:
        bucket, _, key = place.removeprefix("s3://").partition("/")
        if only in place:
            found += sorted((lake.endpoint.bucket_dir(bucket) / key).rglob("*.parquet"))
    return found


def column_bytes(path: Path, columns: set[str]) -> int:
    footer = pq.ParquetFile(path).metadata
    chunks = [
        footer.row_group(group).column(index)
        for group in range(footer.num_row_groups)
        for index in range(footer.num_columns)
    ]
    return sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in columns)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_the_columns_that_it_names_and_each_table_once(world: World, name: str) -> None:
    sql = QUESTIONS[name].sql
    assert 0 < world.ask(sql).bytes_scanned <= allowed_bytes(world, sql)


@pytest.mark.parametrize(("name", "column"), [("revenue_by_month", "month")])
def test_one_month_of_an_answer_reads_one_partition(world: World, name: str, column: str) -> None:
    sql = QUESTIONS[name].sql
    one = world.ask(f"SELECT * FROM (\n{sql}\n) WHERE {column} = '2024-09'")
    whole = world.ask(sql)
    assert one.rows == [row for row in whole.rows if row[0] == "2024-09"]
    assert one.bytes_scanned <= allowed_bytes(world, sql, partitions="created_month=2024-09")
    assert one.bytes_scanned < whole.bytes_scanned


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fact", CATALOGUE.star_of_kind("fact"), ids=lambda fact: fact.table)
def test_a_view_asked_for_one_month_reads_one_partition(world: World, fact: Any, kind: str) -> None:
    sql = f"SELECT * FROM {fact.table}_{kind} WHERE created_month = '2024-09'"
    everything = {column.name for column in fact.all_columns}
    files = live_files(world, fact, "created_month=2024-09")
    assert 0 < world.ask(sql).bytes_scanned <= sum(column_bytes(path, everything) for path in files)


def test_old_records_of_the_pipeline_are_not_read(world: World) -> None:
    names = ("batch_history", "freshness")
    before = [world.ask(QUESTIONS[name].sql) for name in names]
    lake = world.pipeline.lake
    for table, leading in (("batch_records", ("capture", "load")), ("heartbeats", ("",))):
        contract = CATALOGUE.ops[table]
        for stage in leading:
            stated = [*([stage] if stage else []), "2020-01-01"]
            values = dict(zip([c.name for c in contract.partition_columns], stated, strict=True))
            location = f"{contract.prefix}old{stage}/"
            target = lake.folder("ingestion") / location
            target.mkdir(parents=True)
            shutil.copy(live_files(world, contract, "")[0], target / "part-0.parquet")
            lake.glue.create_partition(
                DatabaseName="totesys_ops",
                TableName=table,
                PartitionInput=partition_input(contract, lake.buckets["ingestion"], values, location),
            )
    after = [world.ask(QUESTIONS[name].sql) for name in names]
    assert [found.bytes_scanned for found in after] == [found.bytes_scanned for found in before]
    assert [[row[:3] for row in found.rows] for found in after] == [
        [row[:3] for row in found.rows] for found in before
    ]


# --- the same in the warehouse -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fact", CATALOGUE.star_of_kind("fact"), ids=lambda fact: fact.table)
def test_a_view_shows_the_same_in_lake_and_warehouse(world: World, fact: Any, kind: str) -> None:
    (view,) = [view for view in athena_views(fact) if view.name == f"{fact.table}_{kind}"]
    partition = fact.partition.name
    texts = {"time": "to_char({0}, 'HH24:MI:SS.MS')", "timestamp": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.MS')"}
    columns = [column for column in view.columns if column.name != partition]
    lake = world.ask(f"SELECT {', '.join(c.name for c in columns)} FROM {view.name}").rows
    shown = ", ".join(texts.get(c.type.name, "{0}::text").format(c.name) for c in columns)
    warehouse = world.pipeline.ask(f"SELECT {shown} FROM {view.name}")
    assert sorted(lake, key=repr) == sorted(warehouse, key=repr)
    assert len(lake) >= 80


# --- notebooks ---------------------------------------------------------------------------------------------

HEADLINES = {
    "sales": """SELECT format('We sold %%s totes in %%s orders;', to_char(sum(units_sold), 'FM999,999,999'),
                              to_char(count(*), 'FM999,999')) FROM sales_order""",
    "payments_and_cash": """
        SELECT 'there remained ' || string_agg(currency || ' ' || to_char(round(net), 'FM999,999,999'),
                                               CASE WHEN place = n THEN ' and ' ELSE ', ' END ORDER BY place)
        FROM (SELECT c.currency_code AS currency, count(*) OVER () AS n,
                     row_number() OVER (ORDER BY c.currency_code) AS place,
                     sum(p.payment_amount * CASE WHEN p.payment_type_id IN (1, 4) THEN 1 ELSE -1 END) AS net
              FROM payment p JOIN currency c USING (currency_id) WHERE p.paid GROUP BY 1) x""",
    "history_and_data_quality": """
        SELECT count(*) || ' values were amended' FROM audit.amended
        WHERE record IN ('sales_order', 'purchase_order', 'payment') AND name <> 'last_updated'""",
}
"""By notebook what its first chart says, as the source itself says it."""


@pytest.fixture(scope="module")
def published(world: World) -> dict[str, str]:
    """The documentation bucket after ``lakehouse notebooks``, with AWS where the environment says it is."""
    s3, name = world.pipeline.lake.s3, "documentation"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    done = CliRunner().invoke(main, ["notebooks", "--bucket", name], env=world.environment)
    assert done.exit_code == 0, done.output
    bucket = Bucket(s3, name)
    return {key: (bucket.get(key) or b"").decode() for key in bucket.names("")}


def findings(page: str) -> list[str]:
    """What the charts of a page show."""
    found = re.findall(r'<img alt="([^"]+)" class="chart" src="data:image/png;base64,[^"]+"', page)
    return [html.unescape(text) for text in found]


def test_every_notebook_is_published_and_linked_from_the_front_page(published: dict[str, str]) -> None:
    assert {path.stem for path in notebooks()} == set(HEADLINES)
    assert {key for key in published if key.startswith("notebooks/")} == {
        f"notebooks/{name}.html" for name in ("index", *HEADLINES)
    }
    assert 'href="notebooks/index.html"' in published["index.html"]
    assert all(f'href="{name}.html"' in published["notebooks/index.html"] for name in HEADLINES)


@pytest.mark.parametrize("name", HEADLINES)
def test_a_notebook_runs_and_its_headline_is_the_source_s_own(
    world: World, published: dict[str, str], name: str
) -> None:
    shown = findings(published[f"notebooks/{name}.html"])
    ((headline,),) = world.source(HEADLINES[name])
    assert str(headline) in shown[0]
    assert len(shown) >= 4
    assert NOTHING not in shown


@pytest.mark.parametrize("name", HEADLINES)
def test_the_page_of_a_notebook_has_all_in_it_and_no_warning(published: dict[str, str], name: str) -> None:
    page = published[f"notebooks/{name}.html"]
    assert page.count("<img") == len(findings(page))
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page)
    assert set(named) == {"../index.html", "index.html"}
    assert not re.search(r"url\(|@import|<script", page)
    # What a cell prints, a warning for one, stands in a <pre> of its own.
    assert page.count("<pre>") == page.count("<pre><code>") >= len(findings(page))
