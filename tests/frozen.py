"""A lake, its source and its warehouse as a release of format 2 left them, with all that can be open in them.

``tests/fixtures/format_2/README.md`` says what is in them. A server that they are restored on is another one
than the captures know, so that the next capture takes every table in full, and equal rows make no versions.
"""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glue_jobs.lake.catalog_check import restore_partitions
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults.pipeline import LOADER, READER, Pipeline
from tests.lake import lake
from totesys.database import grant_reader

FOLDER = Path(__file__).resolve().parent / "fixtures" / "format_2"

_numbers = itertools.count()


def archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file in an archive."""
    with tarfile.open(path) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                yield member.name, file.read()


@contextmanager
def frozen_pipeline(server: EmbeddedPostgres, folder: Path, monkeypatch: Any) -> Iterator[Pipeline]:
    """A pipeline in the state that the release left, on databases of its own.

    Args:
        server: Has the roles of reader and loader.
        folder: Where its lake lies.
        monkeypatch: Has jobs that run meanwhile work on it.
    """
    databases = [f"frozen_{name}_{next(_numbers)}" for name in ("source", "warehouse")]
    with lake(folder, monkeypatch) as copy:
        for zone in copy.buckets:
            for key, body in archived(FOLDER / f"{zone}.tar.xz"):
                path = copy.folder(zone) / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
        restore_partitions(copy.clients, copy.catalogue)
        for database, owner in zip(databases, ("postgres", LOADER), strict=True):
            server.ensure_database(database, owner=owner)
            with server.connect(database) as connection:
                connection.execute(f'SET ROLE "{owner}"'.encode())
                connection.execute((FOLDER / f"{database.split('_')[1]}.sql").read_bytes())
        grant_reader(server.dsn(database=databases[0]), READER)
        try:
            yield Pipeline(copy, server, *databases)
        finally:
            with server.connect() as connection:
                for database in databases:
                    connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())
