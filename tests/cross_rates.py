"""Cross rates as views make them, and as Python's Decimal does."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import yaml

from catalog.view_columns import VIEWS
from glue_jobs.reconciliation.expressions import FUNCTIONS

_STATED = yaml.safe_load((Path(__file__).parent / "cases" / "functions.yaml").read_text(encoding="utf-8"))
Pair = tuple[str | None, str | None]
CASES: list[Pair] = [(ours, theirs) for ours, theirs, _ in _STATED["cross_rate"]]


def cross_rate() -> str:
    """The expression of views, over ``ours`` and ``theirs`` in billionths."""
    return (VIEWS / "cross_rate.sql").read_text(encoding="utf-8").rstrip()


def in_views(pairs: list[Pair]) -> str:
    """A query that gives the cross rate of each pair by the expression of views, in their order."""
    rows = ", ".join(f"({at}, {_number(ours)}, {_number(theirs)})" for at, (ours, theirs) in enumerate(pairs))
    return (
        f"SELECT place, {cross_rate()} AS rate"
        f" FROM (VALUES {rows}) AS given (place, ours, theirs) ORDER BY place"
    )


def wanted(ours: str | None, theirs: str | None) -> Decimal | None:
    """The cross rate by Python's Decimal."""
    rate: Decimal | None = FUNCTIONS["cross_rate"](ours, theirs) if ours and theirs else None
    return rate


def chosen_pairs(count: int = 2000) -> list[Pair]:
    """Pairs of all sizes, many of whose quotients are a half of the last place or next to one."""
    chosen = random.Random(20)
    pairs: list[Pair] = []
    for _ in range(count // 2):
        pairs.append((_units(chosen.randrange(1, 10**18)), _units(chosen.randrange(1, 10**18))))
        theirs = chosen.randrange(1, 10 ** chosen.randrange(1, 19))
        half = (2 * chosen.randrange(10**12) + 1) * theirs // (2 * 10**12) + chosen.randrange(-1, 2)
        pairs.append((_units(half), _units(theirs)))
    return pairs


def _units(whole: int) -> str:
    return f"{Decimal(whole).scaleb(-9):f}"


def _number(text: str | None) -> str:
    return (
        f"CAST({'NULL' if text is None else Decimal(text).scaleb(9).to_integral_exact()} AS decimal(38, 0))"
    )
