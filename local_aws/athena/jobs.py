"""What the process of one query is given, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.athena.catalog_reader import Partition
from local_aws.athena.kinds import Type
from local_aws.athena.plan import PythonFunction, Scan


@dataclass(frozen=True)
class Limits:
    """How much one query may take.

    Attributes:
        memory: Bytes of memory.
        seconds: How long it may run.
    """

    memory: int = 2 * 1024**3
    seconds: float = 600.0

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """The limits that ``LAKEHOUSE_ATHENA_MEMORY_MB`` and ``LAKEHOUSE_ATHENA_SECONDS`` state.

        Raises:
            ValueError: A variable is no number above zero.
        """
        stated = os.environ if environment is None else environment
        found = {}
        for name, factor, member in (
            ("LAKEHOUSE_ATHENA_MEMORY_MB", 1024**2, "memory"),
            ("LAKEHOUSE_ATHENA_SECONDS", 1, "seconds"),
        ):
            text = stated.get(name)
            if not text:
                continue
            if not text.isdecimal() or not int(text):
                raise ValueError(f"{name} is {text!r}; state a whole number above zero")
            found[member] = int(text) * factor
        return cls(**found)


@dataclass(frozen=True)
class Rows:
    """Rows that are known before the query runs: those of ``information_schema``."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Source:
    """What a query reads under one name: a table's partitions, or rows."""

    scan: Scan
    partitions: tuple[Partition, ...] = ()
    rows: Rows | None = None


@dataclass(frozen=True)
class Writing:
    """Files that a query's rows become.

    Attributes:
        form: ``PARQUET``, ``TEXTFILE`` or ``JSON``.
        compression: As Athena names it, in capitals.
        delimiter: Between the fields of a TEXTFILE.
        keys: The partition columns, which stand last.
        names: The columns' names.
        stem: What the files' names begin with.
    """

    form: str
    compression: str
    delimiter: str
    keys: tuple[str, ...]
    names: tuple[str, ...]
    stem: str


@dataclass(frozen=True)
class Job:
    """One query.

    Attributes:
        sql: DuckDB's SQL.
        columns: Names and types of the result's columns.
        functions: Functions of ``semantics``, by the name that they have in the SQL.
        sources: What the SQL reads, by name.
        scan_limit: Bytes that may be read.
        scratch: A directory of this query's own.
        result: The file name, without ending, that the result's pages get; none where files are written.
        writing: How files are written, for CTAS, INSERT and UNLOAD.
        explain: The EXPLAIN that stands before the query, where its plan is asked for.
        memory: Bytes of memory that it may take.
    """

    sql: str
    columns: tuple[tuple[str, Type], ...]
    functions: dict[str, PythonFunction]
    sources: dict[str, Source]
    scan_limit: int | None
    scratch: Path
    result: Path | None = None
    writing: Writing | None = None
    explain: str = ""
    memory: int = Limits.memory


@dataclass(frozen=True)
class Counts:
    """What was read: compressed bytes of column chunks, and rows of row groups."""

    bytes: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Done:
    """What a query left.

    Attributes:
        rows: How many rows.
        counts: What was read.
        files: Files written, relative to the scratch directory.
        lines: The lines of a plan.
    """

    rows: int = 0
    counts: Counts = Counts()
    files: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """Why a query failed, in what can be sent between processes; a traceback where nobody foresaw it."""

    name: str
    message: str
    cancelled: bool = False
    traceback: str = ""
    counts: Counts = Counts()
