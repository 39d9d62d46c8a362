"""What a notebook asks Athena, by awswrangler: the same on AWS and on the laptop stack.

Nothing here says where Athena is. Credentials, region, work group and endpoint come from the environment:
``AWS_*`` , ``WR_WORKGROUP`` and ``WR_DATABASE``, which ``lakehouse env`` prints for a stack.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING

import awswrangler as wr

from bi.questions import load_questions
from catalog.catalogue import load_catalogue

if TYPE_CHECKING:
    import pandas as pd


def answer(question: str) -> pd.DataFrame:
    """The answer to a question of ``bi/queries/``, the currencies in rows of their own.

    Args:
        question: Its name.
    """
    asked = load_questions()[question]
    return ask(asked.redacted().sql if _database() == _redacted() else asked.sql)


def ask(sql: str) -> pd.DataFrame:
    """The rows of a query in Athena's SQL.

    Args:
        sql: The query.

    Returns:
        The rows. Decimals are floats: they are summed and drawn here, and exact in Athena.
    """
    # Without a table for each answer: whoever may read the lake may run the notebooks.
    frame: pd.DataFrame = wr.athena.read_sql_query(sql, database=_database(), ctas_approach=False)
    decimals = [name for name in frame if any(isinstance(value, Decimal) for value in frame[name])]
    return frame.astype(dict.fromkeys(decimals, float))


def _database() -> str:
    """Where unqualified tables are: the star, or what the environment names."""
    return os.environ.get("WR_DATABASE") or load_catalogue().zones["star"].database


def _redacted() -> str:
    """The star without personal columns."""
    return load_catalogue().redacted().zones["star"].database
