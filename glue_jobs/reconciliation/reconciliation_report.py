"""What a reconciliation found: per table, for programs and for people; keys only, never a row's content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Optional

EQUAL = "equal"
WAITING = "waiting"
PAUSED = "paused"
UNREAD = "unread"
DIFFERENT = "different"

COUNTS = ("missing", "extra", "different", "repeated", "waiting")
"""What a comparison counts."""

ALARMING = (UNREAD, DIFFERENT)
"""Verdicts that a person must look at."""

_ORDER = (EQUAL, WAITING, PAUSED, UNREAD, DIFFERENT)


@dataclass(frozen=True)
class Difference:
    """One row that is not the same on both sides.

    Attributes:
        kind: ``missing`` on the right, ``extra`` on the right, ``different``, or ``repeated`` on the right.
        key: The row's key.
        waiting: Whether the source changed it after the last capture that the right side has seen.
        columns: Which columns differ, where the row is on both sides.
    """

    kind: str
    key: str
    waiting: bool
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two sides of one table.

    Rows are compared, but for ``commits`` and ``prefixes``: there the keys are those of objects.

    Attributes:
        left: What it should be: ``source``, ``lake``, ``commits``, or ``athena``, what Athena shows of the
            table, or of the view over a fact's current rows.
        right: What it is: ``lake``, ``warehouse`` or ``prefixes``; ``copies``, of the table without its
            personal columns, whose objects count too.
        missing: Keys of the left side that the right side lacks.
        extra: Keys that only the right side has.
        different: Keys whose rows differ.
        repeated: Rows of the right side beyond one for each key and version.
        waiting: How many of the missing and different ones the source changed after the last capture.
        examples: A few of them, by key.
    """

    left: str
    right: str
    missing: int = 0
    extra: int = 0
    different: int = 0
    repeated: int = 0
    waiting: int = 0
    examples: tuple[Difference, ...] = ()

    @property
    def total(self) -> int:
        """All rows that are not the same."""
        return self.missing + self.extra + self.different + self.repeated

    @property
    def verdict(self) -> str:
        """``equal``, ``waiting`` or ``different``."""
        if self.total == 0:
            return EQUAL
        return WAITING if self.total == self.waiting else DIFFERENT


@dataclass(frozen=True)
class TableReport:
    """One table on all sides.

    Attributes:
        zone: ``raw`` or ``star``.
        table: Its name.
        source: Rows that the source has, or that are derived from it; nothing where it was not read.
        lake: Current rows in the lake.
        warehouse: Current rows in the warehouse; nothing for raw tables.
        comparisons: Each pair of sides.
        inferred: Members of a dimension that lake or warehouse infer because facts refer to them; not among
            the rows above, and no difference.
        inferred_keys: A few of them.
        dead_letters: Keys of its source whose newest row is an open dead letter; they are in no other count.
        commits: Objects that commits name in its live prefixes.
        prefixes: Objects that lie in its live prefixes.
        copies: Rows of its copy without personal columns.
        athena: Rows that Athena shows of the table, or of its view of current rows.
        paused: Why capture leaves it alone, or a table that it is built from, and since when; nothing where
            it does not. What differs from the source is then no finding.
        unread: Why it was not compared, or not on all sides; nothing where it was.
        is_calendar: Whether lake and warehouse may hold more rows than the source refers to.
    """

    zone: str
    table: str
    source: Optional[int]
    lake: int
    warehouse: Optional[int]
    comparisons: tuple[Comparison, ...]
    inferred: int = 0
    inferred_keys: tuple[str, ...] = ()
    dead_letters: int = 0
    commits: int = 0
    prefixes: int = 0
    copies: int = 0
    athena: int = 0
    paused: Optional[str] = None
    unread: Optional[str] = None
    is_calendar: bool = False

    @property
    def verdict(self) -> str:
        """The worst of its comparisons; ``paused`` or ``unread`` where there is nothing worse to say."""
        verdicts = [self.verdict_of(comparison) for comparison in self.comparisons]
        if self.unread is not None or self.paused is not None:
            verdicts.append(UNREAD if self.paused is None else PAUSED)
        return _worst(verdicts)

    def verdict_of(self, comparison: Comparison) -> str:
        """The verdict of one of its comparisons; what a paused table lacks of its source, it may lack."""
        if self.paused is not None and comparison.left == "source" and comparison.total:
            return PAUSED
        return comparison.verdict

    def counts(self) -> dict[str, Any]:
        """The table in figures, without a key: what a log may hold."""
        return {
            "zone": self.zone,
            "table": self.table,
            "verdict": self.verdict,
            "source": self.source or 0,
            "lake": self.lake,
            "warehouse": self.warehouse,
            "inferred": self.inferred,
            **{name: sum(getattr(c, name) for c in self.comparisons) for name in COUNTS},
        }


@dataclass(frozen=True)
class Report:
    """A whole reconciliation.

    Attributes:
        batch: The last capture that the lake holds, 0 before the first.
        tables: Every table.
        foreign_warehouse: Why what the warehouse holds is not this lake's; nothing where it is.
        catalog_faults: What the catalog does not show as contracts and commits state it.
    """

    batch: int
    tables: tuple[TableReport, ...]
    foreign_warehouse: Optional[str] = None
    catalog_faults: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Its worst table's, or ``different`` where the catalog is.

        ``equal``, ``waiting`` (only changes that no capture has seen yet), ``paused``, ``unread`` (a table
        could not be compared) or ``different``.
        """
        catalog = [DIFFERENT] if self.catalog_faults else []
        return _worst([*catalog, *(table.verdict for table in self.tables)])

    def trouble(self) -> str:
        """What differs and what could not be compared, in sentences without a key: what a log may hold."""
        differ = [f"{table.zone}.{table.table}" for table in self.tables if table.verdict == DIFFERENT]
        unread: dict[str, list[str]] = {}
        for table in self.tables:
            if table.unread is not None and table.verdict == UNREAD:
                unread.setdefault(table.unread, []).append(f"{table.zone}.{table.table}")
        words = [f"Rows differ of {', '.join(differ)}."] if differ else []
        words += [f"{reason} Not compared: {', '.join(names)}." for reason, names in unread.items()]
        return " ".join([*words, *(f"{fault}." for fault in self.catalog_faults)])

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "verdict": self.verdict,
            "batch": self.batch,
            "foreign_warehouse": self.foreign_warehouse,
            "catalog_faults": list(self.catalog_faults),
            "tables": [
                {
                    **table.counts(),
                    "inferred_keys": list(table.inferred_keys),
                    "dead_letters": table.dead_letters,
                    "paused": table.paused,
                    "unread": table.unread,
                    "comparisons": [
                        {"verdict": table.verdict_of(comparison), **asdict(comparison)}
                        for comparison in table.comparisons
                    ],
                }
                for table in self.tables
            ],
        }

    def as_text(self) -> str:
        """The report as a table for people, the differences below it."""
        lines = [_line("table", "source", "lake", "warehouse", "verdict")]
        lines += [
            _line(
                f"{table.zone}.{table.table}",
                "-" if table.source is None else f"{table.source:,}",
                f"{table.lake:,}",
                "-" if table.warehouse is None else f"{table.warehouse:,}",
                table.verdict,
            )
            for table in self.tables
        ]
        lines += [note for table in self.tables for note in _why_counts_differ(table)]
        if self.foreign_warehouse is not None:
            lines.append(f"  the warehouse is not this lake's: {self.foreign_warehouse}")
        lines += [f"  {fault}" for fault in self.catalog_faults]
        for table in self.tables:
            place = f"  {table.zone}.{table.table}"
            lines += [f"{place}: paused: {table.paused}"] if table.paused is not None else []
            lines += [f"{place}: not compared: {table.unread}"] if table.unread is not None else []
            for comparison in table.comparisons:
                lines += _details(table, comparison)
            lines += _inferred(table)
        words = {
            EQUAL: "source = lake = warehouse, to the row",
            WAITING: "only changes that no capture has seen yet: run the pipeline and ask again",
            PAUSED: "the same, but for what is paused: see above",
            UNREAD: "NOT everything was compared: see above",
            DIFFERENT: "NOT the same: see above",
        }
        return "\n".join([*lines, f"batch {self.batch}: {words[self.verdict]}"])


def _worst(verdicts: list[str]) -> str:
    return max(verdicts, key=_ORDER.index, default=EQUAL)


def _line(table: str, source: str, lake: str, warehouse: str, verdict: str) -> str:
    return f"{table:<28}{source:>13}{lake:>13}{warehouse:>13}  {verdict}"


def _why_counts_differ(table: TableReport) -> list[str]:
    """Why figures of a line are not the same where its rows are."""
    notes = []
    if table.dead_letters:
        letters = f"{table.dead_letters:,} unresolved dead letter{'s' if table.dead_letters != 1 else ''}"
        notes.append(f"  {table.zone}.{table.table}: besides, the source has {letters}")
    if table.is_calendar and table.verdict == EQUAL and {table.lake, table.warehouse} != {table.source}:
        days = f"the {table.source or 0:,} days that rows refer to are the same"
        notes.append(f"  {table.zone}.{table.table}: {days}; a calendar has all of its years")
    return notes


def _inferred(table: TableReport) -> list[str]:
    if not table.inferred:
        return []
    keys = ", ".join(table.inferred_keys) + (", …" if table.inferred > len(table.inferred_keys) else "")
    members = f"{table.inferred:,} inferred member{'s' if table.inferred != 1 else ''}"
    return [f"  {table.zone}.{table.table}: {members}, whose rows have not arrived: {keys}"]


def _details(table: TableReport, comparison: Comparison) -> list[str]:
    if comparison.verdict == EQUAL:
        return []
    counts = ", ".join(
        f"{getattr(comparison, name):,} {name}" for name in COUNTS if getattr(comparison, name)
    )
    lines = [f"  {table.zone}.{table.table}, {comparison.left} against {comparison.right}: {counts}"]
    for example in comparison.examples:
        columns = f" in {', '.join(example.columns)}" if example.columns else ""
        waiting = " (waiting)" if example.waiting else ""
        lines.append(f"    {example.kind} key {example.key}{columns}{waiting}")
    return lines
