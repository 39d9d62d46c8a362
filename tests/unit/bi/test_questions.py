"""The files of questions: what their headers state, and that it is Athena's SQL that stands below."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from bi.questions import Question, load_questions, named_query_request, read_questions, tables_read
from catalog.catalogue import load_catalogue
from catalog.yaml_lines import ContractError
from local_aws.athena.syntax import parse

WHOLE = """-- What was sold
-- Answers: How much did we sell,
--   and when?
-- Avoids:
--   * counting twice,
--     as one might;
--   * adding up currencies.
SELECT 1 AS one
"""


def test_a_question_says_what_it_answers_and_what_it_avoids(tmp_path: Path) -> None:
    (tmp_path / "sold.sql").write_text(WHOLE)
    (question,) = read_questions(tmp_path).values()
    assert (question.name, question.title) == ("sold", "What was sold")
    assert question.answers == "How much did we sell, and when?"
    assert question.avoids == ("counting twice, as one might", "adding up currencies")
    assert question.sql == WHOLE.strip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1", "states a title"),
        (WHOLE.replace("Answers:", ""), "states a title"),
        (WHOLE.replace("-- What was sold\n", ""), "states a title"),
        (WHOLE.replace("Avoids:", ""), "states the traps"),
        (WHOLE.replace("* ", ""), "there is no trap"),
        (WHOLE.replace("SELECT 1 AS one", ""), "no SQL below the header"),
        (WHOLE.replace("SELECT 1", "SELECT ${one}"), "a placeholder that nothing fills"),
    ],
)
def test_a_file_whose_header_is_incomplete_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "sold.sql").write_text(text)
    with pytest.raises(ContractError, match=words) as caught:
        read_questions(tmp_path)
    assert "sold.sql" in str(caught.value)


def test_a_question_gets_the_reporting_currency_and_whose_rates_are_used(tmp_path: Path) -> None:
    (tmp_path / "sold.sql").write_text(WHOLE.replace("SELECT 1", "SELECT '${currency} ${code} ${provider}'"))
    (question,) = read_questions(tmp_path).values()
    assert "SELECT 'GBP gbp ecb' AS one" in question.sql


@pytest.mark.parametrize("question", load_questions().values(), ids=lambda question: question.name)
def test_a_question_is_one_query_that_athena_reads_and_keeps(question: Question) -> None:
    request = named_query_request(question, "totesys_star", "totesys")
    assert parse(request["QueryString"]).kind == "Query"
    assert len(request["Description"]) <= 1024
    assert len(request["Name"]) <= 128


def test_money_is_never_added_up_over_currencies() -> None:
    money = ("price", "amount")
    for question in load_questions().values():
        query = sqlglot.parse_one(question.sql, dialect="athena")
        sums = [total.sql() for total in query.find_all(sqlglot.exp.Sum)]
        if any(word in total for total in sums for word in money):
            assert "currency" in query.named_selects  # type: ignore[attr-defined]


def test_facts_are_asked_through_their_views() -> None:
    facts = {fact.table for fact in load_catalogue().star_of_kind("fact")}
    for question in load_questions().values():
        parsed = sqlglot.parse_one(question.sql, dialect="athena")
        named = {table.name for table in parsed.find_all(sqlglot.exp.Table)}
        assert not named & facts


@pytest.mark.parametrize("name", sorted(load_questions()))
def test_the_tables_that_a_question_reads_are_known(name: str) -> None:
    question = load_questions()[name]
    parsed = sqlglot.parse_one(question.sql, dialect="athena")
    own = {cte.alias for cte in parsed.find_all(exp.CTE)}
    expected = {
        (table.db or "totesys_star", table.name)
        for table in parsed.find_all(exp.Table)
        if table.name not in own
    }
    assert set(tables_read(question, "totesys_star")) == expected - {("totesys_star", "")}
