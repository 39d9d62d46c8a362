"""What rows look up in other tables, as SQL text: the newest version that the looking row can have seen.

Only keys that rows look up are compared, with those batches in which they look: of all versions of them the
newest up to that batch counts, among those that came before the waiting batches the newest of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from catalog.keys import is_number, key_sql, reference_sql
from catalog.model import Contract

WANTED_KEY, WANTED_BATCH = "wanted_key", "wanted_batch"
"""Columns of :func:`wanted_by_rows`, :func:`wanted_by_lookup` and :func:`found`: who looks, and for what."""

VERSION_KEY, VERSION_BATCH, VERSION_ORDER = "version_key", "version_batch", "version_order"
"""Columns of versions, before the fields: key, the batch from which on it can be seen, and what orders
versions of one such batch."""

BLOCK, LOW, HIGH = "key_block", "key_low", "key_high"
"""Columns of :func:`intervals`."""

_PLACE = "place"


@dataclass(frozen=True)
class FoundRows:
    """The rows that a lookup finds, ready to be joined.

    Attributes:
        contract: The raw table that is looked into; its key is one column.
        on: What holds its key: a column of the looking rows, or ``table__column`` of a lookup before it.
        fields: The columns that are looked up.
        relation: From :func:`found`.
    """

    contract: Contract
    on: str
    fields: tuple[str, ...]
    relation: str

    @property
    def table(self) -> str:
        """The raw table that is looked into."""
        return self.contract.table

    @property
    def values(self) -> tuple[str, ...]:
        """The looked up columns under the names that rules call them by, ``table__column``."""
        return tuple(f"{self.relation}.{name} AS {self.table}__{name}" for name in self.fields)

    def join(self, rows: str, before: Sequence[FoundRows]) -> str:
        """What is joined to the looking rows; no row of theirs comes twice.

        Args:
            rows: The relation of the looking rows.
            before: The lookups that are joined before this one.
        """
        key = f"{rows}.{self.on}"
        for other in before:
            if self.on.startswith(f"{other.table}__"):
                key = f"{other.relation}.{self.on[len(other.table) + 2 :]}"
        return f"""
LEFT JOIN {self.relation}
       ON {self.relation}.{WANTED_KEY} = {reference_sql(self.contract, key)}
      AND {self.relation}.{WANTED_BATCH} = {rows}.batch"""


def wanted_by_rows(rows: str, column: str, contract: Contract) -> str:
    """The keys of a table that rows look up by a column of theirs, each with the batches in which they do."""
    return f"""\
SELECT DISTINCT {reference_sql(contract, column)} AS {WANTED_KEY}, batch AS {WANTED_BATCH}
FROM {rows}
WHERE operation <> 'delete' AND {column} IS NOT NULL"""


def wanted_by_lookup(found_before: str, column: str, contract: Contract) -> str:
    """The keys of a table that rows look up by a column that they have looked up before."""
    return f"""\
SELECT DISTINCT {reference_sql(contract, column)} AS {WANTED_KEY}, {WANTED_BATCH}
FROM {found_before}
WHERE {column} IS NOT NULL"""


def intervals(wanted: str, contract: Contract) -> str:
    """Intervals that hold every wanted key of a table."""
    block = f"{'block_of' if is_number(contract) else 'text_block'}({WANTED_KEY})"
    return f"""\
SELECT {block} AS {BLOCK}, min({WANTED_KEY}) AS {LOW}, max({WANTED_KEY}) AS {HIGH}
FROM {wanted}
GROUP BY {block}"""


def waiting_versions(rows: str, contract: Contract, fields: Sequence[str]) -> str:
    """Versions of a table that wait: each is seen by rows of its own batch and of later ones."""
    return f"""\
SELECT {key_sql(contract)} AS {VERSION_KEY}, batch AS {VERSION_BATCH}, batch AS {VERSION_ORDER},
       {_listed(fields)}
FROM {rows}
WHERE operation <> 'delete'"""


def accepted_versions(rows: str, contract: Contract, fields: Sequence[str]) -> str:
    """Versions of a table that were accepted before and that the star lacks: seen by every row."""
    return f"""\
SELECT {key_sql(contract)} AS {VERSION_KEY}, CAST(0 AS BIGINT) AS {VERSION_BATCH}, batch AS {VERSION_ORDER},
       {_listed(fields)}
FROM {rows}
WHERE operation <> 'delete'"""


def star_versions(rows: str, star: Contract, columns: Sequence[str], fields: Sequence[str]) -> str:
    """Versions of a table that the star holds: seen by every row.

    Args:
        rows: Relation of the star table.
        star: Its contract; it has the raw table's key.
        columns: Its columns that hold the fields.
        fields: The columns that are looked up.
    """
    named = [f"{column} AS {name}" for column, name in zip(columns, fields)]
    return f"""\
SELECT {key_sql(star)} AS {VERSION_KEY}, CAST(0 AS BIGINT) AS {VERSION_BATCH},
       batch_sequence AS {VERSION_ORDER}, {_listed(named)}
FROM {rows}"""


def found(wanted: str, versions: Sequence[str], fields: Sequence[str]) -> Optional[str]:
    """Of every wanted key and batch the newest version that can be seen; a key without one is missing.

    Args:
        wanted: Relation of ``wanted_key`` and ``wanted_batch``.
        versions: Queries of versions.
        fields: The columns that are looked up.

    Returns:
        A query: ``wanted_key``, ``wanted_batch`` and the fields; nothing where there are no versions at all.
    """
    if not versions:
        return None
    names = ", ".join(f"seen.{name}" for name in fields)
    newest = [f"seen.{name} DESC NULLS LAST" for name in (VERSION_BATCH, VERSION_ORDER, *fields)]
    every = "\nUNION ALL\n".join(versions)
    return f"""\
SELECT {WANTED_KEY}, {WANTED_BATCH}, {_listed(fields)}
FROM (
    SELECT {wanted}.{WANTED_KEY}, {wanted}.{WANTED_BATCH}, {names},
           row_number() OVER (
               PARTITION BY {wanted}.{WANTED_KEY}, {wanted}.{WANTED_BATCH}
               ORDER BY {", ".join(newest)}
           ) AS {_PLACE}
    FROM {wanted}
    JOIN (
{every}
    ) AS seen ON seen.{VERSION_KEY} = {wanted}.{WANTED_KEY} AND seen.{VERSION_BATCH} <=
    {wanted}.{WANTED_BATCH}
) AS placed
WHERE {_PLACE} = 1"""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
