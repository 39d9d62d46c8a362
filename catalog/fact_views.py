"""The views over the facts, ``<fact>_current`` and ``<fact>_history``: their SQL stands in ``views/``.

One text serves Athena and the warehouse: what it uses means the same in Trino and PostgreSQL. Only the
current state has a second one for the warehouse, where an anti-join over the index on the versions lets a
filter reach the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Template

from pydantic import BaseModel, ConfigDict

from catalog.model import Column, Contract, validate
from catalog.yaml_lines import load_with_lines

VIEWS = Path(__file__).parent / "views"

KINDS = ("current", "history")
"""The views that every fact has, as their names end."""


@dataclass(frozen=True)
class FactView:
    """A view over a fact, for Athena or for the warehouse.

    Attributes:
        name: Its name, in the fact's own database or schema.
        description: What one row of it is.
        sql: The query.
        columns: What it shows, in order.
    """

    name: str
    description: str
    sql: str
    columns: tuple[Column, ...]


def athena_views(contract: Contract) -> tuple[FactView, ...]:
    """The views of a fact in the lake.

    The partition column is among what names a record. That changes nothing, since all versions of a record
    lie in one partition; but only so does a filter on it pass the window functions and spare the others.

    Args:
        contract: The fact.
    """
    shown = contract.all_columns + contract.partition_columns
    record = [column.name for column in contract.partition_columns] + list(contract.key)
    table = f"{contract.zone_info.database}.{contract.table}"
    return tuple(_view(contract, kind, _text(f"{kind}.sql"), table, record, shown) for kind in KINDS)


def warehouse_views(contract: Contract, table: str) -> tuple[FactView, ...]:
    """The views of a fact in the warehouse, of the same names and rows as in the lake.

    Args:
        contract: The fact.
        table: The fact's table, qualified and quoted as PostgreSQL wants it.
    """
    texts = {"current": _text("current.warehouse.sql"), "history": _text("history.sql")}
    return tuple(
        _view(contract, kind, texts[kind], table, contract.key, contract.all_columns) for kind in KINDS
    )


def _view(
    contract: Contract, kind: str, text: str, table: str, record: Sequence[str], shown: tuple[Column, ...]
) -> FactView:
    comments, query = _parts(text)
    business = [c.name for c in contract.columns if not c.record_id and c.name not in contract.key]
    filled = Template(query).substitute(
        columns=_listed(column.name for column in shown),
        table=table,
        record=_listed(record),
        same_record=" AND ".join(f'newer."{name}" = versions."{name}"' for name in record),
        names_of_changed=",\n            ".join(
            f'CASE WHEN "{name}" IS DISTINCT FROM lag("{name}") OVER versions THEN \'{name}\' END'
            for name in business
        ),
    )
    further = getattr(_further_columns(), kind)
    return FactView(f"{contract.table}_{kind}", comments, filled, shown + further)


def _listed(names: Iterable[str]) -> str:
    # The model lets nothing but plain identifiers be names, so there is nothing to escape.
    return ", ".join(f'"{name}"' for name in names)


def _parts(text: str) -> tuple[str, str]:
    """The comment at the head of a file as one line, and the query below it."""
    lines = text.strip().splitlines()
    head = [line for line in lines if line.startswith("--")]
    return " ".join(line.lstrip("- ") for line in head), "\n".join(lines[len(head) :])


@cache
def _text(name: str) -> str:
    return (VIEWS / name).read_text(encoding="utf-8")


class _Further(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    current: tuple[Column, ...]
    history: tuple[Column, ...]


@lru_cache(maxsize=1)
def _further_columns() -> _Further:
    path = VIEWS / "columns.yaml"
    data, lines = load_with_lines(path)
    return validate(_Further, data, path, lines)
