"""Which wheels a runtime gets, and in which order."""

from __future__ import annotations

import pytest

from tools.dist import RUNTIMES, DistError, in_order, pinned

LOCK = """\
# made by a tool
first==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via second
old-python==2.0 ; python_full_version < '3.10' \\
    --hash=sha256:cc
windows==3.0 ; sys_platform == 'win32' \\
    --hash=sha256:dd
pyspark==4.1.1 \\
    --hash=sha256:ee
"""


def test_a_lock_is_read_as_the_runtimes_own_interpreter_would_read_it() -> None:
    assert pinned(LOCK, RUNTIMES["python_shell"].markers) == [
        "first==1.0 --hash=sha256:aa --hash=sha256:bb",
        "old-python==2.0 --hash=sha256:cc",
        "pyspark==4.1.1 --hash=sha256:ee",
    ]


def test_what_the_engine_brings_is_left_out() -> None:
    assert pinned(LOCK, RUNTIMES["spark"].markers, {"pyspark"}) == [
        "first==1.0 --hash=sha256:aa --hash=sha256:bb"
    ]


def test_a_wheel_stands_after_those_that_it_requires() -> None:
    wheels = {"app": ["library>=1", "windows; sys_platform == 'win32'"], "library": ["base"], "base": []}
    assert in_order(wheels, RUNTIMES["spark"].markers) == ["base", "library", "app"]


def test_a_set_that_is_not_closed_is_refused_by_name() -> None:
    with pytest.raises(DistError, match="app requires missing-one, which the lock lacks"):
        in_order({"app": ["Missing_One"]}, RUNTIMES["spark"].markers)
