"""What Athena's documentation says of statements holds on the laptop, over the real snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from glue_jobs.runtime.athena import run_query
from lakehouse.stack import find_running
from tests.athena_cases import NOT_HERE, Judged, judge, load, report

from .stack_cli import Stack

pytestmark = pytest.mark.slow

DATABASE, BUCKET = "totesys_sandbox", "totesys-sandbox"


@pytest.fixture(scope="module")
def judged(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Judged]]:
    stack = Stack(tmp_path_factory.mktemp("cases") / "state")
    stack.lakehouse("up", "--data", str(shared_data))
    try:
        stack.lakehouse("run")
        running = find_running(stack.state).acting("personal-data-analyst")
        athena = running.client("athena")
        yield judge(
            load(),
            lambda sql: run_query(athena, sql, "totesys_star", work_group=running.work_group).rows,
            DATABASE,
            f"s3://{BUCKET}/",
        )
    finally:
        stack.lakehouse("down")


def test_no_answer_is_wrong_and_nothing_is_accepted_that_athena_refuses(judged: list[Judged]) -> None:
    counts = Counter(item.verdict for item in judged)
    assert counts["wrong"] == counts["accepted"] == 0, report(judged)


def test_what_is_refused_here_alone_is_known(judged: list[Judged]) -> None:
    refused = [item for item in judged if item.verdict == "refused"]
    assert all(any(word in item.sql for word in NOT_HERE) for item in refused), report(judged)
    assert "GENERIC_INTERNAL_ERROR" not in report(judged)
