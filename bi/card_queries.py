"""What the cards of a sheet ask for: sums of a query's rows, of those alone that a reader has chosen.

A query of the dashboard gives rows at the grain of records. What a card shows of them is added up where they
lie, so that a page is given as many rows as it draws, however many orders there are. QuickSight does the same
of the same declaration by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from bi.dashboard import Dashboard, Query, Sheet, Visual
from bi.periods import Range
from bi.select_lists import Kind
from catalog.functions import literal

BEFORE = "_before"
"""What the names of sums over the range before end in."""

FIRST, LAST = "first_day", "last_day"
"""Of a filter's range, the days from which and to which there are rows."""


@dataclass(frozen=True)
class Choices:
    """What a reader has chosen on a sheet.

    Attributes:
        values: By filter the value that rows must have; filters by which anything goes are left out.
        range: The days that rows must be of; nothing for all.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    range: Optional[Range] = None


@dataclass(frozen=True)
class SheetQueries:
    """What a sheet asks for.

    Attributes:
        queries: By name. Key figures of one query are one question.
        answer_of: The query that answers a visual, by the visual's name.
        options: The queries that say what can be chosen; each answers for some filters.
    """

    queries: Mapping[str, Query]
    answer_of: Mapping[str, str]
    options: Mapping[str, Query]


def sheet_queries(dashboard: Dashboard, sheet: Sheet, choices: Choices) -> SheetQueries:
    """What a sheet asks for, given what is chosen.

    Args:
        dashboard: What is declared.
        sheet: The sheet, with the visuals that are shown.
        choices: What is chosen.
    """
    answer_of = {
        name: f"{visual.query}: key figures" if visual.kind == "key_figure" else name
        for name, visual in sheet.visuals.items()
    }
    together: dict[str, list[Visual]] = {}
    for name, visual in sheet.visuals.items():
        together.setdefault(answer_of[name], []).append(visual)
    queries = {
        name: _card_query(dashboard, sheet, name, visuals, choices) for name, visuals in together.items()
    }
    return SheetQueries(queries, answer_of, _options(dashboard, sheet))


def values_of(dashboard: Dashboard, visual: Visual) -> tuple[str, ...]:
    """The fields that a visual measures."""
    return visual.values or tuple(name for name in visual.columns if dashboard.is_value(name))


def _card_query(
    dashboard: Dashboard, sheet: Sheet, name: str, visuals: Sequence[Visual], choices: Choices
) -> Query:
    """The query of one visual, or of several key figures of one query."""
    visual = visuals[0]
    asked = dashboard.queries[visual.query]
    values = list(dict.fromkeys(value for one in visuals for value in values_of(dashboard, one)))
    # A visual may be sorted by a number that it does not show.
    by = [field for field in visual.fields if field not in values]
    days = dashboard.range_of(sheet, visual)
    compared = visual.kind == "key_figure" and days is not None and choices.range is not None
    within = _within(days.field, choices.range) if days and choices.range else ""
    columns: dict[str, Kind] = {field: asked.columns[field] for field in (*by, *values)}
    selected = [*by, *(_combined(dashboard, asked, value, within if compared else "") for value in values)]
    conditions = [
        f"{dashboard.declared.filters[filtered].field} = {literal(value)}"
        for filtered, value in choices.values.items()
        if filtered in sheet.filters and dashboard.applies(filtered, visual)
    ]
    if days and choices.range:
        whole = choices.range
        if compared:
            before = _within(days.field, whole.before)
            columns |= {f"{value}{BEFORE}": asked.columns[value] for value in values}
            selected += [_combined(dashboard, asked, value, before, BEFORE) for value in values]
            whole = Range(whole.before.first, whole.last)
        conditions.append(_within(days.field, whole))
        if days.months in asked.columns:
            first, last = (literal(f"{day:%Y-%m}") for day in whole)
            conditions.append(f"{days.months} BETWEEN {first} AND {last}")
    parts = [f"WHERE {' AND '.join(conditions)}"] if conditions else []
    if by:
        parts.append(f"GROUP BY {', '.join(str(place + 1) for place in range(len(by)))}")
    order = _order(visual, [*by, *values])
    if order and by:
        parts.append(f"ORDER BY {order}")
    if visual.limit is not None:
        parts.append(f"LIMIT {visual.limit}")
    statements = {
        engine: "\n".join((f"SELECT {', '.join(selected)}", f"FROM (\n{base}\n) AS rows_of_it", *parts))
        for engine, base in asked.statements.items()
    }
    return Query(name, columns, asked.money, statements)


def _within(field: str, days: Range) -> str:
    return f"{field} BETWEEN DATE '{days.first}' AND DATE '{days.last}'"


def _combined(dashboard: Dashboard, asked: Query, value: str, condition: str, ending: str = "") -> str:
    """A value over several rows, of those alone that a condition holds of."""
    is_whole = asked.columns[value] == "integer"
    given = f"CASE WHEN {condition} THEN {value} END" if condition else value
    combined = f"{dashboard.shown(value).combine}({given})"
    if dashboard.shown(value).combine == "sum" and is_whole:
        # PostgreSQL adds whole numbers up to numeric, Athena to bigint.
        combined = f"CAST({combined} AS bigint)"
    return f"{combined} AS {value}{ending}"


def _order(visual: Visual, columns: Sequence[str]) -> str:
    """By place, since a name may be that of a column and of a sum of it; the first column settles ties."""
    if visual.limit is None:
        return ""
    first = visual.values[0] if visual.kind == "ranked_bar" else visual.sort
    falls = visual.kind == "ranked_bar" or visual.descending
    places = [f"{columns.index(first) + 1} {'DESC' if falls else 'ASC'} NULLS LAST"] if first else []
    return ", ".join((*places, "1"))


def _options(dashboard: Dashboard, sheet: Sheet) -> dict[str, Query]:
    """What can be chosen by each filter: the values in the first query that it narrows, as in QuickSight."""
    fields: dict[str, list[str]] = {}
    ranges: dict[str, str] = {}
    for name in sheet.filters:
        control = dashboard.declared.filters[name]
        query = next(one.query for one in sheet.visuals.values() if dashboard.applies(name, one))
        if control.choose == "range":
            ranges[query] = control.field
        fields.setdefault(query, []).extend([] if control.choose == "range" else [control.field])
    found = {}
    for query, named in fields.items():
        asked = dashboard.queries[query]
        columns: dict[str, Kind] = {name: asked.columns[name] for name in named}
        selected, sets = [*named], [f"({name})" for name in named]
        if query in ranges:
            day = ranges[query]
            columns |= {FIRST: asked.columns[day], LAST: asked.columns[day]}
            selected += [f"min({day}) AS {FIRST}", f"max({day}) AS {LAST}"]
            sets.append("()")
        statements = {
            engine: f"SELECT {', '.join(selected)}\nFROM (\n{base}\n) AS rows_of_it\n"
            f"GROUP BY GROUPING SETS ({', '.join(sets)})"
            for engine, base in asked.statements.items()
        }
        found[f"{query}: options"] = Query(query, columns, frozenset(), statements)
    return found
