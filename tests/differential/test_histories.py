"""Whole histories on both engines: the same tables, counts, states and change files, whoever began a batch.

This is a short one, with five by night; ``make differential`` compares a hundred.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.differential.histories import history
from tests.differential.lakes import first_difference, mixed, played
from tests.integration.glue_jobs.engine.conftest import Strikes
from tests.lake import embedded
from tests.spark import on_spark

SHORT = {"captures": 3, "rows": 4, "stories": 3, "tables": 4}
"""How long they are: little time goes by for much that can happen."""


class StrikesOnTasks(Strikes):
    """Strikes what puts objects of the star: tasks of Spark's, and never the driver."""

    def _strikes(self, environ: dict[str, Any]) -> bool:
        return "/star/" in environ["PATH_INFO"] and super()._strikes(environ)


@pytest.mark.parametrize("number", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 4, 5))])
def test_a_history_is_the_same_on_both_engines(spark_home: Path, tmp_path: Path, number: int) -> None:
    steps = history(number, **SHORT)
    ours = played(tmp_path / "embedded", steps, embedded)
    # Executors are killed between PUT and answer: a prefix holds what its commit names all the same.
    strikes = StrikesOnTasks(times=3 if number == 1 else 0)
    engine = mixed(str(number), on_spark) if number > 1 else on_spark
    theirs = played(tmp_path / "other", steps, engine, (strikes.layer,))
    assert first_difference(ours, theirs) is None
    assert strikes.times == 0
