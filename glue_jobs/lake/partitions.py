"""What Glue shows of a table's partitions, brought to what commits state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Optional, TypeVar, Union

from catalog.glue import location_address, partition_input, table_input
from catalog.model import Contract
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Partition, TableCommit
from glue_jobs.runtime.aws import GlueClient

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import (
        BatchUpdatePartitionFailureEntryTypeDef,
        BatchUpdatePartitionRequestEntryTypeDef,
        PartitionErrorTypeDef,
        PartitionInputTypeDef,
        PartitionTypeDef,
    )

T = TypeVar("T")

BATCH = 100
"""Partitions that Glue takes in one request."""

DELETED_AT_ONCE = 25
"""Partitions that Glue removes in one request."""


class PublishError(Exception):
    """Glue refused a partition."""


def register_new(lake: LakeClients, contract: Contract, partitions: Iterable[Partition]) -> None:
    """Register append-only partitions; one that exists already is left as it is."""
    bucket = lake.bucket(contract)
    _create(
        lake.glue, contract, [partition_input(contract, bucket, p.values, p.location) for p in partitions]
    )


def partitions_of(contract: Contract, partitions: Iterable[Partition]) -> list[Partition]:
    """Of some partitions those of a table: a capture's commit names those of several together."""
    return [partition for partition in partitions if partition.location.startswith(contract.prefix)]


def register_live(
    lake: LakeClients,
    contract: Contract,
    table: TableCommit,
    paths: Optional[Collection[str]] = None,
) -> None:
    """Make Glue show exactly the live version of every partition of a star table.

    Unless told otherwise the whole map is compared, so whatever a stalled run may have put back is set right
    again.

    Args:
        lake: Its clients.
        contract: The table.
        table: What the commit states of it.
        paths: The partition paths that are compared.
    """
    chosen = table.versions if paths is None else {path: table.versions[path] for path in sorted(paths)}
    wanted = {spec: layout.star_location(contract, spec, label) for spec, label in chosen.items()}
    by_values = {tuple(layout.partition_values(spec).values()): place for spec, place in wanted.items()}
    # Only a rebuild leaves a partition out: with what was corrected nothing belongs there any more.
    register_exactly(lake, contract, by_values, only=paths is not None, removes=True)


def register_exactly(
    lake: LakeClients,
    contract: Contract,
    wanted: Mapping[tuple[str, ...], str],
    *,
    only: bool = False,
    removes: bool = False,
) -> None:
    """Make Glue show partitions at their places.

    Args:
        lake: Its clients.
        contract: The table.
        wanted: By the partition columns' values, the key prefix; of a table without partitions by no value.
        only: Whether only these partitions are looked at.
        removes: Whether what else is looked at and shown goes.
    """
    glue, bucket = lake.glue, lake.bucket(contract)
    if not contract.partition_columns:
        if () in wanted:
            _swap_table(glue, contract, bucket, wanted[()])
        return
    shown = shown_locations(glue, contract, list(wanted) if only else None)
    names = [column.name for column in contract.partition_columns]
    missing: list[PartitionInputTypeDef] = []
    moved: list[BatchUpdatePartitionRequestEntryTypeDef] = []
    for values, location in wanted.items():
        known = shown.get(values)
        if known == location_address(bucket, location):
            continue
        stated = partition_input(contract, bucket, dict(zip(names, values)), location)
        if known is None:
            missing.append(stated)
        else:
            moved.append({"PartitionValueList": stated["Values"], "PartitionInput": stated})
    database, table = contract.zone_info.database, contract.table
    _create(glue, contract, missing)
    for some in _in_batches(moved):
        updated = glue.batch_update_partition(DatabaseName=database, TableName=table, Entries=some)
        _complain(contract, updated.get("Errors", ()))
    gone = [values for values in shown if removes and values not in wanted]
    for batch in _in_batches(gone, DELETED_AT_ONCE):
        deleted = glue.batch_delete_partition(
            DatabaseName=database, TableName=table, PartitionsToDelete=[{"Values": one} for one in batch]
        )
        _complain(contract, deleted.get("Errors", ()), unless="EntityNotFoundException")


def _create(glue: GlueClient, contract: Contract, inputs: Sequence[PartitionInputTypeDef]) -> None:
    for some in _in_batches(inputs):
        answer = glue.batch_create_partition(
            DatabaseName=contract.zone_info.database, TableName=contract.table, PartitionInputList=some
        )
        _complain(contract, answer.get("Errors", ()), unless="AlreadyExistsException")


def _swap_table(glue: GlueClient, contract: Contract, bucket: str, location: str) -> None:
    database = contract.zone_info.database
    shown = glue.get_table(DatabaseName=database, Name=contract.table)["Table"]
    stated = table_input(contract, bucket, location)
    if shown["StorageDescriptor"]["Location"] != stated["StorageDescriptor"]["Location"]:
        glue.update_table(DatabaseName=database, TableInput=stated)


def shown_locations(
    glue: GlueClient, contract: Contract, wanted: Optional[Sequence[tuple[str, ...]]] = None
) -> dict[tuple[str, ...], str]:
    """Where Glue says that partitions lie: all of them, or those of these values that there are.

    A table without partitions is one, of no values.
    """
    if not contract.partition_columns:
        whole = glue.get_table(DatabaseName=contract.zone_info.database, Name=contract.table)["Table"]
        return {(): whole["StorageDescriptor"]["Location"]}
    database, table = contract.zone_info.database, contract.table
    found: list[PartitionTypeDef] = []
    if wanted is None:
        paginator = glue.get_paginator("get_partitions")
        for page in paginator.paginate(DatabaseName=database, TableName=table, ExcludeColumnSchema=True):
            found += page["Partitions"]
    for some in _in_batches(wanted or ()):
        answer = glue.batch_get_partition(
            DatabaseName=database, TableName=table, PartitionsToGet=[{"Values": values} for values in some]
        )
        found += answer["Partitions"]
    return {tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in found}


def _complain(
    contract: Contract,
    errors: Iterable[Union[PartitionErrorTypeDef, BatchUpdatePartitionFailureEntryTypeDef]],
    unless: str = "",
) -> None:
    codes = {error["ErrorDetail"]["ErrorCode"] for error in errors} - {unless}
    if codes:
        raise PublishError(f"Glue refused partitions of {contract.table}: {', '.join(sorted(codes))}")


def _in_batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
