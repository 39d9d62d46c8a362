"""Which columns a column is made of, through everything that reads another: the model, and walks along it.

What is known of a table, a view, a question, a card or a notebook is one :class:`TableLineage`. Columns that
flow into a column are told apart from those that only decide which rows there are. A column of which nothing
states where it comes from is *untraced*, with the reason: it is listed and counted, and never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

SOURCE, FEED, WAREHOUSE = "source", "feed", "warehouse"
"""Where there are tables besides the zones."""

QUESTION, QUERY, DATA_SET, CARD, NOTEBOOK = "question", "query", "data set", "card", "notebook"
"""What reads tables, and is read by people; a query is one that the dashboard alone asks."""

READERS = (QUESTION, QUERY, DATA_SET, CARD, NOTEBOOK)

Type = Literal["DIRECT", "INDIRECT"]


class Field(NamedTuple):
    """A column of something.

    Attributes:
        place: The database it is in, or one of the places above.
        table: The table, view, question, card or notebook.
        column: The column.
    """

    place: str
    table: str
    column: str

    @property
    def dataset(self) -> Dataset:
        """What it is a column of."""
        return Dataset(self.place, self.table)

    def __str__(self) -> str:
        return f"{self.dataset}.{self.column}"


class Dataset(NamedTuple):
    """Something that has columns: its place, and its name there."""

    place: str
    table: str

    def __str__(self) -> str:
        spaced = self.place in READERS
        return f"{self.place} {self.table}" if spaced else f"{self.place}.{self.table}"


class How(NamedTuple):
    """What a column is to another, in the words of OpenLineage's facet ``columnLineage``.

    Attributes:
        type: ``DIRECT`` where its value goes into the other's, ``INDIRECT`` where it only decides something.
        subtype: What becomes of the value, or what it decides.
    """

    type: Type
    subtype: str

    @property
    def is_direct(self) -> bool:
        """Whether the value goes into the other's."""
        return self.type == "DIRECT"


IDENTITY = How("DIRECT", "IDENTITY")
TRANSFORMATION = How("DIRECT", "TRANSFORMATION")
AGGREGATION = How("DIRECT", "AGGREGATION")
CONDITIONAL = How("INDIRECT", "CONDITIONAL")
WINDOW = How("INDIRECT", "WINDOW")
FILTER = How("INDIRECT", "FILTER")
JOIN = How("INDIRECT", "JOIN")
GROUP_BY = How("INDIRECT", "GROUP_BY")
SORT = How("INDIRECT", "SORT")

_CHANGE = (IDENTITY, TRANSFORMATION, AGGREGATION)
"""What may become of a value, the more the later."""


class Input(NamedTuple):
    """A column that goes into another, or decides something about it."""

    field: Field
    how: How


def through(first: How, then: How) -> How:
    """What a column is to the end of two steps.

    Args:
        first: What it is to the column between.
        then: What that one is to the end.
    """
    if not then.is_direct:
        return then
    if not first.is_direct:
        return first
    return max(first, then, key=_CHANGE.index)


def inputs_of(found: Iterable[Input]) -> tuple[Input, ...]:
    """Inputs, each once, in order; where a value goes in in several ways, by the one that changes it most."""
    most: dict[tuple[Field, str], How] = {}
    for one in found:
        key = (one.field, "" if one.how.is_direct else one.how.subtype)
        known = most.get(key)
        most[key] = one.how if known is None or not one.how.is_direct else through(known, one.how)
    return tuple(sorted(Input(field, how) for (field, _), how in most.items()))


@dataclass(frozen=True)
class TableLineage:
    """Where the columns of one dataset come from.

    Attributes:
        dataset: What they are columns of.
        by: What makes it: a stage of the pipeline, ``view``, ``question`` and the like.
        columns: By column, what goes into it or decides its value; each column of the dataset is there.
        rows: What decides which rows there are, how they are joined, grouped and ordered.
        made: By column, what makes it where no column of another dataset does.
        untraced: By column, why nothing is known of where it comes from.
        sql: The text that was read, where it was one.
    """

    dataset: Dataset
    by: str
    columns: Mapping[str, tuple[Input, ...]]
    rows: tuple[Input, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    untraced: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its columns."""
        return tuple(Field(*self.dataset, name) for name in self.columns)

    @property
    def read(self) -> tuple[Dataset, ...]:
        """The datasets that it is made of, each once, in order."""
        every = (*(one for found in self.columns.values() for one in found), *self.rows)
        return tuple(sorted({one.field.dataset for one in every}))


@dataclass(frozen=True)
class Edge:
    """A column that goes into another, or decides its value."""

    start: Field
    end: Field
    how: How


@dataclass(frozen=True)
class ColumnLineage:
    """Everything that is known.

    Attributes:
        tables: By dataset, where its columns come from.
    """

    tables: Mapping[Dataset, TableLineage]

    @classmethod
    def of(cls, tables: Iterable[TableLineage]) -> ColumnLineage:
        """The lineage of some datasets."""
        return cls({table.dataset: table for table in tables})

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Each column that goes into another one or decides its value; not what decides about rows."""
        return tuple(
            Edge(one.field, end, one.how)
            for table in self.tables.values()
            for end in table.fields
            for one in table.columns[end.column]
        )

    @cached_property
    def untraced(self) -> Mapping[Field, str]:
        """The columns of which nothing states where they come from, each with the reason."""
        return {
            Field(*dataset, name): reason
            for dataset, table in self.tables.items()
            for name, reason in table.untraced.items()
        }

    def origins(self, end: Field) -> tuple[Input, ...]:
        """What goes into a column, or decides its value."""
        table = self.tables.get(end.dataset)
        return table.columns.get(end.column, ()) if table else ()

    @cached_property
    def _values(self) -> Mapping[Field, tuple[Field, ...]]:
        found: dict[Field, list[Field]] = {}
        for edge in self.edges:
            if edge.how.is_direct:
                found.setdefault(edge.start, []).append(edge.end)
        return {start: tuple(dict.fromkeys(ends)) for start, ends in found.items()}

    @cached_property
    def _decides(self) -> Mapping[Field, tuple[Dataset, ...]]:
        found: dict[Field, dict[Dataset, None]] = {}
        for dataset, table in self.tables.items():
            indirect = (one for every in table.columns.values() for one in every if not one.how.is_direct)
            for one in (*indirect, *table.rows):
                found.setdefault(one.field, {})[dataset] = None
        return {start: tuple(ends) for start, ends in found.items()}

    def reached(self, start: Field) -> tuple[Field, ...]:
        """Every column that a column's value goes into, however far, the nearest first."""
        return tuple(_walk(start, self._values))

    def decided(self, start: Field) -> tuple[Dataset, ...]:
        """The datasets of which a column, or one that its value goes into, decides rows or values."""
        every = (start, *self.reached(start))
        return tuple(dict.fromkeys(one for each in every for one in self._decides.get(each, ())))


def _walk(start: Field, steps: Mapping[Field, tuple[Field, ...]]) -> Iterator[Field]:
    seen, further = {start}, [start]
    while further:
        nearest = dict.fromkeys(end for one in further for end in steps.get(one, ()) if end not in seen)
        yield from nearest
        seen |= nearest.keys()
        further = list(nearest)
