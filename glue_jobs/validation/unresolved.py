"""Which dead letters are unresolved: rejected rows of whose key nothing newer has come.

A later row of the key, accepted, rejected or a deletion, resolves a dead letter: the source has said
something newer, or a replay has sent the row on. What is unresolved is kept as a small list of keys for each
raw table, written again when it changes, so that neither counting nor replaying reads the history.
"""

from __future__ import annotations

from catalog.keys import key_sql
from catalog.model import Contract
from glue_jobs.lake.validation_state import (
    BATCH,
    CAPTURED_AT,
    KEY,
    SEQUENCE,
    VERSION,
    unresolved_schema,
)

__all__ = ["BATCH", "KEY", "SEQUENCE", "VERSION", "entries", "location", "unresolved", "unresolved_schema"]

PREFIX = "_commits/validate-state/unresolved/"
"""Where the lists lie; older ones, which commits name, lie in ``_commits/validate-state/open/``."""


def location(table: str, label: str) -> str:
    """Key prefix of the list of a table that a commit names, shared with no other attempt."""
    return f"{PREFIX}{table}/{label}/"


def entries(rejected: str, contract: Contract, sequence: int) -> str:
    """Rejected rows as entries of the list.

    Args:
        rejected: Relation of the rejected rows as they were captured, with ``batch`` and ``captured_at``.
        contract: Their raw table.
        sequence: The commit of ``validate`` that rejects them.
    """
    return f"""\
SELECT {key_sql(contract)} AS {KEY}, CAST({VERSION} AS BIGINT) AS {VERSION}, CAST({BATCH} AS BIGINT) AS
{BATCH},
       CAST({sequence} AS BIGINT) AS {SEQUENCE}, {CAPTURED_AT}
FROM {rejected}"""


def unresolved(letters: str, arrived: str, contract: Contract) -> str:
    """The entries of whose key nothing has arrived after them.

    Args:
        letters: Relation of :func:`unresolved_schema`.
        arrived: Relation of every row that has arrived, whatever became of it: its key and ``batch``.
        contract: Their raw table.
    """
    key = key_sql(contract)
    return f"""\
SELECT {letters}.{KEY}, {letters}.{VERSION}, {letters}.{BATCH}, {letters}.{SEQUENCE},
       {letters}.{CAPTURED_AT}
FROM {letters}
LEFT JOIN (
    -- Dead letters are few beside what arrives, and hardly anything that arrives is of their keys.
    SELECT {key} AS arrived_key, max({BATCH}) AS latest
    FROM {arrived}
    WHERE {key} IN (SELECT {KEY} FROM {letters})
    GROUP BY {key}
) AS newest ON newest.arrived_key = {letters}.{KEY}
WHERE newest.latest IS NULL OR newest.latest <= {letters}.{BATCH}"""
