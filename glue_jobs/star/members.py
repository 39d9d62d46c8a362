"""Inferred members as SQL text: rows of dimensions for keys referred to of which nothing has arrived.

A key gets one with the first batch whose accepted rows refer to it, unless a row of it has come by then. It
is a version of the dimension like any other, of that batch, so the first row that does arrive takes its
place. A deletion of a key of which nothing has arrived says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.catalogue import Catalogue
from catalog.expression import literal
from catalog.keys import key_sql, reference_sql
from catalog.model import Contract
from catalog.types import placeholder, sql_type
from glue_jobs.star.merge_spec import (
    BATCH,
    CAPTURED_AT,
    DELETED,
    FLAG,
    INFERRED,
    VERSION_ID,
)
from glue_jobs.star.projection import for_each, partition_value, spec_of

DIMENSION = "dimension"
"""Column that names the dimension that a key is of."""

KEY = "member_key"
"""Column of a key of any dimension, as one value; those that are numbers and those that are texts apart."""

COMES_LAST = 2**63 - 1
"""Version id of an inferred member: beside it its batch holds at most a deletion, which says nothing."""

LOW, HIGH = "key_low", "key_high"
"""Columns of :func:`spans`."""

_SINCE = "since"


def references(contract: Contract, incoming: str, dimensions: Mapping[str, Contract]) -> str:
    """The keys of dimensions that rows refer to.

    Args:
        contract: The table that refers, without joins.
        incoming: Relation of its candidate versions; deletions refer to nothing.
        dimensions: Those of the tables it refers to that are dimensions, and whose keys are of one kind.
    """
    keys = [
        {
            DIMENSION: f"'{reference.table}'",
            KEY: reference_sql(dimensions[reference.table], reference.column),
        }
        for reference in contract.references
        if reference.table in dimensions
    ]
    referred = for_each(incoming, keys, (BATCH, CAPTURED_AT))
    return f"SELECT * FROM (\n    {referred}\n) AS referred\nWHERE {KEY} IS NOT NULL"


def first(referred: Sequence[str]) -> str:
    """Of each key the first batch that refers to it; see :func:`references`.

    A capture is one snapshot, so all rows of a batch say the same ``captured_at``.
    """
    every = "\nUNION ALL\n".join(referred)
    return (
        f"SELECT {DIMENSION}, {KEY}, min({BATCH}) AS {BATCH},\n"
        f"       min_by({CAPTURED_AT}, {BATCH}) AS {CAPTURED_AT}\n"
        f"FROM (\n{every}\n) AS referred\nGROUP BY {DIMENSION}, {KEY}"
    )


def spans(referred: str, block: str) -> str:
    """By dimension and block of keys, the smallest and largest key.

    Args:
        referred: Relation of :func:`first`.
        block: The function that gives a key's block.
    """
    return (
        f"SELECT {DIMENSION}, _key_block, min({KEY}) AS {LOW}, max({KEY}) AS {HIGH}\n"
        f"FROM (SELECT *, {block}({KEY}) AS _key_block FROM {referred}) AS referred\n"
        f"GROUP BY {DIMENSION}, _key_block"
    )


def known_keys(contract: Contract, history: str) -> str:
    """The keys that a dimension holds, for :func:`missing`."""
    return (
        f"SELECT '{contract.table}' AS {DIMENSION}, {key_sql(contract)} AS {KEY}, {BATCH} AS {_SINCE}\n"
        f"FROM {history}"
    )


def arriving(contract: Contract, raw: str) -> str:
    """The keys of which rows of a dimension's main source arrive, for :func:`missing`.

    As everywhere, the row with the highest version is what a batch says of a key.
    """
    source = str(contract.column(contract.key[0]).source)
    return f"""\
SELECT '{contract.table}' AS {DIMENSION}, {reference_sql(contract, source)} AS {KEY}, batch AS {_SINCE}
FROM (
    SELECT {source}, batch, operation, row_number() OVER (
        PARTITION BY {source}, batch
        ORDER BY {VERSION_ID} DESC NULLS LAST, CASE WHEN operation = 'delete' THEN 0 ELSE 1 END ASC NULLS LAST
    ) AS _recency
    FROM {raw}
) AS newest
WHERE _recency = 1 AND operation <> 'delete'"""


def missing(referred: str, known: Sequence[str]) -> str:
    """The keys of which nothing has come by the batch that first refers to them.

    Args:
        referred: Relation of :func:`first`.
        known: From :func:`held` and :func:`arriving`, of every dimension in ``referred``.

    Returns:
        A query for rows of ``referred``.
    """
    if not known:
        return f"SELECT {DIMENSION}, {KEY}, {BATCH}, {CAPTURED_AT}\nFROM {referred}"
    every = "\nUNION ALL\n".join(known)
    return f"""\
SELECT referred.{DIMENSION}, referred.{KEY}, referred.{BATCH}, referred.{CAPTURED_AT}
FROM {referred} AS referred
LEFT JOIN (
    SELECT {DIMENSION}, {KEY}, min({_SINCE}) AS {_SINCE}
    FROM (
{every}
    ) AS said
    GROUP BY {DIMENSION}, {KEY}
) AS known ON known.{DIMENSION} = referred.{DIMENSION} AND known.{KEY} = referred.{KEY}
WHERE known.{_SINCE} IS NULL OR known.{_SINCE} > referred.{BATCH}"""


def members(contract: Contract, catalogue: Catalogue, keys: str) -> str:
    """Inferred members as candidate versions of a dimension, see :func:`glue_jobs.star.projection.incoming`.

    What nobody knows is empty, or the placeholder of the column's type where it may not be. The partition is
    that of the capture; the row that takes the member's place lies where it says.

    Args:
        contract: The dimension; its key is one column, since others refer to it by one.
        catalogue: All contracts.
        keys: Relation of :func:`missing`, of any dimension.
    """
    spec = spec_of(contract, catalogue)
    made = {
        column.name: _unknown(None if column.nullable else placeholder(column.type), sql_type(column.type))
        for column in contract.columns
    }
    (key,) = spec.key
    made[key] = f"CAST({KEY} AS {sql_type(contract.column(key).type)})"
    if contract.partition is not None:
        made[contract.partition.name] = partition_value(contract.partition, CAPTURED_AT)
    made[INFERRED] = "TRUE"
    columns = [f"{made[name]} AS {name}" for name in (*spec.key, *spec.content)]
    flags = [f"{'TRUE' if name == INFERRED else 'FALSE'} AS {FLAG}{name}" for name in spec.flags]
    listed = ",\n       ".join([*columns, *flags])
    return (
        f"SELECT {listed},\n       {BATCH}, {CAPTURED_AT}, FALSE AS {DELETED},"
        f" CAST({COMES_LAST} AS BIGINT) AS {VERSION_ID}\n"
        f"FROM {keys}\nWHERE {DIMENSION} = '{contract.table}'"
    )


def _unknown(value: object, kind: str) -> str:
    return f"CAST({'NULL' if value is None else literal(str(value))} AS {kind})"
