"""Contracts of raw tables that are about nothing but their key."""

from __future__ import annotations

from catalog.model import Contract, Zone, attach_zone


def keyed(table: str, **key: str) -> Contract:
    """A raw table with a key of these columns, each with its type."""
    zone = Zone(name="raw", description="x", database="x", bucket="ingestion", prefix="raw/")
    contract = Contract.model_validate(
        {
            "table": table,
            "zone": "raw",
            "version": "1.0.0",
            "owner": "x",
            "grain": "x",
            "key": list(key),
            "columns": [
                {"name": name, "type": kind, "nullable": False, "description": "x"}
                for name, kind in key.items()
            ],
        }
    )
    return attach_zone(contract, zone)
