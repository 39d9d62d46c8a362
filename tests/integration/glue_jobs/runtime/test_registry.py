"""Contracts travel through the schema registry: registered as published, read back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from catalog.catalogue import Catalogue, load_catalogue
from catalog.json_schema import definition
from catalog.pipeline import contract_versions, load_pipeline
from catalog.registry_requests import latest_request
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import RegistryUnreadable, parse_versions, read_schemas
from lakehouse import local_deployment
from local_aws.endpoint.app import Endpoint, create_endpoint

CATALOGUE = load_catalogue()
REGISTRY = load_pipeline().registries["raw"]
NAME = REGISTRY.name


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with create_endpoint(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def glue(endpoint: Endpoint) -> Iterator[Any]:
    """A Glue whose registry holds the project's contracts."""
    client = endpoint.client("glue")
    local_deployment.deploy_schemas(client, CATALOGUE, REGISTRY)
    yield client
    endpoint.client("glue").delete_registry(RegistryId={"RegistryName": NAME})


def changed(version: str) -> Catalogue:
    """The catalogue with another version of one contract."""
    currency = CATALOGUE.raw["currency"].model_copy(update={"version": version})
    return replace(CATALOGUE, raw={**CATALOGUE.raw, "currency": currency})


def answering(client: Any, operation: str, statuses: list[str]) -> None:
    """Let the next answers of an operation state these."""

    def state(parsed: dict[str, Any], **_: Any) -> None:
        if statuses:
            parsed["Status"] = statuses.pop(0)

    client.meta.events.register(f"after-call.glue.{operation}", state)


def test_the_registry_holds_what_is_published_with_its_mode(glue: Any) -> None:
    for table, contract in CATALOGUE.raw.items():
        found = glue.get_schema_version(**latest_request(NAME, table))
        assert found["SchemaDefinition"] == definition(contract)
        stated = glue.get_schema(SchemaId={"RegistryName": NAME, "SchemaName": table})
        assert (stated["Compatibility"], stated["DataFormat"]) == ("NONE", "JSON")


def test_what_is_read_was_registered_and_is_said(glue: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_schemas(glue, NAME, CATALOGUE)
    assert found.catalogue(CATALOGUE) == CATALOGUE
    assert found.stated["payment"] == {"contract": "1.0.0", "version": 1}
    assert list(found.stated) == sorted(CATALOGUE.raw)
    said = capsys.readouterr().out
    assert '"payment": {"contract": "1.0.0", "version": 1}' in said


def test_deploying_again_registers_what_changed_and_nothing_else(glue: Any) -> None:
    local_deployment.deploy_schemas(glue, CATALOGUE, REGISTRY)
    local_deployment.deploy_schemas(glue, changed("1.0.1"), REGISTRY)
    found = read_schemas(glue, NAME, CATALOGUE)
    versions = {table: registered.version for table, registered in found.tables.items()}
    assert versions == {**dict.fromkeys(CATALOGUE.raw, 1), "currency": 2}
    assert found.catalogue(CATALOGUE).raw["currency"].version == "1.0.1"


def test_registration_waits_for_the_registrys_decision(endpoint: Endpoint, glue: Any) -> None:
    client = endpoint.client("glue")
    first, statuses = ["PENDING"], ["PENDING", "PENDING", "AVAILABLE"]
    answering(client, "RegisterSchemaVersion", first)
    answering(client, "GetSchemaVersion", statuses)
    local_deployment.deploy_schemas(client, changed("1.0.1"), REGISTRY)
    assert (first, statuses) == ([], [])


@pytest.mark.parametrize("answer", ["FAILURE", "PENDING"])
def test_a_definition_that_is_not_accepted_stops_the_deployment(
    endpoint: Endpoint, glue: Any, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_deployment, "_WAITS", (0, 0, 0))
    client = endpoint.client("glue")
    answering(client, "RegisterSchemaVersion", ["PENDING"])
    answering(client, "GetSchemaVersion", ["PENDING", "PENDING", answer])
    with pytest.raises(UserError, match=f"answered {answer} to version 1.0.0 of address"):
        local_deployment.deploy_schemas(client, CATALOGUE, REGISTRY)


def test_a_version_that_was_refused_is_passed_over(endpoint: Endpoint, glue: Any) -> None:
    local_deployment.deploy_schemas(glue, changed("2.0.0"), REGISTRY)
    client = endpoint.client("glue")

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        if parsed["VersionNumber"] == 2:
            parsed["Status"] = "FAILURE"

    client.meta.events.register("after-call.glue.GetSchemaVersion", refuse)
    assert read_schemas(client, NAME, CATALOGUE).stated["currency"] == {"contract": "1.0.0", "version": 1}


def test_a_registry_that_cannot_be_read_is_a_clear_error(endpoint: Endpoint, glue: Any) -> None:
    with pytest.raises(RegistryUnreadable, match=r"registry nowhere.*--schema_registry"):
        read_schemas(glue, "nowhere", CATALOGUE)
    glue.delete_schema(SchemaId={"RegistryName": NAME, "SchemaName": "staff"})
    with pytest.raises(RegistryUnreadable, match=f"schema of staff cannot be read from the registry {NAME}"):
        read_schemas(glue, NAME, CATALOGUE)
    client = endpoint.client("glue")
    answering(client, "GetSchemaVersion", ["FAILURE"])
    with pytest.raises(RegistryUnreadable, match=r"no version of address that is available \(FAILURE\)"):
        read_schemas(client, NAME, CATALOGUE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type": "object"}', "says no contract"),
        (definition(CATALOGUE.raw["staff"]), "is a schema of staff"),
        (definition(CATALOGUE.raw["payment"]).replace('"x-owner"', '"x-boss"'), "newer code"),
    ],
)
def test_a_schema_that_is_no_contract_of_the_table_is_refused(glue: Any, text: str, said: str) -> None:
    glue.register_schema_version(
        SchemaId={"RegistryName": NAME, "SchemaName": "payment"}, SchemaDefinition=text
    )
    with pytest.raises(RegistryUnreadable, match=f"Version 2 of payment.*{said}"):
        read_schemas(glue, NAME, CATALOGUE)


def test_an_endpoint_that_does_not_answer_is_a_clear_error() -> None:
    client = boto3.client(
        "glue",
        endpoint_url="http://127.0.0.1:1",
        region_name="eu-west-2",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with pytest.raises(RegistryUnreadable, match="cannot be read"):
        read_schemas(client, NAME, CATALOGUE)


def test_a_release_reads_the_versions_that_it_registered_whatever_another_has_registered_since(
    glue: Any,
) -> None:
    local_deployment.deploy_schemas(glue, CATALOGUE, REGISTRY)
    local_deployment.deploy_schemas(glue, changed("1.0.1"), REGISTRY)
    local_deployment.deploy_schemas(glue, changed("1.1.0"), REGISTRY)
    ours = read_schemas(glue, NAME, CATALOGUE, contract_versions())
    assert ours.stated["currency"] == {"contract": "1.0.0", "version": 1}
    assert ours.catalogue(CATALOGUE) == CATALOGUE
    between = read_schemas(glue, NAME, CATALOGUE, "currency=1.0.1")
    assert between.stated["currency"] == {"contract": "1.0.1", "version": 2}
    # Back to the first: what is there already is not registered anew.
    local_deployment.deploy_schemas(glue, CATALOGUE, REGISTRY)
    assert read_schemas(glue, NAME, CATALOGUE, contract_versions()).stated == ours.stated


def test_a_version_that_was_never_registered_is_refused_by_name(glue: Any) -> None:
    local_deployment.deploy_schemas(glue, CATALOGUE, REGISTRY)
    with pytest.raises(RegistryUnreadable, match=r"no version 9\.0\.0 of the contract of currency"):
        read_schemas(glue, NAME, CATALOGUE, "currency=9.0.0")


@pytest.mark.parametrize("text", ["currency", "currency=", "=1.0.0", "currency=1.0.0,", "latest"])
def test_versions_that_cannot_be_read_are_refused_in_words(text: str) -> None:
    with pytest.raises(UserError, match="--schema_versions is"):
        parse_versions(text)
