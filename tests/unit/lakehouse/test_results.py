"""How answers are printed and written: nothing folded, nothing lost, nothing taken for a formula."""

from __future__ import annotations

import json
import locale
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.runtime.athena import QueryResult
from glue_jobs.runtime.errors import UserError
from lakehouse import results, terminal
from lakehouse.results import csv_lines, table_text, write_file

COLUMNS = [
    ("staff_id", "integer"),
    ("first_name", "varchar"),
    ("orders", "bigint"),
    ("revenue", "decimal(38,2)"),
    ("share", "double"),
    ("since", "date"),
    ("paid", "boolean"),
    ("at", "timestamp"),
]
ROW = (
    "10593",
    "Gwendolyn",
    "10593890",
    "-3159064200.34",
    "1.5E-4",
    "2024-02-29",
    "true",
    "2024-02-29 23:59:59.999",
)
EMPTY = (None,) * len(COLUMNS)
ANSWER = QueryResult(COLUMNS, [ROW, EMPTY], 1_500, 0.5)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


@pytest.mark.parametrize("width", [20, 80, 120, None])
def test_no_number_and_no_name_is_ever_folded(width: int | None) -> None:
    text = table_text(ANSWER, width)
    assert all(cell in text for cell in ROW)
    assert all(name in text for name, _ in COLUMNS)


def test_what_is_wider_than_the_terminal_goes_one_value_a_line() -> None:
    lines = table_text(ANSWER, 60).splitlines()
    assert lines[0].startswith("-- row 1 ")
    assert lines[1:4] == ["staff_id    10593", "first_name  Gwendolyn", "orders      10593890"]
    assert lines[9].startswith("-- row 2 ")
    assert lines[10] == "staff_id    NULL"
    assert lines[-1] == "2 rows, 1.5 kB scanned, 0.50 s"


def test_a_file_gets_lines_as_long_as_they_are() -> None:
    assert not any(line.startswith("-- row") for line in table_text(ANSWER, None).splitlines())


def test_thousands_are_as_the_terminals_language_has_them_and_ids_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convention = {"thousands_sep": ".", "decimal_point": ","}
    monkeypatch.setattr(locale, "localeconv", lambda: convention)
    text = table_text(ANSWER, 200)
    assert "10.593.890" in text
    assert "-3.159.064.200,34" in text
    assert "10593 " in text
    # Programs read what Athena wrote.
    assert "10593890" in table_text(ANSWER, None)
    assert "10593890" in "".join(csv_lines(COLUMNS, [ROW]))


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("0", "0"),
        ("-1", "-1"),
        ("999", "999"),
        ("-1000", "-1'000"),
        ("1234567.50", "1'234'567.50"),
        ("NaN", "NaN"),
    ],
)
def test_grouping_keeps_every_digit(monkeypatch: pytest.MonkeyPatch, digits: str, shown: str) -> None:
    monkeypatch.setattr(locale, "localeconv", lambda: {"thousands_sep": "'", "decimal_point": "."})
    assert terminal.grouped(digits) == shown


def test_files_hold_every_digit_and_every_null(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "a.parquet"):
        assert write_file(tmp_path / name, COLUMNS, iter([ROW, EMPTY])) == 2
    first, second = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert first["revenue"] == Decimal("-3159064200.34")
    assert (first["staff_id"], first["orders"], first["share"], first["paid"]) == (
        10593,
        10593890,
        0.00015,
        True,
    )
    assert str(first["at"]) == "2024-02-29 23:59:59.999000"
    assert set(second.values()) == {None}
    assert pq.read_schema(tmp_path / "a.parquet").field("staff_id").type == pa.int32()
    assert json.loads((tmp_path / "a.json").read_text())[0]["orders"] == 10593890
    assert (tmp_path / "a.csv").read_text().splitlines()[2] == ",,,,,,,"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json", "a.parquet"]


def test_nothing_in_an_excel_file_is_a_formula_and_long_numbers_keep_their_digits(tmp_path: Path) -> None:
    rows = [("=1+1", "12345678901234567890"), ("+x", "12.5"), ("@sum", "NaN"), ("-1", None)]
    assert write_file(tmp_path / "a.xlsx", [("text", "varchar"), ("n", "decimal(38,2)")], iter(rows)) == 4
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert all(text in sheet for text in ("=1+1", "@sum", "12345678901234567890", "<v>12.5</v>", "NaN"))


def test_an_unknown_kind_is_refused_and_a_failed_answer_leaves_the_file_of_before(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.csv, \.json, \.parquet, \.xlsx"):
        write_file(tmp_path / "a.txt", COLUMNS, iter([ROW]))
    (tmp_path / "a.csv").write_text("before")

    def failing() -> results.Rows:
        yield ROW
        raise OSError("the stack has ended")

    with pytest.raises(OSError, match="ended"):
        write_file(tmp_path / "a.csv", COLUMNS, failing())
    assert (tmp_path / "a.csv").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_more_rows_than_excel_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_EXCEL_ROWS", 3)
    assert write_file(tmp_path / "a.xlsx", [("n", "integer")], iter([("1",), ("2",)])) == 2
    with pytest.raises(UserError, match="Excel holds no more than 2 rows"):
        write_file(tmp_path / "a.xlsx", [("n", "integer")], iter([("1",), ("2",), ("3",)]))
