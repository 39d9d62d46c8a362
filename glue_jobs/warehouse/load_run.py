"""What the jobs that load do: load what waits, then report it to the lake."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import log
from glue_jobs.runtime.aws import SecretsManagerClient
from glue_jobs.runtime.secrets import with_dsn
from glue_jobs.warehouse.load import load
from glue_jobs.warehouse.load_report import report


def load_what_waits(
    lake: LakeClients,
    secrets_manager: SecretsManagerClient,
    secret: str,
    catalogue: Catalogue,
    schema: str = WAREHOUSE_SCHEMA,
    allowed: Collection[str] = (),
) -> int:
    """Load every commit that waits, in one transaction, and report the last load to the lake.

    Args:
        lake: Its clients.
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret: Names the secret with the warehouse's DSN.
        catalogue: The contracts.
        schema: The PostgreSQL schema of the tables.
        allowed: Columns that the load may add, or let be empty, each as ``table.column``.

    Returns:
        The exit code, 0.

    Raises:
        UserError: The warehouse or an object of the lake cannot be used; nothing has changed.
    """
    outcome = with_dsn(secrets_manager, secret, lambda dsn: load(lake, dsn, catalogue, schema, allowed))
    if outcome.changed and outcome.last:
        log.info("load.done", **asdict(outcome.last))
    else:
        log.info("load.nothing_waits")
    if outcome.last:
        report(lake, catalogue, outcome.last)
        log.step("load.reported")
    return 0
