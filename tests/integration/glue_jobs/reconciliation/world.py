"""A totesys, and a lake and a warehouse that hold exactly it, written by simple means of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pycountry
import sqlalchemy as sa
from psycopg.rows import dict_row

from catalog import warehouse
from catalog.arrow import arrow_schema
from catalog.catalogue import Catalogue
from catalog.model import UNRESOLVED, Column, Contract
from catalog.warehouse_names import OFFSET_TABLE, WAREHOUSE_SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, Partition, TableCommit
from glue_jobs.lake.layout import iso, raw_location, star_location, version_label
from glue_jobs.lake.objects import upload
from glue_jobs.lake.partitions import register_live, register_new
from glue_jobs.lake.snapshot import SourceIdentity
from glue_jobs.lake.source_state import SourceState
from glue_jobs.reconciliation import Report, reconcile
from glue_jobs.reconciliation.views import Athena

CAPTURED = datetime.fromisoformat("2024-11-18T09:30:00.250")


@dataclass
class World:
    """A source, and a lake and a warehouse that follow it by the tests' own simple means."""

    source: str
    warehouse: str
    s3: Any
    buckets: dict[str, str]
    folder: Path
    catalogue: Catalogue
    environment: dict[str, str]
    batch: int = 0
    source_schema: str = "public"
    glue: Any = None
    athena: Athena | None = None

    def sql(self, statement: str, values: Sequence[Any] = (), *, on: str = "source") -> list[dict[str, Any]]:
        """Run a statement on the source or the warehouse."""
        dsn = self.source if on == "source" else self.warehouse
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), list(values) or None)
            return cursor.fetchall() if cursor.description else []

    @property
    def clients(self) -> LakeClients:
        return LakeClients(self.s3, self.glue, **self.buckets)

    def reconcile(self, progress: Callable[[str], None] | None = None) -> Report:
        """Ask the code under test."""
        return reconcile(
            self.source,
            self.warehouse,
            self.clients,
            catalogue=self.catalogue,
            source_schema=self.source_schema,
            athena=self.athena,
            check_catalog=self.glue is not None,
            directory=self.folder,
            progress=progress,
        )

    def run(self) -> None:
        """Capture everything again as one batch, rebuild the star, load the warehouse."""
        self.capture()
        self.build()
        self.load()

    def capture(self) -> None:
        """Publish every row of the source as the next batch."""
        self.batch += 1
        found = self.sql(
            "SELECT (SELECT system_identifier FROM pg_control_system()) AS system_id,"
            " (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,"
            " (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database,"
            " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin"
        )[0]
        source = SourceIdentity(found["system_id"], found["timeline"], found["database"])
        state = SourceState(iso(CAPTURED), source, found["xmin"]).state
        tables = {}
        for contract in self.catalogue.raw.values():
            rows = [
                {
                    **row,
                    "operation": "insert",
                    "version_id": 1,
                    "captured_at": CAPTURED,
                    "unrepresentable": None,
                }
                for row in self.source_rows(contract)
            ]
            location = raw_location(contract, CAPTURED.date(), self.batch, "a")
            tables[contract.table] = self.publish(contract, location, rows, self.captured())
        self.commit("capture", self.batch, tables, state)

    def capture_rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Publish some rows of one table as the next batch."""
        self.batch += 1
        contract = self.catalogue.raw[table]
        previous = CommitLog(self.s3, self.buckets["ingestion"], "capture").latest()
        assert previous is not None
        rows = [{"version_id": 2, "captured_at": CAPTURED, "operation": "update", **row} for row in rows]
        location = raw_location(contract, CAPTURED.date(), self.batch, "a")
        tables = {table: self.publish(contract, location, rows, self.captured())}
        self.commit("capture", self.batch, tables, dict(previous.state))

    def build(self, changed: dict[str, list[dict[str, Any]]] | None = None) -> None:
        """Publish the star as the source has it now; `changed` replaces the rows of some tables."""
        rows = {**self.star_rows(), **(changed or {})}
        for stage, facts in (("dimensions", False), ("facts", True)):
            log = CommitLog(self.s3, self.buckets["ingestion"], stage)
            sequence = log.latest_sequence() + 1
            label = version_label(sequence, "a")
            tables = {}
            for contract in self.catalogue.star.values():
                # Nothing is ever rejected here.
                if (contract.kind == "fact") == facts and contract.kind != "dead_letters":
                    spec = "created_month=all" if contract.partition else ""
                    location = star_location(contract, spec, label)
                    table = self.publish(contract, location, rows[contract.table], {})
                    tables[contract.table] = replace(table, versions={spec: label})
            self.commit(stage, sequence, tables, {})
            for name, table in tables.items() if self.glue is not None else ():
                register_live(self.clients, self.catalogue.star[name], table)

    def load(self) -> None:
        """Replace what the warehouse holds by what the lake holds."""
        tables = warehouse.metadata(self.catalogue)
        engine = sa.create_engine(sa.make_url(self.warehouse).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            tables.create_all(connection)
            for view in warehouse.views(self.catalogue, tables):
                for statement in view.statements(WAREHOUSE_SCHEMA):
                    connection.execute(sa.text(statement))
            for table in reversed(tables.sorted_tables):
                connection.execute(table.delete())
            for table in tables.sorted_tables:
                if table.name in self.catalogue.star and table.name != UNRESOLVED:
                    rows = self.lake_rows(self.catalogue.star[table.name])
                    connection.execute(table.insert(), rows)
            for stage in ("dimensions", "facts"):
                sequence = CommitLog(self.s3, self.buckets["ingestion"], stage).latest_sequence()
                connection.execute(
                    warehouse.table_of(tables, OFFSET_TABLE).insert(),
                    {"stage": stage, "sequence": sequence, "last_batch": self.batch, "loaded_at": CAPTURED},
                )
        engine.dispose()

    def source_rows(self, contract: Contract) -> list[dict[str, Any]]:
        """The rows of a source table, its enumerations as text."""
        items = ", ".join(
            f'"{c.name}"::text' if c.type.name == "text" else f'"{c.name}"' for c in contract.columns
        )
        return self.sql(f'SELECT {items} FROM "{contract.table}" ORDER BY 1')

    def star_rows(self) -> dict[str, list[dict[str, Any]]]:
        """The star as the contracts describe it."""
        raw = {c.table: self.source_rows(c) for c in self.catalogue.raw.values()}
        lineage = {"batch_sequence": self.batch, "captured_at": CAPTURED, "is_deleted": False}
        star: dict[str, list[dict[str, Any]]] = {}
        for contract in self.catalogue.star.values():
            built = contract.built_from
            if built is None or built.table is None:
                continue
            rows = []
            for number, main in enumerate(raw[built.table], start=1):
                parts = {"": main}
                for join in built.joins:
                    key = self.catalogue.raw[join.table].key[0]
                    parts[join.table] = next(r for r in raw[join.table] if r[key] == main[join.on])
                row = {column.name: _value(column, parts, number) for column in contract.columns}
                inferred = {"is_inferred": False} if contract.kind == "dimension" else {}
                rows.append({**row, **lineage, **inferred})
            star[contract.table] = rows
        star["dim_date"] = [{**_day(day), **lineage} for day in _days(2022, 2026)]
        return star

    def lake_rows(self, contract: Contract) -> list[dict[str, Any]]:
        """The live rows of a star table."""
        stage = "facts" if contract.kind == "fact" else "dimensions"
        commit = CommitLog(self.s3, self.buckets["ingestion"], stage).latest()
        assert commit is not None
        rows = []
        for data in commit.tables[contract.table].objects:
            body = self.s3.get_object(Bucket=self.buckets["processed"], Key=data.key)["Body"].read()
            rows += pq.read_table(pa.BufferReader(body)).to_pylist()
        return rows

    def publish(
        self, contract: Contract, location: str, rows: list[dict[str, Any]], values: dict[str, str]
    ) -> TableCommit:
        """Write rows as one object."""
        path = self.folder / "part.parquet"
        pq.write_table(pa.Table.from_pylist(rows, arrow_schema(contract)), path)
        bucket = self.buckets[contract.zone_info.bucket]
        data = upload(self.s3, bucket, f"{location}part-00000.parquet", path, len(rows))
        partition = Partition(values, location, (data,))
        if self.glue is not None and values:
            register_new(self.clients, contract, [partition])
        return TableCommit(partitions=(partition,))

    def captured(self) -> dict[str, str]:
        """The partition of the newest batch."""
        return {"captured_date": CAPTURED.date().isoformat(), "batch": str(self.batch)}

    def commit(
        self, stage: str, sequence: int, tables: dict[str, TableCommit], state: dict[str, Any]
    ) -> None:
        """Publish a commit."""
        CommitLog(self.s3, self.buckets["ingestion"], stage).publish(
            Commit(stage, sequence, f"a{sequence}", iso(CAPTURED), self.batch, self.batch, tables, state)
        )


def _value(column: Column, parts: dict[str, dict[str, Any]], number: int) -> Any:
    if column.record_id:
        return number
    (source,) = column.inputs
    table, _, name = source.rpartition(".")
    value = parts[table][name]
    if value is None:
        return column.default
    made: dict[str, Callable[[], Any]] = {
        f"date_of({source})": lambda: date.fromordinal(value.toordinal()),
        f"time_of({source})": lambda: value.time().isoformat(timespec="milliseconds"),
        f"iso_date({source})": lambda: date.fromisoformat(value),
        f"currency_name({source})": lambda: pycountry.currencies.get(alpha_3=value).name,
        source: lambda: value,
    }
    return made[column.expression or ""]()


def _days(first: int, last: int) -> list[date]:
    start = date(first, 1, 1)
    return [start + timedelta(days=n) for n in range((date(last, 12, 31) - start).days + 1)]


def _day(day: date) -> dict[str, Any]:
    return {
        "date_id": day,
        "year": day.year,
        "month": day.month,
        "day": day.day,
        "day_of_week": day.isoweekday(),
        "day_name": f"{day:%A}",
        "month_name": f"{day:%B}",
        "quarter": (day.month + 2) // 3,
    }
