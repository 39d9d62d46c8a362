"""The numbers of the index, from a handful of entries that can be added up by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt

from expectations import validation_report
from expectations.rules import load_suites
from sites.validation import entries
from sites.validation.entries import Entry, Finding, entry_of, merged
from sites.validation.overview import TOP_RULES, Tally, overview, shown_days

MONDAY = dt.date(2026, 11, 16)
OWNERS = {"payment": "finance@example", "staff": "people@example"}
LATE = Finding("due_date_is_a_date", "reject", "The day is no day.", "finance@example", 2)
SHAPE = Finding("email_address_has_shape", "warn", "It does not look right.", "people@example", 50)


def entry(table: str, batch: int, read: int, *findings: Finding, rejected: int = 0, warned: int = 0) -> Entry:
    return Entry(table, batch, f"2026-11-16T10:{batch:02}:00.000Z", read, rejected, warned, 0, findings)


def test_rows_are_added_by_table_and_day_and_a_batch_of_several_tables_counts_once() -> None:
    tuesday = MONDAY + dt.timedelta(days=1)
    found = {
        MONDAY: [entry("payment", 1, 100, LATE, rejected=2), entry("staff", 1, 60, SHAPE, warned=50)],
        tuesday: [entry("payment", 2, 30), entry("payment", 3, 10, LATE, rejected=2)],
    }
    shown = overview([MONDAY, tuesday], found, OWNERS, {"payment": 3})
    assert shown.total == Tally(batches=3, read=200, rejected=4, warned=50)
    assert shown.total.accepted == 196
    assert shown.by_day[-2:] == (Tally(1, 160, 2, 50), Tally(2, 40, 2, 0))
    payment, staff = shown.tables
    assert (payment.table, payment.owner, payment.open) == ("payment", "finance@example", 3)
    assert (payment.total, payment.days[-2:]) == (Tally(3, 140, 4), (Tally(1, 100, 2), Tally(2, 40, 2)))
    assert (staff.open, staff.latest and staff.latest.batch) == (0, 1)
    assert [day.worst for day in staff.days[-2:]] == ["warned", "none"]
    assert [day.worst for day in payment.days[-2:]] == ["rejected", "rejected"]
    assert (shown.newest, shown.judged_at) == (3, "2026-11-16T10:03:00.000Z")


def test_rules_come_by_the_rows_that_broke_them_and_of_as_many_the_rejecting_ones_first() -> None:
    often = dataclasses.replace(LATE, rule="sale_has_its_order", rows=7)
    reworded = dataclasses.replace(LATE, reason="Said better.")
    found = {MONDAY: [entry("payment", 2, 9, reworded), entry("payment", 1, 9, LATE, often, SHAPE)]}
    rules = overview([MONDAY], found, OWNERS, {}).rules
    assert [(rule.finding.rule, rule.rows, rule.days[-1]) for rule in rules] == [
        ("email_address_has_shape", 50, 50),
        ("sale_has_its_order", 7, 7),
        ("due_date_is_a_date", 4, 4),
    ]
    warned = dataclasses.replace(SHAPE, rows=LATE.rows)
    of_as_many = overview([MONDAY], {MONDAY: [entry("payment", 1, 9, warned, LATE)]}, OWNERS, {}).rules
    assert [rule.finding.severity for rule in of_as_many] == ["reject", "warn"]
    assert rules[2].finding.reason == "Said better."
    many = [dataclasses.replace(LATE, rule=f"rule_{number}") for number in range(TOP_RULES + 5)]
    assert len(overview([MONDAY], {MONDAY: [entry("payment", 1, 9, *many)]}, OWNERS, {}).rules) == TOP_RULES


def test_days_without_batches_keep_their_place_and_older_ones_are_listed() -> None:
    week_later = MONDAY + dt.timedelta(days=6)
    assert shown_days([week_later, MONDAY]) == tuple(MONDAY + dt.timedelta(days=n) for n in range(7))
    # A site that is a day old shows a week all the same, so that a single bar is no wall.
    assert shown_days([MONDAY])[0] == MONDAY - dt.timedelta(days=6)
    year_ago = MONDAY - dt.timedelta(days=365)
    shown = overview([year_ago, MONDAY], {MONDAY: [entry("payment", 1, 1)]}, OWNERS, {})
    assert (len(shown.days), shown.days[-1], shown.earlier) == (14, MONDAY, (year_ago,))
    assert shown.recorded == {MONDAY}


def test_before_the_first_batch_there_is_nothing_and_no_error() -> None:
    shown = overview([], {}, OWNERS, {})
    assert (shown.days, shown.total, shown.rules, shown.newest) == ((), Tally(), (), 0)
    assert [table.total.worst for table in shown.tables] == ["none", "none"]


def test_an_entry_says_what_its_validation_result_says() -> None:
    suite = load_suites()["staff"]
    meta = {"table": "staff", "batch": 7, "judged_at": "2026-11-16T10:00:00.000Z"}
    counts = {"read": 12, "rejected": 1, "warned": 3, "deletions": 2}
    broken = {"email_address_has_shape": 3, "department_id_is_known": 1}
    found = entry_of(validation_report.validation_result(suite, 10, broken, {}, {**meta, **counts}))
    assert (found.table, found.batch, found.read, found.accepted, found.deletions) == ("staff", 7, 12, 11, 2)
    by_name = {rule.name: rule for rule in suite.rules}
    assert [(one.rule, one.rows) for one in found.findings] == list(broken.items())
    for one in found.findings:
        rule = by_name[one.rule]
        assert (one.severity, one.reason, one.owner) == (rule.severity, rule.reason, rule.owner)


def test_a_days_record_holds_each_table_and_batch_once_and_is_read_as_it_was_written() -> None:
    known = (entry("payment", 2, 5), entry("payment", 1, 9, LATE, rejected=2))
    grown = merged(known, [entry("staff", 2, 1), entry("payment", 2, 5)])
    assert [(one.batch, one.table) for one in grown] == [(2, "payment"), (2, "staff"), (1, "payment")]
    assert entries.from_json(entries.to_json(grown)) == grown
    assert entries.from_json(entries.to_json(grown).replace(b'"format": 1', b'"format": 0')) == ()
