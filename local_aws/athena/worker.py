"""The processes of queries: a small server that forks one for each, with its own limits.

Started by ``processes`` as ``python -m local_aws.athena.worker FD``. It imports what a query needs once, and
has a process ready for the next query, whose engine is open. It ends, and ends what it forked, when the other
end of its socket is closed.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from local_aws.athena import udfs
from local_aws.athena.catalog_reader import Partition, Table
from local_aws.athena.explain_plan import explain
from local_aws.athena.jobs import Counts, Done, Failure, Job, Source
from local_aws.athena.query_errors import Failed, QueryError
from local_aws.athena.query_results import save
from local_aws.athena.scan import ScanLog, open_partitions, open_table, with_keys
from local_aws.athena.writing import write_files

_TAKEN, _CLOSED = b"q", b"e"
"""What a process says to the server: a query was taken, or none will come any more."""
_ASKING = threading.Lock()
_BATCH_ROWS = 50_000
_THREADS = 2
_SHARE = 0.6
_ENDS = (duckdb.Error, QueryError, OSError, pa.ArrowInvalid, MemoryError)


def serve(control: socket.socket) -> None:
    """Have a process ready for the next connection that comes in, until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        heard, says = os.pipe()
        if os.fork() == 0:
            os.close(heard)
            _stand_by(control, says)
        os.close(says)
        # One that died before it heard of a query says nothing: then there is another in its place.
        word = os.read(heard, 1)
        os.close(heard)
        if word == _CLOSED:
            # Those that were forked die of it; this process ends as every other.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            return


def _stand_by(control: socket.socket, says: int) -> None:
    """Wait for a query, run it, from the job that is sent to the answer; the process ends with it."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        engine = open_engine()
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        os.write(says, _TAKEN if message else _CLOSED)
        os.close(says)
        control.close()
        if message:
            connection = Connection(descriptors[0])
            connection.send(os.getpid())
            job: Job = connection.recv()
            _limit(job.memory)
            connection.send(_answer(job, connection, engine))
        code = 0
    finally:
        os._exit(code)


def _limit(memory: int) -> None:
    """Let this process end before the machine's memory does, and before the stack's other processes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(ValueError, OSError):
        most = _data_held() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _data_held() -> int:
    """Bytes of address space that this process holds before its query."""
    found = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def _answer(job: Job, connection: Connection, engine: duckdb.DuckDBPyConnection) -> Done | Failure:
    log, swap = ScanLog(job.scan_limit), job.scratch / "swap"
    try:
        confine(engine, swap, job.memory)
        return execute(job, log, lambda location: _files(connection, location), engine)
    except _ENDS as error:
        # What a scan refused comes back wrapped by DuckDB: the refusal itself says more.
        cause = log.error or error
        return _failure(cause, log)
    except Exception as error:  # noqa: BLE001  # whatever it is, the query has failed and says so
        return _failure(log.error or error, log)
    finally:
        shutil.rmtree(swap, ignore_errors=True)


def _failure(error: Exception, log: ScanLog) -> Failure:
    counts = Counts(log.bytes, log.rows)
    if isinstance(error, QueryError):
        return Failure(error.name, error.message, error.cancelled, counts=counts)
    if isinstance(error, MemoryError):
        return Failure("EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded its memory limit", counts=counts)
    if isinstance(error, duckdb.Error):
        told = explain(error)
        unforeseen = (
            "" if told.name != "GENERIC_INTERNAL_ERROR" else "".join(traceback.format_exception(error))
        )
        return Failure(told.name, told.message, traceback=unforeseen, counts=counts)
    text = "".join(traceback.format_exception(error))
    return Failure(
        "GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", traceback=text, counts=counts
    )


def _files(connection: Connection, location: str) -> list[tuple[str, Path]]:
    """The data files under a location, as the stack lists them."""
    with _ASKING:  # several scans of one query ask from threads of their own
        connection.send(("files", location))
        answer = connection.recv()
    if isinstance(answer, Failure):
        raise QueryError(answer.name, answer.message)
    return list(answer)


def execute(job: Job, log: ScanLog, files: Any, engine: duckdb.DuckDBPyConnection) -> Done:
    """Run a job in this process.

    Args:
        job: The job.
        log: What is read.
        files: From a location to its data files.
        engine: An open engine, see :func:`open_engine`, that nobody else uses now.

    Raises:
        QueryError: It fails.
    """
    job.scratch.mkdir(parents=True, exist_ok=True)
    refused: list[Failed] = []
    udfs.register(engine, job.functions, refused)
    for name, source in job.sources.items():
        engine.register(name, _data(source, engine, files, log))
    if job.explain:
        rows = engine.execute(f"{job.explain} {job.sql}").fetchall()
        lines = [line for row in rows for line in str(row[1]).splitlines()]
        return Done(counts=Counts(log.bytes, log.rows), lines=lines)
    reader = engine.execute(job.sql).fetch_record_batch(_BATCH_ROWS)
    if job.writing is not None:
        count, written = write_files(_batches(reader), job.columns, job.writing, job.scratch / "files")
    else:
        assert job.result is not None  # noqa: S101  # one or the other is stated
        count, written = save(_batches(reader), job.columns, job.result), []
    if refused:
        raise QueryError(refused[0].name, refused[0].message)
    return Done(count, Counts(log.bytes, log.rows), written)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return


def open_engine() -> duckdb.DuckDBPyConnection:
    """An engine for one query; :func:`confine` it before that runs."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": _THREADS,
            "max_temp_directory_size": "10GiB",
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'; SET max_expression_depth = 5000")
    return connection


def confine(engine: duckdb.DuckDBPyConnection, swap: Path, memory: int) -> None:
    """State what a query may take, and that it reaches nothing but what it is given.

    Args:
        engine: The engine; this can be done once.
        swap: Where it puts what it has no memory for.
        memory: Bytes that its process may take.
    """
    engine.execute(f"SET GLOBAL memory_limit = '{int(memory * _SHARE / 1024**2)}MiB'")
    engine.execute("SET GLOBAL temp_directory = '" + str(swap).replace("'", "''") + "'")
    engine.execute("SET GLOBAL enable_external_access = false")


def _data(source: Source, connection: duckdb.DuckDBPyConnection, files: Any, log: ScanLog) -> Any:
    table = source.scan.table
    if source.rows is not None:
        return pa.Table.from_pylist(
            [dict(zip(source.rows.names, row, strict=True)) for row in source.rows.rows], table.schema()
        )
    partitions = list(source.partitions)
    if source.scan.condition:
        partitions = _that_fulfil(source, partitions, connection)
    if source.scan.view == "partitions":
        return open_partitions(table, partitions)
    return open_table(table, partitions, files, log)


def _that_fulfil(
    source: Source, partitions: list[Partition], connection: duckdb.DuckDBPyConnection
) -> list[Partition]:
    """The partitions whose values fulfil a condition, as DuckDB evaluates it."""
    table: Table = source.scan.table
    connection.register("#partitions", with_keys(table, partitions))
    kept = connection.execute(
        f'SELECT "#" FROM "#partitions" AS {source.scan.alias} WHERE {source.scan.condition} ORDER BY 1'  # noqa: S608
    ).fetchall()
    connection.unregister("#partitions")
    return [partitions[place] for (place,) in kept]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
