"""What tests of the stages stand on: lakes that captures can be put into, and engines that work on them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from moto.glue.models import GlueBackend, glue_backends

from catalog.arrow import arrow_schema
from catalog.catalogue import Catalogue, load_catalogue
from catalog.keys import is_number
from catalog.model import Column, Contract
from catalog.pipeline import load_pipeline
from catalog.types import MOMENTS
from expectations.rules import Suite, load_suites
from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake import layout, live_keys, objects
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, DataObject, Partition, TableCommit
from glue_jobs.lake.key_limits import KeyLimits
from glue_jobs.lake.live_keys import KeyStore, keys_of
from glue_jobs.lake.source_state import CaptureState, Pause, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime.registry import NEWEST, read_schemas
from glue_jobs.stages.open_stage import made_once, open_stage
from glue_jobs.stages.stage import Stage
from glue_jobs.star.drain import contracts_of, drain
from lakehouse.local_deployment import deploy_schemas, deploy_tables
from local_aws.endpoint.app import Endpoint, create_endpoint

Row = dict[str, Any]

FIRST_CAPTURE = dt.datetime(2024, 11, 15, 10)  # noqa: DTZ001 - the lake's times have no zone
CAPTURE_INTERVAL = dt.timedelta(minutes=5)

MakeEngine = Callable[["Lake"], Engine]
"""Makes an engine for the jobs of a lake."""

CATALOG = ("databases", "registries", "num_schemas", "num_schema_versions")
"""What moto's model of Glue keeps of tables and schemas."""

_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class KeptCatalog:
    """What moto holds of a lake's catalog and schema registry, for another lake to begin with.

    Attributes:
        state: It, pickled.
        names: The lake's own names in it. Those of any two lakes have the same length, so that they can
            take each other's place in what is pickled.
    """

    state: bytes
    names: Sequence[str]


_of_empty_lakes: dict[int, tuple[Catalogue, KeptCatalog]] = {}
"""By the identity of its contracts, which live on here, the catalog that an empty lake has."""


class Lake:
    """An empty lake of its own on an AWS endpoint of its own.

    Attributes:
        suites: Gives the rules of registered contracts.
    """

    def __init__(self, endpoint: Endpoint, engine: MakeEngine, catalogue: Catalogue) -> None:
        number = next(_numbers)
        self.suites: Callable[[Catalogue], Mapping[str, Suite]] = load_suites
        self._make_engine = engine
        self.catalogue = catalogue
        self.registry = load_pipeline().registries["raw"]
        self.endpoint = endpoint
        self.s3: Any = endpoint.client("s3")
        self.glue: Any = endpoint.client("glue")
        self.buckets = {name: f"{name}-{number:06}" for name in ("ingestion", "processed")}
        for name in self.buckets.values():
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
            endpoint.bucket_dir(name).mkdir(parents=True, exist_ok=True)
        if id(catalogue) in _of_empty_lakes:
            self.put_catalog(_of_empty_lakes[id(catalogue)][1])
        else:
            deploy_tables(self.glue, catalogue, self.buckets)
            deploy_schemas(self.glue, catalogue, self.registry)
            _of_empty_lakes[id(catalogue)] = catalogue, self.keep_catalog()

    def keep_catalog(self) -> KeptCatalog:
        """What the catalog and the registry hold now."""
        backend = self._catalog
        state = {name: getattr(backend, name) for name in CATALOG}
        return KeptCatalog(pickle.dumps(state), self._names)

    def put_catalog(self, kept: KeptCatalog) -> None:
        """Have the catalog and the registry hold what those of another lake held.

        By requests it would take longer than many a test.
        """
        state = kept.state
        for theirs, own in zip(kept.names, self._names, strict=True):
            state = state.replace(theirs.encode(), own.encode())
        for name, value in pickle.loads(state).items():  # noqa: S301 - this process has pickled it
            setattr(self._catalog, name, value)

    @property
    def _catalog(self) -> GlueBackend:
        return glue_backends[self.endpoint.account_id][self.endpoint.region]

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.endpoint.account_id, *self.buckets.values())

    @property
    def clients(self) -> LakeClients:
        return LakeClients(self.s3, self.glue, **self.buckets)

    @property
    def argv(self) -> list[str]:
        """The arguments of the jobs that run stages."""
        buckets = [word for name, bucket in self.buckets.items() for word in (f"--{name}_bucket", bucket)]
        return [*buckets, "--schema_registry", self.registry.name, "--schema_versions", NEWEST]

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """A stage with an engine of its own, and the contracts that are registered now."""
        catalogue = read_schemas(self.glue, self.registry.name, self.catalogue).catalogue(self.catalogue)
        with made_once(lambda: self._make_engine(self)) as engine:
            yield open_stage(name, self.clients, catalogue, engine)

    def log(self, stage: str) -> CommitLog:
        return CommitLog(self.s3, self.buckets["ingestion"], stage)

    def commit(self, stage: str) -> Commit:
        found = self.log(stage).latest()
        assert found is not None
        return found

    def capture(
        self,
        tables: Mapping[str, Sequence[Row]],
        live: Mapping[str, Sequence[int | str]] | None = None,
        paused: Sequence[str] = (),
        rows_an_object: int | None = None,
    ) -> int:
        """Commit one capture. A row states what a raw row holds; what it leaves out gets a plain value.

        Args:
            tables: Rows by raw table.
            live: By raw table, the keys that the source holds; nothing where no reference is to be judged.
            paused: Tables that the capture could not read.
            rows_an_object: After how many rows an object ends; all are in one unless told otherwise.
        """
        log = self.log("capture")
        batch = log.latest_sequence() + 1
        attempt = layout.new_attempt()
        at = FIRST_CAPTURE + batch * CAPTURE_INTERVAL
        written = {}
        for table, rows in tables.items():
            contract = self.catalogue.raw[table]
            location = layout.raw_location(contract, at.date(), batch, attempt)
            stated = [
                {"operation": "insert", "version_id": batch * 1000, "captured_at": at, **r} for r in rows
            ]
            size = rows_an_object or max(len(stated), 1)
            parts = [stated[start : start + size] for start in range(0, max(len(stated), 1), size)]
            written_objects = tuple(
                self._put(contract, f"{location}part-{number:05d}.parquet", part)
                for number, part in enumerate(parts)
            )
            values = {"captured_date": at.date().isoformat(), "batch": str(batch)}
            counts = {"read": len(rows), "new": len(rows)}
            written[table] = TableCommit(counts, (Partition(values, location, written_objects),))
        state = SourceState(captured_at=layout.iso(at), tables=self._live(live or {}, paused, attempt)).state
        log.publish(Commit("capture", batch, attempt, layout.iso(at), batch, batch, written, state))
        return batch

    def _live(
        self, live: Mapping[str, Sequence[int | str]], paused: Sequence[str], attempt: str
    ) -> dict[str, CaptureState]:
        store = KeyStore(self.s3, self.buckets["ingestion"])

        def kept(table: str, keys: Sequence[int | str]) -> StateObject:
            if is_number(self.catalogue.raw[table]):
                return store.keep_live(table, attempt, keys_of(np.array(keys, np.int64)))
            path = self.endpoint.state_dir / f"keys-{next(_numbers)}.parquet"
            columns = {live_keys.KEY: pa.array(keys, pa.string()), live_keys.LIVE: [True] * len(keys)}
            pq.write_table(pa.table(columns), path)
            return store.keep_texts(table, attempt, path, len(keys), len(keys))

        return {
            table: CaptureState(
                live_keys=kept(table, keys),
                pause=Pause("it cannot be seen", "2024-11-15T10:00:00.000Z") if table in paused else None,
            )
            for table, keys in live.items()
        }

    def _put(self, contract: Contract, key: str, rows: Sequence[Row]) -> DataObject:
        path = self.endpoint.state_dir / f"upload-{next(_numbers)}.parquet"
        schema = arrow_schema(contract)
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
        table = pa.table(columns, schema=schema)
        pq.write_table(table, path)
        data = objects.upload(self.s3, self.buckets["ingestion"], key, path, len(rows))
        path.unlink()
        limits = KeyLimits(contract.key)
        limits.add(table)
        low, high = limits.range
        return dataclasses.replace(data, key_min=low, key_max=high)

    def accept(self) -> None:
        """Accept the newest capture unseen, as no validation would: what the gates behind it are for."""
        self.log("validate").publish(dataclasses.replace(self.commit("capture"), stage="validate"))

    def replay(self) -> int:
        with self.stage("validate") as stage:
            from glue_jobs.validation.replay import replay

            return replay(stage, self.suites(stage.catalogue))

    def validate(self, limits: Any = None) -> int:
        with self.stage("validate") as stage:
            from glue_jobs.validation.validate import Limits, validate

            return validate(stage, self.suites(stage.catalogue), limits or Limits())

    def facts(self) -> int:
        return self._drain("facts")

    def dimensions(self) -> int:
        return self._drain("dimensions")

    def _drain(self, name: str) -> int:
        with self.stage(name) as stage:
            return drain(stage, contracts_of(name, stage.catalogue))

    def transform(self, *stages: Literal["dimensions", "facts"]) -> None:
        """Validate, then build the star, or what some of its stages build: neither waits for the other."""
        assert self.validate() == 0
        for stage in stages or ("dimensions", "facts"):
            assert {"dimensions": self.dimensions, "facts": self.facts}[stage]() == 0

    def folder(self, zone: str) -> Path:
        return self.endpoint.bucket_dir(self.buckets[zone])

    def star(self) -> Star:
        """The star as its stages' newest commits name it now."""
        return Star(self, {stage: self.log(stage).latest() for stage in ("dimensions", "facts")})

    def rows(self, table: str) -> list[Row]:
        """See :meth:`Star.rows`."""
        return self.star().rows(table)

    def dead_letters(self, table: str) -> list[Row]:
        """The dead letters that the newest validation names, as their objects hold them."""
        partitions = self.commit("validate").tables[table].dead_letters
        return self._read([data.key for one in partitions for data in one.objects])

    def accepted(self, table: str) -> list[Row]:
        """The rows that the newest validation accepts."""
        partitions = self.commit("validate").tables[table].partitions
        return self._read([data.key for one in partitions for data in one.objects])

    def open_dead_letters(self) -> dict[str, int]:
        return ValidationState.of(self.commit("validate")).unresolved_rows

    def _read(self, keys: Sequence[str]) -> list[Row]:
        return [
            row for key in keys for row in pq.ParquetFile(self.folder("ingestion") / key).read().to_pylist()
        ]

    def changed(self, table: str) -> list[Row]:
        """The rows of the changes of a table's newest commit."""
        contract = self.catalogue.star[table]
        commit = self.commit("facts" if contract.kind == "fact" else "dimensions")
        paths = [self.folder("processed") / data.key for data in commit.tables[table].changes]
        return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]

    def shown(self, table: str) -> dict[str, str]:
        """Where Glue says that a star table's partitions lie."""
        where = {"DatabaseName": self.catalogue.zones["star"].database, "TableName": table}
        found = self.glue.get_paginator("get_partitions").paginate(**where)
        return {
            "/".join(p["Values"]): p["StorageDescriptor"]["Location"]
            for page in found
            for p in page["Partitions"]
        }

    def copied(self, copy: Contract) -> list[Row]:
        """The rows of a copy without personal columns: all that lies where the catalog sends Athena."""
        where = {"DatabaseName": copy.zone_info.database, "TableName": copy.table}
        if copy.partition_columns:
            found = self.glue.get_paginator("get_partitions").paginate(**where)
            places = [p["StorageDescriptor"]["Location"] for page in found for p in page["Partitions"]]
        else:
            table = self.glue.get_table(DatabaseName=copy.zone_info.database, Name=copy.table)["Table"]
            places = [table["StorageDescriptor"]["Location"]]
        bucket = self.buckets[copy.zone_info.bucket]
        folder = self.folder(copy.zone_info.bucket)
        inside = [folder / place.removeprefix(f"s3://{bucket}/") for place in places]
        paths = sorted(path for place in inside for path in place.rglob("*.parquet"))
        return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]

    def state(self) -> str:
        """Every star table in full, apart from the names of versions, as text to compare."""
        star = self.star()
        tables = {name: star.rows(name) for name in self.catalogue.star}
        return json.dumps(tables, default=str, sort_keys=True, indent=1)


@dataclasses.dataclass(frozen=True)
class Star:
    """The star tables of a lake at one moment.

    Attributes:
        lake: The lake.
        commits: The newest commit of each of its stages.
    """

    lake: Lake
    commits: Mapping[str, Commit | None]

    def rows(self, table: str) -> list[Row]:
        """A table as its stage's commit names it, partition column included."""
        contract = self.lake.catalogue.star[table]
        found: list[Row] = []
        for stage in contract.stages:
            commit = self.commits[stage]
            assert commit is not None or contract.kind == "dead_letters"
            stated = commit.tables.get(table, TableCommit()) if commit else TableCommit()
            for spec, label in stated.versions.items():
                folder = self.lake.folder("processed") / layout.star_location(contract, spec, label)
                for path in sorted(folder.glob("*.parquet")):
                    values = layout.partition_values(spec)
                    found.extend({**row, **values} for row in pq.ParquetFile(path).read().to_pylist())
        return sorted(found, key=lambda row: (row[contract.key[0]], row.get("batch_sequence", 0)))


def embedded(lake: Lake) -> Engine:
    """The engine of ordinary batches, with a Python shell job's room."""
    return EmbeddedEngine(lake.s3, lake.endpoint.state_dir / "engine", 400 << 20, 1, 4 << 30)


@contextmanager
def lake(
    folder: Path, monkeypatch: Any, engine: MakeEngine = embedded, catalogue: Catalogue | None = None
) -> Iterator[Lake]:
    """An empty lake; jobs that run meanwhile work on it."""
    with create_endpoint(folder) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        # A session keeps the keys that it was made with, and each endpoint has its own.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield Lake(endpoint, engine, catalogue or load_catalogue())


def at(text: str) -> dt.datetime:
    """A time, ``2024-11-15 10:00:00.123``."""
    return dt.datetime.fromisoformat(text)


def raw_row(table: str, key: int, **changes: Any) -> Row:
    """A whole row of a raw table: plain values by type, and what a test is about."""
    return {**plain_row(load_catalogue().raw[table]), load_catalogue().raw[table].key[0]: key, **changes}


def plain_row(contract: Contract) -> Row:
    """A row of plain values by type."""
    return {column.name: _plain(column) for column in contract.columns}


def deletion(table: str, key: int, **changes: Any) -> Row:
    """A deletion of a raw row: its key and nothing else."""
    return {load_catalogue().raw[table].key[0]: key, "operation": "delete", **changes}


_TRUE = {"currency_code": "GBP", "sales_order_id": 1}
"""What a plain row says where not anything is believed."""


def _plain(column: Column) -> Any:
    if column.name in _TRUE:
        return _TRUE[column.name]
    if column.allowed_values:
        return column.allowed_values[0]
    if column.name.endswith("_date"):
        return "2024-11-20"
    by_type: dict[str, Any] = {
        "integer": 1,
        "bigint": 1,
        "text": "text",
        "boolean": False,
        "date": dt.date(2024, 11, 1),
        "decimal": Decimal("2.50"),
        **dict.fromkeys(MOMENTS, at("2024-11-14 09:30:00.123")),
    }
    if column.nullable:
        return None
    plain = by_type[column.type.name]
    return plain if column.minimum is None else max(plain, type(plain)(column.minimum))
