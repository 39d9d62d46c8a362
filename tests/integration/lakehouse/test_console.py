"""The console of a running stack: pages show what Athena, commits and runs say, to whom it may be shown."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from werkzeug.test import Client, TestResponse

from bi.dashboard import load_dashboard
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake import approvals
from glue_jobs.lake.layout import iso, utc_now
from glue_jobs.reconciliation.reconciliation_report import Comparison, Report, TableReport
from glue_jobs.reconciliation.record import rows, write
from lakehouse.account import connect
from lakehouse.cli import main
from lakehouse.console.launch import open_account_console, open_console
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.stack import find_running
from lakehouse.stack_state import Paths
from tests import needs
from tests.night import at_night
from tests.owner import owner_of
from tools.browser import Page, browser, serving
from tools.console_screenshot import DRAWN
from totesys import database

STAFF = "Zebedee"

PAGES = (
    "",
    "runs",
    "batches",
    "quality",
    "catalog",
    "catalog/raw/staff",
    "record?table=staff&key=1",
    "query",
)


@dataclass
class World:
    """A stack that has run, over a source with one rejected row and one person."""

    state: Path
    owner: str

    def __call__(self, *words: str) -> str:
        done = CliRunner().invoke(main, list(words), env={"LAKEHOUSE_STATE": str(self.state)})
        assert done.exit_code == 0, done.output
        return done.stdout

    def change(self, statement: str) -> None:
        with psycopg.connect(self.owner) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-") as home,
        EmbeddedPostgres(Path(home) / "pg", durable=False) as server,
    ):
        for role in ("owner", "reader", "loader"):
            server.ensure_role(role)
        server.ensure_database("totesys", "owner")
        server.ensure_database("warehouse", "loader")
        database.create(server.dsn("owner", "totesys"))
        database.grant_reader(server.dsn("owner", "totesys"), "reader")
        made = World(Path(home) / "state", server.dsn("owner", "totesys"))
        made(
            "up",
            "--source",
            server.dsn("reader", "totesys"),
            "--warehouse",
            server.dsn("loader", "warehouse"),
        )
        made.change(
            "INSERT INTO currency (currency_code, last_updated) VALUES ('GBP', now()), ('gbp', now())"
        )
        made.change("INSERT INTO department (department_name, location, manager, last_updated)"
                    " VALUES ('=1+1', 'Leeds', 'M', now())")  # fmt: skip
        made.change("INSERT INTO staff (first_name, last_name, department_id, email_address, last_updated)"
                    f" VALUES ('{STAFF}', 'Zed', 1, 'z@example.com', now())")  # fmt: skip
        made("run")
        yield made
        made("down")


@pytest.fixture(scope="module")
def asked(world: World) -> Iterator[Callable[..., TestResponse]]:
    """Asks the console of a role for a page."""
    running, paths = find_running(world.state), Paths.of(world.state)
    consoles = {role: open_console(running, role, 0, paths) for role in ("analyst", "operator")}

    def ask(path: str, role: str = "operator", **options: Any) -> TestResponse:
        server = consoles[role]
        return Client(server.app).open(path, base_url=server.url.rstrip("/"), **options)

    yield ask
    for server in consoles.values():
        server.server_close()


def text(answer: TestResponse) -> str:
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_overview_shows_what_status_says(world: World, asked: Callable[..., TestResponse]) -> None:
    shown, status = text(asked("/")), json.loads(world("status", "--json"))
    assert f'<a href="/quality">{status["open_dead_letters"]}</a>' in shown
    for stage in status["stages"]:
        assert re.search(
            rf'{stage["stage"]}</th><td>{stage["job"]}</td><td class="n">{stage["last_batch"]}</td>', shown
        )
    assert re.search(r'currency</a></th>\s*<td title="[^"]+">[^<]+ago</td>\s*<td class="n">2</td>', shown)


def test_runs_batches_and_dead_letters_are_those_of_the_commands(
    world: World, asked: Callable[..., TestResponse]
) -> None:
    runs = json.loads(world("runs", "--json"))
    shown = text(asked("/runs"))
    assert re.findall(r'href="/runs/(\w+)"', shown) == [run["id"].removeprefix("jr_")[:8] for run in runs]
    log = text(asked(f"/runs/{runs[0]['id'].removeprefix('jr_')[:8]}"))
    assert "<pre>" in log
    assert f"on {runs[0]['engine']} for ${runs[0]['cost_usd']:.4f}." in log
    (captured,) = [run for run in runs if run["job"] == "extract_cdc"]
    (row,) = re.findall(rf"{captured['id'].removeprefix('jr_')[:8]}</a>.*?</tr>", shown)
    assert '<td class="n moment">4 captured</td>' in row
    assert (
        f'<td class="moment">{captured["engine"]}</td><td class="n">${captured["cost_usd"]:.4f}</td>' in row
    )
    batches = text(asked("/batches"))
    counts = "".join(rf'\s*<td class="n">{number}</td>' for number in (4, 3, 1))
    assert re.search(rf'id="batch-1">1</th>\s*<td[^>]*>[^<]*</td>{counts}', batches)
    (letter,) = json.loads(world("dead-letters", "--json"))
    quality = text(asked("/quality"))
    assert f"/record?table=currency&amp;key={letter['key']}" in quality
    assert all(rule["reason"] in quality for rule in letter["rules"])
    assert buttons(quality) == [("Replay", "lakehouse replay")]
    assert buttons(shown) == []


def buttons(page: str) -> list[tuple[str, str]]:
    """The buttons of a page that show a command, each with what it shows."""
    return re.findall(r"<summary>([^<]+)</summary> <code>([^<]+)</code>", page)


def test_a_run_that_goes_on_can_be_cancelled_from_its_page(
    world: World, asked: Callable[..., TestResponse]
) -> None:
    ended = next(Paths.of(world.state).runs.glob("jr_*.json"))
    run = {**json.loads(ended.read_text()), "id": "jr_00000000", "state": "RUNNING", "completed": None}
    going_on = ended.with_name("jr_00000000.json")
    going_on.write_text(json.dumps(run))
    try:
        assert buttons(text(asked("/runs"))) == [("Cancel what runs", "lakehouse cancel")]
    finally:
        going_on.unlink()


EVERY = ("/", "/runs", "/batches", "/quality", "/catalog", "/record", "/query", "/dashboard/sales", "/nosuch")
"""A page of each part of the console, and one that there is not."""


def alerts(ask: Callable[..., TestResponse]) -> str:
    """What stands at the head of every page: the same on each, and in the frame of the documentation."""
    found = {}
    for page in EVERY:
        head = ask(page).text.partition("<h1>")[0]
        found[page] = tuple(map(unescape, ALERT.findall(head)))
    (said,) = set(found.values())
    framed = re.sub(r"\s+", " ", unescape(ask("/docs/state.html").text))
    assert all(f"<b>{what}</b>" in framed for what in said)
    return " ".join(said)


ALERT = re.compile(r'<p class="notice" role="alert"><b>([^<]+)</b>')


def test_a_fault_of_each_kind_stands_on_every_page_until_it_ends(
    world: World, asked: Callable[..., TestResponse]
) -> None:
    running, catalogue = find_running(world.state), load_catalogue()
    lake, star = running.lake(), catalogue.zones["star"].database
    # The catalog lacks a table, sides differ, a batch awaits approval; there is a dead letter from the start.
    owner_of(world.state).client("glue").delete_table(DatabaseName=star, Name="dim_design")
    at = utc_now()
    found = TableReport("raw", "payment", 5, 5, None, (Comparison("source", "lake", missing=2),))
    write(lake, catalogue, rows(Report(1, (found,)), iso(at), at))
    rejected = {"currency/9": {"read": 40, "rejected": 30, "rules": {}}}
    approvals.await_approval(lake.s3, lake.ingestion, rejected, iso(at))

    said = alerts(asked)

    for words in (
        f"{star}.dim_design is missing in the catalog.",
        "Source, lake and warehouse are not the same in payment.",
        "30 of 40 rows of currency would be rejected",
        "Rejected rows are not in the star: 1 of currency.",
    ):
        assert words in said
    quality = text(asked("/quality"))
    assert "Batch 9 awaits approval" in quality
    assert ("Approve", "lakehouse release --rejected") in buttons(quality)

    # Everything ends: by a command each, or by the source's own correction.
    world("release", "--rejected")
    world.change(
        "UPDATE currency SET currency_code = 'EUR', last_updated = now() WHERE currency_code = 'gbp'"
    )
    world("run")
    world("reconcile")
    assert alerts(asked) == ""
    assert "awaits approval" not in text(asked("/quality"))
    assert 'role="alert"' not in text(asked("/", "analyst")), "what is amiss is so whoever looks"

    # Nobody looks at the source any more.
    with open_console(running, "operator", 0, Paths.of(world.state), now=lambda: utc_now() + LATER) as late:
        shown = Client(late.app).get("/runs", base_url=late.url.rstrip("/")).text
    assert "The source has not been looked at" in shown
    world.change(
        "UPDATE currency SET currency_code = 'gbp', last_updated = now() WHERE currency_code = 'EUR'"
    )
    world("run")


LATER = timedelta(minutes=45)


@pytest.mark.slow
def test_what_has_to_be_known_first_stands_on_every_page_until_it_ends(
    world: World, asked: Callable[..., TestResponse]
) -> None:
    pages = ("/", "/runs", "/batches", "/quality", "/catalog", "/record", "/query", "/dashboard/sales")
    world.change("ALTER TABLE design RENAME file_name TO file_title")
    done = CliRunner().invoke(main, ["run"], env={"LAKEHOUSE_STATE": str(world.state)})
    assert done.exit_code == 1
    for page in pages:
        shown = text(asked(page))
        assert "design is not captured" in shown, page
        assert "The job extract_cdc fails" in shown, page
        assert "design@terrifictotes.example" in shown, page
    assert "paused" in text(asked("/"))
    world.change("ALTER TABLE design RENAME file_title TO file_name")
    world("run")
    for page in pages:
        assert "design is not captured" not in text(asked(page)), page


def test_values_follow_the_role(asked: Callable[..., TestResponse]) -> None:
    for path in ("/catalog/star/dim_staff?profile=1", "/record?table=staff&key=1"):
        assert STAFF in text(asked(path))
        assert STAFF not in text(asked(path, "analyst"))
    sql = {"sql": "SELECT first_name FROM totesys_star.dim_staff"}
    assert STAFF in text(asked("/query", method="POST", data=sql))
    refused = asked("/query", "analyst", method="POST", data=sql)
    assert (refused.status_code, STAFF in refused.text) == (400, False)
    assert asked("/catalog/dead_letter/currency", "analyst").status_code == 404
    assert "its values" not in text(asked("/quality", "analyst"))


def test_an_answer_is_shown_kept_in_the_history_and_exported(asked: Callable[..., TestResponse]) -> None:
    sql = "SELECT department_name, 1 AS n FROM totesys_raw.department"
    shown = text(asked("/query", method="POST", data={"sql": sql}))
    assert "<td>=1+1</td>" in shown
    assert sql in text(asked("/query"))
    csv = asked("/query", method="POST", data={"sql": sql, "file": ".csv"})
    assert csv.text.splitlines() == ["department_name,n", "=1+1,1"]
    parquet = asked("/query", method="POST", data={"sql": sql, "file": ".parquet"})
    assert pq.read_table(io.BytesIO(parquet.data)).to_pylist() == [{"department_name": "=1+1", "n": 1}]
    excel = asked("/query", method="POST", data={"sql": sql, "file": ".xlsx"})
    assert excel.headers["Content-Disposition"] == "attachment; filename=answer.xlsx"
    wrong = asked("/query", method="POST", data={"sql": "SELECT nothing"})
    assert (wrong.status_code, 'role="alert"' in wrong.text, "Traceback" in wrong.text) == (400, True, False)


@pytest.fixture
def deployed(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., TestResponse]:
    """Asks the console of a lake on AWS, for which the stack's endpoint stands, with some credentials."""
    running = find_running(world.state)

    def ask(path: str, credentials: dict[str, str], role: str = "operator") -> TestResponse:
        for name, value in credentials.items():
            monkeypatch.setenv(name, value)
        account = connect(load_pipeline(), "dev", role, None, None)
        named = replace(account, buckets=running.buckets)
        with open_account_console(named, role, 0, tmp_path) as server:
            return Client(server.app).get(path, base_url=server.url.rstrip("/"))

    return ask


def test_the_same_pages_show_a_lake_on_aws_with_the_callers_own_rights(
    world: World, asked: Callable[..., TestResponse], deployed: Callable[..., TestResponse]
) -> None:
    running = find_running(world.state)
    for path in ("/", "/quality", "/dashboard/sales", "/query"):
        shown = text(deployed(path, running.environment))
        assert "This is totesys-dev in account" in shown, path
        assert "with your own rights" in shown
        # What a stack's commands do is on AWS the runbook's to say.
        assert "<code>lakehouse" not in shown
    for path, pattern in (
        ("/", r'<tr><th scope="row">(\w+)</th><td>(\w+)</td><td class="n">(\d+)'),
        ("/runs", r'href="/runs/(\w+)"'),
    ):
        there = re.findall(pattern, text(deployed(path, running.environment)))
        assert there == re.findall(pattern, text(asked(path))) != []

    # An analyst of AWS sees what the policies of the role let it: no commits, no personal columns.
    analyst = running.acting("analyst").environment
    refused = deployed("/", analyst, "analyst")
    assert refused.status_code == 502
    assert "Your role may not do" in refused.text
    assert STAFF not in text(deployed("/catalog/star/dim_staff?profile=1", analyst, "analyst"))
    seen = deployed("/catalog/star/dim_staff?profile=1", analyst, "operator")
    assert STAFF not in seen.text


def test_a_wrong_address_says_what_it_lacks(asked: Callable[..., TestResponse]) -> None:
    for path, words in (
        ("/record?table=currency&key=99", "No currency 99 was ever captured"),
        ("/record?table=nosuch&key=1", "There is no table nosuch"),
        ("/catalog/star/nosuch", "There is no table nosuch"),
        ("/runs/zzzz", "There is no run zzzz"),
        ("/dashboard/nosuch", "The dashboard has no sheet nosuch"),
        ("/nosuch", "There is no such page"),
    ):
        answer = asked(path)
        assert answer.status_code in (400, 404)
        assert words in answer.text, path


def test_in_a_browser_every_page_fits_is_reached_by_keyboard_and_asks_nobody_else(
    world: World, tmp_path: Path
) -> None:
    needs.chromium()
    with (
        open_console(find_running(world.state), "operator", 0, Paths.of(world.state)) as server,
        serving(server),
        browser(tmp_path / "profile") as page,
    ):
        for path in PAGES:
            page.open(f"{server.url}{path}")
            for width in (1400, 800, 390):
                page.resize(width, 900, dark=width == 800)
                assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
            unnamed = page.run(
                "[...document.querySelectorAll('a, button, input, select, textarea, [role=region]')]"
                ".filter((e) => !(e.textContent.trim() || e.ariaLabel || (e.labels && e.labels.length)))"
                ".map((e) => e.outerHTML)"
            )
            assert unnamed == [], path
            assert page.run("[...document.querySelectorAll('[tabindex]')].every((e) => e.tabIndex === 0)")
            assert page.run("document.querySelectorAll('h1').length") == 1, path
        assert page.complaints == []
        assert {one.split("/")[2] for one in page.requested if one.startswith("http")} == {
            server.url.split("/")[2]
        }


AXE = """axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
    .then(({violations}) => violations.map(({id, nodes}) => [id, nodes.map((node) => node.html)]))"""


def look_at(page: Page, url: str, axe: str) -> None:
    """Open a page to its last chart, with axe in it."""
    page.open(url)
    page.run(DRAWN)
    page.run(f"{axe}; 0")


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(((390, True),), id="small and dark"),
        at_night(((390, True), (1400, False)), name="both"),
    ],
)
def test_axe_finds_nothing_on_any_page_large_and_light_or_small_and_dark(
    world: World, tmp_path: Path, looks: tuple[tuple[int, bool], ...]
) -> None:
    needs.chromium()
    axe = needs.axe()
    with (
        open_console(find_running(world.state), "operator", 0, Paths.of(world.state)) as server,
        serving(server),
        browser(tmp_path / "profile") as page,
    ):
        look_at(page, f"{server.url}query?named=revenue_by_month", axe)
        page.run("document.querySelector('label').remove()")
        assert [rule for rule, _ in page.run(AXE)] == ["label"], "axe notices what it should"
        sheets = [f"dashboard/{name}" for name in load_dashboard().declared.sheets]
        # By day one page of each make: figures, forms, a record, charts.
        for path in (*PAGES, *sheets) if len(looks) > 1 else ("", PAGES[6], sheets[0]):
            look_at(page, f"{server.url}{path}", axe)
            for width, dark in looks:
                page.resize(width, 900, dark=dark)
                assert page.run(AXE) == [], (path, width)


def test_a_dead_letter_leads_to_its_values_where_they_may_be_seen(
    asked: Callable[..., TestResponse],
) -> None:
    (link,) = re.findall(r'href="/query\?sql=([^"]+)">its values', text(asked("/quality")))
    shown = text(asked("/query", method="POST", data={"sql": unquote(link)}))
    assert "<td>gbp</td>" in shown
