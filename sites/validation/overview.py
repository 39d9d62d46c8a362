"""The numbers of the index: by table and day, their trends, and the rules that were broken most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sites.validation.entries import Entry, Finding

DAYS = 14
"""Days that the index shows at most, the newest among them."""

FEWEST_DAYS = 7
"""Days that it shows at least, also where nothing was captured on the first of them."""

TOP_RULES = 10
"""Broken rules that the index names."""


@dataclass(frozen=True)
class Tally:
    """Counts of rows of some batches.

    Attributes:
        batches: Batches, each counted once however many tables it has.
        read: Rows that were judged, deletions among them.
        rejected: Rows that went to the dead letters.
        warned: Rows that were accepted and look wrong.
    """

    batches: int = 0
    read: int = 0
    rejected: int = 0
    warned: int = 0

    @property
    def accepted(self) -> int:
        """Rows that were passed on."""
        return self.read - self.rejected

    @property
    def worst(self) -> str:
        """The worst that happened: ``rejected``, ``warned``, ``clean``; ``none`` where nothing came."""
        if not self.batches:
            return "none"
        return "rejected" if self.rejected else "warned" if self.warned else "clean"


@dataclass(frozen=True)
class TableTrend:
    """One table over the days shown.

    Attributes:
        table: The raw table.
        owner: Who answers for its content.
        total: All days together.
        days: A tally for each day shown, oldest first.
        open: Dead letters that are open now.
        latest: Its newest entry of the days shown, if it has any.
    """

    table: str
    owner: str
    total: Tally
    days: tuple[Tally, ...]
    open: int
    latest: Entry | None


@dataclass(frozen=True)
class BrokenRule:
    """A rule over the days shown; `rows` are those that broke it, `days` the same for each day."""

    table: str
    finding: Finding
    rows: int
    days: tuple[int, ...]


@dataclass(frozen=True)
class Overview:
    """What the index shows.

    Attributes:
        days: The days shown, oldest first, each day of the calendar.
        recorded: Those of them on which a batch was captured.
        earlier: Recorded days before them, newest first.
        total: Everything shown.
        by_day: A tally for each day shown.
        tables: The tables, by name.
        rules: The rules that were broken most, by rows.
        newest: The newest batch; 0 before the first.
        judged_at: When it was judged (UTC, ISO 8601); empty before the first.
    """

    days: tuple[date, ...]
    recorded: frozenset[date]
    earlier: tuple[date, ...]
    total: Tally
    by_day: tuple[Tally, ...]
    tables: tuple[TableTrend, ...]
    rules: tuple[BrokenRule, ...]
    newest: int
    judged_at: str


def shown_days(recorded: Iterable[date]) -> tuple[date, ...]:
    """The days of the calendar that the index shows, oldest first; none before the first batch."""
    known = sorted(recorded)
    if not known:
        return ()
    since_first = (known[-1] - known[0]).days + 1
    shown = min(DAYS, max(FEWEST_DAYS, since_first))
    return tuple(known[-1] - timedelta(days=back) for back in range(shown - 1, -1, -1))


def tally(entries: Iterable[Entry]) -> Tally:
    """The counts of some entries."""
    found = tuple(entries)
    return Tally(
        batches=len({entry.batch for entry in found}),
        read=sum(entry.read for entry in found),
        rejected=sum(entry.rejected for entry in found),
        warned=sum(entry.warned for entry in found),
    )


def overview(
    recorded: Sequence[date],
    entries: Mapping[date, Sequence[Entry]],
    owners: Mapping[str, str],
    open_rows: Mapping[str, int],
) -> Overview:
    """The index's numbers.

    Args:
        recorded: Every day on which a batch was captured.
        entries: The entries of the days shown; a day that is not named has none.
        owners: By raw table, who answers for it; these are the tables shown.
        open_rows: By raw table, dead letters that are open now; a table that is not named has none.
    """
    days = shown_days(recorded)
    of_days = [tuple(entries.get(day, ())) for day in days]
    everything = [entry for found in of_days for entry in found]
    newest = max(everything, key=lambda entry: entry.batch, default=None)
    return Overview(
        days=days,
        recorded=frozenset(day for day in recorded if day in days),
        earlier=tuple(sorted((day for day in recorded if day not in days), reverse=True)),
        total=tally(everything),
        by_day=tuple(tally(found) for found in of_days),
        tables=tuple(
            _trend(table, owners[table], of_days, open_rows.get(table, 0)) for table in sorted(owners)
        ),
        rules=tuple(_broken(of_days)[:TOP_RULES]),
        newest=newest.batch if newest else 0,
        judged_at=newest.judged_at if newest else "",
    )


def _trend(table: str, owner: str, of_days: Sequence[Sequence[Entry]], open_rows: int) -> TableTrend:
    own = [tuple(entry for entry in found if entry.table == table) for found in of_days]
    all_own = [entry for found in own for entry in found]
    return TableTrend(
        table=table,
        owner=owner,
        total=tally(all_own),
        days=tuple(tally(found) for found in own),
        open=open_rows,
        latest=max(all_own, key=lambda entry: entry.batch, default=None),
    )


def _broken(of_days: Sequence[Sequence[Entry]]) -> list[BrokenRule]:
    """Every broken rule with its newest words, by most rows, of as many the rejecting ones first."""
    words: dict[tuple[str, str], Finding] = {}
    rows: dict[tuple[str, str], list[int]] = {}
    for number, found in enumerate(of_days):
        for entry in sorted(found, key=lambda one: one.batch):
            for finding in entry.findings:
                key = (entry.table, finding.rule)
                words[key] = finding
                rows.setdefault(key, [0] * len(of_days))[number] += finding.rows
    made = [BrokenRule(key[0], words[key], sum(counted), tuple(counted)) for key, counted in rows.items()]
    return sorted(
        made,
        key=lambda rule: (-rule.rows, rule.finding.severity != "reject", rule.table, rule.finding.rule),
    )
