"""Where every column of the lake comes from: what contracts declare, and what the SQL that is run says.

Of a star column both are known: its contract names the raw columns that it is made of, and the text that the
engines run (:mod:`glue_jobs.star`) is parsed. Only where the two agree is the column traced. One without the
other would believe a contract that the code passes over, or a parser that misreads a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bi.column_lineage import NotTracedError, Traced, trace
from bi.lineage import copied, readers
from catalog.catalogue import Catalogue, load_catalogue
from catalog.lineage import (
    CONDITIONAL,
    FEED,
    FILTER,
    IDENTITY,
    SOURCE,
    TRANSFORMATION,
    ColumnLineage,
    Dataset,
    Field,
    How,
    Input,
    TableLineage,
    inputs_of,
    through,
)
from catalog.model import Contract
from catalog.project import once_per_project
from glue_jobs.lake.commits import CAPTURED_AT
from glue_jobs.star import calendar, members, merge, projection
from glue_jobs.star.merge_spec import BATCH, DELETED
from glue_jobs.star.projection import JoinedSource

DIALECT = "duckdb"
"""The SQL of the star means the same in DuckDB and Spark; it is parsed as the former's."""

CANDIDATES = Dataset("transformation", "candidates")
"""The rows that a merge compares with what a table holds."""

_OFFSETS = "offsets"
_UNSTATED = "its documents are read by code, and no contract states their members"
_ANY_TABLE = "it is written by code, and no contract states of what"
_BY_CODE = "it is written by code from what validation keeps, not by SQL"


def read_lineage(catalogue: Catalogue) -> ColumnLineage:
    """The lineage of every column, source to dashboard card.

    Args:
        catalogue: The contracts.

    Raises:
        ContractError: A question or the dashboard is wrong.
    """
    return ColumnLineage.of([*core(catalogue), *readers(catalogue)])


@once_per_project
def load_lineage() -> ColumnLineage:
    """The lineage of the project's own columns: seconds of reading texts, once.

    Raises:
        ContractError: A question or the dashboard is wrong.
    """
    return read_lineage(load_catalogue())


def lineage_of(catalogue: Catalogue) -> ColumnLineage:
    """The lineage of a catalogue's columns, read once where it is the project's own."""
    return load_lineage() if catalogue is load_catalogue() else read_lineage(catalogue)


def core(catalogue: Catalogue) -> Iterator[TableLineage]:
    """The lineage of the tables of the lake.

    Args:
        catalogue: The contracts.
    """
    for contract in catalogue.raw.values():
        yield _raw(contract)
    for name, contract in catalogue.dead_letter.items():
        yield (
            _rejected(contract, catalogue.raw[name])
            if name in catalogue.raw
            else _all_untraced(contract, "capture", _ANY_TABLE)
        )
    for contract in catalogue.star.values():
        yield star(contract, catalogue)
    for contract in catalogue.ops.values():
        names = _names(contract)
        yield TableLineage(
            _of(contract),
            "each run",
            dict.fromkeys(names, ()),
            made=dict.fromkeys(names, "each run, of itself"),
        )
    for copy in catalogue.copies:
        yield copied(_of(copy), "redact", _of(catalogue.copied(copy)), _names(copy))


def _of(contract: Contract) -> Dataset:
    return Dataset(contract.zone_info.database, contract.table)


def _names(contract: Contract) -> list[str]:
    return [column.name for column in (*contract.all_columns, *contract.partition_columns)]


def _all_untraced(contract: Contract, by: str, reason: str) -> TableLineage:
    names = _names(contract)
    return TableLineage(_of(contract), by, dict.fromkeys(names, ()), untraced=dict.fromkeys(names, reason))


# ---------------------------------------------------------------------- raw and dead letters


def _raw(contract: Contract) -> TableLineage:
    """A raw table: its own columns as the source or the feed has them, and what capture says of each row."""
    own = [column.name for column in contract.columns]
    names = _names(contract)
    if contract.origin == "http":
        made = {name: "fetch" for name in names if name not in own}
        return TableLineage(
            _of(contract),
            "fetch",
            dict.fromkeys(names, ()),
            made=made,
            untraced=dict.fromkeys(own, _UNSTATED),
        )
    if contract.origin == "files":
        return _of_files(contract)
    table = contract.source.table or contract.table
    columns: dict[str, tuple[Input, ...]] = dict.fromkeys(names, ())
    columns.update({c.name: (Input(Field(SOURCE, table, c.at_source), IDENTITY),) for c in contract.columns})
    # It keeps the source's own text of cells that a column cannot hold.
    texts = inputs_of(Input(Field(SOURCE, table, c.at_source), TRANSFORMATION) for c in contract.columns)
    columns["unrepresentable"] = texts
    made = {name: "capture" for name in names if not columns[name]}
    return TableLineage(_of(contract), "capture", columns, made=made)


def _of_files(contract: Contract) -> TableLineage:
    read, names = contract.read, _names(contract)
    filled = read.filled if read is not None else {}
    members = read.members if read is not None else {}
    columns: dict[str, tuple[Input, ...]] = dict.fromkeys(names, ())
    for column in contract.columns:
        if column.name not in filled:
            member = members.get(column.name, column.name)
            columns[column.name] = (Input(Field(FEED, contract.table, member), IDENTITY),)
    made = {name: "fetch" for name in names if not columns[name]}
    made.update({name: f"fetch: the file's {what}" for name, what in filled.items()})
    return TableLineage(_of(contract), "fetch", columns, made=made)


def _rejected(contract: Contract, raw: Contract) -> TableLineage:
    """The dead letters of a raw table: its rows as captured, and what validation says of them."""
    captured = set(_names(raw))
    found = copied(_of(contract), "validate", _of(raw), [n for n in _names(contract) if n in captured])
    made = {name: "validate, by the rules" for name in _names(contract) if name not in captured}
    columns = {name: found.columns.get(name, ()) for name in _names(contract)}
    return replace(found, columns=columns, made=made)


# ---------------------------------------------------------------------- the star


def star(contract: Contract, catalogue: Catalogue) -> TableLineage:
    """A star table: what its contract declares, where the SQL that builds it says the same.

    Args:
        contract: The table.
        catalogue: All contracts.
    """
    stage = contract.stages[0]
    if contract.kind == "dead_letters":
        return _all_untraced(contract, "dimensions and facts", _BY_CODE)
    try:
        parsed = (
            _calendar(contract, catalogue) if contract.kind == "calendar" else _merged(contract, catalogue)
        )
    except NotTracedError as error:
        return _all_untraced(contract, stage, f"its SQL is not followed: {error}")
    stated = declared(contract, catalogue)
    columns: dict[str, tuple[Input, ...]] = {}
    made: dict[str, str] = {}
    untraced: dict[str, str] = {}
    for column in (*contract.all_columns, *contract.partition_columns):
        name = column.name
        found = parsed.columns.get(name, ())
        columns[name] = ()
        if column.record_id:
            made[name] = f"{stage}, which numbers the versions"
        elif name not in parsed.columns:
            untraced[name] = "the SQL makes no such column"
        elif (by_text := {one.field for one in found if one.how in _MADE_OF}) != stated.get(name, set()):
            untraced[name] = _disagreement(stated.get(name, set()), by_text)
        else:
            columns[name] = found
            if not found:
                made[name] = stage
    return TableLineage(_of(contract), stage, columns, parsed.rows, made, untraced)


_MADE_OF = (IDENTITY, TRANSFORMATION, How("DIRECT", "AGGREGATION"), CONDITIONAL)
"""What an expression of a contract names: values, and conditions of a CASE."""


def _disagreement(stated: set[Field], found: set[Field]) -> str:
    def listed(fields: set[Field]) -> str:
        return ", ".join(map(str, sorted(fields))) or "nothing"

    return f"its contract names {listed(stated)}, and the SQL takes {listed(found)}"


def declared(contract: Contract, catalogue: Catalogue) -> dict[str, set[Field]]:
    """By column, the raw columns that it is made of as contracts state it; of the number of versions none.

    Args:
        contract: A fact, a dimension or the calendar.
        catalogue: All contracts.
    """
    built = contract.built_from
    if built is None or built.table is None:
        referring = {_of(raw) for raw, _ in _references(contract, catalogue)}
        return {name: {Field(*raw, taken) for raw in referring} for name, taken in _TAKEN.items()}
    main = catalogue.raw[built.table]
    tables = [main, *(catalogue.raw[join.table] for join in built.joins)]
    found: dict[str, set[Field]] = {}
    for column in contract.columns:
        found[column.name] = set()
        for named in column.inputs:
            table, _, name = named.rpartition(".")
            found[column.name].add(Field(*_of(catalogue.raw[table or main.table]), name))
    if contract.partition is not None:
        found[contract.partition.name] = {Field(*_of(main), contract.partition.source_column)}
    for name, taken in _TAKEN.items():
        found[name] = {Field(*_of(table), taken) for table in tables}
    found[DELETED] = {Field(*_of(main), "operation")}
    if contract.kind == "dimension":
        # A key that is referred to has a row of its own before any of it arrives.
        for raw, name in _references(contract, catalogue):
            found[contract.key[0]].add(Field(*_of(raw), name))
            for lineage, taken in _TAKEN.items():
                found[lineage].add(Field(*_of(raw), taken))
            if contract.partition is not None:
                found[contract.partition.name].add(Field(*_of(raw), CAPTURED_AT))
    return found


_TAKEN = {BATCH: "batch", CAPTURED_AT: CAPTURED_AT}
"""Lineage columns of the star that are those of raw rows."""


def _references(to: Contract, catalogue: Catalogue) -> Iterator[tuple[Contract, str]]:
    """The raw columns that hold keys of a star table: those that columns which refer to it are made of."""
    for table in catalogue.star.values():
        built = table.built_from
        if built is None or built.table is None:
            continue
        for reference in table.references:
            if reference.table == to.table:
                for named in table.column(reference.column).inputs:
                    yield catalogue.raw[built.table], named


def _merged(contract: Contract, catalogue: Catalogue) -> Traced:
    """A fact or a dimension by its texts: what makes candidates of raw rows, and what merges these."""
    made = _candidates(contract, catalogue)
    if contract.kind == "dimension":
        made = _both(made, _members(contract, catalogue))
    merged = _merge(contract, catalogue)
    columns = {}
    for name, inputs in merged.columns.items():
        # In the end a version has what its candidate has: what orders and compares versions decides on rows.
        kept = {one.field for one in inputs if one.how.is_direct}
        if kept == {Field(*CANDIDATES, name)}:
            columns[name] = made.columns[name]
        elif not kept:
            columns[name] = ()
        else:
            raise NotTracedError(f"the merge takes {name} from {', '.join(sorted(map(str, kept)))}")
    deciding = [*merged.rows, *(one for inputs in merged.columns.values() for one in inputs)]
    rows = [
        Input(one.field, FILTER)
        for candidate in deciding
        if not candidate.how.is_direct
        for one in made.columns.get(candidate.field.column, ())
    ]
    return Traced(columns, inputs_of([*made.rows, *rows]))


def _both(one: Traced, other: Traced) -> Traced:
    names = dict.fromkeys([*one.columns, *other.columns])
    columns = {n: inputs_of([*one.columns.get(n, ()), *other.columns.get(n, ())]) for n in names}
    return Traced(columns, inputs_of([*one.rows, *other.rows]))


def _candidates(contract: Contract, catalogue: Catalogue) -> Traced:
    """Raw rows as candidates, by the text of the projection."""
    built = contract.built_from
    if built is None or built.table is None:
        raise NotTracedError("it is built from no table")
    raw = catalogue.zones["raw"].database
    if not built.joins:
        return _trace(projection.incoming(contract, catalogue, f"{raw}.{built.table}"), catalogue)
    names = [built.table, *(join.table for join in built.joins)]
    steps = [
        f"versions_of_{name} AS (\n{projection.source_versions(catalogue.raw[name], f'{raw}.{name}')}\n)"
        for name in names
    ]
    sources = {
        name: JoinedSource(catalogue.raw[name], f"versions_of_{name}", f"versions_of_{name}")
        for name in names
    }
    return _trace(_with(steps, projection.joined(contract, catalogue, sources)), catalogue)


def _members(contract: Contract, catalogue: Catalogue) -> Traced:
    """Inferred members, by the texts that make them of the rows that refer to a dimension."""
    steps, referred = _referring(contract, catalogue)
    if not referred:
        return Traced({}, ())
    of_each = [
        members.references(table, name, {contract.table: contract}) for name, table in referred.items()
    ]
    steps += [
        f"referred AS (\n{members.first(of_each)}\n)",
        f"missing AS (\n{members.missing('referred', ())}\n)",
    ]
    return _trace(_with(steps, members.members(contract, catalogue, "missing")), catalogue)


def _referring(contract: Contract, catalogue: Catalogue) -> tuple[list[str], dict[str, Contract]]:
    """The candidates of the tables that refer to a table, as steps, and these by the names of the steps."""
    raw = catalogue.zones["raw"].database
    steps, found = [], {}
    for table in catalogue.star.values():
        keys = sorted({one.column for one in table.references if one.table == contract.table})
        if keys and table.built_from is not None:
            incoming = projection.incoming(table, catalogue, f"{raw}.{table.built_from.table}", keys)
            steps.append(f"referring_{table.table} AS (\n{incoming}\n)")
            found[f"referring_{table.table}"] = table
    return steps, found


def _merge(contract: Contract, catalogue: Catalogue) -> Traced:
    """What a merge takes of candidates, by its text, up to the rows that are new in the table."""
    spec = projection.spec_of(contract, catalogue)
    candidates = f"{CANDIDATES.place}.{CANDIDATES.table}"
    steps = [
        f"several_of AS (\n{merge.several(spec, candidates, None)}\n)",
        f"compared_with AS (\n{merge.compare(spec, candidates, None, 'several_of')}\n)",
        f"classified AS (\n{merge.classify(spec, candidates, 'several_of', 'compared_with')}\n)",
        f"numbered AS (\n{merge.record_ids(spec, 'classified', f'{CANDIDATES.place}.{_OFFSETS}')}\n)",
    ]
    names = _names(contract)
    text = _with(
        steps, merge.rewritten(spec, [n for n in names if n != spec.partition], None, "numbered", None)
    )
    held = dict.fromkeys((*names, *spec.columns, *spec.flag_columns, "version_id"), "varchar")
    offsets = dict.fromkeys((BATCH, merge.BLOCK, "_number_before"), "bigint")
    tables = {CANDIDATES.place: {CANDIDATES.table: held, _OFFSETS: offsets}}
    found = trace(text, DIALECT, tables, CANDIDATES.place)
    return Traced({name: _of_candidates(inputs) for name, inputs in found.columns.items()}, found.rows)


def _of_candidates(inputs: Iterable[Input]) -> tuple[Input, ...]:
    return tuple(one for one in inputs if one.field.dataset == CANDIDATES)


def _calendar(contract: Contract, catalogue: Catalogue) -> Traced:
    """The calendar: days of which rows that refer to it decide which years there are."""
    steps, referring = _referring(contract, catalogue)
    dates = [
        (name, sorted({r.column for r in table.references if r.table == contract.table}))
        for name, table in referring.items()
    ]
    used = _trace(_with(steps, calendar.years_in_use(dates)), catalogue)
    day = {CANDIDATES.place: {CANDIDATES.table: dict.fromkeys((calendar.DAY, *_TAKEN), "date")}}
    days = trace(
        calendar.days(contract, f"{CANDIDATES.place}.{CANDIDATES.table}"), DIALECT, day, CANDIDATES.place
    )
    columns = {
        name: inputs_of(
            Input(one.field, through(one.how, taken.how))
            for taken in inputs
            for one in used.columns.get(taken.field.column, ())
        )
        for name, inputs in days.columns.items()
    }
    years = [Input(one.field, FILTER) for one in used.columns[calendar.YEAR]]
    return Traced(columns, inputs_of([*used.rows, *years]))


def _with(steps: Sequence[str], query: str) -> str:
    """A query after steps that it names; it may have steps of its own."""
    return f"WITH {', '.join(steps)}\nSELECT * FROM (\n{query}\n) AS made"


def _trace(text: str, catalogue: Catalogue) -> Traced:
    """What a query over raw tables is made of; of these the names are enough."""
    raw = {name: dict.fromkeys(_names(table), "varchar") for name, table in catalogue.raw.items()}
    database = catalogue.zones["raw"].database
    return trace(text, DIALECT, {database: raw}, database)
