"""Names in the warehouse that whoever only reads it needs, without the model of its tables."""

from __future__ import annotations

WAREHOUSE_SCHEMA = "public"
"""Where the warehouse's tables stand unless told otherwise, so that their bare names work."""

OFFSET_TABLE = "load_offset"
AUDIT_TABLE = "load_audit"
