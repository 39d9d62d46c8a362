"""The verdict on rows: which rules each one breaks, in one pass and by the suite's own conditions.

What a row breaks is one or more numbers, each with a bit for up to ``BITS`` rules. Rows are counted by these
numbers, so the counts of every rule, of rejected rows and of empty cells come from one aggregation, and the
numbers that split the rows are those that were counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from expectations.rules import Suite

BITS = 62
"""Rules and columns that one number holds; 64 less the sign and one to spare."""

BATCH = "batch"
"""Raw partition column: the capture."""

READ, TABLE = "read", "table"
"""Columns of :func:`tallied`, beside ``batch`` and ``marks``."""

MARKS = "marks"
"""Column of :func:`tallied`: the numbers, as an array."""

BROKEN_RULES = "broken_rules"
"""Column of :func:`split`'s rejected rows: JSON of the rules that a row broke."""

_DELETION = "operation = 'delete'"


@dataclass(frozen=True)
class Judge:
    """A suite with the condition under which a row breaks each of its rules.

    Attributes:
        suite: The rules.
        conditions: Spark SQL for each rule, in the suite's order.
    """

    suite: Suite
    conditions: tuple[str, ...]

    @property
    def emptiable(self) -> tuple[str, ...]:
        """Columns whose empty cells no rule counts, though some rule speaks of their values."""
        known = {column.name for column in self.suite.contract.columns if column.nullable}
        return tuple(dict.fromkeys(rule.column for rule in self.suite.rules if rule.column in known))

    @property
    def words(self) -> tuple[str, ...]:
        """The names of the columns that hold the numbers."""
        bits = len(self.conditions) + len(self.emptiable) + 1
        return tuple(f"_marks_{index}" for index in range((bits + BITS - 1) // BITS))

    def rejecting(self, word: int) -> int:
        """The bits of a number that reject a row."""
        return sum(
            1 << (index % BITS)
            for index, rule in enumerate(self.suite.rules)
            if rule.severity == "reject" and index // BITS == word
        )

    def narrowed(self, names: Collection[str]) -> Judge:
        """The judge by the rules of these names alone.

        By the rules that some row breaks, rows are split as by all: a rule that none breaks marks none.
        """
        chosen = [
            pair for pair in zip(self.suite.rules, self.conditions, strict=True) if pair[0].name in names
        ]
        suite = replace(self.suite, rules=tuple(rule for rule, _ in chosen))
        return Judge(suite, tuple(condition for _, condition in chosen))


@dataclass
class Verdict:
    """What was found in one table's rows of one batch.

    Attributes:
        read: Rows, deletions among them.
        rejected: Rows that break a rule that rejects.
        warned: Rows that break a rule that warns and none that rejects.
        deletions: Deletions, which are not judged: they hold a key and nothing else.
        broken: By rule, the rows that break it.
        empty: By column, the rows that leave it empty.
    """

    read: int = 0
    rejected: int = 0
    warned: int = 0
    deletions: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)


def marked(rows: DataFrame, judge: Judge) -> DataFrame:
    """Add to each row the numbers that say what it breaks, and which columns it leaves empty.

    Args:
        rows: Rows of the raw table with what the rules speak of, see :mod:`expectations.context`.
        judge: The rules and their conditions.
    """
    asked = [
        *(f"coalesce({condition}, false)" for condition in judge.conditions),
        *(f"{name} IS NULL" for name in judge.emptiable),
    ]
    numbers = []
    for word, name in enumerate(judge.words):
        bits = [
            f"IF({condition}, {1 << bit}L, 0L)"
            for bit, condition in enumerate(asked[word * BITS : (word + 1) * BITS])
        ]
        # The last bit of all says that the row is a deletion.
        deletion = f"{1 << (len(asked) % BITS)}L" if len(asked) // BITS == word else "0L"
        numbers.append(F.expr(f"IF({_DELETION}, {deletion}, {' | '.join(bits) or '0L'})").alias(name))
    return rows.select("*", *numbers)


def tallied(rows: DataFrame, judge: Judge) -> DataFrame:
    """Count marked rows: ``table``, ``batch``, ``marks``, ``read``; a row per combination that occurs."""
    counted = rows.groupBy(BATCH, *judge.words).agg(F.count(F.lit(1)).alias(READ))
    table = F.lit(judge.suite.contract.table).alias(TABLE)
    return counted.select(table, BATCH, F.array(*judge.words).alias(MARKS), READ)


def verdicts(judge: Judge, found: Iterable[Row]) -> dict[int, Verdict]:
    """The verdict on each batch, from the rows of :func:`tallied` that are the judge's table's."""
    by_batch: dict[int, Verdict] = {}
    for row in found:
        _add(judge, by_batch.setdefault(row[BATCH], Verdict()), row[MARKS], row[READ])
    return by_batch


def split(rows: DataFrame, judge: Judge) -> tuple[DataFrame, DataFrame]:
    """Marked rows as accepted and rejected ones, the rejected with the rules that they broke."""
    rejecting = [(name, judge.rejecting(word)) for word, name in enumerate(judge.words)]
    parts = [F.col(name).bitwiseAND(F.lit(bits).cast("bigint")) != 0 for name, bits in rejecting]
    is_rejected: SparkColumn = reduce(SparkColumn.__or__, parts)
    stated = [
        F.when(
            F.col(judge.words[index // BITS]).bitwiseAND(F.lit(1 << (index % BITS)).cast("bigint")) != 0,
            F.struct(
                F.lit(rule.name).alias("rule"),
                F.lit(rule.severity).alias("severity"),
                F.lit(rule.reason).alias("reason"),
            ),
        )
        for index, rule in enumerate(judge.suite.rules)
    ]
    broken = F.to_json(F.filter(F.array(*stated), lambda one: one.isNotNull()))
    return rows.where(~is_rejected), rows.where(is_rejected).withColumn(BROKEN_RULES, broken)


def too_many(verdict: Verdict, share: float, minimum: int) -> bool:
    """Whether so many rows are rejected that the rules, rather than the rows, may be wrong.

    Args:
        verdict: The verdict on one table in one batch.
        share: Of the rows that are not deletions, what may be rejected.
        minimum: Fewer rejected rows than this are never too many.
    """
    return verdict.rejected >= minimum and verdict.rejected > share * (verdict.read - verdict.deletions)


def _add(judge: Judge, verdict: Verdict, marks: Sequence[int], rows: int) -> None:
    def has(index: int) -> bool:
        return bool(marks[index // BITS] >> (index % BITS) & 1)

    names = [rule.name for rule in judge.suite.rules]
    verdict.read += rows
    verdict.deletions += rows if has(len(names) + len(judge.emptiable)) else 0
    broken = [rule for index, rule in enumerate(judge.suite.rules) if has(index)]
    rejected = any(rule.severity == "reject" for rule in broken)
    verdict.rejected += rows if rejected else 0
    verdict.warned += rows if broken and not rejected else 0
    for rule in broken:
        verdict.broken[rule.name] = verdict.broken.get(rule.name, 0) + rows
    for index, column in enumerate(judge.emptiable):
        if has(len(names) + index):
            verdict.empty[column] = verdict.empty.get(column, 0) + rows


def empty_cells(judge: Judge, verdict: Verdict) -> Mapping[str, int]:
    """By column, the empty cells of judged rows, whichever way they were counted."""
    required = {
        rule.column: verdict.broken[rule.name]
        for rule in judge.suite.rules
        if rule.type == "expect_column_values_to_not_be_null" and rule.name in verdict.broken
    }
    return {**verdict.empty, **required}
