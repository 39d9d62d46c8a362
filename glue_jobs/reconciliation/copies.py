"""The copies without personal columns, against the objects that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Optional

import duckdb

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.redaction import personal_columns
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import REDACT, Commit, DataObject, Partition
from glue_jobs.lake.layout import star_location
from glue_jobs.lake.redaction_state import CopyState, RedactionState, live_copies, name_of
from glue_jobs.reconciliation.canonical import fingerprint, from_lake, quoted
from glue_jobs.reconciliation.compare import EXAMPLES, count
from glue_jobs.reconciliation.lake_rows import Lake, load_objects
from glue_jobs.reconciliation.listing import Listing
from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference
from glue_jobs.runtime.s3 import list_objects

_SIDES = ("copied_rows", "copy_rows")


@dataclass(frozen=True)
class Copies:
    """What commits state of the copies.

    Attributes:
        catalogue: The contracts.
        state: How far each table is copied.
        live: By key prefix of a copy, its live partitions.
    """

    catalogue: Catalogue
    state: RedactionState
    live: Mapping[str, list[Partition]]


def read_copies(clients: LakeClients, catalogue: Catalogue) -> Copies:
    """Read the commits of the copies.

    Args:
        clients: The lake's.
        catalogue: The contracts.
    """
    state = RedactionState.of(clients.log(REDACT).latest())
    live = {copy.prefix: found for copy, found in live_copies(clients, catalogue)}
    return Copies(catalogue, state, live)


def compare_copy(
    workspace: duckdb.DuckDBPyConnection, lake: Lake, copies: Copies, contract: Contract
) -> Optional[tuple[Comparison, int]]:
    """A table's copy against the table, as far as it is copied; nothing where it has none, or none yet.

    Args:
        workspace: DuckDB.
        lake: The lake's commits, read after those of the copies.
        copies: What commits state of the copies.
        contract: The table, of the raw zone or the star.

    Returns:
        The comparison, objects of the copy that are not as its commits name them included; the copy's rows.

    Raises:
        UserError: A commit is missing, or an object of the copy has a column that it must not have.
    """
    catalogue = copies.catalogue
    copy = next((one for one in catalogue.copies if catalogue.copied(one) is contract), None)
    if copy is None:
        return None
    state = copies.state.tables.get(name_of(catalogue, copy))
    if state is None or state.prefix != copy.prefix:
        return None
    live = copies.live[copy.prefix]
    made = [data for partition in live for data in partition.objects]
    spelled = {column.name: from_lake(column, quoted(column.name)) for column in copy.all_columns}
    columns = ", ".join(f"{quoted(name)} VARCHAR" for name in spelled)
    originals = _originals(lake, contract, state)
    for side, of, objects in zip(_SIDES, (contract, copy), (originals, made)):
        workspace.execute(f"CREATE TABLE {side} ({columns}, _content UHUGEINT)")
        numbered = ((data, 0) for data in objects)
        hidden = personal_columns(contract) if of is copy else ()
        load_objects(workspace, lake, of, numbered, side, spelled, fingerprint(list(spelled)), hidden)
    compared = _compare_rows(workspace, f"concat_ws(', ', {', '.join(map(quoted, copy.key))})")
    rows = count(workspace, _SIDES[1])
    for side in _SIDES:
        workspace.execute(f"DROP TABLE {side}")
    objects_of = _list(lake, copy, live).comparison()
    whole = replace(
        compared,
        missing=compared.missing + objects_of.missing,
        extra=compared.extra + objects_of.extra,
        different=objects_of.different,
        examples=compared.examples + objects_of.examples,
    )
    return whole, rows


def _originals(lake: Lake, contract: Contract, state: CopyState) -> Iterator[DataObject]:
    """The objects of a table that are copied."""
    if contract.zone == "raw":
        for commit in lake.captures[: state.batch]:
            table = commit.tables.get(contract.table)
            for partition in table.partitions if table else ():
                yield from partition.objects
        return
    live = {star_location(contract, path, label) for path, label in state.copied_from.items()}
    for partition in _written(lake, contract):
        if partition.location in live:
            yield from partition.objects


def _written(lake: Lake, contract: Contract) -> Iterator[Partition]:
    """Every partition of a star table that a commit wrote."""
    commits: tuple[Commit, ...] = lake.builds[contract.stages[0]]
    for commit in commits:
        if contract.table in commit.tables:
            yield from commit.tables[contract.table].partitions


def _compare_rows(workspace: duckdb.DuckDBPyConnection, key: str) -> Comparison:
    """Every version counts: what one side has more often than the other is missing, or extra."""
    found = {}
    for kind, (left, right) in {"missing": _SIDES, "extra": _SIDES[::-1]}.items():
        workspace.execute(
            f"CREATE OR REPLACE TEMP TABLE uneven AS SELECT key FROM ("  # noqa: S608 - our own relations
            f"SELECT {key} AS key, _content FROM {left} EXCEPT ALL SELECT {key}, _content FROM {right})"
        )
        keys = workspace.execute("SELECT DISTINCT key FROM uneven ORDER BY key LIMIT ?", [EXAMPLES])
        found[kind] = (count(workspace, "uneven"), [row[0] for row in keys.fetchall()])
    examples = tuple(Difference(kind, key, False) for kind, (_, keys) in found.items() for key in keys)
    return Comparison(
        "lake", "copies", missing=found["missing"][0], extra=found["extra"][0], examples=examples
    )


def _list(lake: Lake, copy: Contract, live: list[Partition]) -> Listing:
    """The objects of a copy's live prefixes: those that commits name, and those that lie there."""
    places = {partition.location for partition in live}
    sizes = {
        found["Key"]: found["Size"]
        for found in list_objects(lake.clients.s3, lake.clients.bucket(copy), copy.prefix)
        if found["Key"].rpartition("/")[0] + "/" in places
    }
    return Listing(tuple(data for partition in live for data in partition.objects), sizes)
