"""Holds events to what ``POST /api/v1/lineage`` of Marquez requires, by its sources: models and tables.

The last part of ``schemaURL`` says whether the body is read as ``LineageEvent`` or as ``JobEvent``; what is
``@NotNull`` there has to be there, and what is kept goes into PostgreSQL. What is required here is the
narrowest of the releases that know job events, 0.43.0 and later.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

KINDS = {"RunEvent", "JobEvent"}

# Newer releases take more characters, and still give a job of a namespace with others than these another one.
_NAMESPACE = re.compile(r"[a-zA-Z:/0-9_\-.]{1,1024}")

# ISO_LOCAL_DATE_TIME with an offset. Without one it is taken for the time of the server's own zone.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})")

# What java.net.URI parses: RFC 2396, and other characters than ASCII.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:([\w!~*'().;/?:@&=+$,#-]|%[0-9A-Fa-f]{2})+")

# `jobs.name` and `dataset_fields.name` are VARCHAR(255).
_LONGEST = 255


def refusals(event: Mapping[str, Any]) -> list[str]:
    """Why Marquez would refuse an event, or keep something else than it says; nothing where it takes it."""
    found = list(_text(event, "event"))
    kind = str(event.get("schemaURL", "")).rpartition("/")[2]
    if kind not in KINDS:
        found.append(f"event.schemaURL is of neither a run nor a job: {event.get('schemaURL')}")
    found += _each(event, "event", {"eventTime": _time, "producer": _uri, "schemaURL": _uri, "job": _job})
    if kind == "RunEvent":
        found += _each(event, "event", {"run": _run, "eventType": _state})
    for side in ("inputs", "outputs"):
        for place, dataset in enumerate(event.get(side) or ()):
            found += _dataset(dataset, f"event.{side}[{place}]")
    return found


Check = Callable[[Any, str], Iterator[str]]


def _each(stated: Any, place: str, checks: Mapping[str, Check]) -> Iterator[str]:
    """What is wrong with members that have to be there."""
    if not isinstance(stated, Mapping):
        yield f"{place} is no object"
        return
    for name, check in checks.items():
        if stated.get(name) is None:
            yield f"{place} lacks {name}"
        else:
            yield from check(stated[name], f"{place}.{name}")


def _job(job: Any, place: str) -> Iterator[str]:
    yield from _each(job, place, {"namespace": _namespace, "name": _name})
    yield from _facets(job, place, {"sql": {"query": _string}, "documentation": {"description": _string}})


def _run(run: Any, place: str) -> Iterator[str]:
    yield from _each(run, place, {"runId": _uuid})
    yield from _facets(run, place, {})


def _dataset(dataset: Any, place: str) -> Iterator[str]:
    yield from _each(dataset, place, {"namespace": _namespace, "name": _name})
    known: Mapping[str, Mapping[str, Check]] = {
        "documentation": {"description": _string},
        "schema": {"fields": _list_of({"name": _name})},
        "columnLineage": {"fields": _lineage},
    }
    yield from _facets(dataset, place, known)


def _facets(owner: Any, place: str, known: Mapping[str, Mapping[str, Check]]) -> Iterator[str]:
    """What is wrong with facets; of those that are not known here Marquez keeps the text."""
    found = owner.get("facets") if isinstance(owner, Mapping) else None
    for name, facet in (found or {}).items():
        checks = {"_producer": _uri, "_schemaURL": _uri, **known.get(name, {})}
        yield from _each(facet, f"{place}.facets.{name}", checks)


def _lineage(fields: Any, place: str) -> Iterator[str]:
    inputs = _list_of({"namespace": _namespace, "name": _name, "field": _name})
    for column, stated in fields.items():
        yield from _name(column, place)
        yield from _each(stated, f"{place}.{column}", {"inputFields": inputs})


def _list_of(checks: Mapping[str, Check]) -> Check:
    def check(stated: Any, place: str) -> Iterator[str]:
        if not isinstance(stated, list):
            yield f"{place} is no list"
            return
        for number, one in enumerate(stated):
            yield from _each(one, f"{place}[{number}]", checks)

    return check


def _state(state: Any, place: str) -> Iterator[str]:
    # A run in another one would never end.
    if state not in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"):
        yield f"{place} is no state of a run: {state}"


def _uuid(text: Any, place: str) -> Iterator[str]:
    try:
        if str(uuid.UUID(text)) == text:
            return
    except (AttributeError, TypeError, ValueError):
        pass
    # It would make one of whatever text this is, under which nobody finds the run again.
    yield f"{place} is no UUID: {text}"


def _time(text: Any, place: str) -> Iterator[str]:
    try:
        if _TIME.fullmatch(text):
            datetime.fromisoformat(text)
            return
    except (TypeError, ValueError):
        pass
    yield f"{place} is no time with an offset: {text}"


def _uri(text: Any, place: str) -> Iterator[str]:
    if not isinstance(text, str) or not _URI.fullmatch(text):
        yield f"{place} is no URI: {text}"


def _namespace(text: Any, place: str) -> Iterator[str]:
    if not isinstance(text, str) or not _NAMESPACE.fullmatch(text):
        yield f"{place} has characters that no namespace has, or too many: {text}"


def _name(text: Any, place: str) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        yield f"{place} is blank, or longer than {_LONGEST} characters: {text}"


def _string(text: Any, place: str) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{place} is no text: {text}"


def _text(stated: Any, place: str) -> Iterator[str]:
    """PostgreSQL keeps no NUL in ``jsonb``, where the whole event goes."""
    if isinstance(stated, Mapping):
        for name, value in stated.items():
            yield from _text(name, place)
            yield from _text(value, f"{place}.{name}")
    elif isinstance(stated, list):
        for one in stated:
            yield from _text(one, place)
    elif isinstance(stated, str) and "\0" in stated:
        yield f"{place} has a NUL"
