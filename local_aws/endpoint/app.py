"""The laptop stack's one AWS endpoint: moto's server behind the stack's own layers."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from moto.utilities.utils import get_partition

from local_aws.endpoint import budget_gaps
from local_aws.endpoint.clients import client, past_a_proxy
from local_aws.endpoint.cloudfront import cloudfront
from local_aws.endpoint.glue_gaps import GlueGaps
from local_aws.endpoint.guard import Guard, act_for_the_caller
from local_aws.endpoint.http_server import HttpServer
from local_aws.endpoint.layers import health, json_service
from local_aws.endpoint.moto_services import MotoServices
from local_aws.endpoint.object_store import ObjectStore
from local_aws.endpoint.run_credentials import RunCredentials
from local_aws.endpoint.s3 import S3Layer
from local_aws.rights.actions import AccountContext
from local_aws.rights.evaluate import Principal
from local_aws.rights.keys import Caller, Credentials, KeyRing, kept_keys

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from local_aws.endpoint.layers import Layer

_HOST = "127.0.0.1"
_STACK = "the-stack-itself"
_LOOK_SECONDS = 0.05
_FIRST_ACCOUNT = 123456789012
_accounts = itertools.count(_FIRST_ACCOUNT)


class Endpoint:
    """One AWS endpoint of one stack, bound to a port from its creation and serving between start and stop.

    Attributes:
        state_dir: Where everything of the stack lives; objects are in `<state_dir>/s3/<bucket>/`.
        region: The AWS region that it plays.
        account_id: The AWS account that it plays. Each endpoint of one process has its own, because moto's
            memory is per process: so two endpoints never see each other's resources.
        url: `http://127.0.0.1:<port>`.
        guard: Knows who asks, and holds them to their rights where these are enforced.
        runs: Gives job runs their keys.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        region: str = "eu-west-2",
        port: int = 0,
        extra: Sequence[Layer] = (),
        enforced: bool = False,
    ) -> None:
        self.state_dir = Path(state_dir).resolve()
        self.region = region
        self.account_id = str(next(_accounts))
        self._layers: list[Layer] = list(extra)
        self._gates: list[Layer] = []
        self._application: WSGIApplication | None = None
        self._store: ObjectStore | None = None
        with _bind(port) as listening:
            self.applicationr = HttpServer(_HOST, port, self.application, listening.fileno())
        self._thread: threading.Thread | None = None
        self.url = f"http://{_HOST}:{self.applicationr.port}"
        place = AccountContext(self.account_id, region, get_partition(region))
        self.guard = Guard(KeyRing(), place, enforced=enforced)
        self.runs = RunCredentials(self.guard, self.url)
        root = Principal(f"arn:{place.partition}:iam::{place.account}:root", place.account)
        # Kept, so that what a client was told stays good when the endpoint serves again.
        self._owner = self.guard.keys.adopt(Caller(root), kept_keys(self.state_dir / "keys.json"))
        self._stack = self.guard.keys.issue(Caller(Principal(_STACK), is_service=True))

    @property
    def is_serving(self) -> bool:
        """Whether it is between start and stop."""
        return self._thread is not None

    def add(self, layer: Layer) -> None:
        """Put a layer in front of moto, behind the layers added before it.

        Args:
            layer: See `local_aws.endpoint.layers`.

        Raises:
            RuntimeError: If the endpoint serves already.
        """
        if self.is_serving:
            raise RuntimeError("Layers are added before the endpoint starts")
        self._layers.append(layer)

    def add_gate(self, layer: Layer) -> None:
        """Put a layer before the one that knows who asks: it lets in whom it lets in by itself.

        Args:
            layer: See `local_aws.endpoint.layers`.

        Raises:
            RuntimeError: If the endpoint serves already.
        """
        if self._thread is not None:
            raise RuntimeError("Layers are added before the endpoint starts")
        self._gates.append(layer)

    def start(self) -> None:
        """Serve, on a thread of its own, until `stop`.

        Raises:
            StoreInUseError: If another stack serves from the same state directory.
        """
        self._store = ObjectStore(
            self.state_dir / "s3", self.state_dir / "s3-staging", self.state_dir / "s3-metadata.sqlite"
        )
        layers: list[Layer] = [
            *self._gates,
            self.guard,
            health(lambda: {"region": self.region, "account_id": self.account_id}),
            self.runs,
            *self._layers,
            json_service("AWSGlue", GlueGaps(self.account_id, self.region)),
            json_service(
                budget_gaps.TARGET, budget_gaps.BudgetGaps(self.account_id, self.guard.place.partition)
            ),
            cloudfront(),
            S3Layer(self._store, self.region, self.account_id),
        ]
        application: WSGIApplication = MotoServices()
        for layer in reversed(layers):
            application = layer(application)
        self._application = application
        # How long stopping waits at most: the server looks this often whether it is to end.
        serve = partial(self.applicationr.serve_forever, poll_interval=_LOOK_SECONDS)
        self._thread = threading.Thread(target=serve, name="aws-endpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more and free the port; twice is as good as once."""
        if self._thread is not None:
            self.applicationr.shutdown()
            self._thread.join()
            self.applicationr.end_connections()
            self._thread = None
        self.applicationr.server_close()
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def bucket_dir(self, bucket: str) -> Path:
        """Return the directory that holds a bucket's objects as files.

        Args:
            bucket: The bucket's name.
        """
        return self.state_dir / "s3" / bucket

    def addresses(self) -> dict[str, str]:
        """Return the environment variables that make any AWS SDK talk to this endpoint, without keys."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **past_a_proxy(os.environ),
        }

    def environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """Return the environment variables that make any AWS SDK talk to this endpoint.

        Args:
            credentials: The keys to use; those of the account itself where none are given.
        """
        return {**self.addresses(), **(credentials or self._owner).environment()}

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """Return a boto3 client of this endpoint.

        Args:
            service: The service's name in boto3, e.g. `glue`.
            credentials: The keys to use; those of the account itself where none are given.
        """
        return client(service, self.environment(credentials))

    def stack_client(self, service: str) -> Any:
        """Return a boto3 client for the stack's own look-ups, which are held to no policy.

        Args:
            service: The service's name in boto3, e.g. `glue`.
        """
        return self.client(service, self._stack)

    def caller_client(self, service: str) -> Any:
        """Return a boto3 client for what the stack does for a caller, with the caller's rights.

        While its thread works for nobody, it is as `stack_client`'s.

        Args:
            service: The service's name in boto3, e.g. `glue`.
        """
        return act_for_the_caller(self.stack_client(service))

    def application(self, environ: Any, start_response: Any) -> Any:
        """Answer a request as WSGI has it."""
        if self._application is None:
            raise RuntimeError("The endpoint has not been started")
        # moto takes this header as the caller's account.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account_id
        return self._application(environ, start_response)


def _bind(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        raise OSError(error.errno, f"Port {port} of {_HOST} cannot be used: {error.strerror}") from error


def create_endpoint(
    state_dir: Path,
    *,
    region: str = "eu-west-2",
    port: int = 0,
    extra: Sequence[Layer] = (),
    enforced: bool = False,
) -> Endpoint:
    """Make the AWS endpoint of a stack.

    Args:
        state_dir: The stack's directory; created when missing.
        region: The AWS region to play.
        port: The port on 127.0.0.1; 0 lets the operating system choose.
        extra: Layers in front of moto, the first one sees a request first.
        enforced: Whether callers are held to the policies that are deployed.

    Returns:
        The endpoint, bound to its port, not yet serving.

    Raises:
        OSError: If the port is in use.
    """
    return Endpoint(state_dir, region=region, port=port, extra=extra, enforced=enforced)
