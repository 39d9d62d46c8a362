"""Which columns an expression sees: those of its own relations, then those of the queries around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from local_aws.athena.kinds import Type
from local_aws.athena.plan import Typed
from local_aws.athena.query_errors import QueryError
from local_aws.athena.syntax import Node

_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_BOUND = re.compile(r"lambda (\w+(?:, \w+)*):")


def alike(sql: str) -> str:
    """SQL with other names for what its lambdas bind: an expression that is written twice is one."""
    if "lambda " not in sql:
        return sql
    parts = _QUOTED.split(sql)
    bound = [name for part in parts[::2] for names in _BOUND.findall(part) for name in names.split(", ")]
    places = {name: f"{name.rstrip('0123456789')}#{i}" for i, name in enumerate(dict.fromkeys(bound))}
    parts[::2] = [re.sub(r"\w+", lambda found: places.get(found[0], found[0]), part) for part in parts[::2]]
    return "".join(parts)


@dataclass(frozen=True)
class Column:
    """A column of a relation.

    Attributes:
        name: Its name in lower case; empty where it has none.
        type: Its type.
        sql: How DuckDB's SQL names it.
        qualifier: The names that may stand before it, outermost first.
        label: The name as a result shows it.
        hidden: Whether it stands in no ``*``, as ``$path`` does.
    """

    name: str
    type: Type
    sql: str
    qualifier: tuple[str, ...] = ()
    label: str = ""
    hidden: bool = False

    def answers_to(self, qualifier: tuple[str, ...]) -> bool:
        """Whether names that were written before a column's name mean this column's relation."""
        return not qualifier or self.qualifier[-len(qualifier) :] == qualifier


@dataclass
class Aggregation:
    """The keys and aggregates of a grouped query, which become columns of a query inside.

    Attributes:
        alias: The inner query's name.
        keys: The SQL of each key, and its type.
        columns: The inner query's columns: SQL and name.
    """

    alias: str
    keys: list[Typed] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    has_expressions: bool = False

    def key(self, value: Typed) -> int | None:
        """The place of a key."""
        sql = alike(value.sql)
        found = (place for place, key in enumerate(self.keys) if alike(key.sql) == sql)
        return next((place for place in found if self.keys[place].type == value.type), None)

    def column(self, sql: str) -> str:
        """How the outer query names an aggregate."""
        name = self.columns.setdefault(sql, f"a{len(self.columns)}")
        return f"{self.alias}.{name}"


@dataclass
class Scope:
    """The columns of one query's relations.

    Attributes:
        columns: The columns.
        parent: The scope around it.
        variables: A lambda's arguments.
        aggregation: Set while what stands outside of aggregates is translated.
        outputs: The columns of the SELECT list, which ORDER BY sees first.
        windows: Whether window functions may stand here.
        where: The clause, for messages.
        inside_lambda: Whether it is a lambda's body, where no aggregate may stand.
        in_aggregate: Whether it is what an aggregate takes, which cannot read what ``outputs`` holds.
        is_row: Whether it is a row without columns, whose SELECT list holds a single subquery.
    """

    columns: list[Column] = field(default_factory=list)
    parent: Scope | None = None
    variables: dict[str, Typed] = field(default_factory=dict)
    aggregation: Aggregation | None = None
    outputs: dict[str, Typed | None] = field(default_factory=dict)
    windows: bool = False
    aggregates: bool = False
    where: str = ""
    inside_lambda: bool = False
    in_aggregate: bool = False
    is_row: bool = False
    named_windows: dict[str, Node] = field(default_factory=dict)

    def find(self, qualifier: tuple[str, ...], name: str, at: tuple[int, int]) -> Column | None:
        """The column of this scope that names mean, None where there is none.

        Raises:
            QueryError: There are several.
        """
        found = [item for item in self.columns if item.name == name and item.answers_to(qualifier)]
        if len(found) > 1:
            raise QueryError("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous", at)
        return found[0] if found else None

    def outwards(self) -> list[Scope]:
        """This scope and those around it, by identity alone."""
        found: list[Scope] = [self]
        while found[-1].parent is not None:
            found.append(found[-1].parent)
        return found

    def variable(self, name: str) -> Typed | None:
        """A lambda's argument of a name."""
        return self.variables.get(name)
