"""The dashboard, declared once in ``dashboard/``: sheets of visuals over queries, with filters.

QuickSight's resources (`bi.quicksight`) and the page on the laptop are both made from it. What the model
refuses, besides unknown keys: a field that the query does not give back, a money value whose currency is left
open, values of several units on one axis, a filter that nothing on its sheet answers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Optional

from pydantic import Field, model_validator

from bi.periods import PERIODS
from bi.questions import load_questions, read_questions, redacted
from bi.select_lists import (
    CURRENCY,
    ENGINES,
    Engine,
    Kind,
    QueryError,
    Selected,
    own_statement,
    schema_of,
    selected,
    statement,
)
from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Strict, validate
from catalog.project import once_per_project, project_folder
from catalog.reporting import load_reporting
from catalog.yaml_lines import ContractError, YamlPath, line_of, load_with_lines

MONEY_UNIT = "money"
"""The unit of amounts, each in the currency of its row."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Title = Annotated[str, Field(min_length=1, max_length=120)]
Text = Annotated[str, Field(min_length=1, max_length=900)]

ChartKind = Literal["key_figure", "line", "bar", "stacked_bar", "ranked_bar", "table"]


class Shown(Strict):
    """A field as readers see it, wherever it comes from.

    Attributes:
        title: What it is called.
        unit: What its numbers count, which makes it a value; ``money`` is an amount in the row's currency. A
            field without a unit is what values are shown by.
        combine: What becomes of several rows' values where a visual shows one.
        names: What readers call values that are codes, by code.
        key_of: The source table of whose rows it is the key, so that a reader can look at one.
    """

    title: Title
    unit: Optional[Title] = None
    combine: Literal["sum", "max"] = "sum"
    names: dict[Title, Title] = Field({})
    key_of: Optional[Name] = None

    @model_validator(mode="after")
    def _is_named_where_it_is_no_number(self) -> Shown:
        if self.unit is not None and (self.names or self.key_of):
            raise ValueError("a field with a unit is a number: it has no names and is no key")
        return self


class Asked(Strict):
    """What is to be known of a query besides its SQL.

    Attributes:
        labels: Texts to add to each row, from the values of several columns: names that several records share
            become one that a chart can tell apart.
        redacted_labels: Those of them that are made otherwise for whoever sees no personal columns.
        kinds: What columns hold of which the SQL does not tell it.
        only: The one engine that can answer it. Its SQL is then that engine's own.
    """

    labels: dict[Name, Annotated[tuple[Name, ...], Field(min_length=2)]] = Field({})
    redacted_labels: dict[Name, Annotated[tuple[Name, ...], Field(min_length=2)]] = Field({})
    kinds: dict[Name, Kind] = Field({})
    only: Optional[Engine] = None


class Filter(Strict):
    """A control with which a reader narrows what a sheet shows.

    Attributes:
        title: What stands before it.
        field: The field whose values can be chosen.
        choose: Exactly ``one`` value, or ``any``: one, or all of them; or a ``range`` of days.
        default: What is chosen at first, where something must be: a value, or the name of a period.
        months: Of a range, the field of the days' months: it is narrowed too where a query has it, so that
            partitions of other months are not read.
    """

    title: Title
    field: Name
    choose: Literal["one", "any", "range"]
    default: Optional[Title] = None
    months: Optional[Name] = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Filter:
        if (self.choose == "any") != (self.default is None):
            raise ValueError("a filter by which something is always chosen, and no other, states a default")
        if self.choose == "range" and self.default not in PERIODS:
            raise ValueError(f"a range begins as one of {', '.join(PERIODS)}")
        if self.months is not None and self.choose != "range":
            raise ValueError("only a range of days has months")
        return self


class Visual(Strict):
    """One picture, figure or table of a sheet.

    Attributes:
        title: What it shows; with the unit, all that a reader needs.
        note: What is easily misread.
        query: The question of ``queries/``, or the file beside the declaration, that gives its rows.
        kind: A key figure; a line or bars over the category's values in their order; a ranking of bars, the
            longest first; a table.
        category: What values are shown by: the bars, or the places along the line.
        values: What is measured, of one unit; for a table none.
        colour: What lines or parts of bars are told apart by.
        columns: Of a table: first what rows are named by, then their values.
        sort: The field that orders categories or rows; the category unless said otherwise.
        descending: Whether the largest comes first.
        orientation: Bars are vertical, or horizontal, so that long names of what they stand for can be read.
            Those of a ranking are horizontal.
        limit: How many of a ranking, or rows of a table, are shown.
    """

    title: Title
    note: Optional[Text] = None
    query: Name
    kind: ChartKind
    category: Optional[Name] = None
    values: tuple[Name, ...] = ()
    colour: Optional[Name] = None
    columns: tuple[Name, ...] = ()
    sort: Optional[Name] = None
    descending: bool = False
    orientation: Literal["vertical", "horizontal"] = "vertical"
    limit: Optional[Annotated[int, Field(ge=1, le=50)]] = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Visual:
        if (self.kind == "table") != bool(self.columns) or (self.kind == "table") == bool(self.values):
            raise ValueError("a table states columns, and everything else values")
        if (self.category is None) != (self.kind in ("table", "key_figure")):
            raise ValueError("a chart states a category; a key figure and a table have none")
        if self.kind == "key_figure" and len(self.values) != 1:
            raise ValueError("a key figure is one value")
        if self.colour is not None and (self.category is None or len(self.values) != 1):
            raise ValueError("colours tell the parts of one value of a chart apart")
        if (self.kind == "stacked_bar") and self.colour is None and len(self.values) < 2:
            raise ValueError("stacked bars have parts: a colour, or several values")
        if (self.kind == "ranked_bar") != (self.limit is not None and self.kind != "table"):
            raise ValueError("a ranking, and besides it a table alone, states a limit")
        if self.orientation == "horizontal" and self.kind not in ("bar", "stacked_bar"):
            raise ValueError("only bars state an orientation, and those of a ranking are horizontal")
        if self.kind == "table" and self.sort is not None and self.sort not in self.columns:
            raise ValueError("a table is sorted by one of its columns")
        if self.kind in ("ranked_bar", "key_figure") and (self.sort or self.colour):
            raise ValueError("a ranking is sorted by its value, a key figure by nothing; neither has colours")
        return self

    @property
    def is_horizontal(self) -> bool:
        """Whether its bars are horizontal."""
        return self.kind == "ranked_bar" or self.orientation == "horizontal"

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that it shows or sorts by, each once."""
        single = (self.category, self.colour, self.sort)
        named = (*self.columns, *self.values, *(name for name in single if name is not None))
        return tuple(dict.fromkeys(named))


class Sheet(Strict):
    """A page of the dashboard.

    Attributes:
        title: Its name.
        about: What it answers, in a sentence.
        filters: Its controls.
        details: The sheet that lists the records of which its figures are made.
        visuals: What it shows, by name, in order.
    """

    title: Title
    about: Text
    filters: tuple[Name, ...] = ()
    details: Optional[Name] = None
    visuals: Annotated[dict[Name, Visual], Field(min_length=1)]


class Declaration(Strict):
    """The file ``dashboard.yaml``.

    Attributes:
        fields: How each field is called and counted.
        queries: What is to be known of queries besides their SQL.
        filters: The controls that sheets may have.
        sheets: By name, in order.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=32)]
    title: Title
    fields: dict[Name, Shown]
    queries: dict[Name, Asked] = Field({})
    filters: dict[Name, Filter] = Field({})
    sheets: Annotated[dict[Name, Sheet], Field(min_length=1)]


@dataclass(frozen=True)
class Query:
    """A query of the dashboard.

    Attributes:
        name: Its name.
        columns: What it gives back, labels included.
        statements: The SQL by engine; of those that cannot answer it there is none.
    """

    name: str
    columns: Mapping[str, Kind]
    money: frozenset[str]
    statements: Mapping[Engine, str]


@dataclass(frozen=True)
class Dashboard:
    """The checked dashboard.

    Attributes:
        declared: What the file states.
        queries: The queries that its visuals name.
    """

    declared: Declaration
    queries: Mapping[str, Query]

    def sheets_on(self, *engines: Engine) -> dict[str, Sheet]:
        """The sheets with the visuals that one of the engines can answer, and the filters that have work."""
        found: dict[str, Sheet] = {}
        for name, sheet in self.declared.sheets.items():
            kept = {
                key: visual
                for key, visual in sheet.visuals.items()
                if any(engine in self.queries[visual.query].statements for engine in engines)
            }
            filters = tuple(f for f in sheet.filters if any(self.applies(f, v) for v in kept.values()))
            found[name] = sheet.model_copy(update={"visuals": kept, "filters": filters})
        return found

    def queries_on(self, engine: Engine) -> dict[str, Query]:
        """The queries of these visuals, by name, in the order in which they are first shown."""
        named = [
            visual.query for sheet in self.sheets_on(engine).values() for visual in sheet.visuals.values()
        ]
        return {name: self.queries[name] for name in named}

    def applies(self, name: str, visual: Visual) -> bool:
        """Whether a filter narrows a visual: it does where the visual's query has its field."""
        return self.declared.filters[name].field in self.queries[visual.query].columns

    def shown(self, field: str) -> Shown:
        """How a field is called and counted."""
        return self.declared.fields[field]

    def is_value(self, field: str) -> bool:
        """Whether a field is measured; others are what values are shown by."""
        return self.shown(field).unit is not None

    def unit(self, visual: Visual) -> Optional[str]:
        """The unit of a visual's values; a table has none of its own."""
        return self.shown(visual.values[0]).unit if visual.values else None

    def has_chosen_currency(self, sheet: Sheet, visual: Visual) -> bool:
        """Whether a filter of the sheet narrows the visual to one currency."""
        return any(
            self.declared.filters[name].field == CURRENCY and self.applies(name, visual)
            for name in sheet.filters
        )

    def range_of(self, sheet: Sheet, visual: Visual) -> Optional[Filter]:
        """The filter of the sheet that narrows the visual to a range of days, if there is one."""
        narrowing = (self.declared.filters[name] for name in sheet.filters if self.applies(name, visual))
        return next((control for control in narrowing if control.choose == "range"), None)

    def narrowed_by(self, sheet: Sheet, visual: Visual, field: str) -> Optional[str]:
        """The filter of the sheet by which a value of the visual's field can be chosen, if there is one."""
        for name in sheet.filters:
            control = self.declared.filters[name]
            fields = () if control.choose == "one" else (control.field, control.months)
            if field in fields and self.applies(name, visual):
                return name
        return None

    def caption(self, sheet: Sheet, visual: Visual) -> str:
        """What stands below a visual's title: where it differs from the sheet, and what is easily misread.

        The unit stands beside the numbers, and what is chosen in the controls, once for all visuals.
        """
        filters = self.declared.filters
        others = [filters[name] for name in sheet.filters if not self.applies(name, visual)]
        parts = ["Over all currencies."] if any(one.field == CURRENCY for one in others) else []
        if apart := [one.title.lower() for one in others if one.field != CURRENCY]:
            parts.append(f"Not narrowed by {' or '.join(apart)}.")
        return " ".join((*parts, *filter(None, (visual.note,))))

    def description(self, sheet: Sheet, visual: Visual) -> str:
        """A visual in words, for whoever does not see it: title, unit, and what stands below the title."""
        unit = self.unit(visual)
        counted = "amounts" if unit == MONEY_UNIT else unit or ""
        if unit == MONEY_UNIT and self.has_chosen_currency(sheet, visual):
            counted = "amounts in the chosen currency"
        stated = f"{counted[:1].upper()}{counted[1:]}." if counted else ""
        return " ".join(filter(None, (f"{visual.title}.", stated, self.caption(sheet, visual))))

    def kind(self, visual: Visual, field: str) -> Kind:
        """What a field of a visual holds."""
        return self.queries[visual.query].columns[field]


def dashboard_file() -> Path:
    """Where the project declares its dashboard, if it has one."""
    return project_folder() / "bi" / "dashboard" / "dashboard.yaml"


@once_per_project
def load_dashboard() -> Dashboard:
    """The project's own dashboard.

    Raises:
        ContractError: A file is wrong, with line and reason.
    """
    return read_dashboard(dashboard_file(), load_catalogue())


@once_per_project
def load_redacted_dashboard() -> Dashboard:
    """The same for whoever sees no personal columns; Athena alone answers it.

    Raises:
        ContractError: A file is wrong, with line and reason.
    """
    return read_dashboard(dashboard_file(), load_catalogue(), without_personal=True)


def read_dashboard(path: Path, catalogue: Catalogue, *, without_personal: bool = False) -> Dashboard:
    """Read and check a declaration; queries are the project's questions, and ``<name>.sql`` files beside it.

    Args:
        path: The declaration.
        catalogue: The tables that queries name.
        without_personal: Whether it is for whoever sees no personal columns.

    Raises:
        ContractError: The declaration or a query is wrong, with file, line and reason.
    """
    if not path.exists():
        raise ContractError(path, 1, "there is no such file: the project declares no dashboard")
    data, lines = load_with_lines(path)
    declared = validate(Declaration, data, path, lines)
    own = read_questions(path.parent)
    files = {name: path.parent / f"{name}.sql" for name in own}
    texts = {name: question.sql for name, question in {**own, **load_questions()}.items()}
    if without_personal:
        texts = {name: redacted(sql) for name, sql in texts.items()}
        declared, catalogue = _redacted(declared), catalogue.redacted()
    queries: dict[str, Query] = {}
    for at, visual in _visuals(declared):
        if visual.query not in texts:
            raise ContractError(
                path,
                line_of(lines, (*at, "query")),
                f"there is no query {visual.query}, nor a file of its name",
            )
        if visual.query in queries:
            continue
        file = files.get(visual.query)
        try:
            queries[visual.query] = _query(visual.query, texts[visual.query], declared, catalogue)
        except QueryError as error:
            # A question is sound by itself; what is said of it here is not.
            place = (file, 1) if file is not None else (path, line_of(lines, ("queries", visual.query)))
            raise ContractError(place[0], place[1], f"{visual.query}: {error}") from error
    dashboard = Dashboard(declared, queries)
    for at, reason in _faults(dashboard, files):
        raise ContractError(path, line_of(lines, at), reason)
    return dashboard


def _redacted(declared: Declaration) -> Declaration:
    queries = {
        name: asked.model_copy(update={"labels": {**asked.labels, **asked.redacted_labels}})
        for name, asked in declared.queries.items()
    }
    return declared.model_copy(update={"queries": queries})


def _query(name: str, sql: str, declared: Declaration, catalogue: Catalogue) -> Query:
    asked = declared.queries.get(name, Asked())
    found = selected(sql, schema_of(asked.only or "lake", catalogue))
    columns = tuple(_told(column, asked) for column in found)
    known = {column.name: column.kind for column in columns if column.kind is not None}
    money = _money_columns(columns)
    for label, parts in asked.labels.items():
        if label in known:
            raise QueryError(f"the label {label} is a column already")
        for part in parts:
            if part not in known:
                raise QueryError(f"the label {label} is made of {part}, which it does not give back")
    kinds: dict[str, Kind] = {**known, **dict.fromkeys(asked.labels, "text")}
    statements = {
        engine: own_statement(sql, engine)
        if engine == asked.only == "warehouse"
        else statement(sql, engine, catalogue, columns, asked.labels, _names(declared, known))
        for engine in ENGINES
        if asked.only in (None, engine)
    }
    return Query(name, kinds, money, statements)


def _names(declared: Declaration, columns: Mapping[str, Kind]) -> dict[str, dict[str, str]]:
    """What codes are called, of the columns that hold any.

    Raises:
        QueryError: A column that is no text has such names.
    """
    found = {name: field.names for name, field in declared.fields.items() if field.names and name in columns}
    for name in found:
        if columns[name] != "text":
            raise QueryError(f"{name} holds {columns[name]}, and only codes that are texts have names")
    return found


def _money_columns(columns: Sequence[Selected]) -> frozenset[str]:
    """The columns of amounts of whose currency the column of currencies says which it is.

    Raises:
        QueryError: Nothing, or something wrong, says of which currency a column is.
    """
    reporting = load_reporting()
    ending = f"_{reporting.suffix}" if reporting is not None else None
    stated = {column.name: column.constant for column in columns}
    found = []
    for column in columns:
        reported = {name for name in column.money if ending and name.endswith(ending)}
        if not column.money:
            continue
        if CURRENCY not in stated:
            raise QueryError(f"{column.name} is money, and there is no column {CURRENCY} that says of which")
        if reported and reported != column.money:
            raise QueryError(f"{column.name} adds amounts of the reporting currency and of others")
        constant = stated[CURRENCY]
        if constant is not None and not (reported and reporting and constant == reporting.currency):
            raise QueryError(f"{column.name} is of several currencies, and {CURRENCY} says {constant} of all")
        if not reported or constant is not None:
            found.append(column.name)
    return frozenset(found)


def _told(column: Selected, asked: Asked) -> Selected:
    stated = asked.kinds.get(column.name)
    if (column.kind is None) == (stated is None):
        what = "tells what it holds" if stated else "does not tell what it holds: state it below kinds"
        raise QueryError(f"of {column.name} the SQL {what}")
    return replace(column, kind=column.kind or stated)


Fault = tuple[YamlPath, str]


def _visuals(declared: Declaration) -> Iterator[tuple[YamlPath, Visual]]:
    for name, sheet in declared.sheets.items():
        for key, visual in sheet.visuals.items():
            yield ("sheets", name, "visuals", key), visual


def _faults(dashboard: Dashboard, files: Mapping[str, Path]) -> Iterator[Fault]:
    declared = dashboard.declared
    for name in declared.queries:
        if name not in dashboard.queries:
            yield ("queries", name), f"no visual asks {name}"
    for name in files:
        if name in load_questions():
            yield ("sheets",), f"{name} is a file here and a question too"
        if name not in dashboard.queries:
            yield ("sheets",), f"no visual asks the query of the file {name}.sql"
    for at, visual in _visuals(declared):
        yield from _field_faults(dashboard, at, visual)
    for name, sheet in declared.sheets.items():
        yield from _sheet_faults(dashboard, ("sheets", name), sheet)
    yield from _leftover_faults(dashboard)


def _field_faults(dashboard: Dashboard, at: YamlPath, visual: Visual) -> Iterator[Fault]:
    query = dashboard.queries[visual.query]
    for key in ("category", "colour", "sort", "values", "columns"):
        stated = getattr(visual, key)
        for name in (stated,) if isinstance(stated, str) else stated or ():
            if name not in query.columns:
                yield (
                    (*at, key),
                    f"{visual.query} gives back no {name}, but {', '.join(query.columns)}",
                )
            elif name not in dashboard.declared.fields:
                yield (*at, key), f"the field {name} is not described below fields"
            else:
                yield from _role_faults(dashboard, (*at, key), visual, key, name)
    placed = (None, visual.category, *visual.values, *visual.columns)
    if visual.sort not in placed and query.columns.get(str(visual.sort), "integer") != "integer":
        yield (*at, "sort"), f"{visual.sort} is not shown and no whole number, so nothing is sorted by it"
    units = {
        dashboard.declared.fields[name].unit for name in visual.values if name in dashboard.declared.fields
    }
    if len(units) > 1:
        yield (*at, "values"), "values that share an axis have one unit"
    values = [dashboard.is_value(name) for name in visual.columns if name in dashboard.declared.fields]
    if values != sorted(values):
        yield (*at, "columns"), "a table states what its rows are named by before their values"


def _role_faults(dashboard: Dashboard, at: YamlPath, visual: Visual, key: str, name: str) -> Iterator[Fault]:
    query, shown = dashboard.queries[visual.query], dashboard.shown(name)
    kind = query.columns[name]
    if key == "values" and shown.unit is None:
        yield at, f"{name} has no unit, so it is no value"
    if key in ("category", "colour") and shown.unit is not None:
        yield at, f"{name} is measured in {shown.unit}: it is a value"
    if shown.unit is not None and kind not in ("integer", "decimal", "timestamp", "date"):
        yield at, f"{name} holds {kind}, which has no unit"
    if shown.unit is not None and shown.combine == "sum" and kind in ("timestamp", "date"):
        yield at, f"{name} is a moment: several are not added up, so state combine: max"
    if (shown.unit == MONEY_UNIT) != (name in query.money):
        is_money = "is made of prices or amounts, so its unit is" if name in query.money else "is not"
        yield at, f"{name} {is_money} {MONEY_UNIT}"


def _sheet_faults(dashboard: Dashboard, at: YamlPath, sheet: Sheet) -> Iterator[Fault]:
    filters = dashboard.declared.filters
    for index, name in enumerate(sheet.filters):
        if name not in filters:
            yield (*at, "filters", index), f"there is no filter {name}"
            return
        if not any(dashboard.applies(name, visual) for visual in sheet.visuals.values()):
            yield (*at, "filters", index), f"no visual of the sheet has the field {filters[name].field}"
    if sum(filters[name].choose == "range" for name in sheet.filters) > 1:
        yield (*at, "filters"), "a sheet is of one range of days"
    if sheet.details is not None and sheet.details not in dashboard.declared.sheets:
        yield (*at, "details"), f"there is no sheet {sheet.details}"
    one_currency = any(filters[f].field == CURRENCY and filters[f].choose == "one" for f in sheet.filters)
    for key, visual in sheet.visuals.items():
        money = any(dashboard.shown(name).unit == MONEY_UNIT for name in visual.fields)
        apart = CURRENCY in (visual.category, visual.colour, *visual.columns)
        if money and not one_currency and (not apart or visual.kind == "stacked_bar"):
            yield (
                (*at, "visuals", key),
                f"money of several currencies is added up: let a filter choose one, or show it by {CURRENCY}",
            )


def _leftover_faults(dashboard: Dashboard) -> Iterator[Fault]:
    declared = dashboard.declared
    used = {name for sheet in declared.sheets.values() for name in sheet.filters}
    for name, control in declared.filters.items():
        if name not in used:
            yield ("filters", name), f"no sheet has the filter {name}"
        if control.field not in declared.fields:
            yield ("filters", name, "field"), f"the field {control.field} is not described below fields"
        else:
            yield from _kind_faults(dashboard, name, control)
    shown = {name for _, visual in _visuals(declared) for name in visual.fields}
    shown |= {name for one in declared.filters.values() for name in (one.field, one.months) if name}
    titles: dict[str, str] = {}
    for name, field in declared.fields.items():
        other = titles.setdefault(field.title, name)
        if other != name:
            yield ("fields", name), f"{other} is called {field.title} too"
        if name not in shown:
            yield ("fields", name), f"no visual shows {name}"


def _kind_faults(dashboard: Dashboard, name: str, control: Filter) -> Iterator[Fault]:
    """Where the columns of a filter's fields hold what cannot be chosen so."""
    wanted = "date" if control.choose == "range" else "text"
    for field, kind, key in ((control.field, wanted, "field"), (control.months, "text", "months")):
        if field and any(q.columns.get(field, kind) != kind for q in dashboard.queries.values()):
            is_what = "is no choice" if kind == "text" else "has no range"
            yield ("filters", name, key), f"{field} is not a {kind} everywhere, so it {is_what}"
