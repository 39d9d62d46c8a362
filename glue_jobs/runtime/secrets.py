"""Connection strings from Secrets Manager, also while they are rotated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.aws import SecretsManagerClient
from glue_jobs.runtime.connections import DatabaseError, DatabaseRefused

T = TypeVar("T")


class SecretRefused(DatabaseError):  # noqa: N818 - named for what was done
    """A secret cannot be read, or its database refuses what it says: nothing but another value helps.

    Attributes:
        secret: The secret.
    """

    def __init__(self, problem: str, remedy: str, secret: str) -> None:
        super().__init__(problem, remedy)
        self.secret = secret


def with_dsn(secrets_manager: SecretsManagerClient, secret_id: str, use: Callable[[str], T]) -> T:
    """Use the database that a secret names; once more where the secret was rotated in the meantime.

    Args:
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret_id: See :func:`fetch_dsn`.
        use: Called with the DSN; what it does must bear being begun anew.

    Returns:
        What `use` returns.

    Raises:
        SecretRefused: The secret cannot be read, or the database refuses what it says now.
        UserError: `use` raised it.
    """
    try:
        result = _with_dsn(secrets_manager, secret_id, use)
    except SecretRefused as error:
        if error.secret == secret_id:
            metrics.emit({"secret": secret_id}, {"secret_refused": 1})
        raise
    metrics.emit({"secret": secret_id}, {"secret_refused": 0})
    return result


def _with_dsn(secrets_manager: SecretsManagerClient, secret_id: str, use: Callable[[str], T]) -> T:
    dsn = fetch_dsn(secrets_manager, secret_id)
    try:
        try:
            return use(dsn)
        except DatabaseError:
            fresh = fetch_dsn(secrets_manager, secret_id)
            if fresh == dsn:
                raise
            log.info("secret.refreshed", secret=secret_id)
        return use(fresh)
    except DatabaseRefused as error:
        raise SecretRefused(error.problem, error.remedy, secret_id) from error


def fetch_dsn(secrets_manager: SecretsManagerClient, secret_id: str) -> str:
    """The libpq connection URI that a secret holds.

    Args:
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret_id: Name or ARN of a secret whose text is ``{"dsn": "postgresql://…"}``.

    Raises:
        SecretRefused: The secret cannot be read or has no such field; never shows its content.
    """
    try:
        text = secrets_manager.get_secret_value(SecretId=secret_id)["SecretString"]
    except ClientError as error:
        stated = error.response["Error"]
        said = stated.get("Message", "").rstrip(".")
        raise SecretRefused(
            f"The secret {secret_id} cannot be read ({stated['Code']}: {said}).",
            "Check that it exists, has a value, and that the job's role may read and decrypt it.",
            secret_id,
        ) from error
    try:
        dsn = json.loads(text)["dsn"]
    except (ValueError, KeyError, TypeError) as error:
        raise SecretRefused(
            f"The secret {secret_id} does not hold a connection.",
            'Store {"dsn": "postgresql://…"} in it.',
            secret_id,
        ) from error
    return str(dsn)
