"""A process is known again, and no other one is taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_aws.processes import find_process, start_of


def test_a_process_is_known_by_number_and_start_together() -> None:
    started = start_of(psutil.Process())
    found = find_process(os.getpid(), started)
    assert found is not None
    assert found.pid == os.getpid()
    assert find_process(os.getpid(), started - 60) is None


def test_a_process_that_ended_is_not_found_even_as_a_zombie() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    started = start_of(psutil.Process(child.pid))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # leaves it unreaped
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert find_process(child.pid, started) is None
    child.wait()
    assert find_process(child.pid, started) is None


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux says the time of its start relative to the clock")
@pytest.mark.parametrize("seconds", [-86400, -1, 1, 70])
def test_a_process_stays_known_when_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: int
) -> None:
    started = start_of(psutil.Process())
    # What the kernel says of the start of the machine moves with the clock; that of a process does not.
    stat = Path("/proc/stat").read_text()
    moved = [
        f"btime {int(line.split()[1]) + seconds}" if line.startswith("btime ") else line
        for line in stat.splitlines()
    ]
    (tmp_path / "stat").write_text("\n".join(moved) + "\n")
    (tmp_path / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert find_process(os.getpid(), started) is not None
