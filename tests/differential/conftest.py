"""The one Spark session of the differential's tests."""

from __future__ import annotations

from tests.spark import spark_home

__all__ = ["spark_home"]
