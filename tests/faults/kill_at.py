"""Run a job as its process does, and kill it, with all it has started, when it has done a step.

``python -m tests.faults.kill_at STEP MODULE ARGUMENTS…``; the step may be ``name`` or ``name#2`` for the
second time that it is done. A kill is what an exception is not: nothing can tidy up behind it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from glue_jobs.runtime import entry_point, log


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
    entry_point.run(job.JOB, job.main, argv[2:])


if __name__ == "__main__":
    main(sys.argv[1:])
