"""A small totesys, and a world around it in which everything agrees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from catalog.catalogue import load_catalogue
from local_stack.aws.app import create_endpoint
from local_stack.postgres import EmbeddedPostgres
from local_stack.totesys import database, generator
from tests.integration.glue_jobs.reconciliation.world import World

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
    """A fresh copy of the source, with a lake and a warehouse that hold it."""
    with server.connect("postgres") as connection:
        for name in ("source", "warehouse"):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute("CREATE DATABASE source TEMPLATE template_totesys OWNER owner")
        connection.execute("CREATE DATABASE warehouse OWNER owner")
    endpoint = create_endpoint(tmp_path / "aws")
    endpoint.start()
    try:
        s3 = endpoint.client("s3")
        buckets = {"ingestion": "reconcile-ingestion", "processed": "reconcile-processed"}
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        yield World(
            server.dsn(user="owner", database="source"),
            server.dsn(user="owner", database="warehouse"),
            s3,
            buckets,
            tmp_path,
            load_catalogue(),
            endpoint.environment(),
        )
    finally:
        endpoint.stop()


@pytest.fixture
def settled(world: World) -> World:
    """A world in which everything has been captured, built and loaded."""
    world.run()
    return world
