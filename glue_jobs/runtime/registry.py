"""The contracts of captured tables as the schema registry holds them: what a job works by, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from botocore.exceptions import BotoCoreError, ClientError

from catalog.catalogue import Catalogue
from catalog.json_schema import UnreadableSchemaError, contract_of, version_of
from catalog.model import Contract
from catalog.registry_requests import latest_request, numbered_request
from glue_jobs.runtime import log
from glue_jobs.runtime.aws import GlueClient
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


NEWEST = "newest"
"""In place of versions: whichever was registered last."""


def parse_versions(text: str) -> Mapping[str, str]:
    """Which version of its contract a release reads each table by, such as ``address=1.0.0,staff=1.1.0``.

    Args:
        text: The versions, or ``newest``, which names none.

    Raises:
        UserError: It is neither.
    """
    if text == NEWEST:
        return {}
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(table and equals and version for table, equals, version in pairs):
        raise UserError(
            f"The argument --schema_versions is {text!r}.",
            f"Write it as address=1.0.0,staff=1.1.0, or {NEWEST} for what was registered last.",
        )
    return {table: version for table, _, version in pairs}


def read_schemas(glue: GlueClient, registry: str, catalogue: Catalogue, versions: str = NEWEST) -> Schemas:
    """Read a version of every raw table, and say in the log which these are.

    A release reads what it registered: another, newer or older, may have registered its own versions since.

    Args:
        glue: A boto3 ``glue`` client.
        registry: The registry's name.
        catalogue: Says which raw tables there are, and what their zone shares.
        versions: See :func:`parse_versions`; a table that it does not name is read by its newest version.

    Raises:
        RegistryUnreadable: A table is not registered, or the registry does not answer.
    """
    wanted = parse_versions(versions)
    tables = {table: _read(glue, registry, table, catalogue, wanted.get(table)) for table in catalogue.raw}
    found = Schemas(registry, tables)
    log.info("schemas.read", registry=registry, versions=found.stated)
    return found


def _read(
    glue: GlueClient, registry: str, table: str, catalogue: Catalogue, wanted: Optional[str]
) -> Registered:
    try:
        answer = glue.get_schema_version(**latest_request(registry, table))
        # A version that was refused, or that is still looked at, keeps its number.
        while not _is_wanted(answer, wanted) and answer["VersionNumber"] > 1:
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
    if not _is_wanted(answer, wanted):
        raise RegistryUnreadable(
            f"The registry {registry} has no version {wanted} of the contract of {table}, which this release "
            "reads.",
            "Deploy the release again: that registers it.",
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


def _is_wanted(answer: Mapping[str, Any], wanted: Optional[str]) -> bool:
    """Whether a version can be read, and is the one that is asked for, if one is."""
    if answer["Status"] != AVAILABLE:
        return False
    return wanted is None or version_of(answer["SchemaDefinition"]) == wanted
