"""Whether a request is one that an AWS service takes, by the service's own model in botocore.

botocore's validator looks at names, required members, types and lower limits. This one looks at what it
leaves to the service as well: upper limits, patterns, enumerations, and unions of which one member is set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator


def faults(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """What is wrong with a request; nothing where the model takes it.

    Args:
        service: The service, as boto3 names it.
        operation: The operation, as the API names it.
        request: The request.
    """
    shape = _model(service).operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    report = ParamValidator().validate(request, shape)
    return [report.generate_report()] if report.has_errors() else list(_faults(shape, request, operation))


@lru_cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _is_union(shape: StructureShape) -> bool:
    # QuickSight's model says so in words alone.
    return shape.is_tagged_union or "This is a union type structure" in shape.documentation


def _faults(shape: Shape, value: Any, at: str) -> Iterator[str]:
    yield from _own_faults(shape, value, at)
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _faults(shape.members[name], member, f"{at}.{name}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from _faults(shape.member, item, f"{at}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{at} key")
            yield from _faults(shape.value, item, f"{at}.{key}")


def _own_faults(shape: Shape, value: Any, at: str) -> Iterator[str]:
    limits = shape.metadata
    size = len(value) if hasattr(value, "__len__") else value
    least, most = limits.get("min"), limits.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{at}: {size} is not between {least} and {most}"
    if isinstance(shape, StructureShape) and _is_union(shape) and len(value) != 1:
        yield f"{at}: one of {', '.join(shape.members)} is to be set, not {len(value)}"
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"
    # The service's patterns are of a whole text, whether or not they say so.
    if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        yield f"{at}: {value!r} does not match {limits['pattern']}"
