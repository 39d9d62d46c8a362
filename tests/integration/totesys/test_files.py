"""Files of a carrier: what they hold is in the lake once, and what became of each of them is told."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError

from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import ExternalBucket, Pipeline, load_pipeline
from glue_jobs.lake.commits import CommitLog
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.maintenance import reach
from glue_jobs.reconciliation.canonical import MACROS, from_postgres, quoted
from glue_jobs.reconciliation.comparison import _read_landed
from glue_jobs.reconciliation.lake_rows import load_raw, open_lake
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import read_schemas
from glue_jobs.sources import external, files_run
from glue_jobs.sources.external import connect
from glue_jobs.sources.file_ledger import Ledger, from_table
from glue_jobs.sources.file_rows import NoRow, RowReader
from lakehouse.alerts import cloudwatch_of
from local_aws.alarms import ALARM, OK
from tests.bad_files import BAD_FILES, GOOD
from tests.files import BUCKET, FEED, PREFIX, WORKFLOW, Carrier, event, fetch, lines
from tests.lake import Lake, Row, lake
from tests.night import at_night

TABLE = load_pipeline().feeds[FEED].table


@pytest.fixture
def deliveries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with lake(tmp_path, monkeypatch) as one:
        one.glue.create_workflow(Name=WORKFLOW)
        one.capture({})
        yield one


@pytest.fixture
def carrier(deliveries: Lake) -> Carrier:
    return Carrier(deliveries)


def unequal(lake: Lake) -> tuple[list[Any], dict[str, str]]:
    """What the lake lacks or has otherwise than the landed files, and why that cannot be told."""
    contract = load_catalogue().raw[TABLE]
    spelled = ", ".join(f"{from_postgres(c, quoted(c.name))} AS {quoted(c.name)}" for c in contract.columns)
    names = ", ".join(quoted(column.name) for column in contract.columns)
    with duckdb.connect() as workspace:
        workspace.execute("CREATE SCHEMA source")
        for macro in MACROS:
            workspace.execute(macro)
        opened, pipeline = open_lake(lake.clients), load_pipeline()
        unread = _read_landed(workspace, opened, load_catalogue(), pipeline.feeds, lambda _: None)
        load_raw(workspace, opened, contract, "lake_rows")
        newest = (
            f"SELECT {names}, batch FROM lake_rows"
            f" QUALIFY row_number() OVER (PARTITION BY {contract.key[0]} ORDER BY batch DESC) = 1"
        )
        wanted = f"SELECT {spelled}, _row_version FROM source.{TABLE}"
        rows = workspace.execute(
            f"(({newest}) EXCEPT ({wanted})) UNION ALL (({wanted}) EXCEPT ({newest}))"
        ).fetchall()
    return rows, {table: words for table, words in unread.items() if table == TABLE}


def rows_of(lake: Lake, dead_letters: str = "") -> list[Row]:
    """The rows of every capture, in order; or those of a table of the dead letter zone."""
    tables = [commit.tables.get(TABLE) for commit in lake.log("capture").after(0)]
    found = [
        partition
        for table in tables
        if table is not None
        for partition in (table.dead_letters if dead_letters else table.partitions)
        if not dead_letters or partition.location.startswith(f"dead_letter/{dead_letters}/")
    ]
    return lake._read([data.key for partition in found for data in partition.objects])


def versions(lake: Lake) -> list[tuple[int, str]]:
    return [(row["event_id"], row["status"]) for row in rows_of(lake)]


def ledger(lake: Lake) -> Ledger:
    state = SourceState.of(lake.commit("capture")).feeds.get(FEED, FeedState())
    store = KeyStore(lake.s3, lake.buckets["ingestion"])
    return from_table(None if state.readings is None else store.table(state.readings))


def outcomes(lake: Lake) -> list[tuple[str, str]]:
    """What became of files, in order."""
    entries = ledger(lake).entries
    return [((entry.source_key or "").removeprefix(PREFIX), entry.outcome) for entry in entries]


# --- what becomes of a file ---------------------------------------------------------------------------


def test_files_of_every_layout_become_rows_and_a_second_run_adds_nothing(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("lines.ndjson", lines(event(1), event(2)))
    carrier.put("array.json", json.dumps([event(3)], indent=2).encode())
    carrier.put(
        "wrapped + zipped.json.gz", gzip.compress(json.dumps({"v": 1, "events": [event(4)]}).encode())
    )
    carrier.put("none.json", b"[]")
    assert fetch(deliveries) == 0
    assert sorted(versions(deliveries)) == [(n, "in_transit") for n in (1, 2, 3, 4)]
    assert {row["source_key"] for row in rows_of(deliveries)} == {
        f"{PREFIX}{name}" for name in carrier.names() if name != "none.json"
    }
    batches = deliveries.log("capture").latest_sequence()
    assert fetch(deliveries) == 0
    assert deliveries.log("capture").latest_sequence() == batches
    assert unequal(deliveries) == ([], {})


def test_what_was_received_is_kept_to_the_byte(deliveries: Lake, carrier: Carrier) -> None:
    bodies = [lines(event(1)), gzip.compress(lines(event(2))), b"nonsense"]
    for number, body in enumerate(bodies):
        carrier.put(f"{number}", body)
    fetch(deliveries)
    folder = deliveries.folder("ingestion") / "landing" / FEED / "files"
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {hashlib.sha256(body).hexdigest(): body for body in bodies}


def test_an_overwritten_file_is_read_again_and_what_differs_is_a_version(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("a", lines(event(1), event(2)))
    fetch(deliveries)
    carrier.put("a", lines(event(1, status="delivered"), event(2)))
    fetch(deliveries)
    assert outcomes(deliveries) == [("a", "read"), ("a", "read")]
    deliveries.transform()
    found = [(row["event_id"], row["status"]) for row in deliveries.rows("fact_delivery_event")]
    assert sorted(found) == [(1, "delivered"), (1, "in_transit"), (2, "in_transit")]
    assert unequal(deliveries) == ([], {})


def test_a_content_that_comes_again_is_not_read_again_and_undoes_no_correction(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("a", lines(event(1)))
    fetch(deliveries)
    carrier.put("a", lines(event(1, status="delivered")))
    fetch(deliveries)
    carrier.put("b", lines(event(1)))
    fetch(deliveries)
    # Written once more, as it is.
    carrier.put("b", lines(event(1)))
    fetch(deliveries)
    assert versions(deliveries) == [(1, "in_transit"), (1, "delivered")]
    assert outcomes(deliveries)[2:] == [("b", "repeated"), ("b", "repeated")]
    assert unequal(deliveries) == ([], {})


def test_a_file_that_is_taken_back_to_what_it_was_is_read_again(deliveries: Lake, carrier: Carrier) -> None:
    for status in ("in_transit", "delivered", "in_transit"):
        carrier.put("a", lines(event(1, status=status)))
        fetch(deliveries)
    assert versions(deliveries) == [(1, "in_transit"), (1, "delivered"), (1, "in_transit")]
    assert unequal(deliveries) == ([], {})


def test_a_file_that_vanishes_leaves_its_rows_and_comes_back_without_others(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("a", lines(event(1)))
    fetch(deliveries)
    carrier.remove("a")
    fetch(deliveries)
    fetch(deliveries)
    carrier.put("a", lines(event(1)))
    fetch(deliveries)
    assert outcomes(deliveries) == [("a", "read"), ("a", "gone"), ("a", "repeated")]
    assert versions(deliveries) == [(1, "in_transit")]
    assert unequal(deliveries) == ([], {})


def test_a_late_file_is_taken_and_changes_no_newest_event(deliveries: Lake, carrier: Carrier) -> None:
    carrier.put("2", lines(event(2, status="delivered", at="2024-11-16T10:00:00Z")))
    fetch(deliveries)
    carrier.put("1", lines(event(1, status="collected", at="2024-11-14T10:00:00Z")))
    fetch(deliveries)
    deliveries.transform()
    rows = deliveries.rows("fact_delivery_event")
    assert [row["event_id"] for row in sorted(rows, key=lambda row: row["batch_sequence"])] == [2, 1]
    newest = max(rows, key=lambda row: (row["happened_date"], row["happened_time"], row["event_id"]))
    assert newest["status"] == "delivered"


def test_a_file_whose_order_has_not_come_waits_as_a_dead_letter(deliveries: Lake, carrier: Carrier) -> None:
    deliveries.capture({"sales_order": []}, live={"sales_order": [2]})
    carrier.put("a", lines(event(1)))
    fetch(deliveries)
    deliveries.transform()
    assert deliveries.open_dead_letters()[TABLE] == 1
    deliveries.capture({"sales_order": []}, live={"sales_order": [1, 2]})
    deliveries.transform()
    assert deliveries.replay() == 0
    deliveries.transform()
    assert deliveries.open_dead_letters().get(TABLE, 0) == 0
    assert [row["event_id"] for row in deliveries.rows("fact_delivery_event")] == [1]


def test_versions_of_an_event_in_one_file_are_batches_of_their_own(
    deliveries: Lake, carrier: Carrier
) -> None:
    said = ["collected", "in_transit", "delivered"]
    carrier.put("a", lines(event(2), *(event(1, status=status) for status in said), event(3)))
    fetch(deliveries)
    batches = [
        [(row["event_id"], row["status"]) for row in deliveries._read([data.key for data in table.objects])]
        for commit in deliveries.log("capture").after(0)
        for table in commit.tables.values()
    ]
    assert batches == [
        [(2, "in_transit"), (1, "collected")],
        [(1, "in_transit")],
        [(1, "delivered"), (3, "in_transit")],
    ]
    assert unequal(deliveries) == ([], {})


# --- what cannot be read ------------------------------------------------------------------------------


def test_of_a_bad_file_what_can_be_read_is_and_the_rest_is_a_dead_letter(
    deliveries: Lake, carrier: Carrier
) -> None:
    assert len(BAD_FILES) >= 25
    carrier.put("0", lines(event(1000)))
    for name, bad in BAD_FILES.items():
        carrier.put(f"1/{name}", bad.body)
    carrier.put("2", lines(event(2000)))
    assert fetch(deliveries) == 0
    rows = rows_of(deliveries)
    assert {1000, 2000} <= {row["event_id"] for row in rows}, "its neighbours are none the worse"
    bad_lines, bad_files = rows_of(deliveries, "quarantined_lines"), rows_of(deliveries, "quarantined_files")
    for name, bad in BAD_FILES.items():
        of_it, bad_of_it, files = (
            [row for row in found if row["source_key"] == f"{PREFIX}1/{name}"]
            for found in (rows, bad_lines, bad_files)
        )
        assert len(of_it) == bad.rows, name
        odd = [json.loads(row["unrepresentable"]) for row in of_it if row["unrepresentable"]]
        assert odd == ([bad.odd] if bad.odd else []), name
        reasons = {row["place"]: row["reason"] for row in bad_of_it}
        assert reasons.keys() == bad.bad.keys(), name
        assert all(re.match(bad.bad[place], reason) for place, reason in reasons.items()), (name, reasons)
        assert len(files) == bool(bad.unreadable), name
        assert all(re.search(bad.unreadable, row["reason"]) for row in files), (name, files[0]["reason"])
    assert unequal(deliveries) == ([], {})


def test_a_file_that_is_put_right_settles_its_dead_letter(deliveries: Lake, carrier: Carrier) -> None:
    for number, body in enumerate([b"[", b"[[", lines(event(1))]):
        carrier.put("a", body)
        fetch(deliveries)
        assert len(ledger(deliveries).unreadable) == (number < 2)
    found = [(row["outcome"], row["reason"]) for row in rows_of(deliveries, "quarantined_files")]
    assert [outcome for outcome, _ in found] == ["unreadable", "unreadable", "read"]
    carrier.put("b", b"[")
    fetch(deliveries)
    carrier.remove("b")
    fetch(deliveries)
    assert [row["outcome"] for row in rows_of(deliveries, "quarantined_files")][3:] == ["unreadable", "gone"]
    assert ledger(deliveries).unreadable == []


def test_a_file_that_cannot_be_read_is_an_alarm_until_it_is_put_right(
    deliveries: Lake, carrier: Carrier, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = load_pipeline()
    file = read_alarms(pipeline)
    alarm = spell_out(file, pipeline, load_catalogue())["files-unreadable"]
    watch = cloudwatch_of(file)
    for hour, body in enumerate([lines(event(1)), b"[", None, lines(event(2)), None]):
        if body is not None:
            carrier.put("a", body)
        fetch(deliveries)
        watch.read(hour * 3600.0, capsys.readouterr().out)
    assert watch.messages(alarm, 0, 5 * 3600.0) == [OK, ALARM, OK]


def test_a_file_that_is_too_large_is_told_and_not_fetched(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_run, "FILE_BYTES", 600)
    carrier.put("large", lines(event(1), event(2), event(3), event(4)))
    carrier.put("small", lines(event(5)))
    fetch(deliveries)
    (row,) = rows_of(deliveries, "quarantined_files")
    assert (row["reason"], row["source_sha256"]) == ("it has more than 600 bytes", None)
    assert versions(deliveries) == [(5, "in_transit")]
    assert unequal(deliveries) == ([], {})


def test_a_file_with_more_bad_lines_than_are_listed_is_unreadable(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_run, "BAD_ELEMENTS", 2)
    carrier.put("two", lines(event(1), 1, 2))
    carrier.put("three", lines(event(2), 1, 2, 3))
    fetch(deliveries)
    assert versions(deliveries) == [(1, "in_transit")]
    (row,) = rows_of(deliveries, "quarantined_files")
    assert row["reason"] == "more than 2 of its lines give no row"


def test_a_file_may_be_tried_again_as_it_was_received(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1), event(2, note="x" * 1000)))
    with monkeypatch.context() as patched:
        patched.setattr("glue_jobs.sources.json_documents.UNPACKED_BYTES", 100)
        fetch(deliveries)
    assert outcomes(deliveries) == [("a", "unreadable")]
    carrier.remove("a")
    with pytest.raises(UserError, match="no file outgoing/b of which nothing could be taken"):
        fetch(deliveries, retry=f"{PREFIX}b")
    fetch(deliveries, retry=f"{PREFIX}a")
    assert outcomes(deliveries) == [("a", "unreadable"), ("a", "read"), ("a", "gone")]
    assert len(versions(deliveries)) == 2
    assert unequal(deliveries) == ([], {})


# --- members that nobody knows ------------------------------------------------------------------------


def _register(lake: Lake, **read: Any) -> None:
    """A contract of the feed's table that reads otherwise."""
    raw = lake.catalogue.raw[TABLE]
    assert raw.read is not None
    other = raw.model_copy(update={"version": "9.0.0", "read": raw.read.model_copy(update=read)})
    other._zone_info = raw.zone_info
    from lakehouse.local_deployment import deploy_schemas

    deploy_schemas(lake.glue, lake.catalogue.with_raw({**lake.catalogue.raw, TABLE: other}), lake.registry)


def test_members_that_nobody_knows_are_told_by_name(
    deliveries: Lake, carrier: Carrier, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier.put("a", lines(event(1, colour="red", delivery={"id": 1, "order": 1, "link": {"a": 1}})))
    fetch(deliveries)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = [line["message"] for line in said if line["event"] == "files.unknown_members"]
    assert told == "1 members are unknown (colour)"
    assert versions(deliveries) == [(1, "in_transit")]


def test_a_feed_that_pauses_goes_on_in_order_once_its_contract_knows_them(
    deliveries: Lake, carrier: Carrier
) -> None:
    _register(deliveries, unknown_members="pause")
    carrier.put("a", lines(event(1, colour="red")))
    carrier.put("b", lines(event(1, status="delivered")))
    carrier.put("c", b"[")
    for _ in range(2):
        with pytest.raises(
            UserError, match=re.escape("paused, and 3 files wait: 1 members are unknown (colour)")
        ):
            fetch(deliveries)
    assert outcomes(deliveries) == [(name, "waiting") for name in ("a", "b", "c")]
    assert versions(deliveries) == []
    # What is overwritten and removed meanwhile is kept all the same.
    carrier.put("b", lines(event(1, status="returned")))
    carrier.remove("a")
    with pytest.raises(UserError, match="4 files wait"):
        fetch(deliveries)
    _register(deliveries, unknown_members="pause", ignored=("delivery.link", "colour"))
    assert fetch(deliveries) == 0
    assert versions(deliveries) == [(1, "in_transit"), (1, "delivered"), (1, "returned")]
    found = [outcome for _, outcome in outcomes(deliveries)]
    assert found == [*["waiting"] * 4, "gone", "read", "read", "unreadable", "read", "gone"]
    assert unequal(deliveries) == ([], {})


# --- once, and once again -----------------------------------------------------------------------------


def _killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_killed_between_landing_and_commit_the_next_run_publishes_it(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1)))
    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "publish", _killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(deliveries)
    assert len(unequal(deliveries)[0]) == 1, "the reconciliation sees what no commit names"
    # What was kept counts, even where it is overwritten before the next run sees it.
    carrier.put("a", lines(event(1, status="delivered")))
    fetch(deliveries)
    assert versions(deliveries) == [(1, "in_transit"), (1, "delivered")]
    assert outcomes(deliveries) == [("", "read"), ("a", "read")]
    assert unequal(deliveries) == ([], {})


def test_a_file_that_changes_while_it_is_fetched_is_left_to_the_next_run(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1)))
    carrier.put("b", lines(event(2)))
    real = external.list_versions

    def overwritten(*given: Any) -> Any:
        listed = real(*given)
        carrier.put("a", lines(event(1, status="delivered")))
        carrier.remove("b")
        return listed

    with monkeypatch.context() as patched:
        patched.setattr(external, "list_versions", overwritten)
        assert fetch(deliveries) == 0
    assert versions(deliveries) == []
    fetch(deliveries)
    assert versions(deliveries) == [(1, "delivered")]


@pytest.mark.slow
def test_of_many_files_one_run_takes_some_and_the_next_goes_on(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_run, "RUN_FILES", 2)
    monkeypatch.setattr(files_run, "BATCH_ROWS", 3)
    for number in range(3):
        carrier.put(f"{number}", lines(*(event(10 * number + n) for n in range(4))))
    for taken in (8, 12):
        fetch(deliveries)
        assert len(versions(deliveries)) == taken
        assert unequal(deliveries) == ([], {})
    assert outcomes(deliveries)[-1] == ("2", "read")


def test_another_run_of_the_feed_that_was_first_is_left_alone(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1)))
    real = CommitLog.publish
    first = iter([True, False, False])

    def publish(log: CommitLog, commit: Any) -> None:
        if next(first):
            fetch(deliveries)
        real(log, commit)

    monkeypatch.setattr(CommitLog, "publish", publish)
    assert fetch(deliveries) == 0
    assert versions(deliveries) == [(1, "in_transit")]
    assert outcomes(deliveries) == [("a", "read")]


def test_reprocessing_takes_what_a_new_contract_reads_and_doubles_nothing(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("a", lines(event(1, carrier="Old"), event(2)))
    carrier.put("b", lines(event(1, carrier="New", at_door="yes"), event(3, at_door="no")))
    fetch(deliveries)
    before = versions(deliveries)
    _register(deliveries, members={**deliveries.catalogue.raw[TABLE].read.members, "carrier": "at_door"})  # type: ignore[union-attr]
    fetch(deliveries)
    assert versions(deliveries) == before
    with pytest.raises(UserError, match="There is no feed of files rates"):
        fetch(deliveries, reprocess="rates")
    assert fetch(deliveries, reprocess=FEED) == 0
    again = [(row["event_id"], row["carrier"]) for row in rows_of(deliveries)[len(before) :]]
    # Of each key the newest row alone: what was replaced long ago does not come back.
    assert sorted(again) == [(1, "yes"), (2, None), (3, "no")]
    assert fetch(deliveries, reprocess=FEED, since="2999-01-01") == 0
    assert len(rows_of(deliveries)) == len(before) + 3
    with pytest.raises(UserError, match="--since is 'soon', which is no day"):
        fetch(deliveries, reprocess=FEED, since="soon")
    read = read_schemas(deliveries.glue, deliveries.registry.name, load_catalogue())
    assert read.tables[TABLE].contract.version == "9.0.0"


# --- the second reader --------------------------------------------------------------------------------


def test_a_lost_an_altered_and_an_extra_body_turn_the_reconciliation_red(
    deliveries: Lake, carrier: Carrier
) -> None:
    carrier.put("a", lines(event(1)))
    carrier.put("b", b"[")
    fetch(deliveries)
    bucket = deliveries.buckets["ingestion"]
    for body in (lines(event(1)), b"["):
        key = f"landing/{FEED}/files/{hashlib.sha256(body).hexdigest()}"
        deliveries.s3.put_object(Bucket=bucket, Key=key, Body=body.replace(b"1", b"2") + b" ")
        assert "is not what was received" in unequal(deliveries)[1][TABLE]
        deliveries.s3.delete_object(Bucket=bucket, Key=key)
        assert "is missing, though a commit names it" in unequal(deliveries)[1][TABLE]
        deliveries.s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert unequal(deliveries) == ([], {})
    more = lines(event(7))
    key = f"landing/{FEED}/files/{hashlib.sha256(more).hexdigest()}"
    deliveries.s3.put_object(Bucket=bucket, Key=key, Body=more)
    assert len(unequal(deliveries)[0]) == 1


@pytest.mark.parametrize(
    "change", ["status", at_night("weight_kg"), at_night("happened_at"), at_night("source_place")]
)
def test_a_cell_that_no_file_has_turns_it_red(
    change: str, deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files_run.FilesFetch._raw
    other = {"status": "lost", "weight_kg": None, "happened_at": dt.datetime(2020, 1, 1), "source_place": 2}  # noqa: DTZ001 - the lake's times have no zone

    def raw(*given: Any) -> Any:
        return {**real(*given), change: other[change]}

    monkeypatch.setattr(files_run.FilesFetch, "_raw", raw)
    carrier.put("a", lines(event(1)))
    fetch(deliveries)
    assert len(unequal(deliveries)[0]) == 2


def test_a_row_that_is_lost_turns_it_red(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RowReader.row

    def row(reader: Any, members: Any) -> Any:
        if members["id"] == "2":
            raise NoRow("lost")
        return real(reader, members)

    carrier.put("a", lines(event(1), event(2)))
    with monkeypatch.context() as patched:
        patched.setattr(RowReader, "row", row)
        fetch(deliveries)
    # A row that is told to be bad is a dead letter of its own, and no difference.
    assert unequal(deliveries) == ([], {})
    assert [line["place"] for line in rows_of(deliveries, "quarantined_lines")] == [2]


EXACT = ["0.001", "1.50", "123456.789", "1e2", "-0", "5E-3", "0.0"]
LONG = [f"1.5{'0' * 1500}", f"1e-{'0' * 1500}3", f"0e{'9' * 20}", f"1e{'9' * 5000}", f"1e-{'9' * 5000}"]
ODD = ["1.0001", '"12.5"', "true", "null", "[1]", '{"a": 1.5}', '"x"', '"1e"']
TIMES = [
    "2024-11-15T10:00:00Z",
    "2024-02-29T23:59:59.120+05:30",
    "2024-03-01T00:00:00.5-00:30",
    "x",
    "2024-11-15t10:00:00.250z",
    "2024-11-15T24:00:00Z",
    "9999-12-31T23:59:59.999Z",
]


def test_two_readers_spell_every_cell_alike(deliveries: Lake, carrier: Carrier) -> None:
    said = [
        json.dumps(event(number, at=TIMES[number % len(TIMES)], carrier='Zoë "1.5" \\ 12 € 😀'))
        .replace(": 1.5}", f": {text}}}")
        .replace('"order": 1}', '"order": -0}' if number % 2 else '"order": 1}')
        for number, text in enumerate([*EXACT, *LONG, *ODD], 1)
    ]
    carrier.put("a", "\n".join(said).encode())
    carrier.put("b", f'{{"events": [{",".join(said[::-1])}], "n": 1.5}}'.encode())
    fetch(deliveries)
    assert len(rows_of(deliveries)) == 2 * len(said)
    assert unequal(deliveries) == ([], {})


# --- whose bucket it is -------------------------------------------------------------------------------


def test_a_bucket_that_cannot_be_read_is_told_in_words(deliveries: Lake) -> None:
    with pytest.raises(UserError, match="carrier-deliveries cannot be listed below outgoing/"):
        fetch(deliveries)


def test_a_file_that_is_refused_does_not_stop_the_others(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1)))
    carrier.put("b", lines(event(2)))
    real = external.fetch

    def refuse(s3: Any, bucket: Any, key: str, *rest: Any) -> Any:
        if key == f"{PREFIX}a":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        return real(s3, bucket, key, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(external, "fetch", refuse)
        with pytest.raises(UserError, match="1 files of the feed delivery_event cannot be fetched"):
            fetch(deliveries)
    assert versions(deliveries) == [(2, "in_transit")]
    fetch(deliveries)
    assert versions(deliveries) == [(2, "in_transit"), (1, "in_transit")]


def test_a_bucket_of_another_account_is_read_in_the_role_that_it_lends(
    deliveries: Lake, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.put("a", lines(event(1)))
    asked: list[dict[str, str]] = []

    def client(name: str, **given: Any) -> Any:
        made = deliveries.endpoint.client(name)
        if name == "sts":
            made.meta.events.register(
                "provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(dict(params))
            )
        else:
            asked.append({"token": given.get("aws_session_token", "")})
        return made

    monkeypatch.setattr("boto3.client", client)
    role = "arn:aws:iam::123456789012:role/lends-deliveries"
    stated = ExternalBucket(description="Theirs.", bucket=BUCKET, role_arn=role, external_id="totes-1")
    assert connect(stated).list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert asked[0] == {"RoleArn": role, "RoleSessionName": "fetch-files", "ExternalId": "totes-1"}
    assert asked[1]["token"]
    with pytest.raises(ValueError, match="a role is taken with an external id"):
        ExternalBucket(description="Theirs.", bucket=BUCKET, role_arn=role)


def test_a_bucket_is_asked_for_as_its_owner_s_alone(deliveries: Lake, carrier: Carrier) -> None:
    carrier.put("a", lines(event(1)))
    pipeline = load_pipeline()
    key = pipeline.file_feeds[FEED].bucket
    owned = pipeline.external_buckets[key].model_copy(update={"owner": "210987654321"})
    asked: dict[str, str | None] = {}
    for name in ("ListObjectsV2", "GetObject"):
        deliveries.s3.meta.events.register(
            f"provide-client-params.s3.{name}",
            lambda params, _name=name, **_: (
                asked.setdefault(f"{_name} {params['Bucket'] == BUCKET}", params.get("ExpectedBucketOwner"))
                and None
            ),
        )
    fetch(deliveries, pipeline.model_copy(update={"external_buckets": {key: owned}}))
    assert asked["ListObjectsV2 True"] == asked["GetObject True"] == "210987654321"
    assert asked["GetObject False"] is None
    assert versions(deliveries) == [(1, "in_transit")]


# --- beside the others --------------------------------------------------------------------------------


def test_a_run_before_the_first_capture_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lake(tmp_path, monkeypatch) as one:
        assert fetch(one) == 0


def test_housekeeping_keeps_what_a_kept_commit_says_of_files(deliveries: Lake, carrier: Carrier) -> None:
    carrier.put("a", lines(GOOD))
    fetch(deliveries)
    state = SourceState.of(deliveries.commit("capture")).feeds[FEED]
    named = {one.key for one in state.objects}
    assert len(named) == 2
    cutoff = dt.datetime(2040, 1, 1)  # noqa: DTZ001 - the lake's times have no zone
    assert named <= reach.read(deliveries.clients, load_catalogue(), cutoff).state


def test_what_is_quarantined_is_a_partition_that_analysts_find(deliveries: Lake, carrier: Carrier) -> None:
    carrier.put("a", lines(GOOD, 1))
    carrier.put("b", b"[")
    fetch(deliveries)
    for table in ("quarantined_files", "quarantined_lines"):
        (shown,) = deliveries.glue.get_partitions(DatabaseName="totesys_dead_letter", TableName=table)[
            "Partitions"
        ]
        assert f"/dead_letter/{table}/" in shown["StorageDescriptor"]["Location"]


def _other_pipeline(**changes: Any) -> Pipeline:
    pipeline = load_pipeline()
    feed = pipeline.file_feeds[FEED].model_copy(update=changes)
    return pipeline.model_copy(update={"feeds": {**pipeline.feeds, FEED: feed}})


@pytest.mark.slow
def test_what_lies_beside_the_prefix_is_none_of_the_feed(deliveries: Lake, carrier: Carrier) -> None:
    carrier.put("in/a", lines(event(1)))
    carrier.put("in/", b"")
    carrier.put("b", lines(event(2)))
    fetch(deliveries, _other_pipeline(prefix=f"{PREFIX}in/"))
    assert versions(deliveries) == [(1, "in_transit")]
    assert len(outcomes(deliveries)) == 1
