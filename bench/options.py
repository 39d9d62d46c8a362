"""What a measurement is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        rows: Sales orders in the tables that are measured.
        runs: How often each case runs; cases alternate, and medians are reported.
    """

    rows: int = 2_000_000
    runs: int = 5

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Adds these options to a command line."""
        parser.add_argument("--rows", type=_positive, default=cls.rows, help="sales orders (%(default)s)")
        parser.add_argument(
            "--runs", type=_positive, default=cls.runs, help="runs of each case (%(default)s)"
        )

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> Options:
        """The options on the command line of one part."""
        parser = argparse.ArgumentParser()
        cls.add_to(parser)
        given = parser.parse_args(argv)
        return cls(given.rows, given.runs)


def _positive(text: str) -> int:
    number = int(text.replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
