from __future__ import annotations

import pytest

from glue_jobs.star import gates
from glue_jobs.star.merge_spec import UNREADABLE
from glue_jobs.star.summary import Survey, Tally


def surveyed(rows: int = 10, **flagged: int) -> Survey:
    return Survey(rows, frozenset(), (), flagged)


def test_rows_that_a_commit_names_and_that_were_not_read_stop_the_run() -> None:
    with pytest.raises(gates.GateError, match=r"fact_payment: 9 rows were read where .* 10"):
        gates.check_accepted("fact_payment", surveyed(9), 10)


def test_unreadable_dates_are_named_by_column_and_count() -> None:
    survey = surveyed(**{f"{UNREADABLE}payment_date": 2, "unmatched": 1})
    with pytest.raises(gates.GateError, match="fact_payment: 2 cells of payment_date cannot be read"):
        gates.check_readable("fact_payment", survey)


def test_empty_required_cells_are_named_by_table_column_and_count() -> None:
    tally = Tally(kept=10, empty_cells={"currency_id": 1, "paid": 0})
    with pytest.raises(gates.GateError, match="fact_payment: 1 cell of currency_id are empty"):
        gates.check_tally("fact_payment", surveyed(), tally)


def test_a_row_that_was_not_compared_stops_the_run() -> None:
    with pytest.raises(gates.GateError, match="of 10 incoming rows 9 were compared"):
        gates.check_tally("fact_payment", surveyed(), Tally(kept=5, unchanged=4))


def test_rows_lost_in_writing_stop_the_run() -> None:
    with pytest.raises(gates.GateError, match=r"fact_payment: 99 rows were written where 100"):
        gates.check_written("fact_payment", 100, 99)


def test_what_adds_up_passes() -> None:
    tally = Tally(kept=5, passed=1, unchanged=2, repeated=1, unknown_deletions=1, empty_cells={"paid": 0})
    gates.check_accepted("t", surveyed(), 10)
    gates.check_readable("t", surveyed(**{f"{UNREADABLE}a": 0, "unmatched": 3}))
    gates.check_tally("t", surveyed(), tally)
    gates.check_written("t", 1, 1)
