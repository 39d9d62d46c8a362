"""What a batch costs, by the size of the history.

A hundred changed rows on a history of sales orders with their transactions and payments, cut by day, against
the same hundred on a history twenty times larger over the same days, so that every partition is twenty times
larger; the warehouse holds as many rows. A batch: new sales today, orders of yesterday and of three older
days amended, payments of yesterday and of last week paid. Everything runs in one warm process, histories in
turn, after a batch that is not timed; "build" is the dimensions, then the facts. The promise is that the
larger history costs at most 1.5 times as much. "exact" says whether lake and warehouse hold as many versions
as the history and every batch since have brought.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Row, run
from bench.options import Options
from bench.star import CAPTURED_AT, ROOT, Lake, lakes, made_up, raw_tables

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.catalogue import Catalogue
    from catalog.model import Contract
    from local_stack.postgres import EmbeddedPostgres

TIMES_LARGER = 20
PROMISE = 1.5
PARTS = ("validate", "build", "load")
LARGE_TABLES = ("dim_transaction", "fact_sales_order", "fact_payment")
SALES, AMENDED, PAID = 28, {1: 3, 7: 1, 30: 1, 49: 1}, {1: 5, 7: 5}
"""A batch: new sales, with a transaction and a payment each; rows changed by how many days old they are."""

HISTORY_BATCH = 2
MAXIMUM_DAYS = 500


@dataclass(frozen=True)
class History:
    """What happened before the first batch.

    Attributes:
        orders: Sales orders, and as many transactions and payments.
        days: Days that they are spread over evenly.
    """

    orders: int
    days: int

    @property
    def a_day(self) -> int:
        """Orders of one day."""
        return self.orders // self.days

    @property
    def name(self) -> str:
        """How many orders, in words."""
        return f"{self.orders:,} orders"


def histories(rows: int) -> tuple[History, History]:
    """The smaller and the larger history: 1 and 20 million orders where 2 million rows are asked for."""
    days = min(MAXIMUM_DAYS, max(rows // 400, 50))
    smaller = max(rows // 2 // days, 20) * days
    return History(smaller, days), History(smaller * TIMES_LARGER, days)


def by_day(folder: Path) -> Catalogue:
    """The contracts with the large tables cut by day."""
    from catalog.catalogue import CONTRACTS, read_catalogue

    shutil.copytree(CONTRACTS, folder)
    for table in LARGE_TABLES:
        path = folder / "star" / f"{table}.yaml"
        by_month = "name: created_month\n  source_column: created_at\n  grain: month"
        text = path.read_text()
        assert by_month in text, f"{table} is no longer cut by month"
        path.write_text(text.replace(by_month, by_month.replace("month", "day")))
    return read_catalogue(folder)


# ------------------------------------------------------------------------------------------- the history


def day(age: int) -> Any:
    """The day that lies so many days before the last one of the history."""
    import numpy as np

    return np.datetime64(CAPTURED_AT, "D") - 1 - age


def lay_down(lake: Lake, history: History) -> None:
    """Put the history into the star, as commits of both stages that name its partitions."""
    from glue_jobs.lake import layout
    from glue_jobs.lake.commits import Commit, TableCommit
    from glue_jobs.lake.table_state import TABLES, TableState

    at, attempt = layout.iso(CAPTURED_AT), layout.new_attempt()
    label = layout.version_label(HISTORY_BATCH, attempt)
    nothing = Commit("", HISTORY_BATCH, attempt, at, HISTORY_BATCH, HISTORY_BATCH, {}, {"captured_at": at})
    for stage in ("capture", "validate"):
        lake.log(stage).publish(replace(nothing, stage=stage))
    for stage in ("dimensions", "facts"):
        previous = lake.log(stage).latest()
        assert previous is not None
        # What the first batch built stays live; its commit is where the partitions are named.
        tables = {name: TableCommit(versions=table.versions) for name, table in previous.tables.items()}
        state = dict(previous.state[TABLES])
        for name in LARGE_TABLES:
            if name in tables:
                tables[name] = _partitions(lake, lake.catalogue.star[name], history, label)
                written = {layout.partition_spec(p.values): p for p in tables[name].partitions}
                ranges = {spec: (p.key_min, p.key_max) for spec, p in written.items()}
                highest = history.orders if stage == "facts" else 0
                state[name] = TableState(tables[name].versions, ranges, highest).state
        stated = {"captured_at": at, TABLES: state}
        lake.log(stage).publish(replace(nothing, stage=stage, tables=tables, state=stated))


def _partitions(lake: Lake, contract: Contract, history: History, label: str) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    from glue_jobs.lake import layout
    from glue_jobs.lake.commits import DataObject, Partition, TableCommit

    assert contract.partition is not None
    found = []
    for number in range(history.days):
        ids = np.arange(history.a_day) + number * history.a_day + 1
        created = day(history.days - 1 - number)
        values = {contract.partition.name: str(created)}
        location = layout.star_location(contract, layout.partition_spec(values), label)
        buffer = io.BytesIO()
        pq.write_table(_versions(contract, ids, created), buffer, compression="zstd")
        document = buffer.getvalue()
        key = f"{location}part-00000.parquet"
        path = lake.folder("processed") / key
        path.parent.mkdir(parents=True)
        path.write_bytes(document)
        checksum = hashlib.sha256(document).hexdigest()
        low, high = int(ids[0]), int(ids[-1])
        data = DataObject(key, len(ids), len(document), checksum, low, high)
        found.append(Partition(values, location, (data,)))
    versions = {layout.partition_spec(partition.values): label for partition in found}
    return TableCommit({"new": history.orders}, tuple(found), (), versions)


def _versions(contract: Contract, ids: Any, created: Any) -> pa.Table:
    """The orders, transactions or payments of one day as the star holds them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    times = pa.array((ids % 39_600_000 + 28_800_000).astype("datetime64[ms]"))
    dates = [column.name for column in contract.columns if column.name.endswith("_date")]
    given: dict[str, Any] = dict.fromkeys(dates, created.item())
    for column in contract.columns:
        if column.type.name == "time":
            given[column.name] = pc.utf8_slice_codeunits(times.cast("string"), 11, 23)
        elif column.name in ("sales_order_id", "transaction_id"):
            given[column.name] = ids
    return made_up(contract, ids, **given, batch_sequence=HISTORY_BATCH)


def fill(server: EmbeddedPostgres, database: str, history: History, catalogue: Catalogue) -> None:
    """Put as many rows into the warehouse, with their keys, unchecked."""
    with server.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        for name in LARGE_TABLES:
            columns = catalogue.star[name].all_columns
            values = ", ".join(_expression(c.name, str(c.type), history) for c in columns)
            names = ", ".join(column.name for column in columns)
            numbers = f"generate_series(1, {history.orders}) AS i"
            statement = f"INSERT INTO {name} ({names}) SELECT {values} FROM {numbers}"  # noqa: S608
            connection.execute(statement.encode())
            connection.execute(f"VACUUM (ANALYZE, FREEZE) {name}".encode())
        # The warehouse has loaded what the history's commits say.
        at = {"at": HISTORY_BATCH}
        connection.execute("UPDATE load_offset SET sequence = %(at)s, last_batch = %(at)s", at)
        connection.execute("CHECKPOINT")


def _expression(name: str, kind: str, history: History) -> str:
    if name in ("sales_order_id", "payment_id", "transaction_id") or name.endswith("_record_id"):
        return "i"
    if name == "purchase_order_id":
        return "NULL"
    if name == "batch_sequence":
        return str(HISTORY_BATCH)
    first = day(history.days - 1)
    plain = {
        "date": f"date '{first}' + (i - 1) / {history.a_day}",
        "time": "time '08:00' + i % 39600 * interval '1 second'",
        "timestamp": f"timestamp '{CAPTURED_AT}'",
        "boolean": "false",
        "text": "'SALE'",
        "integer": "i % 20 + 1",
    }
    return plain.get(kind, "2.50")


# ------------------------------------------------------------------------------------------------ a batch


def batch(catalogue: Catalogue, history: History, number: int) -> dict[str, pa.Table]:
    """A hundred rows, other ones in every batch.

    Args:
        catalogue: The contracts.
        history: What was there before the first batch.
        number: Which batch it is, from 0.
    """
    import numpy as np
    import pyarrow as pa

    new = history.orders + number * SALES + np.arange(SALES) + 1

    def rows(table: str, changed: Mapping[int, int]) -> pa.Table:
        parts = [_raw(catalogue.raw[table], new, 0, "insert")]
        for age, count in changed.items():
            of_the_day = (history.days - 1 - age) * history.a_day
            ids = of_the_day + (number * count + np.arange(count)) % history.a_day + 1
            parts.append(_raw(catalogue.raw[table], ids, age, "update"))
        return pa.concat_tables(parts)

    return {
        "sales_order": rows("sales_order", AMENDED),
        "transaction": rows("transaction", {}),
        "payment": rows("payment", PAID),
    }


def _raw(contract: Contract, ids: Any, age: int, operation: str) -> pa.Table:
    created = day(age).astype("datetime64[ms]") + 36_000_000 + ids % 1_000
    given: dict[str, Any] = {"created_at": created, "last_updated": created + 60_000}
    for column in contract.columns:
        if column.name.endswith("_date"):
            given[column.name] = str(day(age))
        elif column.name in ("transaction_id", "sales_order_id"):
            given[column.name] = ids
        elif column.name == "paid":
            given[column.name] = operation == "update"
    return made_up(contract, ids, **given, operation=operation)


# ------------------------------------------------------------------------------------- the measured process


@dataclass
class Site:
    """One history with its lake and its warehouse."""

    history: History
    lake: Lake
    dsn: str

    def take(self, tables: Mapping[str, pa.Table]) -> dict[str, float]:
        """Capture rows, then validate, build and load them; gives the seconds of each part."""
        self.lake.capture(tables)
        found = {}
        for part in PARTS:
            began = time.perf_counter()
            getattr(self, part)()
            found[part] = time.perf_counter() - began
        return found

    def validate(self) -> None:
        """What validate_raw does."""
        self.lake.validate()

    def build(self) -> None:
        """What build_dimensions and build_facts do."""
        self.lake.build()

    def load(self) -> None:
        """What load_warehouse does."""
        from glue_jobs.warehouse import load, report

        where = load.Lake(self.lake.s3, self.lake.buckets["ingestion"], self.lake.buckets["processed"])
        outcome = load.load(where, self.dsn, self.lake.catalogue)
        assert outcome.changed
        assert outcome.last is not None
        report.report(where, self.lake.glue, self.lake.catalogue, outcome.last)

    def exact(self, batches: int) -> str:
        """Whether lake and warehouse hold every version after so many batches."""
        import psycopg

        from glue_jobs.lake.table_state import TableState

        latest = self.lake.log("facts").latest()
        assert latest is not None
        wrong = []
        for table, changed in (("fact_sales_order", AMENDED), ("fact_payment", PAID)):
            wanted = self.history.orders + batches * (SALES + sum(changed.values()))
            with psycopg.connect(self.dsn) as connection:
                row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608
            in_lake = TableState.of(latest, table).highest_record_id
            if (row and row[0], in_lake) != (wanted, wanted):
                wrong.append(table)
        return f"no: {', '.join(wrong)}" if wrong else "yes"


def one(rows: int, batches: int) -> None:
    """Lay down both histories, then bring batches to each in turn."""
    from local_stack.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogue = by_day(folder / "contracts")
        sizes = histories(rows)
        names = [f"history-{number}" for number in range(len(sizes))]
        with (
            EmbeddedPostgres(folder / "pg", durable=False) as server,
            lakes(folder, catalogue, names) as made,
        ):
            sites = []
            for history, lake, database in zip(sizes, made, names, strict=True):
                server.ensure_database(database)
                site = Site(history, lake, server.dsn(database=database))
                site.take(raw_tables(catalogue, 0))
                lay_down(lake, history)
                fill(server, database, history, catalogue)
                sites.append(site)
            timed: list[list[dict[str, float]]] = [[] for _ in sites]
            for number in range(batches + 1):
                for site, found in zip(sites, timed, strict=True):
                    seconds = site.take(batch(catalogue, site.history, number))
                    if number:
                        found.append(seconds)
            exact = [site.exact(batches + 1) for site in sites]
    print(json.dumps({"seconds": 0, "timed": timed, "exact": exact}), flush=True)


# ---------------------------------------------------------------------------------------------- running them


def rows(options: Options) -> list[Row]:
    """Measure the batch on both histories."""
    command = [sys.executable, "-m", "bench.cost_of_change", "--one", str(options.rows), str(options.runs)]
    reported: Any = run(Case("cost of change", command, {"PYTHONPATH": str(ROOT)}))[0]
    return table(histories(options.rows), reported["timed"], reported["exact"])


def table(
    sizes: Sequence[History], timed: Sequence[Sequence[Mapping[str, float]]], exact: Sequence[str]
) -> list[Row]:
    """The rows of the report: medians of each part and of the whole, the larger with its ratio.

    Args:
        sizes: The histories, the smaller first.
        timed: By history, the seconds of each part of each batch.
        exact: By history, whether its result is right.
    """
    medians = [
        {
            **{part: statistics.median(found[part] for found in batches) for part in PARTS},
            "total": statistics.median(sum(found.values()) for found in batches),
        }
        for batches in timed
    ]
    found = []
    for history, seconds, right, batches in zip(sizes, medians, exact, timed, strict=True):
        for part, median in seconds.items():
            note = f"{history.a_day:,} a day, {history.days} days"
            if history is not sizes[0]:
                ratio = median / medians[0][part]
                note = f"{ratio:.2f} times the smaller history's"
                if part == "total":
                    note += f"; promised: at most {PROMISE}, {'kept' if ratio <= PROMISE else 'NOT KEPT'}"
            found.append(Row(f"{history.name}: {part}", median, None, right, note, len(batches)))
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), int(sys.argv[3]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(f"{row.name:30} {row.seconds:8.2f} s  {row.exact:20} {row.note}")
