"""What the console's pages and the documentation's have in common: their look, and the header above each."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the header's template lies; pages that stand in this frame include it."""

_SHEETS = ("look.css", "header.css")
_HEADER = re.compile(r'<div class="console-header">.*?</div>', re.DOTALL)


def stylesheet() -> str:
    """The look that all share, the header's included."""
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in _SHEETS)


def with_header(page: str, header: str) -> str | None:
    """A page with another header in place of its own; nothing where it has none.

    Args:
        page: The whole page.
        header: Markup.
    """
    found, count = _HEADER.subn(lambda _: header, page, count=1)
    return found if count else None
