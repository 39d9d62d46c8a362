"""Generated relations through every text of SQL, on both engines; ``make differential`` takes thousands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Engine
from tests.differential.compare import compared
from tests.differential.relations import SPACE, Frame, number_of
from tests.differential.texts import cases

RELATIONS = 40


@pytest.fixture(scope="module")
def engines(spark_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    from glue_jobs.engine.spark import SparkEngine

    embedded = EmbeddedEngine(cast("Any", None), tmp_path_factory.mktemp("engine"), 512 << 20, 1, 2 << 30)
    yield embedded, SparkEngine("eu-west-2", "tests")
    embedded.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", cases())
def test_both_engines_say_the_same_of_every_text(engines: tuple[Engine, Engine], name: str) -> None:
    for engine in engines:
        engine.forget()
    found = list(compared(cases()[name](Frame(1, 0, RELATIONS)), engines))
    assert {one.text: one.difference for one in found if one.difference is not None} == {}
    assert any(one.rows for one in found)


@pytest.mark.slow
def test_every_text_of_a_later_frame_has_rows_to_compare(engines: tuple[Engine, Engine]) -> None:
    for engine in engines:
        engine.forget()
    found = list(compared(cases()["validation currency"](Frame(1, 2500, RELATIONS)), engines))
    assert [one.text for one in found if not one.rows] == []


def test_every_relation_has_keys_of_its_own() -> None:
    relations = list(Frame(0, 0, 5000).relations("keys"))
    for relation in relations:
        assert {number_of(relation.base), number_of(relation.base + SPACE - 1)} == {relation.number}
    assert relations[0].base == -(2**31)
    assert relations[1].base + SPACE == 2**31
