"""From raw rows to rows of a star table, as its contract says; deletions carry their key alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

import pycountry
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that every Spark program uses

from catalog.model import Column, Contract, PartitionBy
from glue_jobs.star.shape import BATCH, CAPTURED_AT, DELETED, INFERRED, MARK, UNREADABLE, VERSION_ID, shape_of

ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
"""How the source writes dates; anything else is not guessed at."""

TIME_OF_DAY = "HH:mm:ss.SSS"
"""A time of day as the lake writes it: cut, never rounded, to the millisecond."""

_GRAIN = {"month": "yyyy-MM", "day": "yyyy-MM-dd"}

SourceOf = Callable[[str], SparkColumn]
"""Finds the Spark column of a contract's ``source``, ``column`` or ``joined_table.column``."""


def incoming(contract: Contract, raw: DataFrame) -> DataFrame:
    """Raw rows as candidate versions of a star table without joins.

    Args:
        contract: The star table.
        raw: Rows of its source table, with raw lineage and ``batch``.

    Returns:
        Key, content, star lineage, ``version_id`` and marks; no record number yet.
    """
    return raw.select(*star_columns(contract, F.col), *_lineage(), *marks(contract, F.col))


def source_versions(contract: Contract, raw: DataFrame) -> DataFrame:
    """Raw rows as candidate versions of the snapshot of their own table, values as they are."""
    return raw.select(*[F.col(column.name) for column in contract.columns], *_lineage())


def star_columns(contract: Contract, source_of: SourceOf) -> list[SparkColumn]:
    """Key and content of a star table, each made from its source as its contract says."""
    made = {
        column.name: _value(column, source_of(column.source))
        for column in contract.columns
        if column.source is not None
    }
    if contract.partition is not None:
        made[contract.partition.name] = cut(contract.partition, source_of(contract.partition.source_column))
    shape = shape_of(contract)
    if shape.has_members:
        made[INFERRED] = F.lit(False)
    return [made[name].alias(name) for name in (shape.key, *shape.content)]


def marks(contract: Contract, source_of: SourceOf) -> list[SparkColumn]:
    """Booleans that say which columns of a row state a value that cannot be read as the contract says."""
    return [
        (source_of(column.source).isNotNull() & _derive(column, source_of(column.source)).isNull()).alias(
            f"{MARK}{UNREADABLE}{column.name}"
        )
        for column in contract.columns
        if column.source is not None and column.derive == "iso_date"
    ]


def _lineage() -> list[SparkColumn]:
    return [
        F.col("batch").alias(BATCH),
        F.col("captured_at").alias(CAPTURED_AT),
        (F.col("operation") == "delete").alias(DELETED),
        F.col(VERSION_ID),
    ]


def _value(column: Column, source: SparkColumn) -> SparkColumn:
    derived = _derive(column, source)
    return derived if column.default is None else F.coalesce(derived, F.lit(column.default))


def _derive(column: Column, source: SparkColumn) -> SparkColumn:
    match column.derive:
        case "date_of":
            return source.cast("date")
        case "time_of":
            return F.date_format(source, TIME_OF_DAY)
        case "iso_date":
            return F.when(source.rlike(ISO_DATE), source.try_cast("date"))
        case "currency_name":
            return _currency_name(source)
        case _:
            return source


def cut(partition: PartitionBy, source: SparkColumn) -> SparkColumn:
    """The partition that a time lies in."""
    return F.date_format(source, _GRAIN[partition.grain])


def _currency_name(code: SparkColumn) -> SparkColumn:
    # One literal for the whole map: a literal for each of its entries costs a call into the JVM each.
    names = F.from_json(F.lit(_iso_4217()), "map<string,string>")
    unknown = F.concat(F.lit("Unknown ("), code, F.lit(")"))
    return F.coalesce(F.try_element_at(names, code), unknown)


@lru_cache(maxsize=1)
def _iso_4217() -> str:
    return json.dumps({currency.alpha_3: currency.name for currency in pycountry.currencies})
