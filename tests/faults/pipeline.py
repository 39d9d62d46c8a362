"""The whole pipeline for a fault to strike: a source, a lake, a warehouse and the five jobs between them.

Jobs run in this process, on the embedded engine, or as a process of their own that is killed at a step. A
`Base` is a pipeline that has been brought to a state once and is copied for every test that starts from
there.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import make_conninfo

from catalog.pipeline import load_pipeline
from glue_jobs import extract_cdc, transform
from glue_jobs.lake.commits import REDACT, STAGES, Commit, CommitLog, Partition
from glue_jobs.reconciliation import Report, reconcile
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime import log
from glue_jobs.sources import capture_run
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.local_deployment import deploy_athena, deploy_views
from local_aws.athena.service import AthenaService
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.layers import json_service
from tests.faults.injector import answered
from tests.lake import KeptCatalog, Lake, lake

READER, LOADER = "shop_reader", "warehouse_loader"
WORKFLOW, LARGE_WORKFLOW = "transform", "transform_large"
JOBS = {"capture": capture_run.JOB, **dict.fromkeys(STAGES[1:], transform.JOB)}
NUMBERS = [word for name, value in load_pipeline().transform for word in (f"--{name}", str(value))]
"""The arguments of transform that the deployment states: its limits, and the engine's room."""

ROOT = Path(__file__).resolve().parent.parent.parent

RESULTS = "answers"
"""The bucket of what Athena finds."""

TIMES = ("captured_at", "since")
"""Columns that say when something was captured."""

_numbers = itertools.count()


class Pipeline:
    """One source, one lake, one warehouse.

    Args:
        lake: The lake, empty or a copy.
        server: The server of both databases.
        source: The source's database.
        warehouse: The warehouse's database.
    """

    def __init__(self, lake: Lake, server: EmbeddedPostgres, source: str, warehouse: str) -> None:
        self.lake = lake
        self.server = server
        self.source = source
        self.warehouse = warehouse
        self.output = ""
        """What every job has written so far."""
        self.known: dict[tuple[str, str], str] = {}
        """Every object that was ever seen in the buckets, and its checksum then."""
        secrets = lake.endpoint.client("secretsmanager")
        self._source_secret, self._warehouse_secret = f"source-{source}", f"warehouse-{warehouse}"
        for name, dsn in ((self._source_secret, self.reader_dsn), (self._warehouse_secret, self.loader_dsn)):
            secrets.create_secret(Name=name, SecretString=json.dumps({"dsn": dsn}))
        for workflow in (WORKFLOW, LARGE_WORKFLOW):
            lake.glue.create_workflow(Name=workflow)

    # ------------------------------------------------------------------ the databases

    @property
    def reader_dsn(self) -> str:
        return self.server.dsn(READER, self.source)

    @property
    def loader_dsn(self) -> str:
        return self.server.dsn(LOADER, self.warehouse)

    def use_source(self, dsn: str) -> None:
        """Put another DSN in the source's secret."""
        self.lake.endpoint.client("secretsmanager").put_secret_value(
            SecretId=self._source_secret, SecretString=json.dumps({"dsn": dsn})
        )

    def use_warehouse(self, dsn: str) -> None:
        """Put another DSN in the warehouse's secret."""
        self.lake.endpoint.client("secretsmanager").put_secret_value(
            SecretId=self._warehouse_secret, SecretString=json.dumps({"dsn": dsn})
        )

    @contextlib.contextmanager
    def rotated_after_its_first_reading(self, stage: str) -> Iterator[Callable[[], int]]:
        """A secret with a password that is no longer the role's, until a job has read it once.

        Yields:
            Says how often it has been read.
        """
        name, current = (
            (self._source_secret, self.reader_dsn)
            if stage == "capture"
            else (self._warehouse_secret, self.loader_dsn)
        )
        secrets = self.lake.endpoint.client("secretsmanager")
        readings = 0

        def put(dsn: str) -> None:
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"dsn": dsn}))

        def rotate(**_: Any) -> None:
            nonlocal readings
            readings += 1
            put(current)

        put(make_conninfo(current, password="of yesterday"))
        with answered("secrets-manager.GetSecretValue", rotate):
            yield lambda: readings

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[tuple[Any, ...]]:
        """A session of the source's owner."""
        return psycopg.connect(self.server.dsn(database=self.source), autocommit=autocommit)

    def sql(self, statements: str) -> None:
        """Run statements in the source, each its own transaction unless they say otherwise."""
        with self.connect() as connection:
            connection.execute(statements.encode())

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Query the warehouse."""
        with psycopg.connect(self.server.dsn(database=self.warehouse)) as connection:
            return connection.execute(query.encode()).fetchall()

    # ------------------------------------------------------------------ the jobs

    def argv(self, stage: str) -> list[str]:
        """The arguments of a stage's job."""
        if stage == "capture":
            schema = load_pipeline().source.schema_name
            own = ["--source_secret", self._source_secret, "--source_schema", schema]
            own += ["--transform_workflow", WORKFLOW]
            return [*self.lake.argv, *own]
        # A run that is forced passes over the notes of those that were killed before it.
        return [*self.transform_argv, "--engine", "embedded", "--stages", stage]

    @property
    def transform_argv(self) -> list[str]:
        """The arguments of transform as they are deployed."""
        own = ["--warehouse_secret", self._warehouse_secret, "--large_workflow", LARGE_WORKFLOW]
        return [*self.lake.argv, *NUMBERS, *own]

    def job(self, stage: str, *more: str) -> list[dict[str, Any]]:
        """Run a stage's job for it alone, to its end in this process, and return its log lines.

        Raises:
            UserError: What the job raised.
        """
        main = extract_cdc.main if stage == "capture" else transform.main
        return self._run(JOBS[stage], main, [*self.argv(stage), *more])

    def _run(
        self, job: str, main: Callable[[Sequence[str]], int], argv: Sequence[str]
    ) -> list[dict[str, Any]]:
        log.start(job, [])
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                assert main(argv) == 0
            finally:
                self.output += out.getvalue()
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def capture(self, *more: str) -> list[dict[str, Any]]:
        return self.job("capture", *more)

    def transform(self, *more: str) -> list[dict[str, Any]]:
        """What the workflow runs after a capture, forced onto the embedded engine unless told otherwise."""
        argv = [*self.transform_argv, "--engine", "embedded", *more]
        return self._run(transform.JOB, transform.main, argv)

    def run(self) -> None:
        """Capture, then everything after it."""
        self.capture()
        self.transform()

    def killed(self, stage: str, step: str, *, certain: bool = True) -> None:
        """Run a stage's job as a process of its own that is killed, with all it has started, at a step.

        Args:
            stage: The stage.
            step: See `tests.faults.kill_at`.
            certain: Whether it must come to that step; otherwise it may end well before.
        """
        ends = {-signal.SIGKILL} if certain else {-signal.SIGKILL, 0}
        self._kill(step, JOBS[stage], self.argv(stage), ends)

    def transform_killed(self, step: str, *more: str) -> None:
        """Run all of transform as a process of its own that is killed at a step."""
        self._kill(step, transform.JOB, [*self.transform_argv, *more], {-signal.SIGKILL})

    def _kill(self, step: str, job: str, argv: Sequence[str], ends: set[int]) -> None:
        scratch = self.lake.endpoint.state_dir / "scratch"
        scratch.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.kill_at", step, f"glue_jobs.{job}", *argv],
            cwd=ROOT,
            env={**os.environ, **self.lake.endpoint.environment(), "TMPDIR": str(scratch)},
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output += done.stdout
        assert done.returncode in ends, (argv, step, done.returncode, done.stderr[-2000:])

    def cut_off(self, point: str) -> subprocess.CompletedProcess[str]:
        """Capture in a process of its own, whose sessions the source ends at some point.

        Args:
            point: See `tests.faults.cut_off`.
        """
        dsn = self.server.dsn(database=self.source)
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.cut_off", point, dsn, *self.argv("capture")],
            cwd=ROOT,
            env={**os.environ, **self.lake.endpoint.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        self.output += done.stdout
        return done

    # ------------------------------------------------------------------ what is published

    def commits(self, stage: str) -> CommitLog:
        return self.lake.log(stage)

    def reconcile(self, athena: Athena | None = None) -> Report:
        """Compare source, lake and warehouse; and what analysts read, where there is an Athena."""
        return reconcile(
            self.reader_dsn,
            self.loader_dsn,
            self.lake.clients,
            source_schema=load_pipeline().source.schema_name,
            athena=athena,
            check_catalog=False,
        )

    def published(self) -> dict[str, Any]:
        """What readers see, apart from what names an attempt or says when: to compare with another run.

        The star by its commits, the warehouse's tables, the captured rows by batch.
        """
        seen: dict[str, Any] = {"captured": self.captured()}
        star = self.lake.star()
        for name, contract in self.lake.catalogue.star.items():
            if all(star.commits[stage] for stage in contract.stages):
                seen[f"star.{name}"] = [_timeless(row) for row in star.rows(name)]
        if self.commits("load").latest_sequence():
            for name, contract in self.lake.catalogue.star.items():
                columns = ", ".join(c.name for c in contract.columns if c.name not in TIMES)
                rows = self.ask(f"SELECT {columns} FROM {name}")
                seen[f"warehouse.{name}"] = sorted(rows, key=repr)
        seen["batches"] = {
            stage: latest.last_batch for stage in STAGES if (latest := self.commits(stage).latest())
        }
        return seen

    def copied(self) -> dict[str, list[Any]]:
        """By copy without personal columns, its rows, where any has been made."""
        copies = self.lake.catalogue.copies if self.commits(REDACT).latest_sequence() else ()
        return {
            f"{copy.zone}.{copy.table}": sorted(map(_timeless, self.lake.copied(copy)), key=repr)
            for copy in copies
        }

    def captured(self) -> dict[int, dict[str, list[Any]]]:
        """By batch and table, the captured rows as their commits name them."""
        return {
            commit.sequence: {
                name: sorted((_timeless(row) for row in self._rows_of(table.partitions)), key=repr)
                for name, table in commit.tables.items()
            }
            for commit in self.commits("capture").after(0)
        }

    def raw_rows(self, batch: int, table: str) -> list[dict[str, Any]]:
        """What a batch captured of a table."""
        commit = self.commits("capture").get(batch)
        found = () if commit is None or table not in commit.tables else commit.tables[table].partitions
        return self._rows_of(found)

    def accepted_rows(self, verdicts: Sequence[Commit], batch: int, table: str) -> list[dict[str, Any]]:
        """What the verdict on a batch passed on of a table."""
        accepted = [
            partition
            for commit in verdicts
            if commit.first_batch <= batch <= commit.last_batch and table in commit.tables
            for partition in commit.tables[table].partitions
            if partition.values["batch"] == str(batch)
        ]
        return self._rows_of(accepted)

    def _rows_of(self, partitions: Iterable[Partition]) -> list[dict[str, Any]]:
        folder = self.lake.folder("ingestion")
        keys = [data.key for partition in partitions for data in partition.objects]
        return [row for key in keys for row in pq.ParquetFile(folder / key).read().to_pylist()]


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what differs between two runs of the same story."""
    return {name: value for name, value in row.items() if name not in (*TIMES, "version_id")}


@dataclass(frozen=True)
class Base:
    """A pipeline in some state, copied for every test that starts from it.

    Attributes:
        server: The server of its databases.
        source: The source's database, a template that nobody uses.
        warehouse: The same of the warehouse.
        folders: The objects of each bucket, by its logical name.
        published: What readers see in this state, see `Pipeline.published`.
        output: What the jobs have written on the way to it.
        copied: What readers see of the copies without personal columns.
        catalog: What the catalog holds; an empty lake's where none is kept.
    """

    server: EmbeddedPostgres
    source: str
    warehouse: str
    folders: Mapping[str, Path]
    published: Mapping[str, Any]
    output: str = ""
    copied: Mapping[str, Any] = field(default_factory=dict)
    catalog: KeptCatalog | None = None


@contextmanager
def athena_over(lake: Lake, folder: Path) -> Iterator[Endpoint]:
    """An endpoint whose Athena asks a lake, with everything that analysts are given."""
    deploy_views(lake.glue, lake.catalogue)
    lake.s3.create_bucket(Bucket=RESULTS, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    folder.mkdir(exist_ok=True)
    # Who asks has one pair of keys for both endpoints.
    shutil.copy(lake.endpoint.state_dir / "keys.json", folder)
    endpoint = create_endpoint(folder)
    service = AthenaService(
        lake.glue,
        lake.s3,
        endpoint.client("athena"),
        spool=folder / "athena",
        path_of=lambda bucket, key: lake.endpoint.bucket_dir(bucket) / key,
    )
    endpoint.add(json_service("AmazonAthena", service))
    with endpoint:
        buckets = {**lake.buckets, "athena_results": RESULTS}
        deploy_athena(endpoint.client("athena"), lake.catalogue, load_pipeline(), buckets)
        yield endpoint
        service.close()


def keep(pipeline: Pipeline, folder: Path) -> Base:
    """Keep the state of a pipeline."""
    folders = {}
    for name in pipeline.lake.buckets:
        folders[name] = folder / name
        shutil.copytree(pipeline.lake.folder(name), folders[name])
    copies = [_copy(pipeline.server, database) for database in (pipeline.source, pipeline.warehouse)]
    seen = pipeline.published()
    catalog, copied = pipeline.lake.keep_catalog(), pipeline.copied()
    return Base(pipeline.server, copies[0], copies[1], folders, seen, pipeline.output, copied, catalog)


@contextmanager
def start_from(base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline of its own in the state of a base; jobs that run meanwhile work on it."""
    with lake(folder, monkeypatch) as copy:
        for name, kept in base.folders.items():
            shutil.copytree(kept, copy.folder(name), dirs_exist_ok=True)
        if base.catalog is not None:
            copy.put_catalog(base.catalog)
        databases = [_copy(base.server, database) for database in (base.source, base.warehouse)]
        _follow_the_copy(copy.folder("ingestion") / "_commits" / "capture", base.server, databases[0])
        try:
            yield Pipeline(copy, base.server, databases[0], databases[1])
        finally:
            with base.server.connect() as connection:
                for database in databases:
                    connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())


def _copy(server: EmbeddedPostgres, database: str) -> str:
    name = f"copy{next(_numbers)}"
    with server.connect() as connection:
        query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
        ((owner,),) = connection.execute(query, [database]).fetchall()
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database}" OWNER "{owner}"'.encode())
    return name


def _follow_the_copy(commits: Path, server: EmbeddedPostgres, database: str) -> None:
    """Have captures name a copied database as if it were the one that they captured."""
    with server.connect() as connection:
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", [database]).fetchone()
    assert row is not None
    for commit in commits.glob("*.json"):
        commit.write_text(re.sub(r'"database": ?\d+', f'"database": {row[0]}', commit.read_text()))
