"""What must hold before a stage of the star commits; messages name tables, columns and counts."""

from __future__ import annotations

from collections.abc import Mapping

from glue_jobs.runtime.errors import UserError
from glue_jobs.star.merge_spec import UNREADABLE
from glue_jobs.star.summary import Survey, Tally


class GateError(UserError):
    """Something would have been published that must not be; nothing was."""


def check_accepted(table: str, survey: Survey, accepted: int) -> None:
    """Refuse input that is not what its commits say.

    Args:
        table: The star table, or the raw table of a snapshot.
        survey: What arrived.
        accepted: Rows that the commits name.
    """
    if survey.from_source != accepted:
        raise GateError(
            f"{table}: {survey.from_source} rows were read where the validated commits name {accepted}.",
            "Nothing was committed. Compare the raw objects with their commits and run the job again.",
        )


def check_readable(table: str, survey: Survey) -> None:
    """Refuse values that cannot be read as what the contract says."""
    bad = {
        name[len(UNREADABLE) :]: count
        for name, count in survey.flagged.items()
        if count and name.startswith(UNREADABLE)
    }
    if bad:
        raise GateError(
            f"{table}: {_listed(bad)} cannot be read as dates YYYY-MM-DD.",
            "Nothing was committed. Correct the rows in the source; the next capture brings them.",
        )


def check_tally(table: str, survey: Survey, tally: Tally) -> None:
    """Refuse a merge that lost or doubled a row, or that leaves a required column empty."""
    if tally.read != survey.rows:
        raise GateError(
            f"{table}: of {survey.rows} incoming rows {tally.read} were compared.",
            "Nothing was committed. The commits' batch ranges overlap or the input changed; run it again.",
        )
    empty = {name: count for name, count in tally.empty_cells.items() if count}
    if empty:
        raise GateError(
            f"{table}: {_listed(empty)} are empty though the contract requires them.",
            "Nothing was committed. Correct the rows in the source, or make the column nullable.",
        )


def check_written(table: str, expected: int, written: int) -> None:
    """Refuse objects that do not hold the rows that were there and the new ones."""
    if written != expected:
        raise GateError(
            f"{table}: {written} rows were written where {expected} were to be.",
            "Nothing was committed. Run the job again; if it stays so, an object changed while it was read.",
        )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} cell{'s' if count != 1 else ''} of {name}" for name, count in counts.items())
