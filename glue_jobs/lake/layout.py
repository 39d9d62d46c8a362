"""Where things lie in the lake: names of attempts, partitions and versions."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timezone

from catalog.model import Contract

ACCEPTED = "accepted/"
"""Begins the keys of rows that were written again because others of their partition were rejected."""

HELD_ROWS = "held_rows"
"""The table of the dead letter zone that takes what a capture could not publish."""

QUARANTINED_FILES, QUARANTINED_LINES = "quarantined_files", "quarantined_lines"
"""The tables of the dead letter zone that take files of feeds, and objects of them, that cannot be read."""

QUARANTINES = (HELD_ROWS, QUARANTINED_FILES, QUARANTINED_LINES)
"""The tables of the dead letter zone that captures and feeds write."""


def quarantines(dead_letter: Mapping[str, Contract]) -> list[Contract]:
    """The tables of the dead letter zone that captures and feeds write.

    Args:
        dead_letter: The zone's tables by name.
    """
    return [dead_letter[name] for name in QUARANTINES if name in dead_letter]


def new_attempt() -> str:
    """A name that no other attempt shares."""
    return uuid.uuid4().hex[:16]


def utc_now() -> datetime:
    """Now, without zone, to the millisecond: how the lake states times."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """A UTC time as commits state it, ``2024-11-15T10:00:00.000Z``."""
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def from_iso(text: str) -> datetime:
    """The UTC time, without zone, that :func:`iso` wrote."""
    return datetime.fromisoformat(text.rstrip("Z"))


def partition_path(values: Mapping[str, str]) -> str:
    """``created_month=2024-11``, several joined by slashes, the empty text for none."""
    return "/".join(f"{name}={value}" for name, value in values.items())


def partition_values(spec: str) -> dict[str, str]:
    """What :func:`partition_path` was made of."""
    return dict(part.split("=", 1) for part in spec.split("/")) if spec else {}


def raw_location(contract: Contract, captured: date, batch: int, attempt: str) -> str:
    """Key prefix of one batch of a raw or a dead letter table, shared with no other attempt."""
    return f"{contract.prefix}captured_date={captured.isoformat()}/batch={batch}/attempt={attempt}/"


def validated_location(prefix: str, captured: date, batch: int, label: str) -> str:
    """Key prefix of what validation wrote of one batch of a table, shared with no other attempt.

    Args:
        prefix: The table's, below ``ACCEPTED`` or in the dead letter zone; ends in a slash.
        captured: Day of the capture.
        batch: The batch.
        label: From :func:`version_label`, with the sequence of the commit of ``validate``.
    """
    return f"{prefix}captured_date={captured.isoformat()}/batch={batch}/attempt={label}/"


def accepted_prefix(raw: Contract) -> str:
    """Where rows of a raw table lie that were accepted beside rejected ones; in the raw zone's bucket."""
    return f"{ACCEPTED}{raw.table}/"


def version_label(sequence: int, attempt: str) -> str:
    """Names one version of a star partition; sorts by sequence."""
    return f"{sequence:010d}-{attempt}"


def version_sequence(location: str) -> int:
    """The sequence of the commit that a version's place was written for; 0 where there is no version yet.

    Args:
        location: The key prefix or address of a version of a star partition.
    """
    found = re.search(r"/version=(\d+)-\w+/?$", location)
    return int(found.group(1)) if found else 0


def star_location(contract: Contract, spec: str, label: str) -> str:
    """Key prefix of one version of a star partition."""
    return f"{contract.prefix}{spec + '/' if spec else ''}version={label}/"


def changes_location(contract: Contract, label: str) -> str:
    """Key prefix of the rows that were new in one version of a star table."""
    return f"{contract.zone_info.prefix}_changes/{contract.table}/version={label}/"
