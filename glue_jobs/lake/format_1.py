"""Format 1 of commit documents: how they are turned into format 2, so that one reader reads both.

Documents of format 1 stay as they were written. Nothing writes them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

FORMAT = 1
"""The number that such documents state."""

Stated = Mapping[str, Any]


def upgrade(document: Stated) -> dict[str, Any]:
    """A document of format 1 as format 2 states the same."""
    tables = {name: _table(table) for name, table in document["tables"].items()}
    state = _STATES.get(document["stage"], dict)(document["state"])
    return {**document, "format": 2, "tables": tables, "state": state}


def _table(table: Stated) -> dict[str, Any]:
    return {
        **table,
        "counts": _renamed(table["counts"], {"unrepresentable": "unparseable"}),
        "partitions": [_partition(one) for one in table["partitions"]],
        "dead_letters": [_partition(one) for one in table.get("dead_letters", ())],
        "changes": [_object(one) for one in table["changes"]],
        "key_spans": [[[low], [high]] for low, high in table.get("key_spans", ())],
    }


def _partition(partition: Stated) -> dict[str, Any]:
    return {**partition, "objects": [_object(one) for one in partition["objects"]]}


def _object(data: Stated) -> dict[str, Any]:
    return {**data, "key_min": _key(data.get("key_min")), "key_max": _key(data.get("key_max"))}


def _key(value: Optional[int]) -> Optional[list[int]]:
    """Keys were one whole number."""
    return None if value is None else [value]


def _capture(state: Stated) -> dict[str, Any]:
    named = {"low": "snapshot_xmin", "high": "snapshot_xmax"}
    tables = {name: _captured_table(table) for name, table in state.get("tables", {}).items()}
    return {**_renamed(_with_source(state), named), "tables": tables}


def _captured_table(table: Stated) -> dict[str, Any]:
    named = {
        "base": "xmin_horizon",
        "high": "snapshot_xmax",
        "live": "live_keys",
        "seen": "seen_versions",
        "held": "pause",
    }
    return {**_renamed(_with_source(table), named), "pause": _pause(table["held"])}


def _pause(held: Union[str, Stated, None]) -> Optional[dict[str, Any]]:
    if held is None:
        return None
    if isinstance(held, str):  # as it was stated before rows of such a table were kept
        return {"reason": held, "since": ""}
    named = {
        "letters": "quarantined",
        "base": "xmin_horizon",
        "high": "snapshot_xmax",
        "seen": "seen_transactions",
    }
    return _renamed(_with_source(held), named)


def _with_source(stated: Stated) -> dict[str, Any]:
    """Cluster and timeline in one place: together they are the source's identity."""
    source = {name: stated.get(name) for name in ("system_id", "timeline")}
    return {**_without(stated, source), "source": source}


def _validate(state: Stated) -> dict[str, Any]:
    named = {"verdicts": "validation_results", "open_dead_letters": "unresolved_dead_letters"}
    found = _renamed(state, named)
    if "unresolved_dead_letters" in found:
        found["unresolved_dead_letters"] = {
            table: [_object(one) for one in objects]
            for table, objects in found["unresolved_dead_letters"].items()
        }
    return found


def _star(state: Stated) -> dict[str, Any]:
    return {**state, "tables": {name: _star_table(table) for name, table in state.get("tables", {}).items()}}


def _star_table(table: Stated) -> dict[str, Any]:
    ranges = {path: [_key(low), _key(high)] for path, (low, high) in table.get("key_ranges", {}).items()}
    return {**table, "key_ranges": ranges}


def _renamed(stated: Stated, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in stated.items()}


def _without(stated: Stated, names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stated.items() if name not in names}


_STATES: Mapping[str, Callable[[Stated], dict[str, Any]]] = {
    "capture": _capture,
    "validate": _validate,
    "dimensions": _star,
    "facts": _star,
}
"""How the state of a stage is turned; what the others state is unchanged."""
