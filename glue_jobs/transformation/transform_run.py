"""One run of *transform*: decide, note the attempt, take what waits through the stages or hand it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Callable, Optional

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from expectations.rules import load_suites
from glue_jobs.engine.protocol import Engine, OutOfResources
from glue_jobs.lake import backoff, layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import REDACT, STAGES
from glue_jobs.redaction.copies import redact
from glue_jobs.runtime import log, metrics, workflows
from glue_jobs.runtime.aws import SecretsManagerClient
from glue_jobs.runtime.entry_point import describe
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.secrets import SecretRefused
from glue_jobs.stages.open_stage import made_once, open_stage, registered_catalog
from glue_jobs.star.drain import contracts_of, drain
from glue_jobs.transformation import hand_over
from glue_jobs.transformation.attempts import Attempt, AttemptNotes
from glue_jobs.transformation.choice import ChoiceArguments
from glue_jobs.transformation.decide import EMBEDDED, Action, Decision, Earlier, decide
from glue_jobs.transformation.hand_over import HandOver
from glue_jobs.transformation.work import ENGINE_STAGES, LOAD, VALIDATE, Progress, estimate, read_progress
from glue_jobs.validation.approval import BatchAwaitsApproval
from glue_jobs.validation.approval import Limits as ApprovalLimits
from glue_jobs.validation.validate import validate
from glue_jobs.warehouse.load_run import load_what_waits


@dataclass(frozen=True)
class TransformArguments(ChoiceArguments):
    """Arguments of the job.

    Attributes:
        warehouse_secret: Names the secret with the warehouse's DSN.
        stages: The stages to run, joined by commas; all of them unless told.
        rejected_share: A batch of which more than this share of a table's rows is rejected awaits approval.
        rejected_minimum: Fewer rejected rows than this never do that.
        warehouse_schema: The PostgreSQL schema of the tables.
    """

    warehouse_secret: str
    stages: str = ",".join(STAGES[1:])
    rejected_share: float = ApprovalLimits.share
    rejected_minimum: int = ApprovalLimits.minimum
    warehouse_schema: str = WAREHOUSE_SCHEMA

    @property
    def wanted(self) -> tuple[str, ...]:
        """The stages to run, in their order.

        Raises:
            UserError: There is no such stage.
        """
        named = [name.strip() for name in self.stages.split(",")]
        unknown = sorted(set(named) - set(STAGES[1:]))
        if unknown:
            raise UserError(
                f"The argument --stages names {', '.join(unknown)}.", f"There are {', '.join(STAGES[1:])}."
            )
        return tuple(stage for stage in STAGES[1:] if stage in named)


class EngineTooSmall(UserError):  # noqa: N818 - named for what was found
    """The embedded engine has no memory or disk left, and nobody may take its place."""


@dataclass
class TransformRun:
    """One run.

    Attributes:
        given: The job's arguments.
        lake: Its clients.
        secrets_manager: Knows the warehouse's DSN.
        catalog: The contracts of this release.
        job: The job's name.
    """

    given: TransformArguments
    lake: LakeClients
    secrets_manager: SecretsManagerClient
    catalog: Catalogue
    job: str
    _failures: list[Exception] = field(default_factory=list)
    _codes: list[int] = field(default_factory=list)
    _handed_over: Optional[HandOver] = None

    def run(self) -> int:
        """Take what waits as far as it goes.

        Returns:
            The exit code: 0 also where Spark, or another run, has it; 1 where a table waits, as the log says.

        Raises:
            Exception: The first that a stage raised, once every stage was tried.
        """
        wanted = self.given.wanted
        stages = tuple(stage for stage in wanted if stage in ENGINE_STAGES)
        if stages and self._transform(stages) is Action.STAY_AWAY:
            log.info("transform.stays_away")
            return 0
        if LOAD in wanted:
            self._guarded(LOAD, self._load)
            # After the load, so that the warehouse does not wait for it.
            self._guarded(REDACT, self._redact)
        metrics.emit({"job": self.job}, {"seconds_handed_over": self._seconds_handed_over()})
        self._note_wait()
        if self._failures:
            raise self._failures[0]
        log.info("transform.done")
        return max(self._codes, default=0)

    def _note_wait(self) -> None:
        """Note what the next run could only stumble over again, so that nobody starts it in vain."""
        names = [name for failure in self._failures for name in _causes(failure)]
        s3, bucket = self.lake.s3, self.lake.ingestion
        wait = backoff.newest(s3, bucket, self.job)
        if not names:
            backoff.ended(s3, bucket, wait)
            return
        reason = " ".join(failure.problem for failure in self._failures if isinstance(failure, UserError))
        causes = backoff.read_causes(s3, bucket, self.secrets_manager, names)
        backoff.note(s3, bucket, wait.again(reason, causes, layout.utc_now()))

    # ------------------------------------------------------------------ the decision

    def _transform(self, stages: Sequence[str]) -> Action:
        """Do what is decided about the engine's stages."""
        attempts = AttemptNotes(self.lake, self.job)
        while True:
            progress = read_progress(self.lake)
            earlier = attempts.latest(progress.name)
            decision = self._decide(progress, attempts.state(earlier))
            if decision.action is Action.REPUBLISH:
                self._run_stages(stages, progress.captured)
            elif decision.action is Action.RUN:
                attempt = attempts.note(progress.name, earlier)
                if attempt is None:
                    # Another run has noted itself meanwhile: look again.
                    continue
                log.step("transform.noted", waits=attempt.name, number=attempt.number)
                self._run_noted(stages, progress.captured, attempts, attempt)
            elif decision.action is not Action.STAY_AWAY:
                self._hand_over(progress, decision)
            return decision.action

    def _decide(self, progress: Progress, earlier: Earlier) -> Decision:
        given = self.given
        work = estimate(self.lake, self.catalog, progress, given.limits)
        self._handed_over = hand_over.unanswered(self.lake, progress)
        handed_over = self._handed_over is not None
        decision = decide(given.engine, work, given.limits, handed_over=handed_over, earlier=earlier)
        log.step(
            "transform.decided",
            action=decision.action.value,
            reason=decision.reason,
            last_batch=progress.captured,
            **vars(work),
        )
        return decision

    def _hand_over(self, progress: Progress, decision: Decision) -> None:
        """Ask Spark to take what waits, unless it was asked, and start what takes it."""
        if decision.action is Action.HAND_OVER:
            self._handed_over = hand_over.ask(self.lake, progress, decision.reason)
            log.step("transform.handed_over", request=self._handed_over.number, reason=decision.reason)
        if workflows.start(self.lake.glue, self.given.large_workflow):
            log.step("transform.large_started", workflow=self.given.large_workflow)
        else:
            log.info("transform.large_running_already", workflow=self.given.large_workflow)

    def _seconds_handed_over(self) -> float:
        """How long what Spark was asked to take has waited for it."""
        if self._handed_over is None:
            return 0.0
        progress = read_progress(self.lake)
        waits = not self._handed_over.is_answered(progress)
        return round(self._handed_over.seconds(layout.utc_now()), 3) if waits else 0.0

    # ------------------------------------------------------------------ the stages

    def _run_noted(self, stages: Sequence[str], until: int, attempts: AttemptNotes, attempt: Attempt) -> None:
        """Run stages under a note, which is closed unless everything that waited is done."""
        try:
            self._run_stages(stages, until)
        except OutOfResources as error:
            log.warning("transform.out_of_resources", **describe(error))
            progress = read_progress(self.lake)
            reason = "DuckDB had no memory or no disk left in a run"
            self._hand_over(progress, Decision(Action.HAND_OVER, reason))
            how = "handed over"
        else:
            how = "failed" if self._failures else "done in part"
            if not self._failures and tuple(stages) == ENGINE_STAGES and not any(self._codes):
                return
        attempts.end(attempt, how)
        log.step("transform.attempt_ended", waits=attempt.name, number=attempt.number)

    def _run_stages(self, stages: Sequence[str], until: int) -> None:
        """Run stages on one engine, each as far as it comes.

        Args:
            stages: The stages.
            until: The last batch that was decided on; nobody has counted what came after it.

        Raises:
            OutOfResources: The engine has no memory or no disk left, and Spark may have.
        """
        with made_once(lambda: self.given.embedded_engine(self.lake.s3)) as engine:
            for name in stages:
                self._codes.append(self._guarded(name, partial(self._run_stage, name, engine, until)))

    def _run_stage(self, name: str, engine: Callable[[], Engine], until: int) -> int:
        given = self.given
        stage = open_stage(name, self.lake, self._registered, engine)
        stage = replace(stage, until=until)
        if name == VALIDATE:
            limits = ApprovalLimits(given.rejected_share, given.rejected_minimum)
            return validate(stage, load_suites(stage.catalogue), limits)
        return drain(stage, contracts_of(name, stage.catalogue))

    def _guarded(self, name: str, work: Callable[[], int]) -> int:
        """Do the work of a stage; what it raises is kept, so that the other stages are tried too."""
        try:
            return work()
        except (OutOfResources, MemoryError) as error:
            if name in ENGINE_STAGES and self.given.engine != EMBEDDED:
                raise OutOfResources(str(error)) from error
            failure: Exception = EngineTooSmall(
                f"The stage {name} has no memory or no disk left within what the job gives it.",
                "Raise memory_megabytes or disk_megabytes, or leave the choice of the engine to the job.",
            )
        except Exception as error:  # noqa: BLE001 - raised again once every stage was tried
            failure = error
        log.error("transform.stage_failed", stage=name, **describe(failure))
        self._failures.append(failure)
        return 1

    @cached_property
    def _registered(self) -> Catalogue:
        """The contracts as the registry states them."""
        return registered_catalog(self.lake.glue, self.given)

    def _load(self) -> int:
        secret, schema = self.given.warehouse_secret, self.given.warehouse_schema
        return load_what_waits(self.lake, self.secrets_manager, secret, self.catalog, schema)

    def _redact(self) -> int:
        return redact(self.lake, self.catalog)


def _causes(failure: Exception) -> list[str]:
    """What would have to change before a run ends otherwise; nothing where that is not known."""
    if isinstance(failure, SecretRefused):
        return [f"{backoff.SECRET}{failure.secret}"]
    if isinstance(failure, BatchAwaitsApproval):
        return [f"{backoff.OBJECT}{failure.key}", backoff.RULES]
    return []
