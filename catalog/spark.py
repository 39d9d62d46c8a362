"""Spark schemas from contracts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from catalog.model import Column, Contract
from catalog.types import spark_type

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


def spark_ddl(columns: Iterable[Column]) -> str:
    """Columns as a Spark DDL string; every column nullable, as files are read that way anyway."""
    return ", ".join(f"`{column.name}` {spark_type(column.type)}" for column in columns)


def spark_schema(contract: Contract, *, with_partitions: bool = False) -> StructType:
    """The schema of a table's files, timestamps without zone.

    Args:
        contract: The table.
        with_partitions: Whether the columns that stand in the path follow.
    """
    # Imported late: the shell jobs read contracts too and have no Spark.
    from pyspark.sql.types import StructType

    columns = contract.all_columns + (contract.partition_columns if with_partitions else ())
    return cast("StructType", StructType.fromDDL(spark_ddl(columns)))
