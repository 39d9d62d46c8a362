"""The pages of each part of the console."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, redirect, request, send_file
from werkzeug.wrappers import Response as AnyResponse

from bi.dashboard import Dashboard
from bi.questions import Question, load_questions
from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.pipeline import load_pipeline
from glue_jobs.runtime.athena import QueryFailed
from lakehouse.console.diagram import diagram
from lakehouse.console.documents import BUILD, NOT_BUILT, Documents, below
from lakehouse.console.frame import NO_PAGE, Frame, guarded
from lakehouse.console.reading import DAYS, Reading
from lakehouse.console.search import search
from lakehouse.dashboard.page import OptionsMemory, look_at, render
from lakehouse.dashboard.sources import Source
from lakehouse.dead_letters import DeadLetter
from lakehouse.job_runs import find_run, readable
from lakehouse.records import key_condition, raw_table, read_record
from lakehouse.results import FEW_ROWS, is_number, write_file
from lakehouse.run_costs import total
from lakehouse.table_profile import profile
from sites.validation.pages import STATE, state_page

_SAMPLE = 20
_HISTORY = 50
_RUNS = 200
_FILES = (".csv", ".parquet", ".xlsx")


@dataclass(frozen=True)
class Sheets:
    """The dashboard.

    Attributes:
        dashboard: What is declared.
        source: What is asked at every look.
        kept: A folder in which the charting library is kept, once it has been unpacked.
        other: What is asked for what the source cannot tell.
    """

    dashboard: Dashboard
    source: Source
    kept: Path
    other: Source | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is asked, in this order."""
        return (self.source,) if self.other is None else (self.source, self.other)


def add_dashboard(app: Flask, sheets: Sheets, frame: Frame) -> None:
    """The sheets of the dashboard."""
    memory = OptionsMemory()

    @app.get("/dashboard/")
    def first_sheet() -> AnyResponse:
        return redirect(f"/dashboard/{next(iter(sheets.dashboard.declared.sheets))}")

    @app.get("/dashboard/<name>")
    def sheet(name: str) -> Response:
        sources = sheets.sources
        there = sheets.dashboard.sheets_on(*(source.engine for source in sources))
        if name not in there:
            remedy = f"It has {', '.join(there)}."
            return frame.problem(f"The dashboard has no sheet {name}.", remedy, HTTPStatus.NOT_FOUND)
        values = frame.values()
        known = memory.known(values["health"].loaded_at if values["health"] else "")
        look = look_at(sheets.dashboard, name, sources, request.args, datetime.now(UTC), known)
        return guarded(render(sheets.dashboard, sources, look, values))


def add_documents(app: Flask, documents: Documents, frame: Frame) -> None:
    """The documentation and the notebooks, as they were built."""

    @app.get("/docs/")
    @app.get("/docs/<path:path>")
    def document(path: str = "") -> AnyResponse:
        # The framework takes the last slash away, and a folder is its index.
        path = request.path.removeprefix("/docs").removeprefix("/")
        if path == STATE and not isinstance(health := frame.health(), str):
            # As it is now, and not as it was when the pages were built.
            return Response(state_page(health), content_type="text/html; charset=utf-8")
        found = documents.find(path)
        if found is None and not path.endswith("/") and documents.find(f"{path}/") is not None:
            return redirect(f"/docs/{path}/", HTTPStatus.MOVED_PERMANENTLY)
        if found is None and not documents.are_built:
            return frame.problem(NOT_BUILT, BUILD, HTTPStatus.NOT_FOUND)
        if found is None and path == "notebooks/":
            return frame.problem("No notebook has been run yet.", "Run them with: lakehouse notebooks", 404)
        if found is None:
            return frame.problem(*NO_PAGE, HTTPStatus.NOT_FOUND)
        # A page within a page has its header already.
        header = "" if request.headers.get("Sec-Fetch-Dest") == "iframe" else frame.header()
        return Response(below(header, found), content_type=found.content_type)


def add_operations(app: Flask, reading: Reading, frame: Frame) -> None:
    """What runs, what came, and what was rejected."""

    @app.get("/")
    def overview() -> Response:
        status = reading.status()
        return frame.page(
            "overview.html.j2",
            {
                "status": status,
                "tables": reading.news(status),
                "run": next(iter(reading.runs()), None),
                "compared": reading.compared(),
                "days": DAYS,
            },
        )

    @app.get("/runs")
    def runs() -> Response:
        every = reading.runs()
        week_ago = datetime.now(UTC) - timedelta(days=7)
        values = {
            "runs": reading.told_runs(every[:_RUNS]),
            "more": max(len(every) - _RUNS, 0),
            "week": total(every, load_pipeline(), week_ago),
        }
        return frame.page("runs.html.j2", values)

    @app.get("/runs/<name>")
    def run(name: str) -> Response:
        found = find_run(reading.runs(), name, failed=False)
        lines = [readable(line) for line in reading.runs_of.lines(found)]
        (told,) = reading.told_runs([found])
        shown = [line for line in lines if line]
        return frame.page(
            "run.html.j2",
            {"run": found, "told": told, "lines": shown, "command": reading.runs_of.command(found)},
        )

    @app.get("/batches")
    def batches() -> Response:
        return frame.page("batches.html.j2", {"batches": reading.batches(), "days": DAYS})

    @app.get("/quality")
    def quality() -> Response:
        status = reading.status()
        return frame.page(
            "quality.html.j2",
            {
                "status": status,
                "awaiting": reading.awaiting_approval(),
                "dead_letters": reading.dead_letters(request.args.get("table")),
                "table": request.args.get("table", ""),
                "sees_values": reading.sees_personal_columns,
                "values_of": lambda letter: _values_of(reading.catalogue, letter),
            },
        )


def _values_of(catalogue: Catalogue, letter: DeadLetter) -> str:
    """SQL that shows the rejected row."""
    condition = key_condition(catalogue.raw[letter.table], str(letter.key))
    table = f"{catalogue.zones['dead_letter'].database}.{letter.table}"
    return f"SELECT * FROM {table} WHERE {condition}"  # noqa: S608 - names of contracts, literals


def questions_of(reading: Reading) -> list[Question]:
    """The questions, as the role may ask them."""
    every = load_questions().values()
    return [one if reading.sees_personal_columns else one.redacted() for one in every]


def add_catalog(app: Flask, reading: Reading, questions: Sequence[Question], frame: Frame) -> None:
    """Tables, their columns and values, and what happened to a record."""
    catalogue = reading.catalogue
    tables: dict[str, dict[str, Contract]] = {
        "star": dict(catalogue.star),
        "raw": dict(catalogue.raw),
        "ops": dict(catalogue.ops),
    }
    if reading.sees_personal_columns:
        tables["dead_letter"] = dict(catalogue.dead_letter)

    @app.get("/catalog")
    def catalog() -> Response:
        words = request.args.get("search", "").strip()
        return frame.page(
            "catalog.html.j2",
            {
                "zones": tables,
                "about": {zone: catalogue.zones[zone].description for zone in tables},
                "words": words,
                "found": search(words, tables, questions) if words else None,
                "diagram": diagram(catalogue.star),
            },
        )

    @app.get("/catalog/<zone>/<table>")
    def one_table(zone: str, table: str) -> Response:
        if table not in tables.get(zone, {}):
            what = f"There is no table {table} in the zone {zone}, or your role may not see it."
            return frame.problem(what, "The catalog lists those that you may see.", HTTPStatus.NOT_FOUND)
        contract = tables[zone][table]
        place = f"{contract.zone_info.database}.{contract.table}"
        profiled, sample, error = [], None, None
        try:
            sample = reading.query(f"SELECT * FROM {place} LIMIT {_SAMPLE}")  # noqa: S608 - names of contracts
            profiled = list(profile(reading.ask, contract)) if "profile" in request.args else []
        except QueryFailed as problem:
            error = str(problem)
        return frame.page(
            "table.html.j2",
            {
                "contract": contract,
                "zone": zone,
                "place": place,
                "profiles": {one.name: one for one in profiled},
                "sample": sample,
                "error": error,
                "is_number": is_number,
            },
        )

    @app.get("/record")
    def record() -> Response:
        table, key = request.args.get("table", ""), request.args.get("key", "").strip()
        values: dict[str, Any] = {"tables": catalogue.raw, "table": table, "key": key, "record": None}
        if table and key:
            contract = raw_table(catalogue, table)
            letters = reading.dead_letters(contract.table)
            values["record"] = read_record(reading.ask, catalogue, contract, key, letters)
        return frame.page("record.html.j2", values)


def add_query(
    app: Flask, reading: Reading, questions: Sequence[Question], dashboard: Dashboard, frame: Frame
) -> None:
    """SQL, with the questions, the tables and what was asked before beside it."""
    databases = {
        contract.zone_info.database: [other.table for other in tables.values()]
        for tables in (reading.catalogue.star, reading.catalogue.raw, reading.catalogue.ops)
        for contract in itertools.islice(tables.values(), 1)
    }
    # Kept in memory, and gone with the console.
    asked: deque[str] = deque(maxlen=_HISTORY)
    beside = {"databases": databases, "questions": questions, "history": asked}
    kept = {
        name: one.statements["lake"] for name, one in dashboard.queries.items() if "lake" in one.statements
    }
    kept |= {question.name: question.sql for question in questions}

    @app.get("/query")
    def ask() -> Response:
        sql = kept.get(request.args.get("named", "")) or request.args.get("sql", "")
        return frame.page("query.html.j2", {**beside, "sql": sql, "answer": None, "error": None})

    @app.post("/query")
    def answer() -> AnyResponse:
        sql = request.form.get("sql", "").strip()
        if not sql:
            return redirect("/query")
        if sql in asked:
            asked.remove(sql)
        asked.appendleft(sql)
        kind = request.form.get("file")
        values: dict[str, Any] = {**beside, "sql": sql, "error": None}
        try:
            found = reading.stream(sql)
            if kind in _FILES:
                return _as_file(kind, found.columns, found.rows)
            rows = list(itertools.islice(found.rows, FEW_ROWS))
        except QueryFailed as error:
            return frame.page(
                "query.html.j2", {**values, "error": str(error), "answer": None}, HTTPStatus.BAD_REQUEST
            )
        return frame.page(
            "query.html.j2",
            {
                **values,
                "answer": {
                    "columns": [(name, kind, is_number(kind)) for name, kind in found.columns],
                    "rows": rows,
                    "more": next(found.rows, None) is not None,
                    "seconds": found.seconds,
                    "bytes": found.bytes_scanned,
                },
            },
        )


def _as_file(kind: str, columns: Any, rows: Any) -> Response:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"answer{kind}"
        write_file(path, columns, rows)
        return send_file(io.BytesIO(path.read_bytes()), as_attachment=True, download_name=path.name)
