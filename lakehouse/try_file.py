"""What a feed would make of a file on this machine: nothing is kept, and no stack is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog.model import Contract
from glue_jobs.sources.file_rows import NoRow, RowReader
from glue_jobs.sources.json_documents import UnreadableFile, read_elements
from lakehouse.feed_files import shown

_LISTED = 20
"""How many lines are told of at most."""


def try_file(contract: Contract, path: Path) -> Iterator[str]:
    """What becomes of a file, in lines for a person.

    Args:
        contract: The raw table of the feed.
        path: The file.
    """
    reader = RowReader(contract)
    rows, told, unknown = 0, list[str](), set[str]()
    try:
        with path.open("rb") as file:
            for element in read_elements(file, reader.read.rows):
                if element.members is None:
                    told.append(f"{element.place:,} gives no row: {element.problem}")
                    continue
                unknown |= reader.unknown(element.members)
                try:
                    row = reader.row(element.members)
                except NoRow as error:
                    told.append(f"{element.place:,} gives no row: {error}")
                    continue
                rows += 1
                for name, odd in row.odd.items():
                    kind = contract.column(name).type
                    told.append(f"{element.place:,}: {name} is {odd!r}, which is no {kind}: a dead letter")
    except UnreadableFile as error:
        yield f"nothing of {path} would be taken: {error}"
        return
    yield f"{path} gives {rows:,} {'row' if rows == 1 else 'rows'} of {contract.table}"
    yield from told[:_LISTED]
    if len(told) > _LISTED:
        yield f"and {len(told) - _LISTED:,} more"
    if unknown:
        yield f"unknown members: {', '.join(map(shown, sorted(unknown)[:_LISTED]))}"
