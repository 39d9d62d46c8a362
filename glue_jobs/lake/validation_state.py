"""What the commits of ``validate`` state: what was found in each batch, which dead letters are unresolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from catalog.keys import is_number
from catalog.model import Contract
from glue_jobs.lake.commits import Commit, DataObject, data_objects, read_known

if TYPE_CHECKING:
    import pyarrow as pa

STAGE = "validate"
"""The stage of validation in the commit log."""

RESULTS, UNRESOLVED, WAITING = "validation_results", "unresolved_dead_letters", "waiting"
"""Where a commit's state keeps the three."""

KEY, VERSION, BATCH, SEQUENCE = "key", "version_id", "batch", "sequence"
"""Columns of a list of unresolved dead letters: the row's key and version, the batch that brought it, the
commit that rejected it."""

CAPTURED_AT = "captured_at"
"""Another: when the row was captured; empty in lists of earlier releases."""

_REPORTS = "ops/validation_results/"


def unresolved_schema(contract: Contract) -> pa.Schema:
    """The columns of the list of a raw table's unresolved dead letters; its key is one value."""
    # Whoever only counts them need not wait for Arrow.
    import pyarrow as pa

    key = pa.int64() if is_number(contract) else pa.string()
    numbers = [(name, pa.int64()) for name in (VERSION, BATCH, SEQUENCE)]
    return pa.schema([(KEY, key), *numbers, (CAPTURED_AT, pa.timestamp("ms"))])


@dataclass(frozen=True)
class ValidationResult:
    """What was found in one table's rows of one batch.

    Attributes:
        read: Rows, deletions among them.
        rejected: Rows that break a rule that rejects.
        warned: Rows that break a rule that warns and none that rejects.
        deletions: Deletions, to which no rule is applied: they hold a key and nothing else.
        broken: By rule, the rows that break it.
        empty: By column, the rows that leave it empty.
    """

    read: int = 0
    rejected: int = 0
    warned: int = 0
    deletions: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    empty: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: ValidationResult) -> ValidationResult:
        """What was found in both."""
        return ValidationResult(
            self.read + other.read,
            self.rejected + other.rejected,
            self.warned + other.warned,
            self.deletions + other.deletions,
            _sum(self.broken, other.broken),
            _sum(self.empty, other.empty),
        )


@dataclass(frozen=True)
class ValidationState:
    """What a commit of ``validate`` states.

    Attributes:
        results: By raw table and batch, what was found.
        unresolved: By raw table, the objects in the ingestion bucket that list its unresolved dead letters; a
            table without any is left out.
        waiting: By raw table, the batches whose rows have no result yet, since its rules cannot be compiled.
    """

    results: Mapping[str, Mapping[int, ValidationResult]] = field(default_factory=dict)
    unresolved: Mapping[str, tuple[DataObject, ...]] = field(default_factory=dict)
    waiting: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, commit: Optional[Commit]) -> ValidationState:
        """What a commit states; before the first there is nothing."""
        state: Mapping[str, Any] = {} if commit is None else commit.state
        return cls(
            results={
                table: {int(batch): read_known(ValidationResult, found) for batch, found in by_batch.items()}
                for table, by_batch in state.get(RESULTS, {}).items()
            },
            unresolved={table: data_objects(found) for table, found in state.get(UNRESOLVED, {}).items()},
            waiting={table: tuple(batches) for table, batches in state.get(WAITING, {}).items()},
        )

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in a commit."""
        return {
            RESULTS: {
                table: {str(batch): asdict(found) for batch, found in sorted(by_batch.items())}
                for table, by_batch in sorted(self.results.items())
            },
            UNRESOLVED: {
                table: [asdict(data) for data in objects]
                for table, objects in sorted(self.unresolved.items())
                if any(data.rows for data in objects)
            },
            WAITING: {table: list(batches) for table, batches in sorted(self.waiting.items()) if batches},
        }

    @property
    def unresolved_rows(self) -> dict[str, int]:
        """By raw table, how many dead letters are unresolved."""
        return {table: sum(data.rows for data in objects) for table, objects in self.unresolved.items()}


@dataclass(frozen=True)
class ValidatedBatch:
    """One table in one batch that is validated.

    Attributes:
        table: The raw table.
        batch: The capture.
        day: Day of the capture (UTC, ISO 8601).
    """

    table: str
    batch: int
    day: str


def validated_batches(commit: Commit) -> Iterator[ValidatedBatch]:
    """Every table and batch that a commit has results of, in the order of batches and tables."""
    results = ValidationState.of(commit).results
    for batch, table in sorted((batch, table) for table, found in results.items() for batch in found):
        days = [
            partition.values["captured_date"]
            for partition in commit.tables[table].partitions
            if int(partition.values["batch"]) == batch
        ]
        yield ValidatedBatch(table, batch, days[0])


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def result_key(table: str, batch: int) -> str:
    """Where the validation result of a table and batch lies, in the ingestion bucket."""
    return f"{_REPORTS}{table}/batch={batch}.json"
