"""What ``lakehouse lineage`` prints and writes: figures, what is untraced, a column's ways, events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from catalog.catalogue import Catalogue
from catalog.lineage import ColumnLineage, Dataset, Field, Input
from glue_jobs.documentation.openlineage import PROJECTED, project
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.errors import UserError
from lakehouse.terminal import counted
from sites.catalog import column_lineage


def figures(lineage: ColumnLineage) -> dict[str, Any]:
    """What is known, counted, and every column that is not traced with the reason, for programs."""
    found = column_lineage.figures(lineage)
    return {
        "datasets": found.datasets,
        "columns": found.columns,
        "edges": {"values": found.values, "conditions": found.conditions},
        "untraced": {str(field): reason for field, reason in lineage.untraced.items()},
    }


def figures_text(lineage: ColumnLineage) -> str:
    """The same for people: what is not traced is listed by what it is of."""
    found = column_lineage.figures(lineage)
    lines = [
        f"{found.datasets:>7,}  tables, views, questions, data sets, cards and notebooks",
        f"{found.columns:>7,}  columns of theirs",
        f"{found.values:>7,}  edges: a value goes into another",
        f"{found.conditions:>7,}  edges: a column decides another's value",
        f"{found.untraced:>7,}  columns are untraced",
    ]
    for dataset, reason, names in column_lineage.untraced(lineage):
        lines += ["", f"{dataset}, {counted(len(names), 'column')}: {reason}", f"  {', '.join(names)}"]
    return "\n".join(lines)


def find_column(lineage: ColumnLineage, named: str) -> Field:
    """The column of a name as it is printed, ``<database>.<table>.<column>``.

    Raises:
        UserError: There is no such column.
    """
    found = [field for table in lineage.tables.values() for field in table.fields if str(field) == named]
    if found:
        return found[0]
    column = named.rpartition(".")[2]
    alike = [str(f) for t in lineage.tables.values() for f in t.fields if f.column == column][:5]
    hint = f"There is {', '.join(alike)}." if alike else "Name it <database>.<table>.<column>."
    raise UserError(f"There is no column {named}.", hint)


def column(lineage: ColumnLineage, field: Field) -> dict[str, Any]:
    """What one column comes from, nearest and first, and what it reaches, for programs."""
    table = lineage.tables[field.dataset]
    return {
        "column": str(field),
        "comes_from": [_stated(one) for one in lineage.origins(field)],
        "made_by": table.made.get(field.column),
        "untraced": table.untraced.get(field.column),
        "reaches": [str(one) for one in lineage.reached(field)],
        "decides": [str(one) for one in lineage.decided(field)],
    }


def column_text(lineage: ColumnLineage, field: Field) -> str:
    """The same for people: the whole way back as a tree, and what the column reaches."""
    lines = [str(field), *_back(lineage, field, "  ", {field})]
    reached, decided = lineage.reached(field), lineage.decided(field)
    for title, listed in (("reaches", _by_dataset(reached)), ("decides rows or values of", decided)):
        if listed:
            lines += ["", f"{title}:", *(f"  {one}" for one in listed)]
    return "\n".join(lines)


def _by_dataset(fields: Iterable[Field]) -> list[str]:
    found: dict[Dataset, list[str]] = {}
    for one in fields:
        found.setdefault(one.dataset, []).append(one.column)
    return [f"{dataset}: {', '.join(names)}" for dataset, names in found.items()]


def _back(lineage: ColumnLineage, field: Field, indent: str, seen: set[Field]) -> list[str]:
    table = lineage.tables.get(field.dataset)
    if table is None:
        return []
    lines = []
    for what, reasons in (("made by", table.made), ("untraced:", table.untraced)):
        if field.column in reasons:
            lines.append(f"{indent}{what} {reasons[field.column]}")
    for one in lineage.origins(field):
        lines.append(f"{indent}<- {one.field} ({one.how.type.lower()}, {one.how.subtype.lower()})")
        if one.how.is_direct and one.field not in seen:
            lines += _back(lineage, one.field, f"{indent}  ", seen | {one.field})
    return lines


def _stated(one: Input) -> dict[str, str]:
    return {"column": str(one.field), "type": one.how.type, "subtype": one.how.subtype}


# Marquez refuses datasets of a namespace with other characters, and gives jobs of one another namespace.
_NAMESPACE = re.compile(r"[a-zA-Z0-9:/_.-]{1,1024}")


def is_namespace(text: str) -> bool:
    """Whether a text may be the namespace of jobs and datasets."""
    return _NAMESPACE.fullmatch(text) is not None


def since_batch(lake: LakeClients, batch: int) -> dict[str, int]:
    """By stage, the sequence after which commits cover a batch or a later one."""
    found = {}
    for stage in PROJECTED:
        log = lake.log(stage)
        covering = log.covering(batch - 1)
        found[stage] = covering[0].sequence - 1 if covering else log.latest_sequence()
    return found


def write(
    folder: Path,
    lake: LakeClients,
    catalogue: Catalogue,
    lineage: ColumnLineage,
    namespace: str,
    since: Mapping[str, int],
) -> tuple[int, int]:
    """Write events as files.

    Args:
        folder: Where to; files that are there are replaced.
        lake: The lake's clients.
        catalogue: The contracts.
        lineage: What is known of every column.
        namespace: The namespace of jobs and datasets.
        since: By stage, the sequence after which commits are projected.

    Returns:
        How many events, and how many bytes.
    """
    events = size = 0
    for name, body in project(lake, catalogue, lineage, namespace, since):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        events += body.count(b"\n")
        size += len(body)
    return events, size
