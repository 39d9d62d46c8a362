"""boto3 clients of the laptop stack's endpoint."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

_making = threading.Lock()
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


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
            config=Config(
                s3={"addressing_style": "path"},
                retries={"max_attempts": 2, "mode": "standard"},
                # None would be that of the environment, which does not know this machine.
                proxies={},
            ),
        )


def past_a_proxy(surroundings: Mapping[str, str]) -> dict[str, str]:
    """The variables by which programs reach this machine past a proxy; none where there is no proxy.

    Args:
        surroundings: The environment's variables.
    """
    if not any(surroundings.get(name) for name in _PROXIES):
        return {}
    # Where both are there, the small letters count.
    stated = surroundings.get("no_proxy") or surroundings.get("NO_PROXY") or ""
    spared = dict.fromkeys(name.strip() for name in [*stated.split(","), "127.0.0.1", "localhost"])
    text = ",".join(filter(None, spared))
    return {"NO_PROXY": text, "no_proxy": text}


@lru_cache(maxsize=1)
def _session() -> Any:
    # One for all: each reads the services' models anew, which takes longer than most calls.
    return boto3.session.Session()
