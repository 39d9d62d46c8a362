"""Glue job: the facts of the star, every version of every order and payment that was accepted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from catalog.model import Contract
from glue_jobs.runtime import arguments, errors
from glue_jobs.runtime.stages import open_stage
from glue_jobs.star.read import session
from glue_jobs.star.stage import Arguments, drain
from glue_jobs.star.tables import Build, Built, build_table

JOB = "build_facts"


def main(argv: Sequence[str]) -> int:
    """Drain every validated batch that the facts have not covered.

    Args:
        argv: See :class:`Arguments`; others are ignored.
    """
    stage = open_stage("facts", "validate", arguments.parse(Arguments, argv))
    return drain(stage, partial(session, JOB), tables)


def tables(build: Build) -> Iterator[Callable[[], Mapping[str, Built]]]:
    """The work on each fact."""
    for contract in build.catalogue.star_of_kind("fact"):
        yield partial(_fact, build, contract)


def _fact(build: Build, contract: Contract) -> dict[str, Built]:
    return {contract.table: build_table(build, contract)}


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
