"""JSON Schemas (draft-07) from contracts."""

from __future__ import annotations

from typing import Any

from catalog.model import Column, Contract
from catalog.types import json_schema_type

DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema of one row, with the contract's version in it."""
    return {
        "$schema": DRAFT,
        "$id": f"{contract.zone_info.database}.{contract.table}",
        "title": contract.table,
        "description": contract.row_means,
        "$comment": f"contract version {contract.version}",
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in contract.columns if not column.nullable],
        "properties": {column.name: _property(column) for column in contract.columns},
    }


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
    return stated
