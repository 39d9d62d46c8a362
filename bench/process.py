"""A process that is measured: stages of lakes on one engine, on the Python that the engine's jobs have."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

THREADS = 2
"""Threads of the embedded engine where its speed is compared with others' that have two cores."""

MEMORY, DISK = 2 << 30, 20 << 30
"""Its memory and disk there."""


@dataclass(frozen=True)
class Site:
    """Where a lake is.

    Attributes:
        environment: The variables that lead to its AWS endpoint.
        buckets: Real bucket name by logical name.
    """

    environment: Mapping[str, str]
    buckets: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What a process does.

    Attributes:
        engine: ``embedded`` or ``spark``.
        stages: The stages that it runs.
        sites: The lakes that it runs them on; only the last counts.
        directory: Where the embedded engine keeps its files.
    """

    engine: str
    stages: tuple[str, ...]
    sites: tuple[Site, ...]
    directory: str


@dataclass(frozen=True)
class Measured:
    """What a piece of work took.

    Attributes:
        seconds: Wall time.
        cpu_seconds: CPU time, of processes below this one, too.
        peak_mb: Highest resident memory so far of this process and those below it, each at its own moment.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


class Clock:
    """Measures what happens between its making and :meth:`stop`."""

    def __init__(self) -> None:
        self._cpu = _tree_cpu_seconds()
        self._began = time.perf_counter()

    def stop(self) -> Measured:
        """What it took until now."""
        seconds = time.perf_counter() - self._began
        return Measured(round(seconds, 4), round(_tree_cpu_seconds() - self._cpu, 3), round(peak_mb(), 1))


def run(plan: Plan) -> Measured:
    """Run a plan; what is measured is the last site, from what its stages find waiting to their commits."""
    import boto3

    found = []
    for site in plan.sites:
        os.environ.update(site.environment)
        # A session keeps the keys that it found first; each endpoint has keys of its own.
        boto3.setup_default_session()
        with _engine(plan) as engine:
            stages = [_stage(name, site, engine) for name in plan.stages]
            clock = Clock()
            for stage in stages:
                assert stage() == 0
            found.append(clock.stop())
    return found[-1]


def _stage(name: str, site: Site, engine: Any) -> Callable[[], int]:
    """The work of a stage, with its clients and contracts."""
    from catalog.catalogue import load_catalogue
    from expectations.rules import load_suites
    from glue_jobs.lake.clients import LakeClients
    from glue_jobs.stages.open_stage import open_stage
    from glue_jobs.star.drain import contracts_of, drain
    from glue_jobs.validation.validate import validate

    catalogue = load_catalogue()
    lake = LakeClients.connect(site.buckets["ingestion"], site.buckets["processed"])
    stage = open_stage(name, lake, catalogue, lambda: engine)
    if name == "validate":
        suites = load_suites(catalogue)
        return lambda: validate(stage, suites)
    return lambda: drain(stage, contracts_of(name, catalogue))


@contextmanager
def _engine(plan: Plan) -> Iterator[Any]:
    import boto3

    made: Any
    if plan.engine == "embedded":
        from glue_jobs.engine.embedded import EmbeddedEngine

        made = EmbeddedEngine(boto3.client("s3"), Path(plan.directory), MEMORY, THREADS, DISK)
    else:
        from pyspark.sql import SparkSession

        from glue_jobs.engine.spark import SparkEngine

        made = SparkEngine(os.environ["AWS_REGION"], "bench")
        session = SparkSession.getActiveSession()
        assert session is not None
        # Python workers of an earlier lake know its endpoint; another environment makes others.
        session.sparkContext.environment.update(
            {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        )
    try:
        yield made
    finally:
        made.close()


# ------------------------------------------------------------------------------------ what the kernel counts


def _processes() -> list[Path]:
    """This process and all below it, as the kernel shows them; nothing where it does not."""
    found = [Path(f"/proc/{os.getpid()}")] if Path("/proc/self/stat").exists() else []
    for process in found:
        for task in process.glob("task/*/children"):
            found += [Path(f"/proc/{child}") for child in task.read_text().split()]
    return found


def _tree_cpu_seconds() -> float:
    """CPU time of this process and of those below it, ended ones included."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = 0
    for process in _processes():
        try:
            # After the name in parentheses, which may hold anything.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent += sum(int(value) for value in fields[11:15])
    return spent / tick if spent else time.process_time()


def peak_mb() -> float:
    """The peaks of this process and of those below it, while all live."""
    peaks = []
    for process in _processes():
        try:
            lines = (process / "status").read_text().splitlines()
        except OSError:
            continue
        peaks += [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return sum(peaks) / 1024


def read_plan(text: str) -> Plan:
    """The plan that a command line states."""
    stated = json.loads(text)
    sites = tuple(Site(**site) for site in stated.pop("sites"))
    return Plan(**{**stated, "stages": tuple(stated["stages"]), "sites": sites})


if __name__ == "__main__":
    print(json.dumps(asdict(run(read_plan(sys.argv[1])))), flush=True)
