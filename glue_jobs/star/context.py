"""What rules need besides a row itself: whether the rows that it names are there, and what they hold.

A capture is one snapshot, and its commit names the keys that were live in it, as compressed bitmaps. So
whether a row that another one names was there is asked of the capture that brought that one: a parent that
was rejected was there, one that the source never had was not. Contents are looked up in the waiting batches
and, for what came before them, in the star, of which only the partitions are read that can hold a wanted key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BooleanType, StructField, StructType

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.spark import spark_schema
from expectations.rules import KNOWN, Lookup, Suite
from expectations.verdict import BATCH
from glue_jobs.lake.commits import Commit, CommitLog
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.live_keys import KeyStore, values_of
from glue_jobs.sources.state import TableState, read_states
from glue_jobs.star import read
from glue_jobs.star.local import local_frame
from glue_jobs.star.numbering import block_of
from glue_jobs.star.partitions import candidates
from glue_jobs.star.tables import Build

FEW_SPANS = 32
"""Spans of keys up to which they are compared one by one; more are joined by block."""

BLOCK = 4096
"""Keys in a block."""

_LOW, _HIGH, _KEY, _VERSIONS, _SPANS = "_low", "_high", "_key", "_versions", "_spans"

Spans = tuple[tuple[int, int], ...]
"""Spans of whole numbers, both ends included, in order."""


def schema_of(suite: Suite, catalogue: Catalogue) -> StructType:
    """The columns of a row that the suite's rules can be judged on."""
    raw = spark_schema(suite.contract, with_partitions=True)
    references = [StructField(one.column, BooleanType()) for one in suite.contract.references]
    fields = [*raw.fields, *([StructField(KNOWN, StructType(references))] if references else [])]
    fields += [StructField(one.table, _looked_up(suite, catalogue, one)) for one in suite.lookups]
    return StructType(fields)


def spans_of(keys: Any) -> Spans:
    """The spans that a bitmap of keys consists of."""
    values = np.sort(values_of(keys))
    if not len(values):
        return ()
    ends = np.flatnonzero(np.diff(values) != 1)
    lows, highs = values[np.r_[0, ends + 1]], values[np.r_[ends, len(values) - 1]]
    return tuple(zip(lows.tolist(), highs.tolist(), strict=True))


@dataclass
class Context:
    """What the waiting batches are judged against.

    Attributes:
        spark: The session.
        s3: A boto3 ``s3`` client.
        catalogue: The contracts.
        buckets: Real bucket name by logical name.
        captures: By batch, the capture that knows which rows were there.
        waiting: By raw table, the rows that wait, deletions among them.
    """

    spark: SparkSession
    s3: Any
    catalogue: Catalogue
    buckets: Mapping[str, str]
    captures: Mapping[int, Commit]
    waiting: Mapping[str, DataFrame]
    _spans: dict[str, Spans] = field(default_factory=dict)
    _states: dict[int, Mapping[str, TableState]] = field(default_factory=dict)

    def complete(self, suite: Suite, rows: DataFrame) -> DataFrame:
        """Rows of a raw table with everything that its rules speak of: the columns of :func:`schema_of`."""
        names = list(rows.columns)
        known = []
        for reference in suite.contract.references:
            rows, answer = self._is_known(rows, reference.column, reference.table)
            known.append(answer.alias(reference.column))
        rows = rows.select(*names, *([F.struct(*known).alias(KNOWN)] if known else []))
        for lookup in suite.lookups:
            rows = self._with_lookup(suite, rows, lookup)
        return rows.select(*schema_of(suite, self.catalogue).names)

    # ------------------------------------------------------------------ references

    def _is_known(self, rows: DataFrame, column: str, table: str) -> tuple[DataFrame, SparkColumn]:
        """The rows, and whether the row of a table that each one names was there; empty: nobody can tell."""
        by_answer: dict[tuple[Spans, bool] | None, list[int]] = {}
        for batch in sorted(self.captures):
            by_answer.setdefault(self._there(batch, table), []).append(batch)
        answer = F.lit(None).cast("boolean")
        for index, (there, batches) in enumerate(by_answer.items()):
            if there is None:
                continue
            spans, is_all = there
            rows, found = self._among(rows, column, spans, f"{_SPANS}_{column}_{index}")
            # A table that was held may hold rows that nobody has seen.
            said = found if is_all else F.when(found, F.lit(True))
            answer = F.when(F.col(BATCH).isin(batches), said).otherwise(answer)
        return rows, answer

    def _there(self, batch: int, table: str) -> tuple[Spans, bool] | None:
        if batch not in self._states:
            self._states[batch] = read_states(self.captures[batch].state)
        state = self._states[batch].get(table)
        if state is None or state.live is None:
            return None
        if state.live.key not in self._spans:
            keys = KeyStore(self.s3, self.buckets["ingestion"]).live(state.live)
            self._spans[state.live.key] = spans_of(keys)
        return self._spans[state.live.key], state.held is None

    def _among(self, rows: DataFrame, column: str, spans: Spans, name: str) -> tuple[DataFrame, SparkColumn]:
        if len(spans) <= FEW_SPANS:
            within = " OR ".join(f"{column} BETWEEN {low} AND {high}" for low, high in spans) or "false"
            return rows, F.expr(within)
        blocks = [{_KEY: key, name: found} for key, found in _blocks(spans).items()]
        frame = local_frame(
            self.spark, blocks, f"{_KEY} bigint, {name} array<struct<low:bigint,high:bigint>>"
        )
        joined = rows.join(
            F.broadcast(frame), F.floor(F.col(column) / F.lit(BLOCK)) == F.col(_KEY), "left"
        ).drop(_KEY)
        inside = F.exists(name, lambda span: F.col(column).between(span["low"], span["high"]))
        return joined, F.coalesce(inside, F.lit(False))

    # ------------------------------------------------------------------ lookups

    def _with_lookup(self, suite: Suite, rows: DataFrame, lookup: Lookup) -> DataFrame:
        """Add the row that a lookup finds, as it was known when the looking row's batch was captured."""
        names = list(rows.columns)
        fields = _looked_up(suite, self.catalogue, lookup).names
        contract = self.catalogue.raw[lookup.table]
        rows = rows.withColumn(_KEY, F.col(lookup.on))
        found = self._versions(rows, contract, fields)
        content = F.struct(*fields)
        several = len(self.captures) > 1
        if several:
            held = F.sort_array(F.collect_list(F.struct(F.col(BATCH), content.alias(_VERSIONS))))
        else:
            held = F.max_by(content, BATCH)
        versions = found.groupBy(F.col(contract.key[0]).alias(_HIGH)).agg(held.alias(_VERSIONS))
        rows = rows.join(versions, F.col(_KEY) == F.col(_HIGH), "left")
        if several:
            until = F.filter(_VERSIONS, lambda one: one[BATCH] <= F.col(BATCH))
            return rows.select(*names, F.try_element_at(until, F.lit(-1))[_VERSIONS].alias(lookup.table))
        return rows.select(*names, F.col(_VERSIONS).alias(lookup.table))

    def _versions(self, rows: DataFrame, contract: Contract, fields: Sequence[str]) -> DataFrame:
        """Every version of a table that a row can mean: key, fields and batch, 0 for what came before."""
        columns = list(dict.fromkeys([contract.key[0], *fields]))
        found = []
        if contract.table in self.waiting:
            waiting = self.waiting[contract.table].where(F.col("operation") != "delete")
            found.append(waiting.select(*columns, F.col(BATCH).cast("bigint").alias(BATCH)))
        before = self._before(rows, contract, columns)
        if before is not None:
            found.append(before)
        if not found:
            return read.no_rows(self.spark, _only(contract, columns)).withColumn(
                BATCH, F.lit(0).cast("bigint")
            )
        return reduce(DataFrame.unionByName, found)

    def _before(self, rows: DataFrame, contract: Contract, columns: Sequence[str]) -> DataFrame | None:
        """What was accepted before the waiting batches: from the star, and from verdicts that it lacks."""
        star = star_table(self.catalogue, contract.table)
        stage = "facts" if star.kind == "fact" else "dimensions"
        commits = CommitLog(self.s3, self.buckets["ingestion"], stage)
        built = commits.latest()
        verdicts = CommitLog(self.s3, self.buckets["ingestion"], "validate").covering(
            built.last_batch if built else 0
        )
        found = []
        lacking = read.accepted_objects(verdicts, contract.table, built.last_batch if built else 0)
        if lacking:
            newer = read.raw_rows(self.spark, self.s3, self.buckets["ingestion"], contract, lacking)
            found.append(newer.where(F.col("operation") != "delete").select(*columns, BATCH))
        if built is not None:
            build = Build(self.spark, self.s3, self.catalogue, self.buckets, commits, "", built, ())
            held = build.held(star.table)
            wanted = _intervals(rows) if star.partition else ()
            specs = candidates(held.key_ranges, (), wanted) if star.partition else set(held.versions)
            partition = star.partition.name if star.partition else None
            place = self.buckets[star.zone_info.bucket]
            live = build.partitions(star.table, held.versions, specs)
            rows_there = read.star_rows(
                self.spark, self.s3, place, star.prefix, spark_schema(star), partition, live
            )
            if rows_there is not None:
                by_source = {column.source: column.name for column in star.columns}
                named = [F.col(str(by_source[name])).alias(name) for name in columns]
                found.append(rows_there.select(*named, F.col("batch_sequence").alias(BATCH)))
        if not found:
            return None
        together = reduce(DataFrame.unionByName, found)
        latest = F.max_by(F.struct(*columns), BATCH).alias(_VERSIONS)
        newest = together.groupBy(F.col(columns[0]).alias(_LOW)).agg(latest)
        return newest.select(f"{_VERSIONS}.*", F.lit(0).cast("bigint").alias(BATCH))


def star_table(catalogue: Catalogue, raw: str) -> Contract:
    """The star table that is built from one raw table alone.

    Raises:
        UserError: There is none, so that what the table held before cannot be looked up.
    """
    for contract in catalogue.star.values():
        built_from = contract.built_from
        if built_from is not None and built_from.table == raw and not built_from.joins:
            return contract
    raise UserError(
        f"A rule looks up rows of {raw}, and no star table is built from {raw} alone.",
        "State the rule without this lookup.",
    )


def _looked_up(suite: Suite, catalogue: Catalogue, lookup: Lookup) -> StructType:
    """The columns of a looked up table that some rule of the suite names, as ``table.column``."""
    texts = [str(value) for rule in suite.rules if rule.lookups for value in rule.kwargs.values()]
    texts += [other.on for other in suite.lookups]
    named = set(re.findall(rf"\b{lookup.table}\.(\w+)", " ".join(texts)))
    contract = catalogue.raw[lookup.table]
    offered = {
        column.source for column in star_table(catalogue, lookup.table).columns if column.derive is None
    }
    chosen = [column.name for column in contract.columns if column.name in named]
    lacking = sorted(named - offered)
    if lacking or not chosen:
        raise UserError(
            f"Rules of {suite.contract.table} look up {', '.join(lacking) or 'nothing'} of {lookup.table}.",
            "Name, as table.column, columns that the star keeps as they are.",
        )
    return _only(contract, chosen)


def _only(contract: Contract, names: Sequence[str]) -> StructType:
    schema = spark_schema(contract)
    return StructType([schema[name] for name in names])


def _intervals(rows: DataFrame) -> list[tuple[int, int]]:
    """Intervals that hold every key that rows look up: one Spark job."""
    blocks = rows.where(F.col(_KEY).isNotNull()).groupBy(block_of(_KEY))
    found = blocks.agg(F.min(_KEY).alias(_LOW), F.max(_KEY).alias(_HIGH)).collect()
    return [(row[_LOW], row[_HIGH]) for row in found]


def _blocks(spans: Iterable[tuple[int, int]]) -> dict[int, list[dict[str, int]]]:
    """Spans by the blocks of keys that they touch."""
    found: dict[int, list[dict[str, int]]] = {}
    for low, high in spans:
        for block in range(low // BLOCK, high // BLOCK + 1):
            found.setdefault(block, []).append({"low": low, "high": high})
    return found
