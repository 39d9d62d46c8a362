"""Where the columns of views, questions, data sets, cards and notebooks come from, by their texts."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from bi.column_lineage import NotTracedError, trace
from bi.dashboard import Dashboard, Sheet, Visual, dashboard_file, load_dashboard
from bi.questions import load_questions, read_questions
from bi.select_lists import DIALECTS, ENGINES, Engine, Schema, schema_of
from catalog.catalogue import Catalogue
from catalog.lineage import (
    AGGREGATION,
    CARD,
    DATA_SET,
    FILTER,
    IDENTITY,
    NOTEBOOK,
    QUERY,
    QUESTION,
    SORT,
    TRANSFORMATION,
    WAREHOUSE,
    Dataset,
    Field,
    How,
    Input,
    TableLineage,
    inputs_of,
)
from catalog.project import project_folder
from catalog.star_views import athena_views
from catalog.warehouse import metadata, views

OF_NO_COLUMN = "the query, of no column: a constant, a count of rows, or the time of asking"
"""What makes a column of an answer that no column goes into."""

EVERY = "*"
"""Stands for the columns of something of which not even these are known."""

_ASK, _ANSWER = "ask", "answer"
"""What notebooks call to ask a query, and a question by its name."""


def readers(catalogue: Catalogue) -> Iterator[TableLineage]:
    """Everything above the tables of the lake: views, the warehouse, questions, the dashboard, notebooks.

    Args:
        catalogue: The contracts.

    Raises:
        ContractError: A question or the dashboard is wrong.
    """
    schemas = {engine: schema_of(engine, catalogue) for engine in ENGINES}
    yield from _lake_views(catalogue, schemas["lake"])
    yield from _warehouse(catalogue, schemas["warehouse"])
    questions = [traced(Dataset(QUESTION, q.name), q.sql, schemas["lake"]) for q in load_questions().values()]
    yield from questions
    answers = {question.dataset.table: question for question in questions}
    if dashboard_file().exists():
        yield from _dashboard(load_dashboard(), schemas, answers)
    for path in sorted((project_folder() / "notebooks").glob("*.ipynb")):
        yield notebook(path, answers, schemas["lake"])


def traced(
    dataset: Dataset, sql: str, schema: Schema, by: Optional[str] = None, columns: Sequence[str] = ()
) -> TableLineage:
    """What a query's columns come from; where that cannot be told, all of them untraced.

    Args:
        dataset: What the query is.
        sql: Its text.
        schema: The tables that it may name.
        by: What makes it; its place unless given.
        columns: Its columns, where these are known by other means; the text's own unless given.
    """
    by = dataset.place if by is None else by
    try:
        found = trace(sql, DIALECTS[schema.engine], schema.tables, schema.default)
    except NotTracedError as error:
        names = columns or (EVERY,)
        return TableLineage(
            dataset,
            by,
            dict.fromkeys(names, ()),
            untraced=dict.fromkeys(names, f"its SQL is not followed: {error}"),
            sql=sql,
        )
    names = columns or tuple(found.columns)
    stated = {name: _placed(found.columns.get(name, ()), schema) for name in names}
    return TableLineage(
        dataset,
        by,
        stated,
        _placed(found.rows, schema),
        made={name: OF_NO_COLUMN for name in names if name in found.columns and not stated[name]},
        untraced={name: "its SQL gives back no such column" for name in names if name not in found.columns},
        sql=sql,
    )


def _placed(inputs: Iterable[Input], schema: Schema) -> tuple[Input, ...]:
    """Inputs under the name by which the place of their tables is known."""
    if schema.engine == "lake":
        return tuple(inputs)
    return tuple(one._replace(field=one.field._replace(place=WAREHOUSE)) for one in inputs)


def _lake_views(catalogue: Catalogue, schema: Schema) -> Iterator[TableLineage]:
    for contract in catalogue.star.values():
        for view in athena_views(contract):
            dataset = Dataset(contract.zone_info.database, view.name)
            names = [column.name for column in view.columns]
            yield traced(dataset, view.sql, schema, "view", names)


def _warehouse(catalogue: Catalogue, schema: Schema) -> Iterator[TableLineage]:
    tables = metadata(catalogue)
    for table in tables.tables.values():
        dataset = Dataset(WAREHOUSE, table.name)
        contract = catalogue.star.get(table.name)
        names = [column.name for column in table.columns]
        if contract is None:
            yield TableLineage(
                dataset, "load", dict.fromkeys(names, ()), made=dict.fromkeys(names, "each load, of itself")
            )
            continue
        star = Dataset(contract.zone_info.database, contract.table)
        yield copied(dataset, "load", star, names)
    for view in views(catalogue, tables):
        yield traced(Dataset(WAREHOUSE, view.name), view.body, schema, "view")


def copied(dataset: Dataset, by: str, of: Dataset, names: Iterable[str]) -> TableLineage:
    """A dataset whose columns are those of another, as they are."""
    return TableLineage(dataset, by, {name: (Input(Field(*of, name), IDENTITY),) for name in names})


# ---------------------------------------------------------------------- the dashboard


def _dashboard(
    dashboard: Dashboard, schemas: Mapping[Engine, Schema], answers: Mapping[str, TableLineage]
) -> Iterator[TableLineage]:
    own = {}
    for name, own_query in read_questions(dashboard_file().parent).items():
        asked = dashboard.declared.queries.get(name)
        engine = asked.only if asked is not None and asked.only is not None else "lake"
        own[name] = traced(Dataset(QUERY, name), own_query.sql, schemas[engine])
    yield from own.values()
    for engine in ENGINES:
        for name, found in dashboard.queries_on(engine).items():
            dataset = Dataset(DATA_SET, f"{engine}/{name}")
            yield traced(dataset, found.statements[engine], schemas[engine], columns=list(found.columns))
    for sheet_name, sheet in dashboard.declared.sheets.items():
        for name, visual in sheet.visuals.items():
            query = own.get(visual.query) or answers[visual.query]
            yield _card(Dataset(CARD, f"{sheet_name}/{name}"), dashboard, sheet, visual, query.dataset)


def _card(card: Dataset, dashboard: Dashboard, sheet: Sheet, visual: Visual, query: Dataset) -> TableLineage:
    asked = dashboard.declared.queries.get(visual.query)
    labels = asked.labels if asked is not None else {}

    def inputs(name: str, how: How) -> Iterator[Input]:
        if name not in labels:
            yield Input(Field(*query, name), how)
            return
        for part in labels[name]:
            yield Input(Field(*query, part), TRANSFORMATION if how.is_direct else how)

    columns = {
        name: inputs_of(inputs(name, AGGREGATION if dashboard.is_value(name) else IDENTITY))
        for name in (visual.category, visual.colour, *visual.columns, *visual.values)
        if name is not None
    }
    applied = [f for f in sheet.filters if dashboard.applies(f, visual)]
    rows = [one for name in applied for one in inputs(dashboard.declared.filters[name].field, FILTER)]
    rows += inputs(visual.sort, SORT) if visual.sort is not None else ()
    return TableLineage(card, "dashboard", columns, inputs_of(rows))


# ---------------------------------------------------------------------- notebooks


@dataclass(frozen=True)
class _Asked:
    """What a cell asks: a question by its name, or a query; neither where only its run would tell."""

    cell: int
    question: Optional[str] = None
    sql: Optional[str] = None


def notebook(path: Path, answers: Mapping[str, TableLineage], schema: Schema) -> TableLineage:
    """What a notebook reads: all columns of each answer that it asks for, by what its cells call.

    What its code makes of them is not followed.

    Args:
        path: The notebook.
        answers: The questions, by name.
        schema: The tables that its own queries may name.
    """
    columns: dict[str, tuple[Input, ...]] = {}
    rows: list[Input] = []
    untraced: dict[str, str] = {}
    made: dict[str, str] = {}
    try:
        cells = list(_code(path))
    except (KeyError, TypeError, ValueError):
        cells, untraced[EVERY] = [], "the file is no notebook"
    for number, source in enumerate(cells, 1):
        try:
            asked = list(_asked(number, ast.parse(source)))
        except SyntaxError:
            untraced[f"cell {number}"] = "the cell is not Python alone"
            continue
        for one in asked:
            name = one.question or f"cell {one.cell}"
            if one.question is not None and one.question in answers:
                found = copied(
                    Dataset(NOTEBOOK, path.stem),
                    "",
                    answers[one.question].dataset,
                    answers[one.question].columns,
                )
            elif one.sql is not None:
                found = traced(Dataset(NOTEBOOK, path.stem), one.sql, schema)
            else:
                untraced[name] = "only its run tells what is asked"
                continue
            columns.update({f"{name}.{column}": inputs for column, inputs in found.columns.items()})
            untraced.update({f"{name}.{column}": why for column, why in found.untraced.items()})
            made.update({f"{name}.{column}": what for column, what in found.made.items()})
            rows += found.rows
    columns.update(dict.fromkeys((name for name in untraced if name not in columns), ()))
    return TableLineage(
        Dataset(NOTEBOOK, path.stem), "notebook", columns, inputs_of(rows), made=made, untraced=untraced
    )


def _code(path: Path) -> Iterator[str]:
    """The code of a notebook's cells, in order."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            source = cell["source"]
            yield source if isinstance(source, str) else "".join(source)


def _asked(cell: int, tree: ast.AST) -> Iterator[_Asked]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in (_ASK, _ANSWER):
            continue
        stated = node.args[0] if node.args else None
        text = stated.value if isinstance(stated, ast.Constant) and isinstance(stated.value, str) else None
        if node.func.id == _ANSWER:
            yield _Asked(cell, question=text)
        else:
            yield _Asked(cell, sql=text)
