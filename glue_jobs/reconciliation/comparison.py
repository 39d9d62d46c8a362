"""The reconciliation itself: source, lake and warehouse, table by table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

import duckdb
import pycountry
from botocore.exceptions import BotoCoreError, ClientError

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import UNRESOLVED, Contract
from catalog.pipeline import Feed, load_pipeline
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake.catalog_check import check_partitions, check_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.lake.source_state import SourceState
from glue_jobs.reconciliation import views
from glue_jobs.reconciliation.canonical import (
    MACROS,
    fingerprint,
    from_postgres,
    key_of,
    literal,
    quoted,
)
from glue_jobs.reconciliation.compare import EXAMPLES, compare, count
from glue_jobs.reconciliation.copies import Copies, compare_copy, read_copies
from glue_jobs.reconciliation.database_rows import UNKNOWN, Database, Snapshot, open_database
from glue_jobs.reconciliation.derive import (
    DEAD,
    EXPECTED,
    SOURCE,
    calendar_rows,
    create_functions,
    dead_keys,
    from_source,
    star_rows,
)
from glue_jobs.reconciliation.lake_rows import (
    Lake,
    load_dead_letters,
    load_raw,
    load_star,
    open_lake,
)
from glue_jobs.reconciliation.landed import load_landed
from glue_jobs.reconciliation.landed_files import load_landed_files
from glue_jobs.reconciliation.listing import list_live_prefixes
from glue_jobs.reconciliation.reconciliation_report import Comparison, Report, TableReport
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime.connections import DatabaseError
from glue_jobs.runtime.errors import DISK_FULL, UserError, is_disk_full
from glue_jobs.warehouse.offsets import foreign, read_offsets
from glue_jobs.warehouse.pending import Position

MEMORY = "400MB"
"""What DuckDB may hold before it moves to its temporary directory."""

_PART = 2**60
"""Half of a fingerprint, nearly: sums of so many bits fit what DuckDB adds up exactly."""

_MANY_ROWS = 200_000
"""Of the source, from which on two threads compare sooner than one."""

_BATCH = "batch_sequence"
_DELETED = "is_deleted"
_INFERRED = "is_inferred"

_OF_ONE_TABLE = (UserError, ChecksumMismatch, ClientError, BotoCoreError, duckdb.Error)
"""What keeps one table from being compared, and no other."""


@dataclass(frozen=True)
class ReconciliationContext:
    """What the steps work with.

    Attributes:
        workspace: DuckDB, with the source's tables.
        catalogue: All contracts.
        lake: The lake's commits.
        source: The moment of the source that was read.
        warehouse: The warehouse at one moment.
        positions: How far the warehouse has read the lake, by stage.
        foreign: Why the warehouse is not this lake's; nothing where it is.
        unread: By source table, why it could not be read.
        athena: Where Athena is asked; nothing where there is none.
        copies: What was copied without personal columns.
    """

    workspace: duckdb.DuckDBPyConnection
    catalogue: Catalogue
    lake: Lake
    source: Snapshot
    warehouse: Database
    positions: Mapping[str, Position]
    foreign: Optional[str] = None
    unread: Mapping[str, str] = field(default_factory=dict)
    athena: Optional[Athena] = None
    copies: Optional[Copies] = None

    def may_have_changed_from(self, batch: int) -> Optional[int]:
        """Source rows with this version or a later one may have changed after a batch was captured.

        Nothing where that cannot be told: the source is another server now, or was restored.
        """
        commit = self.lake.capture(batch)
        if commit is None:
            return 0
        state = SourceState.of(commit)
        captured = (state.source.system_id, state.source.timeline, state.source.database)
        now = (self.source.system_id, self.source.timeline, self.source.database)
        known = tuple(None if one is None else str(one) for one in captured)
        # An earlier release did not state the database.
        same = known == now if known[2] is not None else known[:2] == now[:2]
        return state.snapshot_xmin if same else None

    def waiting_from(self, contract: Contract, batch: int) -> Optional[int]:
        """From which version on rows of a table's source may have come after a batch.

        See :meth:`may_have_changed_from`; rows of a feed have the batch as their version that they came in.
        """
        main = contract.built_from.table if contract.built_from is not None else contract.table
        return batch + 1 if main in self.catalogue.fed else self.may_have_changed_from(batch)

    def loaded(self, stage: str) -> Optional[int]:
        """The last batch of a stage that the warehouse holds; nothing where it holds another lake."""
        return None if self.foreign is not None else self.positions[stage].last_batch

    def behind(self, stage: str) -> bool:
        """Whether a stage has committed something of this lake that the warehouse has yet to load."""
        log = self.lake.clients.log(stage)
        return self.foreign is None and log.exists(self.positions[stage].sequence + 1)

    def paused(self, tables: Sequence[str]) -> Optional[str]:
        """Which of some source tables are paused, since when and why."""
        states = SourceState.of(self.lake.last_capture).tables
        pauses = {name: states[name].pause for name in tables if name in states}
        words = [f"{n}, since {p.since}: {p.reason}" for n, p in pauses.items() if p is not None]
        return " ".join(words) or None

    def unreadable(self, tables: Sequence[str]) -> Optional[str]:
        """Why some source tables could not be read."""
        return " ".join(self.unread[name] for name in tables if name in self.unread) or None


def reconcile(
    source_dsn: str,
    warehouse_dsn: str,
    clients: LakeClients,
    *,
    source_schema: str,
    catalogue: Optional[Catalogue] = None,
    schema: str = WAREHOUSE_SCHEMA,
    athena: Optional[Athena] = None,
    feeds: Optional[Mapping[str, Feed]] = None,
    check_catalog: bool = True,
    directory: Optional[Path] = None,
    progress: Optional[Callable[[str], None]] = None,
) -> Report:
    """Compare source, lake and warehouse to the row, for every table, each on its own.

    The source is read once, in one snapshot; the lake by its commits, every object checked against its
    checksum, and by Athena, as analysts read it. Memory stays bounded however many rows there are: the work
    is done in a file of its own. A table that cannot be compared is named, with the reason.

    Args:
        source_dsn: The source, as a role that may SELECT.
        warehouse_dsn: The warehouse, as a role that may SELECT.
        clients: Of the lake.
        source_schema: The schema of the source's tables.
        catalogue: All contracts; the project's own by default.
        schema: The warehouse's schema.
        feeds: The feeds by name; the project's own by default.
        athena: Where Athena is asked; without it what analysts read of the lake is not compared.
        check_catalog: Whether the catalog is compared with contracts and commits.
        directory: Where temporary files go.
        progress: Told which table is next.

    Raises:
        DatabaseError: A database cannot be reached.
    """
    contracts = catalogue or load_catalogue()
    tell = progress or (lambda _: None)
    with _workspace(directory) as workspace:
        # The copies first: what they are of is then surely among the commits.
        copies = read_copies(clients, contracts)
        lake = open_lake(clients)
        with open_database(source_dsn, "source", source_schema) as source:
            unread = _copy_source(workspace, source, contracts, tell)
        by_name = load_pipeline().feeds if feeds is None else feeds
        unread.update(_read_landed(workspace, lake, contracts, by_name, tell))
        _load_dead_letters(workspace, lake, contracts, unread)
        _use_threads(workspace)
        with open_database(warehouse_dsn, "warehouse", schema) as warehouse:
            positions, reason = _positions(warehouse, lake)
            context = ReconciliationContext(
                workspace,
                contracts,
                lake,
                source.snapshot,
                warehouse,
                positions,
                reason,
                unread,
                athena,
                copies,
            )
            create_functions(workspace, contracts)
            tables = []
            for contract in contracts.raw.values():
                tell(f"raw {contract.table}")
                tables.append(_guarded(context, contract, _raw_table))
            # The calendar last: which dates are needed follows from the facts.
            star = sorted(contracts.star.values(), key=lambda contract: contract.kind == "calendar")
            for contract in star:
                tell(f"star {contract.table}")
                compared = _rejected_changes if contract.kind == "dead_letters" else _star_table
                tables.append(_guarded(context, contract, compared))
    last = lake.last_capture
    faults = _catalog_faults(clients, contracts) if check_catalog else ()
    return Report(last.sequence if last else 0, tuple(tables), reason, faults)


def star_checksums(
    warehouse_dsn: str,
    clients: LakeClients,
    *,
    catalogue: Optional[Catalogue] = None,
    schema: str = WAREHOUSE_SCHEMA,
) -> dict[str, tuple[int, int, int]]:
    """Rows and checksums of every star table, whole history and lineage included, whatever their order.

    Args:
        warehouse_dsn: The warehouse, as a role that may SELECT.
        clients: Of the lake.
        catalogue: All contracts; the project's own by default.
        schema: The warehouse's schema.

    Returns:
        By ``lake.<table>`` and ``warehouse.<table>``: rows, and two sums over the rows' fingerprints.

    Raises:
        UserError: The warehouse cannot be read.
        ChecksumMismatch: An object of the lake is not what its commit says.
    """
    contracts = catalogue or load_catalogue()
    found = {}
    with (
        _workspace(None) as workspace,
        open_database(warehouse_dsn, "warehouse", schema) as warehouse,
    ):
        context = ReconciliationContext(
            workspace, contracts, open_lake(clients), UNKNOWN, warehouse, positions={}
        )
        for contract in contracts.star.values():
            listing = list_live_prefixes(context.lake, contract)
            load_star(workspace, context.lake, contract, listing.named, "lake_rows")
            _load_warehouse(context, contract)
            for side in ("lake", "warehouse"):
                row = workspace.execute(
                    f"SELECT count(*), coalesce(sum((_whole % {_PART})::BIGINT), 0),"  # noqa: S608 - our own
                    f" coalesce(sum((_whole // {_PART} % {_PART})::BIGINT), 0) FROM {side}_rows"
                ).fetchone()
                rows, low, high = row if row is not None else (0, 0, 0)
                found[f"{side}.{contract.table}"] = (int(rows), int(low), int(high))
            _drop(workspace, "lake_rows", "warehouse_rows", "warehouse_current")
    return found


# ---------------------------------------------------------------------- tables


def _catalog_faults(clients: LakeClients, catalogue: Catalogue) -> tuple[str, ...]:
    """What the catalog does not show as contracts and commits state it.

    A run that has just committed has yet to show it: only what is found twice counts.
    """

    def found() -> dict[str, str]:
        faults = check_tables(clients, catalogue, catalogue.zones)
        faults += check_partitions(clients, catalogue)
        return {f"{fault.database}.{fault.table}": str(fault) for fault in faults}

    first = found()
    again = found() if first else {}
    return tuple(words for name, words in again.items() if name in first)


def _copy_source(
    workspace: duckdb.DuckDBPyConnection, source: Database, catalogue: Catalogue, tell: Callable[[str], None]
) -> dict[str, str]:
    """Every source table into the workspace; returns why some could not be read, and stand there empty."""
    unread = {}
    for contract in catalogue.captured.values():
        tell(f"source {contract.table}")
        names, into = [column.name for column in contract.columns], f"{SOURCE}.{quoted(contract.table)}"
        try:
            limits = {c.name: c.cell_limit for c in contract.columns if c.type.name == "text"}
            zoned = {c.name for c in contract.columns if c.type.name == "timestamptz"}
            called = {column.name: column.at_source for column in contract.columns}
            schema, table = contract.at_source(source.schema)
            source.copy_table(
                workspace,
                table,
                names,
                into,
                versions=True,
                limits=limits,
                zoned=zoned,
                called=called,
                schema=schema,
            )
        except DatabaseError as error:
            unread[contract.table] = str(error)
            _stand_empty(workspace, contract)
    places = {name: contract.at_source(source.schema) for name, contract in catalogue.captured.items()}
    for table in source.rewritten(places):
        unread.setdefault(table, f"{table} was rewritten while it was read. Compare again.")
    return unread


def _stand_empty(workspace: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the table of a source that could not be read."""
    columns = ", ".join(f"{quoted(column.name)} VARCHAR" for column in contract.columns)
    into = f"{SOURCE}.{quoted(contract.table)}"
    workspace.execute(f"CREATE OR REPLACE TABLE {into} ({columns}, _row_version BIGINT)")


def _read_landed(
    workspace: duckdb.DuckDBPyConnection,
    lake: Lake,
    catalogue: Catalogue,
    feeds: Mapping[str, Feed],
    tell: Callable[[str], None],
) -> dict[str, str]:
    """What feeds were answered, into the workspace; returns why some could not be read, as for a source."""
    unread = {}
    for contract in catalogue.fed.values():
        tell(f"answers {contract.table}")
        names = [name for name, feed in feeds.items() if feed.table == contract.table]
        try:
            if not names:
                raise UserError(f"No feed brings {contract.table}.", "State it in catalog/pipeline.yaml.")
            load = load_landed_files if contract.origin == "files" else load_landed
            load(workspace, lake, names[0], contract, f"{SOURCE}.{quoted(contract.table)}")
        except _OF_ONE_TABLE as error:
            unread[contract.table] = _reason(error)
            _stand_empty(workspace, contract)
    return unread


def _load_dead_letters(
    workspace: duckdb.DuckDBPyConnection, lake: Lake, catalogue: Catalogue, unread: dict[str, str]
) -> None:
    """The keys of unresolved dead letters; where these cannot be read, their tables count as unread."""
    for name in catalogue.raw:
        into = f"{DEAD}.{quoted(name)}"
        workspace.execute(f"CREATE TABLE {into} (key VARCHAR)")
        try:
            load_dead_letters(workspace, lake, name, into)
        except _OF_ONE_TABLE as error:
            unread.setdefault(name, _reason(error))


def _reason(error: Exception) -> str:
    """Why a table was not compared; DuckDB's own words may quote data."""
    if is_disk_full(error):
        return DISK_FULL
    return type(error).__name__ if isinstance(error, duckdb.Error) else str(error)


def _positions(warehouse: Database, lake: Lake) -> tuple[dict[str, Position], Optional[str]]:
    """How far the warehouse has read the lake, and why it is another lake's, if it is."""
    session, schema, clients = warehouse.session, warehouse.schema, lake.clients
    positions = read_offsets(session, schema)
    return positions, foreign(session, schema, clients, positions)


def _guarded(
    context: ReconciliationContext,
    contract: Contract,
    compared: Callable[[ReconciliationContext, Contract], TableReport],
) -> TableReport:
    """One table's report, also where the table cannot be compared, with why."""
    sources = _sources(context.catalogue, contract)
    try:
        with _at_once(context.workspace):
            report = compared(context, contract)
            copied = context.copies and compare_copy(
                context.workspace, context.lake, context.copies, contract
            )
            if copied:
                comparison, rows = copied
                report = replace(report, comparisons=(*report.comparisons, comparison), copies=rows)
    except _OF_ONE_TABLE as error:
        report = TableReport(contract.zone, contract.table, None, 0, None, (), unread=_reason(error))
    unread = " ".join(filter(None, (context.unreadable(sources), report.unread))) or None
    return replace(report, paused=context.paused(sources), unread=unread)


def _sources(catalogue: Catalogue, contract: Contract) -> tuple[str, ...]:
    """The source tables that decide what a table should hold."""
    built_from = contract.built_from
    if contract.kind == "dead_letters":
        return ()
    if built_from is None:
        return (contract.table,)
    if built_from.table is not None:
        return (built_from.table, *(join.table for join in built_from.joins))
    facts = catalogue.star_of_kind("fact")
    return tuple(dict.fromkeys(name for fact in facts for name in _sources(catalogue, fact)))


def _raw_table(context: ReconciliationContext, contract: Contract) -> TableReport:
    workspace, names = context.workspace, [column.name for column in contract.columns]
    key = key_of(contract)
    spelled = ", ".join(
        f"{from_postgres(column, quoted(column.name))} AS {quoted(column.name)}"
        for column in contract.columns
    )
    workspace.execute(
        f"CREATE TEMP TABLE should_be AS SELECT *, {key} AS _key, {fingerprint(names)} AS _fingerprint"  # noqa: S608
        f" FROM (SELECT {spelled}, _row_version FROM {SOURCE}.{quoted(contract.table)})"
    )
    load_raw(workspace, context.lake, contract, "lake_rows")
    workspace.execute(
        f"CREATE TEMP TABLE lake_current AS SELECT *, {key} AS _key, _content AS _fingerprint FROM lake_rows"  # noqa: S608
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY batch DESC) = 1 AND operation <> 'delete'"
    )
    last = context.lake.last_capture
    read = contract.table not in context.unread
    comparisons = (
        compare(
            workspace,
            ("source", "lake"),
            "should_be",
            "lake_current",
            names,
            context.waiting_from(contract, last.sequence if last else 0),
            repeated=_repeated("lake_rows", key, "batch"),
        ),
    )
    report = TableReport(
        "raw",
        contract.table,
        count(workspace, "should_be") if read else None,
        count(workspace, "lake_current"),
        None,
        comparisons if read else (),
    )
    _drop(workspace, "should_be", "lake_rows", "lake_current")
    return report


def _star_table(context: ReconciliationContext, contract: Contract) -> TableReport:
    workspace, (stage,) = context.workspace, contract.stages
    names = [column.name for column in from_source(contract)]
    key = key_of(contract)
    listing = list_live_prefixes(context.lake, contract)
    # What is missing is reported, as an object and by its rows.
    load_star(workspace, context.lake, contract, listing.present, "lake_rows")
    _load_warehouse(context, contract)
    workspace.execute(
        f"CREATE TEMP TABLE lake_current AS SELECT *, {key} AS _key, _content AS _fingerprint FROM lake_rows"  # noqa: S608
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {_BATCH}::BIGINT DESC) = 1"
        f" AND {_counts(contract)}"
    )
    dead = _leave_out_dead_letters(context, contract)
    built, loaded = context.lake.last_build(stage), context.loaded(stage)
    reached = {"lake": built.last_batch if built else 0, "warehouse": loaded or 0}
    expected = {side: _should_be(context, contract, side, batch) for side, batch in reached.items()}
    from_the_source = (
        compare(
            workspace,
            ("source", "lake"),
            expected["lake"],
            "lake_current",
            names,
            context.waiting_from(contract, built.last_batch if built else 0),
            repeated=_repeated("lake_rows", key, _BATCH if contract.kind == "fact" else None),
        ),
        compare(
            workspace,
            ("source", "warehouse"),
            expected["warehouse"],
            "warehouse_current",
            names,
            None if loaded is None else context.waiting_from(contract, loaded),
        ),
    )
    read = context.unreadable(_sources(context.catalogue, contract)) is None
    comparisons = (
        *(from_the_source if read else ()),
        _lake_and_warehouse(workspace, contract, f"{_BATCH}::BIGINT", None if loaded is None else loaded + 1),
        listing.comparison(),
    )
    shown, athena, trouble = _views(context, contract)
    report = TableReport(
        "star",
        contract.table,
        count(workspace, f"{expected['lake']} WHERE _row_version IS NOT NULL") if read else None,
        count(workspace, "lake_current"),
        count(workspace, "warehouse_current"),
        (*comparisons, *shown),
        *(_inferred(workspace, key) if contract.kind == "dimension" else (0, ())),
        dead_letters=dead,
        commits=len(listing.named),
        prefixes=len(listing.sizes),
        athena=athena,
        unread=trouble,
        is_calendar=contract.kind == "calendar",
    )
    _drop(workspace, "lake_rows", "lake_current", "warehouse_rows", "warehouse_current")
    return report


def _rejected_changes(context: ReconciliationContext, contract: Contract) -> TableReport:
    """The list of rejected changes: the source knows nothing of it, lake and warehouse hold the same.

    Its parts are replaced whole. So where a load has yet to come, whatever differs waits for it.
    """
    workspace = context.workspace
    listing = list_live_prefixes(context.lake, contract)
    load_star(workspace, context.lake, contract, listing.present, "lake_rows")
    _load_warehouse(context, contract)
    comparison = _lake_and_warehouse(workspace, contract, "0", None)
    if any(context.behind(stage) for stage in contract.stages):
        comparison = replace(comparison, waiting=comparison.total)
    shown, athena, trouble = _views(context, contract)
    report = TableReport(
        "star",
        contract.table,
        None,
        count(workspace, "lake_rows"),
        count(workspace, "warehouse_rows"),
        (*_named_and_listed(context, contract), comparison, listing.comparison(), *shown),
        commits=len(listing.named),
        prefixes=len(listing.sizes),
        athena=athena,
        unread=trouble,
    )
    _drop(workspace, "lake_rows", "warehouse_rows", "warehouse_current")
    return report


def _named_and_listed(context: ReconciliationContext, contract: Contract) -> tuple[Comparison, ...]:
    """The unresolved dead letters that validation's commit names, by key, against those that are listed.

    Only where the star has been built from that commit; what joins such a row is left out.
    """
    validated, built = context.lake.validated, [context.lake.last_build(s) for s in contract.stages]
    if validated is None or any(
        one is None or contract.table not in one.tables or one.last_batch != validated.last_batch
        for one in built
    ):
        return ()
    mains = {
        table.table: table.built_from.table
        for table in context.catalogue.star.values()
        if table.built_from is not None and table.built_from.table is not None
    }
    named = " UNION ".join(
        f"SELECT concat_ws('/', {literal(table)}, key) AS _key, 0 AS _fingerprint, NULL AS _row_version"  # noqa: S608
        f" FROM {DEAD}.{quoted(main)}"
        for table, main in mains.items()
    )
    own = ", ".join(f"({literal(table)}, {literal(main)})" for table, main in mains.items())
    listed = (
        "SELECT concat_ws('/', table_name, coalesce(row_key, row_key_text)) AS _key,"  # noqa: S608
        " 0 AS _fingerprint FROM lake_rows WHERE coalesce(source_key, source_key_text) IS NOT NULL"
        f" AND (table_name, source_table) IN ({own})"
    )
    return (compare(context.workspace, ("commits", "lake"), f"({named})", f"({listed})", [], None),)


def _views(
    context: ReconciliationContext, contract: Contract
) -> tuple[tuple[Comparison, ...], int, Optional[str]]:
    """What Athena shows against what the warehouse shows, Athena's rows, and what kept it from answering.

    Where the load has not caught up with the star, whatever differs waits for it.
    """
    if context.athena is None:
        return (), 0, None
    warehouse = context.warehouse
    # What an earlier release loaded says nothing of rejected changes until the next load.
    view = views.ShownView.of(contract, with_flag=warehouse.holds(UNRESOLVED))
    there = warehouse.holds(view.name)
    try:
        comparison, rows = views.compare_views(
            view, context.athena.ask, warehouse.rows if there else lambda _: (), warehouse.schema
        )
    except UserError as error:
        return (), 0, str(error)
    if any(context.behind(stage) for stage in contract.stages):
        comparison = replace(comparison, waiting=comparison.total)
    return (comparison,), rows, None


def _counts(contract: Contract) -> str:
    """The condition on a latest row under which the source should have it."""
    if contract.kind == "dead_letters":
        return "TRUE"
    known = f" AND {_INFERRED} IS DISTINCT FROM 'true'" if contract.kind == "dimension" else ""
    return f"{_DELETED} = 'false'{known}"


def _inferred(workspace: duckdb.DuckDBPyConnection, key: str) -> tuple[int, tuple[str, ...]]:
    """How many inferred members lake or warehouse have, and the first keys.

    They are in the comparison of lake and warehouse as every row is. Against the source they are no rows: one
    that stands in the place of a row which should have come is missing there.
    """
    members = " UNION ".join(
        f"SELECT {key} AS key FROM {side}_rows WHERE {_INFERRED} = 'true'"  # noqa: S608 - quoted
        for side in ("lake", "warehouse")
    )
    keys = workspace.execute(
        f"SELECT key FROM ({members}) ORDER BY try_cast(key AS BIGINT), key LIMIT {EXAMPLES}"  # noqa: S608
    ).fetchall()
    return count(workspace, f"({members})"), tuple(key for (key,) in keys)


def _leave_out_dead_letters(context: ReconciliationContext, contract: Contract) -> int:
    """Take rows that open dead letters concern off both sides; returns how many of its rows are open."""
    if contract.built_from is None or contract.built_from.table is None:
        return 0
    dead = dead_keys(contract, context.catalogue)
    for relation in ("lake_current", "warehouse_current"):
        context.workspace.execute(f"DELETE FROM {relation} WHERE _key IN ({dead})")  # noqa: S608 - quoted
    return count(context.workspace, f"{DEAD}.{quoted(contract.built_from.table)}")


def _should_be(context: ReconciliationContext, contract: Contract, side: str, batch: int) -> str:
    """Make the table of what a star table should hold; returns its name.

    A fact or a dimension is the same for both sides. Of the calendar each side may hold more days than are
    needed, and all that it holds must read as it should; `batch` is the last one that the side has.
    """
    relation = f"{EXPECTED}.{quoted(contract.table)}"
    if contract.kind == "calendar":
        relation = f"{EXPECTED}.{quoted(contract.table + '_' + side)}"
        query = calendar_rows(contract, context.catalogue, f"{side}_rows", batch)
    else:
        dead = dead_keys(contract, context.catalogue)
        query = f"SELECT * FROM ({star_rows(contract, context.catalogue)})"  # noqa: S608 - quoted
        query += f" WHERE {key_of(contract)} NOT IN ({dead})"
    names = [column.name for column in from_source(contract)]
    context.workspace.execute(
        f"CREATE TABLE IF NOT EXISTS {relation} AS SELECT *, {key_of(contract)} AS _key,"  # noqa: S608 - quoted
        f" {fingerprint(names)} AS _fingerprint FROM ({query})"
    )
    return relation


def _load_warehouse(context: ReconciliationContext, contract: Contract) -> None:
    """``warehouse_rows`` with everything that the table holds, ``warehouse_current`` with what is now."""
    workspace, key = context.workspace, key_of(contract)
    everything = [column.name for column in contract.all_columns]
    content = [column.name for column in from_source(contract)]
    _copy_if_there(context, contract.table, everything, "warehouse_text")
    workspace.execute(
        f"CREATE TEMP TABLE warehouse_rows AS SELECT *, {fingerprint(everything)} AS _whole,"  # noqa: S608
        f" {fingerprint(content)} AS _content FROM (SELECT {_spelled(contract)} FROM warehouse_text)"
    )
    if contract.kind == "fact":
        # The view is what people read, so the view is what is judged.
        _drop(workspace, "warehouse_text")
        _copy_if_there(context, f"{contract.table}_current", everything, "warehouse_text")
        current = (
            f"SELECT *, {fingerprint(content)} AS _content"  # noqa: S608
            f" FROM (SELECT {_spelled(contract)} FROM warehouse_text)"
        )
    else:
        current = f"SELECT * EXCLUDE (_whole) FROM warehouse_rows WHERE {_counts(contract)}"  # noqa: S608
    workspace.execute(
        f"CREATE TEMP TABLE warehouse_current AS SELECT *, {key} AS _key,"  # noqa: S608 - quoted
        f" _content AS _fingerprint FROM ({current})"
    )
    _drop(workspace, "warehouse_text")


def _lake_and_warehouse(
    workspace: duckdb.DuckDBPyConnection, contract: Contract, version: str, waiting_from: Optional[int]
) -> Comparison:
    """Every row, old versions and lineage included; rows of versions after the last load are waiting."""
    numbers = [column.name for column in contract.columns if column.record_id]
    key = quoted(numbers[0]) if numbers else key_of(contract)
    for relation in ("lake_rows", "warehouse_rows"):
        workspace.execute(
            f"CREATE OR REPLACE TEMP VIEW all_{relation} AS SELECT *, {key} AS _key, _whole AS _fingerprint,"  # noqa: S608
            f" {version} AS _row_version FROM {relation}"
        )
    return compare(
        workspace,
        ("lake", "warehouse"),
        "all_lake_rows",
        "all_warehouse_rows",
        [column.name for column in contract.all_columns],
        waiting_from,
    )


# ---------------------------------------------------------------------- parts


@contextmanager
def _workspace(directory: Optional[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="reconcile-", dir=directory) as folder:
        workspace = duckdb.connect(
            str(Path(folder, "workspace.duckdb")),
            config={
                "memory_limit": MEMORY,
                "threads": 1,
                "temp_directory": str(Path(folder, "spill")),
                "preserve_insertion_order": False,
            },
        )
        try:
            # The file ends with the reconciliation: what would make it last is left out.
            workspace.execute("PRAGMA disable_checkpoint_on_shutdown")
            for statement in (*MACROS, *(f"CREATE SCHEMA {name}" for name in (SOURCE, EXPECTED, DEAD))):
                workspace.execute(statement)
            names = ", ".join(
                f"({literal(currency.alpha_3)}, {literal(currency.name)})"
                for currency in pycountry.currencies
            )
            workspace.execute(f"CREATE TABLE iso_4217 AS SELECT * FROM (VALUES {names}) AS t(code, name)")  # noqa: S608
            yield workspace
        finally:
            workspace.close()


def _use_threads(workspace: duckdb.DuckDBPyConnection) -> None:
    """Let what is compared from now on be shared by two threads, if it is much.

    For a few rows two take twice the processor time of one, and longer.
    """
    row = workspace.execute("SELECT sum(estimated_size) FROM duckdb_tables()").fetchone()
    if row is not None and (row[0] or 0) >= _MANY_ROWS:
        workspace.execute("SET threads TO 2")


@contextmanager
def _at_once(workspace: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction of the workspace, which spares it a write to disk for each statement."""
    workspace.begin()
    try:
        yield
    except BaseException:
        workspace.rollback()
        raise
    workspace.commit()


def _copy_if_there(context: ReconciliationContext, table: str, columns: Sequence[str], into: str) -> None:
    """Copy a table of the warehouse; before the first load it is not there, and counts as empty."""
    if context.warehouse.holds(table):
        context.warehouse.copy_table(context.workspace, table, columns, into)
    else:
        empty = ", ".join(f"{quoted(column)} VARCHAR" for column in columns)
        context.workspace.execute(f"CREATE TABLE {into} ({empty})")


def _spelled(contract: Contract) -> str:
    return ", ".join(
        f"{from_postgres(column, quoted(column.name))} AS {quoted(column.name)}"
        for column in contract.all_columns
    )


def _repeated(relation: str, key: str, version: Optional[str]) -> str:
    by = f"{key}, {quoted(version)}" if version else key
    return (
        f"SELECT {key} AS key FROM {relation}"  # noqa: S608 - quoted
        f" QUALIFY row_number() OVER (PARTITION BY {by}) > 1"
    )


def _drop(workspace: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        workspace.execute(f"DROP TABLE IF EXISTS {table}")
