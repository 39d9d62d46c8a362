"""Statements with the results that Athena documents, and what a stack makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glue_jobs.runtime.athena import QueryFailed
from local_aws.athena.query_errors import AthenaError, QueryError

SANDBOX, PREFIX = "apichk", "s3://pyathena-tests/"
"""How the statements name the database and the prefix that they write to."""

_FILE = Path(__file__).parent / "cases" / "athena.jsonl"
_EXPRESSIONS = Path(__file__).parent / "cases" / "athena_expressions.list"

Rows = Iterable[Iterable[str | None]]
Ask = Callable[[str], Rows]


@dataclass(frozen=True)
class Judged:
    """One statement and what became of it: right, refused, wrong, or accepted where Athena refuses."""

    number: int
    sql: str
    verdict: str
    told: str


NOT_HERE = ("MATCH_RECOGNIZE", "format='ORC'", "format='AVRO'")
"""What Athena does and this stack refuses."""


def load() -> list[dict[str, Any]]:
    """The statements, in the order in which they are run."""
    return [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]


def load_expressions() -> dict[str, list[tuple[str, str]]]:
    """By topic, expressions and queries, each with its only value or its rows as text, or ``ERROR``."""
    found: dict[str, list[tuple[str, str]]] = {}
    topic = ""
    for line in _EXPRESSIONS.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            topic = line.removeprefix("## ")
        elif line and not line.startswith("#"):
            text, _, answer = line.rpartition("==>")
            found.setdefault(topic, []).append((text.strip(), answer.strip()))
    return found


def asked(expression: str) -> str:
    """The query that asks for an expression; behind ``OF`` stand the values of its column ``x``."""
    if expression.upper().startswith(("SELECT", "VALUES", "WITH ", "TABLE ")):
        return expression
    text, of, values = expression.partition(" OF ")
    return f"SELECT {text} FROM (VALUES {values}) AS t(x)" if of else f"SELECT {text}"


def mistakes(cases: Iterable[tuple[str, str]], ask: Ask) -> list[str]:
    """Expressions and queries that are not answered as they should be, each with what came instead.

    Args:
        cases: Each with its only value or its rows as text, or ``ERROR``.
        ask: Runs a statement.
    """
    answered = [(expression, answer, _answer(asked(expression), ask)) for expression, answer in cases]
    return [
        f"{expression} gives {came}, not {answer}"
        for expression, answer, came in answered
        if came != answer and not (answer == "ERROR" and came.startswith("ERROR: "))
    ]


def _answer(sql: str, ask: Ask) -> str:
    """The rows that a statement gives as text, or why there are none."""
    try:
        rows = ask(sql)
    except (AthenaError, QueryError) as error:
        # What nobody foresaw is no refusal.
        unforeseen = "GENERIC_INTERNAL_ERROR" in str(error)
        return f"{'a failure' if unforeseen else 'ERROR'}: {error}"
    return "; ".join(" | ".join("NULL" if cell is None else cell for cell in row) for row in rows)


def judge(cases: Iterable[dict[str, Any]], ask: Ask, database: str, prefix: str) -> list[Judged]:
    """Run statements in order, and compare each with its result.

    Args:
        cases: The statements.
        ask: Runs one.
        database: The sandbox's name, in place of that of the file.
        prefix: The sandbox's prefix, in place of that of the file.
    """
    found = []
    for number, case in enumerate(cases):
        sql = case["sql"].replace(SANDBOX, database).replace(PREFIX, prefix)
        found.append(Judged(number, sql, *verdict(sql, case["want"], ask)))
    return found


def verdict(sql: str, want: Any, ask: Ask) -> tuple[str, str]:
    """What becomes of a statement, and what was told of it.

    Args:
        sql: The statement.
        want: Its result: rows, the text of the only cell, ``*`` for any, ``none`` for no row, or ``ERROR``.
        ask: Runs it.
    """
    try:
        rows = [list(row) for row in ask(sql)]
    except (AthenaError, QueryError, QueryFailed) as error:
        return ("right" if want == "ERROR" else "refused"), str(error)
    if want == "ERROR":
        return "accepted", str(rows)
    return ("right" if _is(rows, want, ordered="order by" in sql.lower()) else "wrong"), f"{rows}, not {want}"


def _is(rows: list[list[str | None]], want: Any, *, ordered: bool) -> bool:
    if want == "*":
        return True
    if want == "none":
        return not rows
    if want is None or isinstance(want, str) or _is_near(want):
        want = [[want]]
    if not ordered:
        rows, want = sorted(rows, key=str), sorted(want, key=str)
    return len(rows) == len(want) and all(
        len(row) == len(wanted) and all(_same(cell, one) for cell, one in zip(row, wanted, strict=True))
        for row, wanted in zip(rows, want, strict=True)
    )


def _is_near(want: Any) -> bool:
    return isinstance(want, list) and len(want) == 2 and want[0] == "~"


def _same(cell: str | None, want: Any) -> bool:
    if _is_near(want):
        return cell is not None and abs(float(cell) - float(want[1])) <= 1e-9
    return bool(cell == want)


def report(judged: Iterable[Judged]) -> str:
    """The counts, and each statement that is not right."""
    listed = list(judged)
    counts = Counter(item.verdict for item in listed)
    lines = [
        f"{item.number} {item.verdict}: {item.sql[:160]}\n    {item.told[:300]}"
        for item in listed
        if item.verdict != "right"
    ]
    return "\n".join(
        [*lines, f"of {len(listed)}: " + ", ".join(f"{n} {word}" for word, n in sorted(counts.items()))]
    )
