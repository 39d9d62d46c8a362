"""Glue schema registry requests from contracts: pure functions, the client stays with the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.json_schema import definition
from catalog.model import Contract

if TYPE_CHECKING:
    from mypy_boto3_glue.literals import CompatibilityType
    from mypy_boto3_glue.type_defs import (
        CreateRegistryInputTypeDef,
        CreateSchemaInputTypeDef,
        GetSchemaVersionInputTypeDef,
        RegisterSchemaVersionInputTypeDef,
    )

DESCRIPTION_LIMIT = 2048
"""Characters of a description that the registry keeps."""


def registry_request(name: str, description: str) -> CreateRegistryInputTypeDef:
    """The CreateRegistry request."""
    return {"RegistryName": name, "Description": description[:DESCRIPTION_LIMIT]}


def schema_request(
    registry: str, compatibility: CompatibilityType, contract: Contract
) -> CreateSchemaInputTypeDef:
    """The CreateSchema request of a table, whose definition becomes version 1.

    Args:
        registry: The registry's name.
        compatibility: The compatibility mode, such as ``NONE``.
        contract: The table.
    """
    return {
        "RegistryId": {"RegistryName": registry},
        "SchemaName": contract.table,
        "DataFormat": "JSON",
        "Compatibility": compatibility,
        "Description": contract.grain[:DESCRIPTION_LIMIT],
        "SchemaDefinition": definition(contract),
    }


def version_request(registry: str, contract: Contract) -> RegisterSchemaVersionInputTypeDef:
    """The RegisterSchemaVersion request: a definition that is there is answered by its version."""
    return {
        "SchemaId": {"RegistryName": registry, "SchemaName": contract.table},
        "SchemaDefinition": definition(contract),
    }


def latest_request(registry: str, table: str) -> GetSchemaVersionInputTypeDef:
    """The GetSchemaVersion request for the newest version of a table."""
    return {
        "SchemaId": {"RegistryName": registry, "SchemaName": table},
        "SchemaVersionNumber": {"LatestVersion": True},
    }


def numbered_request(registry: str, table: str, number: int) -> GetSchemaVersionInputTypeDef:
    """The GetSchemaVersion request for one version of a table."""
    return {**latest_request(registry, table), "SchemaVersionNumber": {"VersionNumber": number}}
