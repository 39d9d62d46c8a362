"""What SQL finds in rows, in references, lookups and dead letters, against plain Python."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.catalogue import load_catalogue
from expectations import validation_report
from expectations.rules import Rule, Suite
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.live_keys import keys_of
from glue_jobs.validation import lookups, references, row_validator, unresolved
from glue_jobs.validation.references import Answer, Reference
from glue_jobs.validation.row_validator import RowValidator
from tests.keyed import keyed

PARENT = keyed("parent", id="integer")
CONTRACT = load_catalogue().raw["payment"]
NULLABLE = CONTRACT.model_copy(
    update={"columns": tuple(c.model_copy(update={"nullable": True}) for c in CONTRACT.columns)}
)
JUDGED = pa.schema(
    [
        ("payment_id", pa.int32()),
        ("transaction_id", pa.int32()),
        ("paid", pa.bool_()),
        ("operation", pa.string()),
        ("batch", pa.int64()),
    ]
)

keys = st.sampled_from([None, -4097, -4096, -1, 0, 1, 2, 3, 4095, 4096, 2_147_483_647])
batches = st.integers(1, 4)
operations = st.sampled_from(["insert", "update", "delete"])

# ---------------------------------------------------------------------- flags and split

judged = st.fixed_dictionaries(
    {
        "payment_id": keys,
        "transaction_id": keys,
        "paid": st.sampled_from([None, True, False]),
        "operation": operations,
        "batch": batches,
    }
)
CONDITIONS: Mapping[str, Callable[[dict[str, Any]], bool]] = {
    "transaction_id IS NULL": lambda row: row["transaction_id"] is None,
    "transaction_id > 0": lambda row: row["transaction_id"] is not None and row["transaction_id"] > 0,
    "NOT paid": lambda row: row["paid"] is False,
    "payment_id = 3": lambda row: row["payment_id"] == 3,
    "FALSE": lambda row: False,
}
severities: st.SearchStrategy[Literal["reject", "warn"]] = st.sampled_from(["reject", "warn"])
rules_stated = st.lists(
    st.tuples(st.sampled_from(list(CONDITIONS)), severities, st.sampled_from(["paid", "transaction_id"])),
    max_size=90,
)


@settings(deadline=None)
@given(rows=st.lists(judged, max_size=30), stated=rules_stated)
def test_counts_split_and_report_are_those_of_row_by_row(
    engine: Engine, rows: list[dict[str, Any]], stated: list[tuple[str, Literal["reject", "warn"], str]]
) -> None:
    engine.forget()
    rules = [
        Rule(f"rule_{index}", "payment", severity, "why", "owner", "expect", {"column": column})
        for index, (_, severity, column) in enumerate(stated)
    ]
    validator = RowValidator(Suite(NULLABLE, tuple(rules)), tuple(condition for condition, _, _ in stated))
    engine.rows("rows_in", JUDGED, rows)
    tallied = engine.fetch(row_validator.tally(validator, "rows_in", len(validator.flags)))
    results = row_validator.results(validator, tallied)

    broken_by = [
        []
        if row["operation"] == "delete"
        else [rule for rule, (text, _, _) in zip(rules, stated, strict=True) if CONDITIONS[text](row)]
        for row in rows
    ]
    for batch in {row["batch"] for row in rows}:
        here = [(row, broken) for row, broken in zip(rows, broken_by, strict=True) if row["batch"] == batch]
        alive = [(row, broken) for row, broken in here if row["operation"] != "delete"]
        rejected = [row for row, broken in alive if any(rule.severity == "reject" for rule in broken)]
        found = results[batch]
        assert (found.read, found.deletions) == (len(here), len(here) - len(alive))
        assert found.rejected == len(rejected)
        assert found.warned == sum(bool(broken) for _, broken in alive) - len(rejected)
        assert found.broken == Counter(rule.name for _, broken in alive for rule in broken)
        spoken_of = {rule.column for rule in rules}
        assert found.empty == Counter(name for row, _ in alive for name in spoken_of if row[name] is None)
        said = validation_report.validation_result(validator.suite, len(alive), found.broken, found.empty, {})
        assert said["success"] == (not any(broken for _, broken in alive))

    dead = [
        row
        for row, broken in zip(rows, broken_by, strict=True)
        if any(r.severity == "reject" for r in broken)
    ]
    ranges = row_validator.rejected_keys(validator, tallied)
    assert set(ranges) == {row["batch"] for row in dead}
    names = {name for found in results.values() for name in found.broken}
    narrowed = validator.narrowed(names)
    columns = JUDGED.names
    kept = engine.fetch(row_validator.accepted(narrowed, "rows_in", columns))
    assert _bag(kept, columns) == _bag([row for row in rows if row not in dead], columns)
    for batch, between in ranges.items():
        engine.view(f"batch_{batch}", f"SELECT * FROM rows_in WHERE batch = {batch}")
        letters = engine.fetch(row_validator.rejected(narrowed, f"batch_{batch}", columns, between))
        assert _bag(letters, columns) == _bag([row for row in dead if row["batch"] == batch], columns)
        for letter in letters:
            own = {name: letter[name] for name in columns}
            wanted = [rule.name for rule in broken_by[rows.index(own)]]
            assert [rule["rule"] for rule in json.loads(letter[row_validator.BROKEN_RULES])] == wanted


def _bag(rows: list[dict[str, Any]], columns: list[str]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in columns) for row in rows)


# ---------------------------------------------------------------------- references

REFERRING = pa.schema([("parent", pa.int32()), ("operation", pa.string()), ("batch", pa.int64())])
live_keys = st.sets(st.integers(-4100, -4090) | st.integers(-3, 60) | st.integers(4090, 4100))


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.none() | st.integers(-4110, 4110), operations, batches), max_size=30),
    live=st.dictionaries(batches, live_keys, max_size=4),
    limit=st.integers(0, 40),
)
def test_a_reference_is_known_where_its_key_was_live(
    engine: Engine, rows: list[tuple[int | None, str, int]], live: dict[int, set[int]], limit: int
) -> None:
    engine.forget()
    stated = [{"parent": key, "operation": kind, "batch": batch} for key, kind, batch in rows]
    engine.rows("children", REFERRING, stated)
    bitmaps = {batch: keys_of(np.array(sorted(found), np.int64)) for batch, found in live.items()}
    answers = [
        Answer((batch,), references.few_spans(found, limit), batch % 2 == 0)
        for batch, found in bitmaps.items()
    ]
    many = [answer.batches[0] for answer in answers if answer.spans is None]
    blocks: list[dict[str, Any]] = []
    odd: list[dict[str, Any]] = []
    for row in engine.fetch(references.wanted("children", "parent", many)) if many else []:
        of_blocks, of_keys = references.live_blocks(bitmaps[row[references.BATCH]], [row])
        blocks, odd = blocks + of_blocks, odd + of_keys
    engine.rows("blocks", references.BLOCKS_SCHEMA, blocks)
    engine.rows("others", references.KEYS_SCHEMA, odd)
    reference = Reference("parent", PARENT, tuple(answers), *(("blocks", "others") if many else ()))
    columns = f"children.*, {reference.value('children')} AS known__parent"
    found = engine.fetch(f"SELECT {columns} FROM children{reference.join('children')}")

    def known(key: int | None, batch: int) -> bool | None:
        if key is None or batch not in live:
            return None
        return True if key in live[batch] else (False if batch % 2 == 0 else None)

    # Of deletions, to which no rule is applied, nobody asks.
    expected = Counter((key, batch, known(key, batch)) for key, kind, batch in rows if kind != "delete")
    assert len(found) == len(rows)
    assert expected == Counter(
        (row["parent"], row["batch"], row["known__parent"]) for row in found if row["operation"] != "delete"
    )


# ---------------------------------------------------------------------- lookups

VERSIONS = pa.schema(
    [("id", pa.int32()), ("size", pa.int32()), ("operation", pa.string()), ("batch", pa.int64())]
)
version = st.fixed_dictionaries(
    {
        "id": st.sampled_from([1, 2, 4096]),
        "size": st.none() | st.integers(0, 5),
        "operation": operations,
        "batch": st.integers(1, 6),
    }
)


@settings(deadline=None)
@given(
    waiting=st.lists(version, max_size=12),
    before=st.lists(version, max_size=6),
    looking=st.lists(
        st.tuples(st.sampled_from([None, 1, 2, 4096, 9]), operations, st.integers(1, 7)), max_size=12
    ),
)
def test_a_lookup_finds_the_newest_version_that_the_row_can_have_seen(
    engine: Engine,
    waiting: list[dict[str, Any]],
    before: list[dict[str, Any]],
    looking: list[tuple[int | None, str, int]],
) -> None:
    engine.forget()
    engine.rows("waiting", VERSIONS, waiting)
    engine.rows("accepted", VERSIONS, before)
    rows = [{"parent": key, "operation": kind, "batch": batch} for key, kind, batch in looking]
    engine.rows("children", REFERRING, rows)
    engine.table("wanted", lookups.wanted_by_rows("children", "parent", PARENT))
    text = lookups.found(
        "wanted",
        [
            lookups.waiting_versions("waiting", PARENT, ["size"]),
            lookups.accepted_versions("accepted", PARENT, ["size"]),
        ],
        ["size"],
    )
    assert text is not None
    found = {(row["wanted_key"], row["wanted_batch"]): row["size"] for row in engine.fetch(text)}
    seen: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for is_waiting, versions in ((True, waiting), (False, before)):
        for row in versions:
            if row["operation"] != "delete":
                size = -1 if row["size"] is None else row["size"]
                seen[row["id"]].append((row["batch"] if is_waiting else 0, row["batch"], size))
    expected = {}
    for key, kind, batch in looking:
        candidates = [one for one in seen[key] if one[0] <= batch] if key is not None else []
        if candidates and kind != "delete":
            size = max(candidates)[2]
            expected[key, batch] = None if size == -1 else size
    assert found == expected


# ---------------------------------------------------------------------- unresolved dead letters

letter = st.tuples(keys, st.integers(1, 3), st.integers(1, 5))


@settings(deadline=None)
@given(
    letters=st.lists(letter, max_size=15), arrived=st.lists(st.tuples(keys, st.integers(1, 6)), max_size=25)
)
def test_a_dead_letter_is_resolved_by_what_comes_after_it_and_by_nothing_else(
    engine: Engine, letters: list[tuple[int | None, int, int]], arrived: list[tuple[int | None, int]]
) -> None:
    engine.forget()
    listed = [{"key": key, "version_id": of, "batch": batch, "sequence": 9} for key, of, batch in letters]
    engine.rows("letters", unresolved.unresolved_schema(CONTRACT), listed)
    engine.rows("arrived", JUDGED, [{"payment_id": key, "batch": batch} for key, batch in arrived])
    found = engine.fetch(unresolved.unresolved("letters", "arrived", CONTRACT))
    expected = [
        one
        for one in letters
        if one[0] is None or not any(key == one[0] and batch > one[2] for key, batch in arrived)
    ]
    assert Counter((row["key"], row["version_id"], row["batch"]) for row in found) == Counter(expected)
