"""What a run of a job costs on Glue, from what it runs on and for how long.

Prices are AWS's for eu-west-2 in US dollars, as docs/costs.md has them; tax is not in them.
"""

from __future__ import annotations

from typing import Union

from catalog.pipeline import PythonShell, Spark

DPU_HOUR = 0.44
"""Of Python shell, in dollars."""

SPARK_DPU_HOUR = 0.308
"""Of Glue 6.0 Spark, in dollars; a G.1X worker is one DPU."""

SHORTEST_SECONDS = 60.0
"""A shorter run is billed as one of these."""

_DPUS = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}


def run_cost(
    runtime: Union[PythonShell, Spark],
    seconds: float,
    dpu_hour: float = DPU_HOUR,
    spark_dpu_hour: float = SPARK_DPU_HOUR,
) -> float:
    """Dollars for a run.

    Args:
        runtime: What it runs on.
        seconds: How long it takes, its start included.
        dpu_hour: Price of a DPU hour of Python shell.
        spark_dpu_hour: Price of a DPU hour of Spark.
    """
    hours = max(seconds, SHORTEST_SECONDS) / 3600
    if isinstance(runtime, PythonShell):
        return hours * runtime.max_capacity * dpu_hour
    return hours * runtime.workers * _DPUS[runtime.worker_type] * spark_dpu_hour
