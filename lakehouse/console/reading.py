"""What the console's pages show: commits, runs and records of the lake, read anew at every look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.pipeline import Pipeline, load_pipeline
from expectations.awaiting_approval import BatchAwaitingApproval
from glue_jobs.lake import approvals
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.lake.reconciliations import newest
from glue_jobs.runtime.athena import QueryResult, QueryStream, run_query, stream_query
from lakehouse.command_line import ROLES
from lakehouse.dead_letters import DeadLetter, open_dead_letters
from lakehouse.drive import CAPTURE_JOB
from lakehouse.job_runs import ListedRun
from lakehouse.run_costs import RunCost, cost_of
from lakehouse.status import Status, read_status

DAYS = 28
"""Days of records that volumes are compared over."""

_WEEK = 7
_NAMED = ("stage", "table_name", "first_batch", "last_batch", "snapshot_at", "committed_at")
_COUNTED = ("rows_read", "rows_accepted", "rows_rejected", "rows_new")


@dataclass(frozen=True)
class Batch:
    """A capture and what became of it.

    Attributes:
        number: Its sequence.
        captured_at: When its snapshot was taken (UTC, as Athena writes it).
        tables: By source table, rows captured, accepted and rejected.
        loaded_at: When it was in the warehouse; nothing while it waits.
        loaded: Rows that were new or changed in the warehouse, of all batches that came with it.
    """

    number: int
    captured_at: str
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    loaded_at: str | None = None
    loaded: int | None = None

    def total(self, count: str) -> int:
        """A count over all tables: ``captured``, ``accepted`` or ``rejected``."""
        return sum(counts.get(count, 0) for counts in self.tables.values())


@dataclass(frozen=True)
class TableNews:
    """What is new of a source table.

    Attributes:
        contract: Its contract.
        captured_at: When a capture last brought rows of it; nothing where none did in the last days.
        week: Rows captured in the last seven days.
        before: Rows captured a week, on average of the three weeks before.
        dead_letters: Its unresolved dead letters.
        compared: What the last reconciliation found of it; nothing where it was not compared.
        paused: Why it is not captured; nothing while it is.
    """

    contract: Contract
    captured_at: str | None
    week: int
    before: float
    dead_letters: int
    compared: str | None
    paused: str | None


@dataclass(frozen=True)
class ToldRun:
    """A run, and what is to be told of it.

    Attributes:
        run: The run.
        cost: What it ran on, and what as many seconds cost on Glue.
        rows: What it captured or loaded, in words; nothing where it did neither.
    """

    run: ListedRun
    cost: RunCost
    rows: str


class Deployed(Protocol):
    """A lake that runs, on a laptop or on AWS, and what reaches it."""

    @property
    def work_group(self) -> str:
        """The Athena work group that is asked."""

    def client(self, service: str) -> Any:
        """A boto3 client."""

    def lake(self) -> LakeClients:
        """The lake."""


class Runs(Protocol):
    """The runs of jobs, and what they said."""

    def listed(self) -> list[ListedRun]:
        """The runs, the newest first."""

    def lines(self, run: ListedRun) -> Iterator[str]:
        """What a run has said until now."""

    def command(self, run: ListedRun) -> str:
        """What shows the same in a terminal."""


class Reading:
    """A lake that runs, as somebody in a role reads it.

    Args:
        running: The lake, its clients those of the role.
        owner: The lake, its clients those of operators, who alone may read commits and runs.
        role: The role.
        catalogue: The contracts, as the role finds them.
        runs: The runs of jobs.
        warehouse: The DSN of the warehouse; nothing where the last commit of the load says what it has.
        is_scheduled: Whether runs start by themselves; nothing where that is not known.
    """

    def __init__(
        self,
        running: Deployed,
        owner: Deployed,
        role: str,
        catalogue: Catalogue,
        runs: Runs,
        warehouse: str | None,
        *,
        is_scheduled: bool | None = None,
    ) -> None:
        self.role = role
        self.catalogue = catalogue
        self.runs_of = runs
        self._warehouse = warehouse
        self._running = running
        self._owner = owner
        self._is_scheduled = is_scheduled
        self._athena = running.client("athena")
        self._operators_athena = owner.client("athena")
        self._lake = owner.lake()

    @property
    def sees_personal_columns(self) -> bool:
        """Whether the role may read personal columns, and so the rows of the dead letters."""
        return self.role != ROLES[0]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL with the role's rights; rows of texts."""
        return self.query(sql).rows

    def query(self, sql: str) -> QueryResult:
        """Run SQL with the role's rights."""
        database, group = self.catalogue.zones["star"].database, self._running.work_group
        return run_query(self._athena, sql, database=database, work_group=group)

    def stream(self, sql: str) -> QueryStream:
        """Run SQL with the role's rights, and fetch rows as they are read."""
        database, group = self.catalogue.zones["star"].database, self._running.work_group
        return stream_query(self._athena, sql, database=database, work_group=group)

    def status(self) -> Status:
        """What ``lakehouse status`` says."""
        return read_status(self._lake, self._warehouse, self.catalogue, self._is_scheduled)

    def runs(self) -> list[ListedRun]:
        """The job runs, the newest first."""
        return self.runs_of.listed()

    def told_runs(self, runs: Sequence[ListedRun]) -> list[ToldRun]:
        """What is to be told of some runs.

        Args:
            runs: The runs.
        """
        pipeline = load_pipeline()
        records = self._records() if runs else []
        return [ToldRun(run, cost_of(run, pipeline), rows_of(run, records, pipeline)) for run in runs]

    def awaiting_approval(self) -> list[BatchAwaitingApproval]:
        """The batches that wait for a person, since too much of them would be rejected."""
        validated = self._lake.log("validate").latest()
        return approvals.waiting(
            self._lake.s3, self._lake.ingestion, validated.last_batch if validated else 0
        )

    def dead_letters(self, table: str | None = None) -> list[DeadLetter]:
        """The unresolved dead letters."""
        return list(open_dead_letters(self._lake.s3, self._lake.ingestion, self.catalogue, table))

    def compared(self) -> list[dict[str, Any]]:
        """The rows of the last reconciliation."""
        return newest(self._lake.s3, self._lake.ingestion, self.catalogue)

    def batches(self) -> list[Batch]:
        """The batches of the last weeks, the newest first."""
        return batches_of(self._records())

    def news(self, status: Status) -> list[TableNews]:
        """What is new of each source table.

        Args:
            status: The state of the stack.
        """
        rows, compared = self._records(), self.compared()
        unresolved = self.dead_letters() if status.open_dead_letters else []
        return [
            news_of(contract, rows, compared, unresolved, status, utc_now())
            for contract in self.catalogue.raw.values()
        ]

    def _records(self) -> list[dict[str, Any]]:
        """What each stage did with each table in the last weeks."""
        contract = self.catalogue.ops["batch_records"]
        columns = (*_NAMED, *_COUNTED)
        sql = (
            f"SELECT {', '.join(columns)} FROM {contract.zone_info.database}.{contract.table}"  # noqa: S608
            f" WHERE committed_date >= current_date - INTERVAL '{DAYS}' DAY"
            " ORDER BY last_batch DESC, table_name"
        )
        found = run_query(self._operators_athena, sql, work_group=self._owner.work_group).rows
        return [dict(zip(columns, row, strict=True)) for row in found]


def rows_of(run: ListedRun, records: Sequence[Mapping[str, Any]], pipeline: Pipeline) -> str:
    """What a run captured or loaded, in words; empty where it did neither.

    A job runs once at a time, so what it committed is what was committed while it ran.

    Args:
        run: The run.
        records: Rows of ``batch_records``, values as Athena writes them.
        pipeline: What says which job captures which table.
    """
    feeds = {feed.table: feed.job for feed in pipeline.feeds.values()}
    ended = run.started + timedelta(seconds=run.seconds)
    captured = loaded = 0
    for row in records:
        at = datetime.fromisoformat(row["committed_at"]).replace(tzinfo=UTC)
        if not run.started <= at <= ended:
            continue
        if row["stage"] == "capture" and run.job == feeds.get(row["table_name"], CAPTURE_JOB):
            captured += int(row["rows_read"])
        elif row["stage"] == "load" and run.job not in (CAPTURE_JOB, *feeds.values()):
            loaded += int(row["rows_new"] or 0)
    told = {"captured": captured, "loaded": loaded}
    return ", ".join(f"{count:,} {what}" for what, count in told.items() if count)


def batches_of(records: Sequence[Mapping[str, Any]]) -> list[Batch]:
    """The batches that records of stages tell of, the newest first.

    Args:
        records: Rows of ``batch_records``, values as Athena writes them.
    """
    found: dict[int, Batch] = {}
    for row in records:
        if row["stage"] == "capture":
            number = int(row["last_batch"])
            batch = found.setdefault(number, Batch(number, row["snapshot_at"]))
            batch.tables.setdefault(row["table_name"], {})["captured"] = int(row["rows_read"])
    loads: dict[tuple[int, int], tuple[str, int]] = {}
    for row in records:
        first, last = int(row["first_batch"]), int(row["last_batch"])
        if row["stage"] == "load":
            at, new = loads.get((first, last), (row["committed_at"], 0))
            loads[first, last] = min(at, row["committed_at"]), new + int(row["rows_new"] or 0)
        elif row["stage"] == "validate" and last in found:
            counts = found[last].tables.setdefault(row["table_name"], {})
            for name in ("accepted", "rejected"):
                counts[name] = counts.get(name, 0) + int(row[f"rows_{name}"] or 0)
    for number, batch in found.items():
        covering = [(at, new) for (first, last), (at, new) in loads.items() if first <= number <= last]
        if covering:
            at, new = min(covering)
            found[number] = Batch(number, batch.captured_at, batch.tables, at, new)
    return [found[number] for number in sorted(found, reverse=True)]


def news_of(
    contract: Contract,
    records: Sequence[Mapping[str, Any]],
    compared: Sequence[Mapping[str, Any]],
    unresolved: Sequence[DeadLetter],
    status: Status,
    now: datetime,
) -> TableNews:
    """What is new of a source table.

    Args:
        contract: The table.
        records: Rows of ``batch_records``, values as Athena writes them.
        compared: Rows of the last reconciliation.
        unresolved: The unresolved dead letters.
        status: The state of the stack.
        now: The time now (UTC, without zone).
    """
    captures = [
        (datetime.fromisoformat(row["snapshot_at"]), int(row["rows_read"]))
        for row in records
        if row["stage"] == "capture" and row["table_name"] == contract.table and int(row["rows_read"])
    ]
    week_ago = now - timedelta(days=_WEEK)
    verdicts = [row["verdict"] for row in compared if row["table_name"] == contract.table]
    weeks = DAYS / _WEEK - 1
    last = max((at for at, _ in captures), default=None)
    return TableNews(
        contract,
        None if last is None else last.isoformat(" "),
        sum(rows for at, rows in captures if at >= week_ago),
        sum(rows for at, rows in captures if at < week_ago) / weeks,
        sum(letter.table == contract.table for letter in unresolved),
        next((verdict for verdict in verdicts if verdict != "equal"), verdicts[0] if verdicts else None),
        next((held.reason for held in status.held if held.table == contract.table), None),
    )
