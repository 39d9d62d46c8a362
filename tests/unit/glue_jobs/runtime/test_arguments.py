"""Job arguments are typed, frozen and checked once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from glue_jobs.runtime.arguments import ArgumentError, parse


@dataclass(frozen=True)
class Arguments:
    bucket: str
    tries: int = 3
    share: float = 0.2


def test_values_are_typed_and_defaults_kept() -> None:
    assert parse(Arguments, ["--bucket", "b", "--tries", "5"]) == Arguments("b", 5, 0.2)


def test_a_value_may_follow_an_equals_sign() -> None:
    assert parse(Arguments, ["--bucket=a=b", "--share=0.5"]) == Arguments("a=b", 3, 0.5)


def test_arguments_that_glue_adds_are_left_alone() -> None:
    given = ["--JOB_NAME", "x", "--enable-metrics", "--bucket", "b", "stray", "--WORKFLOW_RUN_ID", "wr_1"]
    assert parse(Arguments, given) == Arguments("b")


def test_checked_arguments_cannot_change() -> None:
    arguments = parse(Arguments, ["--bucket", "b"])
    with pytest.raises(FrozenInstanceError):
        arguments.bucket = "c"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "--bucket is missing"),
        (["--bucket", "--tries", "2"], "--bucket has no value"),
        (["--bucket"], "--bucket has no value"),
        (["--bucket", "b", "--tries", "many"], "--tries is 'many', which is not a whole number"),
        (["--bucket", "b", "--share", "half"], "--share is 'half', which is not a number"),
    ],
)
def test_the_error_names_the_argument(argv: list[str], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        parse(Arguments, argv)
