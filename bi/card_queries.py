"""What the cards of a sheet ask for: sums of a query's rows, of those alone that a reader has chosen.

A query of the dashboard gives rows at the grain of records. What a card shows of them is added up where they
lie, so that a page is given as many rows as it draws, however many orders there are. QuickSight does the same
of the same declaration by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from bi.dashboard import Dashboard, Query, Sheet, Visual
from bi.periods import Range
from bi.select_lists import Kind
from catalog.functions import literal

BEFORE = "_before"
"""What the names of sums over the range before end in."""

FIRST, LAST = "first_day", "last_day"
"""Of a filter's range, the days from which and to which there are rows."""


GROUPING = "grouping_of_it"
"""The column that says which cards a row of several cards' answer is of."""


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
class Card:
    """What a visual shows, and of which answer.

    Attributes:
        query: What gives its rows and nothing else.
        by: The fields that its values are shown by, the first columns of this query.
        asked: The name of the query that is asked for it, which may answer several cards at once.
        grouping: Of such a query, the number that says which rows are this card's.
        ranks: Whether it is a ranking, the largest value first.
    """

    query: Query
    by: tuple[str, ...]
    asked: str
    grouping: Optional[int]
    ranks: bool


@dataclass(frozen=True)
class SheetQueries:
    """What a sheet asks for.

    Attributes:
        queries: By name. Figures and charts of one query are one question, so that its tables are read once.
        cards: By the name of the visual.
        options: The queries that say what can be chosen; each answers for some filters.
    """

    queries: Mapping[str, Query]
    cards: Mapping[str, Card]
    options: Mapping[str, Query]

    def rows_of(self, visual: str, rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
        """The rows of a visual, out of the answer of the query that was asked for it.

        Args:
            visual: Its name.
            rows: The answer's.
        """
        card = self.cards[visual]
        columns = list(self.queries[card.asked].columns)
        places = [columns.index(name) for name in card.query.columns]
        found = [
            tuple(row[place] for place in places)
            for row in rows
            if card.grouping is None or row[columns.index(GROUPING)] == card.grouping
        ]
        # What there was in the days before alone has no value in the chosen ones.
        if card.grouping is not None:
            _sort(found, len(card.by), ranks=card.ranks)
        has_all = card.grouping is None or not card.by
        return tuple(row for row in found if has_all or any(cell is not None for cell in row[len(card.by) :]))


def sheet_queries(dashboard: Dashboard, sheet: Sheet, choices: Choices) -> SheetQueries:
    """What a sheet asks for, given what is chosen.

    Args:
        dashboard: What is declared.
        sheet: The sheet, with the visuals that are shown.
        choices: What is chosen.
    """
    together: dict[str, list[str]] = {}
    for name, visual in sheet.visuals.items():
        # A list of records is of as many rows as there are, but for its limit: the others are sums.
        is_list = any(dashboard.shown(field).key_of for field in visual.columns)
        asked = name if is_list else f"{visual.query}: charts"
        together.setdefault(asked, []).append(name)
    queries: dict[str, Query] = {}
    cards: dict[str, Card] = {}
    for asked, names in together.items():
        visuals = [sheet.visuals[name] for name in names]
        queries[asked] = _query(dashboard, sheet, asked, visuals, choices)
        fields = _fields(dashboard, visuals)
        for name, visual in zip(names, visuals):
            by = _by(dashboard, visual)
            grouping = _grouping(fields, by) if len(_sets(dashboard, visuals)) > 1 else None
            own = _query(dashboard, sheet, name, [visual], choices)
            cards[name] = Card(own, by, asked, grouping, visual.kind == "ranked_bar")
    return SheetQueries(queries, cards, _options(dashboard, sheet))


def _sort(rows: list[tuple[Any, ...]], named: int, *, ranks: bool) -> None:
    """By names, or by values, the largest first, and then by names; what is empty comes last."""

    def names(row: tuple[Any, ...]) -> list[tuple[bool, Any]]:
        return [(cell is None, "" if cell is None else cell) for cell in row[:named]]

    rows.sort(key=names)
    if ranks:
        rows.sort(key=lambda row: (row[named] is None, -(row[named] or 0)))


def values_of(dashboard: Dashboard, visual: Visual) -> tuple[str, ...]:
    """The fields that a visual measures."""
    return visual.values or tuple(name for name in visual.columns if dashboard.is_value(name))


def _by(dashboard: Dashboard, visual: Visual) -> tuple[str, ...]:
    """What its values are shown by; it may be sorted by a number that it does not show."""
    values = values_of(dashboard, visual)
    return tuple(field for field in visual.fields if field not in values)


def _sets(dashboard: Dashboard, visuals: Iterable[Visual]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(_by(dashboard, visual) for visual in visuals))


def _fields(dashboard: Dashboard, visuals: Iterable[Visual]) -> list[str]:
    return list(dict.fromkeys(field for by in _sets(dashboard, visuals) for field in by))


def _grouping(fields: Sequence[str], by: Sequence[str]) -> int:
    """What SQL's ``grouping`` of some fields says of rows that are added up by these of them."""
    return sum(1 << place for place, field in enumerate(reversed(fields)) if field not in by)


def _query(
    dashboard: Dashboard, sheet: Sheet, name: str, visuals: Sequence[Visual], choices: Choices
) -> Query:
    """The query of one visual, or of several over one query of the dashboard."""
    asked = dashboard.queries[visuals[0].query]
    sets, fields = _sets(dashboard, visuals), _fields(dashboard, visuals)
    values = list(dict.fromkeys(value for one in visuals for value in values_of(dashboard, one)))
    days = dashboard.range_of(sheet, visuals[0])
    whole = choices.range if days else None
    compared: list[str] = []
    if whole is not None:
        figures = [one for one in visuals if one.kind == "key_figure"]
        compared = list(dict.fromkeys(value for one in figures for value in one.values))
    columns: dict[str, Kind] = {field: asked.columns[field] for field in fields}
    selected = [*fields]
    if len(sets) > 1:
        columns[GROUPING] = "integer"
        selected.append(f"grouping({', '.join(fields)}) AS {GROUPING}")
    columns |= {value: asked.columns[value] for value in values}
    within = _within(days.field, whole) if days and whole and compared else ""
    selected += [_combined(dashboard, asked, value, within) for value in values]
    conditions = [
        f"{dashboard.declared.filters[filtered].field} = {literal(value)}"
        for filtered, value in choices.values.items()
        if filtered in sheet.filters and dashboard.applies(filtered, visuals[0])
    ]
    if days and whole:
        if compared:
            before = _within(days.field, whole.before)
            columns |= {f"{value}{BEFORE}": asked.columns[value] for value in compared}
            selected += [_combined(dashboard, asked, value, before, BEFORE) for value in compared]
            whole = Range(whole.before.first, whole.last)
        conditions.append(_within(days.field, whole))
        if days.months in asked.columns:
            first, last = (literal(f"{day:%Y-%m}") for day in whole)
            conditions.append(f"{days.months} BETWEEN {first} AND {last}")
    after = [f"WHERE {' AND '.join(conditions)}"] if conditions else []
    if fields:
        # By place, since a name may be that of a column and of a sum of it.
        places = ", ".join(str(place + 1) for place in range(len(fields)))
        shown = ", ".join(f"({', '.join(by)})" for by in sets)
        after.append(f"GROUP BY {places}" if len(sets) == 1 else f"GROUP BY GROUPING SETS ({shown})")
    if len(visuals) == 1:
        after += _order(visuals[0], [*fields, *values], len(fields))
    statements = {}
    for engine, base in asked.statements.items():
        parts = (f"SELECT {', '.join(selected)}", f"FROM (\n{base}\n) AS rows_of_it", *after)
        statement = "\n".join(parts)
        statements[engine] = _ranked(dashboard, visuals, columns, statement) if len(sets) > 1 else statement
    return Query(name, columns, asked.money, statements)


def _ranked(
    dashboard: Dashboard, visuals: Sequence[Visual], columns: Mapping[str, Kind], statement: str
) -> str:
    """The same without what no ranking shows: of many customers or designs the first alone are drawn."""
    fields = _fields(dashboard, visuals)
    placed, kept = {}, []
    for by in _sets(dashboard, visuals):
        those = [visual for visual in visuals if _by(dashboard, visual) == by]
        firsts = {_first(visual) for visual in those if visual.limit is not None}
        if len(firsts) == 1 and all(visual.limit is not None for visual in those):
            ((field, falls),) = firsts
            limit = max(visual.limit or 0 for visual in those)
            order = ", ".join((*([f"{field} {falls} NULLS LAST"] if field else []), *fields))
            place = f"place_{_grouping(fields, by)}"
            placed[place] = f"row_number() OVER (PARTITION BY {GROUPING} ORDER BY {order}) AS {place}"
            kept.append(f"({GROUPING} <> {_grouping(fields, by)} OR {place} <= {limit})")
    if not kept:
        return statement
    numbered = f"SELECT {', '.join((*columns, *placed.values()))}\nFROM (\n{statement}\n) AS summed"
    return f"SELECT {', '.join(columns)}\nFROM (\n{numbered}\n) AS placed\nWHERE {' AND '.join(kept)}"


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


def _first(visual: Visual) -> tuple[Optional[str], str]:
    """By what a ranking or a table is sorted first, and which way."""
    if visual.kind == "ranked_bar":
        return visual.values[0], "DESC"
    return visual.sort, "DESC" if visual.descending else "ASC"


def _order(visual: Visual, columns: Sequence[str], named: int) -> list[str]:
    """The order of a ranking or a table, ties settled by its names, and how many rows there are at most."""
    if visual.kind not in ("ranked_bar", "table"):
        return []
    first, falls = _first(visual)
    places = [f"{columns.index(first) + 1} {falls} NULLS LAST"] if first else []
    order = f"ORDER BY {', '.join((*places, *(str(place + 1) for place in range(named))))}"
    return [order] if visual.limit is None else [order, f"LIMIT {visual.limit}"]


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
