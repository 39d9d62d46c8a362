"""The README's session is what the commands print that a person can give."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from lakehouse.cli import main
from tools import session


def test_the_readme_shows_the_commands_of_the_recording(root: Path) -> None:
    lines = session.session_of((root / "README.md").read_text(encoding="utf-8"))
    assert [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] == list(session.COMMANDS)
    answered = [line for line in lines if not line.startswith("$ ")]
    assert len(answered) > 3 * len(session.COMMANDS)
    assert "batch 1: source = lake = warehouse, to the row" in answered


@pytest.mark.parametrize("command", session.COMMANDS)
def test_every_command_of_the_session_is_understood(command: str) -> None:
    name, *words = shlex.split(command)[1:]
    found = main.commands[name]
    found.make_parser(click.Context(found)).parse_args(words)


def test_a_recording_takes_the_place_of_the_one_before() -> None:
    readme = f"above\n\n{session.BEGIN}\n    old\n\n{session.END}below\n"
    lines = ["$ lakehouse up", "", "the stack is up"]
    fresh = session.with_session(readme, lines)
    assert session.session_of(fresh) == lines
    assert session.with_session(fresh, lines) == fresh
    assert fresh.startswith("above\n")
    assert fresh.endswith("below\n")


def test_of_a_long_answer_the_first_and_last_lines_stay() -> None:
    lines = [str(number) for number in range(100)]
    short = session.shortened(lines)
    assert len(short) <= session.MOST_LINES
    assert (short[0], short[-1], short.count("…")) == ("0", "99", 1)
    assert session.shortened(lines[:5]) == lines[:5]


def test_the_picture_shows_every_line() -> None:
    drawn = session.picture(["$ lakehouse up", "ready"])
    assert drawn.startswith("<svg")
    assert "ready" in drawn
