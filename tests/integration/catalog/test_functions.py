"""Every function gives what its cases say, on both engines."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from catalog.functions import BY_NAME, FUNCTIONS, literal
from catalog.regex import portable
from catalog.types import sql_type
from tests.cross_rates import chosen_pairs, wanted
from tests.sql_engines import PlainDuckDB, PlainEngine, PlainSpark

CASES: dict[str, list[list[Any]]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "functions.yaml").read_text(encoding="utf-8")
)
ARROW = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "DECIMAL(18,9)": pa.decimal128(18, 9),
    "DECIMAL(18,12)": pa.decimal128(18, 12),
}


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PlainEngine:
    return PlainDuckDB() if request.param == "duckdb" else PlainSpark(tmp_path_factory.mktemp("spark"))


def column(values: list[Any], kind: str) -> pa.Array:
    """Values as the cases state them: numpy reads the years that Python's own dates lack."""
    if kind == "DATE":
        days = [None if one is None else int(np.datetime64(one, "D").astype(int)) for one in values]
        return pa.array(days, pa.int32()).cast(pa.date32())
    if kind == "TIMESTAMP":
        moments = [
            None if one is None else int(np.datetime64(one.replace(" ", "T"), "us").astype(int))
            for one in values
        ]
        return pa.array(moments, pa.int64()).cast(pa.timestamp("us"))
    if kind.startswith("DECIMAL"):
        return pa.array([None if one is None else Decimal(one) for one in values], ARROW[kind])
    return pa.array(values, ARROW[kind])


def plain(values: pa.ChunkedArray | pa.Array) -> list[Any]:
    """What engines gave, days as numbers: Python has no year 0."""
    numbers = values.cast(pa.int32()) if values.type == pa.date32() else values
    return list(numbers.to_pylist())


def test_every_function_has_cases() -> None:
    assert list(CASES) == [function.name for function in FUNCTIONS]


@pytest.mark.parametrize("name", CASES)
def test_cases(engine: PlainEngine, name: str) -> None:
    function = BY_NAME[name]
    cases = CASES[name]
    kinds = [kind for _, kind in function.arguments]
    given = [column([case[place] for case in cases], kind) for place, kind in enumerate(kinds)]
    rows = pa.table(given, names=[argument for argument, _ in function.arguments])
    if "pattern" in rows.column_names:
        # A pattern is always a literal, as the compiler spells it; each case is a row of its own.
        found = [
            engine.evaluate(rows.slice(place, 1), [f"{name}(value, {literal(portable(case[1]))})"])["_0"][
                0
            ].as_py()
            for place, case in enumerate(cases)
        ]
    else:
        answer = engine.evaluate(rows, [f"{name}({', '.join(rows.column_names)})"])["_0"]
        assert answer.type == ARROW[sql_type(function.result)]
        found = plain(answer)
    wanted = plain(column([case[-1] for case in cases], sql_type(function.result)))
    assert dict(zip(map(str, cases), found, strict=True)) == dict(zip(map(str, cases), wanted, strict=True))


def test_cross_rates_are_python_s_own(engine: PlainEngine) -> None:
    pairs = chosen_pairs()
    given = [column([pair[place] for pair in pairs], "DECIMAL(18,9)") for place in range(2)]
    rows = pa.table(given, names=["ours", "theirs"])
    found = engine.evaluate(rows, ["cross_rate(ours, theirs)"])["_0"]
    assert plain(found) == [wanted(ours, theirs) for ours, theirs in pairs]
