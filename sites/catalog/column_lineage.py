"""What pages show of columns' lineage: where each comes from, and what it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from catalog.lineage import (
    CARD,
    DATA_SET,
    NOTEBOOK,
    QUERY,
    QUESTION,
    READERS,
    ColumnLineage,
    Dataset,
    Field,
    How,
    Input,
    TableLineage,
)

LinkOf = Callable[[Field], "str | None"]
"""The address of a column, as the page links it; nothing where no page has it."""

_WORDS: Mapping[How, str] = {
    How("DIRECT", "IDENTITY"): "as it is",
    How("DIRECT", "TRANSFORMATION"): "transformed",
    How("DIRECT", "AGGREGATION"): "aggregated",
}
_DECIDES = {
    "CONDITIONAL": "in a condition",
    "FILTER": "filters",
    "GROUP_BY": "groups",
    "JOIN": "joins",
    "SORT": "orders",
    "WINDOW": "in a window",
}
_COUNTED = {
    QUESTION: "question",
    QUERY: "query of the dashboard",
    CARD: "card",
    DATA_SET: "data set",
    NOTEBOOK: "notebook",
}


@dataclass(frozen=True)
class Link:
    """A name, its address where it has one, and a word on it."""

    name: str
    address: str | None = None
    word: str = ""


@dataclass(frozen=True)
class Row:
    """A column.

    Attributes:
        name: Its name.
        sources: The columns whose values go into it.
        deciding: The columns that decide its value, and how.
        made: What makes it, where nothing goes into it.
        untraced: Why nothing is known of where it comes from.
        summary: What it reaches, counted; nothing where it reaches nothing.
        reached: By kind, what its value goes into.
        decided: What it, or what its value goes into, decides rows or values of.
    """

    name: str
    sources: tuple[Link, ...]
    deciding: tuple[Link, ...]
    made: str
    untraced: str
    summary: str = ""
    reached: tuple[tuple[str, tuple[Link, ...]], ...] = ()
    decided: tuple[Link, ...] = ()


def rows(lineage: ColumnLineage, table: TableLineage, link: LinkOf) -> tuple[Row, ...]:
    """The columns of a table, a view or a question.

    Args:
        lineage: What is known.
        table: Of what.
        link: The addresses of columns.
    """
    return tuple(_row(lineage, table, name, link) for name in table.columns)


def deciding(table: TableLineage, link: LinkOf) -> tuple[Link, ...]:
    """What decides which rows a table has."""
    return _deciding(table.rows, link)


def _row(lineage: ColumnLineage, table: TableLineage, name: str, link: LinkOf) -> Row:
    inputs, own = table.columns[name], Field(*table.dataset, name)
    fields = lineage.reached(own)
    ends = _ends(fields, link)
    decided = [one for one in lineage.decided(own) if one.place in READERS or one != table.dataset]
    reached = tuple((kind, links) for kind, links in ends.items() if links)
    return Row(
        name,
        tuple(Link(str(i.field), link(i.field), _WORDS[i.how]) for i in inputs if i.how.is_direct),
        _deciding((i for i in inputs if not i.how.is_direct), link),
        table.made.get(name, ""),
        table.untraced.get(name, ""),
        _summary(reached, decided),
        reached,
        tuple(Link(str(one), link(Field(*one, ""))) for one in decided if one.place in _COUNTED),
    )


def _deciding(inputs: Iterable[Input], link: LinkOf) -> tuple[Link, ...]:
    found: dict[Field, list[str]] = {}
    for one in inputs:
        found.setdefault(one.field, []).append(_DECIDES[one.how.subtype])
    return tuple(Link(str(f), link(f), ", ".join(dict.fromkeys(words))) for f, words in found.items())


def _ends(fields: Iterable[Field], link: LinkOf) -> dict[str, tuple[Link, ...]]:
    """Columns by what they are of: tables and views to the column, readers as a whole."""
    columns: dict[Field, Link] = {}
    by_kind: dict[str, dict[Dataset, Link]] = {place: {} for place in _COUNTED}
    for one in fields:
        if one.place in by_kind:
            by_kind[one.place].setdefault(one.dataset, Link(one.table, link(Field(*one.dataset, ""))))
        else:
            columns[one] = Link(str(one), link(one))
    return {"column": tuple(columns.values()), **{k: tuple(v.values()) for k, v in by_kind.items()}}


def _summary(reached: Iterable[tuple[str, tuple[Link, ...]]], decided: Iterable[Dataset]) -> str:
    found = [_counted(len(links), _COUNTED.get(kind, kind)) for kind, links in reached]
    readers = sum(one.place in _COUNTED for one in decided)
    if readers:
        found.append(f"decides rows or values of {readers:,}")
    return ", ".join(found)


def _counted(number: int, noun: str) -> str:
    first, _, rest = noun.partition(" of ")
    plural = noun if number == 1 else (f"{_plural(first)} of {rest}" if rest else _plural(first))
    return f"{number:,} {plural}"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


@dataclass(frozen=True)
class Figures:
    """What is known, counted.

    Attributes:
        datasets: Tables, views and what reads them.
        columns: Their columns.
        values: Columns whose value goes into another's.
        conditions: Columns that decide another's value.
        untraced: Columns of which nothing states where they come from.
    """

    datasets: int
    columns: int
    values: int
    conditions: int
    untraced: int


def figures(lineage: ColumnLineage) -> Figures:
    """What is known, counted."""
    direct = sum(edge.how.is_direct for edge in lineage.edges)
    columns = sum(len(table.columns) for table in lineage.tables.values())
    return Figures(len(lineage.tables), columns, direct, len(lineage.edges) - direct, len(lineage.untraced))


def untraced(lineage: ColumnLineage) -> tuple[tuple[Dataset, str, tuple[str, ...]], ...]:
    """The columns that are not traced, by dataset and reason."""
    found: dict[tuple[Dataset, str], list[str]] = {}
    for field, reason in lineage.untraced.items():
        found.setdefault((field.dataset, reason), []).append(field.column)
    return tuple((dataset, reason, tuple(names)) for (dataset, reason), names in sorted(found.items()))
