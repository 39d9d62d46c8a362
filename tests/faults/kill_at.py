"""Run a job as its process does, and kill it, with all it has started, when it has done a step.

``python -m tests.faults.kill_at STEP MODULE ARGUMENTS…``; the step may be ``name`` or ``name#2`` for the
second time that it is done. A kill is what an exception is not: nothing can tidy up behind it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from glue_jobs.runtime import errors, log


def main(argv: list[str]) -> None:
    """Run the job; ends killed, or as the job ends if it never does the step."""
    step, _, which = argv[0].partition("#")
    times = int(which or 1)
    job: Any = importlib.import_module(argv[1])
    original = log.step

    def done(name: str, **fields: Any) -> None:
        nonlocal times
        original(name, **fields)
        if name == step:
            times -= 1
            if times == 0:
                sys.stdout.flush()
                os.killpg(os.getpgrp(), signal.SIGKILL)

    log.step = done
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        _know_the_buckets(Path(os.environ["SPARK_CONF_DIR"]) / "spark-defaults.conf")
    errors.run(job.JOB, job.main, argv[2:])


def _know_the_buckets(settings: Path) -> None:
    """Tell a JVM that was started before them where the buckets lie; one of the job's own reads it itself."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for line in settings.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("spark.hadoop."):
            builder = builder.config(name, value)
    builder.getOrCreate()


if __name__ == "__main__":
    main(sys.argv[1:])
