"""Files of bounded size, handed on as they are full."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.sources import parts
from glue_jobs.sources.parts import PartNumbers, PartWriter

SCHEMA = pa.schema([("n", pa.int64()), ("t", pa.string())])


def _batch(first: int, rows: int) -> pa.RecordBatch:
    return pa.record_batch([range(first, first + rows), ["x"] * rows], schema=SCHEMA)


def test_files_are_cut_by_rows_and_numbered_without_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROWS_PER_FILE", 10)
    delivered: list[tuple[str, int]] = []
    writer = PartWriter(
        tmp_path, PartNumbers(), SCHEMA, lambda path, rows: delivered.append((path.name, rows))
    )
    for start in range(0, 28, 4):
        writer.write(_batch(start, 4))
    writer.close()
    assert delivered == [("part-00000.parquet", 12), ("part-00001.parquet", 12), ("part-00002.parquet", 4)]
    found = pa.concat_tables(pq.read_table(path) for path in sorted(tmp_path.iterdir()))
    assert found["n"].to_pylist() == list(range(28))


def test_files_are_cut_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BYTES_PER_FILE", 1000)
    delivered: list[int] = []
    writer = PartWriter(tmp_path, PartNumbers(), SCHEMA, lambda _, rows: delivered.append(rows))
    for start in range(0, 3000, 1000):
        writer.write(_batch(start, 1000))
    writer.close()
    assert delivered == [1000, 1000, 1000]


def test_without_rows_there_is_no_file(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, PartNumbers(), SCHEMA, lambda *_: pytest.fail("a file without rows"))
    writer.write(_batch(0, 0))
    writer.close()
    assert not list(tmp_path.iterdir())
