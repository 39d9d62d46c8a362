"""Build star and warehouse again from the raw zone, through the pipeline's own workflows."""

from __future__ import annotations

from pathlib import Path

from glue_jobs.lake import rebuilds
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.errors import UserError
from lakehouse.drive import TRANSFORM, TRANSFORM_LARGE, Watch, follow_running, run_workflow

_RUNS = 3


def rebuild(lake: LakeClients, runs: Path, watch: Watch) -> int:
    """Ask for a rebuild, or take up one that was not finished, and run until it is.

    Args:
        lake: The stack's lake.
        runs: The directory of the job runs' logs.
        watch: Is told of every job run that begins and ends.

    Returns:
        The number of the request.

    Raises:
        JobFailed: A job failed; the next run takes the rebuild up.
        UserError: Nothing was built yet, or no run takes it up.
    """
    glue = lake.glue
    if not any(lake.log(stage).exists(1) for stage in rebuilds.BUILT):
        raise UserError("Nothing was built yet.", "Run the pipeline first: lakehouse run.")
    number = rebuilds.requested(lake)
    if not rebuilds.unanswered(lake):
        number = rebuilds.request(lake)
    # A run that was on its way already may have passed the request by.
    for _ in range(_RUNS):
        run_workflow(glue, TRANSFORM, runs, watch)
        follow_running(glue, TRANSFORM_LARGE, runs, watch)
        if not rebuilds.unanswered(lake):
            return number
    raise UserError(
        f"The rebuild {number} is asked for, and no run of transform takes it up.",
        f"Look at the newest logs in {runs}, then run it again.",
    )
