"""Every question of analysts: its answer is the source's own, and it reads no more than it must.

The notebooks, which ask them, are run here too: the pipeline below them is the most that either costs.
The dashboard over them shows the same, whether it asks the lake or the warehouse.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from bi.card_queries import Choices, sheet_queries
from bi.dashboard import Query, Visual, load_dashboard
from bi.periods import Range
from bi.questions import load_questions
from bi.select_lists import ENGINES, Engine
from catalog.catalogue import load_catalogue
from catalog.glue import partition_input
from catalog.pipeline import load_pipeline
from catalog.star_views import athena_views
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.athena import QueryResult, named_queries, run_query
from lakehouse.cli import main
from lakehouse.console.app import Parts, create_app
from lakehouse.console.documents import Documents
from lakehouse.console.pages import Sheets
from lakehouse.dashboard.sources import Answer, Lake, Source, Warehouse
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.loopback import LoopbackServer
from lakehouse.parameters import narrowed
from notebooks.charts import NOTHING
from notebooks.execution import execute, notebooks
from notebooks.publication import page
from sites.validation.health import Health
from tests import needs
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, athena_over, start_from
from tests.integration.catalog.business import ANSWERS, AUDIT, FIRST, TABLES, THEN
from tests.night import at_night, by_day
from tools.browser import browser, serving
from totesys import database as totesys

CATALOGUE = load_catalogue()
QUESTIONS = load_questions()
DASHBOARD = load_dashboard()
ON_BOTH = [name for name, query in DASHBOARD.queries.items() if len(query.statements) == len(ENGINES)]
GROUP = load_pipeline().athena.work_group
Row = tuple[str | None, ...]


CAPTURED_FACTS = [
    fact
    for fact in CATALOGUE.star_of_kind("fact")
    if fact.built_from is not None and fact.built_from.table in CATALOGUE.captured
]
"""The facts that this world has rows of: no feed brings anything here; the demonstration compares theirs."""


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
        with start_from(base, tmp_path_factory.mktemp("lake"), patch) as pipeline:
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

    with athena_over(pipeline.lake, folder) as endpoint:
        environment = {
            **pipeline.lake.endpoint.environment(),
            "AWS_ENDPOINT_URL_ATHENA": endpoint.url,
            "WR_WORKGROUP": GROUP,
            # So that tests do not wait.
            "WR_ATHENA_QUERY_WAIT_POLLING_DELAY": "0.05",
        }
        yield World(pipeline, endpoint.client("athena"), environment, (first, second), counts)


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("best_designs_by_country", ["country", "design_rank"]),
        ("net_cash_by_month", ["month"]),
        ("payments_due", ["due"]),
        ("revenue_by_month", ["month", "currency"]),
        ("revenue_by_staff", ["department", "staff_id"]),
    ],
)
def test_a_parameter_leaves_just_the_rows_that_have_its_value(
    world: World, name: str, columns: list[str]
) -> None:
    sql = QUESTIONS[name].sql
    whole = world.ask(sql)
    at = [[column for column, _ in whole.columns].index(column) for column in columns]
    wanted = [whole.rows[-1][place] for place in at]
    values = [(column, str(value)) for column, value in zip(columns, wanted, strict=True)]
    kept = [row for row in whole.rows if [row[place] for place in at] == wanted]
    assert 0 < len(kept) < len(whole.rows)
    assert world.ask(narrowed(sql, values, dict(whole.columns))).rows == kept


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


CONVERTS = "FROM dim_currency JOIN fact_exchange_rate_gbp"


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
        views = {view.name: view.sql for view in athena_views(contract)}
        for name in (contract.table, *views):
            mentions = len(re.findall(rf"\b{name}\b", code))
            needed = set(words)
            if name.endswith("_gbp") and mentions:
                # By the way of what it reads: the rates of every day, and which currency a row is in.
                read = views[name] if contract.reported is None else f"currency_id currency_code {CONVERTS}"
                total += mentions * allowed_bytes(world, read, partitions)
            if name.endswith("_gbp") and contract.reported is not None:
                needed |= {*contract.reported.amount, contract.reported.currency, contract.reported.day}
            if name.endswith("_history"):
                needed |= {column.name for column in contract.all_columns}
            elif name.endswith(("_current", "_gbp")):
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


@pytest.mark.parametrize("name", by_day(["payments_due", "revenue_by_month"], QUESTIONS.keys()))
def test_a_question_reads_the_columns_that_it_names_and_each_table_once(world: World, name: str) -> None:
    sql = QUESTIONS[name].sql
    assert 0 < world.ask(sql).bytes_scanned <= allowed_bytes(world, sql)


@pytest.mark.parametrize(
    ("name", "column"), [("revenue_by_month", "month"), ("revenue_by_month_reported", "month")]
)
def test_one_month_of_an_answer_reads_one_partition(world: World, name: str, column: str) -> None:
    sql = QUESTIONS[name].sql
    one = world.ask(f"SELECT * FROM (\n{sql}\n) WHERE {column} = '2024-09'")
    whole = world.ask(sql)
    assert one.rows == [row for row in whole.rows if row[0] == "2024-09"]
    assert one.bytes_scanned <= allowed_bytes(world, sql, partitions="created_month=2024-09")
    assert one.bytes_scanned < whole.bytes_scanned


@pytest.mark.parametrize("kind", ["current", "history"])
@pytest.mark.parametrize("fact", CAPTURED_FACTS, ids=lambda fact: fact.table)
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


@pytest.mark.parametrize("kind", ["current", "history", "gbp"])
@pytest.mark.parametrize("fact", CAPTURED_FACTS, ids=lambda fact: fact.table)
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


@pytest.fixture(scope="module")
def made(world: World) -> Callable[[str], str]:
    """From a notebook's name its page, as ``lakehouse notebooks`` makes it."""

    @cache
    def make(name: str) -> str:
        (path,) = (path for path in notebooks() if path.stem == name)
        return page(name, execute(path, {**world.environment}), dt.datetime.now(dt.UTC)).html

    return make


def findings(page: str) -> list[str]:
    """What the charts of a page show."""
    found = re.findall(r'<img alt="([^"]+)" class="chart" src="data:image/png;base64,[^"]+"', page)
    return [html.unescape(text) for text in found]


@pytest.mark.slow
def test_every_notebook_is_published_and_linked_from_the_front_page(published: dict[str, str]) -> None:
    assert {path.stem for path in notebooks()} == set(HEADLINES)
    assert {key for key in published if key.startswith("notebooks/")} == {
        f"notebooks/{name}.html" for name in ("index", *HEADLINES)
    }
    assert 'href="notebooks/index.html"' in published["index.html"]
    assert all(f'href="{name}.html"' in published["notebooks/index.html"] for name in HEADLINES)


@pytest.mark.parametrize("name", by_day(["sales"], HEADLINES.keys()))
def test_a_notebook_runs_and_its_headline_is_the_source_s_own(
    world: World, made: Callable[[str], str], name: str
) -> None:
    shown = findings(made(name))
    ((headline,),) = world.source(HEADLINES[name])
    assert str(headline) in shown[0]
    assert len(shown) >= 4
    assert NOTHING not in shown


@pytest.mark.parametrize("name", by_day(["sales"], HEADLINES.keys()))
def test_the_page_of_a_notebook_has_all_in_it_and_no_warning(made: Callable[[str], str], name: str) -> None:
    page = made(name)
    assert page.count("<img") == len(findings(page))
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page)
    top = {"../index.html", "../state.html", "../notebooks/index.html"}
    assert set(named) == {"index.html", *top}
    assert not re.search(r"url\(|@import|<script", page)
    # What a cell prints, a warning for one, stands in a <pre> of its own.
    assert page.count("<pre>") == page.count("<pre><code>") >= len(findings(page))


# --- the dashboard -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources(world: World) -> dict[Engine, Source]:
    return {
        "lake": Lake(world.athena, GROUP),
        "warehouse": Warehouse(world.pipeline.loader_dsn),
    }


@pytest.fixture(scope="module")
def readings(sources: dict[Engine, Source]) -> dict[Engine, dict[str, Answer]]:
    """Every query of the dashboard as each engine answers it, all on one day."""
    while True:
        day = dt.datetime.now(dt.UTC).date()
        found = {
            engine: dict(source.read(DASHBOARD.queries_on(engine)).answers)
            for engine, source in sources.items()
        }
        if dt.datetime.now(dt.UTC).date() == day:
            return found


def summed(query: Query, rows: Any, by: tuple[str, ...], value: str) -> dict[tuple[Any, ...], float]:
    """A value added up by some columns."""
    names = list(query.columns)
    found: dict[tuple[Any, ...], float] = {}
    for row in rows:
        key = tuple(row[names.index(column)] for column in by)
        found[key] = round(found.get(key, 0) + row[names.index(value)], 2)
    return found


@pytest.mark.parametrize("name", DASHBOARD.queries)
def test_a_query_of_the_dashboard_gives_the_types_that_are_told_from_its_sql(world: World, name: str) -> None:
    query = DASHBOARD.queries[name]
    if "lake" in query.statements:
        kinds = {"varchar": "text", "bigint": "integer"}
        typed = world.ask(query.statements["lake"]).columns
        plain = [(column, kind.partition("(")[0]) for column, kind in typed]
        assert [(column, kinds.get(kind, kind)) for column, kind in plain] == list(query.columns.items())
    if "warehouse" in query.statements:
        by_oid = {20: "integer", 25: "text", 1043: "text", 1082: "date", 1114: "timestamp", 1700: "decimal"}
        with psycopg.connect(world.pipeline.loader_dsn) as connection:
            described = connection.execute(query.statements["warehouse"].encode()).description
        assert described is not None
        assert [(column.name, by_oid[column.type_code]) for column in described] == list(
            query.columns.items()
        )


@pytest.mark.parametrize("name", DASHBOARD.queries)
def test_every_query_of_the_dashboard_is_answered(
    readings: dict[Engine, dict[str, Answer]], name: str
) -> None:
    for engine in DASHBOARD.queries[name].statements:
        answer = readings[engine][name]
        assert answer.error is None
        assert answer.rows


@pytest.mark.parametrize("name", ON_BOTH)
def test_the_dashboard_shows_the_same_over_lake_and_warehouse(
    readings: dict[Engine, dict[str, Answer]], name: str
) -> None:
    lake, warehouse = (sorted(readings[engine][name].rows, key=repr) for engine in ENGINES)
    assert lake == warehouse


@pytest.mark.parametrize(
    ("name", "question", "by", "value"),
    [
        ("sales", "revenue_by_month", ("month", "currency"), "revenue"),
        ("sales", "revenue_by_delivery_country", ("country", "currency"), "units"),
        ("sales", "revenue_by_weekday", ("day_name", "currency"), "orders"),
        ("sales", "revenue_by_staff", ("month", "staff_id", "currency"), "revenue"),
        ("sales", "revenue_by_counterparty", ("month", "counterparty_id", "currency"), "revenue"),
        ("sales", "revenue_by_design", ("design_id", "currency"), "revenue"),
        ("purchases", "purchase_spend_by_counterparty", ("counterparty_id", "currency"), "spend"),
        ("cash", "net_cash_by_month", ("month", "currency"), "net"),
    ],
)
def test_what_the_dashboard_asks_adds_up_to_the_answers_of_the_questions(
    world: World,
    readings: dict[Engine, dict[str, Answer]],
    name: str,
    question: str,
    by: tuple[str, ...],
    value: str,
) -> None:
    answer = world.ask(QUESTIONS[question].sql)
    columns = [column for column, _ in answer.columns]
    found = summed(DASHBOARD.queries[name], readings["lake"][name].rows, by, value)
    told = {
        tuple(row[columns.index(column)] for column in by): float(str(row[columns.index(value)]))
        for row in answer.rows
    }
    assert {tuple(map(str, key)): found for key, found in found.items()} == told


EVERYTHING = Choices({"currency": "GBP"})
SEPTEMBER = Choices({"currency": "GBP"}, Range(dt.date(2024, 9, 1), dt.date(2024, 9, 30)))


@pytest.mark.parametrize(
    "choices", [at_night(EVERYTHING, name="everything"), pytest.param(SEPTEMBER, id="september")]
)
@pytest.mark.parametrize("key", DASHBOARD.declared.sheets)
def test_a_card_shows_the_same_over_lake_and_warehouse_whatever_is_chosen(
    sources: dict[Engine, Source], key: str, choices: Choices
) -> None:
    asked = sheet_queries(DASHBOARD, DASHBOARD.declared.sheets[key], choices)
    queries = {
        name: query
        for name, query in {**asked.queries, **asked.options}.items()
        if len(query.statements) == len(ENGINES)
    }
    lake, warehouse = (sources[engine].read(queries).answers for engine in ENGINES)
    for name in queries:
        assert lake[name].error is None
        assert sorted(lake[name].rows, key=repr) == sorted(warehouse[name].rows, key=repr), name


def test_a_chosen_month_reads_no_partition_of_another(world: World) -> None:
    sheet = DASHBOARD.declared.sheets["sales"]
    sql = {
        name: sheet_queries(DASHBOARD, sheet, choices).cards["revenue_by_month"].query.statements["lake"]
        for name, choices in (("everything", EVERYTHING), ("september", SEPTEMBER))
    }
    whole, one = (world.ask(statement) for statement in sql.values())
    assert one.rows == [row for row in whole.rows if row[0] == "2024-09"]
    assert one.bytes_scanned < whole.bytes_scanned


def test_the_changes_of_the_dashboard_are_the_amendments_that_the_views_tell(
    world: World, readings: dict[Engine, dict[str, Answer]]
) -> None:
    rows = readings["lake"]["changes_by_day"].rows
    for record, fact in (("sales order", "sales_order"), ("payment", "payment")):
        for kind in ("amended", "deleted"):
            ((told,),) = world.ask(
                f"SELECT count(*) FROM fact_{fact}_history WHERE change_kind = '{kind}'"
            ).rows
            counts = [row[3] for row in rows if row[1:3] == (record, kind)]
            assert sum(int(str(count)) for count in counts) == int(str(told))
    ((silent,),) = world.ask(
        "SELECT count(*) FROM fact_sales_order_history WHERE change_kind = 'amended'"
        " AND NOT contains(split(changed_columns, ', '), 'last_updated_time')"
        " AND NOT contains(split(changed_columns, ', '), 'last_updated_date')"
    ).rows
    assert sum(int(str(row[4])) for row in rows if row[1] == "sales order") == int(str(silent)) > 0


def test_an_empty_warehouse_says_how_to_fill_it(world: World) -> None:
    world.pipeline.server.ensure_database("empty", owner=LOADER)
    empty = Warehouse(world.pipeline.server.dsn(LOADER, "empty"))
    answers = empty.read(DASHBOARD.queries_on("warehouse")).answers
    assert all("lakehouse run" in str(answer.error) for answer in answers.values())


SHOWN = """new Promise((done) => {
    const look = () => (document.body.dataset.shown === "%s" ? done(true) : setTimeout(look, 20));
    look();
})"""
CHOOSE = """{
    const select = document.getElementById("filter-%s");
    select.value = "%s";
    select.dispatchEvent(new Event("change"));
}"""
CUT = """[...document.querySelectorAll("figure svg")].flatMap((drawn) => {
    const paper = drawn.getBoundingClientRect();
    return [...drawn.querySelectorAll("text")].filter((text) => {
        const box = text.getBoundingClientRect();
        return box.width && (box.right > paper.right + 1 || box.left < paper.left - 1);
    }).map((text) => text.textContent);
})"""
"""The words of charts that stand beyond the edge of their pictures."""
FIGURE = "document.querySelector('#%s .shown b').title"
TEXT = "document.querySelector('%s').textContent"
ROWS = "document.querySelectorAll('#%s tbody tr').length"
MARKS = "document.querySelectorAll('#%s svg [role=graphics-symbol]').length"


def has_values(answers: dict[str, Answer], visual: Visual) -> bool:
    """Whether a visual has anything to draw, in pounds where it is about money."""
    names = list(DASHBOARD.queries[visual.query].columns)
    values = visual.values or [name for name in visual.columns if DASHBOARD.is_value(name)]
    return any(
        row[names.index(value)]
        for row in answers[visual.query].rows
        for value in values
        if "currency" not in names or row[names.index("currency")] == "GBP"
    )


@pytest.mark.slow
def test_in_a_browser_charts_are_drawn_filters_narrow_them_and_nobody_else_is_asked(
    readings: dict[Engine, dict[str, Answer]], sources: dict[Engine, Source], tmp_path: Path
) -> None:
    needs.chromium()
    rows = readings["lake"]["sales"].rows
    sales = DASHBOARD.queries["sales"]
    revenue = summed(sales, rows, ("currency",), "revenue")
    by_country = summed(sales, rows, ("currency", "country"), "revenue")
    orders = summed(sales, rows, ("currency", "country"), "orders")
    sheets = Sheets(DASHBOARD, sources["lake"], tmp_path / "kept")
    parts = Parts(sheets, Documents(boto3.client("s3"), "pages"), lambda: Health(as_of=""))
    with (
        LoopbackServer(create_app(parts), 0) as server,
        serving(server),
        browser(tmp_path / "profile") as page,
    ):
        for key, sheet in DASHBOARD.sheets_on("lake").items():
            page.open(f"{server.url}dashboard/{key}?period=everything")
            assert page.run(SHOWN % ("GBP" if "currency" in sheet.filters else "all"))
            titles = page.run("[...document.querySelectorAll('figure h2')].map((title) => title.textContent)")
            assert titles == [visual.title for visual in sheet.visuals.values()]
            for name, visual in sheet.visuals.items():
                if visual.kind != "key_figure" and has_values(readings["lake"], visual):
                    assert page.run((ROWS if visual.kind == "table" else MARKS) % name) > 0

        def choose(control: str, value: str, shown: str) -> None:
            page.follow(lambda: page.run(CHOOSE % (control, value)))
            assert page.run(SHOWN % shown)
            assert page.run("document.activeElement.id") == f"filter-{control}"

        page.open(f"{server.url}dashboard/sales?period=everything")
        assert page.run(SHOWN % "GBP")
        assert page.run(FIGURE % "revenue") == f"{revenue[('GBP',)]:,.2f}"
        choose("currency", "EUR", "EUR")
        assert page.run(FIGURE % "revenue") == f"{revenue[('EUR',)]:,.2f}"
        assert page.run(TEXT % "#revenue .shown").endswith(" EUR")
        assert "Revenue (EUR)" in page.run(TEXT % "#revenue_by_month svg")
        page.follow(lambda: page.run("document.querySelector('nav.sheets a[href*=people]').click()"))
        assert page.run(SHOWN % "EUR")
        for width in (1400, 800, 390):
            page.resize(width, 900)
            page.open(f"{server.url}dashboard/people?period=everything&currency=EUR")
            assert page.run(SHOWN % "EUR")
            assert page.run(CUT) == [], width
        country = max((key for key in by_country if key[0] == "EUR"), key=lambda key: (by_country[key], key))[
            1
        ]
        # A click on the longest bar narrows, a second one widens again; a key does the same by the table.
        page.open(f"{server.url}dashboard/sales?period=everything&currency=EUR")
        assert page.run(SHOWN % "EUR")
        links = "[...document.querySelectorAll('#revenue_by_country .data a')].map((one) => one.textContent)"
        assert page.run(links)[0] == country
        page.follow(
            lambda: page.click("#revenue_by_country svg [role=graphics-symbol][aria-roledescription=bar]")
        )
        assert page.run(SHOWN % "EUR")
        assert page.run("document.getElementById('filter-country').value") == country
        assert page.run(FIGURE % "revenue") == f"{by_country['EUR', country]:,.2f}"
        page.follow(
            lambda: page.run("document.querySelector('#revenue .tools a[href^=\"/dashboard/\"]').click()")
        )
        assert page.run(SHOWN % "EUR")
        assert page.run(ROWS % "orders_listed") == min(orders["EUR", country], 50)
        assert "/record?table=sales_order&key=" in page.run(
            "document.querySelector('#orders_listed td a').href"
        )
        page.open(f"{server.url}dashboard/sales?period=own&from=2024-09-01&to=2024-09-30&currency=EUR")
        assert page.run(SHOWN % "EUR")
        assert "on the 30 days before" in page.run(TEXT % "#revenue .change")
        assert page.run("document.querySelector('#revenue .change').title").endswith(
            " from 2024-08-02 to 2024-08-31"
        )
        page.run("document.querySelector('[data-picture=revenue_by_country]').click()")
        page.open(f"{server.url}dashboard/sales?currency=NOPE")
        assert page.run(SHOWN % "GBP")
        said = page.run("document.querySelector('[role=status]').textContent")
        assert said == "There is no data for currency NOPE, which the address asks for."
        assert "Nothing from " in page.run(TEXT % "#revenue .shown")
        assert page.complaints == []
        assert {urlsplit(one).hostname for one in page.requested if one.startswith("http")} == {"127.0.0.1"}
