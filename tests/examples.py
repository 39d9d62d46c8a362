"""How many examples a property draws: few in every run, many in `make test-all`, which sets EXAMPLES=many."""

from __future__ import annotations

import os


def examples(few: int, many: int) -> int:
    """The number for a property whose examples take long."""
    return many if os.environ.get("EXAMPLES") == "many" else few
