"""The AWS command line's way of saying a request, as boto3 takes it: what a document states can be run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore import xform_name

ClientOf = Callable[[str], Any]

_NESTED = re.compile(r"\$\((aws [^)]*)\)")
_SERVICES = {"s3api": "s3"}
_OF_THE_PROGRAM = ("output", "query", "region")
"""Options that say how an answer is shown."""


def commands(text: str) -> list[str]:
    """The commands of a Markdown document, inline or as a block of their own."""
    inline = re.findall(r"`(aws [^`]+)`", text)
    blocks = re.findall(r"^ {4,}(aws .+)$", text, flags=re.MULTILINE)
    return [" ".join(found.split()) for found in (*inline, *blocks)]


def run(command: str, client_of: ClientOf) -> dict[str, Any]:
    """Make the request of a command.

    Args:
        command: `aws service operation --option value …`; `$(aws …)` stands for the one text of an answer.
        client_of: Makes a boto3 client from a service's name.

    Raises:
        ClientError: AWS refuses.
        ValueError: There is no such operation or option.
    """
    command = _NESTED.sub(lambda found: _text_of(run(found[1], client_of)), command)
    _, service, operation, *words = shlex.split(command)
    client = client_of(_SERVICES.get(service, service))
    method = operation.replace("-", "_")
    name = client.meta.method_to_api_mapping.get(method)
    if name is None:
        raise ValueError(f"{service} has no {operation}")
    shape = client.meta.service_model.operation_model(name).input_shape
    members = shape.members if shape is not None else {}
    answer: dict[str, Any] = getattr(client, method)(**dict(_arguments(words, members)))
    return answer


def _text_of(answer: Mapping[str, Any]) -> str:
    (text,) = (str(value) for name, value in answer.items() if name != "ResponseMetadata")
    return text


def _arguments(words: list[str], members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    named = {xform_name(member, "-"): member for member in members}
    options = [word.removeprefix("--") for word in words[::2]]
    for option, value in zip(options, words[1::2], strict=True):
        if option in _OF_THE_PROGRAM:
            continue
        if option not in named:
            raise ValueError(f"there is no option --{option}; there are {', '.join(sorted(named))}")
        yield named[option], _value(value, members[named[option]].type_name)


def _value(text: str, kind: str) -> Any:
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("map", "structure"):
        return json.loads(text)
    return [text] if kind == "list" else text
