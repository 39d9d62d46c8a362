"""A history put through a lake, and everything that the lake then states, to be compared with another's."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.commits import STAGES, to_json
from glue_jobs.reconciliation.lake_rows import open_lake
from glue_jobs.reconciliation.listing import list_live_prefixes
from glue_jobs.validation.approval import Limits
from local_aws.endpoint.app import create_endpoint
from tests.differential.histories import Capture, Step
from tests.lake import Lake, MakeEngine, embedded

APPROVED = Limits(share=2.0)
"""However much is rejected, no person is asked."""

_LABEL = re.compile(r"\b(\d{10})-[0-9a-f]{16}\b")
_ATTEMPT = re.compile(r"\b[0-9a-f]{16}\b(?!-)|capture-state/\S+")
_PASSED_OVER = ("attempt", "committed_at", "judged_at")


def mixed(seed: str, on_spark: MakeEngine) -> MakeEngine:
    """Engines that take turns by chance: a batch is begun by one and ended by the other."""
    chosen = random.Random(seed)

    def make(lake: Lake) -> Engine:
        return (on_spark if chosen.random() < 0.5 else embedded)(lake)

    return make


def played(
    folder: Path, steps: Sequence[Step], engine: MakeEngine, layers: Sequence[Any] = ()
) -> dict[str, Any]:
    """What a lake states after a history: tables, commits with the rows of all their objects, results.

    Args:
        folder: Where the lake lies.
        steps: The history.
        engine: Makes the engine of each stage that runs.
        layers: What goes in front of the lake's AWS.
    """
    with pytest.MonkeyPatch.context() as patch, create_endpoint(folder, extra=layers) as endpoint:
        for name, value in endpoint.environment().items():
            patch.setenv(name, value)
        one = Lake(endpoint, engine, load_catalogue())
        for step in steps:
            play(one, step)
        check_prefixes(one)
        return stated(one)


def check_prefixes(one: Lake) -> None:
    """Every prefix that Athena reads holds exactly the objects that its commit names."""
    lake = open_lake(one.clients)
    for contract in one.catalogue.star.values():
        found = list_live_prefixes(lake, contract).comparison()
        assert found.total == 0, found


def play(one: Lake, step: Step) -> None:
    """One step of a history."""
    if isinstance(step, Capture):
        one.capture(step.rows, step.live, step.paused)
        return
    actions = {
        "validate": lambda: one.validate(APPROVED),
        "replay": one.replay,
        "dimensions": one.dimensions,
        "facts": one.facts,
    }
    for stage in step.stages:
        assert actions[stage]() == 0


def stated(one: Lake) -> dict[str, Any]:
    """Everything that a lake states, apart from the names of attempts and the time of day."""
    star = one.star()
    tables = {name: star.rows(name) for name in one.catalogue.star if _is_built(star.commits, one, name)}
    commits = {
        f"{stage}/{commit.sequence}": _plain(json.loads(to_json(commit)), one)
        for stage in STAGES
        for commit in one.log(stage).after(0)
    }
    results = {
        str(path.relative_to(one.folder("ingestion"))): _plain(json.loads(path.read_text("utf-8")), one)
        for path in sorted((one.folder("ingestion") / "ops" / "validation_results").glob("*/*.json"))
    }
    shown = {
        name: _plain(one.shown(name), one)
        for name, contract in one.catalogue.star.items()
        if contract.partition_columns
    }
    return {"tables": tables, "commits": commits, "results": results, "shown": shown}


def first_difference(ours: Any, theirs: Any, place: str = "") -> str | None:
    """Where two lakes first differ, with both values; nothing where they do not."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for name in sorted({*ours, *theirs}, key=str):
            if name not in ours or name not in theirs:
                return f"{place}/{name}: only {'there' if name in theirs else 'here'}"
            found = first_difference(ours[name], theirs[name], f"{place}/{name}")
            if found:
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        each = (
            first_difference(a, b, f"{place}/{i}") for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
        )
        return next((found for found in each if found), None)
    if type(ours) is type(theirs) and ours == theirs:
        return None
    return f"{place}: {_short(ours)} here, {_short(theirs)} there"


def _is_built(commits: Mapping[str, Any], one: Lake, table: str) -> bool:
    commit = commits["facts" if one.catalogue.star[table].kind == "fact" else "dimensions"]
    return commit is not None and table in commit.tables


def _plain(value: Any, one: Lake) -> Any:
    """A document with the rows of the objects that it names in their place."""
    if isinstance(value, Mapping):
        if "sha256" in value and "rows" in value and "key" in value:
            path = one.folder("processed" if str(value["key"]).startswith("star/") else "ingestion")
            table = pq.ParquetFile(path / str(value["key"])).read()
            limits = {name: value.get(name) for name in ("key_min", "key_max")}
            types = {field.name: str(field.type) for field in table.schema}
            return {"rows": table.to_pylist(), "types": types, "count": value["rows"], **limits}
        return {
            _unnamed(name): _plain(one_of, one) for name, one_of in value.items() if name not in _PASSED_OVER
        }
    if isinstance(value, list):
        return [_plain(part, one) for part in value]
    if isinstance(value, str):
        bucket = next((real for real in one.buckets.values() if f"//{real}/" in value), "")
        return _unnamed(value.replace(bucket, "bucket") if bucket else value)
    return value


def _unnamed(text: Any) -> Any:
    return _ATTEMPT.sub("*", _LABEL.sub(r"\1", text)) if isinstance(text, str) and len(text) < 1000 else text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}…"
