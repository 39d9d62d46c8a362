"""What the site says beyond the contracts: what the Glue catalogue, the commits and the verdicts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.glue import star_view_inputs, table_input
from catalog.model import Contract

TableName = tuple[str, str]
"""A database and a table or view in it."""

Types = Mapping[str, str]
"""Columns in order, each with its type as Glue spells it."""


@dataclass(frozen=True)
class Partitions:
    """The partitions that the Glue catalogue shows of a table.

    Attributes:
        count: How many.
        since: The day from which on they were counted (ISO 8601); nothing where all were.
    """

    count: int
    since: str | None = None


@dataclass(frozen=True)
class Shown:
    """A table or a view as the Glue catalogue shows it.

    Attributes:
        columns: Its columns.
        partition_columns: The columns that stand in the path.
        version: The version of the contract that it was made from; nothing for a view.
        partitions: Its partitions; nothing where it has no partition columns.
    """

    columns: Types
    partition_columns: Types = field(default_factory=dict)
    version: str | None = None
    partitions: Partitions | None = None


@dataclass(frozen=True)
class Touch:
    """The last time that something new came into a table.

    Attributes:
        at: When it was committed (UTC, ISO 8601), or the day where no more is known.
        batch: The last capture that it covers; nothing where it is of none.
    """

    at: str
    batch: int | None = None


@dataclass(frozen=True)
class ValidationSummary:
    """What validation found in one batch of a captured table.

    Attributes:
        batch: The capture.
        judged_at: When the verdict was committed (UTC, ISO 8601).
        read: Rows, deletions among them.
        rejected: Rows that went to the dead letters.
        warned: Rows that were accepted and look wrong.
        page: The page of the validation site that shows it, from the top of the documentation.
    """

    batch: int
    judged_at: str
    read: int
    rejected: int
    warned: int
    page: str

    @property
    def accepted(self) -> int:
        """Rows that were passed on."""
        return self.read - self.rejected


@dataclass(frozen=True)
class Live:
    """What the lake says of its tables; by default nothing, as before the first run.

    Attributes:
        shown: The tables and views that the Glue catalogue shows.
        touched: When something new last came into a table; a table to which nothing has come is missing.
        loaded: What the warehouse shows; nothing before the first load.
        validations: By captured table, its last validations, newest first.
        open_letters: By captured table, how many rejected rows wait for a correction.
    """

    shown: Mapping[TableName, Shown] = field(default_factory=dict)
    touched: Mapping[TableName, Touch] = field(default_factory=dict)
    loaded: Touch | None = None
    validations: Mapping[str, tuple[ValidationSummary, ...]] = field(default_factory=dict)
    open_letters: Mapping[str, int] = field(default_factory=dict)


def shown(table: Mapping[str, Any], partitions: Partitions | None = None) -> Shown:
    """What the Glue catalogue shows of a table.

    Args:
        table: A ``Table`` as Glue answers it, or a ``TableInput``.
        partitions: Its partitions.
    """
    return Shown(
        _types(table.get("StorageDescriptor", {}).get("Columns", ())),
        _types(table.get("PartitionKeys", ())),
        table.get("Parameters", {}).get("contract_version"),
        partitions,
    )


def stated_table(contract: Contract) -> Shown:
    """A table as its contract has it shown."""
    return shown(table_input(contract, bucket_name=""))


def stated_views(contract: Contract) -> dict[str, Shown]:
    """The views over a star table as its contract has them shown, by name."""
    return {view["Name"]: shown(view) for view in star_view_inputs(contract)}


def differences(stated: Shown, found: Shown) -> tuple[str, ...]:
    """Where the Glue catalogue disagrees with a contract, in words; nothing where they agree.

    Args:
        stated: The table as its contract has it shown.
        found: The table as it is shown.
    """
    words = []
    if found.version != stated.version:
        words.append(f"it was made from version {found.version or '?'} of the contract")
    for kind, of_stated, of_found in (
        ("column", stated.columns, found.columns),
        ("partition column", stated.partition_columns, found.partition_columns),
    ):
        words += [f"the {kind} {name} is missing" for name in of_stated if name not in of_found]
        words += [f"the {kind} {name} is in no contract" for name in of_found if name not in of_stated]
        words += [
            f"the {kind} {name} is {of_found[name]}, not {of_stated[name]}"
            for name in of_stated
            if name in of_found and of_found[name] != of_stated[name]
        ]
        common = [name for name in of_stated if name in of_found]
        if common != [name for name in of_found if name in of_stated]:
            words.append(f"the {kind}s stand in another order")
    return tuple(words)


def _types(columns: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in columns}
