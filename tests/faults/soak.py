"""A month of a generated totesys, with faults that a seed chooses: `make soak`, outside the everyday tests.

Every simulated day the business does what it does on a day, and something befalls the source, the lake or the
warehouse from outside (see `tests.faults.upheavals`); then each job runs, is struck by a fault, is run twice,
or is missed altogether. Nothing has to be right at once, apart from what is always right; at the end
of every week, and of the month, source, lake and warehouse must be equal to the row.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.lake.catalog_check import check_partitions, check_tables
from glue_jobs.lake.commits import STAGES
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.faults import invariants
from tests.faults.injector import Fault, injected
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, start_from
from tests.faults.test_kill import STEPS
from tests.faults.upheavals import PARTED, Upheavals
from totesys import business, generator
from totesys import database as totesys

DAYS = int(os.environ.get("SOAK_DAYS", "30"))
SEED = int(os.environ.get("SOAK_SEED", str(random.SystemRandom().randrange(10**6))))
MINUTES = 9
"""The month ends early, and says so, when it has lived this long; the last look at it takes a while."""

WEEK = 7
MISSED = 0.4
"""How often a job after the capture does not run on a day, so that batches of several days come together."""

UPHEAVALS = 3
"""How many things befall it on a day."""

TROUBLE = 0.3
"""How often something goes wrong with a job that runs."""


PASSING = (
    Fault("s3.PutObject", 503, "SlowDown", "/_commits/"),
    Fault("s3.PutObject", 0, key="/_commits/"),
    Fault("s3.PutObject", 409, "ConditionalRequestConflict", "/_commits/"),
    Fault("s3.GetObject", 500, "InternalError", "/_commits/"),
)
"""Faults that a job survives by itself, if it comes to the request at all."""

DENIED = Fault("s3.PutObject", 403, "AccessDenied", times=99)
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('{}', '{}')"


class Month:
    """One pipeline and what befalls it.

    Args:
        pipeline: The pipeline, drained.
        chance: Decides.
    """

    def __init__(self, pipeline: Pipeline, chance: random.Random) -> None:
        self.pipeline = pipeline
        self.chance = chance
        self.seen: Counter[str] = Counter()
        self.upheavals = Upheavals(pipeline, chance, self.seen)

    @property
    def owner_dsn(self) -> str:
        return self.pipeline.server.dsn(database=self.pipeline.source)

    def live(self, day: int) -> None:
        """One day: the business, and a look at the source in the morning and in the evening."""
        business.live_one_tick(self.owner_dsn, day, seed=SEED)
        if self.chance.random() < 0.2:
            self.pipeline.sql(self.chance.choice(["VACUUM (FULL) payment", "VACUUM (FREEZE) sales_order"]))
        for _ in range(UPHEAVALS):
            self.upheavals.befall()
        self.stage("capture")
        business.silent_amendment(self.owner_dsn, SEED + day)
        for stage in STAGES:
            if stage != "capture" and self.chance.random() < MISSED:
                self.seen["missed"] += 1
            else:
                self.stage(stage)

    def stage(self, stage: str) -> None:
        """Run a stage's job, often after something has gone wrong with it."""
        trouble: dict[str, Callable[[str], object]] = {
            "killed": self.kill,
            "passing fault": self.meet_passing_fault,
            "denied": self.deny,
            "twice": self.pipeline.job,
            "cut off": self.cut_off,
        }
        if self.chance.random() < TROUBLE:
            kind = self.chance.choice(sorted(trouble))
            trouble[kind](stage)
            self.seen[kind] += 1
            invariants.check_order(self.pipeline)
        self.pipeline.job(stage)

    def kill(self, stage: str) -> None:
        """The job dies at some step, if it comes to it."""
        step = self.chance.choice(STEPS[stage])
        self.pipeline.killed(stage, step, certain=False)

    def meet_passing_fault(self, stage: str) -> None:
        with injected(replace(self.chance.choice(PASSING)), certain=False):
            self.pipeline.job(stage)

    def deny(self, stage: str) -> None:
        with injected(replace(DENIED), certain=False):
            self._fail(stage)

    def cut_off(self, stage: str) -> None:
        """Every session of the jobs' roles ends when the job has done its first steps."""
        if stage == "capture":
            # Its driver may abort the process that it is in.
            done = self.pipeline.cut_off(self.chance.choice([*STEPS[stage], "reader"]))
            assert done.returncode in {0, 1}, done.stderr[-2000:]
            self.seen["failed"] += done.returncode
            return
        steps = iter(range(self.chance.randint(1, 4)))
        with pytest.MonkeyPatch.context() as patch:
            original = log.step

            def cutting(name: str, **fields: object) -> None:
                original(name, **fields)
                if next(steps, None) is None:
                    self.pipeline.sql(CUT.format(READER, LOADER))

            patch.setattr(log, "step", cutting)
            self._fail(stage)

    def _fail(self, stage: str) -> None:
        """Run a job that may end with an error that says what is wrong, and with no other."""
        try:
            self.pipeline.job(stage)
        except (UserError, ClientError, BotoCoreError):
            self.seen["failed"] += 1

    def settle(self) -> None:
        """Let everything that waits through, and compare."""
        self.pipeline.run()
        lake = self.pipeline.lake
        faults = check_tables(lake.clients, lake.catalogue, lake.catalogue.zones)
        faults += check_partitions(lake.clients, lake.catalogue)
        assert faults == []
        invariants.check(self.pipeline)


@pytest.fixture
def month(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Month]:
    server.ensure_database("generated")
    dsn = server.dsn(database="generated")
    totesys.create(dsn)
    generator.generate(dsn)
    totesys.grant_reader(dsn, READER)
    with server.connect("generated") as connection:
        connection.execute(PARTED.encode())
    base = Base(server, "generated", "empty_warehouse", {}, {})
    with (
        pytest.MonkeyPatch.context() as patch,
        start_from(base, tmp_path, patch) as pipeline,
    ):
        yield Month(pipeline, random.Random(SEED))


def test_a_month_with_faults_ends_without_a_difference(
    month: Month, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()

    def say(words: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"soak: {time.monotonic() - began:4.0f} s: {words}\n")
            sys.stdout.flush()

    say(f"seed {SEED}, {DAYS} days (SOAK_SEED, SOAK_DAYS)")
    month.settle()
    lived = 0
    while lived < DAYS and time.monotonic() - began < MINUTES * 60:
        lived += 1
        month.live(lived)
        if lived % WEEK == 0:
            month.settle()
        say(f"day {lived}; so far {dict(month.seen)}")
    month.settle()
    say(f"{lived} days{'' if lived == DAYS else ', then time was up'}; no difference")
    assert month.seen.total() > lived / 2
