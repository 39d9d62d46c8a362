"""A person's word that a mass delete is meant."""

from __future__ import annotations

from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.holds import Hold, Holds


def release(holds: Holds, table: str | None, at: str) -> list[Hold]:
    """Release what is held, of one table or of all.

    Args:
        holds: Where holds are kept.
        table: The table; nothing for all.
        at: Now, as the lake states times.

    Returns:
        What was released.

    Raises:
        UserError: Nothing is held, or nothing of that table.
    """
    held = holds.open()
    chosen = [hold for hold in held if table in (None, hold.table)]
    if not chosen:
        of = f" of {table}" if table else ""
        others = ", ".join(hold.table for hold in held)
        raise UserError(
            f"No deletion{of} is held.",
            f"Held are deletions of: {others}." if others else "There is nothing to release.",
        )
    for hold in chosen:
        holds.release(hold, at)
    return chosen
