"""One run of *replay_dead_letters*: decide as for batches that wait, then replay or hand over.

A replay is a person's act, done once: what is handed over is a workflow that is started, and no request
stands in the commit log.
"""

from __future__ import annotations

from typing import Optional

from expectations.rules import load_suites
from glue_jobs.engine.protocol import OutOfResources
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, Commit
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime import log, workflows
from glue_jobs.runtime.aws import GlueClient
from glue_jobs.runtime.entry_point import describe
from glue_jobs.stages.open_stage import made_once, open_stage, registered_catalog
from glue_jobs.transformation.attempts import AttemptNotes
from glue_jobs.transformation.choice import ChoiceArguments
from glue_jobs.transformation.decide import EMBEDDED, Action, Work, decide
from glue_jobs.transformation.work import VALIDATE
from glue_jobs.validation.replay import replay


def run(given: ChoiceArguments, lake: LakeClients, job: str) -> int:
    """Replay once, or have Spark do it.

    Args:
        given: The job's arguments.
        lake: Its clients.
        job: The job's name.

    Returns:
        The exit code: 0 also where Spark, or another run, has it.
    """
    newest = lake.log(STAGES[0]).latest_sequence()
    validated = lake.log(VALIDATE).latest()
    name = f"replay-{newest:010d}-{validated.sequence if validated else 0:010d}"
    attempts = AttemptNotes(lake, job)
    while True:
        earlier = attempts.latest(name)
        work = _work(validated)
        decision = decide(given.engine, work, given.limits, earlier=attempts.state(earlier))
        log.step("replay.decided", action=decision.action.value, reason=decision.reason, **vars(work))
        if decision.action is Action.HAND_OVER:
            _start_large(given, lake.glue)
        elif decision.action is Action.RUN:
            attempt = attempts.note(name, earlier)
            if attempt is None:
                continue
            log.step("replay.noted", number=attempt.number)
            how = "failed"
            try:
                code = _replay(given, lake)
                how = "done"
            except OutOfResources as error:
                if given.engine == EMBEDDED:
                    raise
                log.warning("replay.out_of_resources", **describe(error))
                _start_large(given, lake.glue)
                code, how = 0, "handed over"
            finally:
                attempts.end(attempt, how)
            return code
        return 0


def _work(validated: Optional[Commit]) -> Work:
    listed = ValidationState.of(validated).unresolved
    rows = sum(data.rows for found in listed.values() for data in found)
    return Work(waiting_batches=1 if rows else 0, waiting_rows=rows)


def _replay(given: ChoiceArguments, lake: LakeClients) -> int:
    with made_once(lambda: given.embedded_engine(lake.s3)) as engine:
        stage = open_stage(VALIDATE, lake, registered_catalog(lake.glue, given), engine)
        return replay(stage, load_suites(stage.catalogue))


def _start_large(given: ChoiceArguments, glue: GlueClient) -> None:
    started = workflows.start(glue, given.large_workflow)
    log.step("replay.handed_over", workflow=given.large_workflow, started=started)
