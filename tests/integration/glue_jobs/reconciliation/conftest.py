"""A small totesys, and a world around it in which everything agrees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.reconciliation.views import Athena
from lakehouse.daemon import add_athena
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.local_deployment import deploy_athena, deploy_tables
from local_aws.endpoint.app import create_endpoint
from tests.integration.glue_jobs.reconciliation.world import World
from totesys import database, generator

ORDERS = 60


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server with a small totesys to copy."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(f"{folder}/pg", durable=False) as running:
        running.ensure_role("owner")
        running.ensure_database("template_totesys", owner="owner")
        dsn = running.dsn(user="owner", database="template_totesys")
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


@pytest.fixture
def world(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[World]:
    """A fresh copy of the source, with an empty lake and an empty warehouse."""
    with new_world(server, tmp_path) as made:
        yield made


@pytest.fixture
def shown(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[World]:
    """A settled world whose catalog shows the star, with an Athena that is asked, too."""
    with new_world(server, tmp_path, with_athena=True) as made:
        made.run()
        yield made


@contextmanager
def new_world(server: EmbeddedPostgres, tmp_path: Path, *, with_athena: bool = False) -> Iterator[World]:
    with server.connect("postgres") as connection:
        for name in ("source", "warehouse"):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute("CREATE DATABASE source TEMPLATE template_totesys OWNER owner")
        connection.execute("CREATE DATABASE warehouse OWNER owner")
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
        yield world


@pytest.fixture
def settled(world: World) -> World:
    """A world in which everything has been captured, built and loaded."""
    world.run()
    return world
