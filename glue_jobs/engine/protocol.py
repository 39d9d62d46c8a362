"""What an engine does: read objects that commits name, keep views and tables, answer queries, write objects.

Queries are text in the common subset of DuckDB and Spark SQL (``docs/engine.md``), with the functions of
:mod:`glue_jobs.engine.library`. Relations are named by the caller; a name is given once between two calls of
:meth:`Engine.forget`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol, TypeVar

import pyarrow as pa

from catalog.types import sort_keys
from glue_jobs.lake.commits import DataObject, Partition

ResultT = TypeVar("ResultT")

OBJECT_ROWS = 1_000_000
"""Rows after which an object ends and the next one begins."""

OBJECT_BYTES = 128 << 20
"""Bytes of Arrow data after which an object ends, since one is held whole."""


class OutOfResources(Exception):  # noqa: N818 - named for what was found
    """The engine has no memory or no disk left within what it was given; another engine may have."""


@dataclass(frozen=True)
class Dataset:
    """Objects of one table, as commits name them.

    Attributes:
        bucket: The bucket.
        schema: The columns wanted from the files, in order; one that a file lacks is empty.
        partition_schema: Columns that stand in the path, after the others, with the partitions' values.
        partitions: The partitions; objects without rows are not read.
    """

    bucket: str
    schema: pa.Schema
    partition_schema: pa.Schema
    partitions: tuple[Partition, ...]

    @property
    def rows(self) -> int:
        """Rows in all objects, as their commits say."""
        return sum(partition.rows for partition in self.partitions)

    @property
    def bytes(self) -> int:
        """Bytes of all objects, as their commits say."""
        return sum(data.bytes for partition in self.partitions for data in partition.objects)


@dataclass(frozen=True)
class Destination:
    """Where and how rows are written.

    Attributes:
        bucket: The bucket.
        prefix: Key prefix that no other attempt of the stage shares below ``suffix``; ends in a slash.
        schema: The files' columns, in order; a query whose types differ is refused.
        order: Columns whose order is total: the same rows make the same bytes, whoever writes them. None
            where the query takes rows of objects and joins nothing: these have an order of their own.
        key: Columns whose smallest and largest values are wanted.
        partition_by: The partition column: it stands in the path and not in the files.
        suffix: What follows a partition's value in the path, ending in a slash; empty without partitions.
    """

    bucket: str
    prefix: str
    schema: pa.Schema
    order: tuple[str, ...]
    key: tuple[str, ...] = ()
    partition_by: Optional[str] = None
    suffix: str = ""

    @property
    def sort_keys(self) -> tuple[str, ...]:
        """SQL of what rows are sorted by within a partition value."""
        floats = {field.name for field in self.schema if pa.types.is_floating(field.type)}
        return tuple(key for name in self.order for key in sort_keys(name, is_float=name in floats))

    def location(self, value: str = "") -> str:
        """Key prefix of the objects of one partition value, of all where there are no partitions."""
        return f"{self.prefix}{self.partition_by}={value}/{self.suffix}" if self.partition_by else self.prefix


class Engine(Protocol):
    """An engine; see the module."""

    name: str
    """``embedded`` or ``spark``."""

    def read(self, name: str, dataset: Dataset) -> None:
        """Make a relation of objects, each read once and compared with its checksum in that read.

        Raises:
            ChecksumMismatch: An object is not what its commit says, or is missing; now or at the relation's
                first use.
        """

    def rows(self, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a relation of a few rows that the caller has; a column that a row leaves out is empty."""

    def view(self, name: str, query: str) -> None:
        """Make a relation of a query, which runs wherever the relation is used."""

    def table(self, name: str, query: str) -> int:
        """Make a relation of a query, which runs once; gives the number of its rows."""

    def cache(self, name: str, query: str) -> None:
        """Make a relation of a query that is used several times; it runs as often as that costs less."""

    def fetch(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, few enough for this process."""

    def write(self, query: str, destination: Destination, rows: int) -> dict[str, tuple[DataObject, ...]]:
        """Write the rows of a query with Arrow, each object by one conditional PUT.

        Args:
            query: The destination's columns, and its partition column; in any order of rows.
            destination: Where and how.
            rows: About how many there are: decides on the number of tasks.

        Returns:
            By partition value (the empty text without partitions), the objects as a commit names them.

        Raises:
            ObjectExists: A key is taken by other bytes.
            TypeError: The query's columns are not those of the destination.
        """

    def run_in_parallel(self, work: Iterable[Callable[[], ResultT]]) -> list[ResultT]:
        """Run pieces of work that use this engine, as many at once as it takes; their results in order.

        Raises:
            Exception: The first piece's, once all that had begun have ended.
        """

    def forget(self, names: Optional[Iterable[str]] = None) -> None:
        """Drop relations, all of them unless named, and what they hold in memory and on disk."""

    def close(self) -> None:
        """Drop everything; the engine cannot be used afterwards."""
