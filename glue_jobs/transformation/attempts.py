"""Notes of attempts: a run that is killed says nothing, but that it began stands in the lake.

    _commits/attempts/<what waits>/<number>.json         put before a run's first row is read
    _commits/attempts/<what waits>/<number>.ended.json   put where a run ends in words and leaves some of it

A run of the embedded engine that finds the note of another one on what waits now, which is over and has not
said how it ended, takes it for killed: by the system for lack of memory, as a rule.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional

from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.conditional import put_new
from glue_jobs.runtime import log
from glue_jobs.runtime.s3 import read_if_there
from glue_jobs.transformation.decide import Earlier

PREFIX = "_commits/attempts/"

_GOES_ON = ("RUNNING", "STARTING", "STOPPING", "WAITING")


@dataclass(frozen=True)
class Attempt:
    """A note.

    Attributes:
        name: Names what waited, see :class:`~glue_jobs.transformation.work.Progress`.
        number: Dense from 1 for each name.
        run_id: The run of the job.
    """

    name: str
    number: int
    run_id: str

    @property
    def key(self) -> str:
        """Where the note lies."""
        return f"{PREFIX}{self.name}/{self.number:04d}.json"

    @property
    def end_key(self) -> str:
        """Where it is noted that the run ended in words."""
        return f"{PREFIX}{self.name}/{self.number:04d}.ended.json"


class AttemptNotes:
    """The notes of one job's runs.

    Args:
        lake: Its clients; Glue knows whether a run is over.
        job: The job's name.
    """

    def __init__(self, lake: LakeClients, job: str) -> None:
        self._s3, self._glue, self._bucket = lake.s3, lake.glue, lake.ingestion
        self._job = job

    def latest(self, name: str) -> Optional[Attempt]:
        """The newest note on what waits, if there is one."""
        found, number = None, 1
        while True:
            stated = self._get(Attempt(name, number, "").key)
            if stated is None:
                return found
            found = Attempt(name, number, stated["run_id"])
            number += 1

    def state(self, attempt: Optional[Attempt]) -> Earlier:
        """How the run stands that made a note."""
        if attempt is None or self._get(attempt.end_key) is not None:
            return Earlier.NONE
        try:
            run = self._glue.get_job_run(JobName=self._job, RunId=attempt.run_id)["JobRun"]
        except self._glue.exceptions.EntityNotFoundException:
            return Earlier.DIED
        if run["JobRunState"] in _GOES_ON:
            return Earlier.RUNNING
        return Earlier.NONE if run["JobRunState"] == "SUCCEEDED" else Earlier.DIED

    def note(self, name: str, after: Optional[Attempt]) -> Optional[Attempt]:
        """Note that this run begins; nothing where another run was first.

        Args:
            name: Names what waits.
            after: The newest note that was found.
        """
        attempt = Attempt(name, after.number + 1 if after else 1, self._own_run())
        stated = {
            "run_id": attempt.run_id,
            "token": layout.new_attempt(),
            "began_at": layout.iso(layout.utc_now()),
        }
        if put_new(self._s3, self._bucket, attempt.key, json.dumps(stated, sort_keys=True).encode()):
            return attempt
        # An earlier try of this very request may have been its maker.
        return attempt if self._get(attempt.key) == stated else None

    def end(self, attempt: Attempt, how: str) -> None:
        """Note that a run ends in words although something is left waiting.

        Args:
            attempt: The run's note.
            how: How it ended, shortly.
        """
        stated = {"how": how, "ended_at": layout.iso(layout.utc_now())}
        put_new(self._s3, self._bucket, attempt.end_key, json.dumps(stated, sort_keys=True).encode())

    def _own_run(self) -> str:
        """This run's id as Glue knows it. Glue tells it to a Spark job and not to a Python shell job."""
        try:
            runs = self._glue.get_job_runs(JobName=self._job)["JobRuns"]
        except self._glue.exceptions.EntityNotFoundException:
            return log.run_id()
        running = [run["Id"] for run in runs if run["JobRunState"] == "RUNNING"]
        # The job has one run at a time.
        return running[0] if len(running) == 1 else log.run_id()

    def _get(self, key: str) -> Optional[dict[str, Any]]:
        text = read_if_there(self._s3, self._bucket, key)
        stated: Optional[dict[str, Any]] = None if text is None else json.loads(text)
        return stated
