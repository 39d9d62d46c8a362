"""The queries that build a table, in the order in which they run, for people to read."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.star import calendar, members, merge, projection, rejected_changes
from glue_jobs.star.build import main_table
from glue_jobs.star.projection import JoinedSource


@dataclass(frozen=True)
class ExplainedQuery:
    """One step of a build.

    Attributes:
        relation: What its result is called in later steps.
        meaning: What it gives.
        sql: Its text.
    """

    relation: str
    meaning: str
    sql: str


def explain_table(contract: Contract, catalogue: Catalogue) -> tuple[ExplainedQuery, ...]:
    """The queries of a star table's build when something is known of it already.

    Args:
        contract: A table of the star.
        catalogue: All contracts.
    """
    if contract.kind == "calendar":
        return _calendar(contract, catalogue)
    if contract.kind == "dead_letters":
        return _rejected_changes(contract, catalogue)
    spec = projection.spec_of(contract, catalogue)
    steps = [_candidates(contract, catalogue)]
    # Others refer to a dimension by one column.
    is_inferred = spec.has_members and len(spec.key) == 1
    if is_inferred:
        steps.append(
            ExplainedQuery(
                "inferred_members",
                "A row for each key that is referred to and of which nothing has arrived.",
                members.members(contract, catalogue, "missing_keys"),
            )
        )
        rows = projection.union(
            "candidates", "inferred_members", (*spec.columns, "version_id", *spec.flag_columns)
        )
        steps.append(ExplainedQuery("incoming", "Both together.", str(rows)))
    incoming = "incoming" if is_inferred else "candidates"
    columns = [column.name for column in contract.all_columns]
    steps += [
        ExplainedQuery(
            "arrived",
            "What arrives, to find the partitions that can hold these keys.",
            merge.survey(spec, incoming),
        ),
        ExplainedQuery(
            "several",
            "Keys of which more than one version is known or arrives.",
            merge.several(spec, incoming, "history"),
        ),
        ExplainedQuery(
            "compared",
            "Which of their rows are new versions, compared with the version before each.",
            merge.compare(spec, incoming, "history", "several"),
        ),
        ExplainedQuery(
            "classified",
            "What is known of every row: a row that stands alone is new.",
            merge.classify(spec, incoming, "several", "compared"),
        ),
        ExplainedQuery("tally", "What became of the rows, counted.", merge.tally(spec, "classified")),
        ExplainedQuery(
            "new_versions",
            "The versions that the table takes" + (", with their record ids." if spec.record_id else "."),
            merge.record_ids(spec, "classified", "offsets"),
        ),
    ]
    if spec.partition or not spec.keeps_history:
        steps.append(
            ExplainedQuery("home", "Keys that the table held before.", merge.homes(spec, "classified"))
        )
    steps += [
        ExplainedQuery("changes", "What the warehouse loads.", merge.changes(columns, "new_versions")),
        ExplainedQuery(
            contract.table,
            "The rows of every partition that changes.",
            merge.rewritten(spec, columns, "touched_partitions", "new_versions", "home"),
        ),
    ]
    return tuple(steps)


def _candidates(contract: Contract, catalogue: Catalogue) -> ExplainedQuery:
    main = main_table(contract)
    joins = contract.built_from.joins if contract.built_from else ()
    if not joins:
        return ExplainedQuery(
            "candidates",
            f"Rows of {main} that validation accepted, as the contract says.",
            projection.incoming(contract, catalogue, f"accepted_{main}"),
        )
    tables = (main, *(join.table for join in joins))
    sources = {
        table: JoinedSource(catalogue.raw[table], f"{table}_versions", f"{table}_new") for table in tables
    }
    return ExplainedQuery(
        "candidates",
        f"Rows of {main} with {', '.join(tables[1:])}, as of every batch in which one of them changed.",
        projection.joined(contract, catalogue, sources),
    )


def _rejected_changes(contract: Contract, catalogue: Catalogue) -> tuple[ExplainedQuery, ...]:
    """The list's own queries, by the example of a table and, where there is one, of what it joins."""
    built = [table for table in catalogue.star.values() if table.built_from and table.built_from.table]
    example = next((table for table in built if table.built_from and table.built_from.joins), built[0])
    main, joins = main_table(example), example.built_from.joins if example.built_from else ()
    steps = [
        ExplainedQuery(
            "own",
            f"Rows of {example.table} of whose own row in {main} a change was rejected.",
            rejected_changes.rejected(example.table, catalogue.raw[main], f"unresolved_{main}"),
        )
    ]
    for join in joins:
        joined = catalogue.raw[join.table]
        steps.append(
            ExplainedQuery(
                f"joined_{join.table}",
                f"Rows of {example.table} that join a rejected row of {join.table}.",
                rejected_changes.rejected_in_join(
                    example.table,
                    join,
                    joined,
                    f"unresolved_{join.table}",
                    catalogue.raw[main],
                    f"current_{main}",
                ),
            )
        )
    listed = rejected_changes.entries("dimensions", [f"SELECT * FROM {step.relation}" for step in steps])
    return (*steps, ExplainedQuery(contract.table, "An entry for each key.", listed))


def _calendar(contract: Contract, catalogue: Catalogue) -> tuple[ExplainedQuery, ...]:
    used = [
        (f"incoming_{table.table}", [r.column for r in table.references if r.table == contract.table])
        for table in catalogue.star.values()
        if any(reference.table == contract.table for reference in table.references)
    ]
    return (
        ExplainedQuery("years", "Years that some row uses.", calendar.years_in_use(used)),
        ExplainedQuery(contract.table, "Every day of these years.", calendar.days(contract, "days")),
    )
