"""Capture tables whose keys are texts.

The same table twice on an embedded PostgreSQL, of few columns, with a `bigint` key and with a random `uuid`
one. Four captures follow one another in a process: the first, one that finds nothing, one of a thousand
changed rows, and one after which a row is gone. Files and live keys go to the local disk. The goal is at
most 1.5 times what the table with the `bigint` key takes, within the job's 1 GB.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bench.extract import GLUE_PYTHON, ROOT
from bench.harness import Case, Row, against, run
from bench.options import Options

PROMISE = 1.5
CHANGED = 1_000
AT = "timestamp '2024-01-01' + i % 1000000 * interval '1 minute'"
PHASES: Mapping[str, str] = {
    "first": "the first capture",
    "idle": "one that finds nothing",
    "changed": "a thousand changed rows",
    "gone": "a row is gone",
}
KINDS: Mapping[str, tuple[str, str]] = {"bigint": ("bigint", "i"), "text": ("uuid", "md5(i::text)::uuid")}
"""By the type of the key in the contract, its type in the source, and what fills it."""


def fill(dsn: str, rows: int) -> None:
    """Make both tables."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        for kind, (declared, value) in KINDS.items():
            statements = (
                f"CREATE UNLOGGED TABLE by_{kind} (id {declared}, n int NOT NULL, at timestamp(3) NOT NULL)",
                f"INSERT INTO by_{kind} SELECT {value}, i % 1000, {AT} FROM generate_series(1, {rows}) i",  # noqa: S608
                f"ALTER TABLE by_{kind} ADD PRIMARY KEY (id)",
                f"VACUUM (ANALYZE, FREEZE) by_{kind}",
            )
            for statement in statements:
                connection.execute(statement.encode())


def one(kind: str, dsn: str) -> None:
    """What a measured process does: the captures of one table."""
    import psycopg
    from pyroaring import BitMap64

    from bench.extract import peak_mb
    from catalog.catalogue import load_catalogue
    from catalog.model import Contract, attach_zone
    from glue_jobs.lake.commits import DataObject
    from glue_jobs.lake.live_keys import KeyStore
    from glue_jobs.lake.source_state import CaptureState
    from glue_jobs.lake.state_objects import StateObject
    from glue_jobs.sources.capture import TableCapture, capture
    from glue_jobs.sources.postgres_source import Source
    from glue_jobs.sources.quarantine import DeadLetters

    catalogue, table = load_catalogue(), f"by_{kind}"
    kinds = {"id": kind, "n": "integer", "at": "timestamp"}
    columns = [{"name": n, "type": t, "nullable": False, "description": "x"} for n, t in kinds.items()]
    stated = {"table": table, "zone": "raw", "version": "1.0.0", "owner": "x", "grain": "x", "key": ["id"]}
    contract = attach_zone(Contract.model_validate({**stated, "columns": columns}), catalogue.zones["raw"])
    letters = DeadLetters(catalogue.dead_letter["held_rows"], lambda *_: None)

    class Disk(KeyStore):
        """Keys on the local disk."""

        def __init__(self, folder: Path) -> None:
            super().__init__(cast("Any", None), "")
            self._folder = folder

        def live(self, kept: Any) -> Any:
            return BitMap64() if kept is None else BitMap64.deserialize(Path(kept.key).read_bytes())

        def download(self, kept: StateObject, folder: Path) -> list[Path]:  # noqa: ARG002
            return [Path(data.key) for data in kept.parts]

        def keep_texts(
            self,
            table: str,  # noqa: ARG002
            label: str,
            path: Path,
            rows: int,
            count: int,
            before: Any = (),
        ) -> StateObject:
            target = self._folder / f"{label}.parquet"
            shutil.copyfile(path, target)
            data = DataObject(str(target), rows, target.stat().st_size, "")
            return StateObject(str(target), "", count, (*before, data))

        def keep(self, label: str, found: TableCapture) -> StateObject:
            if isinstance(found.live, StateObject):
                return found.live
            keys = found.live or BitMap64()
            target = self._folder / f"{label}.roaring"
            target.write_bytes(keys.serialize())
            return StateObject(str(target), "", len(keys))

    def change(statement: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    before = {
        "changed": f"UPDATE {table} SET n = n + 1 WHERE ctid IN (SELECT ctid FROM {table} LIMIT {CHANGED})",  # noqa: S608
        "gone": f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})",  # noqa: S608
    }
    state, deletes = CaptureState(), 0
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Disk(Path(folder))
        for phase in PHASES:
            if phase in before:
                change(before[phase])
            place = Path(folder, phase)
            began = time.perf_counter()
            with Source(dsn, [table], "public") as opened:
                found = capture(
                    opened, [contract], {table: state}, store, place, lambda *_: None, letters, label=phase
                ).tables[table]
                snapshot = opened.snapshot
            kept = store.keep(phase, found) if found.live_changed else cast("StateObject", state.live_keys)
            seconds[phase] = time.perf_counter() - began
            shutil.rmtree(place, ignore_errors=True)
            deletes += found.deletes
            state = CaptureState(
                snapshot.xmin,
                snapshot.xmax,
                snapshot.source,
                found.structure,
                kept,
                server_starts=(snapshot.server_started,),
            )
    exact = "yes" if deletes == 1 else f"{deletes} deletions"
    print(json.dumps({"phases": seconds, "seconds": 0, "exact": exact, "peak_mb": peak_mb()}))


def rows(options: Options) -> list[Row]:
    """Measure both tables, on Glue's own Python where it is there."""
    from lakehouse.embedded_postgres import EmbeddedPostgres

    python = str(GLUE_PYTHON if GLUE_PYTHON.exists() else sys.executable)
    found: dict[tuple[str, str], Row] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(folder, durable=False, settings={"shared_buffers": "512MB"}) as server,
    ):
        server.ensure_database("keys")
        fill(server.dsn(database="keys"), options.rows)
        for kind, (declared, _) in KINDS.items():
            command = [python, "-m", "bench.keys", "--one", kind, server.dsn(database="keys")]
            told, _ = run(Case(kind, command, {"PYTHONPATH": str(ROOT)}))
            for phase, seconds in cast("dict[str, float]", told["phases"]).items():
                name, peak = f"{declared}: {PHASES[phase]}", cast("float", told["peak_mb"])
                found[phase, kind] = Row(name, seconds, peak, str(told["exact"]))
    for phase in PHASES:
        by_number, by_text = found[phase, "bigint"], found[phase, "text"]
        note = against(by_text, by_number, PROMISE)
        found[phase, "text"] = Row(by_text.name, by_text.seconds, by_text.peak_mb, by_text.exact, note)
    return list(found.values())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3])
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(
                f"{row.name:40} {row.seconds:8.2f} s {row.peak_mb or 0:8.0f} MiB  {row.exact:20} {row.note}"
            )
