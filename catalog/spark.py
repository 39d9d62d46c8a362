"""Spark schemas from contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.model import Contract
from catalog.types import spark_type

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


def spark_schema(contract: Contract, *, with_partitions: bool = False) -> StructType:
    """The schema of a table's files, timestamps without zone.

    Every column is nullable: Spark reads files so anyway, and what may not be null is checked, not declared.

    Args:
        contract: The table.
        with_partitions: Whether the columns that stand in the path follow.
    """
    # Imported late: the shell jobs read contracts too and have no Spark.
    from pyspark.sql.types import StructType

    columns = contract.all_columns + (contract.partition_columns if with_partitions else ())
    fields = [
        {"name": column.name, "type": spark_type(column.type), "nullable": True, "metadata": {}}
        for column in columns
    ]
    return StructType.fromJson({"type": "struct", "fields": fields})
