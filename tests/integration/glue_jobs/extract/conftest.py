"""A source database, a lake and the job between them, for one test each."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.catalogue import Catalogue, load_catalogue
from catalog.glue import database_input, table_input
from catalog.model import Contract, attach_zone
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, DataObject
from glue_jobs.lake.objects import open_verified
from glue_jobs.runtime import log
from glue_jobs.sources import capture_run
from glue_jobs.sources.mass_deletes import MassDeletes
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.local_deployment import deploy_schemas
from local_aws.endpoint.app import Endpoint, create_endpoint
from tests.small_shop import small_server

Row = dict[str, Any]
READER = "shop_reader"
WORKFLOW = "transform"
LINEAGE = {"operation", "version_id", "captured_at", "unrepresentable"}
_numbers = itertools.count()


class World:
    """One source database, one pair of buckets, and the job between them."""

    def __init__(self, endpoint: Endpoint, postgres: EmbeddedPostgres, database: str) -> None:
        self.endpoint = endpoint
        self.postgres = postgres
        self.database = database
        self.catalogue: Catalogue = load_catalogue()
        self.registry = load_pipeline().registries["raw"]
        self.given = capture_run.ExtractArguments(
            f"in-{database}", f"out-{database}", f"dsn-{database}", self.registry.name, WORKFLOW, "public"
        )
        self._s3, self._glue = endpoint.client("s3"), endpoint.client("glue")
        self.manager = endpoint.client("secretsmanager")
        self.own_registry = f"registry_{database}"
        for bucket in (self.given.ingestion_bucket, self.given.processed_bucket):
            self.clients.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
            )
        self.manager.create_secret(Name=self.given.source_secret, SecretString="{}")
        self.use_dsn(postgres.dsn(user=READER, database=database))

    # ------------------------------------------------------------------ the source

    def use_dsn(self, dsn: str) -> None:
        self.manager.put_secret_value(
            SecretId=self.given.source_secret, SecretString=json.dumps({"dsn": dsn})
        )

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.postgres.dsn(database=self.database), autocommit=autocommit)

    def sql(self, statements: str) -> None:
        """Run statements as the owner, each its own transaction unless they say otherwise."""
        with self.connect() as connection:
            connection.execute(statements.encode())

    def source_rows(self, table: str) -> list[Row]:
        contract = self.catalogue.raw[table]
        columns = ", ".join(f'"{column.name}"' for column in contract.columns)
        with self.connect() as connection:
            cursor = connection.execute(f'SELECT {columns} FROM "{table}" ORDER BY 1'.encode())
            return [
                dict(zip((c.name for c in contract.columns), row, strict=True)) for row in cursor.fetchall()
            ]

    # ------------------------------------------------------------------ what was written

    def check(self, named: Iterable[DataObject]) -> None:
        """Read objects through, against what their commit says of them."""
        for data in named:
            with open_verified(self.clients.s3, self.given.ingestion_bucket, data):
                pass

    # ------------------------------------------------------------------ the contracts

    def publish(self, table: str, change: Callable[[Row], Row]) -> None:
        """Change a table's contract, and register all of them in a registry of this world's own."""
        catalogue = self.catalogue
        stated = change(catalogue.raw[table].model_dump())
        contract = attach_zone(Contract.model_validate(stated), catalogue.zones["raw"])
        self.catalogue = replace(catalogue, raw={**catalogue.raw, table: contract})
        registry = self.registry.model_copy(update={"name": self.own_registry})
        deploy_schemas(self.clients.glue, self.catalogue, registry)
        self.given = replace(self.given, schema_registry=registry.name)

    # ------------------------------------------------------------------ the job

    def run(self, **changed: Any) -> list[Row]:
        """Run the job and return its log lines.

        Raises:
            UserError: What the job raised.
        """
        given = capture_run.ExtractArguments(**{**vars(self.given), **changed})
        log.start(capture_run.JOB, [])
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                # What the job knows by itself is the first contracts; the registry has the newest.
                assert capture_run.run(given, self.clients, self.manager, load_catalogue()) == 0
            finally:
                self.output = out.getvalue()
        return [json.loads(line) for line in self.output.splitlines()]

    # ------------------------------------------------------------------ the lake

    @property
    def clients(self) -> LakeClients:
        """The lake's clients, new ones for each run, as each job makes its own."""
        return LakeClients(self._s3, self._glue, self.given.ingestion_bucket, self.given.processed_bucket)

    @property
    def commits(self) -> CommitLog:
        return CommitLog(self.clients.s3, self.given.ingestion_bucket, "capture")

    @property
    def deletes(self) -> MassDeletes:
        return MassDeletes(self.clients.s3, self.given.ingestion_bucket)

    def latest(self) -> Commit:
        commit = self.commits.latest()
        assert commit is not None
        return commit

    def rows(self, table: str, batch: int) -> list[Row]:
        """What a batch published of a table, read back object by object as its commit names them."""
        commit = self.commits.get(batch)
        assert commit is not None
        if table not in commit.tables:
            return []
        partitions = commit.tables[table].partitions
        found = [
            row for part in partitions for data in part.objects for row in self._read(data.key).to_pylist()
        ]
        key = self.catalogue.raw[table].key[0]
        return sorted(found, key=lambda row: (row[key] is None, row[key]))

    def operations(self, batch: int) -> dict[str, list[tuple[str, int]]]:
        """By table, what a batch says happened to which key."""
        commit = self.commits.get(batch)
        assert commit is not None
        return {
            table: [
                (row["operation"], row[self.catalogue.raw[table].key[0]]) for row in self.rows(table, batch)
            ]
            for table, published in commit.tables.items()
            if published.partitions
        }

    def letters(self, table: str, batch: int) -> list[Row]:
        """What a batch set aside of a table, read back object by object as its commit names them."""
        commit = self.commits.get(batch)
        assert commit is not None
        if table not in commit.tables:
            return []
        partitions = commit.tables[table].dead_letters
        found = [
            row for part in partitions for data in part.objects for row in self._read(data.key).to_pylist()
        ]
        return sorted(found, key=lambda row: (row["source_key"] or "", row["version_id"]))

    def current(self, table: str) -> list[Row]:
        """The lake's current rows: the latest version of each key that is not deleted."""
        key = self.catalogue.raw[table].key[0]
        rows: dict[int, Row] = {}
        for batch in range(1, self.commits.latest_sequence() + 1):
            for row in self.rows(table, batch):
                if row["operation"] == "delete":
                    rows.pop(row[key], None)
                else:
                    rows[row[key]] = {name: value for name, value in row.items() if name not in LINEAGE}
        return [rows[number] for number in sorted(rows)]

    def assert_lake_equals_source(self) -> None:
        for table in self.catalogue.raw:
            assert self.current(table) == self.source_rows(table), table

    def keys(self, prefix: str = "") -> set[str]:
        """The objects in the ingestion bucket."""
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.given.ingestion_bucket, Prefix=prefix
        )
        return {found["Key"] for page in pages for found in page.get("Contents", ())}

    def heartbeats(self) -> list[Row]:
        found = [self._read(key).to_pylist() for key in sorted(self.keys("ops/heartbeats/"))]
        return sorted((row for rows in found for row in rows), key=lambda row: row["captured_at"])

    def _read(self, key: str) -> pa.Table:
        body = self.clients.s3.get_object(Bucket=self.given.ingestion_bucket, Key=key)["Body"].read()
        return pq.read_table(io.BytesIO(body), partitioning=None)


@pytest.fixture(scope="session")
def source_server() -> Iterator[EmbeddedPostgres]:
    with small_server(READER) as server:
        yield server


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    catalogue = load_catalogue()
    with create_endpoint(tmp_path_factory.mktemp("aws")) as made:
        glue = made.client("glue")
        for zone in catalogue.zones.values():
            glue.create_database(DatabaseInput=database_input(zone))
        for contract in catalogue.tables:
            stated: Mapping[str, Any] = table_input(contract, "anywhere")
            glue.create_table(DatabaseName=contract.zone_info.database, TableInput=stated)
        glue.create_workflow(Name=WORKFLOW)
        deploy_schemas(glue, catalogue, load_pipeline().registries["raw"])
        yield made


def new_database(server: EmbeddedPostgres) -> str:
    """A small shop of its own."""
    database = f"shop{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {database} TEMPLATE small".encode())
    return database


@pytest.fixture
def world(source_server: EmbeddedPostgres, endpoint: Endpoint) -> Iterator[World]:
    database = new_database(source_server)
    world = World(endpoint, source_server, database)
    yield world
    if world.given.schema_registry == world.own_registry:
        world.clients.glue.delete_registry(RegistryId={"RegistryName": world.own_registry})
    with source_server.connect() as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())
