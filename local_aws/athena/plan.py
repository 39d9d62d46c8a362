"""What a translated statement needs beside its SQL, and the typed pieces that it is put together from."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws.athena.catalog_reader import Table
from local_aws.athena.kinds import VARCHAR, ZONED, Type, duckdb_type

_SIMPLE = re.compile(r"[\w.\"$]+|CAST\((?:CAST\()?-?[\w.']+ AS \w+\)(?: AS \w+\))?|'[^']*'")

SESSION_ZONE = "UTC"
"""The zone of Athena's sessions."""


@dataclass(frozen=True)
class Typed:
    """A translated expression.

    Attributes:
        sql: DuckDB's SQL.
        type: Trino's type.
        columns: The columns of this query's own relations that it reads.
        constant: The value, where it is a literal.
        is_literal: Whether it is one.
        volatile: Whether two evaluations may differ, or it asks a query.
    """

    sql: str
    type: Type
    columns: frozenset[str] = frozenset()
    constant: Any = None
    is_literal: bool = False
    volatile: bool = False

    @property
    def identity(self) -> str:
        """What tells values apart, see ``identity``."""
        return identity(self.sql, self.type)


def has_identity(kind: Type) -> bool:
    """Whether DuckDB tells apart what is the same: maps, moments with a zone, and what holds them."""
    return kind.base in ("map", ZONED) or any(has_identity(item) for item in kind.inner)


def identity(sql: str, kind: Type, depth: int = 0) -> str:
    """SQL of what tells values apart: of a moment with a zone the moment, of a map its entries sorted."""
    if not has_identity(kind):
        return sql
    if kind.base == ZONED:
        return f"({sql}).t"
    item = f"same{depth}"
    if kind.base == "array":
        return f"list_transform({sql}, lambda {item}: {identity(item, kind.inner[0], depth + 1)})"
    if kind.base == "map":
        key, value = (
            identity(f"{item}.{part}", inner, depth + 1)
            for part, inner in zip(("key", "value"), kind.inner, strict=True)
        )
        entries = f"list_transform(map_entries({sql}), lambda {item}: {{'k': {key}, 'v': {value}}})"
        return f"list_sort({entries})"
    fields = ", ".join(
        f"'f{place}': {identity(f'{item}.f{place}', inner, depth + 1)}"
        for place, inner in enumerate(kind.inner)
    )
    return f"list_transform([{sql}], lambda {item}: CASE WHEN {item} IS NOT NULL THEN {{{fields}}} END)[1]"


@dataclass(frozen=True)
class PythonFunction:
    """A function of ``semantics`` for certain types."""

    name: str
    arguments: tuple[Type, ...]
    result: Type


@dataclass(frozen=True)
class Scan:
    """One mention of a table.

    Attributes:
        table: The table.
        condition: DuckDB's SQL over the partition columns alone, which every row that counts fulfils.
        alias: The name that the condition gives the table.
        view: ``partitions`` for ``"t$partitions"``, else nothing.
    """

    table: Table
    condition: str = ""
    alias: str = ""
    view: str = ""


@dataclass
class Plan:
    """What is collected while a statement is translated.

    Attributes:
        now: The moment at which the statement began; all its calls of ``now()`` give that one.
        functions: Functions of ``semantics``, by the name that they have in the SQL.
        scans: What the SQL reads, by the name that it has in DuckDB.
    """

    now: dt.datetime
    functions: dict[str, PythonFunction] = field(default_factory=dict)
    scans: dict[str, Scan] = field(default_factory=dict)
    _names: dict[PythonFunction, str] = field(default_factory=dict)
    _count: int = 0

    def name(self, prefix: str) -> str:
        """A name that stands once in the SQL."""
        self._count += 1
        return f"{prefix}{self._count}"

    def call(self, name: str, arguments: list[tuple[str, Type]], result: Type) -> str:
        """The SQL of a call of a function of ``semantics``."""
        known = self.function(name, [kind for _, kind in arguments], result)
        return f"{known}({', '.join(sql for sql, _ in arguments)})"

    def function(self, name: str, arguments: list[Type], result: Type) -> str:
        """The name that a function of ``semantics`` has in the SQL, for certain types."""
        function = PythonFunction(name, tuple(_plain(kind) for kind in arguments), _plain(result))
        known = self._names.get(function)
        if known is None:
            known = self._names[function] = f"trino_{name}_{len(self._names)}"
            self.functions[known] = function
        return known

    def let(self, sql: str, body: Callable[[str], str]) -> str:
        """SQL that names a value more than once and evaluates it once."""
        if _SIMPLE.fullmatch(sql):
            return body(sql)
        name = self.name("v")
        return f"list_transform([{sql}], lambda {name}: {body(name)})[1]"

    def let_both(self, one: str, two: str, body: Callable[[str, str], str]) -> str:
        """SQL that names two values more than once; neither stands in a lambda.

        There may be no query there, nor columns of queries around.
        """
        if _SIMPLE.fullmatch(one) and _SIMPLE.fullmatch(two):
            return body(one, two)
        name = self.name("v")
        both = f"{{'one': {one}, 'two': {two}}}"
        return f"list_transform([{both}], lambda {name}: {body(f'{name}.one', f'{name}.two')})[1]"


def _plain(kind: Type) -> Type:
    """A type without the lengths of its texts, which no function looks at."""
    if kind.base == "varchar":
        return VARCHAR
    if kind.inner:
        return Type(kind.base, tuple(_plain(item) for item in kind.inner), kind.names)
    return kind


def quoted(text: str) -> str:
    """A text as a literal of DuckDB."""
    if "\x00" in text:
        parts = [f"'{part}'" for part in text.replace("'", "''").split("\x00")]
        return "(" + " || chr(0) || ".join(parts) + ")"
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as DuckDB quotes it."""
    return '"' + name.replace('"', '""') + '"'


def failure(name: str, message: str, kind: Type) -> str:
    """SQL that fails with a message when it is evaluated; a failing cast is what TRY can catch."""
    return f"CAST(CAST({quoted(f'!{name}: {message}!')} AS INTEGER) AS {duckdb_type(kind)})"


def text(value: str) -> Typed:
    """A text literal."""
    return Typed(quoted(value), VARCHAR, constant=value, is_literal=True)
