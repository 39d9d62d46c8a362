"""Starts the workflow that a schedule names.

A schedule calls this function, and not Glue itself. Where the run before still goes on Glue answers
``ConcurrentRunsExceededException``; the scheduler would take that for a failed call, leave it in its
dead-letter queue, and somebody would be told of nothing. Every other refusal is a failure of the call, which
Lambda leaves in the function's queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

NAME = "start_workflow"

RUNS_ALREADY = "ConcurrentRunsExceededException"


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Start a workflow.

    Args:
        event: What the schedule says: ``{"workflow": name}``.
        context: What Lambda says of this call.

    Returns:
        The workflow, and its run; no run where it runs already.

    Raises:
        UserError: The event names no workflow, or Glue does not start it.
    """
    import boto3

    log.start(NAME, ["--JOB_RUN_ID", str(getattr(context, "aws_request_id", ""))])
    return start(boto3.client("glue"), event)


def start(glue: GlueClient, event: Mapping[str, Any]) -> dict[str, Any]:
    """Start the workflow that an event names; see :func:`handle`.

    Args:
        glue: A boto3 ``glue`` client.
        event: What the schedule says.
    """
    workflow = event.get("workflow")
    if not isinstance(workflow, str) or not workflow:
        raise UserError("The schedule names no workflow.", 'State {"workflow": name} as what it says.')
    try:
        run = glue.start_workflow_run(Name=workflow)["RunId"]
    except ClientError as error:
        stated = error.response["Error"]
        if stated["Code"] == RUNS_ALREADY:
            log.info("start_workflow.runs_already", workflow=workflow)
            return {"workflow": workflow, "run": None}
        said = stated.get("Message", "").rstrip(".")
        log.error("start_workflow.failed", workflow=workflow, error=stated["Code"], message=said)
        raise UserError(
            f"The workflow {workflow} was not started ({stated['Code']}: {said}).",
            "See job-silent in the runbook; the next tick tries again.",
        ) from error
    log.info("start_workflow.started", workflow=workflow, run=run)
    return {"workflow": workflow, "run": run}
