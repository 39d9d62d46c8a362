"""Publishes the catalogue site: contracts and questions, and what the lake says of its tables.

    catalogue/index.html              the front page; the search beside it
    catalogue/<zone>/<table>.html     a page for each table and view, and one for the zone
    catalogue/questions/<name>.html   a page for each question
    catalogue/lineage/index.html      which columns are traced and which not; cards and notebooks

Every run renders all pages and puts those that read differently. What is read costs by the days that pages
speak of, not by the history: the days of captures are asked for with the partitions that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from bi.questions import load_questions
from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.documentation import validation_site
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.column_lineage import lineage_of
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, Commit
from glue_jobs.lake.validation_state import STAGE, ValidationState
from glue_jobs.runtime.aws import GlueClient
from sites.catalog.live import Live, Partitions, Shown, TableName, Touch, ValidationSummary, shown
from sites.catalog.pages import GONE, site
from sites.catalog.render import render
from sites.validation import entries, pages

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import PartitionTypeDef, TablePaginatorTypeDef

TOP = "catalogue/"
"""The site's folder in the documentation bucket."""

DAYS = 14
"""Days, up to the newest commit, of whose captures the site tells."""

VALIDATIONS = 5
"""Verdicts of a table that its page shows."""

CommitOf = Callable[[str, int], Commit | None]
"""Gives the commit of a stage and sequence."""


def build(lake: LakeClients, bucket: Bucket, catalogue: Catalogue) -> int:
    """Bring the site up to date.

    A page that no table has any more is not removed, since somebody may have kept its address: it says so.

    Args:
        lake: Its clients.
        bucket: The documentation bucket.
        catalogue: The contracts.

    Returns:
        How many files the site has.
    """
    live = read_live(lake, bucket, catalogue)
    files = render(site(catalogue, load_questions(), live, lineage_of(catalogue)))
    gone = files[f"{GONE}.html"]
    for name in bucket.names(TOP):
        # Where it says so, its links lead from one folder below the top.
        if name not in files and name.endswith(".html") and name.count("/") == GONE.count("/"):
            files[name] = gone
    for name, body in files.items():
        bucket.publish(TOP + name, body)
    return len(files)


def read_live(lake: LakeClients, bucket: Bucket, catalogue: Catalogue) -> Live:
    """What the lake says of its tables: the Glue catalogue, the newest commits, the last days' verdicts.

    Args:
        lake: Its clients.
        bucket: The documentation bucket, where the validation site keeps its days.
        catalogue: The contracts.
    """
    logs = {stage: lake.log(stage) for stage in STAGES}
    newest = {stage: log.latest() for stage, log in logs.items()}
    since = _since(commit for commit in newest.values() if commit)
    commit_of = cache(lambda stage, sequence: logs[stage].get(sequence))
    found: dict[TableName, Shown] = {}
    touched: dict[TableName, Touch] = {}
    contracts = {(one.zone_info.database, one.table): one for one in catalogue.contracts}
    for zone in catalogue.zones.values():
        for table in _tables(lake.glue, zone.database):
            key = (zone.database, table["Name"])
            contract = contracts.get(key)
            counted, partitions = _partitions(lake.glue, contract, since) if contract else (None, [])
            found[key] = shown(table, counted)
            touch = _touch(contract, table, partitions, commit_of) if contract else None
            if touch:
                touched[key] = touch
    loaded = newest["load"]
    return Live(
        shown=found,
        touched=touched,
        loaded=Touch(loaded.committed_at, loaded.last_batch) if loaded else None,
        validations=_validations(bucket),
        open_letters=ValidationState.of(newest[STAGE]).unresolved_rows,
    )


def _since(commits: Iterable[Commit]) -> str | None:
    """The first of the days that the site tells of; nothing before the first commit."""
    days = [date.fromisoformat(commit.committed_at[:10]) for commit in commits]
    return (max(days) - timedelta(days=DAYS - 1)).isoformat() if days else None


def _tables(glue: GlueClient, database: str) -> list[TablePaginatorTypeDef]:
    """The tables and views of a database; none where there is no such database."""
    try:
        pages_found = list(glue.get_paginator("get_tables").paginate(DatabaseName=database))
    except glue.exceptions.EntityNotFoundException:
        return []
    return [table for page in pages_found for table in page["TableList"]]


def _partitions(
    glue: GlueClient, contract: Contract, since: str | None
) -> tuple[Partitions | None, list[PartitionTypeDef]]:
    """The partitions of a table: those of the last days where they have a day, else all of them."""
    if not contract.partition_columns:
        return None, []
    asked: dict[str, Any] = {"DatabaseName": contract.zone_info.database, "TableName": contract.table}
    since = None if contract.zone == "star" else since
    if since is not None:
        asked["Expression"] = f"{_day(contract)} >= '{since}'"
    answers = glue.get_paginator("get_partitions").paginate(**asked, ExcludeColumnSchema=True)
    found = [partition for page in answers for partition in page["Partitions"]]
    return Partitions(len(found), since), found


def _touch(
    contract: Contract, table: Mapping[str, Any], partitions: Sequence[Mapping[str, Any]], commit_of: CommitOf
) -> Touch | None:
    """When something new last came into a table, by what the catalogue shows of it."""
    commit = None
    if contract.zone == "star":
        by_stage: dict[str, int] = {}
        for one in (*partitions, table):
            sequence = layout.version_sequence(one["StorageDescriptor"]["Location"])
            in_parts = contract.kind == "dead_letters" and one.get("Values")
            stage = one["Values"][0] if in_parts else contract.stages[0]
            by_stage[stage] = max(by_stage.get(stage, 0), sequence)
        written = [commit_of(stage, sequence) for stage, sequence in by_stage.items() if sequence]
        commit = max(filter(None, written), key=lambda found: found.committed_at, default=None)
    elif "batch" in {column.name for column in contract.partition_columns}:
        batches = map(int, _values(contract, "batch", partitions))
        commit = commit_of("capture", max(batches, default=0))
    else:
        newest = max(_values(contract, _day(contract), partitions), default=None)
        return Touch(newest) if newest else None
    return Touch(commit.committed_at, commit.last_batch) if commit else None


def _values(contract: Contract, name: str, partitions: Iterable[Mapping[str, Any]]) -> list[str]:
    place = [column.name for column in contract.partition_columns].index(name)
    return [partition["Values"][place] for partition in partitions]


def _day(contract: Contract) -> str:
    """The partition column that holds a day."""
    return next(column.name for column in contract.partition_columns if column.type.name == "date")


def _validations(bucket: Bucket) -> dict[str, tuple[ValidationSummary, ...]]:
    """By captured table, its last verdicts that have a page on the validation site, newest first."""
    found: dict[str, list[ValidationSummary]] = {}
    for day in validation_site.recorded_days(bucket)[-DAYS:]:
        for entry in validation_site.recorded(bucket, day):
            page = validation_site.TOP + pages.batch_page_name(entry.table, entry.batch)
            found.setdefault(entry.table, []).append(_validation(entry, page))
    return {
        table: tuple(sorted(all_of, key=lambda one: -one.batch)[:VALIDATIONS])
        for table, all_of in sorted(found.items())
    }


def _validation(entry: entries.Entry, page: str) -> ValidationSummary:
    return ValidationSummary(entry.batch, entry.judged_at, entry.read, entry.rejected, entry.warned, page)
