"""Lineage as files: an event for each commit, sound by the specification, the same whenever it is written."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.documentation import lineage_files
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.column_lineage import lineage_of
from glue_jobs.documentation.lineage_files import TOP, WRITTEN
from glue_jobs.documentation.openlineage import PROJECTED, READERS_FILE, UNTRACED, project
from glue_jobs.lake.commits import Commit, TableCommit
from glue_jobs.lake.layout import iso, utc_now
from tests.lake import Lake, lake, raw_row
from tests.marquez import refusals
from tests.openlineage import faults

Json = dict[str, Any]


class Written:
    """A lake whose stages have run, and the bucket that its lineage is written to.

    Attributes:
        lake: The lake.
        bucket: The documentation bucket.
    """

    def __init__(self, made: Lake) -> None:
        self.lake = made
        self.bucket = Bucket(made.s3, f"documentation-of-{made.buckets['ingestion']}")
        where = {"LocationConstraint": made.endpoint.region}
        made.s3.create_bucket(Bucket=self.bucket.name, CreateBucketConfiguration=where)
        self._puts: list[str] = []
        made.s3.meta.events.register("before-parameter-build.s3.PutObject", self._note)

    def _note(self, params: Json, **_: Any) -> None:
        if params["Bucket"] == self.bucket.name:
            self._puts.append(params["Key"])

    def build(self) -> list[str]:
        """Run what the job runs; returns the keys that it put, in order."""
        del self._puts[:]
        lineage_files.build(self.lake.clients, self.bucket, load_catalogue())
        return list(self._puts)

    def objects(self) -> dict[str, bytes]:
        """Every object of the documentation bucket."""
        return {name: self.bucket.get(name) or b"" for name in self.bucket.names("")}


@contextmanager
def new_lake(folder: Path) -> Iterator[Written]:
    with pytest.MonkeyPatch.context() as patched, lake(folder, patched) as made:
        yield Written(made)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """The files of a lake whose stages have taken two batches; the first has a row that is rejected."""
    with new_lake(tmp_path_factory.mktemp("lineage")) as site:
        rejected = raw_row("payment", 2, payment_date="2024-13-01")
        for rows in ([raw_row("payment", 1), rejected], [raw_row("payment", 1, paid=True)]):
            site.lake.capture({"payment": rows, "staff": [raw_row("staff", 1)]})
            site.lake.transform()
        facts = site.lake.commit("facts")
        loaded = {"fact_payment": TableCommit({"new": 2}), "dim_design": TableCommit({"new": 0})}
        site.lake.log("load").publish(replace(facts, stage="load", sequence=1, tables=loaded))
        site.build()
        yield site


def events(site: Written) -> dict[str, list[Json]]:
    """By file, the events that it holds."""
    found = {name: body for name, body in site.objects().items() if name.startswith(TOP) and name != WRITTEN}
    return {name: [json.loads(line) for line in body.splitlines()] for name, body in found.items()}


def event_of(site: Written, stage: str, sequence: int = 1) -> Json:
    (found,) = events(site)[f"{TOP}events/{stage}/{sequence:010}.json"]
    return found


def test_every_commit_has_one_event_and_readers_have_theirs(written: Written) -> None:
    logs = {stage: written.lake.clients.log(stage).latest_sequence() for stage in PROJECTED}
    wanted = {f"{TOP}events/{s}/{n:010}.json" for s, last in logs.items() for n in range(1, last + 1)}
    assert set(events(written)) == {*wanted, TOP + READERS_FILE}
    assert logs["capture"] == 2
    assert json.loads(written.bucket.get(WRITTEN) or b"") == {s: n for s, n in logs.items() if n}
    readers = {one["job"]["name"] for one in events(written)[TOP + READERS_FILE]}
    assert {"question.payments_due", "card.money/due", "data_set.lake/payments_due"} <= readers


def test_every_event_is_sound_by_the_specification(written: Written) -> None:
    every = [one for found in events(written).values() for one in found]
    assert [fault for event in every for fault in faults(event)] == []
    assert any("columnLineage" in out["facets"] for event in every for out in event["outputs"])
    assert any(UNTRACED in out["facets"] for event in every for out in event["outputs"])


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda e: e.pop("run"), "event lacks run"),
        (lambda e: e["run"].update(runId="7"), "event.run.runId: badly formed"),
        (lambda e: e.update(eventType="DONE"), "event.eventType is none of EventType: DONE"),
        (lambda e: e.update(eventTime="yesterday"), "event.eventTime: "),
        (lambda e: e.update(schemaURL="https://example.org"), "https://example.org is the schema of no such"),
        (lambda e: e["job"].pop("namespace"), "event.job lacks namespace"),
        (lambda e: e["outputs"][0].update(rows=3), "event.outputs[0] has rows, which OutputDataset"),
        (lambda e: e["outputs"][0]["facets"]["schema"].pop("_producer"), "schema lacks _producer"),
        (
            lambda e: e["outputs"][0]["facets"]["columnLineage"]["fields"]["payment_id"].pop("inputFields"),
            "fields.payment_id lacks inputFields",
        ),
        (
            lambda e: e["outputs"][0]["facets"]["columnLineage"].update(
                _schemaURL=e["job"]["facets"]["jobType"]["_schemaURL"]
            ),
            "columnLineage is no DatasetFacet",
        ),
        (
            lambda e: e["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="3"),
            "rowCount is str, not int",
        ),
    ],
)
def test_an_event_that_is_not_is_told(written: Written, spoil: Any, fault: str) -> None:
    event = copy.deepcopy(event_of(written, "facts"))
    spoil(event)
    assert fault in "; ".join(faults(event))


def test_marquez_takes_every_event(written: Written) -> None:
    every = [one for found in events(written).values() for one in found]
    assert [why for event in every for why in refusals(event)] == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda e: e.update(schemaURL="https://openlineage.io/spec#/$defs/Event"), "neither a run nor a job"),
        (lambda e: e.pop("run"), "event lacks run"),
        (lambda e: e["run"].update(runId="facts/1"), "event.run.runId is no UUID"),
        (lambda e: e.update(eventType="DONE"), "event.eventType is no state of a run"),
        (lambda e: e.update(eventTime="2024-11-15T12:00:00"), "event.eventTime is no time with an offset"),
        (lambda e: e.update(eventTime="2024-11-31T12:00:00Z"), "event.eventTime is no time with an offset"),
        (lambda e: e.update(producer="a lakehouse"), "event.producer is no URI"),
        (lambda e: e["job"].update(namespace="my shop"), "event.job.namespace has characters"),
        (lambda e: e["outputs"][0].update(namespace="n" * 1025), "event.outputs[0].namespace has characters"),
        (lambda e: e["inputs"][0].update(name=" "), "event.inputs[0].name is blank"),
        (lambda e: e["job"].update(name="n" * 256), "event.job.name is blank, or longer"),
        (lambda e: e["job"]["facets"]["jobType"].pop("_producer"), "facets.jobType lacks _producer"),
        (
            lambda e: e["outputs"][0]["facets"]["schema"]["fields"][0].pop("name"),
            "schema.fields[0] lacks name",
        ),
        (lambda e: e["outputs"][0]["facets"]["documentation"].update(description=None), "lacks description"),
        (
            lambda e: e["outputs"][0]["facets"]["columnLineage"]["fields"]["payment_id"]["inputFields"][
                0
            ].pop("field"),
            "fields.payment_id.inputFields[0] lacks field",
        ),
        (
            lambda e: e["outputs"][0]["facets"]["documentation"].update(description="a\0b"),
            "description has a NUL",
        ),
    ],
)
def test_an_event_that_marquez_would_not_take_is_told(written: Written, spoil: Any, why: str) -> None:
    event = copy.deepcopy(event_of(written, "facts"))
    spoil(event)
    assert why in "; ".join(refusals(event))


def test_a_chain_of_datasets_leads_from_the_source_to_a_card(written: Written) -> None:
    runs = [one for name, found in events(written).items() for one in found if "/events/" in name]
    steps = {
        (i["name"], o["name"])
        for one in (*runs, *events(written)[TOP + READERS_FILE])
        for i in one["inputs"]
        for o in one["outputs"]
    }
    way = ["source.payment", "shop_raw.payment", "shop_star.fact_payment", "shop_star.fact_payment_current"]
    way += ["question.payments_due", "card.money/due"]
    assert set(itertools.pairwise(way)) <= steps
    assert ("shop_star.fact_payment", "warehouse.fact_payment") in steps


def test_every_column_that_an_event_speaks_of_stands_in_a_schema_beside_it(written: Written) -> None:
    for event in (one for found in events(written).values() for one in found):
        stated = {
            (one["name"], field["name"])
            for one in (*event["inputs"], *event["outputs"])
            for field in one["facets"].get("schema", {}).get("fields", ())
        }
        for out in event["outputs"]:
            lineage = out["facets"].get("columnLineage", {"fields": {}, "dataset": []})
            every = [*lineage["dataset"], *(i for f in lineage["fields"].values() for i in f["inputFields"])]
            assert {(one["name"], one["field"]) for one in every} <= stated, out["name"]
            assert {(out["name"], name) for name in lineage["fields"]} <= stated


def test_an_event_says_what_its_commit_states(written: Written) -> None:
    commit, event = written.lake.log("facts").after(0)[0], event_of(written, "facts")
    assert event["eventTime"] == commit.committed_at
    assert (event["eventType"], event["job"]["name"]) == ("COMPLETE", "facts")
    (out,) = (one for one in event["outputs"] if one["name"] == "shop_star.fact_payment")
    partitions = commit.tables["fact_payment"].partitions
    assert out["outputFacets"]["outputStatistics"]["rowCount"] == sum(p.rows for p in partitions)
    assert out["facets"]["version"]["datasetVersion"] == "facts/1"
    fields = out["facets"]["columnLineage"]["fields"]
    (created,) = fields["created_month"]["inputFields"]
    assert (created["name"], created["field"]) == ("shop_raw.payment", "created_at")
    assert created["transformations"] == [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": False}]
    whole = {one["field"] for one in out["facets"]["columnLineage"]["dataset"]}
    assert {"payment_id", "batch"} <= whole


def test_an_event_names_no_object_and_no_row(written: Written) -> None:
    text = b"".join(body for name, body in written.objects().items() if name.startswith(TOP)).decode()
    for stage in PROJECTED:
        for commit in written.lake.clients.log(stage).after(0):
            for table in commit.tables.values():
                for data in table.objects:
                    assert data.key not in text
                    assert data.sha256 not in text


def test_projecting_again_gives_the_same_bytes(written: Written) -> None:
    def projected() -> dict[str, bytes]:
        catalogue = load_catalogue()
        return dict(project(written.lake.clients, catalogue, lineage_of(catalogue), load_pipeline().name, {}))

    first = projected()
    assert projected() == first
    stored = {
        name.removeprefix(TOP): body for name, body in written.objects().items() if name.startswith(TOP)
    }
    assert {name: body for name, body in stored.items() if TOP + name != WRITTEN} == first
    runs = [json.loads(body)["run"]["runId"] for name, body in first.items() if name != READERS_FILE]
    assert len(set(runs)) == len(runs)


def test_a_run_writes_what_is_new_and_nothing_twice(written: Written) -> None:
    assert written.build() == []
    log = written.lake.clients.log("capture")
    last = log.latest()
    assert last is not None
    batch = last.sequence + 1
    new: Commit = replace(
        last,
        sequence=batch,
        attempt="another",
        committed_at=iso(utc_now()),
        first_batch=batch,
        last_batch=batch,
    )
    log.publish(new)
    # Readers are told as of the newest commit.
    assert written.build() == [f"{TOP}events/capture/{batch:010}.json", TOP + READERS_FILE, WRITTEN]


def test_before_the_first_capture_there_is_nothing_to_tell(tmp_path: Path) -> None:
    with new_lake(tmp_path) as site:
        assert site.build() == [WRITTEN]
        assert site.build() == []
