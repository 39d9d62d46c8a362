"""The units of the lake run on the embedded engine."""

from __future__ import annotations

from tests.engines import engine, one_engine

__all__ = ["engine", "one_engine"]
