"""What is true of a pipeline after every fault: one checker for all scenarios.

It looks from outside: at the source, the objects, the commits, the catalogue and the warehouse, and derives
what they should be without the code that made them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.model import UNRESOLVED, Contract
from catalog.warehouse_names import OFFSET_TABLE
from glue_jobs.lake.commits import STAGES, Commit
from glue_jobs.lake.layout import partition_values
from glue_jobs.reconciliation.reconciliation_report import EQUAL
from tests.faults.pipeline import Pipeline
from tests.lake import Star

SECRET_WORDS = ("Zanzibarski", "14 Secret Street")
"""Row content that scenarios plant, and that no log may hold."""


def check(pipeline: Pipeline, *, held: Iterable[str] = ()) -> None:
    """Every invariant; a pipeline that has drained everything.

    Args:
        pipeline: The pipeline.
        held: Source tables that wait for a person, so that the lake may differ from the source there.
    """
    check_lake(pipeline)
    done = check_state(pipeline)
    assert len(set(done.values())) == 1, done
    held = set(held)
    report = pipeline.reconcile()
    different = {t.table for t in report.tables if t.verdict != EQUAL and t.table not in held}
    if held:
        # What stands on a held table differs with it.
        different &= set(pipeline.lake.catalogue.raw)
    assert not different, f"{report}"


def check_lake(pipeline: Pipeline) -> None:
    """What holds of the lake at any moment, drained or not."""
    commits = {stage: pipeline.commits(stage).after(0) for stage in STAGES}
    check_objects(pipeline, commits)
    check_registered(pipeline, commits["capture"])
    check_accounting(commits["capture"], commits["validate"])
    star = pipeline.lake.star()
    check_history(pipeline, star, commits["validate"])
    check_members(star)
    check_secrets(pipeline)


def check_objects(pipeline: Pipeline, commits: Mapping[str, Sequence[Commit]]) -> None:
    """Every object that a commit names is there as it says, and nothing that was ever seen has changed."""
    now = {}
    for zone, bucket in pipeline.lake.buckets.items():
        folder = pipeline.lake.folder(zone)
        pages = pipeline.lake.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for key in (entry["Key"] for page in pages for entry in page.get("Contents", ())):
            now[zone, key] = hashlib.sha256((folder / key).read_bytes()).hexdigest()
    changed = {name for name, checksum in pipeline.known.items() if now.get(name) != checksum}
    assert not changed, f"published objects were changed or removed: {sorted(changed)[:5]}"
    pipeline.known = now
    for stage, of_stage in commits.items():
        for commit in of_stage:
            for name, table in commit.tables.items():
                zone = "processed" if stage in ("dimensions", "facts") else "ingestion"
                for data in table.objects:
                    assert now.get((zone, data.key)) == data.sha256, (stage, commit.sequence, name, data.key)


def check_registered(pipeline: Pipeline, captures: Sequence[Commit]) -> None:
    """The raw zone's catalogue shows nothing that no commit names: a reader there sees whole batches only."""
    named = {
        (name, f"s3://{pipeline.lake.buckets['ingestion']}/{partition.location}".rstrip("/"))
        for commit in captures
        for name, table in commit.tables.items()
        for partition in table.partitions
    }
    shown = set()
    for contract in pipeline.lake.catalogue.raw.values():
        where = {"DatabaseName": contract.zone_info.database, "TableName": contract.table}
        for page in pipeline.lake.glue.get_paginator("get_partitions").paginate(**where):
            for found in page["Partitions"]:
                shown.add((contract.table, found["StorageDescriptor"]["Location"].rstrip("/")))
    assert shown <= named, sorted(shown - named)[:5]


def check_accounting(captured: Sequence[Commit], verdicts: Sequence[Commit]) -> None:
    """Rows read are rows accepted and rows rejected, from stage to stage."""
    captures = {commit.sequence: commit for commit in captured}
    for commit in captured:
        for name, table in commit.tables.items():
            stated = sum(partition.rows for partition in table.partitions)
            letters = sum(partition.rows for partition in table.dead_letters)
            told = (table.counts["accepted"], table.counts["rejected"])
            assert told == (stated, letters), (commit.sequence, name)
            assert table.counts["read"] == sum(told), (commit.sequence, name)
    for commit in verdicts:
        read: dict[str, int] = defaultdict(int)
        for batch in range(commit.first_batch, commit.last_batch + 1):
            for name, table in captures[batch].tables.items():
                if table.partitions:
                    read[name] += table.counts["accepted"]
        judged = {name: table.counts for name, table in commit.tables.items()}
        assert {name: counts["read"] for name, counts in judged.items()} == dict(read), commit.sequence
        for name, counts in judged.items():
            assert counts["read"] == counts["accepted"] + counts["rejected"], (commit.sequence, name)


def check_history(pipeline: Pipeline, star: Star, verdicts: Sequence[Commit]) -> None:
    """Each version that was accepted is once in the history, in order, under one dense number."""
    facts = star.commits["facts"]
    if facts is None:
        return
    for contract in pipeline.lake.catalogue.star_of_kind("fact"):
        assert contract.built_from is not None
        expected = _expected_versions(pipeline, verdicts, contract, facts.last_batch)
        rows = star.rows(contract.table) if contract.table in facts.tables else []
        found = [(_key(row, contract), row["batch_sequence"], row["is_deleted"]) for row in rows]
        assert sorted(found) == expected, contract.table
        number = next(column.name for column in contract.columns if column.record_id)
        assert sorted(row[number] for row in rows) == list(range(1, len(rows) + 1)), contract.table


def check_members(star: Star) -> None:
    """Each key that a version of a fact refers to has one row in its dimension, if that has come as far."""
    facts, dimensions = (star.commits[stage] for stage in ("facts", "dimensions"))
    if facts is None or dimensions is None or facts.last_batch > dimensions.last_batch:
        return
    catalogue = star.lake.catalogue
    keys = {
        contract.table: [_key(row, contract) for row in star.rows(contract.table)]
        for contract in catalogue.star.values()
        if contract.kind != "fact"
    }
    assert {table for table, found in keys.items() if len(found) != len(set(found))} == set()
    for fact in catalogue.star_of_kind("fact"):
        rows = star.rows(fact.table)
        for reference in fact.references:
            known = {key for (key,) in keys[reference.table]}
            lost = {row[reference.column] for row in rows} - known - {None}
            assert not lost, (fact.table, reference.column)


def _key(row: Mapping[str, Any], contract: Contract) -> tuple[Any, ...]:
    """What names a row; the columns of a key of the star are those of its raw table, in order."""
    return tuple(row[name] for name in contract.key)


def _expected_versions(
    pipeline: Pipeline, verdicts: Sequence[Commit], fact: Contract, last_batch: int
) -> list[tuple[Any, int, bool]]:
    """Key, batch and deletion mark of every version that a history must hold, from accepted rows."""
    assert fact.built_from is not None
    assert fact.built_from.table is not None
    source = pipeline.lake.catalogue.raw[fact.built_from.table]
    wanted = {name for column in fact.columns for name in column.inputs}
    names = [column.name for column in source.columns if column.name in wanted]
    state: dict[Any, tuple[Any, bool]] = {}
    versions = []
    for batch in range(1, last_batch + 1):
        winners: dict[Any, dict[str, Any]] = {}
        rows = pipeline.accepted_rows(verdicts, batch, fact.built_from.table)
        for row in sorted(rows, key=lambda row: row["version_id"] or 0):
            winners[_key(row, source)] = row
        for number, row in winners.items():
            deleted = row["operation"] == "delete"
            before = state.get(number)
            if deleted and before is None:
                continue
            content = before[0] if deleted and before else tuple(row[name] for name in names)
            if before != (content, deleted):
                state[number] = (content, deleted)
                versions.append((number, batch, deleted))
    return sorted(versions)


def check_order(pipeline: Pipeline) -> dict[str, int]:
    """No stage is ahead of what it reads; the last batch of each."""
    done = {
        stage: latest.last_batch if (latest := pipeline.commits(stage).latest()) else 0 for stage in STAGES
    }
    assert done["capture"] >= done["validate"] >= max(done["dimensions"], done["facts"])
    assert min(done["dimensions"], done["facts"]) >= done["load"]
    return done


def check_state(pipeline: Pipeline) -> dict[str, int]:
    """And the catalogue and the warehouse show what the commits say, once a run has come to its end.

    Returns:
        See :func:`check_order`.
    """
    done = check_order(pipeline)
    if done["load"]:
        offsets = pipeline.ask(f"SELECT min(last_batch), max(last_batch) FROM {OFFSET_TABLE}")
        assert offsets == [(done["load"], done["load"])]
    for stage in ("dimensions", "facts"):
        commit = pipeline.commits(stage).latest()
        tables = {} if commit is None else commit.tables
        for name, table in tables.items():
            if name not in pipeline.lake.catalogue.star:
                continue
            live = {
                "/".join(partition_values(spec).values()): label for spec, label in table.versions.items()
            }
            if all(live):
                shown = pipeline.lake.shown(name)
                assert {
                    value: label in shown.get(value, "") for value, label in live.items()
                } == dict.fromkeys(live, True), name
                # The list of rejected changes has a part of each stage.
                assert shown.keys() == live.keys() or name == UNRESOLVED, name
    return done


def check_secrets(pipeline: Pipeline) -> None:
    """No password and no row content is in what the jobs wrote."""
    passwords = [dsn.split(":")[2].split("@")[0] for dsn in (pipeline.reader_dsn, pipeline.loader_dsn)]
    for word in (*passwords, *SECRET_WORDS):
        assert word not in pipeline.output
