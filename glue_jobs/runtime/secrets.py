"""Connection strings from Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from glue_jobs.runtime.errors import UserError


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
