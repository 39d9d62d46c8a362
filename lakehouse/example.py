"""The example business of a project: an embedded source that is made, filled and seen to live on a laptop."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from catalog.pipeline import Pipeline
from glue_jobs.runtime.errors import UserError


class Example(Protocol):
    """What the module does that ``source.example`` of ``pipeline.yaml`` names."""

    def check(self, data: str) -> None:
        """Refuse a folder that cannot be what :meth:`fill` loads, before anything is started.

        Args:
            data: The folder that should hold the rows.

        Raises:
            ValueError: It cannot be; the message says why.
        """
        ...

    def fill(
        self,
        owner: str,
        reader: str,
        data: str | None,
        scale: int,
        until: str | None,
        say: Callable[[str], None],
    ) -> dict[str, int]:
        """Make the source's tables in an empty database, and fill them.

        Args:
            owner: The DSN of the database, as its owner.
            reader: The role that captures, which may read every table afterwards.
            data: The folder that holds the rows, where they are not to be invented.
            scale: How many times the real volume is invented.
            until: The last day of what is invented, as 2024-11-15; the last that is over unless given.
            say: Is told what happens.

        Returns:
            Rows by table.

        Raises:
            ValueError: What was given cannot be loaded; the message says where and what to do.
        """
        ...

    def demonstrate(self, state: Path | None, *, keep: bool) -> int:
        """Show the whole pipeline on a source that changes; returns the exit code.

        Args:
            state: The directory of the stack; a temporary one where none is given.
            keep: Whether the stack is left running at the end.
        """
        ...


def load_example(pipeline: Pipeline) -> Example:
    """The project's example.

    Raises:
        UserError: The project brings none.
    """
    if pipeline.source.example is None:
        raise UserError(
            f"The project {pipeline.name} brings no example of its source.",
            "Name a database that holds its tables: lakehouse up --source DSN",
        )
    return cast("Example", importlib.import_module(pipeline.source.example))


@dataclass(frozen=True)
class EmbeddedSource:
    """The database and roles of a source that the stack itself runs.

    Attributes:
        database: The database.
        owner: The role that owns its tables.
        reader: The role that captures, and may only read.
    """

    database: str
    owner: str
    reader: str

    @staticmethod
    def of(pipeline: Pipeline) -> EmbeddedSource:
        """Those of a project, named after it."""
        return EmbeddedSource(pipeline.name, f"{pipeline.name}_owner", f"{pipeline.name}_reader")
