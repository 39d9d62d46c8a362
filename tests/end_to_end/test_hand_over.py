"""On a stack: ordinary batches start no Java; one whose run was killed, as by memory, goes on to Spark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import glue_jobs
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.stack import find_running
from tests.owner import owner_of
from tests.small_shop import small_server
from totesys import database as totesys

from .stack_cli import ORDINARY, Stack

READER, LOADER = "totesys_reader", "warehouse_loader"

pytestmark = pytest.mark.slow

KILLED = """
import os, signal, sys
from glue_jobs import transform
from glue_jobs.runtime import entry_point, log

original = log.step

def step(name, **fields):
    original(name, **fields)
    if name == "dimensions.written":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)

log.step = step
entry_point.run(transform.JOB, transform.main, sys.argv[1:], apart=True)
"""
"""The job's script, in a process that the system takes away in mid-run."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with small_server(READER, create=totesys.create) as server:
        server.ensure_role(LOADER)
        server.ensure_database("warehouse", LOADER)
        yield server


@pytest.fixture
def stack(server: EmbeddedPostgres) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "state")
        stack.lakehouse(
            "up", "--source", server.dsn(READER, "small"), "--warehouse", server.dsn(LOADER, "warehouse")
        )
        try:
            yield stack
        finally:
            stack.lakehouse("down")


def put_script(stack: Stack, text: str) -> None:
    running = find_running(stack.state)
    bucket = running.buckets["artefacts"]
    owner_of(stack.state).client("s3").put_object(
        Bucket=bucket, Key="glue_jobs/transform.py", Body=text.encode()
    )


def test_a_batch_whose_run_was_killed_goes_on_to_spark_and_the_next_one_does_not(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    stack.lakehouse("run")
    assert stack.jobs() == ORDINARY

    with server.connect("small") as source:
        source.execute("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id < 4")
    put_script(stack, KILLED)
    told = stack.lakehouse("run", expect=1)
    assert "ended by SIGKILL, as the system does where memory runs out" in told
    assert stack.jobs()[-1] == ("transform", "FAILED")

    put_script(stack, (Path(glue_jobs.__file__).parent / "transform.py").read_text())
    stack.lakehouse("run")
    assert set(stack.jobs()[4:]) == {
        ("extract_cdc", "SUCCEEDED"),
        ("transform", "SUCCEEDED"),
        ("validate_raw", "SUCCEEDED"),
        ("build_dimensions", "SUCCEEDED"),
        ("build_facts", "SUCCEEDED"),
        ("load_warehouse", "SUCCEEDED"),
    }
    assert stack.told("status")["handed_over"] is None
    assert stack.told("reconcile")["verdict"] == "equal"

    before = len(stack.jobs())
    with server.connect("small") as source:
        source.execute("UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 5")
    stack.lakehouse("run")
    assert stack.jobs()[before:] == ORDINARY
    assert stack.told("reconcile")["verdict"] == "equal"
