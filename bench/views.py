"""Compare what analysts read of sales orders, through Athena and in the warehouse.

Both sides add up a number for every row of `fact_sales_order_current`, in buckets of keys; no row is
shipped. Promised for two million orders: at most 300 seconds, within 1 GB. In the second case one order's
price differs by a cent; "exact" says whether just that is found. The memory is that of the job's own process:
S3, Glue and Athena, which the job does not hold on AWS, are another process here, and so is PostgreSQL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.harness import Row
    from bench.options import Options

ROOT = Path(__file__).resolve().parent.parent
TABLE = "fact_sales_order"
BUCKETS = {"ingestion": "bench-ingestion", "processed": "bench-processed", "athena_results": "bench-results"}
PATH = "created_month=2024-11"
LABEL = "0000000001-bench"
PLANTED = "UPDATE fact_sales_order SET unit_price = unit_price + 0.01 WHERE sales_order_id = 1"


def rows(options: Options) -> list[Row]:
    """Measure the comparison of equal sides, and of sides that differ by a cent.

    Args:
        options: How many rows, how many runs.
    """
    from bench.harness import Case, measure
    from bench.load import load_ours, make_templates, write_orders
    from lakehouse.embedded_postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        folder, cases = Path(name), []
        make_templates(server)
        write_orders(folder / "orders", options.rows)
        with server.connect() as connection:
            connection.execute("CREATE DATABASE equal TEMPLATE keys")
        load_ours(str(folder / "orders"), server.dsn(database="equal"))
        with server.connect("equal") as connection:
            _make_views(connection)
        with server.connect() as connection:
            connection.execute("CREATE DATABASE differs TEMPLATE equal")
        with server.connect("differs") as connection:
            connection.execute(PLANTED)
        for label, database in (("equal", "equal"), ("a cent apart", "differs")):
            command = [sys.executable, str(Path(__file__)), str(folder), server.dsn(database=database)]
            cases.append(Case(f"compare_views, {label}", command))
        return measure(cases, options.runs)


def _make_views(connection: Any) -> None:
    from catalog import warehouse
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    for view in warehouse.views(catalogue, warehouse.metadata(catalogue)):
        if view.name.startswith(TABLE):
            for statement in view.statements("public"):
                connection.execute(statement.encode())


# ---------------------------------------------------------------- one case, in a process of its own


def main(folder: str, dsn: str) -> None:
    """Compare the orders of a file, as Athena shows them, with those of a warehouse, and print what it took.

    Args:
        folder: Holds the file ``orders``.
        dsn: The warehouse, as its superuser.
    """
    sys.path.insert(0, str(ROOT))
    from catalog.catalogue import load_catalogue
    from catalog.pipeline import load_pipeline
    from glue_jobs.lake.clients import LakeClients
    from glue_jobs.lake.commits import TableCommit
    from glue_jobs.lake.layout import star_location
    from glue_jobs.lake.partitions import register_live
    from lakehouse.daemon import add_athena
    from lakehouse.local_deployment import deploy_athena, deploy_tables
    from local_aws.endpoint.app import create_endpoint

    catalogue, pipeline = load_catalogue(), load_pipeline()
    contract = catalogue.star[TABLE]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        endpoint = create_endpoint(Path(scratch) / "aws")
        service = add_athena(endpoint, Path(scratch) / "athena")
        with endpoint:
            s3, glue = endpoint.client("s3"), endpoint.client("glue")
            for bucket in BUCKETS.values():
                s3.create_bucket(
                    Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region}
                )
            deploy_tables(glue, catalogue, BUCKETS)
            deploy_athena(endpoint.client("athena"), catalogue, pipeline, BUCKETS)
            place = f"{star_location(contract, PATH, LABEL)}part-00000.parquet"
            s3.upload_file(str(Path(folder) / "orders"), BUCKETS["processed"], place)
            lake = LakeClients(s3, glue, BUCKETS["ingestion"], BUCKETS["processed"])
            register_live(lake, contract, TableCommit(versions={PATH: LABEL}))
            job = [sys.executable, __file__, "job", dsn, pipeline.athena.work_group]
            done = subprocess.run(
                job, env={**os.environ, **endpoint.environment()}, capture_output=True, text=True, check=False
            )
        service.close()
    print(done.stdout, end="")
    sys.exit(done.stderr if done.returncode else None)


def compare(dsn: str, work_group: str) -> None:
    """What the job does, in a process that holds nothing else.

    Args:
        dsn: The warehouse.
        work_group: Athena's.
    """
    sys.path.insert(0, str(ROOT))
    import boto3

    from bench.process import Clock
    from catalog.catalogue import load_catalogue
    from glue_jobs.reconciliation.database_rows import open_database
    from glue_jobs.reconciliation.views import Athena, ShownView, compare_views

    view = ShownView.of(load_catalogue().star[TABLE])
    athena = Athena(boto3.client("athena"), work_group)
    clock = Clock()
    with open_database(dsn, "warehouse", "public") as warehouse:
        found, shown = compare_views(view, athena.ask, warehouse.rows, "public")
    measured = clock.stop()
    wanted = 0 if dsn.endswith("/equal") else 1
    exact = "yes" if (found.different, found.total) == (wanted, wanted) else f"NO: {found.total} differ"
    report = {"seconds": measured.seconds, "peak_mb": measured.peak_mb}
    print(json.dumps({**report, "exact": exact, "note": f"{shown:,} orders"}))


if __name__ == "__main__":
    if sys.argv[1] == "job":
        compare(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
