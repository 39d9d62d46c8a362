"""Arrow schemas from contracts: what the lake's parquet files hold."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from catalog.model import Column, Contract
from catalog.types import arrow_type


def arrow_field(column: Column, *, nullable: bool) -> pa.Field:
    """One column as Arrow declares it."""
    return pa.field(column.name, arrow_type(column.type), nullable=nullable)


def arrow_schema(contract: Contract) -> pa.Schema:
    """The schema of a table's files: its columns, then the zone's lineage.

    Raw files accept nulls everywhere, since a deletion holds its key alone and a cell that the type cannot
    hold is kept as text beside it; in the other zones a column is as nullable as its contract says.
    """
    return _schema(contract.all_columns, contract.zone == "raw")


def partition_schema(contract: Contract) -> pa.Schema:
    """The columns that stand in the paths of a table's files, in order."""
    return pa.schema([arrow_field(column, nullable=False) for column in contract.partition_columns])


def _schema(columns: Iterable[Column], all_nullable: bool) -> pa.Schema:
    return pa.schema([arrow_field(c, nullable=all_nullable or c.nullable) for c in columns])
