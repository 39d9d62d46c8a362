"""A lake that a test fills commit by commit, and a warehouse to load it into."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.arrow import arrow_schema
from catalog.catalogue import Catalogue, load_catalogue
from catalog.glue import database_input, table_input
from catalog.model import Column, Contract
from glue_jobs import load_warehouse
from glue_jobs.lake import layout, objects
from glue_jobs.lake.commits import Commit, CommitLog, TableCommit
from glue_jobs.lake.rebuilds import Rebuilt
from glue_jobs.runtime import entry_point
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import Endpoint, create_endpoint

Row = dict[str, Any]
Job = subprocess.Popen[str]
FIRST_CAPTURE = datetime.fromisoformat("2026-01-01T08:00:00.123")


class World:
    """Buckets, commits and a warehouse of one test."""

    def __init__(
        self, endpoint: Endpoint, postgres: EmbeddedPostgres, database: str, folder: Path, name: str = ""
    ) -> None:
        self.endpoint = endpoint
        self.postgres = postgres
        self.database = database
        self.folder = folder
        self.catalogue: Catalogue = load_catalogue()
        self.s3 = endpoint.client("s3")
        self.ingestion, self.processed, self.secret = (
            f"{part}-{name or database}" for part in ("in", "out", "dsn")
        )
        for bucket in (self.ingestion, self.processed):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
            )
        self.endpoint.client("secretsmanager").create_secret(Name=self.secret, SecretString="{}")
        self.use_dsn(postgres.dsn(user="warehouse_loader", database=database))

    # ------------------------------------------------------------------ the warehouse

    def use_dsn(self, dsn: str) -> None:
        """Put another DSN in the secret."""
        self.endpoint.client("secretsmanager").put_secret_value(
            SecretId=self.secret, SecretString=json.dumps({"dsn": dsn})
        )

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A session of the superuser."""
        return psycopg.connect(self.postgres.dsn(database=self.database))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.connect() as connection:
            return connection.execute(statement.encode()).fetchall()

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, by its columns' names, in the order of its first column."""
        with self.connect() as connection:
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    # ------------------------------------------------------------------ the job

    @property
    def argv(self) -> list[str]:
        """The job's arguments as Glue passes them."""
        return [
            *("--ingestion_bucket", self.ingestion),
            *("--processed_bucket", self.processed),
            *("--warehouse_secret", self.secret),
            *("--WORKFLOW_NAME", "transform"),
        ]

    def start(self, *more: str, program: Sequence[str] = ("-m", "glue_jobs.load_warehouse")) -> Job:
        """The job as a process of its own, or another program with its arguments."""
        return subprocess.Popen(
            [sys.executable, *program, *self.argv, *more],
            env={**os.environ, **self.endpoint.environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *more: str) -> tuple[int, list[Row]]:
        """Run the job to its end in this process: exit code and log lines."""
        code = 0
        with (
            mock.patch.dict(os.environ, self.endpoint.environment()),
            contextlib.redirect_stdout(io.StringIO()) as out,
        ):
            try:
                entry_point.run(load_warehouse.JOB, load_warehouse.main, [*self.argv, *more])
            except SystemExit as ended:
                code = int(ended.code or 0)
        # How long it ran is the last that every job says.
        *lines, ran = (json.loads(line) for line in out.getvalue().splitlines())
        assert "seconds_run" in ran
        return code, lines

    # ------------------------------------------------------------------ the lake

    def another_lake(self) -> World:
        """A new, empty lake over the same warehouse."""
        return World(self.endpoint, self.postgres, self.database, self.folder, uuid4().hex[:12])

    def restore_to(self, stage: str, sequence: int) -> None:
        """Take the lake back to an older copy of itself: the later commits of a stage are gone."""
        log = CommitLog(self.s3, self.ingestion, stage)
        for commit in log.after(sequence):
            self.s3.delete_object(Bucket=self.ingestion, Key=log.key(commit.sequence))

    def commit(
        self,
        stage: str,
        tables: Mapping[str, Sequence[Row]],
        last_batch: int,
        first_batch: int | None = None,
        *,
        rebuild: bool = False,
    ) -> Commit:
        """Publish changes as the star jobs do."""
        files = {}
        for name, rows in tables.items():
            files[name] = self.folder / f"{uuid4().hex}.parquet"
            schema = arrow_schema(self.catalogue.star[name])
            pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), files[name])
        return self.commit_files(stage, files, last_batch, first_batch, rebuild=rebuild)

    def commit_files(
        self,
        stage: str,
        files: Mapping[str, Path],
        last_batch: int,
        first_batch: int | None = None,
        *,
        rebuild: bool = False,
    ) -> Commit:
        """Publish changes that are there as files."""
        log = CommitLog(self.s3, self.ingestion, stage)
        sequence, attempt = log.latest_sequence() + 1, layout.new_attempt()
        stated = {}
        for name, path in files.items():
            label = layout.version_label(sequence, attempt)
            key = f"{layout.changes_location(self.catalogue.star[name], label)}part-00000.parquet"
            rows = pq.read_metadata(path).num_rows
            changes = objects.upload(self.s3, self.processed, key, path, rows)
            stated[name] = TableCommit({"new": rows}, changes=(changes,))
        moment = layout.utc_now() if rebuild else captured_at(last_batch)
        commit = Commit(
            stage=stage,
            sequence=sequence,
            attempt=attempt,
            committed_at=layout.iso(moment),
            first_batch=first_batch or last_batch,
            last_batch=last_batch,
            tables=stated,
            state=Rebuilt(1, sequence).state if rebuild else {},
        )
        log.publish(commit)
        return commit

    def capture(self, batch: int) -> None:
        """Publish an empty capture, which says when its snapshot was taken."""
        at = layout.iso(captured_at(batch))
        CommitLog(self.s3, self.ingestion, "capture").publish(
            Commit("capture", batch, layout.new_attempt(), at, batch, batch, state={"captured_at": at})
        )

    def dimensions(self, batch: int = 1, keys: Sequence[int] = (1, 2, 3), *, rebuild: bool = False) -> Commit:
        """Commit rows of every dimension, and the calendar that the facts below need."""
        tables: dict[str, list[Row]] = {
            contract.table: [self.row(contract.table, batch, key) for key in keys]
            for contract in self.catalogue.star_of_kind("dimension")
        }
        tables["dim_date"] = [
            self.row("dim_date", batch, date_id=date(2026, 1, 1) + timedelta(days=n)) for n in range(31)
        ]
        return self.commit("dimensions", tables, batch, rebuild=rebuild)

    def row(self, table: str, batch: int, key: int = 1, **given: Any) -> Row:
        """A valid row: plain values everywhere but where the test gives its own.

        Args:
            table: The star table.
            batch: The capture that brought it.
            key: Its key; of a fact the business key and, unless given, its record.
            given: Other values by column.
        """
        contract = self.catalogue.star[table]
        row = {column.name: _plain(column) for column in contract.columns}
        row.update(dict.fromkeys(contract.key, key))
        row.update({column.name: key for column in contract.columns if column.record_id})
        row.update(batch_sequence=batch, captured_at=captured_at(batch), is_deleted=False)
        if contract.kind == "dimension":
            row["is_inferred"] = False
        assert set(given) <= set(row)
        return {**row, **given}

    def as_loaded(self, table: str, row: Row) -> Row:
        """The row as the warehouse gives it back: a time of day is a time there."""
        contract: Contract = self.catalogue.star[table]
        times = {c.name for c in contract.columns if c.type.name == "time"}
        moment = {n: datetime.strptime(row[n], "%H:%M:%S.%f").time() for n in times}  # noqa: DTZ007 - a time
        return {**row, **moment}


def captured_at(batch: int) -> datetime:
    """When a capture took its snapshot."""
    return FIRST_CAPTURE + timedelta(minutes=5 * batch)


def _plain(column: Column) -> Any:
    return {
        "integer": 1,
        "text": f"O'Keefe & Söhne, {column.name}",
        "boolean": True,
        "date": date(2026, 1, 5),
        "time": "09:30:00.250",
        "decimal": Decimal("2.50"),
    }[column.type.name]


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    # Not below pytest's own folder: another session of pytest would shut the server's user out of it.
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(folder, durable=False) as server:
        server.ensure_role("warehouse_loader")
        yield server


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    catalogue = load_catalogue()
    with create_endpoint(tmp_path_factory.mktemp("aws")) as found:
        glue = found.client("glue")
        for contract in catalogue.ops.values():
            if contract.table == "batch_records":
                glue.create_database(DatabaseInput=database_input(contract.zone_info))
                glue.create_table(
                    DatabaseName=contract.zone_info.database, TableInput=table_input(contract, "ops")
                )
        yield found


@pytest.fixture
def world(endpoint: Endpoint, postgres: EmbeddedPostgres, tmp_path: Path) -> World:
    database = postgres.ensure_database(f"w{uuid4().hex[:12]}", owner="warehouse_loader")
    return World(endpoint, postgres, database, tmp_path)
