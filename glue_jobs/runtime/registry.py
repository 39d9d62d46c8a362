"""The contracts of captured tables as the schema registry holds them: what a job works by, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from catalog.catalogue import Catalogue
from catalog.json_schema import UnreadableSchemaError, contract_of
from catalog.model import Contract
from catalog.registry_requests import latest_request, numbered_request
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError

AVAILABLE = "AVAILABLE"


class RegistryUnreadable(UserError):  # noqa: N818 - named for what was found
    """The registry does not say what a table looks like; nothing was moved."""


@dataclass(frozen=True)
class Registered:
    """A table as the registry states it.

    Attributes:
        contract: What its newest available version says.
        version: That version's number in the registry; the contract has a version of its own.
    """

    contract: Contract
    version: int


@dataclass(frozen=True)
class Schemas:
    """Every captured table as the registry states it.

    Attributes:
        registry: The registry's name.
        tables: The tables by name.
    """

    registry: str
    tables: Mapping[str, Registered]

    @property
    def stated(self) -> dict[str, dict[str, Any]]:
        """Which versions these are, by table, as a commit's state says it."""
        return {
            table: {"contract": found.contract.version, "version": found.version}
            for table, found in sorted(self.tables.items())
        }

    def catalogue(self, catalogue: Catalogue) -> Catalogue:
        """A catalogue with the registered contracts in place of those that came with the code."""
        return catalogue.with_raw({table: found.contract for table, found in self.tables.items()})


def read_schemas(glue: Any, registry: str, catalogue: Catalogue) -> Schemas:
    """Read the newest available version of every raw table, and say in the log which these are.

    Args:
        glue: A boto3 ``glue`` client.
        registry: The registry's name.
        catalogue: Says which raw tables there are, and what their zone shares.

    Raises:
        RegistryUnreadable: A table is not registered, or the registry does not answer.
    """
    found = Schemas(registry, {table: _read(glue, registry, table, catalogue) for table in catalogue.raw})
    log.info("schemas.read", registry=registry, versions=found.stated)
    return found


def _read(glue: Any, registry: str, table: str, catalogue: Catalogue) -> Registered:
    try:
        answer = glue.get_schema_version(**latest_request(registry, table))
        # A version that was refused, or that is still looked at, keeps its number.
        while answer["Status"] != AVAILABLE and answer["VersionNumber"] > 1:
            number = answer["VersionNumber"] - 1
            answer = glue.get_schema_version(**numbered_request(registry, table, number))
    except (ClientError, BotoCoreError) as error:
        raise RegistryUnreadable(
            f"The schema of {table} cannot be read from the registry {registry}: {error}.",
            "Check the registry's name (--schema_registry) and the job's role; deploying registers what is "
            "missing.",
        ) from error
    if answer["Status"] != AVAILABLE:
        raise RegistryUnreadable(
            f"The registry {registry} has no version of {table} that is available ({answer['Status']}).",
            "Look in the registry why, mend the contract, and deploy it again.",
        )
    try:
        contract = contract_of(answer["SchemaDefinition"], catalogue.zones)
    except UnreadableSchemaError as error:
        raise RegistryUnreadable(
            f"Version {answer['VersionNumber']} of {table} in the registry {registry} cannot be read: "
            f"{error}.",
            "It was registered by newer code, or by hand: deploy that code, or publish the contract again.",
        ) from error
    if contract.table != table:
        raise RegistryUnreadable(
            f"Version {answer['VersionNumber']} of {table} in the registry {registry} is a schema of "
            f"{contract.table}.",
            "Publish the contract again.",
        )
    return Registered(contract, int(answer["VersionNumber"]))
