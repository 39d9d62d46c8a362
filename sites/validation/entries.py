"""What the site says of one table in one batch: counts and broken rules, from its validation result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
"""Version of the layout of a day's record."""


@dataclass(frozen=True)
class Finding:
    """A rule that rows broke.

    Attributes:
        rule: Its name within the table.
        severity: ``reject`` or ``warn``.
        reason: Why it is a rule, in words.
        owner: Who decides on it.
        rows: Rows that broke it.
    """

    rule: str
    severity: str
    reason: str
    owner: str
    rows: int


@dataclass(frozen=True)
class Entry:
    """The verdict on one table in one batch.

    Attributes:
        table: The raw table.
        batch: The capture.
        judged_at: When the verdict was committed (UTC, ISO 8601).
        read: Rows, deletions among them.
        rejected: Rows that went to the dead letters.
        warned: Rows that were accepted and look wrong.
        deletions: Deletions, which no rule judges.
        findings: The rules that were broken, by most rows first.
    """

    table: str
    batch: int
    judged_at: str
    read: int
    rejected: int
    warned: int
    deletions: int
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> int:
        """Rows that were passed on."""
        return self.read - self.rejected


def entry_of(document: Mapping[str, Any]) -> Entry:
    """The entry of a validation result, see :func:`expectations.validation_report.validation_result`."""
    meta = document["meta"]
    findings = [
        Finding(
            rule=stated["rule"],
            severity=stated["outcome"],
            reason=stated["reason"],
            owner=stated["owner"],
            rows=result["result"]["unexpected_count"],
        )
        for result in document["results"]
        if not result["success"]
        for stated in (result["expectation_config"]["meta"],)
    ]
    return Entry(
        table=meta["table"],
        batch=meta["batch"],
        judged_at=meta["judged_at"],
        read=meta["read"],
        rejected=meta["rejected"],
        warned=meta["warned"],
        deletions=meta["deletions"],
        findings=tuple(sorted(findings, key=lambda finding: (-finding.rows, finding.rule))),
    )


def merged(known: Iterable[Entry], found: Iterable[Entry]) -> tuple[Entry, ...]:
    """A day's entries with further ones, each table and batch once, newest batch first."""
    by_key = {(entry.batch, entry.table): entry for entry in (*known, *found)}
    return tuple(entry for _, entry in sorted(by_key.items(), key=lambda item: (-item[0][0], item[0][1])))


def to_json(entries: Iterable[Entry]) -> bytes:
    """A day's record."""
    stated = {"format": FORMAT, "entries": [asdict(entry) for entry in entries]}
    return json.dumps(stated, sort_keys=True).encode()


def from_json(document: bytes) -> tuple[Entry, ...]:
    """The entries of a day's record; none of a record whose layout is not today's, which is made again."""
    stated = json.loads(document)
    if stated["format"] != FORMAT:
        return ()
    return tuple(
        Entry(**{**entry, "findings": tuple(Finding(**finding) for finding in entry["findings"])})
        for entry in stated["entries"]
    )
