"""JSON Schemas (draft-07) from contracts, and contracts from JSON Schemas.

A schema says to anybody who can read JSON Schema what a row looks like. What the standard's keywords cannot
say, or not exactly (a decimal's digits, which column is a key), stands beside them in annotations that begin
with ``x-``, named as the contract names it: so a schema says everything that its contract says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Union

from pydantic import ValidationError

from catalog.model import Column, Contract, Zone, attach_zone
from catalog.types import json_schema_type

DRAFT = "http://json-schema.org/draft-07/schema#"

ANNOTATION = "x-"
"""What the keywords begin with that only this project reads."""

_SAID_OF_TABLES = {"columns", "grain"}
_SAID_OF_COLUMNS = {"name", "nullable", "description", "pattern", "allowed_values"}
"""What the standard's own keywords say exactly."""


class UnreadableSchemaError(ValueError):
    """A schema that says no contract, or one that this code does not know."""


def json_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema of one row, with the contract's version in it."""
    return {
        "$schema": DRAFT,
        "$id": f"{contract.zone_info.database}.{contract.table}",
        "title": contract.table,
        "description": contract.grain,
        "$comment": f"contract version {contract.version}",
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in contract.columns if not column.nullable],
        "properties": {column.name: _property(column) for column in contract.columns},
        **_annotated(contract, _SAID_OF_TABLES),
        # What reads JSON need not keep the order of an object's members.
        f"{ANNOTATION}columns": [column.name for column in contract.columns],
    }


def definition(contract: Contract) -> str:
    """The JSON Schema as text: what is published, and registered to the letter."""
    return json.dumps(json_schema(contract), indent=1, ensure_ascii=False) + "\n"


def version_of(definition: str) -> str:
    """Which version of its contract a definition was made from; the empty text where it says none."""
    try:
        return str(json.loads(definition)[f"{ANNOTATION}version"])
    except (ValueError, KeyError, TypeError):
        return ""


def contract_of(definition: str, zones: Mapping[str, Zone]) -> Contract:
    """The contract that a definition was made from.

    Args:
        definition: What :func:`definition` gave.
        zones: The zones by name.

    Raises:
        UnreadableSchemaError: It says no contract; says why.
    """
    try:
        schema = json.loads(definition)
        stated = _annotations(schema)
        required = set(schema["required"])
        columns = [_column(name, schema["properties"][name], name in required) for name in stated["columns"]]
        contract = Contract.model_validate({**stated, "grain": schema["description"], "columns": columns})
        return attach_zone(contract, zones[contract.zone])
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in said["loc"])
        raise UnreadableSchemaError(f"{where}: {said['msg']}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableSchemaError(f"it says no contract ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise UnreadableSchemaError(str(error)) from error


def _property(column: Column) -> dict[str, Any]:
    stated = {**json_schema_type(column.type), "description": column.description}
    if column.pattern is not None:
        stated["pattern"] = column.pattern
    if column.allowed_values is not None:
        stated["enum"] = [*column.allowed_values, *([None] if column.nullable else [])]
    if column.type.name != "decimal":  # a decimal travels as text, where JSON Schema knows no range
        if column.minimum is not None:
            stated["minimum"] = int(column.minimum)
        if column.maximum is not None:
            stated["maximum"] = int(column.maximum)
    if column.nullable:
        stated["type"] = [stated["type"], "null"]
    return {**stated, **_annotated(column, _SAID_OF_COLUMNS)}


def _column(name: str, stated: Mapping[str, Any], required: bool) -> dict[str, Any]:
    column = {
        **_annotations(stated),
        "name": name,
        "nullable": not required,
        "description": stated["description"],
    }
    if column["type"] == "text":  # other types have patterns of their own
        column["pattern"] = stated.get("pattern")
    if "enum" in stated:
        column["allowed_values"] = [value for value in stated["enum"] if value is not None]
    return column


def _annotated(stated: Union[Contract, Column], said: set[str]) -> dict[str, Any]:
    told = stated.model_dump(mode="json", exclude_defaults=True, exclude=said, by_alias=True)
    return {f"{ANNOTATION}{name}": value for name, value in told.items()}


def _annotations(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name[len(ANNOTATION) :]: value for name, value in schema.items() if name.startswith(ANNOTATION)}
