"""The type table: every logical type means the same on every platform, and nothing else is accepted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from awswrangler import _data_types as athena_types
from jsonschema import Draft7Validator
from sqlalchemy.engine import make_url

from catalog import types
from catalog.types import LogicalType, UnknownTypeError, parse_type

POSTGRESQL = make_url("postgresql+psycopg://").get_dialect()()

EXAMPLES = {
    "integer": (2**31 - 1, ["integer", "smallint"], ["bigint", "numeric(9,0)", "text"], "INTEGER"),
    "bigint": (2**63 - 1, ["bigint", "integer", "smallint"], ["numeric(20,0)", "text"], "BIGINT"),
    "boolean": (True, ["boolean"], ["integer", "text"], "BOOLEAN"),
    "text": (
        "Ünï",
        [
            *("text", "character varying", "character varying(3)", "enum", "character(5)", "uuid", "json"),
            *("jsonb", "bytea", "inet", "integer[]", "int4range", "interval", "double precision", "numeric"),
            *("timestamp without time zone", "timestamp(3) with time zone", "sales.postcode"),
            # What another type is made for, and of which it cannot hold every value, or not as a key.
            *("boolean", "date", "numeric(10,2)", "numeric(50,2)", "timestamp(3) without time zone"),
            "time(3) without time zone",
        ],
        ["smallint", "integer", "bigint"],
        "VARCHAR",
    ),
    "decimal(10,2)": (
        Decimal("12345678.90"),
        ["numeric(10,2)", "numeric(9,1)", "numeric(4,2)", "numeric"],
        ["numeric(11,2)", "numeric(10,3)", "double precision", "money"],
        "NUMERIC(10, 2)",
    ),
    "timestamp": (
        dt.datetime(2024, 11, 15, 10, 0, 0, 123000),  # noqa: DTZ001 - the lake's times have no zone
        ["timestamp(3) without time zone", "timestamp(0) without time zone"],
        ["timestamp without time zone", "timestamp(6) without time zone", "timestamp(3) with time zone"],
        "TIMESTAMP(3) WITHOUT TIME ZONE",
    ),
    "timestamp(6)": (
        dt.datetime(2024, 6, 30, 23, 59, 59, 999600),  # noqa: DTZ001 - the lake's times have no zone
        ["timestamp without time zone", "timestamp(6) without time zone", "timestamp(3) without time zone"],
        ["timestamp with time zone", "timestamp(3) with time zone", "date", "text"],
        "TIMESTAMP(6) WITHOUT TIME ZONE",
    ),
    "timestamptz": (
        dt.datetime(2024, 6, 30, 23, 59, 59, 999600),  # noqa: DTZ001 - so they are here, in UTC
        ["timestamp with time zone", "timestamp(0) with time zone", "timestamp(6) with time zone"],
        ["timestamp without time zone", "timestamp(3) without time zone", "time with time zone"],
        "TIMESTAMP(6) WITHOUT TIME ZONE",
    ),
    "double": (
        5e-324,
        ["double precision"],
        ["real", "numeric", "numeric(10,2)", "text"],
        "DOUBLE PRECISION",
    ),
    "real": (1.401298464324817e-45, ["real"], ["double precision", "numeric", "integer"], "REAL"),
    "date": (dt.date(2024, 11, 15), ["date"], ["text", "timestamp(3) without time zone"], "DATE"),
    "time": ("14:20:52.186", ["time(3) without time zone"], ["time without time zone", "text"], "TIME"),
}

cases = pytest.mark.parametrize("name", EXAMPLES)


def test_every_row_of_the_table_has_an_example() -> None:
    assert {parse_type(name).name for name in EXAMPLES} == set(types.TYPE_TABLE)


@cases
def test_a_type_is_written_as_it_is_read(name: str) -> None:
    assert str(parse_type(name)) == name


@cases
def test_the_source_type_is_accepted_only_where_no_value_is_lost(name: str) -> None:
    _, accepted, refused, _ = EXAMPLES[name]
    wanted = parse_type(name)
    assert [t for t in accepted if not types.postgres_accepts(wanted, t)] == []
    assert [t for t in refused if types.postgres_accepts(wanted, t)] == []


@cases
def test_the_arrow_type_holds_the_example_exactly(name: str) -> None:
    value = EXAMPLES[name][0]
    assert pa.array([value, None], types.arrow_type(parse_type(name))).to_pylist() == [value, None]


@cases
def test_athena_reads_the_glue_type_as_the_arrow_type_that_files_hold(name: str) -> None:
    # awswrangler's own reading of Athena's types is the independent witness.
    wanted = parse_type(name)
    read = athena_types.athena2pyarrow(types.glue_type(wanted))
    if name in types.MOMENTS:
        assert pa.types.is_timestamp(read)
        assert read.tz is None
    else:
        assert read == types.arrow_type(wanted)


@cases
def test_a_view_states_the_type_that_trino_calls_it(name: str) -> None:
    # The Hive type of a column and the Trino type of the same column in a view must read alike.
    wanted = parse_type(name)
    hive = {"int": "integer", "string": "varchar", "timestamp": "timestamp(3)", "float": "real"}
    glue = types.glue_type(wanted)
    assert types.trino_type(wanted) == hive.get(glue, glue)


@cases
def test_sql_reads_its_spelling_as_the_arrow_type_that_files_hold(name: str) -> None:
    wanted = parse_type(name)
    query = f"SELECT CAST(NULL AS {types.sql_type(wanted)}) AS c"
    read = duckdb.sql(query).fetch_arrow_table().schema[0].type
    expected: pa.DataType = pa.timestamp("us") if name in types.MOMENTS else types.arrow_type(wanted)
    assert read == expected


@cases
def test_the_json_schema_accepts_the_example_and_refuses_another_type(name: str) -> None:
    value = EXAMPLES[name][0]
    told = value if isinstance(value, (bool, int)) else str(value)
    schema = Draft7Validator(types.json_schema_type(parse_type(name)))
    assert schema.is_valid(told)
    assert not schema.is_valid({"an": "object"})


@cases
def test_the_warehouse_type_is_what_postgresql_declares(name: str) -> None:
    compiled = types.warehouse_type(parse_type(name)).compile(dialect=POSTGRESQL)
    expected = EXAMPLES[name][3]
    assert compiled.removesuffix(" WITHOUT TIME ZONE") == expected.removesuffix(" WITHOUT TIME ZONE")


def test_the_lake_spells_every_type_of_the_table_and_no_other() -> None:
    assert types._LAKE.keys() == types.TYPE_TABLE.keys()


@pytest.mark.parametrize(
    "text", ["int", "decimal", "decimal(39,2)", "decimal(0,0)", "decimal(4,5)", "DATE", "varchar(3)", ""]
)
def test_an_unknown_type_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnknownTypeError, match=r"unknown type|holds 1 to 38 digits"):
        parse_type(text)


def test_a_decimal_without_fraction_is_text_of_digits_in_json() -> None:
    schema = Draft7Validator(types.json_schema_type(LogicalType("decimal", 5, 0)))
    assert schema.is_valid("12345")
    assert not schema.is_valid("12345.6")
    assert not schema.is_valid("123456")
