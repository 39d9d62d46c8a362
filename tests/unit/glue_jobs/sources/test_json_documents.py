"""Documents are read as their objects, whatever their layout; what would ask for a guess is refused."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.sources import json_documents
from glue_jobs.sources.json_documents import Element, Number, UnreadableFile, read_elements

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "\0" not in text),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text("abcxyz", max_size=4), VALUES, max_size=4), min_size=1, max_size=6)


def members(body: bytes, rows: str | None = None) -> list[object]:
    found = list(read_elements(io.BytesIO(body), rows))
    assert all(element.problem == "" for element in found)
    return [_numbers(element.members) for element in found]


def _numbers(value: object) -> object:
    if isinstance(value, Number):
        return int(value)
    if isinstance(value, dict):
        return {name: _numbers(one) for name, one in value.items()}
    return [_numbers(one) for one in value] if isinstance(value, list) else value


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans(), st.booleans())
def test_every_layout_gives_the_same_objects(
    objects: list[dict[str, object]], indent: int | None, zipped: bool, plain: bool
) -> None:
    def packed(text: str) -> bytes:
        body = text.encode()
        return (
            gzip.compress(body[: len(body) // 2]) + gzip.compress(body[len(body) // 2 :]) if zipped else body
        )

    said = [json.dumps(one, ensure_ascii=plain) for one in objects]
    assert members(packed(json.dumps(objects, indent=indent, ensure_ascii=plain))) == objects
    assert members(packed("\n".join(said))) == objects
    assert members(packed("\r\n\r\n".join(said) + "\r\n")) == objects
    if zipped:
        assert members(packed("\n".join(said)) + bytes(512)) == objects, "zeros may fill the last block"
    wrapped = {"at": {"rows": [1]}, "rows": objects, "next": None}
    assert members(packed(json.dumps(wrapped, indent=indent, ensure_ascii=plain)), "rows") == objects


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_where_the_file_is_cut_into_pieces_changes_nothing(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_documents, "_CHUNK", size)
    objects = [{"id": 12345, "naïve": "€ 😀", "nested": {"a": [1, 22, {}]}}, {}, {"x": 1.50}]
    body = json.dumps(objects, ensure_ascii=False)
    (first, second, third) = read_elements(io.BytesIO(body.encode()), None)
    assert first.members == {"id": "12345", "naïve": "€ 😀", "nested": {"a": ["1", "22", {}]}}
    assert (second.members, third.members) == ({}, {"x": "1.5"})
    assert members(json.dumps({"rows": [{"a": 1}], "b": 12}).encode(), "rows") == [{"a": 1}]
    assert members("\n".join('{"é": 1}' for _ in range(9)).encode()) == [{"é": 1}] * 9


def test_numbers_stay_what_the_file_says() -> None:
    said = ["0.1", "1.50", "12345678901234567890123456789.123456789", "1E+2", "-0"]
    (element,) = read_elements(io.BytesIO(f'[{{"a": [{",".join(said)}]}}]'.encode()), None)
    assert element.members == {"a": said}
    assert element.members is not None
    assert all(isinstance(one, Number) for one in element.members["a"])
    assert Decimal(element.members["a"][2]) == Decimal("12345678901234567890123456789.123456789")


def test_lines_are_told_from_a_document_that_wraps_its_array() -> None:
    lines = b'{"id": 1}\n{"id": 2}\n'
    assert members(lines, "rows") == [{"id": 1}, {"id": 2}]
    assert members(b'{"id": 1}', "rows") == [{"id": 1}]
    assert members(b'{"rows": []}', "rows") == []
    assert members(b'{"rows": [\n{"id": 1},\n{"id": 2}\n]}', "rows") == [{"id": 1}, {"id": 2}]
    bad_first = list(read_elements(io.BytesIO(b'{"id": NaN}\n{"id": 2}\n'), "rows"))
    assert [element.problem != "" for element in bad_first] == [True, False]
    assert [e.place for e in read_elements(io.BytesIO(b'\n{"id": 1}\n\n{"id": 2}'), None)] == [2, 4]


@pytest.mark.parametrize("rows", [None, "rows"])
@pytest.mark.parametrize(
    "bad",
    [
        "null",
        "12",
        "a line of a log",
        "{",
        '{"id": NaN}',
        '{"id": 1, "id": 2}',
        '{"id": 1,}',
        '{"id": {"a": 1}',
        '{"id": 1, "carr',
        '{"id": 1,',
        '{"id": 1',
        '{"id": 1} {"id": 2}',
        '{"a": "' + "x" * json_documents.ELEMENT_BYTES + '"}',
    ],
)
def test_a_bad_line_is_bad_alone_wherever_it_stands(bad: str, rows: str | None) -> None:
    good = '{"id": 1}'
    for place in (1, 2, 3):
        lines = [good, good, good]
        lines[place - 1] = bad
        if (place, rows, bad) == (1, "rows", "{"):
            continue  # a document over several lines begins so, too
        found = list(read_elements(io.BytesIO("\n".join([*lines, ""]).encode()), rows))
        assert [element.place for element in found if element.problem] == [place]
        assert [element.members for element in found if not element.problem] == [{"id": "1"}] * 2


@pytest.mark.parametrize(
    ("end", "is_cut_off"),
    [
        ('{"id": 1', True),
        ('{"id": {"a": 1}', True),
        ('{"id": "a}', True),
        ('{"id": tru', True),
        ('{"a": [', True),
        ('{"id": 1,}', False),
        ('{"id": NaN}', False),
        ('{"id": 1, "id": 2}', False),
        ('{"id": 1}}', False),
        ("null", False),
        ("1 row", False),
    ],
)
def test_a_last_line_without_end_makes_its_file_unreadable_where_more_may_have_followed(
    end: str, is_cut_off: bool
) -> None:
    stream = io.BytesIO(f'{{"id": 1}}\n{end}'.encode())
    if is_cut_off:
        with pytest.raises(UnreadableFile, match="it is cut off: it ends within a line"):
            list(read_elements(stream, None))
    else:
        assert [element.problem != "" for element in read_elements(stream, None)] == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        '{"rows": [\n{"id": 1}\n]}',
        '{"meta": {"n": 1}\n, "rows": [\n{"id": 1}\n]}',
        '{"meta":\n{"n": 1}\n, "rows": [{"id": 1}]}',
        '{"rows":\n[\n{"id": 1}\n]\n}\n',
        '{"n": "' + "x" * 100_000 + '", "rows": [{"id": 1}]}',
        '{"n": ' + "1" * 10_000 + ', "rows": [{"id": 1}]}',
    ],
)
def test_a_document_that_wraps_its_array_may_end_its_lines_anywhere(body: str) -> None:
    assert members(body.encode(), "rows") == [{"id": 1}]


def test_a_document_may_be_one_object_over_several_lines_where_it_wraps_no_array() -> None:
    text = json.dumps({"id": 1, "text": "{", "n": {"a": [1, {}]}}, indent=2)
    assert members(text.encode()) == members(f"\n{text}\n\n".encode()) == [json.loads(text)]
    for body, words in [
        (f"{text}\n{text}", "something follows its object"),
        (text[:-1], "no JSON, or cut off"),
        (json.dumps({"id": 1, "text": "x" * (2 << 20)}, indent=2), "more than 1,048,576 bytes"),
    ]:
        with pytest.raises(UnreadableFile, match=words):
            list(read_elements(io.BytesIO(body.encode()), None))
    with pytest.raises(UnreadableFile, match="it has no member rows"):
        list(read_elements(io.BytesIO(text.encode()), "rows"))
    assert [one.problem for one in read_elements(io.BytesIO(b'{\n"id": 1,\n"id": 2}\n'), None)] == [
        "it names a member twice"
    ]


def test_one_object_may_hold_a_number_of_any_length() -> None:
    (element,) = read_elements(io.BytesIO(b'{"id": ' + b"1" * 10_000 + b"}"), "rows")
    assert element.members == {"id": "1" * 10_000}


def test_a_file_of_any_size_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def piece() -> Iterator[bytes]:
        yield b"["
        for number in range(12_000):
            yield b'%s{"id": %d, "text": "%s"}' % (b"," if number else b"", number, b"x" * 500)
        yield b"]"

    class Stream(io.RawIOBase):
        """A file that is made as it is read."""

        def __init__(self) -> None:
            self.seek(0)

        def seek(self, _: int, __: int = 0) -> int:
            self._pieces = piece()
            return 0

        def read(self, size: int = -1) -> bytes:
            return b"".join(itertools.islice(self._pieces, max(size // 500, 1)))

    stream: IO[bytes] = Stream()  # type: ignore[assignment]
    tracemalloc.start()
    count = sum(1 for _ in read_elements(stream, None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12_000
    assert peak < 3 << 20
    monkeypatch.setattr(json_documents, "UNPACKED_BYTES", 1 << 20)
    stream.seek(0)
    with pytest.raises(UnreadableFile, match=re.escape("more than 1,048,576 bytes once it is unpacked")):
        list(read_elements(stream, None))


def test_a_bomb_is_refused_before_it_is_unpacked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_documents, "UNPACKED_BYTES", 8 << 20)
    bomb = io.BytesIO(gzip.compress(b"\n" * (64 << 20)))
    with pytest.raises(UnreadableFile, match="once it is unpacked"):
        list(read_elements(bomb, None))


@pytest.mark.parametrize(("opening", "inner"), [('{"a":', "1"), ('{"a":', "{}"), ('{"a":', "[]")])
def test_values_may_be_nested_as_deep_as_is_said(opening: str, inner: str) -> None:
    for depth in (64, 65):
        objects = depth if inner == "1" else depth - 1
        (element,) = read_elements(io.BytesIO(f"[{opening * objects}{inner}{'}' * objects}]".encode()), None)
        assert element.problem == ("" if depth == 64 else "it is nested more than 64 deep")


def test_what_stands_there_is_told_of_what_gives_no_row() -> None:
    first, second = read_elements(io.BytesIO(b'{"a": 1.50, "a": 2}\n{"a": 1}\n'), None)
    assert first == Element(1, None, "it names a member twice", '{"a": 1.50, "a": 2}')
    assert second.problem == ""
