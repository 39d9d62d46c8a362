"""A running stack answers those who know its key, whatever else connects."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from glue_jobs.runtime.errors import UserError
from lakehouse.control import Control, ask
from lakehouse.stack_state import Running


def refuse() -> None:
    raise UserError("There is no such thing.", "Make one.")


def fail() -> None:
    raise ValueError("odd.")


@pytest.fixture
def control() -> Iterator[Control]:
    made = Control()
    made.serve({"twice": lambda number: 2 * number, "refuse": refuse, "fail": fail})
    yield made
    made.close()


@pytest.fixture
def stack(control: Control) -> Running:
    """A stack of which nothing but its control is there."""
    empty: dict[str, Any] = {
        "pid": 0, "pid_started": 0.0, "endpoint": "", "environment": {}, "buckets": {}, "work_group": "",
        "postgres_port": None, "source": "", "source_owner": None, "warehouse": "",
    }  # fmt: skip
    return Running(**empty, control_port=control.port, control_key=control.key)


def test_a_question_is_answered_with_what_it_states(stack: Running) -> None:
    assert [ask(stack, "twice", number=number) for number in (2, 21)] == [4, 42]


def test_what_a_person_can_mend_arrives_in_the_same_words(stack: Running) -> None:
    with pytest.raises(UserError, match=r"^There is no such thing\. Make one\.$"):
        ask(stack, "refuse")


def test_a_failure_of_the_stack_is_told_and_it_goes_on(stack: Running) -> None:
    with pytest.raises(UserError, match=r"could not answer: ValueError: odd\. lakehouse down"):
        ask(stack, "fail")
    assert ask(stack, "twice", number=1) == 2


def test_another_key_gets_no_answer(stack: Running) -> None:
    with pytest.raises(UserError, match="does not answer"):
        ask(replace(stack, control_key="another"), "twice", number=1)
    assert ask(stack, "twice", number=1) == 2


def test_what_speaks_otherwise_is_passed_over(stack: Running) -> None:
    with socket.create_connection(("127.0.0.1", stack.control_port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" * 20)
        assert browser.recv(100) == b""
    assert ask(stack, "twice", number=1) == 2


def test_a_stack_that_ended_or_is_of_before_is_named(stack: Running, control: Control) -> None:
    with pytest.raises(UserError, match="earlier release"):
        ask(replace(stack, control_port=0), "twice", number=1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UserError, match="does not answer"):
        ask(replace(stack, control_port=port), "twice", number=1)
