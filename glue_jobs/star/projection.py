"""From raw rows to rows of a star table, as its contract says, as SQL text; deletions carry their key alone.

A dimension of several source tables is what its row was as of every batch in which one of them changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from catalog.catalogue import Catalogue
from catalog.expression import star_expression, star_unreadable
from catalog.model import Column, Contract, Join, PartitionBy
from glue_jobs.star.merge_spec import (
    BATCH,
    CAPTURED_AT,
    DELETED,
    FLAG,
    INFERRED,
    UNMATCHED,
    UNREADABLE,
    VERSION_ID,
    MergeSpec,
    merge_spec,
)

RAW_LINEAGE = ("batch", CAPTURED_AT, "operation", VERSION_ID)
"""What the star takes of a raw row besides its columns."""

_PARTITION_FUNCTION = {"month": "month_of", "day": "day_of"}

_LINEAGE = f"""\
       batch AS {BATCH}, {CAPTURED_AT}, operation = 'delete' AS {DELETED}, {VERSION_ID}"""


def spec_of(contract: Contract, catalogue: Catalogue) -> MergeSpec:
    """How a star table is merged, with the flags that its incoming rows have."""
    flags = [
        f"{UNREADABLE}{column.name}"
        for column in made_columns(contract)
        if star_unreadable(contract, column, catalogue) is not None
    ]
    joined = contract.built_from is not None and bool(contract.built_from.joins)
    flags += [UNMATCHED] if joined else []
    flags += [INFERRED] if contract.kind == "dimension" else []
    return merge_spec(contract, tuple(flags))


def incoming(
    contract: Contract, catalogue: Catalogue, raw: str, only: Optional[Collection[str]] = None
) -> str:
    """Raw rows as candidate versions of a star table without joins.

    Args:
        contract: The star table.
        catalogue: All contracts.
        raw: Relation of its source table, with raw lineage and ``batch``.
        only: Columns of the table, where no others are wanted.

    Returns:
        A query: key, content, star lineage, ``version_id`` and flags; no record number yet.
    """
    if only is None:
        columns = [*_columns(contract, catalogue), *_flags(contract, catalogue)]
    else:
        made = ((star_expression(contract, contract.column(name), catalogue).sql, name) for name in only)
        columns = [_named(text, name) for text, name in made]
    return f"SELECT {_listed(columns)},\n{_LINEAGE}\nFROM {raw}"


def source_columns(
    contract: Contract, catalogue: Catalogue, only: Optional[Collection[str]] = None
) -> tuple[str, ...]:
    """The columns of its main source table that a star table is made of, lineage included.

    Args:
        contract: The star table.
        catalogue: All contracts.
        only: Columns of the star table, where no others are wanted.
    """
    if contract.built_from is None or contract.built_from.table is None:
        return ()
    table = catalogue.raw[contract.built_from.table]
    named = _source_names(contract, catalogue, only)
    if contract.partition is not None and only is None:
        named.add(contract.partition.source_column)
    own = tuple(column.name for column in table.columns if column.name in named)
    return (*own, *(name for name in RAW_LINEAGE if name != "batch"))


def source_versions(contract: Contract, raw: str) -> str:
    """Raw rows as candidate versions of the snapshot of their own table, values as they are."""
    return f"SELECT {', '.join(column.name for column in contract.columns)},\n{_LINEAGE}\nFROM {raw}"


@dataclass(frozen=True)
class JoinedSource:
    """What is known of one source table of a dimension with joins.

    Attributes:
        contract: The raw table.
        versions: Relation of every version that some waiting batch can have seen: its columns and star
            lineage.
        new: Relation of those versions that the waiting batches bring.
    """

    contract: Contract
    versions: str
    new: str

    @property
    def key(self) -> tuple[str, ...]:
        """Its key columns."""
        return self.contract.key

    @property
    def carried_key(self) -> tuple[str, ...]:
        """What its key columns are called beside those of tables that it joins."""
        single = ("_main_key",)
        return single if len(self.key) == 1 else tuple(f"_main_key_{place}" for place in range(len(self.key)))


def joined(contract: Contract, catalogue: Catalogue, sources: Mapping[str, JoinedSource]) -> str:
    """Candidate versions of a dimension, one for each key and batch in which one of its sources changed.

    A row of the main table whose joined row is missing is kept; what the joined row would have given takes
    the column's default.

    Args:
        contract: The dimension.
        catalogue: All contracts.
        sources: By raw table, the main table and every joined one.

    Returns:
        A query as :func:`incoming` gives it.
    """
    built_from = contract.built_from
    if built_from is None or built_from.table is None:  # pragma: no cover - the contract model demands one
        raise ValueError(f"{contract.table} is built from no source table")
    main, joins = sources[built_from.table], built_from.joins
    steps = [f"points AS (\n{_points(main, joins, sources)}\n)"]
    own = [column.name for column in main.contract.columns]
    keys = main.carried_key
    steps.append(f"as_of_main AS (\n{_as_of('points', main, keys, own, (), keys, '')}\n)")
    known, before = tuple(own), "as_of_main"
    for join in joins:
        source, joined_columns = sources[join.table], _joined_columns(contract, catalogue, join)
        step, prefix = f"as_of_{join.table}", f"{join.table}__"
        steps.append(
            f"{step} AS (\n{_as_of(before, source, keys, joined_columns, known, (join.on,), prefix)}\n)"
        )
        known = (*known, *(f"{prefix}{name}" for name in joined_columns), f"_{prefix}found")
        before = step
    unmatched = " OR ".join(f"NOT _{join.table}__found" for join in joins) or "FALSE"
    columns = [
        *_columns(contract, catalogue),
        *_flags(contract, catalogue),
        f"{unmatched} AS {FLAG}{UNMATCHED}",
    ]
    return (
        f"WITH {', '.join(steps)}\n"
        f"SELECT {_listed(columns)},\n"
        f"       _as_of AS {BATCH}, _seen_at AS {CAPTURED_AT}, _main_is_deleted AS {DELETED},"
        f" CAST(0 AS BIGINT) AS {VERSION_ID}\n"
        f"FROM {before}"
    )


def _points(main: JoinedSource, joins: Collection[Join], sources: Mapping[str, JoinedSource]) -> str:
    """Main key and batch wherever something changed; a capture is one snapshot, so its time is one too."""
    keys = ", ".join(main.carried_key)
    own = ", ".join(_named(name, carried) for name, carried in zip(main.key, main.carried_key))
    found = [f"    SELECT {own}, {BATCH} AS _as_of, {CAPTURED_AT} AS _seen_at FROM {main.new}"]
    for join in joins:
        other = sources[join.table]
        pointing = ", ".join(f"pointing.{name}" for name in main.key)
        listed = ", ".join(dict.fromkeys([*main.key, join.on]))
        found.append(
            f"    SELECT {pointing}, other.{BATCH}, other.{CAPTURED_AT}\n"
            f"    FROM {other.new} AS other\n"
            f"    JOIN (SELECT DISTINCT {listed} FROM {main.versions}) AS pointing"
            f" ON pointing.{join.on} = other.{other.key[0]}"
        )
    every = "\n    UNION ALL\n".join(found)
    return (
        f"SELECT {keys}, _as_of, min(_seen_at) AS _seen_at\n"
        f"FROM (\n{every}\n) AS changed\nGROUP BY {keys}, _as_of"
    )


def _as_of(
    rows: str,
    source: JoinedSource,
    keys: Collection[str],
    columns: Collection[str],
    known: Collection[str],
    on: Collection[str],
    prefix: str,
) -> str:
    """Add to each row the version that a key had at its batch; keep rows whose main row was there."""
    is_main, found_name = not prefix, f"_{prefix}found"
    carried = [*keys, "_as_of", "_seen_at", *([] if is_main else ["_main_is_deleted"]), *known]
    found = [f"version.{name} AS {prefix}{name}" for name in columns]
    found.append(
        f"version.{DELETED} AS _main_is_deleted"
        if is_main
        else f"version.{source.key[0]} IS NOT NULL AS {found_name}"
    )
    names = [
        *carried,
        *(f"{prefix}{name}" for name in columns),
        "_main_is_deleted" if is_main else found_name,
    ]
    kept = " AND _main_is_deleted IS NOT NULL" if is_main else ""
    same = " AND ".join(f"version.{key} = point.{name}" for key, name in zip(source.key, on))
    return (
        f"SELECT {', '.join(names)}\nFROM (\n"
        f"    SELECT {', '.join([*(f'point.{name}' for name in carried), *found])},\n"
        f"           row_number() OVER (\n"
        f"               PARTITION BY {', '.join(f'point.{key}' for key in keys)}, point._as_of\n"
        f"               ORDER BY version.{BATCH} DESC NULLS LAST\n"
        f"           ) AS _recency\n"
        f"    FROM {rows} AS point\n"
        f"    LEFT JOIN {source.versions} AS version\n"
        f"      ON {same} AND version.{BATCH} <= point._as_of\n"
        f") AS seen\nWHERE _recency = 1{kept}"
    )


def _joined_columns(contract: Contract, catalogue: Catalogue, join: Join) -> tuple[str, ...]:
    """The columns of a joined table that some column of the dimension is made of."""
    named = {
        name.partition("__")[2]
        for name in _source_names(contract, catalogue)
        if name.startswith(f"{join.table}__")
    }
    return tuple(column.name for column in catalogue.raw[join.table].columns if column.name in named)


def _source_names(
    contract: Contract, catalogue: Catalogue, only: Optional[Collection[str]] = None
) -> set[str]:
    """What a table is made of: columns of its main source, and ``table__column`` of joined ones."""
    wanted = (column for column in made_columns(contract) if only is None or column.name in only)
    found = (star_expression(contract, column, catalogue).columns for column in wanted)
    return {name for names in found for name in names}


def made_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns of a star table that are made from its sources: all but the record number."""
    return tuple(column for column in contract.columns if column.expression is not None)


def _columns(contract: Contract, catalogue: Catalogue) -> list[str]:
    """Key and content of a star table, each made from its source as its contract says."""
    made = {
        column.name: star_expression(contract, column, catalogue).sql for column in made_columns(contract)
    }
    if contract.partition is not None:
        made[contract.partition.name] = partition_value(contract.partition, contract.partition.source_column)
    if contract.kind == "dimension":
        made[INFERRED] = "FALSE"
    spec = merge_spec(contract)
    return [_named(made[name], name) for name in (*spec.key, *spec.content)]


def _named(text: str, name: str) -> str:
    return name if text == name else f"{text} AS {name}"


def _flags(contract: Contract, catalogue: Catalogue) -> list[str]:
    """Booleans that say which columns of a row state a value that cannot be read as the contract says."""
    unreadable = {
        column.name: star_unreadable(contract, column, catalogue) for column in made_columns(contract)
    }
    flags = [f"{text} AS {FLAG}{UNREADABLE}{name}" for name, text in unreadable.items() if text is not None]
    return [*flags, *([f"FALSE AS {FLAG}{INFERRED}"] if contract.kind == "dimension" else [])]


def partition_value(partition: PartitionBy, source: str) -> str:
    """The partition value that a time lies in, as SQL."""
    return f"{_PARTITION_FUNCTION[partition.granularity]}({source})"


def _listed(columns: Collection[str]) -> str:
    return ",\n       ".join(columns)


def for_each(relation: str, made: Sequence[Mapping[str, str]], carried: Sequence[str]) -> str:
    """Each row of a relation once for every one of several sets of columns, in one pass over the relation.

    Args:
        relation: The relation; deletions are left out.
        made: Sets of the same columns: by name, the expression that makes it.
        carried: Columns that are taken as they are.
    """
    places = "\n        UNION ALL ".join(
        f"SELECT CAST({place} AS INT) AS _place" for place in range(len(made))
    )
    columns = [
        f"CASE {' '.join(f'WHEN _place = {place} THEN {one[name]}' for place, one in enumerate(made))} END"
        f" AS {name}"
        for name in made[0]
    ]
    return (
        f"SELECT {', '.join([*columns, *carried])}\n    FROM {relation}\n"
        f"    CROSS JOIN (\n        {places}\n    ) AS places\n    WHERE NOT {DELETED}"
    )


def union(first: Optional[str], second: Optional[str], columns: Collection[str]) -> Optional[str]:
    """The rows of two relations together; either may be missing."""
    given = [name for name in (first, second) if name is not None]
    texts = [f"SELECT {', '.join(columns)} FROM {name}" for name in given]
    return "\nUNION ALL\n".join(texts) if texts else None
