"""What is proposed of tables, before it is a contract, and what a person states of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.new_project.database import Place, Relation

Marks = dict[tuple[str, str, str], str]
"""By zone, table and column, what a person should look at; an empty column is the whole table."""


@dataclass(frozen=True)
class Options:
    """What a person states besides.

    Attributes:
        owner: Who answers for the tables.
        schema: The schema of tables that state none.
        include: Patterns of tables, ``schema.table`` or ``table``; all where there are none.
        exclude: Patterns of tables that are left out.
        names: By ``schema.table`` or ``schema.table.column``, as the database has them, the lake's name.
    """

    owner: str
    schema: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """A raw table to which others may refer.

    Attributes:
        table: Its name in the lake.
        key: The columns of its key, as the database has them.
        types: The types of these in the lake.
        dimension: The dimension that is built from it, if one is.
    """

    table: str
    key: tuple[str, ...]
    types: tuple[str, ...]
    dimension: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A table or column that the project does not hold.

    Attributes:
        what: Its name in the database.
        reason: Why.
        remedy: The way out.
    """

    what: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} {self.reason}. {self.remedy}"


@dataclass(frozen=True)
class ProposedColumn:
    """A column as it is proposed.

    Attributes:
        at_source: What the database calls it.
        name: Its name in the lake.
        type: Its type there.
    """

    at_source: str
    name: str
    type: str


@dataclass(frozen=True)
class ProposedTable:
    """A table as it is proposed.

    Attributes:
        relation: It, as the database declares it.
        key: The columns of its key, as the database calls them.
        columns: The columns that are held.
        name: Its name in the lake, once it has one.
    """

    relation: Relation
    key: tuple[str, ...]
    columns: tuple[ProposedColumn, ...]
    name: str = ""

    @property
    def known(self) -> Known:
        """It, as others refer to it."""
        types = {column.at_source: column.type for column in self.columns}
        return Known(self.name, self.key, tuple(types[name] for name in self.key))

    def column(self, at_source: str) -> ProposedColumn:
        """The column that the database calls so."""
        return next(column for column in self.columns if column.at_source == at_source)


@dataclass(frozen=True)
class ProposedReference:
    """A column of a table that holds the key of another.

    Attributes:
        column: What the database calls it.
        target: The other table.
        known: The same, as the lake knows it.
    """

    column: str
    target: Place
    known: Known
