"""What a reader has chosen on a sheet, as the page's address says it, held against what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bi.card_queries import FIRST, LAST, Choices, SheetQueries
from bi.dashboard import Dashboard, Sheet
from bi.periods import EVERYTHING, OWN, PERIODS, Range, chosen_range
from lakehouse.dashboard.sources import Reading

FROM, TO = "from", "to"
"""The words of an address for the first and the last day of a range of the reader's own."""

TITLES: Mapping[str, str] = {
    **{name: period.title for name, period in PERIODS.items()},
    EVERYTHING: "Everything",
    OWN: "From … to …",
}
"""What the ranges are called from which a reader chooses."""


@dataclass(frozen=True)
class Chosen:
    """What is chosen on a sheet.

    Attributes:
        choices: What rows are narrowed to.
        period: The name of the range, where the sheet has one.
        wrong: What of the address is not followed, in words.
    """

    choices: Choices
    period: str = EVERYTHING
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What can be chosen on a sheet.

    Attributes:
        values: By filter, in order.
        range: The days from which and to which there are rows; nothing where there are none, or no range.
    """

    values: Mapping[str, Sequence[str]]
    range: Range | None


def chosen(dashboard: Dashboard, sheet: Sheet, words: Mapping[str, str], today: date) -> Chosen:
    """What an address says of a sheet's filters; words that it does not know are others'.

    Args:
        dashboard: What is declared.
        sheet: The sheet.
        words: The words of the address.
        today: The day today (UTC).
    """
    values: dict[str, str] = {}
    found = Chosen(Choices())
    for name in sheet.filters:
        control = dashboard.declared.filters[name]
        said = words.get(name, "").strip() or control.default
        if control.choose != "range":
            values |= {name: said} if said else {}
            continue
        period = str(said)
        try:
            days = chosen_range(period, words.get(FROM, ""), words.get(TO, ""), today)
        except ValueError as error:
            wrong = f"The address asks for a period that is none: {error}."
            period = str(control.default)
            found = Chosen(Choices(range=PERIODS[period].on(today)), period, (wrong,))
        else:
            found = Chosen(Choices(range=days), period)
    return replace(found, choices=replace(found.choices, values=values))


def options_of(dashboard: Dashboard, sheet: Sheet, queries: SheetQueries, reading: Reading) -> Options:
    """What can be chosen, as the queries for it were answered."""
    by_field: dict[str, set[str]] = {}
    days: dict[str, str] = {}
    for name, query in queries.options.items():
        for row in reading.answers[name].rows:
            for field, cell in zip(query.columns, row, strict=True):
                if field in (FIRST, LAST):
                    # Of each set of the grouping there are some; the widest are those of all.
                    wider = min if field == FIRST else max
                    days |= {field: wider(days.get(field, str(cell)), str(cell))} if cell else {}
                elif cell is not None:
                    by_field.setdefault(field, set()).add(str(cell))
    filters = {name: dashboard.declared.filters[name] for name in sheet.filters}
    values = {
        name: sorted(by_field.get(one.field, ())) for name, one in filters.items() if one.choose != "range"
    }
    there = Range(date.fromisoformat(days[FIRST]), date.fromisoformat(days[LAST])) if days else None
    return Options(values, there)


def corrected(dashboard: Dashboard, given: Chosen, options: Options, words: Mapping[str, str]) -> Chosen:
    """The same without values that there are not; where one must be chosen, another is.

    Args:
        dashboard: What is declared.
        given: What was asked for.
        options: What there is.
        words: The words of the address, whose mistakes are told.
    """
    values, wrong = dict(given.choices.values), list(given.wrong)
    for name, value in given.choices.values.items():
        there = options.values.get(name, ())
        if value in there or not there:
            continue
        control = dashboard.declared.filters[name]
        if words.get(name):
            wrong.append(f"There is no data for {name} {value}, which the address asks for.")
        if control.choose == "one":
            values[name] = str(control.default) if control.default in there else there[0]
        else:
            del values[name]
    return replace(given, choices=replace(given.choices, values=values), wrong=tuple(wrong))
