"""A key is one value: a number, or a text that no other key has, the same wherever it is made."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from catalog.keys import is_number, key_sql, key_text, read_key
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.key_text import key_columns, key_texts
from tests.keyed import keyed

SCAN = keyed("scan", parcel="text", day="date", begins="timestamp", line="integer")
ROWS = [
    ("a/b~", dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4, 5, 120_000), 7),  # noqa: DTZ001
    ("~1", dt.date(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59), -7),  # noqa: DTZ001
    ("", dt.date(2026, 1, 2), dt.datetime(2026, 1, 2), 2_147_483_647),  # noqa: DTZ001
    ("Zoë 's \n", dt.date(2026, 1, 2), dt.datetime(2026, 1, 2), 0),  # noqa: DTZ001
]
TEXTS = [
    "a~1b~0/2026-01-02/2026-01-02 03:04:05.120000/7",
    "~01/0001-01-01/9999-12-31 23:59:59.000000/-7",
    "/2026-01-02/2026-01-02 00:00:00.000000/2147483647",
    "Zoë 's \n/2026-01-02/2026-01-02 00:00:00.000000/0",
]
SCHEMA = pa.schema(
    [("parcel", pa.string()), ("day", pa.date32()), ("begins", pa.timestamp("ms")), ("line", pa.int32())]
)


def test_python_arrow_and_an_engine_make_the_same_text_of_a_key_and_read_it_again(engine: Engine) -> None:
    rows = [dict(zip(SCHEMA.names, row, strict=True)) for row in ROWS]
    assert [key_text(SCAN, row) for row in rows] == TEXTS
    columns = [pa.array([row[name] for row in rows], SCHEMA.field(name).type) for name in SCHEMA.names]
    assert key_texts(columns).to_pylist() == TEXTS
    engine.rows("scans", SCHEMA, rows)
    found = engine.fetch(f"SELECT {key_sql(SCAN)} AS key FROM scans")
    assert sorted(row["key"] for row in found) == sorted(TEXTS)

    assert [read_key(SCAN, text) for text in TEXTS] == ROWS
    read = key_columns(SCAN, pa.array(TEXTS))
    assert [column.type for column in read.values()] == SCHEMA.types
    assert [list(column.to_pylist()) for column in read.values()] == [
        list(c) for c in zip(*ROWS, strict=True)
    ]


def test_a_key_of_which_a_column_is_empty_is_none(engine: Engine) -> None:
    engine.rows("scans", SCHEMA, [dict(zip(SCHEMA.names, (None, *ROWS[0][1:]), strict=True))])
    assert engine.fetch(f"SELECT {key_sql(SCAN)} AS key FROM scans") == [{"key": None}]
    columns = [pa.array([None], kind) for kind in SCHEMA.types]
    assert key_texts(columns).to_pylist() == [None]


def test_keys_that_differ_have_texts_that_differ() -> None:
    pair = keyed("pair", one="text", other="text")
    parts = ["", "/", "~", "~0", "~1", "a", "a/", "/a", "~/", "/~"]
    texts = {key_text(pair, {"one": one, "other": other}) for one in parts for other in parts}
    assert len(texts) == len(parts) ** 2


@pytest.mark.parametrize("text", ["a", "a/b", "x/2026-13-01/2026-01-02/1", "x/2026-01-02/2026-01-02/1/1", ""])
def test_what_is_no_key_of_the_table_is_told_from_one(text: str) -> None:
    assert read_key(SCAN, text) is None


def test_a_text_alone_is_its_own_key_and_a_whole_number_stays_one() -> None:
    hub = keyed("hub", code="text")
    assert (key_text(hub, {"code": "a/~"}), read_key(hub, "a/~")) == ("a/~", ("a/~",))
    assert [is_number(keyed("t", id=kind)) for kind in ("integer", "bigint", "text", "date")] == [
        True,
        True,
        False,
        False,
    ]
    assert not is_number(keyed("t", id="integer", line="integer"))
