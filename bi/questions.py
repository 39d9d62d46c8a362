"""The questions of analysts: each is a file of SQL in ``queries/`` that says what it answers and avoids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.names import question_files
from catalog.project import once_per_project, queries_folder
from catalog.reporting import load_reporting
from catalog.yaml_lines import ContractError

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import CreateNamedQueryInputTypeDef

DESCRIPTION_LIMIT = 1024
"""Characters of a named query's description that Athena keeps."""

_ANSWERS, _AVOIDS, _ITEM = "Answers:", "Avoids:", "* "

PERSONAL = "-- personal"
"""Ends the lines of a query that whoever sees no personal columns goes without."""

_COMMENT = re.compile(r"--[^\n]*")
_READ = re.compile(r"\b(?:FROM|JOIN)\s+(\w+(?:\.\w+)?)\b(?!\s*\()", re.IGNORECASE)
_NAMED = re.compile(r"(?:\bWITH|,)\s*(\w+)\s+AS\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """A question and the SQL that answers it.

    Attributes:
        name: The file's name, by which it is asked for.
        title: What the answer shows, in a few words.
        answers: The question, in a sentence.
        avoids: The mistakes that are easily made with it, and how the SQL avoids them.
        sql: The SQL in Athena's dialect, its header included; unqualified tables are those of the star.
    """

    name: str
    title: str
    answers: str
    avoids: tuple[str, ...]
    sql: str

    def redacted(self) -> Question:
        """The same for whoever sees no personal columns."""
        return replace(self, sql=redacted(self.sql))


def redacted(sql: str) -> str:
    """A query without the lines that end in ``-- personal``: those that show personal columns.

    Args:
        sql: The query.
    """
    return "\n".join(line for line in sql.split("\n") if not line.rstrip().endswith(PERSONAL))


@once_per_project
def load_questions() -> Mapping[str, Question]:
    """The project's own questions, by name.

    Raises:
        ContractError: A file's header is incomplete.
    """
    return read_questions(queries_folder())


def read_questions(folder: Path) -> Mapping[str, Question]:
    """Read ``<name>.sql`` files.

    A file begins with comment lines: the title; ``Answers:`` and the question; ``Avoids:`` and below it the
    traps, each after an asterisk. In place of ``${currency}``, ``${code}`` and ``${provider}`` it gets the
    reporting currency, how names end that carry it, and whose rates are used.

    Raises:
        ContractError: A file's header is incomplete, no SQL follows it, or it has another placeholder.
    """
    return {path.stem: _read(path) for path in question_files(folder)}


def named_query_request(question: Question, database: str, work_group: str) -> CreateNamedQueryInputTypeDef:
    """The CreateNamedQuery request of a question.

    Args:
        question: The question.
        database: Where its unqualified tables are.
        work_group: The work group that keeps it.
    """
    return {
        "Name": question.name,
        "Description": f"{question.title}. {question.answers}"[:DESCRIPTION_LIMIT],
        "Database": database,
        "QueryString": question.sql,
        "WorkGroup": work_group,
    }


def tables_read(question: Question, database: str) -> tuple[tuple[str, str], ...]:
    """The tables and views that a question reads, each as database and name, in the order of their mention.

    Args:
        question: The question.
        database: Where its unqualified tables are.
    """
    sql = _COMMENT.sub("", question.sql)
    own = set(_NAMED.findall(sql))
    mentioned = (name.rpartition(".") for name in _READ.findall(sql) if name not in own)
    return tuple(dict.fromkeys((before or database, name) for before, _, name in mentioned))


def _in_reporting_currency(path: Path, text: str) -> str:
    reporting = load_reporting() if "${" in text else None
    if reporting is not None:
        values = {"currency": reporting.currency, "code": reporting.suffix, "provider": reporting.provider}
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
    if "${" in text:
        raise ContractError(path, 1, "it has a placeholder that nothing fills")
    return text


def _read(path: Path) -> Question:
    text = _in_reporting_currency(path, path.read_text(encoding="utf-8").strip())
    lines = text.splitlines()
    header: list[str] = []
    for line in lines:
        if not line.startswith("--"):
            break
        header.append(line[2:].strip())
    whole = " ".join(header)
    before, found, avoids = whole.partition(_AVOIDS)
    title, answered, answers = before.partition(_ANSWERS)
    if not (title.strip() and answered and answers.strip()):
        raise ContractError(
            path, 1, f"the header states a title, then what the query answers: -- {_ANSWERS} …"
        )
    traps = tuple(trap.strip().rstrip(";.") for trap in avoids.split(_ITEM) if trap.strip())
    if not found:
        raise ContractError(path, len(header), f"the header states the traps: -- {_AVOIDS}, then -- * …")
    if _ITEM not in avoids:
        raise ContractError(
            path, len(header), f"there is no trap below {_AVOIDS}; each begins with an asterisk"
        )
    if len(lines) == len(header):
        raise ContractError(path, len(lines), "there is no SQL below the header")
    return Question(path.stem, title.strip(), answers.strip(), traps, text)
