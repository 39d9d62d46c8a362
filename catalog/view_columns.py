"""What the views over facts and dimensions show besides the columns of their tables."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from catalog.model import Column, Contract, Strict, validate
from catalog.yaml_lines import load_with_lines

VIEWS = Path(__file__).parent / "views"

_COUNTED_BY = "recency"
"""What a view calls the place of a version among those of its record, and does not show."""


class FurtherColumns(Strict):
    """By how the names of the views end, what these show besides the columns of their table."""

    current: tuple[Column, ...]
    history: tuple[Column, ...]
    daily: tuple[Column, ...]
    reported: tuple[Column, ...]


@lru_cache(maxsize=1)
def further_columns() -> FurtherColumns:
    """What the views show besides the columns of their table, by how their names end."""
    path = VIEWS / "columns.yaml"
    data, lines = load_with_lines(path)
    return validate(FurtherColumns, data, path, lines)


def names_of_views(contract: Contract) -> frozenset[str]:
    """Names that the views over a star table give to columns of their own; nothing where it has no views."""
    further = further_columns()
    if contract.kind == "dimension":
        return frozenset(column.name for column in further.current)
    if contract.kind != "fact":
        return frozenset()
    reported = further.reported if contract.reported is not None else ()
    shown = (*further.current, *further.history, *reported)
    return frozenset({_COUNTED_BY, *(column.name for column in shown)})


def names_of_all_views() -> frozenset[str]:
    """Names that no column can have whatever table of the star it is in."""
    further = further_columns()
    return frozenset({_COUNTED_BY, *(column.name for column in (*further.current, *further.history))})


def views_over(table: str) -> tuple[str, ...]:
    """The names of the views that a star table has or could have."""
    return f"{table}_current", f"{table}_history"
