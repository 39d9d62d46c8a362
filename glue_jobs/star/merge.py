"""The merge of a table as SQL text: which incoming rows are new versions, and what the table holds then.

Versions of a key are ordered by batch and nothing else. A row is a new version if its content differs, empty
cells compared as values, from the version before it; a deletion is a version with the last known content. Of
a key that is only inferred nothing is known that could be deleted. All versions of a record lie in one
partition, that of its newest version, so that a filter on the partition column never hides one of them.

Every function here returns the text of a query in the common subset of DuckDB and Spark SQL; relations are
named by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from catalog.types import sort_keys
from glue_jobs.star.merge_spec import BATCH, DELETED, INFERRED, VERSION_ID, MergeSpec

IS_NEW = "_is_new"
"""Whether a classified row is a new version."""

IS_UNKNOWN = "_is_unknown_deletion"
"""Whether a classified row deletes a key that nothing is known of."""

IS_KEPT = "_is_kept"
"""Whether a classified row goes into the table: every new version, or of each key the last of them."""

REPEATS = "_repeats"
"""How many rows of the same key and batch a classified row stands for, besides itself."""

WAS_KNOWN = "_was_known"
"""Whether the table held a version of the key before."""

WAS_INFERRED = "_was_inferred"
"""Whether what a dimension held of the key was inferred."""

HOME = "_home_partition"
"""The partition value in which all versions of a row's key are to lie."""

PARTITION_VALUE, BLOCK, LOW, HIGH, ROWS = "_partition_value", "_key_block", "key_low", "key_high", "row_count"
"""Columns of :func:`survey` and :func:`tally`."""

KEPT, PASSED, DELETIONS, UNCHANGED, UNKNOWN = "kept", "passed", "deletions", "unchanged", "unknown_deletions"
REPLACED, INFERRED_ROWS, REPAIRED, REPEATED = "replaced", "inferred", "repaired", "repeated"
"""Counts of :func:`tally`."""

EMPTY = "empty_"
"""Begins the counts of empty required cells of :func:`tally`."""


def survey(spec: MergeSpec, incoming: str) -> str:
    """What arrives, by partition value and block of keys: range of keys, rows, and rows of each flag."""
    flags = "".join(f",\n       {_count_if(flag)} AS {flag}" for flag in spec.flag_columns)
    return f"""\
SELECT {PARTITION_VALUE}, {BLOCK}, count(*) AS {ROWS},
       min({spec.limit or spec.key[0]}) AS {LOW}, max({spec.limit or spec.key[0]}) AS {HIGH}{flags}
FROM (
    SELECT *, {_partition(spec)} AS {PARTITION_VALUE}, {block_of(spec)} AS {BLOCK}
    FROM {incoming}
) AS arriving
GROUP BY {PARTITION_VALUE}, {BLOCK}"""


def several(spec: MergeSpec, incoming: str, history: Optional[str]) -> str:
    """The keys of which more than one version is known or arrives: only their rows need an order.

    Args:
        spec: The table.
        incoming: Relation of candidate versions.
        history: Relation of what the table holds, at least every version of every incoming key.
    """
    held = ", ".join(f"held.{name}" for name in spec.key)
    known = f"\n    UNION ALL\n    SELECT {held} FROM {history} AS held" if history else ""
    same = _same(spec, "arriving", "counted")
    arriving = f"\nWHERE EXISTS (SELECT 1 FROM {incoming} AS arriving WHERE {same})" if history else ""
    return f"""\
SELECT {spec.keys}
FROM (
    SELECT {spec.keys} FROM {incoming}{known}
) AS counted{arriving}
GROUP BY {spec.keys}
HAVING count(*) > 1"""


def compare(spec: MergeSpec, incoming: str, history: Optional[str], several_keys: str) -> str:
    """Compare the incoming rows of keys that have several versions, each with the version before it.

    Args:
        spec: The table.
        incoming: Relation of ``spec.columns`` and ``version_id``; of a deletion only key and lineage count.
        history: Relation of what the table holds, at least every version of every incoming key; columns
            ``spec.columns``, others are ignored.
        several_keys: Relation of :func:`several`.

    Returns:
        A query as :func:`classify` describes it.
    """
    key, columns = spec.keys, _listed(spec.columns)
    listed = f"WHERE EXISTS (SELECT 1 FROM {several_keys} AS listed WHERE {_same(spec, 'listed', 'own')})"
    history_rows = (
        ""
        if history is None
        else f"""
    SELECT {columns}, CAST(NULL AS BIGINT) AS {VERSION_ID}, TRUE AS _in_history
    FROM {history} AS own
    {listed}
    UNION ALL"""
    )
    content_again = "".join(
        f", {key} DESC NULLS LAST"
        for name in spec.content
        for key in sort_keys(name, is_float=name in spec.floats)
    )
    filled = "".join(f"\n           first_value({name}) OVER stated AS {name}," for name in spec.content)
    differs = "".join(
        f"\n           OR lag({value}) OVER versions IS DISTINCT FROM {value}"
        for value in (*(_exact(spec, name) for name in spec.content), DELETED)
    )
    inferred = f" OR ({DELETED} AND {INFERRED})" if spec.has_members else ""
    was_inferred = (
        f"bool_or(_in_history AND {INFERRED}) OVER (PARTITION BY {key})" if spec.has_members else "FALSE"
    )
    kept = IS_NEW if spec.keeps_history else f"{IS_NEW} AND {BATCH} = _last_new"
    home = (
        f"max(CASE WHEN {BATCH} = _last_new THEN {spec.partition} END) OVER (PARTITION BY {key})"
        if spec.partition
        else "CAST(NULL AS STRING)"
    )
    return f"""\
WITH versions AS ({history_rows}
    SELECT {columns}, {VERSION_ID}, FALSE AS _in_history
    FROM {incoming} AS own
    {listed}
), seen AS (
    SELECT *, max(CASE WHEN _in_history THEN {BATCH} END) OVER (PARTITION BY {key}) AS _seen_until,
           {was_inferred} AS {WAS_INFERRED}
    FROM versions
), ranked AS (
    -- What a key has already seen changes nothing, however often it comes again.
    SELECT *, _in_history OR NOT {DELETED} AS _is_stated, _seen_until IS NOT NULL AS {WAS_KNOWN},
           row_number() OVER (
               PARTITION BY {key}, {BATCH}
               ORDER BY {VERSION_ID} DESC NULLS LAST, {DELETED} DESC NULLS LAST{content_again}
           ) AS _recency,
           count(*) OVER (PARTITION BY {key}, {BATCH}) - 1 AS {REPEATS}
    FROM seen
    WHERE _in_history OR _seen_until IS NULL OR {BATCH} > _seen_until
), ordered AS (
    SELECT *,
           lag({BATCH}) OVER (PARTITION BY {key} ORDER BY {BATCH} ASC NULLS FIRST) AS _previous_batch,
           max(CASE WHEN _is_stated THEN {BATCH} END) OVER (
               PARTITION BY {key} ORDER BY {BATCH} ASC NULLS FIRST
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS _stated_batch
    FROM ranked
    WHERE _recency = 1
), filled AS (
    -- A deletion has the last content that was stated before it: the first row of those that stand on it.
    SELECT {key},{filled}
           {BATCH}, captured_at, {DELETED}, _in_history, {REPEATS}, {WAS_KNOWN}, {WAS_INFERRED},
           _previous_batch, _stated_batch
    FROM ordered
    WINDOW stated AS (PARTITION BY {key}, _stated_batch ORDER BY {BATCH} ASC NULLS FIRST)
), compared AS (
    SELECT *, _stated_batch IS NULL{inferred} AS {IS_UNKNOWN},
           _previous_batch IS NULL OR lag(_stated_batch) OVER versions IS NULL{differs} AS _differs
    FROM filled
    WINDOW versions AS (PARTITION BY {key} ORDER BY {BATCH} ASC NULLS FIRST)
), judged AS (
    SELECT {columns},
           NOT {IS_UNKNOWN} AND _differs AS {IS_NEW}, {IS_UNKNOWN}, {REPEATS}, {WAS_KNOWN}, {WAS_INFERRED}
    FROM compared
    WHERE NOT _in_history
)
SELECT {columns}, {IS_NEW}, {IS_UNKNOWN}, {kept} AS {IS_KEPT},
       {REPEATS}, {WAS_KNOWN}, {WAS_INFERRED}, {home} AS {HOME}
FROM (
    SELECT *, max(CASE WHEN {IS_NEW} THEN {BATCH} END) OVER (PARTITION BY {key}) AS _last_new
    FROM judged
) AS found"""


def classify(
    spec: MergeSpec, incoming: str, several_keys: Optional[str] = None, compared: Optional[str] = None
) -> str:
    """What is known of every incoming row: those that were compared, and those that stand alone.

    Args:
        spec: The table.
        incoming: Relation of candidate versions.
        several_keys: Relation of :func:`several`; nothing where it is empty, so that every row stands alone.
        compared: Relation of :func:`compare`; likewise.

    Returns:
        A query with one row for each key and batch that the table had not seen: ``spec.columns``, of a
        deletion the last known content, and what the names above say. Of several rows of a key and batch the
        one with the highest ``version_id`` counts, then the greatest content.
    """
    columns = _listed(spec.columns)
    home = spec.partition or "CAST(NULL AS STRING)"
    alone = f"""\
SELECT {columns}, NOT {DELETED} AS {IS_NEW}, {DELETED} AS {IS_UNKNOWN}, NOT {DELETED} AS {IS_KEPT},
       CAST(0 AS BIGINT) AS {REPEATS}, FALSE AS {WAS_KNOWN}, FALSE AS {WAS_INFERRED}, {home} AS {HOME}
FROM {incoming} AS own"""
    if several_keys is None or compared is None:
        return alone
    return f"""\
{alone}
WHERE NOT EXISTS (SELECT 1 FROM {several_keys} AS listed WHERE {_same(spec, "listed", "own")})
UNION ALL
SELECT {columns}, {IS_NEW}, {IS_UNKNOWN}, {IS_KEPT}, {REPEATS}, {WAS_KNOWN}, {WAS_INFERRED}, {HOME}
FROM {compared}"""


def tally(spec: MergeSpec, classified: str) -> str:
    """What became of classified rows, counted by home partition, batch and block of keys."""
    inferred, was_inferred = (INFERRED, WAS_INFERRED) if spec.has_members else ("FALSE", "FALSE")
    counts = {
        KEPT: IS_KEPT,
        PASSED: f"{IS_NEW} AND NOT {IS_KEPT}",
        DELETIONS: f"{IS_KEPT} AND {DELETED}",
        UNCHANGED: f"NOT {IS_NEW} AND NOT {IS_UNKNOWN}",
        UNKNOWN: IS_UNKNOWN,
        REPLACED: f"{IS_KEPT} AND {WAS_KNOWN}",
        INFERRED_ROWS: f"{IS_KEPT} AND {inferred}",
        REPAIRED: f"{IS_KEPT} AND NOT {inferred} AND {was_inferred}",
        **{f"{EMPTY}{name}": f"{IS_KEPT} AND {name} IS NULL" for name in spec.required},
    }
    counted = "".join(f"\n       {_count_if(condition)} AS {name}," for name, condition in counts.items())
    return f"""\
SELECT {PARTITION_VALUE}, {BATCH}, {BLOCK},{counted}
       CAST(sum({REPEATS}) AS BIGINT) AS {REPEATED}
FROM (
    SELECT *, coalesce({HOME}, '') AS {PARTITION_VALUE}, {block_of(spec)} AS {BLOCK}
    FROM {classified}
) AS judged
GROUP BY {PARTITION_VALUE}, {BATCH}, {BLOCK}"""


def record_ids(spec: MergeSpec, classified: str, offsets: str) -> str:
    """The kept versions with their numbers, first by batch, then by key, and their home partition.

    Args:
        spec: The table; without a record number the rows have none.
        classified: From :func:`classify`.
        offsets: Relation of ``batch_sequence``, ``_key_block`` and ``_number_before``: a row's number is its
            block's offset and its place in the block, so that no task sees every row.
    """
    partition = f", {HOME}" if spec.partition else ""
    if spec.record_id is None:
        return f"SELECT {_listed(spec.columns)}{partition}\nFROM {classified}\nWHERE {IS_KEPT}"
    columns = ", ".join(f"own.{name}" for name in spec.columns)
    order = ", ".join(f"{name} ASC NULLS FIRST" for name in spec.key)
    return f"""\
SELECT CAST(own._number_in_block + before._number_before AS INT) AS {spec.record_id},
       {columns}{f", own.{HOME}" if spec.partition else ""}
FROM (
    SELECT *,
           row_number() OVER (
               PARTITION BY {BATCH}, {BLOCK} ORDER BY {order}
           ) AS _number_in_block
    FROM (SELECT *, {block_of(spec)} AS {BLOCK} FROM {classified} WHERE {IS_KEPT}) AS kept
) AS own
JOIN {offsets} AS before ON before.{BATCH} = own.{BATCH} AND before.{BLOCK} = own.{BLOCK}"""


def homes(spec: MergeSpec, classified: str) -> str:
    """The keys of new versions that the table held before, each with its home partition."""
    return f"""\
SELECT {spec.keys}, max({HOME}) AS {HOME}
FROM {classified}
WHERE {IS_KEPT} AND {WAS_KNOWN}
GROUP BY {spec.keys}"""


def strays(spec: MergeSpec, history: str, home: str) -> str:
    """The partition values that hold versions of keys whose home is another one.

    Args:
        spec: A partitioned table.
        history: What the table holds.
        home: From :func:`homes`.
    """
    return f"""\
SELECT DISTINCT held.{spec.partition} AS {PARTITION_VALUE}
FROM {history} AS held
JOIN {home} AS home ON {_same(spec, "home", "held")}
WHERE held.{spec.partition} <> home.{HOME}"""


def rewritten(
    spec: MergeSpec, columns: Iterable[str], base: Optional[str], new: str, home: Optional[str]
) -> str:
    """The rows of the partitions that a change touches.

    Args:
        spec: The table.
        columns: The files' columns.
        base: Relation of what these partitions hold, partition column included; nothing where there is
            nothing.
        new: From :func:`record_ids`.
        home: From :func:`homes` where versions that the table holds have to move, or are replaced.
    """
    chosen = list(columns)
    arriving = [f"new.{name}" for name in chosen] + (
        [f"new.{HOME} AS {spec.partition}"] if spec.partition else []
    )
    added = f"SELECT {', '.join(arriving)}\nFROM {new} AS new"
    if base is None:
        return added
    held = [f"held.{name}" for name in chosen]
    if not spec.keeps_history:
        held += [f"held.{spec.partition}"] if spec.partition else []
        stays = (
            f"WHERE NOT EXISTS (SELECT 1 FROM {home} AS home WHERE {_same(spec, 'home', 'held')})"
            if home
            else ""
        )
        staying = f"SELECT {', '.join(held)}\nFROM {base} AS held\n{stays}"
    elif spec.partition and home:
        moved = f"coalesce(home.{HOME}, held.{spec.partition}) AS {spec.partition}"
        staying = (
            f"SELECT {', '.join([*held, moved])}\nFROM {base} AS held\n"
            f"LEFT JOIN {home} AS home ON {_same(spec, 'home', 'held')}"
        )
    else:
        held += [f"held.{spec.partition}"] if spec.partition else []
        staying = f"SELECT {', '.join(held)}\nFROM {base} AS held"
    return f"{staying}\nUNION ALL\n{added}"


def changes(columns: Iterable[str], new: str) -> str:
    """The rows that are new in the table: what the warehouse loads."""
    return f"SELECT {_listed(columns)}\nFROM {new}"


def block_of(spec: MergeSpec) -> str:
    """The block of keys that a row's key lies in; see :func:`catalog.keys.key_block`."""
    return spec.block or f"block_of(CAST({spec.key[0]} AS BIGINT))"


def _same(spec: MergeSpec, one: str, other: str) -> str:
    """The condition on which rows of two relations have one key."""
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in spec.key)


def _exact(spec: MergeSpec, name: str) -> str:
    """A column as a value that equals no other."""
    # An engine has one text of each binary number, whatever another engine's is.
    return f"CAST({name} AS STRING)" if name in spec.floats else name


def _count_if(condition: str) -> str:
    # DuckDB counts in 128 bits.
    return f"CAST(count_if({condition}) AS BIGINT)"


def _partition(spec: MergeSpec) -> str:
    return spec.partition or "CAST('' AS STRING)"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
