"""The embedded engine: DuckDB in this process, within stated memory and disk.

An object is downloaded once, compared with its checksum in that read and kept on disk for as long as its
relation; the relation is a view over these files. What DuckDB cannot hold in memory goes to disk as well, and
both count towards the stated bytes of disk.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.functions import FUNCTIONS
from catalog.types import sql_type as catalog_sql_type
from glue_jobs.engine import wide_rows
from glue_jobs.engine.parallel import run_in_threads
from glue_jobs.engine.parquet import ObjectWriter, check_columns, sql_type
from glue_jobs.engine.protocol import OBJECT_BYTES, Dataset, Destination, OutOfResources, ResultT
from glue_jobs.lake import objects
from glue_jobs.lake.commits import DataObject
from glue_jobs.runtime.aws import S3Client

BATCH_ROWS = 65_536
"""Rows that are taken out of DuckDB at once: Python's work on each batch, and its memory, hardly count."""

DOWNLOADS = 4
"""Objects read at once; they wait for the network more than for the processor."""

WIDE_ROW = 16 << 10
"""Bytes of a row from which rows are wide: see :mod:`glue_jobs.engine.wide_rows`."""

_DUCKDB_NAMES = {"INTEGER": "INT", "VARCHAR": "STRING"}
"""What DuckDB calls types whose name in a cast is another."""

_WORD = re.compile(r"[a-z_][a-z0-9_]*")

_OUT_OF_RESOURCES = ("Out of Memory Error", "failed to offload data block", "No space left on device")


class EmbeddedEngine:
    """DuckDB as an :class:`~glue_jobs.engine.protocol.Engine`.

    Args:
        s3: A boto3 ``s3`` client; used by several threads at once.
        directory: Below it the engine keeps its files.
        memory_bytes: What DuckDB may hold in memory; Arrow and Python come on top.
        threads: DuckDB's threads.
        disk_bytes: What may lie on disk: objects, read or about to be put, and what DuckDB moved there.
    """

    name = "embedded"

    def __init__(
        self, s3: S3Client, directory: Path, memory_bytes: int, threads: int, disk_bytes: int
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._s3 = s3
        self._directory = Path(tempfile.mkdtemp(prefix="duckdb-", dir=directory))
        # A writer has one object on disk at a time.
        self._disk_bytes = max(disk_bytes - threads * OBJECT_BYTES, 0)
        self._threads = threads
        self._kept: dict[str, int] = {}
        self._downloads: dict[tuple[str, DataObject], Path] = {}
        self._pending: dict[str, Any] = {}
        self._row_bytes: dict[str, int] = {}
        self._kinds: dict[str, str] = {}
        # Held while relations are made and dropped: several threads may need the same one.
        self._making = threading.RLock()
        self._of_thread = threading.local()
        self._database = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_bytes}B",
                "threads": threads,
                "temp_directory": str(self._directory / "spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                # Memory of large texts goes back to the system at once, and not when it is asked for again.
                "allocator_background_threads": True,
                # Order is stated where it matters; keeping another one costs memory.
                "preserve_insertion_order": False,
            },
        )
        self._limit_spill()
        for function in FUNCTIONS:
            names = ", ".join(name for name, _ in function.arguments)
            body = f"CAST({function.duckdb} AS {catalog_sql_type(function.result)})"
            self._connection.execute(f"CREATE MACRO {function.name}({names}) AS {body}")

    def read(self, name: str, dataset: Dataset) -> None:
        """Make a relation of objects; they are downloaded when the relation is first used."""
        self._pending[name] = dataset

    def rows(self, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a relation of a few rows that the caller has."""
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
        with self._guarded():
            self._connection.register("arrow_rows", pa.table(columns, schema=schema))
            query = f"SELECT {', '.join(_cast(field.name, field.type) for field in schema)} FROM arrow_rows"
            self._create(name, "TABLE", query)
            self._connection.unregister("arrow_rows")

    def view(self, name: str, query: str) -> None:
        """Make a relation of a query, which runs wherever the relation is used."""
        self._pending[name] = query

    def table(self, name: str, query: str) -> int:
        """Make a relation of a query, which runs once; gives the number of its rows."""
        with self._guarded():
            self._resolve(query)
            types = self._columns(query)
            if self._is_wide(query, types):
                self._create(name, "VIEW", self._written_down(name, query, types))
            else:
                self._create(name, "TABLE", query)
            self._row_bytes[name] = self._widest(query)
            ((rows,),) = self._connection.execute(f"SELECT count(*) FROM {name}").fetchall()
            return int(rows)

    def cache(self, name: str, query: str) -> None:
        """Make a relation of a query that is used several times: each use decodes the columns it needs."""
        self.view(name, query)

    def fetch(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, few enough for this process."""
        with self._guarded():
            self._resolve(query)
            rows: list[dict[str, Any]] = self._connection.execute(query).fetch_arrow_table().to_pylist()
            return rows

    def write(self, query: str, destination: Destination, rows: int) -> dict[str, tuple[DataObject, ...]]:  # noqa: ARG002 - one task whatever there is
        """Write the rows of a query with Arrow, each object by one conditional PUT."""
        with self._guarded():
            self._resolve(query)
            types = self._columns(query)
            check_columns(types, destination)
            writer = ObjectWriter(self._s3, destination, 0, self._directory)
            try:
                for batch in self._in_order(query, destination, wide=self._is_wide(query, types)):
                    writer.write(batch)
                return writer.close()
            finally:
                writer.abandon()

    def run_in_parallel(self, work: Iterable[Callable[[], ResultT]]) -> list[ResultT]:
        """Run pieces of work that use this engine, as many at once as it has threads."""
        if self._threads == 1:
            return [piece() for piece in work]
        return run_in_threads(work, self._threads)

    def forget(self, names: Optional[Iterable[str]] = None) -> None:
        """Drop relations, all of them unless named, and what they hold in memory and on disk."""
        with self._making:
            for name in list({**self._pending, **self._kinds} if names is None else names):
                self._pending.pop(name, None)
                if name in self._kinds:
                    self._connection.execute(f"DROP {self._kinds.pop(name)} {name}")
                self._row_bytes.pop(name, None)
                if name in self._kept:
                    shutil.rmtree(self._directory / name, ignore_errors=True)
                    del self._kept[name]

    def close(self) -> None:
        """Drop everything."""
        self._database.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        """This thread's: a connection takes one query at a time."""
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = self._database.cursor()
            # What DuckDB holds ready of an answer it counts without texts, so it is to hold next to nothing.
            # Of one byte it would make a limit of none, and wait for ever.
            self._of_thread.connection.execute("SET streaming_buffer_size = '2B'")
        connection: duckdb.DuckDBPyConnection = self._of_thread.connection
        return connection

    def _create(self, name: str, kind: str, query: str) -> None:
        self._connection.execute(f"CREATE {kind} {name} AS {query}")
        self._kinds[name] = kind

    def _resolve(self, query: str) -> None:
        """Make the relations that a query names and that nobody has used yet."""
        with self._making:
            for name in _WORD.findall(query):
                waiting = self._pending.pop(name, None)
                if isinstance(waiting, Dataset):
                    self._create(name, "VIEW", self._downloaded(name, waiting))
                elif waiting is not None:
                    self._resolve(waiting)
                    self._create(name, "VIEW", waiting)
                    self._row_bytes[name] = self._widest(waiting)

    def _widest(self, query: str) -> int:
        """About how many bytes a row has of the relations that a query names, where it has most."""
        return max((self._row_bytes.get(name, 0) for name in _WORD.findall(query)), default=0)

    def _is_wide(self, query: str, types: Mapping[str, str]) -> bool:
        return "STRING" in types.values() and self._widest(query) > WIDE_ROW

    def _in_order(self, query: str, destination: Destination, *, wide: bool) -> Iterator[pa.RecordBatch]:
        """The destination's columns, its partition column as text, in the order in which they are written."""
        by = tuple(filter(None, [destination.partition_by]))
        order, sort_keys = (*by, *destination.order), (*by, *destination.sort_keys)
        selected = _selected(query, destination)
        if not wide or not order:
            sorted_by = _sorted_by(sort_keys)
            yield from self._batches(f"{selected} ORDER BY {sorted_by}" if order else selected, query)
            return
        batches = self._batches(selected, query)
        rows = wide_rows.on_disk(self._counted(batches), batches.schema, order, self._directory)
        with rows as (keys, rows_at):
            yield from rows_at(self._sorted_places(keys, sort_keys))

    def _sorted_places(self, keys: pa.Table, sort_keys: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Places of rows in the order of their keys."""
        self._connection.register("arrow_keys", keys)
        places = f"SELECT {', '.join(wide_rows.PLACE)} FROM arrow_keys ORDER BY {_sorted_by(sort_keys)}"
        found = self._connection.execute(places).fetch_arrow_table()
        self._connection.unregister("arrow_keys")
        return zip(*(column.to_pylist() for column in found.columns))

    def _batches(self, text: str, query: str) -> pa.RecordBatchReader:
        """The rows of a text, few at a time where those of the query that it is made of are wide."""
        rows = max(1, min(BATCH_ROWS, wide_rows.PIECE_BYTES // max(self._widest(query), 1)))
        return self._connection.execute(text).fetch_record_batch(rows)

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches on their way to the disk, as far as it has room for them."""
        left = self._disk_bytes - sum(self._kept.values())
        for batch in batches:
            left -= batch.nbytes
            if left < 0:
                raise OutOfResources("rows with large texts do not fit on the disk")
            yield batch

    def _written_down(self, name: str, query: str, types: Mapping[str, str]) -> str:
        """Run a query with wide rows into a file; the query over it."""
        folder = self._directory / name
        folder.mkdir()
        path = folder / "rows.parquet"
        batches = self._batches(query, query)
        wide_rows.write_rows(self._counted(batches), batches.schema, path)
        self._kept[name] = path.stat().st_size
        self._limit_spill()
        columns = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in types.items())
        return f"SELECT {columns} FROM read_parquet([{_literal(str(path))}], hive_partitioning = false)"

    def _columns(self, query: str) -> dict[str, str]:
        found = self._connection.execute(f"DESCRIBE {query}").fetchall()
        return {name: _DUCKDB_NAMES.get(kind, kind) for name, kind, *_ in found}

    def _downloaded(self, name: str, dataset: Dataset) -> str:
        """Download a dataset's objects; the query over them."""
        self._kept[name] = dataset.bytes
        self._limit_spill()
        wanted = []
        for partition in dataset.partitions:
            path = "/".join(
                f"{field.name}={quote(partition.values[field.name], safe='')}"
                for field in dataset.partition_schema
            )
            folder = self._directory / name / path
            folder.mkdir(parents=True, exist_ok=True)
            wanted += [(data, folder) for data in partition.objects if data.rows]
        paths = [folder / f"{number:06d}.parquet" for number, (_, folder) in enumerate(wanted)]

        def one(index: int) -> Path:
            data, path = wanted[index][0], paths[index]
            # Another relation may have it, with other columns or other partition values.
            before = self._downloads.get((dataset.bucket, data))
            if before is not None and before.exists():
                os.link(before, path)
            else:
                objects.download(self._s3, dataset.bucket, data, path)
                self._downloads[dataset.bucket, data] = path
            return path

        with ThreadPoolExecutor(DOWNLOADS) as pool:
            files = list(pool.map(one, range(len(paths))))
        names = dataset.schema.names
        self._row_bytes[name] = max((wide_rows.row_bytes(path, names) for path in files), default=0)
        return _over_files(files, dataset)

    def _limit_spill(self) -> None:
        left = self._disk_bytes - sum(self._kept.values())
        if left < 0:
            raise OutOfResources(f"objects of {sum(self._kept.values())} bytes do not fit on the disk")
        # A statement: as an option of the connection DuckDB states this limit and does not keep to it.
        self._connection.execute(f"SET max_temp_directory_size = '{left}B'")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Tell a lack of memory or of disk from every other error."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise OutOfResources(str(error)) from error
        except OSError as error:
            if error.errno == errno.ENOSPC or _tells_of_resources(error):
                raise OutOfResources(str(error)) from error
            raise
        except (duckdb.Error, pa.ArrowException) as error:
            if _tells_of_resources(error):
                raise OutOfResources(str(error)) from error
            raise


def _over_files(paths: Sequence[Path], dataset: Dataset) -> str:
    """A query over files: columns by name, those that a file lacks empty, all of the stated types."""
    if not paths:
        columns = [
            f"CAST(NULL AS {sql_type(field.type)}) AS {field.name}"
            for field in [*dataset.schema, *dataset.partition_schema]
        ]
        return f"SELECT {', '.join(columns)} WHERE false"
    alike: dict[frozenset[str], list[Path]] = defaultdict(list)
    for path in paths:
        alike[frozenset(pq.read_schema(path).names)].append(path)
    return " UNION ALL ".join(_over_alike(names, files, dataset) for names, files in alike.items())


def _over_alike(names: frozenset[str], files: Sequence[Path], dataset: Dataset) -> str:
    columns = [
        _cast(field.name if field.name in names else "NULL", field.type, field.name)
        for field in dataset.schema
    ] + [_cast(field.name, field.type) for field in dataset.partition_schema]
    types = ", ".join(f"'{field.name}': {sql_type(field.type)}" for field in dataset.partition_schema)
    hive = f"hive_partitioning = true, hive_types = {{{types}}}" if types else "hive_partitioning = false"
    listed = ", ".join(_literal(str(path)) for path in files)
    return f"SELECT {', '.join(columns)} FROM read_parquet([{listed}], {hive})"


def _selected(query: str, destination: Destination) -> str:
    columns = [field.name for field in destination.schema]
    if destination.partition_by:
        columns.append(_cast(destination.partition_by, pa.string()))
    return f"SELECT {', '.join(columns)} FROM ({query}) AS wanted"


def _sorted_by(sort_keys: Iterable[str]) -> str:
    return ", ".join(f"{key} ASC NULLS FIRST" for key in sort_keys)


def _cast(value: str, arrow: pa.DataType, name: str = "") -> str:
    return f"CAST({value} AS {sql_type(arrow)}) AS {name or value}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tells_of_resources(error: Exception) -> bool:
    return any(phrase in str(error) for phrase in _OUT_OF_RESOURCES)
