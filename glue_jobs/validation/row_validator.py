"""What rules find in rows, as SQL text: flags that are counted, and the split by what is rejected.

What a row breaks is one or more numbers, its flags, each with a bit for up to ``BITS`` rules. Rows are
counted by these numbers, so that one pass gives the counts of every rule, of rejected rows and of empty
cells. Only the rows of batches in which something is rejected are read a second time, to be split by the
rules that some row breaks.

Every function here gives text in the common subset of DuckDB and Spark SQL, over the columns that compiled
rules speak of; none of them names a relation that the caller did not give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from catalog.functions import literal
from catalog.keys import is_number
from expectations.rules import Suite
from glue_jobs.lake.validation_state import ValidationResult

BITS = 62
"""Rules and columns that one number holds; 64 less the sign and one to spare."""

BATCH, OPERATION, VERSION_ID = "batch", "operation", "version_id"
"""Raw columns: the capture, what happened to the row, which version of it this is."""

BROKEN_RULES = "broken_rules"
"""Column of the dead letters: JSON of the rules that a row broke."""

TABLE, ROWS, KEYS, LOW, HIGH = "table_name", "row_count", "key_count", "key_low", "key_high"
"""Columns of :func:`tally`, beside ``batch`` and the flags: how many rows, and the range of their keys."""

_TEXT_LITERAL = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class RowValidator:
    """A suite with the condition under which a row breaks each of its rules.

    Attributes:
        suite: The rules.
        conditions: SQL for each rule, in the suite's order; true where a row breaks it, false elsewhere.
    """

    suite: Suite
    conditions: tuple[str, ...]

    @property
    def table(self) -> str:
        """The raw table."""
        return self.suite.contract.table

    @property
    def key(self) -> Optional[str]:
        """The key column, where it is one whole number."""
        contract = self.suite.contract
        return contract.key[0] if is_number(contract) else None

    @property
    def emptiable(self) -> tuple[str, ...]:
        """Columns whose empty cells no rule counts, though some rule speaks of their values."""
        nullable = {column.name for column in self.suite.contract.columns if column.nullable}
        return tuple(dict.fromkeys(rule.column for rule in self.suite.rules if rule.column in nullable))

    @property
    def names(self) -> frozenset[str]:
        """Every name that a condition holds, columns among them."""
        return names_in(self.conditions)

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the columns that hold the flags."""
        bits = len(self.conditions) + len(self.emptiable) + 1
        return tuple(f"flags_{index}" for index in range((bits + BITS - 1) // BITS))

    def narrowed(self, rules: Collection[str]) -> RowValidator:
        """The validator with the rules of these names alone.

        The rules that some row breaks split rows as all rules do: a rule that no row breaks flags none.
        """
        chosen = [index for index, rule in enumerate(self.suite.rules) if rule.name in rules]
        suite = replace(self.suite, rules=tuple(self.suite.rules[index] for index in chosen))
        return RowValidator(suite, tuple(self.conditions[index] for index in chosen))


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """Every word of some SQL texts that stands in no literal: columns, and whatever else is no column."""
    return frozenset(word for text in texts for word in _WORD.findall(_TEXT_LITERAL.sub("''", text)))


def tally(validator: RowValidator, rows: str, width: int) -> str:
    """Count rows by batch and flags; a row for each combination that occurs.

    Args:
        validator: The rules.
        rows: Relation of what the conditions speak of, ``operation`` and ``batch``.
        width: How many columns of flags there are to be; those that the validator lacks are 0.

    Returns:
        A query: ``table_name``, ``batch``, the flags, ``row_count``, and the range of the keys.
    """
    key = f"CAST({validator.key} AS BIGINT)" if validator.key else "CAST(NULL AS BIGINT)"
    flags = [f"{text} AS {name}" for name, text in zip(validator.flags, _flags(validator))]
    flags += [f"{_number(0)} AS flags_{index}" for index in range(len(flags), width)]
    names = ", ".join(f"flags_{index}" for index in range(width))
    return f"""\
SELECT {literal(validator.table)} AS {TABLE}, {BATCH}, {names}, count(*) AS {ROWS},
       count(row_key) AS {KEYS}, min(row_key) AS {LOW}, max(row_key) AS {HIGH}
FROM (
    SELECT {BATCH}, {key} AS row_key,
           {_lines(flags, ",", 11)}
    FROM {rows}
) AS flagged
GROUP BY {BATCH}, {names}"""


def results(validator: RowValidator, tallied: Iterable[Mapping[str, Any]]) -> dict[int, ValidationResult]:
    """The result of each batch, from those rows of :func:`tally` that are of the validator's table."""
    by_batch: dict[int, ValidationResult] = {}
    for row in tallied:
        flags = [int(row[name]) for name in validator.flags]
        found = _result(validator, flags, row[ROWS])
        by_batch[row[BATCH]] = by_batch.get(row[BATCH], ValidationResult()) + found
    return by_batch


def rejected_keys(
    validator: RowValidator, tallied: Iterable[Mapping[str, Any]]
) -> dict[int, Optional[tuple[int, int]]]:
    """By batch that has rejected rows, the range of their keys; nothing where one of them has no key."""
    rejecting = [index for index, rule in enumerate(validator.suite.rules) if rule.severity == "reject"]
    ranges: dict[int, Optional[tuple[int, int]]] = {}
    for row in tallied:
        if not any(row[validator.flags[index // BITS]] >> (index % BITS) & 1 for index in rejecting):
            continue
        low, high = ranges.get(row[BATCH]) or (row[LOW], row[HIGH])
        is_known = row[KEYS] == row[ROWS] and ranges.get(row[BATCH], (0, 0)) is not None
        ranges[row[BATCH]] = (min(low, row[LOW]), max(high, row[HIGH])) if is_known else None
    return ranges


def accepted(validator: RowValidator, rows: str, columns: Iterable[str]) -> str:
    """The rows that break no rule that rejects, deletions among them."""
    return f"SELECT {', '.join(columns)}\nFROM {rows}\nWHERE NOT {_is_rejected(validator)}"


def rejected(
    validator: RowValidator, rows: str, columns: Iterable[str], keys: Optional[tuple[int, int]] = None
) -> str:
    """The rows that break a rule that rejects, with every rule that they break as ``broken_rules``.

    Args:
        validator: The rules.
        rows: Relation of the rows with what the conditions speak of.
        columns: The columns wanted.
        keys: The range of their keys, see :func:`rejected_keys`: others are passed over, mostly undecoded.
    """
    between = f"{validator.key} BETWEEN {keys[0]} AND {keys[1]} AND " if keys is not None else ""
    stated = [
        f"CASE WHEN {condition} THEN {literal(',' + _document(rule))} ELSE '' END"
        for rule, condition in zip(validator.suite.rules, validator.conditions)
    ]
    listed = _lines(stated, " ||", 7)
    return f"""\
SELECT {", ".join(columns)},
       '[' || substr({listed}, 2) || ']' AS {BROKEN_RULES}
FROM {rows}
WHERE {between}{_is_rejected(validator)}"""


def too_many(result: ValidationResult, share: float, minimum: int) -> bool:
    """Whether so many rows are rejected that the rules, rather than the rows, may be wrong.

    Args:
        result: What was found in one table's rows of one batch.
        share: Of the rows that are not deletions, what may be rejected.
        minimum: Fewer rejected rows than this are never too many.
    """
    return result.rejected >= minimum and result.rejected > share * (result.read - result.deletions)


def empty_cells(validator: RowValidator, result: ValidationResult) -> Mapping[str, int]:
    """By column, the empty cells of the rows to which rules were applied, whichever way they were counted."""
    required = {
        rule.column: result.broken[rule.name]
        for rule in validator.suite.rules
        if rule.type == "expect_column_values_to_not_be_null" and rule.name in result.broken
    }
    return {**result.empty, **required}


def _flags(validator: RowValidator) -> list[str]:
    """The numbers that say what a row breaks and leaves empty; the last bit of all says: a deletion."""
    asked = [*validator.conditions, *(f"{name} IS NULL" for name in validator.emptiable)]
    numbers = []
    for word in range(len(validator.flags)):
        bits = [
            f"CASE WHEN {condition} THEN {_number(1 << bit)} ELSE {_number(0)} END"
            for bit, condition in enumerate(asked[word * BITS : (word + 1) * BITS])
        ]
        deletion = 1 << (len(asked) % BITS) if len(asked) // BITS == word else 0
        numbers.append(
            f"CASE WHEN {OPERATION} = 'delete' THEN {_number(deletion)} ELSE\n"
            f"           {_lines(bits, ' +', 11) or _number(0)} END"
        )
    return numbers


def _is_rejected(validator: RowValidator) -> str:
    rejecting = [
        condition
        for rule, condition in zip(validator.suite.rules, validator.conditions)
        if rule.severity == "reject"
    ]
    broken = "\n     OR ".join(f"({condition})" for condition in rejecting) or "FALSE"
    # Where a condition is neither true nor false the row stays.
    return f"CASE WHEN {OPERATION} = 'delete' THEN FALSE\n     WHEN {broken} THEN TRUE ELSE FALSE END"


def _document(rule: Any) -> str:
    stated = {"rule": rule.name, "severity": rule.severity, "reason": rule.reason}
    return json.dumps(stated, separators=(",", ":"), ensure_ascii=False)


def _result(validator: RowValidator, flags: list[int], rows: int) -> ValidationResult:
    """What so many rows with the same flags are."""

    def has(index: int) -> bool:
        return bool(flags[index // BITS] >> (index % BITS) & 1)

    rules, emptiable = validator.suite.rules, validator.emptiable
    broken = [rule for index, rule in enumerate(rules) if has(index)]
    is_rejected = any(rule.severity == "reject" for rule in broken)
    return ValidationResult(
        read=rows,
        rejected=rows if is_rejected else 0,
        warned=rows if broken and not is_rejected else 0,
        deletions=rows if has(len(rules) + len(emptiable)) else 0,
        broken={rule.name: rows for rule in broken},
        empty={column: rows for index, column in enumerate(emptiable, len(rules)) if has(index)},
    )


def _number(value: int) -> str:
    return f"CAST({value} AS BIGINT)"


def _lines(texts: Iterable[str], separator: str, indent: int) -> str:
    return f"{separator}\n{' ' * indent}".join(texts)
