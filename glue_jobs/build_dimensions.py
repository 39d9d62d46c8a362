"""Glue job: the dimensions of the star, the latest row of each key, from what validation accepted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from pyspark.sql import DataFrame

from catalog.model import Contract
from glue_jobs.runtime import arguments, errors
from glue_jobs.runtime.stages import open_stage
from glue_jobs.star.read import session
from glue_jobs.star.stage import Arguments, drain
from glue_jobs.star.tables import Build, Built, build_calendar, build_joined, build_table, inferred_members

JOB = "build_dimensions"


def main(argv: Sequence[str]) -> int:
    """Drain every validated batch that the dimensions have not covered.

    Args:
        argv: See :class:`Arguments`; others are ignored.
    """
    stage = open_stage("dimensions", "validate", arguments.parse(Arguments, argv))
    return drain(stage, partial(session, JOB), tables)


def tables(build: Build) -> Iterator[Callable[[], Mapping[str, Built]]]:
    """The work on the calendar and on each dimension."""
    for contract in build.catalogue.star_of_kind("calendar"):
        yield partial(_calendar, build, contract)
    # Pieces are taken one by one and begin at once: the calendar is made meanwhile.
    inferred = inferred_members(build)
    for contract in build.catalogue.star_of_kind("dimension"):
        yield partial(_dimension, build, contract, inferred.get(contract.table))


def _calendar(build: Build, contract: Contract) -> Mapping[str, Built]:
    return {contract.table: build_calendar(build, contract)}


def _dimension(build: Build, contract: Contract, inferred: DataFrame | None) -> Mapping[str, Built]:
    if contract.built_from is not None and contract.built_from.joins:
        return build_joined(build, contract, inferred)
    return {contract.table: build_table(build, contract, inferred)}


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
