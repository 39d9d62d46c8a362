"""A person's word that a mass delete is meant."""

from __future__ import annotations

from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.mass_deletes import MassDelete, MassDeletes


def release(deletes: MassDeletes, table: str | None, at: str) -> list[MassDelete]:
    """Let the mass deletes through that wait, of one table or of all.

    Args:
        deletes: Where mass deletes are kept.
        table: The table; nothing for all.
        at: Now, as the lake states times.

    Returns:
        What was let through.

    Raises:
        UserError: Nothing waits, or nothing of that table.
    """
    waiting = deletes.waiting()
    chosen = [delete for delete in waiting if table in (None, delete.table)]
    if not chosen:
        of = f" of {table}" if table else ""
        others = ", ".join(delete.table for delete in waiting)
        raise UserError(
            f"No deletion{of} is held.",
            f"Held are deletions of: {others}." if others else "There is nothing to release.",
        )
    for delete in chosen:
        deletes.resume(delete, at)
    return chosen
