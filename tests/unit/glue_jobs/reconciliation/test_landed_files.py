"""The reconciliation finds the objects of a document that the feed finds, by other means."""

from __future__ import annotations

import io
import json

import duckdb
import pytest

from catalog.model import ReadFiles
from glue_jobs.reconciliation import landed_files
from glue_jobs.sources.json_documents import Number, read_elements


def as_texts(value: object) -> object:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return {name: as_texts(one) for name, one in value.items()}
    return [as_texts(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("rows", [None, "rows"])
@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1}',
        '\n{"id": 1}\n\n{"id": 2.50}\r\n',
        '[{"id": 1}, {"id": {"a": [1, "1e5", -0]}}]',
        '{"id": 1}\nnonsense\n{"id": 2}',
        'null\n{"id": 1}\n[]\n{"id": 2}\n{"id": 3,}',
        '[{"id": 1, "a": "\\ud83d\\ude00 \\\\ud83d"}, {"a": "\\ud83d"}, {"a": "\\u0000"}, {"id": 2}]',
        '{"id": 1, "a": "\\ude00"}\n{"id": 1}\n',
    ],
)
def test_two_readers_find_the_same_objects_at_the_same_places(text: str, rows: str | None) -> None:
    assert_same(text, rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"rows": [{"id": 1}, {"a": "\\ud83d"}], "n": 1}', "rows"),
        ('{\n"n": {"a": 1}\n, "rows":\n[\n{"id": 1},\n{"id": 2}]\n}\n', "rows"),
        ('\n{\n  "id": 1,\n  "n": {\n    "a": [1, 2]\n  }\n}\n', None),
        ('{"id": 1,\n{"id": 2}\n', None),
        ('{"id": 1,\n{"id": 2}\n', "rows"),
    ],
)
def test_two_readers_tell_the_same_layouts_apart(text: str, rows: str | None) -> None:
    assert_same(text, rows)


def assert_same(text: str, rows: str | None) -> None:
    elements = list(read_elements(io.BytesIO(text.encode()), rows))
    good = {one.place: as_texts(dict(one.members)) for one in elements if one.members is not None}
    bad = {one.place for one in elements if one.problem}
    with duckdb.connect() as workspace:
        found = landed_files._elements(workspace, text, ReadFiles(rows=rows)).to_pylist()
    assert good
    assert {one["place"]: json.loads(one["text"]) for one in found if one["place"] not in bad} == good
