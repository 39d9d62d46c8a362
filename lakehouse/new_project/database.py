"""A database as its catalogs describe it: tables and views, with what contracts of them are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glue_jobs.runtime.connections import spelled
from glue_jobs.sources.postgres_source import SourceTable

Place = tuple[str, str]
"""Schema and name of a table, as the database has them."""


def spelled_place(place: Place) -> str:
    """A table as a person writes it in SQL."""
    return ".".join(map(spelled, place))


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key.

    Attributes:
        columns: The columns that refer.
        target: The table that they refer to.
        target_columns: The columns of that.
        is_checked: Whether the database has checked every row.
    """

    columns: tuple[str, ...]
    target: Place
    target_columns: tuple[str, ...]
    is_checked: bool = True


@dataclass(frozen=True)
class Relation:
    """A table, or what looks like one.

    Attributes:
        place: Its schema and its name.
        found: It, as a capture sees it.
        in_reach: Whether the role may use its schema.
        required: Its columns that are never empty.
        keys: Columns that are never empty and the same in no two rows; the primary key first.
        foreign_keys: Its foreign keys.
        bases: Of columns whose type is a domain, the type that the domain is over at last; ``enum`` for any
            enumeration.
        comments: What the database says of its columns.
        comment: What it says of the table.
        only_in_parts: Children by inheritance, each with a column that they have and the table has not.
        made_of: Of a view, the tables that it shows.
        is_hypertable: Whether Timescale keeps its rows.
        rows: How many rows it has, by the server's own estimate.
        bytes: How many bytes these take, likewise.
    """

    place: Place
    found: SourceTable
    in_reach: bool = True
    required: frozenset[str] = frozenset()
    keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    comment: str | None = None
    only_in_parts: tuple[tuple[str, str], ...] = ()
    made_of: tuple[Place, ...] = ()
    is_hypertable: bool = False
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Database:
    """What a database holds.

    Attributes:
        name: Its name.
        role: The role that looked.
        relations: Its tables and views, without parts of others and without those of extensions.
        parts: The tables that are parts of others, by partition or inheritance.
    """

    name: str
    role: str
    relations: tuple[Relation, ...]
    parts: frozenset[Place] = frozenset()

    @property
    def places(self) -> frozenset[Place]:
        """Where it has something that may be captured."""
        return self.parts | {relation.place for relation in self.relations}
