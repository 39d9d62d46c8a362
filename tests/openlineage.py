"""Holds events to OpenLineage's specification: to the classes that its project generates of it."""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client import generated
from openlineage.client.generated.base import BaseFacet, DatasetFacet, JobEvent, RunEvent


def _classes() -> Iterator[Any]:
    for module in pkgutil.iter_modules(generated.__path__):
        for found in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(found, type) and hasattr(found, "_get_schema"):
                yield found


BY_ADDRESS: Mapping[str, Any] = {found._get_schema(): found for found in _classes()}
"""By the address of its schema, the class of each event, facet and part of one."""


def faults(event: Mapping[str, Any]) -> list[str]:
    """What is wrong with an event by the specification, each with its place; nothing where it is sound."""
    kind = BY_ADDRESS.get(event.get("schemaURL", ""))
    if kind not in (RunEvent, JobEvent):
        return [f"{event.get('schemaURL')} is the schema of no such event"]
    return list(_object(kind, event, "event"))


def _object(kind: Any, stated: Any, place: str) -> Iterator[str]:
    if not isinstance(stated, Mapping):
        yield f"{place} is no object"
        return
    if issubclass(kind, BaseFacet):
        found = BY_ADDRESS.get(stated.get("_schemaURL", ""))
        if found is None or not issubclass(found, kind):
            yield f"{place} is no {kind.__name__}: {stated.get('_schemaURL')}"
            return
        kind = found
    hints, known = get_type_hints(kind), {one.name: one for one in attr.fields(kind)}
    needed = {"_producer", "_schemaURL", "producer", "schemaURL"} & known.keys()
    needed |= {name for name, one in known.items() if one.default is attr.NOTHING}
    yield from (f"{place} lacks {name}" for name in sorted(needed - stated.keys()))
    for name, value in stated.items():
        if name in known:
            yield from _value(hints[name], value, f"{place}.{name}")
            yield from _refused(known[name], value, f"{place}.{name}")
        elif kind is not DatasetFacet:
            # A facet of one's own is a facet of a dataset with whatever else.
            yield f"{place} has {name}, which {kind.__name__} does not know"


def _collection(origin: Any, inner: tuple[Any, ...], value: Any, place: str) -> Iterator[str]:
    if type(value) is not origin:
        yield f"{place} is no {origin.__name__}"
        return
    named = value.items() if origin is dict else ((f"[{n}]", one) for n, one in enumerate(value))
    for name, one in named:
        yield from _value(inner[-1], one, f"{place}.{name}" if origin is dict else f"{place}{name}")


def _refused(known: Any, value: Any, place: str) -> Iterator[str]:
    if known.validator is not None:
        try:
            known.validator(None, known, value)
        except (TypeError, ValueError) as error:
            yield f"{place}: {error}"


def _value(kind: Any, value: Any, place: str) -> Iterator[str]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return
        (kind,) = [one for one in inner if one is not type(None)]
        origin, inner = get_origin(kind), get_args(kind)
    if origin in (list, dict):
        yield from _collection(origin, inner, value, place)
    elif attr.has(kind):
        yield from _object(kind, value, place)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if value not in {one.value for one in kind}:
            yield f"{place} is none of {kind.__name__}: {value}"
    elif kind is not Any and type(value) is not kind:
        yield f"{place} is {type(value).__name__}, not {kind.__name__}"
