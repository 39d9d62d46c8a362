"""Commits as run events of OpenLineage, and what reads the tables as job events: a repeatable projection.

No job emits anything, so that lineage can neither stop one nor say what did not happen: a run event is what a
commit states, with what :mod:`glue_jobs.documentation.column_lineage` knows of its outputs' columns. The same
commits and the same project give the same bytes. No row, no key and no object's name is in an event.

Datasets are named within one namespace, as people name them: ``<database>.<table>``, ``source.<table>``,
``warehouse.<table>``, ``question.<name>``. A commit knows neither servers nor accounts, so the names of the
specification's convention, which have these in them, cannot be made of it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from catalog.catalogue import Catalogue
from catalog.lineage import FEED, READERS, SOURCE, WAREHOUSE, ColumnLineage, Dataset, Input, TableLineage
from catalog.model import Contract
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import FIRST_STAGE, REDACT, STAGES, Commit, Partition, TableCommit, lake_identity

Json = dict[str, Any]

SPECIFICATION = "https://openlineage.io/spec"
"""Where the schemas of events and facets stand."""

CORE = f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs"
"""The schemas of events."""

UNTRACED = "lakehouse_untraced"
"""A facet of our own: by column, why nothing states where it comes from."""

PROJECTED = (*STAGES, REDACT)
"""The stages whose commits are projected."""

_FACETS = {
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "datasetVersion": "1-0-1/DatasetVersionDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet",
    "inputStatistics": "1-0-0/InputStatisticsInputDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "ownership": "1-0-1/OwnershipDatasetFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
    "sql": "1-1-0/SQLJobFacet",
}
"""By facet, its version and its name in the specification."""

_VALIDATE, _LOAD = "validate", "load"


class Projection:
    """Makes events of one lake.

    Args:
        catalogue: The contracts.
        lineage: What is known of every column.
        namespace: The namespace of its jobs and datasets.
        lake: The lake's identity.
    """

    def __init__(self, catalogue: Catalogue, lineage: ColumnLineage, namespace: str, lake: str) -> None:
        self._lineage = lineage
        self._namespace = namespace
        self._lake = lake
        self._producer = f"urn:lakehouse:{quote(namespace, safe='')}"
        self._contracts = {Dataset(c.zone_info.database, c.table): c for c in catalogue.tables}
        self._captured = {name: table.source.table or name for name, table in catalogue.captured.items()}
        self._star = catalogue.zones["star"].database
        self._raw = catalogue.zones["raw"].database
        self._feeds = {Dataset(self._raw, name): Dataset(FEED, name) for name in catalogue.fed}
        self._named_columns = _columns_of(lineage)

    def run_event(self, commit: Commit) -> Json:
        """What a commit states, as the completion of a run of its stage.

        Args:
            commit: The commit.
        """
        outputs = self._outputs(commit)
        inputs = self._inputs(commit, outputs)
        named = f"{self._lake}/{commit.stage}/{commit.sequence}/{commit.attempt}"
        return {
            **self._event("RunEvent", commit.committed_at),
            "eventType": "COMPLETE",
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._producer}/{named}"))},
            "job": self._job(commit.stage, "STAGE"),
            "inputs": [self._input(one, counts) for one, counts in inputs.items()],
            "outputs": [
                self._output(one, f"{commit.stage}/{commit.sequence}", parts)
                for one, parts in outputs.items()
            ],
        }

    def job_events(self, at: str) -> Iterator[Json]:
        """Views, questions, data sets, cards and notebooks: what they read; no commit says that they ran.

        Args:
            at: The time that the events state.
        """
        for dataset, table in sorted(self._lineage.tables.items()):
            if dataset.place not in READERS and table.by != "view":
                continue
            facets = {"sql": self._facet("sql", query=table.sql)} if table.sql else {}
            yield {
                **self._event("JobEvent", at),
                "job": self._job(_name(dataset), table.by.replace(" ", "_").upper(), facets),
                "inputs": [{**self._named(one), "facets": self._schema(one)} for one in table.read],
                "outputs": [self._output(dataset)],
            }

    # ------------------------------------------------------------------ what a commit reads and writes

    def _outputs(self, commit: Commit) -> dict[Dataset, list[Partition]]:
        if commit.stage == _LOAD:
            loaded = [name for name, table in commit.tables.items() if table.counts.get("new")]
            return {Dataset(WAREHOUSE, name): [] for name in sorted(loaded)}
        every = [
            partition
            for table in commit.tables.values()
            for partition in (*(() if commit.stage == _VALIDATE else table.partitions), *table.dead_letters)
        ]
        return self._by_table(every)

    def _inputs(self, commit: Commit, outputs: Iterable[Dataset]) -> dict[Dataset, Json]:
        """The datasets that a commit's stage has read, each with what the commit counts of it."""
        if commit.stage == _VALIDATE:
            return {
                Dataset(self._raw, name): {"rowCount": table.counts.get("read", 0)}
                for name, table in sorted(commit.tables.items())
                if table.partitions or table.dead_letters
            }
        if commit.stage == _LOAD:
            return {Dataset(self._star, one.table): {} for one in outputs}
        read = {one for output in outputs for one in self._read(output)}
        if commit.stage == FIRST_STAGE:
            # A capture whose rows are all quarantined has read them, too.
            with_rows = _with_rows(commit.tables)
            read |= {Dataset(SOURCE, table) for name, table in self._captured.items() if name in with_rows}
            # Of a feed whose columns nothing states it is known that they come from there.
            read |= {feed for table, feed in self._feeds.items() if table in outputs}
        return {one: {} for one in sorted(read)}

    def _read(self, dataset: Dataset) -> tuple[Dataset, ...]:
        known = self._lineage.tables.get(dataset)
        return known.read if known is not None else ()

    def _by_table(self, partitions: Iterable[Partition]) -> dict[Dataset, list[Partition]]:
        """Partitions by the table whose place they lie in."""
        found: dict[Dataset, list[Partition]] = {}
        for partition in partitions:
            for dataset, contract in self._contracts.items():
                if partition.location.startswith(contract.prefix):
                    found.setdefault(dataset, []).append(partition)
        return dict(sorted(found.items()))

    # ------------------------------------------------------------------ the parts of events

    def _event(self, kind: str, at: str) -> Json:
        return {"eventTime": at, "producer": self._producer, "schemaURL": f"{CORE}/{kind}"}

    def _facet(self, kind: str, **stated: Any) -> Json:
        version, _, name = _FACETS[kind].partition("/")
        address = f"{SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}"
        return {"_producer": self._producer, "_schemaURL": address, **stated}

    def _job(self, name: str, kind: str, facets: Mapping[str, Json] | None = None) -> Json:
        of_type = self._facet("jobType", processingType="BATCH", integration="LAKEHOUSE", jobType=kind)
        return {"namespace": self._namespace, "name": name, "facets": {"jobType": of_type, **(facets or {})}}

    def _named(self, dataset: Dataset) -> Json:
        return {"namespace": self._namespace, "name": _name(dataset)}

    def _input(self, dataset: Dataset, counts: Json) -> Json:
        """A dataset that was read, with what was counted of it."""
        found: Json = {**self._named(dataset), "facets": self._facets(dataset)}
        if counts:
            found["inputFacets"] = {"inputStatistics": self._facet("inputStatistics", **counts)}
        return found

    def _output(self, dataset: Dataset, version: str = "", partitions: Sequence[Partition] = ()) -> Json:
        """A dataset that was written, with the lineage of its columns.

        Args:
            dataset: The dataset.
            version: What names the state that it has then.
            partitions: What was written of it.
        """
        found: Json = {**self._named(dataset), "facets": self._facets(dataset)}
        if version:
            found["facets"]["version"] = self._facet("datasetVersion", datasetVersion=version)
        known = self._lineage.tables.get(dataset)
        if known is not None:
            found["facets"].update(self._column_lineage(known))
        if partitions:
            data = [one for partition in partitions for one in partition.objects]
            counts = {
                "rowCount": sum(one.rows for one in data),
                "size": sum(one.bytes for one in data),
                "fileCount": len(data),
            }
            found["outputFacets"] = {"outputStatistics": self._facet("outputStatistics", **counts)}
        return found

    def _facets(self, dataset: Dataset) -> Json:
        found = self._schema(dataset)
        contract = self._contracts.get(dataset)
        if contract is not None:
            found["documentation"] = self._facet("documentation", description=contract.grain)
            found["ownership"] = self._facet("ownership", owners=[{"name": contract.owner, "type": "OWNER"}])
        return found

    def _schema(self, dataset: Dataset) -> Json:
        """The columns of a dataset; without them catalogs pass over what is said of columns."""
        contract = self._contracts.get(dataset)
        names = self._named_columns.get(dataset, ())
        fields = _fields(contract) if contract is not None else [{"name": name} for name in names]
        return {"schema": self._facet("schema", fields=fields)} if fields else {}

    def _column_lineage(self, table: TableLineage) -> Json:
        found: Json = {}
        fields = {
            name: {"inputFields": self._input_fields(inputs)}
            for name, inputs in table.columns.items()
            if inputs
        }
        if fields or table.rows:
            # A column without inputs is made here, or untraced.
            found["columnLineage"] = self._facet(
                "columnLineage", fields=fields, dataset=self._input_fields(table.rows)
            )
        if table.untraced:
            found[UNTRACED] = {
                "_producer": self._producer,
                "_schemaURL": f"{CORE}/DatasetFacet",
                "columns": dict(table.untraced),
            }
        return found

    def _input_fields(self, inputs: Iterable[Input]) -> list[Json]:
        by_field: dict[Any, list[Json]] = {}
        for one in inputs:
            how = {"type": one.how.type, "subtype": one.how.subtype, "masking": False}
            by_field.setdefault(one.field, []).append(how)
        return [
            {**self._named(field.dataset), "field": field.column, "transformations": ways}
            for field, ways in by_field.items()
        ]


def line(event: Json) -> bytes:
    """An event as one line of JSON, its line's end included."""
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _name(dataset: Dataset) -> str:
    return f"{dataset.place.replace(' ', '_')}.{dataset.table}"


def _fields(contract: Contract) -> list[Json]:
    columns = (*contract.all_columns, *contract.partition_columns)
    return [
        {"name": c.name, "type": str(c.type), "description": c.description, "ordinal_position": place}
        for place, c in enumerate(columns, 1)
    ]


def _columns_of(lineage: ColumnLineage) -> dict[Dataset, list[str]]:
    """The columns of each dataset: its own, or of one that nothing is known of those that others read."""
    found = {dataset: list(table.columns) for dataset, table in lineage.tables.items()}
    read = {edge.start for edge in lineage.edges if edge.start.dataset not in found}
    for field in sorted(read):
        found.setdefault(field.dataset, []).append(field.column)
    return found


def _with_rows(tables: Mapping[str, TableCommit]) -> list[str]:
    return [
        name
        for name, table in tables.items()
        if any(p.rows for p in (*table.partitions, *table.dead_letters))
    ]


# ---------------------------------------------------------------------- as files


EVENTS = "events"
"""The folder of the run events, a file for each commit."""

READERS_FILE = "readers.ndjson"
"""The file of the job events, one a line."""


def event_file(stage: str, sequence: int) -> str:
    """The file of a commit's event; sorted by name, those of a stage are in order."""
    return f"{EVENTS}/{stage}/{sequence:010d}.json"


def project(
    lake: LakeClients, catalogue: Catalogue, lineage: ColumnLineage, namespace: str, since: Mapping[str, int]
) -> Iterator[tuple[str, bytes]]:
    """The files of a lake's lineage: each commit's run event, and at the end the job events of what reads.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        lineage: What is known of every column.
        namespace: The namespace of its jobs and datasets.
        since: By stage, the sequence after which commits are projected; all of them unless given.

    Yields:
        Name and bytes of each file, the commits of each stage in order; nothing before the first capture.
    """
    identity = lake_identity(lake.log(FIRST_STAGE))
    if identity is None:
        return
    projection = Projection(catalogue, lineage, namespace, identity)
    newest = ""
    for stage in PROJECTED:
        log = lake.log(stage)
        latest = log.latest()
        newest = max(newest, latest.committed_at if latest is not None else "")
        for sequence in range(since.get(stage, 0) + 1, (latest.sequence if latest is not None else 0) + 1):
            commit = log.get(sequence)
            if commit is not None:
                yield event_file(stage, sequence), line(projection.run_event(commit))
    yield READERS_FILE, b"".join(line(event) for event in projection.job_events(newest))
