"""A small totesys, and a world around it in which everything agrees."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.catalog_check import restore_partitions
from glue_jobs.reconciliation.views import Athena
from lakehouse.daemon import add_athena
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.local_deployment import deploy_athena, deploy_tables
from local_aws.endpoint.app import create_endpoint
from tests.integration.glue_jobs.reconciliation.world import World
from totesys import database, generator

ORDERS = 60
DATABASES = {"source": "template_shop", "warehouse": "template1"}
"""Each world's databases, and what they are copies of before anything has run."""

OIDS = {"source": 4_000_000_001, "warehouse": 4_000_000_002}
"""Their identities, the same in every world: a copy under another one is another source."""


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server with a small totesys to copy."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(f"{folder}/pg", durable=False) as running:
        running.ensure_role("owner")
        running.ensure_database("template_shop", owner="owner")
        dsn = running.dsn(user="owner", database="template_shop")
        database.create(dsn)
        generator.generate(dsn)
        with psycopg.connect(dsn) as connection:
            connection.execute("DELETE FROM payment WHERE payment_id > %s", [ORDERS])
            connection.execute("DELETE FROM transaction WHERE transaction_id > %s", [ORDERS])
            for table in ("sales_order", "purchase_order"):
                connection.execute(
                    sql.SQL(
                        "DELETE FROM {0} WHERE {1} NOT IN (SELECT {1} FROM transaction WHERE {1} IS NOT NULL)"
                    ).format(sql.Identifier(table), sql.Identifier(f"{table}_id"))
                )
        yield running


@pytest.fixture(scope="session")
def base(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The buckets of a world in which everything agrees; its databases are kept as templates."""
    folder = tmp_path_factory.mktemp("base")
    with new_world(server, folder) as made:
        made.run()
        for name in made.buckets.values():
            shutil.copytree(folder / "aws" / "s3" / name, folder / "buckets" / name)
    with server.connect("postgres") as connection:
        for name in DATABASES:
            connection.execute(f"CREATE DATABASE settled_{name} TEMPLATE {name} OWNER owner".encode())
    return folder / "buckets"


@pytest.fixture
def world(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[World]:
    """A fresh copy of the source, with an empty lake and an empty warehouse."""
    with new_world(server, tmp_path) as made:
        yield made


@pytest.fixture
def settled(server: EmbeddedPostgres, base: Path, tmp_path: Path) -> Iterator[World]:
    """A world in which everything has been captured, built and loaded."""
    with new_world(server, tmp_path, base) as made:
        yield made


@pytest.fixture
def shown(server: EmbeddedPostgres, base: Path, tmp_path: Path) -> Iterator[World]:
    """A settled world whose catalog shows the star, with an Athena that is asked, too."""
    with new_world(server, tmp_path, base, with_athena=True) as made:
        yield made


@contextmanager
def new_world(
    server: EmbeddedPostgres, tmp_path: Path, base: Path | None = None, *, with_athena: bool = False
) -> Iterator[World]:
    """A world of its own: with an empty lake and warehouse, or in the state of a base."""
    with server.connect("postgres") as connection:
        for name, fresh in DATABASES.items():
            connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
            template = f"settled_{name}" if base else fresh
            made_of = f"TEMPLATE {template} OWNER owner OID {OIDS[name]}"
            connection.execute(f"CREATE DATABASE {name} {made_of}".encode())
    endpoint = create_endpoint(tmp_path / "aws")
    with ExitStack() as parts:
        if with_athena:
            parts.callback(add_athena(endpoint, tmp_path / "athena").close)
        endpoint.start()
        parts.callback(endpoint.stop)
        s3 = endpoint.client("s3")
        buckets = {"ingestion": "reconcile-ingestion", "processed": "reconcile-processed"}
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        world = World(
            server.dsn(user="owner", database="source"),
            server.dsn(user="owner", database="warehouse"),
            s3,
            buckets,
            tmp_path,
            load_catalogue(),
            endpoint.environment(),
        )
        if with_athena:
            results = {**buckets, "athena_results": "reconcile-results"}
            s3.create_bucket(
                Bucket=results["athena_results"],
                CreateBucketConfiguration={"LocationConstraint": endpoint.region},
            )
            world.glue = endpoint.client("glue")
            deploy_tables(world.glue, world.catalogue, buckets)
            deploy_athena(endpoint.client("athena"), world.catalogue, load_pipeline(), results)
            world.athena = Athena(endpoint.client("athena"), load_pipeline().athena.work_group)
        if base:
            for name in buckets.values():
                shutil.copytree(base / name, endpoint.bucket_dir(name), dirs_exist_ok=True)
            world.batch = 1
            if world.glue is not None:
                restore_partitions(world.clients, world.catalogue)
        yield world
