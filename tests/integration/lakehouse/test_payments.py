"""The payments API on a laptop: the role that reads, the projects that have none, its server."""

from __future__ import annotations

from datetime import date
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from catalog.catalogue import load_catalogue
from catalog.project import VARIABLE
from glue_jobs.runtime.errors import UserError
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.payments import REGION, PaymentsServer, program, reader_of, refuse_other_projects
from lakehouse.stack_state import Paths, Running
from local_aws.gateway.http_api import Event, HttpApi
from tests.integration.lakehouse.web import ask
from tests.payments import OWNER, PaymentsWarehouse, Version
from tests.projects import FERRIES, lay_out
from tools.browser import serving


def running(warehouse: str) -> Running:
    """What a stack says of itself, as far as its warehouse goes."""
    return Running(1, 0.0, "", {}, {}, "", None, "", None, warehouse)


def test_in_a_warehouse_of_the_stack_a_role_is_made_that_reads_the_payments_alone(home: Path) -> None:
    paths = Paths.of(home)
    with EmbeddedPostgres(paths.postgres, durable=False) as server:
        server.ensure_role(OWNER)
        server.ensure_database("warehouse", OWNER)
        stack = running(server.dsn(OWNER, "warehouse"))
        with pytest.raises(UserError, match=r"holds no payments yet\. Fill it with: lakehouse run"):
            reader_of(paths, stack, None, embedded=True)
        PaymentsWarehouse(server, "warehouse").put([Version(1, date(2024, 11, 15))])
        dsn = reader_of(paths, stack, None, embedded=True)
        assert reader_of(paths, stack, None, embedded=True) == dsn
        with psycopg.connect(dsn) as reader:
            assert reader.execute("SELECT payment_id FROM fact_payment_current").fetchall() == [(1,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("SELECT * FROM fact_payment")


def test_in_a_warehouse_of_one_s_own_a_role_is_named(home: Path) -> None:
    paths = Paths.of(home)
    assert reader_of(paths, running(""), "host=elsewhere", embedded=False) == "host=elsewhere"
    with pytest.raises(UserError, match=r"--grants NAME prints how.*--reader"):
        reader_of(paths, running(""), None, embedded=False)


def test_a_project_without_payments_is_refused_by_what_it_lacks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_other_projects(load_catalogue())
    monkeypatch.setenv(VARIABLE, str(lay_out(FERRIES, root, tmp_path / "ferries")))
    with pytest.raises(UserError, match=r"its star lacks dim_counterparty, .*fact_payment_current"):
        refuse_other_projects(load_catalogue())


def echo(event: Event, _: object) -> dict[str, object]:
    """A function that answers with what it was asked."""
    http = event["requestContext"]["http"]
    said = f"{http['method']} {event['rawPath']}?{event['rawQueryString']} {event.get('body', '')}"
    return {"statusCode": 418, "headers": {"cache-control": "no-store", "x-said": said}, "body": said}


def test_the_server_hands_on_whatever_is_asked_and_answers_what_was_said() -> None:
    with PaymentsServer(HttpApi(echo), 0) as server, serving(server):
        answer, body = ask(server, "/v1/a%20b?c=d&c=e")
        assert (answer.status, body) == (418, b"GET /v1/a%20b?c=d&c=e ")
        assert answer.headers.get_all("Cache-Control") == ["no-store"]
        assert ask(server, "/", host="elsewhere.example")[0].status == 421
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        for method in ("POST", "QUERY", "GET"):
            connection.request(method, "/", b"text")
            answered = connection.getresponse()
            assert answered.read() == f"{method} /? dGV4dA==".encode()
        connection.close()


def test_a_program_that_signs_is_let_in_to_read_and_nobody_else_is() -> None:
    gate, keys = program()
    _, keys_of_another = program()
    with PaymentsServer(HttpApi(echo, gate, "payments"), 0) as server, serving(server):

        def told(method: str, access_key: str, secret_key: str, service: str = "execute-api") -> int:
            target = "v1/payments?limit=5"
            signed = AWSRequest(method, f"{server.url}{target}")
            SigV4Auth(BotoCredentials(access_key, secret_key), service, REGION).add_auth(signed)
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
            connection.request(method, f"/{target}", headers=dict(signed.headers.items()))
            status = connection.getresponse().status
            connection.close()
            return status

        assert told("GET", keys.access_key, keys.secret_key) == 418
        # As the policy for programs has it.
        assert told("POST", keys.access_key, keys.secret_key) == 403
        assert told("GET", keys.access_key, keys_of_another.secret_key) == 403
        assert told("GET", keys_of_another.access_key, keys_of_another.secret_key) == 403
        assert told("GET", keys.access_key, keys.secret_key, "s3") == 403
        assert ask(server, "/v1/payments")[0].status == 403
