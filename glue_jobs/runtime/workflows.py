"""Starting a Glue workflow, at most one run of it at a time."""

from __future__ import annotations

from glue_jobs.runtime.aws import GlueClient


def start(glue: GlueClient, workflow: str) -> bool:
    """Start a workflow, unless it is running; whether it was started.

    Args:
        glue: A boto3 ``glue`` client.
        workflow: The workflow's name.
    """
    try:
        glue.start_workflow_run(Name=workflow)
    except glue.exceptions.ConcurrentRunsExceededException:
        return False
    return True
