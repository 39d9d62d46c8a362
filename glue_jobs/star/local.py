"""Small tables from the driver, made inside the JVM: the usual way would start a Python worker for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812


def local_frame(spark: SparkSession, rows: Sequence[Mapping[str, Any]], schema: str) -> DataFrame:
    """A few rows as a DataFrame.

    Args:
        spark: The session.
        rows: Column to value; what a row leaves out is empty.
        schema: The columns as a DDL string.
    """
    text = json.dumps(rows, default=_plain)
    listed = F.from_json(F.lit(text), f"array<struct<{schema}>>")
    return spark.range(0, 1, 1, 1).select(F.inline(listed))


def _plain(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)
