"""The function that AWS calls: an event of an HTTP API in, the application's answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI
from mangum import Mangum

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.secrets import with_dsn
from payments_api.app import PROBLEM, create_app
from payments_api.warehouse import Warehouse, open_reader

NAME = "payments_api"


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        ingestion_bucket: The bucket of commits and looks.
        warehouse_secret: Names the secret with the DSN of the role that reads.
    """

    ingestion_bucket: str
    warehouse_secret: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that an environment states.

        Raises:
            UserError: It leaves one out.
        """
        names = {"ingestion_bucket": "INGESTION_BUCKET", "warehouse_secret": "WAREHOUSE_SECRET"}
        missing = [name for name in names.values() if not environment.get(name)]
        if missing:
            raise UserError(
                f"The function's environment lacks {', '.join(missing)}.",
                "State it where the function is deployed.",
            )
        return cls(**{field: environment[name] for field, name in names.items()})


_TEXTS = ["application/json", PROBLEM]
"""What is handed to AWS as it is; anything else would go in base64."""

Function = Callable[[dict[str, Any], Any], dict[str, Any]]
"""What AWS calls: a request as an HTTP API states it, in format 2.0, and what Lambda says of the call."""


def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request; the function that is deployed.

    Args:
        event: A request as an HTTP API states it, in format 2.0.
        context: What Lambda says of this call.
    """
    return _deployed()(event, context)


@cache
def _deployed() -> Function:
    """The application as the environment states it: one for as long as the container lives."""
    import boto3

    log.start(NAME, [])
    settings = Settings.of(os.environ)
    secrets_manager = boto3.client("secretsmanager")
    reporting = load_pipeline().reporting_currency
    warehouse = Warehouse(
        lambda: with_dsn(secrets_manager, settings.warehouse_secret, open_reader),
        LakeClients.connect(settings.ingestion_bucket),
        load_catalogue(),
        reporting,
    )
    return as_function(create_app(warehouse, reporting))


def as_function(app: FastAPI) -> Function:
    """An application as AWS calls it: for one request at a time.

    Args:
        app: The application.
    """

    def function(event: dict[str, Any], context: Any) -> dict[str, Any]:
        # The adapter takes its thread's loop, and leaves one behind where there is none.
        with asyncio.Runner() as runner:
            asyncio.set_event_loop(runner.get_loop())
            try:
                answered: dict[str, Any] = Mangum(app, lifespan="off", text_mime_types=_TEXTS)(event, context)
            finally:
                asyncio.set_event_loop(None)
        return answered

    return function
