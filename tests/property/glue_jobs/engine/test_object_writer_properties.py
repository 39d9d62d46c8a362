"""Where objects end, and what is in them, follows from rows and not from batches."""

from __future__ import annotations

import hashlib
import io
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.engine import parquet
from glue_jobs.engine.parquet import ObjectWriter
from glue_jobs.engine.protocol import Destination
from glue_jobs.lake.objects import ObjectExists
from tests.examples import examples

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("text", pa.string())])
BATCH = pa.schema([*SCHEMA, ("part", pa.string())])
TO = Destination("bucket", "star/table/", SCHEMA, ("id",), ("id",), "part", "version=1/")

texts = st.none() | st.text(max_size=3) | st.integers(0, 60).map(lambda size: "x" * size)
partitions = st.dictionaries(
    st.sampled_from(["2024-10", "2024-11", "a b"]), st.lists(texts, min_size=1, max_size=40)
)


class Store:
    """S3, as far as a writer needs it."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}

    def put_object(self, *, Key: str, Body: Any, Metadata: dict[str, str], **_: str) -> None:  # noqa: N803
        if Key in self.objects:
            status = {"HTTPStatusCode": 412}
            raise ClientError({"Error": {}, "ResponseMetadata": status}, "PutObject")  # type: ignore[typeddict-item]
        self.objects[Key] = (Body.read(), Metadata["sha256"])

    def head_object(self, *, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803
        return {"Metadata": {"sha256": self.objects[Key][1]}}


@pytest.fixture(scope="module", autouse=True)
def _small_objects() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("OBJECT_ROWS", 12),
            ("OBJECT_BYTES", 400),
            ("GROUP_ROWS", 5),
            ("GROUP_BYTES", 120),
        ):
            patch.setattr(parquet, name, value)
        yield


def rows_of(found: dict[str, list[str | None]]) -> list[dict[str, Any]]:
    return [
        {"id": number, "text": text, "part": part}
        for part in sorted(found)
        for number, text in enumerate(found[part])
    ]


def written(rows: list[dict[str, Any]], cuts: list[int], store: Store) -> dict[str, tuple[Any, ...]]:
    writer = ObjectWriter(cast("Any", store), TO, 7)
    table = pa.Table.from_pylist(rows, schema=BATCH)
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        for batch in table.slice(start, end - start).to_batches():
            writer.write(batch)
    return writer.close()


@settings(max_examples=examples(25, 100))
@given(partitions, st.data())
def test_batches_leave_no_trace(found: dict[str, list[str | None]], data: st.DataObject) -> None:
    rows = rows_of(found)
    one, other = Store(), Store()
    whole = written(rows, [], one)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    assert written(rows, cuts, other) == whole
    assert one.objects == other.objects
    # Again, over what is there: done already.
    assert written(rows, [], one) == whole


@settings(max_examples=examples(25, 100))
@given(partitions)
def test_objects_hold_every_row_once_and_are_as_described(
    found: dict[str, list[str | None]],
) -> None:
    store = Store()
    objects = written(rows_of(found), [], store)
    assert sorted(objects) == sorted(found)
    assert {data.key for several in objects.values() for data in several} == set(store.objects)
    for part, several in objects.items():
        read = []
        for number, data in enumerate(several):
            suffix = f"-{number}" if number else ""
            assert data.key == f"star/table/part={part}/version=1/part-00007{suffix}.parquet"
            content, noted = store.objects[data.key]
            assert (len(content), hashlib.sha256(content).hexdigest()) == (data.bytes, data.sha256)
            assert noted == data.sha256
            file = pq.ParquetFile(io.BytesIO(content))
            assert file.schema_arrow.equals(SCHEMA)
            ids = file.read().column("id").to_pylist()
            assert (data.rows, data.key_min, data.key_max) == (len(ids), (ids[0],), (ids[-1],))
            assert len(ids) <= 12
            groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            assert max(groups) <= 5
            read += file.read().to_pylist()
        assert read == [{"id": number, "text": text} for number, text in enumerate(found[part])]


@given(partitions.filter(bool))
def test_a_key_that_holds_other_bytes_is_refused(found: dict[str, list[str | None]]) -> None:
    store = Store()
    rows = rows_of(found)
    written(rows, [], store)
    with pytest.raises(ObjectExists):
        written([{**row, "text": "other than before"} for row in rows], [], store)
