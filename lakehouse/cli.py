"""The command line, ``lakehouse``. Results go to standard output, everything else to standard error."""

from __future__ import annotations

from lakehouse.command_line import main
from lakehouse.commands import checks, pages, pipeline, project, questions, stack

__all__ = ["checks", "main", "pages", "pipeline", "project", "questions", "stack"]

if __name__ == "__main__":
    main()
