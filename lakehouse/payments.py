"""The payments API on a laptop: the function that is deployed, behind a gateway as AWS has it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import urllib3
from flask import Request
from psycopg import sql

from catalog.catalogue import Catalogue, load_catalogue
from catalog.pipeline import load_pipeline
from catalog.rights import documents, fill
from catalog.star_views import athena_views
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.runtime.connections import DatabaseError, connect, explain
from glue_jobs.runtime.errors import UserError
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.loopback import Answer, LoopbackServer, answering
from lakehouse.stack_state import Paths, Running
from local_aws.gateway.http_api import ACCOUNT, STAGE, Gatekeeper, GatewayRequest, HttpApi
from local_aws.gateway.tokens import Authorizer
from payments_api.schedule import grants, reads

if TYPE_CHECKING:
    from local_aws.rights.keys import Credentials

REGION = "eu-west-2"
"""The region that requests are signed for."""

_API, _FUNCTION, _PROGRAM = "payments", "payments_api", "a-program"

READER = "payments_reader"
"""The role that reads the payments in an embedded warehouse."""

_SECONDS = 10.0


class PaymentsServer(LoopbackServer):
    """The function behind its gateway.

    Args:
        api: The gateway.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken.
    """

    def __init__(self, api: HttpApi, port: int) -> None:
        self.api = api
        super().__init__(answering(self._reply), port)

    def _reply(self, request: Request) -> Answer:
        target = urlsplit(request.environ["REQUEST_URI"])
        headers = tuple(request.headers.items())
        said = self.api.answer(
            GatewayRequest(request.method, target.path, target.query, headers, body=request.get_data())
        )
        answered = {name.title(): value for name, value in said.headers.items()}
        kind = answered.pop("Content-Type", "application/octet-stream")
        answered.pop("Content-Length", None)
        return Answer(said.status, said.body, kind, answered)


def refuse_other_projects(catalogue: Catalogue) -> None:
    """Refuse a project whose star has no payments.

    Raises:
        UserError: It has none, or none with what is answered of them.
    """
    star = {name: {column.name for column in contract.columns} for name, contract in catalogue.star.items()}
    views = (view for contract in catalogue.star.values() for view in athena_views(contract))
    star |= {view.name: {column.name for column in view.columns} for view in views}
    lacking = sorted(
        table
        for table, columns in reads(load_pipeline().reporting_currency).items()
        if table.startswith(("dim_", "fact_")) and not star.get(table, set()).issuperset(columns)
    )
    if lacking:
        raise UserError(
            f"The project has no payments to serve: its star lacks {', '.join(lacking)}.",
            "Name the project that has them with LAKEHOUSE_PROJECT.",
        )


def reader_of(paths: Paths, running: Running, own: str | None, *, embedded: bool) -> str:
    """The DSN of a role that may read the payments and nothing else.

    Args:
        paths: Where the stack lies.
        running: The stack.
        own: The DSN of such a role in a warehouse of one's own.
        embedded: Whether the stack itself runs the warehouse.

    Raises:
        UserError: There is none.
    """
    if own is not None:
        return own
    if not embedded:
        raise UserError(
            "The warehouse is not the stack's own, so no role can be made there.",
            "Make one that may read the payments (--grants NAME prints how), and give its DSN with --reader.",
        )
    server = EmbeddedPostgres(paths.postgres)
    server.ensure_role(READER)
    database = urlsplit(running.warehouse).path.removeprefix("/")
    try:
        with connect(running.warehouse, "warehouse", "lakehouse payments") as connection:
            for statement in grants_of(READER):
                connection.execute(statement.encode())
    except psycopg.errors.UndefinedTable as error:
        raise DatabaseError("The warehouse holds no payments yet.", "Fill it with: lakehouse run") from error
    except psycopg.Error as error:
        raise explain(error, "warehouse") from error
    return server.dsn(READER, database)


def grants_of(role: str) -> tuple[str, ...]:
    """What the owner of the warehouse's tables says, so that a role may read the payments."""
    schema = sql.Identifier(WAREHOUSE_SCHEMA).as_string()
    return grants(sql.Identifier(role).as_string(), schema, load_pipeline().reporting_currency)


@contextmanager
def serving(running: Running, dsn: str, gate: Gatekeeper | None, port: int) -> Iterator[PaymentsServer]:
    """A server of a stack's payments, and its session of the warehouse.

    Args:
        running: The stack.
        dsn: The role that reads.
        gate: What lets people in, or programs; everybody where there is none.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken.
    """
    import structlog

    from payments_api.app import create_app
    from payments_api.handler import as_function
    from payments_api.warehouse import Warehouse, open_reader

    # What the function logs is no result of the command.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    reporting = load_pipeline().reporting_currency
    warehouse = Warehouse(lambda: open_reader(dsn), running.lake(), load_catalogue(), reporting)
    try:
        function = as_function(create_app(warehouse, reporting))
        with PaymentsServer(HttpApi(function, gate, _API), port) as server:
            yield server
    finally:
        warehouse.close()


def authorizer_of(issuer: str | None, audiences: tuple[str, ...]) -> Authorizer | None:
    """What lets people in by their tokens; nothing where no issuer is named.

    Raises:
        UserError: An issuer and its audiences are not both named, or the issuer is not reached by TLS.
    """
    if issuer is None and not audiences:
        return None
    if issuer is None or not audiences:
        raise UserError(
            "Who issues tokens, and for whom, go together.", "Give both, --issuer URL and --audience NAME."
        )
    _refuse_plain(issuer)
    return Authorizer(issuer, audiences, _fetch, time.time)


def program() -> tuple[Gatekeeper, Credentials]:
    """What lets programs in by their signatures, as the API for them does, and the keys of one that may ask.

    Its role has the policy that a deployment hands out for programs, and nothing else; the keys end with
    whoever holds what is returned.
    """
    from moto.iam.models import iam_backends

    from local_aws.endpoint.guard import Guard
    from local_aws.gateway.signatures import SignedRequests
    from local_aws.rights.actions import AccountContext
    from local_aws.rights.evaluate import Principal
    from local_aws.rights.keys import Caller, KeyRing

    place = AccountContext(ACCOUNT, REGION)
    made = documents(load_pipeline(), load_catalogue())[f"people/callers_of_{_FUNCTION}.json"]
    values = {"partition": place.partition, "region": REGION, "account": ACCOUNT, "api": _API}
    roles = iam_backends[ACCOUNT][place.partition]
    if _PROGRAM not in {role.name for role in roles.roles.values()}:
        roles.create_role(_PROGRAM, "{}", "/", None, "", [], "3600")
    roles.put_role_policy(_PROGRAM, "asks", json.dumps(fill(made, values)))
    guard = Guard(KeyRing(), place, enforced=True)
    session = f"arn:{place.partition}:sts::{ACCOUNT}:assumed-role/{_PROGRAM}/laptop"
    principal = Principal(session, ACCOUNT, f"arn:{place.partition}:iam::{ACCOUNT}:role/{_PROGRAM}")
    return SignedRequests(guard, _API, STAGE), guard.keys.issue(Caller(principal, _PROGRAM))


def _fetch(url: str) -> bytes:
    _refuse_plain(url)
    try:
        found = urllib3.request("GET", url, timeout=_SECONDS, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(f"{url} cannot be reached") from error
    if found.status != HTTPStatus.OK:
        raise OSError(f"{url} answers {found.status}")
    return found.data


def _refuse_plain(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    ):
        raise UserError(f"{url} is not reached by TLS.", "An issuer's address begins with https://.")
