"""The rows that a replay judges again, as SQL text."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.keys import key_sql
from catalog.model import Contract
from catalog.types import FLOATS, sort_keys
from glue_jobs.validation import unresolved
from glue_jobs.validation.row_validator import BATCH, VERSION_ID

_PLACE = "place"


def originals(dead_letters: str, letters: str, contract: Contract, columns: Sequence[str]) -> str:
    """The rows of unresolved dead letters as they were captured; of several with a key the newest version.

    Args:
        dead_letters: Relation of dead letters with everything that the rows were captured with, and
            ``batch``.
        letters: Relation of :func:`glue_jobs.validation.unresolved.unresolved_schema`.
        contract: Their raw table.
        columns: The columns of the rows, those of the path included.
    """
    key = key_sql(contract)
    order = [f"{name} DESC NULLS LAST" for name in (BATCH, VERSION_ID)]
    floats = {column.name for column in contract.columns if column.type.name in FLOATS}
    order += [
        f"{key} ASC NULLS FIRST"
        for name in columns
        if name not in (BATCH, VERSION_ID)
        for key in sort_keys(name, is_float=name in floats)
    ]
    return f"""\
SELECT {", ".join(columns)}
FROM (
    SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {", ".join(order)}) AS {_PLACE}
    FROM {dead_letters}
    WHERE EXISTS (
        SELECT 1 FROM {letters}
        WHERE {letters}.{unresolved.KEY} IS NOT DISTINCT FROM {key_sql(contract, dead_letters)}
          AND {letters}.{unresolved.VERSION} = {dead_letters}.{VERSION_ID}
          AND {letters}.{unresolved.BATCH} = {dead_letters}.{BATCH}
    )
) AS placed
WHERE {key} IS NULL OR {_PLACE} = 1"""


def sent_on(accepted: str, columns: Sequence[str], captured_at: str) -> str:
    """Rows that pass, as the last capture would have seen them.

    Args:
        accepted: Query of rows.
        columns: The columns of the raw files.
        captured_at: When the last capture took its snapshot, ``YYYY-MM-DDTHH:MM:SS.mmm``.
    """
    moment = f"CAST('{captured_at.replace('T', ' ')}' AS TIMESTAMP)"
    chosen = [f"{moment} AS captured_at" if name == "captured_at" else name for name in columns]
    return f"SELECT {', '.join(chosen)}\nFROM (\n{accepted}\n) AS accepted_rows"
