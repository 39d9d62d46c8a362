"""A lake and a warehouse that the last release with format 1 wrote, in several moments; and its source.

``tests/fixtures/format_1/README.md`` says what is in them. A capture goes on only from the server, the tables
and the transaction ids that it knows. Restored tables are others, so their identities take the place of the
old ones in the captures' commits, and the restored server's next transaction id is later than any of theirs.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.lake.catalog_check import restore_partitions
from glue_jobs.sources import structure
from glue_jobs.sources.postgres_source import Source, SourceTable
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults.pipeline import LOADER, READER, Pipeline
from tests.faults.servers import age
from tests.frozen import archived
from tests.lake import MakeEngine, embedded, lake
from tests.small_shop import grant_reader, server_folder

FOLDER = Path(__file__).resolve().parent / "fixtures" / "format_1"

MOMENTS = ("captured", "awaiting_approval", "approved", "validated", "built", "rebuild_requested")
"""What the release did last; each moment has all objects of the ones before it."""

SOURCE, WAREHOUSE = "format_1_source", "format_1_warehouse"

_numbers = itertools.count()


@dataclass(frozen=True)
class Restored:
    """A server with source and warehouse as the release left them.

    Attributes:
        server: The server; the two databases are templates that nobody uses.
        identities: What names its cluster and its tables, by what named them when they were captured.
    """

    server: EmbeddedPostgres
    identities: Mapping[str, str]


def objects(zone: str, moment: str = MOMENTS[-1]) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of each object that a bucket held at a moment."""
    for name, body in archived(FOLDER / f"{zone}.tar.xz"):
        written, _, key = name.partition("/")
        if MOMENTS.index(written) <= MOMENTS.index(moment):
            yield key, body


def documents(stage: str) -> list[dict[str, Any]]:
    """The commits of a stage as they are stored, in order."""
    found = {key: body for key, body in objects("ingestion") if key.startswith(f"_commits/{stage}/")}
    return [json.loads(found[key]) for key in sorted(found)]


@contextmanager
def restored_server() -> Iterator[Restored]:
    """A server with source and warehouse, whose next transaction is later than the last capture."""
    with server_folder() as folder, EmbeddedPostgres(folder, durable=False) as server:
        for role in (READER, LOADER):
            server.ensure_role(role)
        for database, role, name in ((SOURCE, "postgres", "source"), (WAREHOUSE, LOADER, "warehouse")):
            server.ensure_database(database, owner=role)
            with server.connect(database) as connection:
                connection.execute(f'SET ROLE "{role}"'.encode())
                connection.execute((FOLDER / f"{name}.sql").read_bytes())
        grant_reader(server.dsn(database=SOURCE), READER)
        newest = documents("capture")[-1]["state"]
        age(server, newest["high"] + 10)
        with server.connect(SOURCE) as owner:
            # Rows of a paused table are still to be captured: they are newer than the table's last capture.
            owner.execute("UPDATE department SET location = location WHERE department_id IN (2, 3, 4)")
        yield Restored(server, _identities(server, newest))


def _replaced(body: bytes, names: Mapping[str, str]) -> bytes:
    for old, new in names.items():
        body = body.replace(old.encode(), new.encode())
    return body


def _identities(server: EmbeddedPostgres, newest: Mapping[str, Any]) -> dict[str, str]:
    """What names the restored cluster and its tables, by what the newest capture's state says."""
    catalogue, tables = load_catalogue(), newest["tables"]
    with server.connect(SOURCE) as owner:
        found = {tables["department"]["held"]["conflict"]: structure.digest(_structure(server)["department"])}
        # The column that was renamed has its old name for as long as it takes to look.
        owner.execute("ALTER TABLE department RENAME head TO manager")
        for name, declared in _structure(server).items():
            found[tables[name]["structure"]] = structure.fingerprint(catalogue.raw[name], declared)
        owner.execute("ALTER TABLE department RENAME manager TO head")
        row = owner.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    assert row is not None
    return {**found, str(newest["system_id"]): str(row[0])}


def _structure(server: EmbeddedPostgres) -> Mapping[str, SourceTable]:
    with Source(server.dsn(READER, SOURCE), load_catalogue().raw, "public") as source:
        return source.tables


@contextmanager
def format_1_pipeline(
    moment: str,
    restored: Restored,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: MakeEngine = embedded,
) -> Iterator[Pipeline]:
    """A pipeline in the state that the release left at a moment, on databases of its own."""
    with lake(folder, monkeypatch, engine) as copy:
        for zone in copy.buckets:
            for key, body in objects(zone, moment):
                path = copy.folder(zone) / key
                path.parent.mkdir(parents=True, exist_ok=True)
                named = restored.identities if key.startswith("_commits/capture/") else {}
                path.write_bytes(_replaced(body, named))
        restore_partitions(copy.clients, copy.catalogue)
        number = next(_numbers)
        databases = [f"{name}_{number}" for name in (SOURCE, WAREHOUSE)]
        with restored.server.connect() as connection:
            for database, template, owner in zip(
                databases, (SOURCE, WAREHOUSE), ("postgres", LOADER), strict=True
            ):
                statement = f'CREATE DATABASE "{database}" TEMPLATE "{template}" OWNER "{owner}"'
                connection.execute(statement.encode())
        yield Pipeline(copy, restored.server, databases[0], databases[1])
