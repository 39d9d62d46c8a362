"""Connection strings from Secrets Manager, also while they are rotated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from glue_jobs.runtime import log
from glue_jobs.runtime.connections import DatabaseError
from glue_jobs.runtime.errors import UserError

T = TypeVar("T")


def with_dsn(secrets_manager: Any, secret_id: str, use: Callable[[str], T]) -> T:
    """Use the database that a secret names; once more where the secret was rotated in the meantime.

    Args:
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret_id: See :func:`fetch_dsn`.
        use: Called with the DSN; what it does must bear being begun anew.

    Returns:
        What `use` returns.

    Raises:
        DatabaseError: The database refuses what the secret says now.
        UserError: The secret cannot be read, or `use` raised it.
    """
    dsn = fetch_dsn(secrets_manager, secret_id)
    try:
        return use(dsn)
    except DatabaseError:
        fresh = fetch_dsn(secrets_manager, secret_id)
        if fresh == dsn:
            raise
        log.info("secret.refreshed", secret=secret_id)
    return use(fresh)


def fetch_dsn(secrets_manager: Any, secret_id: str) -> str:
    """The libpq connection URI that a secret holds.

    Args:
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret_id: Name or ARN of a secret whose text is ``{"dsn": "postgresql://…"}``.

    Raises:
        UserError: The secret cannot be read or has no such field; never shows its content.
    """
    try:
        text = secrets_manager.get_secret_value(SecretId=secret_id)["SecretString"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise UserError(
            f"The secret {secret_id} cannot be read ({code}).",
            "Check that it exists and that the job's role may read and decrypt it.",
        ) from error
    try:
        dsn = json.loads(text)["dsn"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The secret {secret_id} does not hold a connection.", 'Store {"dsn": "postgresql://…"} in it.'
        ) from error
    return str(dsn)
