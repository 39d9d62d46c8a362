"""What an engine promises, held by both: see :mod:`glue_jobs.engine.protocol`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.types import arrow_type, parse_type
from glue_jobs.engine.parquet import ObjectWriter
from glue_jobs.engine.protocol import OBJECT_ROWS, Dataset, Destination, Engine
from glue_jobs.lake.commits import DataObject, Partition
from glue_jobs.lake.objects import ChecksumMismatch, ObjectExists
from tests.integration.glue_jobs.engine.conftest import BUCKET, Site, dataset
from tests.lake import at

NOTHING = pa.schema([])
KEYED = pa.schema([pa.field("id", pa.int64(), nullable=False), ("name", pa.string())])
MONTH = pa.schema([("month", pa.string())])

FLOATS = [0.0, -0.0, float("inf"), float("-inf"), float("nan")]

ODD: dict[str, list[Any]] = {
    "integer": [0, 1, -1, 2**31 - 1, -(2**31)],
    "bigint": [0, 1, -1, 2**63 - 1, -(2**63)],
    "boolean": [True, False],
    "text": [
        "",
        " ",
        "a'b\"c`d",
        "back\\slash \\n",
        "line\nbreak\ttab",
        "ẞ ß İ \u0301 \U0001f600",
        "x" * 100_000,
    ],
    "decimal(1,0)": [Decimal(9), Decimal(-9), Decimal(0)],
    "decimal(18,4)": [Decimal("99999999999999.9999"), Decimal("-0.0001")],
    "decimal(38,10)": [Decimal("9999999999999999999999999999.9999999999"), Decimal("-1.0000000001")],
    "timestamp": [
        at("1970-01-01"),
        at("1969-12-31 23:59:59.999"),
        at("0001-01-01"),
        at("1582-10-10 12:00"),
        at("9999-12-31 23:59:59.999"),
        at("2024-03-31 01:30:00.123"),
    ],
    "timestamp(6)": [at("2024-06-30 23:59:59.999600"), at("0001-01-01 00:00:00.000001")],
    "timestamptz": [at("9999-12-31 23:59:59.999999"), at("1969-12-31 23:59:59.999999")],
    "double": [*FLOATS, 0.1, 1e15, 1e-5, 5e-324, 1.7976931348623157e308],
    "real": [*FLOATS, 0.10000000149011612, 16777216.0, 1.401298464324817e-45],
    "date": [dt.date(1970, 1, 1), dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(9999, 12, 31)],
    "time": ["00:00:00.000", "23:59:59.999"],
}
"""By logical type, values that engines might treat in ways of their own."""


def write(
    engine: Engine, query: str, destination: Destination, rows: int = 10
) -> dict[str, tuple[DataObject, ...]]:
    return engine.write(query, destination, rows)


def put_rows(site: Site, rows: list[dict[str, Any]], schema: pa.Schema = KEYED) -> Dataset:
    """An object of these rows, as a commit names it."""
    destination = Destination(BUCKET, site.prefix(), schema, ("id",), ("id",))
    writer = ObjectWriter(site.s3, destination, 0)
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    writer.write(pa.RecordBatch.from_arrays(columns, schema=schema))
    return dataset(schema, writer.close(), destination, NOTHING)


# ------------------------------------------------------------------ types


@pytest.mark.parametrize("reader", ["embedded", "spark"])
def test_values_of_every_type_are_the_same_after_writing_and_reading(
    engine: Engine, engines: dict[str, Engine], site: Site, reader: str
) -> None:
    names = {kind: f"c{number}" for number, kind in enumerate(ODD)}
    schema = pa.schema([("id", pa.int64()), *((names[kind], arrow_type(parse_type(kind))) for kind in ODD)])
    count = max(map(len, ODD.values()))
    rows: list[dict[str, Any]] = [
        {"id": row, **{names[kind]: values[row] for kind, values in ODD.items() if row < len(values)}}
        for row in range(count)
    ]
    destination = Destination(BUCKET, site.prefix(), schema, ("id", *names.values()), ("id",))
    engine.rows("given", schema, rows)
    written = write(engine, "SELECT * FROM given", destination)
    [data] = written[""]
    file = pq.ParquetFile(io.BytesIO(site.body(data)))
    assert file.schema_arrow.equals(schema)
    assert "INT96" not in str(file.schema)
    expected = repr([{name: row.get(name) for name in schema.names} for row in rows])
    # As they are written: what is no number equals nothing, and 0 equals -0.
    assert repr(file.read().to_pylist()) == expected
    engines[reader].read("found", dataset(schema, written, destination, NOTHING))
    assert repr(engines[reader].fetch("SELECT * FROM found ORDER BY id ASC NULLS FIRST")) == expected
    engines[reader].forget()


def test_columns_have_the_types_that_casts_name(engine: Engine, site: Site) -> None:
    engine.read("found", put_rows(site, [{"id": 1, "name": "a"}]))
    assert engine.fetch(
        "SELECT id + CAST(1 AS BIGINT) AS more, name || CAST(id AS STRING) AS text,"
        " CAST('2024-11-15 10:00:00.123' AS TIMESTAMP) AS moment, CAST('1.5' AS DECIMAL(5,2)) AS price"
        " FROM found"
    ) == [
        {
            "more": 2,
            "text": "a1",
            "moment": at("2024-11-15 10:00:00.123"),
            "price": Decimal("1.50"),
        }
    ]


@pytest.mark.parametrize("text", ["it's", "back\\slash", "\\d", "a -- b", "${x}", 'say "no"', "month_of("])
def test_literals_mean_themselves(engine: Engine, text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    assert engine.fetch(f"SELECT {literal} AS text -- it's a remark") == [{"text": text}]


def test_the_function_library_is_there(engine: Engine) -> None:
    engine.rows("moments", pa.schema([("t", pa.timestamp("ms"))]), [{"t": at("2024-11-15 10:00")}])
    query = "SELECT month_of(t) AS m FROM moments WHERE iso_weekday(date_of(t)) = 5"
    assert engine.fetch(f"{query} ORDER BY time_of(t) ASC NULLS LAST") == [{"m": "2024-11"}]


# ------------------------------------------------------------------ reading


def test_a_column_that_a_file_lacks_is_empty_and_columns_are_found_by_name(
    engine: Engine, site: Site
) -> None:
    old = put_rows(site, [{"id": 1, "name": "old"}])
    later = pa.schema([("price", pa.decimal128(10, 2)), ("name", pa.string()), ("id", pa.int64())])
    new = put_rows(site, [{"id": 2, "name": "new", "price": Decimal("2.50")}], later)
    wanted = pa.schema([("id", pa.int64()), ("price", pa.decimal128(10, 2)), ("further", pa.timestamp("ms"))])
    engine.read("found", Dataset(BUCKET, wanted, NOTHING, old.partitions + new.partitions))
    assert engine.fetch("SELECT * FROM found ORDER BY id ASC NULLS FIRST") == [
        {"id": 1, "price": None, "further": None},
        {"id": 2, "price": Decimal("2.50"), "further": None},
    ]


def test_partition_columns_come_from_the_partitions(engine: Engine, site: Site) -> None:
    put = put_rows(site, [{"id": 1, "name": "a"}])
    by = pa.schema([("captured_date", pa.string()), ("batch", pa.int64())])
    values = [("2024-11-15", "7"), ("2024-11-15", "12"), ("a=b/c d%2F'", "-1")]
    partitions = tuple(
        Partition(dict(zip(by.names, one, strict=True)), "", put.partitions[0].objects) for one in values
    )
    engine.read("found", Dataset(BUCKET, KEYED, by, partitions))
    assert engine.fetch("SELECT * FROM found ORDER BY batch ASC NULLS FIRST") == [
        {"id": 1, "name": "a", "captured_date": "a=b/c d%2F'", "batch": -1},
        {"id": 1, "name": "a", "captured_date": "2024-11-15", "batch": 7},
        {"id": 1, "name": "a", "captured_date": "2024-11-15", "batch": 12},
    ]


def test_relations_of_several_objects_are_united_whole(engine: Engine, site: Site) -> None:
    for name, first in (("one", 1), ("other", 11)):
        puts = [put_rows(site, [{"id": first + number, "name": name}]) for number in range(5)]
        partitions = tuple(partition for put in puts for partition in put.partitions)
        engine.read(name, Dataset(BUCKET, KEYED, NOTHING, partitions))
    united = "SELECT id FROM one UNION ALL SELECT id FROM other UNION ALL SELECT id FROM one WHERE id = 3"
    found = engine.fetch(f"SELECT id FROM ({united}) AS united ORDER BY id ASC NULLS FIRST")
    assert [row["id"] for row in found] == [1, 2, 3, 3, 4, 5, *range(11, 16)]


def test_objects_without_rows_are_not_read_and_a_dataset_of_none_has_its_columns(engine: Engine) -> None:
    gone = DataObject("nowhere/part-00000.parquet", 0, 100, "0" * 64)
    engine.read("found", Dataset(BUCKET, KEYED, MONTH, (Partition({"month": "2024-11"}, "", (gone,)),)))
    assert engine.fetch("SELECT id, name, month FROM found") == []
    assert engine.fetch("SELECT count(id) AS n FROM found WHERE month = '2024-11'") == [{"n": 0}]


@pytest.mark.parametrize(
    ("wrong", "use"),
    [
        ({"sha256": "0" * 64}, "write"),
        ({"bytes": 1}, "table"),
        ({"key": "star/nothing.parquet"}, "fetch"),
    ],
)
def test_an_object_that_is_not_what_its_commit_says_is_not_read(
    engine: Engine, site: Site, wrong: dict[str, Any], use: str
) -> None:
    put = put_rows(site, [{"id": 1, "name": "a"}])
    [data] = put.partitions[0].objects
    other = Partition({}, "", (dataclasses.replace(data, **wrong),))
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",))
    uses: dict[str, Callable[[], object]] = {
        "fetch": lambda: engine.fetch("SELECT * FROM found"),
        "table": lambda: engine.table("kept", "SELECT * FROM found"),
        "write": lambda: write(engine, "SELECT * FROM found", destination),
    }
    with pytest.raises(ChecksumMismatch, match=r"missing|holds .* it is not read"):  # noqa: PT012 - at either
        engine.read("found", Dataset(BUCKET, KEYED, NOTHING, (other,)))
        uses[use]()
    assert site.listed(destination.prefix) == {}


def test_an_object_is_read_once_for_a_query_and_not_before(engine: Engine, site: Site) -> None:
    put = put_rows(site, [{"id": number, "name": "a"} for number in range(3)])
    [data] = put.partitions[0].objects
    request = f"GET /{BUCKET}/{data.key}"
    engine.read("found", put)
    engine.view("few", "SELECT * FROM found WHERE id > 0")
    site.strikes.paths.clear()
    assert engine.fetch("SELECT 1 AS one") == [{"one": 1}]
    assert request not in site.strikes.paths
    assert engine.fetch("SELECT count(*) AS n FROM few") == [{"n": 2}]
    assert site.strikes.paths.count(request) == 1


# ------------------------------------------------------------------ relations


def test_a_table_runs_once_a_view_wherever_it_is_used(engine: Engine, site: Site) -> None:
    put = put_rows(site, [{"id": number, "name": "a"} for number in range(3)])
    engine.read("found", put)
    engine.view("seen", "SELECT id, name FROM found WHERE id > 0")
    assert engine.table("kept", "SELECT id FROM seen") == 2
    assert engine.table("none", "SELECT id FROM kept WHERE id > 2") == 0
    site.strikes.paths.clear()
    query = "SELECT count(*) AS n FROM kept AS k WHERE EXISTS (SELECT 1 FROM kept AS o WHERE o.id = k.id)"
    assert engine.fetch(query) == [{"n": 2}]
    assert not [path for path in site.strikes.paths if path.startswith("GET")]


def test_rows_that_leave_columns_out_and_none_at_all(engine: Engine) -> None:
    engine.rows("few", KEYED, [{"id": 1}, {"id": 2, "name": "b"}])
    engine.rows("none", KEYED, [])
    query = (
        "SELECT s.id, s.name, n.name AS other FROM few AS s LEFT JOIN none AS n ON n.id = s.id ORDER BY s.id"
    )
    assert engine.fetch(query) == [
        {"id": 1, "name": None, "other": None},
        {"id": 2, "name": "b", "other": None},
    ]


def test_a_name_is_free_again_when_it_is_forgotten(engine: Engine, site: Site) -> None:
    put = put_rows(site, [{"id": 1, "name": "a"}])
    for kind in ("read", "rows", "view", "table"):
        if kind == "read":
            engine.read("found", put)
        elif kind == "rows":
            engine.rows("found", KEYED, [{"id": 1}])
        else:
            getattr(engine, kind)("found", "SELECT CAST(1 AS BIGINT) AS id")
        assert engine.fetch("SELECT id FROM found") == [{"id": 1}]
        engine.forget(["found"])
    engine.forget(["found", "never there"])


def test_pieces_of_work_answer_in_order_and_the_first_failure_is_raised(engine: Engine) -> None:
    engine.rows("few", KEYED, [{"id": 1}])
    pieces = [lambda n=n: engine.fetch(f"SELECT id + {n} AS n FROM few")[0]["n"] for n in range(6)]
    assert engine.run_in_parallel(pieces) == [1, 2, 3, 4, 5, 6]

    def fail() -> int:
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        engine.run_in_parallel([pieces[0], fail, pieces[1]])


# ------------------------------------------------------------------ writing


def test_partitions_are_written_where_the_destination_says(engine: Engine, site: Site) -> None:
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), ("id",), "month", "version=1/")
    engine.rows("few", KEYED, [{"id": number, "name": f"n{number}"} for number in (5, 3, 9, 1)])
    query = "SELECT id, name, CASE WHEN id < 4 THEN '2024-10' ELSE '2024-11' END AS month FROM few"
    written = write(engine, query, destination)
    assert list(written) == ["2024-10", "2024-11"]
    for value, keys in {"2024-10": [1, 3], "2024-11": [5, 9]}.items():
        [data] = written[value]
        assert data.key == f"{destination.prefix}month={value}/version=1/part-00000.parquet"
        content = site.body(data)
        assert (data.bytes, data.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert (data.rows, data.key_min, data.key_max) == (2, (keys[0],), (keys[1],))
        found = pq.ParquetFile(io.BytesIO(content))
        assert found.schema_arrow.equals(KEYED)
        assert found.metadata.row_group(0).column(0).compression == "ZSTD"
        assert found.read().column("id").to_pylist() == keys
    assert set(site.listed(destination.prefix)) == {data.key for [data] in written.values()}


def test_partition_values_that_are_numbers_or_days(engine: Engine, site: Site) -> None:
    engine.rows("few", KEYED, [{"id": number, "name": "a"} for number in (10, 9)])
    for expression, values in (
        ("id", ["10", "9"]),
        ("CAST('2024-11-0' || CAST(id - 8 AS STRING) AS DATE)", ["2024-11-01", "2024-11-02"]),
    ):
        destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), (), "part")
        assert list(write(engine, f"SELECT id, name, {expression} AS part FROM few", destination)) == values


def test_the_same_rows_in_any_order_make_the_same_bytes(engine: Engine, site: Site) -> None:
    rows = [{"id": number // 2, "name": None if number % 2 else f"n{number}"} for number in range(50)]
    found = []
    for few in (rows, rows[::-1]):
        destination = Destination(BUCKET, site.prefix(), KEYED, ("id", "name"), ("id", "name"))
        engine.rows("few", KEYED, few)
        [data] = write(engine, "SELECT * FROM few", destination)[""]
        found.append((data.sha256, data.key_min, data.key_max))
        engine.forget()
    assert found[0] == found[1]
    assert found[0][1:] == ((0, "n0"), (24, "n8"))


def test_the_key_range_of_a_column_without_values_is_not_known(engine: Engine, site: Site) -> None:
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), ("id", "name"))
    engine.rows("few", KEYED, [{"id": 1}])
    [data] = write(engine, "SELECT * FROM few", destination)[""]
    assert (data.key_min, data.key_max) == (None, None)


def test_many_rows_become_several_objects_whose_keys_do_not_overlap(engine: Engine, site: Site) -> None:
    schema = pa.schema([("id", pa.int64())])
    rows = OBJECT_ROWS + 100_000
    destination = Destination(BUCKET, site.prefix(), schema, ("id",), ("id",))
    written = write(engine, f"SELECT id FROM range({rows}) AS r(id)", destination, rows)[""]
    assert len(written) > 1
    assert sum(data.rows for data in written) == rows
    assert max(data.rows for data in written) <= OBJECT_ROWS
    ranges = sorted((data.key_min, data.key_max) for data in written)
    assert all(
        last is not None and first is not None and last < first
        for (_, last), (first, _) in itertools.pairwise(ranges)
    )
    assert set(site.listed(destination.prefix)) == {data.key for data in written}


def test_many_rows_of_a_few_partitions(engine: Engine, site: Site) -> None:
    schema = pa.schema([("id", pa.int64())])
    destination = Destination(BUCKET, site.prefix(), schema, ("id",), ("id",), "part")
    query = "SELECT id, CAST(id % 5 AS INT) AS part FROM range(1000) AS r(id)"
    # More tasks than this are for more rows; that they are few does not matter here.
    written = write(engine, query, destination, 1_500_000)
    assert {value: sum(data.rows for data in found) for value, found in written.items()} == dict.fromkeys(
        "01234", 200
    )
    assert set(site.listed(destination.prefix)) == {data.key for found in written.values() for data in found}


def test_no_rows_make_no_objects(engine: Engine, site: Site) -> None:
    for partition_by in (None, "month"):
        destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), ("id",), partition_by)
        engine.rows("none", KEYED, [])
        assert write(engine, "SELECT id, name, name AS month FROM none", destination) == {}
        assert site.listed(destination.prefix) == {}
        engine.forget()


def test_a_key_that_holds_the_same_bytes_is_done_and_other_bytes_are_refused(
    engine: Engine, site: Site
) -> None:
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), ("id",))
    engine.rows("few", KEYED, [{"id": 1, "name": "a"}])
    first = write(engine, "SELECT * FROM few", destination)
    assert write(engine, "SELECT * FROM few", destination) == first
    before = site.listed(destination.prefix)
    with pytest.raises(ObjectExists, match=r"part-00000\.parquet exists already"):
        write(engine, "SELECT id, 'other' AS name FROM few", destination)
    assert site.listed(destination.prefix) == before
    assert hashlib.sha256(site.body(first[""][0])).hexdigest() == first[""][0].sha256


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT CAST(1 AS INT) AS id, 'a' AS name", "column id is to be BIGINT and is INT"),
        ("SELECT CAST(1 AS BIGINT) AS id", "column name is to be STRING and is nothing"),
        ("SELECT CAST(1 AS BIGINT) AS id, 'a' AS name", "the query has no column month"),
    ],
)
def test_a_query_with_other_columns_is_refused(engine: Engine, site: Site, query: str, reason: str) -> None:
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",), (), "month")
    with pytest.raises(TypeError, match=reason):
        write(engine, query, destination)


def test_an_empty_value_where_none_may_be_is_refused(engine: Engine, site: Site) -> None:
    by_month = Destination(BUCKET, site.prefix(), KEYED, ("id",), (), "month")
    with pytest.raises(ValueError, match="1 rows have no month"):
        write(engine, "SELECT CAST(1 AS BIGINT) AS id, 'a' AS name, CAST(NULL AS STRING) AS month", by_month)
    plain = Destination(BUCKET, site.prefix(), KEYED, ("name",))
    with pytest.raises(ValueError, match="column id may not be empty, and 1 rows leave it out"):
        write(engine, "SELECT CAST(NULL AS BIGINT) AS id, 'a' AS name", plain)
    assert site.listed(by_month.prefix) == site.listed(plain.prefix) == {}


def test_texts_of_megabytes_are_written_and_read(engine: Engine, site: Site) -> None:
    engine.read(
        "put", put_rows(site, [{"id": number, "name": f"{number}" * (4 << 20)} for number in range(8)])
    )
    destination = Destination(BUCKET, site.prefix(), KEYED, ("id",))
    written = write(engine, "SELECT * FROM put", destination)
    # Whoever reads it holds one row group: a few of them.
    file = pq.ParquetFile(io.BytesIO(site.body(written[""][0])))
    assert file.num_row_groups > 1
    # To look for the smallest text would copy every one of them.
    key, text = (file.metadata.row_group(0).column(index) for index in range(2))
    assert key.is_stats_set
    assert not text.is_stats_set
    engine.read("found", dataset(KEYED, written, destination, NOTHING))
    query = "SELECT id, CAST(length(name) AS INT) AS n FROM found WHERE name LIKE '4%'"
    assert engine.fetch(query) == [{"id": 4, "n": 4 << 20}]
