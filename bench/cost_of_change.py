"""What a batch costs, by the size of the history.

A hundred changed rows on a history of sales orders with their transactions and payments, cut by day, against
the same hundred on a history twenty times larger over the same days, so that every partition is twenty times
larger; the warehouse holds as many rows. A batch: new sales today, orders of yesterday and of three older
days amended, payments of yesterday and of last week paid. "transform" is the job as it is deployed, in a
fresh process of Glue's Python, start included: validation, dimensions and facts, each with its commit;
histories take turns, after a batch that is not timed. "load" is what brings the batch into the warehouse, in
a process that is warm. The promise for the larger history is at most 4 CPU seconds, 5 s (on a machine that
does nothing else), 300 MB, and 1.2 times the CPU time of the smaller one. "exact" says whether lake and
warehouse hold as many versions as the history and every batch since have brought.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Row, run
from bench.lake import CAPTURED_AT, Lake, environment, lakes, made_up, raw_tables
from bench.options import Options

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.catalogue import Catalogue
    from catalog.model import Contract
    from lakehouse.embedded_postgres import EmbeddedPostgres

TIMES_LARGER = 20
PROMISES = {"CPU seconds": 4.0, "s": 5.0, "MB": 300.0, "times the smaller history's CPU seconds": 1.2}
TRANSFORM, LOAD = "transform", "load"
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


def by_day(contracts: Path) -> None:
    """Cut the large tables by day, in a folder of contracts."""
    for table in LARGE_TABLES:
        path = contracts / "star" / f"{table}.yaml"
        by_month = "name: created_month\n  source_column: created_at\n  granularity: month"
        text = path.read_text()
        assert by_month in text, f"{table} is no longer cut by month"
        path.write_text(text.replace(by_month, by_month.replace("month", "day")))


# ------------------------------------------------------------------------------------------- the history


def day(age: int) -> Any:
    """The day that lies so many days before the last one of the history."""
    import numpy as np

    return np.datetime64(CAPTURED_AT, "D") - 1 - age


def lay_down(lake: Lake, history: History) -> str:
    """Put the history into the star by commits that name its partitions; gives their attempt."""
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
                written = {layout.partition_path(p.values): p for p in tables[name].partitions}
                ranges = {spec: (p.key_min, p.key_max) for spec, p in written.items()}
                highest = history.orders if stage == "facts" else 0
                state[name] = TableState(tables[name].versions, ranges, highest).state
        stated = {"captured_at": at, TABLES: state}
        lake.log(stage).publish(replace(nothing, stage=stage, tables=tables, state=stated))
    return attempt


def _partitions(lake: Lake, contract: Contract, history: History, label: str) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    from glue_jobs.lake import layout
    from glue_jobs.lake.commits import Partition, TableCommit

    assert contract.partition is not None
    found = []
    for number in range(history.days):
        ids = np.arange(history.a_day) + number * history.a_day + 1
        created = day(history.days - 1 - number)
        values = {contract.partition.name: str(created)}
        location = layout.star_location(contract, layout.partition_path(values), label)
        buffer = io.BytesIO()
        pq.write_table(_versions(contract, ids, created), buffer, compression="zstd")
        written = lake.put("processed", f"{location}part-00000.parquet", buffer.getvalue(), len(ids))
        data = replace(written, key_min=(int(ids[0]),), key_max=(int(ids[-1]),))
        found.append(Partition(values, location, (data,)))
    versions = {layout.partition_path(partition.values): label for partition in found}
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
        elif column.name == "purchase_order_id":
            given[column.name] = None
    return made_up(contract, ids, **given, batch_sequence=HISTORY_BATCH)


def fill(
    server: EmbeddedPostgres, database: str, history: History, catalogue: Catalogue, attempt: str
) -> None:
    """Put as many rows into the warehouse, with their keys, unchecked; they are of the history's commits."""
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
        at = {"at": HISTORY_BATCH, "attempt": attempt}
        statement = "UPDATE load_offset SET sequence = %(at)s, last_batch = %(at)s, attempt = %(attempt)s"
        connection.execute(statement, at)
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
        elif column.name == "purchase_order_id":
            given[column.name] = None
        elif column.name == "paid":
            given[column.name] = operation == "update"
    return made_up(contract, ids, **given, operation=operation)


# ------------------------------------------------------------------------------------- the measured runs


@dataclass
class Site:
    """One history with its lake and its warehouse."""

    history: History
    lake: Lake
    packages: Path
    dsn: str

    def take(self, tables: Mapping[str, pa.Table]) -> dict[str, float]:
        """Capture rows, then transform and load them; gives what that took."""
        from bench.job import run_transform

        self.lake.capture(tables)
        used = run_transform(self.lake, self.packages, engine="embedded")
        began = time.perf_counter()
        self.load()
        return {
            "seconds": used.seconds,
            "cpu_seconds": used.cpu_seconds,
            "peak_mb": used.peak_mb,
            LOAD: time.perf_counter() - began,
        }

    def load(self) -> None:
        """What load_warehouse does."""
        from glue_jobs.lake.clients import LakeClients
        from glue_jobs.warehouse import load, load_report

        clients = LakeClients(self.lake.s3, self.lake.glue, *self.lake.buckets.values())
        outcome = load.load(clients, self.dsn, self.lake.catalogue)
        assert outcome.changed
        assert outcome.last is not None
        load_report.report(clients, self.lake.catalogue, outcome.last)

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
    from bench.job import release
    from catalog.catalogue import read_catalogue
    from lakehouse.embedded_postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = release(folder / "release", by_day)
        catalogue = read_catalogue(packages / "catalog" / "contracts")
        sizes = histories(rows)
        names = [f"history-{number}" for number in range(len(sizes))]
        with (
            EmbeddedPostgres(folder / "pg", durable=False) as server,
            lakes(folder, catalogue, names) as made,
        ):
            sites = []
            for history, lake, database in zip(sizes, made, names, strict=True):
                server.ensure_database(database)
                site = Site(history, lake, packages, server.dsn(database=database))
                site.take(raw_tables(catalogue, 0))
                fill(server, database, history, catalogue, lay_down(lake, history))
                sites.append(site)
            timed: list[list[dict[str, float]]] = [[] for _ in sites]
            for number in range(batches + 1):
                for site, found in zip(sites, timed, strict=True):
                    used = site.take(batch(catalogue, site.history, number))
                    if number:
                        found.append(used)
            exact = [site.exact(batches + 1) for site in sites]
    print(json.dumps({"seconds": 0, "timed": timed, "exact": exact}), flush=True)


# ---------------------------------------------------------------------------------------------- running them


def rows(options: Options) -> list[Row]:
    """Measure the batch on both histories."""
    command = [sys.executable, "-m", "bench.cost_of_change", "--one", str(options.rows), str(options.runs)]
    reported: Any = run(Case("cost of change", command, environment()))[0]
    return table(histories(options.rows), reported["timed"], reported["exact"])


def table(
    sizes: Sequence[History], timed: Sequence[Sequence[Mapping[str, float]]], exact: Sequence[str]
) -> list[Row]:
    """The rows of the report: medians of the job and of the load, the larger history with what is promised.

    Args:
        sizes: The histories, the smaller first.
        timed: By history, what each batch took.
        exact: By history, whether its result is right.
    """
    medians = [
        {name: statistics.median(taken[name] for taken in batches) for name in batches[0]}
        for batches in timed
    ]
    found = []
    for history, median, right, batches in zip(sizes, medians, exact, timed, strict=True):
        notes = dict.fromkeys((TRANSFORM, LOAD), f"{history.a_day:,} a day, {history.days} days")
        if history is not sizes[0]:
            smaller = medians[0]
            ratio = median["cpu_seconds"] / smaller["cpu_seconds"]
            notes[TRANSFORM] = _kept(median["cpu_seconds"], median["seconds"], median["peak_mb"], ratio)
            notes[LOAD] = f"{median[LOAD] / smaller[LOAD]:.2f} times the smaller history's"
        seconds, cpu, peak = (median[name] for name in ("seconds", "cpu_seconds", "peak_mb"))
        found += [
            Row(f"{history.name}: {TRANSFORM}", seconds, peak, right, notes[TRANSFORM], len(batches), cpu),
            Row(f"{history.name}: {LOAD}", median[LOAD], None, right, notes[LOAD], len(batches)),
        ]
    return found


def _kept(*found: float) -> str:
    stated = [
        f"{value:.2f} {unit} of {promise:g}: {'kept' if value <= promise else 'NOT KEPT'}"
        for value, (unit, promise) in zip(found, PROMISES.items(), strict=True)
    ]
    return "; ".join(stated)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), int(sys.argv[3]))
    else:
        for row in rows(Options.from_argv(sys.argv[1:])):
            print(f"{row.name:30} {row.seconds:8.2f} s  {row.exact:20} {row.note}")
