"""What the platform costs, from prices and measured seconds; `python -m tools.costs` prints tables.

Every number may be given anew, for example `--runs 40 --transform-seconds 300`. Prices are those of eu-west-2
in US dollars, November 2026, without tax and free tiers.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAYS = 30.4
"""Days of a month."""


@dataclass(frozen=True)
class Numbers:
    """What a bill follows from; seconds are measured, prices are AWS's.

    Attributes:
        dpu_hour: Price of a DPU hour of Glue Python shell.
        spark_dpu_hour: Price of a DPU hour of Glue 6.0 Spark.
        ticks: Captures a day.
        capture_seconds: Of one capture that finds little.
        runs: Runs of *transform* on a normal day; on a busy one every capture starts one.
        transform_seconds: Of one, load and start-up included; a minute is the least that is billed.
        large_runs: Of them, those that hand over to *transform_large*.
        spark_jobs: Spark jobs in that.
        workers: DPUs of a Spark job: workers of G.1X.
        spark_seconds: Of one Spark job, start-up included.
        load_seconds: Of the load after them.
        site_runs: Runs of *document* a day.
        site_jobs: Spark jobs in one; each finds little, and is billed a minute.
        reconcile_seconds: Of the nightly reconciliation, on 1 DPU.
        lake_gb: Size of all buckets, versions that are kept included.
        s3_gb_month: Price of a GB for a month.
        s3_puts: PUT, LIST and COPY requests of one capture and one run each.
        s3_put_thousand: Price of a thousand of them.
        queried_gb: What analysts read through Athena in a day.
        athena_tb: Price of a TB read.
        logs_gb: Logs of a day.
        logs_gb_price: Price of a GB of logs taken in.
        fixed_month: What stands still: three keys, two secrets, alarms and metrics.
        endpoints: Interface endpoints of the network (Glue, Secrets Manager, KMS, Logs).
        endpoint_hour: Price of one, in one zone.
        backfill_rows: Rows of a first capture.
        backfill_capture_rows_second: Rows that a capture takes in a second.
        backfill_spark_rows_second: Rows that both builds together take in a second, on `backfill_workers`.
        backfill_workers: Workers for it.
        backfill_load_rows_second: Rows that a load takes in a second.
    """

    dpu_hour: float = 0.44
    spark_dpu_hour: float = 0.308
    ticks: int = 288
    capture_seconds: float = 20.0
    runs: int = 24
    transform_seconds: float = 90.0
    large_runs: int = 1
    spark_jobs: int = 3
    workers: int = 2
    spark_seconds: float = 120.0
    load_seconds: float = 30.0
    site_runs: int = 24
    site_jobs: int = 2
    reconcile_seconds: float = 120.0
    lake_gb: float = 5.0
    s3_gb_month: float = 0.024
    s3_puts: int = 60
    s3_put_thousand: float = 0.0053
    queried_gb: float = 5.0
    athena_tb: float = 5.0
    logs_gb: float = 0.05
    logs_gb_price: float = 0.5985
    fixed_month: float = 10.0
    endpoints: int = 4
    endpoint_hour: float = 0.011
    backfill_rows: int = 20_000_000
    backfill_capture_rows_second: float = 400_000.0
    backfill_spark_rows_second: float = 13_000.0
    backfill_workers: int = 2
    backfill_load_rows_second: float = 350_000.0


def shell(seconds: float, dpu: float, numbers: Numbers) -> float:
    """A run of Python shell: a minute at least."""
    return max(seconds, 60.0) / 3600 * dpu * numbers.dpu_hour


def spark(seconds: float, workers: int, numbers: Numbers) -> float:
    """A run of Spark: a minute at least."""
    return max(seconds, 60.0) / 3600 * workers * numbers.spark_dpu_hour


def day(numbers: Numbers, runs: int, large_runs: int, queried_gb: float) -> dict[str, float]:
    """What a day costs, by what it is for.

    Args:
        numbers: The numbers.
        runs: Runs of *transform*.
        large_runs: Of them, those that hand over to Spark.
        queried_gb: What is read through Athena.
    """
    requests = (numbers.ticks * 4 + runs * numbers.s3_puts) / 1000 * numbers.s3_put_thousand
    large = numbers.spark_jobs * spark(numbers.spark_seconds, numbers.workers, numbers)
    return {
        "captures": numbers.ticks * shell(numbers.capture_seconds, 0.0625, numbers),
        "transform": runs * shell(numbers.transform_seconds, 0.0625, numbers),
        "transform_large (Spark)": large_runs * (large + shell(numbers.load_seconds, 0.0625, numbers)),
        "documentation sites (Spark)": numbers.site_runs
        * numbers.site_jobs
        * spark(60, numbers.workers, numbers),
        "reconciliation, housekeeping": shell(numbers.reconcile_seconds, 1.0, numbers)
        + shell(60, 0.0625, numbers),
        "storage and requests": numbers.lake_gb * numbers.s3_gb_month / DAYS + requests,
        "Athena": max(queried_gb, 0.0) / 1000 * numbers.athena_tb,
        "logs, keys, secrets, alarms": numbers.logs_gb * numbers.logs_gb_price + numbers.fixed_month / DAYS,
        "network endpoints": numbers.endpoints * numbers.endpoint_hour * 24,
    }


def backfill(numbers: Numbers) -> dict[str, float]:
    """What the first capture of a large source costs, once."""
    rows = numbers.backfill_rows
    builds = rows / numbers.backfill_spark_rows_second
    return {
        "capture": shell(rows / numbers.backfill_capture_rows_second, 0.0625, numbers),
        "builds (Spark)": spark(builds, numbers.backfill_workers, numbers),
        "load": shell(rows / numbers.backfill_load_rows_second, 0.0625, numbers),
    }


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Costs as a Markdown table, with a line for the sum."""
    names = list(dict.fromkeys(name for costs in columns.values() for name in costs))
    lines = [f"| US dollars | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for name in (*names, "together"):
        sums = [sum(costs.values()) if name == "together" else costs[name] for costs in columns.values()]
        lines += [f"| {name} | {' | '.join(f'{cost:.3f}' for cost in sums)} |"]
    return "\n".join(lines)


def report(numbers: Numbers) -> str:
    """Both tables."""
    large, queried = numbers.large_runs, numbers.queried_gb
    days = {
        "idle day": day(numbers, 0, 0, 0.0),
        "normal day": day(numbers, numbers.runs, large, queried),
        "busy day": day(numbers, numbers.ticks, large, queried),
    }
    once = {f"{numbers.backfill_rows:,} rows, once": backfill(numbers)}
    return f"{table(days)}\n\n{table(once)}"


def main(argv: Sequence[str]) -> int:
    """Print the tables for the numbers that are given."""
    parser = argparse.ArgumentParser(prog="python -m tools.costs", description=__doc__)
    for stated in dataclasses.fields(Numbers):
        kind = type(stated.default)
        parser.add_argument(f"--{stated.name.replace('_', '-')}", type=kind, default=stated.default)
    print(report(Numbers(**vars(parser.parse_args(argv)))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
