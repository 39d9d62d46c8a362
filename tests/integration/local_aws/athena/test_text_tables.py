"""Tables of CSV and JSON files are read as Athena's SerDes read them; what is not known is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pyarrow as pa
import pytest

from glue_jobs.runtime.athena import QueryFailed
from tests.integration.local_aws.athena.lake import LAKE, Lake
from tests.night import at_night

Cell = str | None


def _table(
    lake: Lake, name: str, columns: str, form: str, content: str, *, zipped: bool = False, more: str = ""
) -> None:
    data = gzip.compress(content.encode()) if zipped else content.encode()
    lake.s3.put_object(Bucket=LAKE, Key=f"{name}/data.txt{'.gz' if zipped else ''}", Body=data)
    lake.ask(f"CREATE EXTERNAL TABLE {name} ({columns}) {form} LOCATION 's3://{LAKE}/{name}/' {more}")


DELIMITED = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','"
OPEN_CSV = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
OPENX = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
HIVE_JSON = "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'"


@pytest.mark.parametrize(
    ("columns", "form", "content", "rows"),
    [
        ("a int, b string", DELIMITED, "1,x\n2,y\n", [("1", "x"), ("2", "y")]),
        (
            "a int, b string",
            DELIMITED,
            "1,x\nabc,\n,\\N\n3\n4,z,more\n",
            [("1", "x"), (None, ""), (None, None), ("3", None), ("4", "z")],
        ),
        ("a tinyint, b boolean", DELIMITED, "300,TRUE\n1,yes\n", [(None, "true"), ("1", None)]),
        ("a decimal(5,2), b double", DELIMITED, "1.005,1e3\n12345,x\n", [("1.01", "1000.0"), (None, None)]),
        (
            "a date, b timestamp",
            DELIMITED,
            "2024-01-31,2024-01-31 10:00:00.5\n31.1.2024,x\n",
            [("2024-01-31", "2024-01-31 10:00:00.500"), (None, None)],
        ),
        ("a string, b string", DELIMITED + " ESCAPED BY '\\\\'", "x\\,y,z\n", [("x,y", "z")]),
        (
            "a array<int>, b string",
            DELIMITED + " COLLECTION ITEMS TERMINATED BY '|'",
            "1|2,x\n",
            [("[1, 2]", "x")],
        ),
        (
            "a array<int>, b array<string>",
            DELIMITED + " COLLECTION ITEMS TERMINATED BY '|'",
            "1|\\N|2.7,x|\\N\n,\n",
            [("[1, null, 2]", "[x, null]"), ("[]", "[]")],
        ),
        ("a int, b bigint", DELIMITED, "1.9,-2.\n.5,+.5\n1.x,1e3\n", [("1", "-2"), ("0", "0"), (None, None)]),
        ("a decimal(5,2), b double", DELIMITED, "1_0, 2.5 \nNaN,1.5f\n", [(None, "2.5"), (None, "1.5")]),
        (
            "a date, b timestamp",
            DELIMITED,
            "2024-1-5,2024-1-5 1:02:03\n2024-01-05 10:00:00,2024-02-30 00:00:00\n2024-13-01,2024-01-05\n",
            [
                ("2024-01-05", "2024-01-05 01:02:03.000"),
                ("2024-01-05", "2024-03-01 00:00:00.000"),
                (None, None),
            ],
        ),
        ("a string, b string", DELIMITED, "x,y\r\nz,w\rq,r\n", [("x", "y"), ("z", "w"), ("q", "r")]),
        ("a string, b int", "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t'", "x\t1\n", [("x", "1")]),
        ("a varchar(2), b char(3)", DELIMITED, "abc,x\n", [("ab", "x  ")]),
        ("a string, b string", OPEN_CSV, '"x,y","say ""hi"""\nz\n', [("x,y", 'say "hi"'), ("z", None)]),
        (
            "a string, b int",
            OPEN_CSV + " WITH SERDEPROPERTIES ('separatorChar' = ';')",
            "x;7\n",
            [("x", "7")],
        ),
        ("a date, b boolean", OPEN_CSV, "19753,TRUE\n", [("2024-01-31", "true")]),
        ("a string, b string", OPEN_CSV, 'abc"d"ef,g\n', [('abc"d"ef', "g")]),
        ("a string, b string", OPEN_CSV, 'x,  "y z"\n"",\n\n', [("x", "y z"), ("", ""), (None, None)]),
        ("a string, b string", OPEN_CSV, '"a\\"b","c\\\\d"\n', [('a"b', "c\\d")]),
        (
            "a string, b string",
            OPEN_CSV
            + """ WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '\\"', 'escapeChar' = '\\\\')""",
            '"x,y",z\n',
            [("x,y", "z")],
        ),
        (
            "a string, b string",
            OPEN_CSV + """ WITH SERDEPROPERTIES ("separatorChar" = "\\t", "quoteChar" = "'")""",
            "'x\ty'\tz\n",
            [("x\ty", "z")],
        ),
        ("a string, b int", 'ROW FORMAT DELIMITED FIELDS TERMINATED BY "\\073"', "x;1\n", [("x", "1")]),
        (
            "a int, b struct<c:string,d:array<double>>",
            OPENX,
            '{"A": 1, "b": {"C": "x", "d": [1, 2.5]}}\n{"z": 1}\n',
            [("1", "{c=x, d=[1.0, 2.5]}"), (None, None)],
        ),
        (
            "a string, b map<string,int>",
            HIVE_JSON,
            '{"a": {"k": 1}, "b": {"x": 2}}\n',
            [('{"k":1}', "{x=2}")],
        ),
        (
            "a int, b string",
            OPENX + " WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')",
            'oops\n{"a": 2, "b": "y"}\n',
            [(None, None), ("2", "y")],
        ),
        (
            "a int, b string",
            OPENX + " WITH SERDEPROPERTIES ('mapping.a' = 'Other Name')",
            '{"Other Name": 2, "b": "y"}\n',
            [("2", "y")],
        ),
    ],
)
@pytest.mark.parametrize("zipped", [False, at_night(True)])
def test_a_text_table_is_read_as_its_serde_reads_it(
    lake: Lake,
    table_name: Callable[[], str],
    columns: str,
    form: str,
    content: str,
    rows: list[tuple[Cell, ...]],
    *,
    zipped: bool,
) -> None:
    name = table_name()
    _table(lake, name, columns, form, content, zipped=zipped)
    assert lake.values(f"SELECT a, b FROM {name}") == rows


def test_header_lines_are_skipped_and_partitions_are_added(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.ask(
        f"CREATE EXTERNAL TABLE {name} (a int) PARTITIONED BY (p string) {DELIMITED} "
        f"LOCATION 's3://{LAKE}/{name}/' TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    for part in ("x", "y"):
        lake.s3.put_object(Bucket=LAKE, Key=f"{name}/p={part}/1.csv", Body=b"a\n1\n2\n")
    assert lake.values(f"SELECT count(*) FROM {name}") == [("0",)]
    lake.ask(f"MSCK REPAIR TABLE {name}")
    assert lake.values(f"SELECT a, p FROM {name} WHERE p = 'y'") == [("1", "y"), ("2", "y")]
    lake.ask(f"ALTER TABLE {name} DROP PARTITION (p = 'x')")
    lake.ask(f"ALTER TABLE {name} ADD IF NOT EXISTS PARTITION (p = 'z') LOCATION 's3://{LAKE}/{name}/p=x/'")
    assert lake.values(f"SELECT p, count(*) FROM {name} GROUP BY p ORDER BY p") == [("y", "2"), ("z", "2")]
    assert lake.values(f'SELECT p FROM "{name}$partitions" ORDER BY 1') == [("y",), ("z",)]
    lake.ask(f"ALTER TABLE {name} ADD COLUMNS (b string)")
    assert lake.values(f"SELECT b FROM {name} WHERE p = 'y'") == [(None,), (None,)]
    lake.ask(f"ALTER TABLE {name} SET TBLPROPERTIES ('comment' = 'tried')")
    assert ("comment", "tried") in lake.values(f"SHOW TBLPROPERTIES {name}")


def test_partitions_and_tables_get_other_values_places_and_columns(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    name = table_name()
    folder = f"s3://{LAKE}/{name}"
    lake.ask(
        f"CREATE EXTERNAL TABLE {name} (a string, b string) PARTITIONED BY (p string) "
        f"ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{folder}/'"
    )
    lake.ask(f"INSERT INTO {name} VALUES ('1', '2', 'x')")
    lake.ask(f"ALTER TABLE {name} PARTITION (p = 'x') RENAME TO PARTITION (p = 'y')")
    assert lake.values(f"SELECT * FROM {name}") == [("1", "2", "y")]
    lake.ask(f"ALTER TABLE {name} PARTITION (p = 'y') SET LOCATION '{folder}/none'")
    assert lake.values(f"SELECT count(*) FROM {name}") == [("0",)]
    lake.ask(f"ALTER TABLE {name} PARTITION (p = 'y') SET LOCATION '{folder}/p=x/'")
    lake.ask(f"ALTER TABLE {name} REPLACE COLUMNS (c int)")
    assert lake.values(f"SELECT * FROM {name}") == [("1", "y")]
    lake.ask(f"ALTER TABLE {name} SET LOCATION '{folder}-too/'")
    assert (f"  '{folder}-too/'",) in lake.values(f"SHOW CREATE TABLE {name}")
    for change, message in (
        ("PARTITION (p = 'x') RENAME TO PARTITION (p = 'z')", "PARTITION_NOT_FOUND"),
        ("PARTITION (p = 'y') RENAME TO PARTITION (p = 'y')", "ALREADY_EXISTS"),
        ("PARTITION (q = 'y') SET LOCATION 's3://x/'", "partitioned by"),
        ("PARTITION (p = 'y') ADD COLUMNS (z int)", "not supported"),
        ("REPLACE COLUMNS (c int, c int)", "DUPLICATE_COLUMN_NAME"),
        ("REPLACE COLUMNS (p int)", "DUPLICATE_COLUMN_NAME"),
        ("SET LOCATION 'elsewhere'", "no s3:// location"),
    ):
        with pytest.raises(QueryFailed, match=message):
            lake.ask(f"ALTER TABLE {name} {change}")


@pytest.mark.parametrize(
    ("columns", "form", "more", "message"),
    [
        (
            "a int",
            "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'",
            "",
            "RegexSerDe is not supported here",
        ),
        ("a int", "STORED AS ORC", "", "STORED AS ORC is not supported here"),
        ("a int", "STORED AS AVRO", "", "STORED AS AVRO is not supported here"),
        (
            "a int",
            OPENX + " WITH SERDEPROPERTIES ('dots.in.keys' = 'true')",
            "",
            "dots.in.keys of .* is not supported",
        ),
        ("a array<int>", OPEN_CSV, "", "OpenCSVSerde has no type"),
        (
            "a string",
            OPEN_CSV + """ WITH SERDEPROPERTIES ('quoteChar' = '"', 'escapeChar' = '"')""",
            "",
            "separatorChar, quoteChar and escapeChar must be three signs",
        ),
        ("a map<string,int>", DELIMITED, "", "in text files is not supported here"),
        (
            "a int",
            DELIMITED,
            "TBLPROPERTIES ('projection.enabled' = 'true')",
            "Partition projection is Athena's",
        ),
        ("a time", DELIMITED, "", "Unsupported Hive type: time"),
        ("a int, A int", DELIMITED, "", "Column name 'a' specified more than once"),
    ],
)
def test_what_is_not_known_is_refused_when_the_table_is_made(
    lake: Lake, table_name: Callable[[], str], columns: str, form: str, more: str, message: str
) -> None:
    name = table_name()
    with pytest.raises(QueryFailed, match=message):
        lake.ask(f"CREATE EXTERNAL TABLE {name} ({columns}) {form} LOCATION 's3://{LAKE}/{name}/' {more}")
    assert lake.values(f"SHOW TABLES '{name}'") == []


def test_what_open_csv_and_json_cannot_read_is_bad_data(lake: Lake, table_name: Callable[[], str]) -> None:
    for form, content in ((OPEN_CSV, "x\n"), (OPENX, "oops\n"), (OPENX, '{"a": "x"}\n')):
        name = table_name()
        _table(lake, name, "a int", form, content)
        with pytest.raises(QueryFailed, match=r"HIVE_(BAD_DATA|CURSOR_ERROR)"):
            lake.ask(f"SELECT a FROM {name}")


@pytest.mark.parametrize("content", ['"x\ny"\n', '"x\n', 'z\n"x'])
def test_a_line_break_in_a_quoted_field_is_refused(
    lake: Lake, table_name: Callable[[], str], content: str
) -> None:
    name = table_name()
    _table(lake, name, "a string", OPEN_CSV, content)
    with pytest.raises(QueryFailed, match=r"A line break inside of a quoted field in .* is not supported"):
        lake.ask(f"SELECT a FROM {name}")


@pytest.mark.parametrize("form", ["TEXTFILE", "JSON", "PARQUET"])
def test_a_table_in_each_format_gives_back_what_was_written(
    lake: Lake, table_name: Callable[[], str], form: str
) -> None:
    name = table_name()
    lake.ask(
        f"CREATE TABLE {name} WITH (format = '{form}', partitioned_by = ARRAY['p']) AS "
        "SELECT * FROM (VALUES (1, CAST('x' AS varchar), DECIMAL '1.50', DATE '2024-01-31', 'p 1'), "
        "(NULL, '', NULL, NULL, 'q')) "
        "AS t(a, b, c, d, p)"
    )
    lake.ask(f"INSERT INTO {name} SELECT 3, 'y', DECIMAL '2.00', NULL, 'q'")
    lake.ask(f"INSERT INTO {name} (b, p) VALUES ('only', 'r')")
    assert lake.values(f"SELECT a, b, c, d, p FROM {name} ORDER BY a, b DESC") == [
        ("1", "x", "1.50", "2024-01-31", "p 1"),
        ("3", "y", "2.00", None, "q"),
        (None, "only", None, None, "r"),
        (None, "", None, None, "q"),
    ]
    assert len(lake.values(f"SHOW PARTITIONS {name}")) == 3
    with pytest.raises(QueryFailed, match="Insert query has mismatched column types"):
        lake.ask(f"INSERT INTO {name} VALUES ('a', 'b', 1, NULL, 'q')")


def test_names_have_no_case_and_types_are_those_of_the_table(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    name = table_name()
    lake.table(name, {"orderid": "bigint", "info": "struct<unitprice:double,tags:array<string>>", "n": "int"})
    odd = pa.table(
        {
            "OrderId": pa.array([1, 2], pa.uint32()),
            "Info": pa.array([{"UnitPrice": 1.5, "Tags": ["a"]}, None]),
            "n": pa.array([7, 8], pa.uint16()),
        }
    )
    lake.put(odd, f"{name}/odd.parquet")
    plain = pa.table({"orderid": pa.array([3], pa.int64()), "n": pa.array([9], pa.int32())})
    lake.put(plain, f"{name}/plain.parquet")
    assert lake.values(f"SELECT ORDERID, info.UnitPrice, info, N FROM {name} ORDER BY 1") == [
        ("1", "1.5", "{unitprice=1.5, tags=[a]}", "7"),
        ("2", None, None, "8"),
        ("3", None, None, "9"),
    ]
    assert lake.values(f"SELECT count(*) FROM {name} WHERE orderid > 1 AND n < 9") == [("1",)]
    paths = lake.values(f'SELECT DISTINCT "$path" FROM {name} ORDER BY 1')
    assert paths == [(f"s3://{LAKE}/{name}/odd.parquet",), (f"s3://{LAKE}/{name}/plain.parquet",)]
    assert lake.values(f"SELECT orderid FROM {name} WHERE \"$path\" LIKE '%plain.parquet'") == [("3",)]
