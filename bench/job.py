"""The job *transform* as a process that is measured: as deployed, on the Python that it has on Glue."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench.lake import ROOT, python
from catalog.pipeline import load_pipeline

if TYPE_CHECKING:
    from bench.lake import Lake

PACKAGES = ("bi", "catalog", "expectations", "glue_jobs", "sites")
JOB, LARGE = "transform", "transform_large"
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Used:
    """What a run of the job used, from the start of its process to its end.

    Attributes:
        seconds: Wall time.
        cpu_seconds: CPU time of the job's processes.
        peak_mb: Resident memory: the peak of the process that works, and what the one that waits for it
            does not share with it.
        disk_mb: The most that lay in its temporary directory.
        lines: What it logged.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk_mb: float
    lines: tuple[Mapping[str, Any], ...]

    @property
    def decision(self) -> Mapping[str, Any]:
        """The line that says what the run decided, and why."""
        (line,) = (line for line in self.lines if line.get("step") == "transform.decided")
        return line


class JobFailed(Exception):  # noqa: N818 - named for what was found
    """A run failed; the message holds its last words."""


def release(folder: Path, change: Callable[[Path], None] | None = None) -> Path:
    """The packages as the job's wheel holds them, compiled as an installation does.

    Args:
        folder: A new folder.
        change: What is changed in the contracts' folder first.
    """
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    if change is not None:
        change(folder / "catalog" / "contracts")
    subprocess.run([python("embedded"), "-m", "compileall", "-q", str(folder)], check=True)
    return folder


def run_transform(lake: Lake, packages: Path, **changes: Any) -> Used:
    """Run the job once, with the arguments that it is deployed with; the load is left out.

    Args:
        lake: The lake.
        packages: From :func:`release`.
        **changes: Arguments that differ.

    Raises:
        JobFailed: It failed.
    """
    stated = load_pipeline().jobs[JOB].arguments
    given = {name: load_pipeline().resolve(value, lake.buckets) for name, value in stated.items()}
    given |= {
        f"--{name}": str(value) for name, value in {"stages": "validate,dimensions,facts", **changes}.items()
    }
    words = [word for pair in given.items() for word in pair]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        variables = {**os.environ, **lake.endpoint.environment(), "TMPDIR": str(scratch)}
        variables |= {"PYTHONPATH": str(packages), "PYTHONWARNINGS": "ignore"}
        command = [python("embedded"), str(packages / load_pipeline().jobs[JOB].script), *words]
        began = time.perf_counter()
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid, scratch)
        # The kernel's own account of this one process and of what it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
        log.seek(0)
        text = log.read()
    if process.returncode:
        raise JobFailed(text[-3000:])
    lines = tuple(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return Used(seconds, usage.ru_utime + usage.ru_stime, watch.peak_mb, watch.disk_mb, lines)


class _Watch:
    """Looks at a process, at those below it and at a folder, until it is told to end."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._process, self._folder = psutil.Process(pid), folder
        self._peaks: dict[int, float] = {}
        self._own: dict[int, float] = {}
        self.disk_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    @property
    def peak_mb(self) -> float:
        """See :attr:`Used.peak_mb`."""
        first = self._process.pid
        below = [peak for pid, peak in self._peaks.items() if pid != first]
        if not below:
            return self._peaks.get(first, 0.0)
        return max(below) + self._own.get(first, 0.0)

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            pids = self._pids()
            for pid in pids:
                # A kernel's high-water mark: nothing is missed between two looks.
                self._peaks[pid] = max(
                    self._kilobytes(pid, "status", "VmHWM") / 1024, self._peaks.get(pid, 0.0)
                )
                # Once the process that works has ended, nothing is shared any more.
                if pid == self._process.pid and len(pids) > 1:
                    self._own[pid] = self._kilobytes(pid, "smaps_rollup", "Private_") / 1024
            self.disk_mb = max(self.disk_mb, _size(self._folder) / 2**20)

    def _pids(self) -> list[int]:
        try:
            return [self._process.pid, *(child.pid for child in self._process.children(recursive=True))]
        except psutil.Error:
            return []

    @staticmethod
    def _kilobytes(pid: int, file: str, begin: str) -> int:
        try:
            lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith(begin))


def _size(folder: Path) -> int:
    """Bytes on disk below a folder, whatever goes away meanwhile."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(where, name).stat().st_blocks * 512
            except OSError:
                continue
    return total
