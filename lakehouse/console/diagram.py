"""Draws a star schema: its facts, its dimensions, and which of a fact's columns names a row of which."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from catalog.model import Contract

_WIDTH, _BOX, _LINE, _GAP, _PAD = 860, 300, 20, 26, 10


def diagram(tables: Mapping[str, Contract]) -> str:
    """An SVG of facts on the left and what they refer to on the right, each box a link to its table.

    Args:
        tables: The star's tables by name.
    """
    facts = [one for one in tables.values() if one.kind == "fact"]
    others = [one for one in tables.values() if one.kind in ("dimension", "calendar")]
    left, right = _stacked(facts), _stacked(others)
    height = max([bottom for _, bottom in (*left.values(), *right.values())], default=0) + _GAP
    label = escape(f"Entity-relationship diagram: {_in_words(facts)}", quote=True)
    parts = [f'<svg class="diagram" viewBox="0 0 {_WIDTH} {height}" role="group" aria-label="{label}">']
    for fact in facts:
        for number, reference in enumerate(fact.references):
            if reference.table in right:
                start = left[fact.table][0] + _LINE * (number + 2) - 4
                end = right[reference.table][0] + _LINE
                middle = _WIDTH // 2
                parts.append(
                    f'<path d="M{_BOX} {start} C{middle} {start} {middle} {end} {_WIDTH - _BOX} {end}">'
                    f"<title>{escape(f'{fact.table}.{reference.column} → {reference.table}')}</title></path>"
                )
    parts += [_box(one, 0, left[one.table], [r.column for r in one.references]) for one in facts]
    parts += [_box(one, _WIDTH - _BOX, right[one.table], list(one.key)) for one in others]
    return "".join([*parts, "</svg>"])


def _stacked(tables: list[Contract]) -> dict[str, tuple[int, int]]:
    """By table, where its box begins and ends, one below the other."""
    found, top = {}, 4
    for table in tables:
        lines = len(table.references) if table.kind == "fact" else len(table.key)
        bottom = top + _LINE * (lines + 1) + _PAD
        found[table.table] = (top, bottom)
        top = bottom + _GAP
    return found


def _box(table: Contract, x: int, place: tuple[int, int], lines: list[str]) -> str:
    top, bottom = place
    texts = "".join(
        f'<text x="{x + _PAD}" y="{top + _LINE * (number + 2) - 2}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<a href="/catalog/star/{escape(table.table, quote=True)}">'
        f'<rect x="{x}" y="{top}" width="{_BOX}" height="{bottom - top}" rx="6"/>'
        f'<text class="name" x="{x + _PAD}" y="{top + _LINE - 3}">{escape(table.table)}</text>{texts}</a>'
    )


def _in_words(facts: list[Contract]) -> str:
    return "; ".join(
        f"{fact.table} refers to {', '.join(sorted({r.table for r in fact.references}))}" for fact in facts
    )
