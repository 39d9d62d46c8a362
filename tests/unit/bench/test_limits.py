"""What is measured below the limits of the embedded engine, and what is promised of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bench.job import Used
from bench.lake import SOURCE, raw_tables
from bench.limits import LOADS, Load, promise_kept
from catalog.catalogue import load_catalogue
from glue_jobs.transformation.decide import Limits


def test_a_run_just_below_every_limit_is_measured() -> None:
    promised = [load.limit for load in LOADS if not load.is_hard]
    assert sorted(promised) == sorted(field.name for field in fields(Limits))


@pytest.mark.parametrize(
    ("cpu_seconds", "peak_mb", "disk_mb", "said"),
    [
        (150, 700, 10_240, "kept; one more"),
        (151, 600, 100, "NOT KEPT; one more"),
        (100, 701, 100, "NOT KEPT; one more"),
        (100, 600, 10_241, "NOT KEPT; one more"),
    ],
)
def test_a_broken_promise_is_stated(cpu_seconds: float, peak_mb: float, disk_mb: float, said: str) -> None:
    used = Used(200, cpu_seconds, peak_mb, disk_mb, ())
    assert promise_kept(LOADS[0], used) == said
    assert promise_kept(Load("hard", LOADS[0].limit, LOADS[0].wait, is_hard=True), used) == "left to itself"


def test_three_million_orders_can_lie_in_three_months() -> None:
    created = raw_tables(load_catalogue(), 3_000, milliseconds_apart=2_600_000)[SOURCE]["created_at"]
    assert (created[-1].as_py() - created[0].as_py()).days == 90
