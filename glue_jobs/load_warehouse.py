"""Glue Python shell job: the star zone's changes into the warehouse.

Loads every commit that waits, all tables in one transaction; run twice it does nothing the second time, and
killed at any point it leaves the warehouse as it was. The last job of *transform_large*.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import boto3

from catalog.catalogue import load_catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.warehouse.load_run import load_what_waits
from glue_jobs.warehouse.schema import parse_alterations

JOB = "load_warehouse"


@dataclass(frozen=True)
class LoadArguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Holds the commits.
        processed_bucket: Holds the star zone.
        warehouse_secret: Names the secret with the warehouse's DSN.
        warehouse_schema: The PostgreSQL schema of the tables.
        alter_warehouse: Columns that this load may add to the warehouse, or let be empty, each as
            ``table.column``; none unless stated.
    """

    ingestion_bucket: str
    processed_bucket: str
    warehouse_secret: str
    warehouse_schema: str = WAREHOUSE_SCHEMA
    alter_warehouse: str = ""


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: Its arguments, without the script.

    Returns:
        The exit code, 0.
    """
    given = arguments.parse(LoadArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    secrets_manager = boto3.client("secretsmanager")
    allowed = parse_alterations(given.alter_warehouse)
    return load_what_waits(
        lake, secrets_manager, given.warehouse_secret, load_catalogue(), given.warehouse_schema, allowed
    )


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
