"""The catalog against contracts and commits: what is missing or different is found, and made again.

The catalog is a projection. Somebody may drop a table, change a view, or take a partition away, by means that
no job of ours sees; then queries fail, or answer something else. Tables and views are compared on each run,
which costs a request for each zone; all partitions every night, which costs what the history holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Optional

from catalog.catalogue import Catalogue
from catalog.glue import location_address, table_input, view_inputs
from catalog.model import Contract
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Partition, TableCommit
from glue_jobs.lake.partitions import (
    partitions_of,
    register_exactly,
    register_live,
    register_new,
    shown_locations,
)
from glue_jobs.lake.redaction_state import live_copies, values_of
from glue_jobs.runtime import log
from glue_jobs.runtime.aws import GlueClient
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import list_keys

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef, TablePaginatorTypeDef

MISSING, DIFFERENT, PARTITIONS = "missing", "different", "partitions"

ZONES: Mapping[str, tuple[str, ...]] = {
    # The capture looks first, and at every tick.
    "capture": ("raw", "dead_letter", "star", "ops"),
    "validate": ("dead_letter", "ops"),
    "dimensions": ("star", "ops"),
    "facts": ("star", "ops"),
    "load": ("ops",),
    "redact": ("redacted_raw", "redacted_star"),
}
"""By stage, the zones whose tables and views its runs compare: those in which its role may make them."""

_EXAMPLES = 3


@dataclass(frozen=True)
class CatalogFault:
    """What the catalog does not show as contracts and commits state it.

    Attributes:
        database: The Glue database.
        table: The table or view.
        fault: ``missing``, ``different`` or ``partitions``.
        detail: What is different.
    """

    database: str
    table: str
    fault: str
    detail: str = ""

    def __str__(self) -> str:
        place = f"{self.database}.{self.table}"
        if self.fault == MISSING:
            return f"{place} is missing in the catalog"
        return f"{place} is not in the catalog as it should be: {self.detail}"


@dataclass(frozen=True)
class _Stated:
    """A table, or a view, as it should be."""

    request: TableInputTypeDef
    table: Optional[Contract] = None


def check_tables(lake: LakeClients, catalogue: Catalogue, zones: Collection[str]) -> list[CatalogFault]:
    """Tables and views that are missing, or that read differently.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        zones: The zones to look at.

    Raises:
        UserError: A database is missing.
    """
    return [fault for fault, *_ in _table_faults(lake, catalogue, zones)]


def repair_tables(lake: LakeClients, catalogue: Catalogue, zones: Collection[str]) -> list[CatalogFault]:
    """Make again what :func:`check_tables` finds, a missing table with all its partitions; returns that.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        zones: The zones to look at.
    """
    faults, made = [], set()
    for fault, stated, shown in list(_table_faults(lake, catalogue, zones)):
        log.warning("catalog.made_again", table=f"{fault.database}.{fault.table}", fault=fault.fault)
        faults.append(fault)
        request = deepcopy(stated.request)
        if shown is None:
            lake.glue.create_table(DatabaseName=fault.database, TableInput=request)
            if stated.table is not None:
                made.add(stated.table.table)
        else:
            # Where a table lies follows from its commits.
            request["StorageDescriptor"]["Location"] = shown["StorageDescriptor"].get("Location", "")
            lake.glue.update_table(DatabaseName=fault.database, TableInput=request)
    if made:
        restore_partitions(lake, catalogue, made)
    return faults


def check_partitions(lake: LakeClients, catalogue: Catalogue) -> list[CatalogFault]:
    """Tables whose partitions in the catalog are not those that commits state; missing tables left out.

    Args:
        lake: Its clients.
        catalogue: The contracts.
    """
    return [fault for fault, *_ in _partition_faults(lake, catalogue)]


def repair_partitions(lake: LakeClients, catalogue: Catalogue) -> list[CatalogFault]:
    """Set right what :func:`check_partitions` finds; returns that.

    Args:
        lake: Its clients.
        catalogue: The contracts.
    """
    faults = []
    for fault, contract, wanted in list(_partition_faults(lake, catalogue)):
        log.warning("catalog.made_again", table=f"{fault.database}.{fault.table}", fault=fault.fault)
        faults.append(fault)
        places = {values: locations[0] for values, locations in wanted.items()}
        register_exactly(lake, contract, places, removes=contract.zone != "ops")
    return faults


def restore_partitions(
    lake: LakeClients,
    catalogue: Catalogue,
    tables: Optional[Collection[str]] = None,
) -> None:
    """Register every partition that the commits and the ops objects tell of.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        tables: The tables, by their names; all of them unless told.
    """
    for contract, partitions in _appended(lake, catalogue, tables):
        register_new(lake, contract, partitions)
    for name, table in _live(lake, catalogue).items():
        if tables is None or name in tables:
            register_live(lake, catalogue.star[name], table)
    for copy, partitions in live_copies(lake, catalogue):
        if tables is None or copy.table in tables:
            places = {values_of(copy, one): one.location for one in partitions}
            register_exactly(lake, copy, places)


def _table_faults(
    lake: LakeClients, catalogue: Catalogue, zones: Collection[str]
) -> Iterator[tuple[CatalogFault, _Stated, Optional[TablePaginatorTypeDef]]]:
    stated: dict[str, list[_Stated]] = {}
    for contract in catalogue.tables:
        if contract.zone in zones:
            found = stated.setdefault(contract.zone_info.database, [])
            found.append(_Stated(table_input(contract, lake.bucket(contract)), contract))
    for zone_name, view in view_inputs(catalogue):
        if zone_name in zones:
            stated.setdefault(catalogue.zones[zone_name].database, []).append(_Stated(view))
    for database, wanted in stated.items():
        shown = _shown_tables(lake.glue, database)
        for one in wanted:
            name = one.request["Name"]
            if name not in shown:
                yield CatalogFault(database, name, MISSING), one, None
                continue
            wrong = [key for key, value in one.request.items() if not _is_shown(key, value, shown[name])]
            if wrong:
                yield CatalogFault(database, name, DIFFERENT, ", ".join(wrong)), one, shown[name]


def _shown_tables(glue: GlueClient, database: str) -> dict[str, TablePaginatorTypeDef]:
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    try:
        return {table["Name"]: table for page in pages for table in page["TableList"]}
    except glue.exceptions.EntityNotFoundException as error:
        raise UserError(
            f"The catalog has no database {database}.", "Deploy again; a laptop stack makes it at its start."
        ) from error


def _is_shown(key: str, value: Any, shown: Mapping[str, Any]) -> bool:
    if key == "StorageDescriptor":
        # Where a table lies follows from its commits, and is compared with these.
        value = {name: stated for name, stated in value.items() if name != "Location"}
    return _holds(shown.get(key), value)


def _holds(shown: Any, stated: Any) -> bool:
    """Whether all that is stated is shown; the catalog adds things of its own, and leaves empty ones out."""
    if isinstance(stated, Mapping):
        return all(_holds((shown or {}).get(name), value) for name, value in stated.items())
    if isinstance(stated, (list, tuple)):
        shown = shown or []
        return len(shown) == len(stated) and all(map(_holds, shown, stated))
    return bool(shown == stated or (not shown and not stated))


def _partition_faults(
    lake: LakeClients, catalogue: Catalogue
) -> Iterator[tuple[CatalogFault, Contract, dict[tuple[str, ...], list[str]]]]:
    # The catalog first: what it shows by then has been committed before.
    shown = {}
    for contract in catalogue.tables:
        # Of a table that is missing the comparison of tables speaks.
        with suppress(lake.glue.exceptions.EntityNotFoundException):
            shown[contract.zone, contract.table] = shown_locations(lake.glue, contract)
    wanted: dict[tuple[str, str], dict[tuple[str, ...], list[str]]] = {
        (contract.zone, contract.table): {} for contract in catalogue.tables
    }
    for contract, partitions in _appended(lake, catalogue, None):
        places = wanted[contract.zone, contract.table]
        for partition in partitions:
            # A commit states them in no order.
            values = tuple(partition.values[column.name] for column in contract.partition_columns)
            places.setdefault(values, []).append(partition.location)
    for name, table in _live(lake, catalogue).items():
        for path, label in table.versions.items():
            values = tuple(layout.partition_values(path).values())
            wanted["star", name][values] = [layout.star_location(catalogue.star[name], path, label)]
    for copy, live in live_copies(lake, catalogue):
        wanted[copy.zone, copy.table] = {values_of(copy, one): [one.location] for one in live}
    for contract in catalogue.tables:
        place = contract.zone, contract.table
        detail = (
            _partition_detail(contract, lake.bucket(contract), shown[place], wanted[place])
            if place in shown
            else ""
        )
        if detail:
            fault = CatalogFault(contract.zone_info.database, contract.table, PARTITIONS, detail)
            yield fault, contract, wanted[place]


def _partition_detail(
    contract: Contract,
    bucket: str,
    shown: Mapping[tuple[str, ...], str],
    wanted: Mapping[tuple[str, ...], list[str]],
) -> str:
    addresses = {v: [location_address(bucket, one) for one in places] for v, places in wanted.items()}
    found = {
        "missing": [values for values in wanted if values not in shown],
        "elsewhere": [v for v, there in addresses.items() if v in shown and shown[v] not in there],
        # A table without partitions, and one of records, may show what no commit speaks of yet.
        "of no commit": [v for v in shown if v and v not in wanted and contract.zone != "ops"],
    }
    return "; ".join(
        f"{len(values):,} partitions {kind}: {', '.join(map(_named, values[:_EXAMPLES]))}"
        for kind, values in found.items()
        if values
    )


def _named(values: tuple[str, ...]) -> str:
    return "/".join(values) or "the whole table"


def _appended(
    lake: LakeClients, catalogue: Catalogue, tables: Optional[Collection[str]]
) -> Iterator[tuple[Contract, list[Partition]]]:
    """The partitions of the zones that are only appended to."""
    captured: dict[str, list[Partition]] = {}
    held: dict[str, Partition] = {}
    for commit in lake.log("capture").after(0):
        for name, table in commit.tables.items():
            captured.setdefault(name, []).extend(table.partitions)
            # Paused tables of one capture share their partition.
            held.update((partition.location, partition) for partition in table.dead_letters)
    rejected: dict[str, list[Partition]] = {}
    for commit in lake.log("validate").after(0):
        for name, table in commit.tables.items():
            rejected.setdefault(name, []).extend(table.dead_letters)
    for name, contract in catalogue.raw.items():
        if tables is None or name in tables:
            yield contract, captured.get(name, [])
            yield catalogue.dead_letter[name], rejected.get(name, [])
    yield from _quarantined(catalogue, list(held.values()), tables)
    for name, contract in catalogue.ops.items():
        if tables is None or name in tables:
            yield contract, _stored(lake, contract)


def _quarantined(
    catalogue: Catalogue, held: list[Partition], tables: Optional[Collection[str]]
) -> Iterator[tuple[Contract, list[Partition]]]:
    """The partitions of the dead letters that captures and feeds write."""
    for contract in layout.quarantines(catalogue.dead_letter):
        if tables is None or contract.table in tables:
            yield contract, partitions_of(contract, held)


def _live(lake: LakeClients, catalogue: Catalogue) -> dict[str, TableCommit]:
    """By star table, the newest commit that says which versions are live, of the stages that build it."""
    live: dict[str, TableCommit] = {}
    for stage in ("dimensions", "facts"):
        newest = {
            name: table
            for commit in lake.log(stage).after(0)
            for name, table in commit.tables.items()
            if name in catalogue.star
        }
        for name, table in newest.items():
            before = live[name].versions if name in live else {}
            live[name] = replace(table, versions={**before, **table.versions})
    return live


def _stored(lake: LakeClients, contract: Contract) -> list[Partition]:
    """The partitions of a table that objects stand in."""
    keys = list_keys(lake.s3, lake.bucket(contract), contract.prefix)
    locations = {key.rpartition("/")[0] + "/" for key in keys if key.endswith(".parquet")}
    return [
        Partition(layout.partition_values(location[len(contract.prefix) : -1]), location, ())
        for location in sorted(locations)
    ]
