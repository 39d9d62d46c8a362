from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from glue_jobs.engine.protocol import Engine
from glue_jobs.validation import replay_rows, unresolved
from tests.keyed import keyed

ROWS = pa.schema(
    [
        ("payment_id", pa.int32()),
        ("version_id", pa.int64()),
        ("captured_at", pa.timestamp("ms")),
        ("paid", pa.bool_()),
        ("batch", pa.int64()),
    ]
)


PAYMENT = keyed("payment", payment_id="integer")
LETTERS = unresolved.unresolved_schema(PAYMENT)
SEEN = datetime.fromisoformat("2024-11-15T10:00:00.120")


def letter(key: int | None, batch: int, version: int = 7) -> dict[str, Any]:
    return {"key": key, "version_id": version, "batch": batch, "sequence": 3}


def test_a_later_row_of_the_key_resolves_a_dead_letter(engine: Engine) -> None:
    engine.rows("letters", LETTERS, [letter(1, 1), letter(2, 1), letter(2, 2), letter(None, 1)])
    arrived = [(1, 1), (2, 1), (2, 2), (9, 9), (None, 5)]
    engine.rows("arrived", ROWS, [{"payment_id": key, "batch": batch} for key, batch in arrived])
    found = engine.fetch(unresolved.unresolved("letters", "arrived", PAYMENT))
    assert sorted((row["key"] or 0, row["batch"]) for row in found) == [(0, 1), (1, 1), (2, 2)]
    assert {(row["version_id"], row["sequence"]) for row in found} == {(7, 3)}


def test_rejected_rows_are_listed_by_key_version_batch_and_commit(engine: Engine) -> None:
    engine.rows("rejected", ROWS, [{"payment_id": 4, "version_id": 5, "batch": 6, "captured_at": SEEN}])
    engine.table("listed", unresolved.entries("rejected", PAYMENT, 8))
    letter = {"key": 4, "version_id": 5, "batch": 6, "sequence": 8, "captured_at": SEEN}
    assert engine.fetch("SELECT * FROM listed") == [letter]


def test_of_several_dead_letters_of_a_key_the_newest_is_replayed(engine: Engine) -> None:
    dead = [(1, 7, 1), (1, 8, 2), (1, 9, 2), (2, 7, 1), (2, 6, 1), (None, 7, 1), (None, 8, 1), (3, 7, 1)]
    engine.rows(
        "dead",
        ROWS,
        [{"payment_id": key, "version_id": version, "batch": batch} for key, version, batch in dead],
    )
    listed = [letter(key, batch, version) for key, version, batch in dead if key != 3]
    engine.rows("letters", LETTERS, listed)
    text = replay_rows.originals("dead", "letters", PAYMENT, ROWS.names)
    found = [(row["payment_id"], row["version_id"], row["batch"]) for row in engine.fetch(text)]
    assert sorted(found, key=str) == sorted([(1, 9, 2), (2, 7, 1), (None, 7, 1), (None, 8, 1)], key=str)


def test_what_is_sent_on_was_seen_by_the_last_capture(engine: Engine) -> None:
    engine.rows("passed", ROWS, [{"payment_id": 4, "version_id": 5, "batch": 6, "paid": True}])
    columns = ["payment_id", "captured_at", "paid"]
    text = replay_rows.sent_on("SELECT * FROM passed", columns, "2024-11-15T10:00:00.120")
    (row,) = engine.fetch(text)
    assert list(row) == columns
    assert row["captured_at"].isoformat() == "2024-11-15T10:00:00.120000"
