"""boto3 clients of the laptop stack's endpoint."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

_making = threading.Lock()


def client(service: str, environment: Mapping[str, str]) -> Any:
    """A boto3 client of an endpoint.

    Args:
        service: The service's name in boto3, such as ``glue``.
        environment: What :meth:`local_aws.endpoint.app.Endpoint.environment` gives.
    """
    with _making:
        return _session().client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment.get("AWS_SESSION_TOKEN"),
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2, "mode": "standard"}),
        )


@lru_cache(maxsize=1)
def _session() -> Any:
    # One for all: each reads the services' models anew, which takes longer than most calls.
    return boto3.session.Session()
