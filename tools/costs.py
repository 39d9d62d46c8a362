"""What the platform costs, from prices and measured seconds; `python -m tools.costs` prints tables.

Every job of `catalog/pipeline.yaml` is counted by itself, with its schedule and its machine from there; one
that is not stated here is refused. Every number may be given anew, for example `--transform-runs 40`. Prices
are those of eu-west-2 in US dollars, November 2026, without tax. Of free tiers CloudWatch's alone is counted,
which every account has for good, as an environment is an account of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog import prices
from catalog.alarms import minutes_between, read_alarms, scheduled_jobs, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import Pipeline, PythonShell, load_pipeline

DAYS = 30.4
"""Days of a month."""

DAY_MINUTES = 1440

SHELL_SHARE = 0.25
"""Of a core, what 0.0625 DPU has."""


@dataclass(frozen=True)
class Numbers:
    """What a bill follows from; seconds are measured or assumed as docs/costs.md says, prices are AWS's.

    Attributes:
        dpu_hour: Price of a DPU hour of Glue Python shell.
        spark_dpu_hour: Price of a DPU hour of Glue 6.0 Spark.
        shell_start_cpu: Processor seconds before a shell job's first line: installing the bundle, importing.
        spark_start: Seconds before the first line of a Spark job, wheels included.
        capture_cpu: Processor seconds of a capture that finds little.
        transform_cpu: Of a run of *transform* over some hundred rows, load included.
        transform_runs: Runs of *transform* on a normal day.
        large_runs: Of them, those that hand over to *transform_large*.
        spark_work: Seconds of a Spark job of that, after its start.
        load_cpu: Of the load after them.
        site_work: Seconds of both sites where they find little.
        reconcile_work: Seconds of the reconciliation, on a core and more.
        maintain_cpu: Processor seconds of housekeeping.
        rates_cpu: Processor seconds of a fetch of rates that finds little.
        files_cpu: Processor seconds of a look at a bucket of files that finds nothing new.
        function_seconds: How long a call of a function takes, its start included.
        function_gb_second: Price of a second of a function with a GB of memory.
        function_million: Price of a million calls of functions, those of the scheduler included.
        waits_day: Runs of a job in a day that can only end as before: the wait has grown to an hour.
        lake_gb: Size of all buckets.
        growth_gb: What a normal day adds, versions that are replaced and kept included.
        kept_days: Days for which replaced versions are kept.
        s3_gb_month: Price of a GB for a month.
        capture_puts: PUT, LIST and COPY requests of a capture that finds little.
        capture_gets: GET requests of it, and calls of the Glue API's free kind.
        transform_puts: Of a run of *transform*.
        transform_gets: Of it.
        s3_put_thousand: Price of a thousand of the former.
        s3_get_thousand: Price of a thousand of the latter.
        kms_share: Requests to S3 that ask the key: bucket keys answer most.
        kms_ten_thousand: Price of ten thousand requests to a key.
        secret_calls: Calls of Secrets Manager by one run of a job with a secret.
        secret_ten_thousand: Price of ten thousand of them.
        queried_gb: What analysts read through Athena on a normal day.
        reconciled_gb: What one reconciliation reads through it: the current state of the star, 10 MB a table
            at least, here with two million orders.
        athena_tb: Price of a TB read.
        log_kb: Log of one run, in KB.
        logs_gb_price: Price of a GB of logs taken in.
        metric_month: Price of a custom metric for a month; one that is there for some hours costs these.
        changed_tables: Tables of which a run of *transform* has rows.
        alarm_month: Price of an alarm for a month, for each metric that it reads.
        keys: Customer keys.
        key_month: Price of one.
        secret_month: Price of a secret.
        dashboards: Dashboards.
        dashboard_month: Price of one.
        free_metrics: Metrics of an account for which nothing is billed.
        free_alarms: Metrics that alarms read, likewise.
        free_dashboards: Dashboards, likewise.
        endpoints: Interface endpoints of the network: Glue, Secrets Manager, Athena, Logs.
        endpoint_hour: Price of one, in one zone.
        backfill_rows: Rows of a first capture.
        backfill_capture_rows_second: Rows that a capture takes in a second.
        backfill_spark_rows_second: Rows that both builds together take in a second, on `backfill_workers`.
        backfill_workers: Workers for it.
        backfill_load_rows_second: Rows that a load takes in a second.
    """

    dpu_hour: float = prices.DPU_HOUR
    spark_dpu_hour: float = prices.SPARK_DPU_HOUR
    shell_start_cpu: float = 9.0
    spark_start: float = 90.0
    capture_cpu: float = 3.0
    transform_cpu: float = 6.0
    transform_runs: int = 24
    large_runs: int = 1
    spark_work: float = 30.0
    load_cpu: float = 4.0
    site_work: float = 30.0
    reconcile_work: float = 120.0
    maintain_cpu: float = 5.0
    rates_cpu: float = 3.0
    files_cpu: float = 2.0
    function_seconds: float = 2.0
    function_gb_second: float = 0.0000166667
    function_million: float = 1.20
    waits_day: int = 26
    lake_gb: float = 5.0
    growth_gb: float = 0.05
    kept_days: int = 30
    s3_gb_month: float = 0.024
    capture_puts: int = 6
    capture_gets: int = 30
    transform_puts: int = 60
    transform_gets: int = 200
    s3_put_thousand: float = 0.0053
    s3_get_thousand: float = 0.00042
    kms_share: float = 0.05
    kms_ten_thousand: float = 0.03
    secret_calls: int = 2
    secret_ten_thousand: float = 0.05
    queried_gb: float = 5.0
    reconciled_gb: float = 0.25
    athena_tb: float = 5.0
    log_kb: float = 40.0
    logs_gb_price: float = 0.5985
    metric_month: float = 0.30
    changed_tables: int = 4
    alarm_month: float = 0.10
    keys: int = 3
    key_month: float = 1.0
    secret_month: float = 0.40
    dashboards: int = 1
    dashboard_month: float = 3.0
    free_metrics: int = 10
    free_alarms: int = 10
    free_dashboards: int = 3
    endpoints: int = 4
    endpoint_hour: float = 0.011
    backfill_rows: int = 20_000_000
    backfill_capture_rows_second: float = 400_000.0
    backfill_spark_rows_second: float = 13_000.0
    backfill_workers: int = 2
    backfill_load_rows_second: float = 350_000.0


METRICS: Mapping[str, int] = {
    "extract_cdc": 6,
    "fetch_rates": 3,
    "fetch_files": 3,
    "transform": 6,
    "validate_raw": 4,
    "replay_dead_letters": 4,
    "replay_dead_letters_large": 4,
    "build_dimensions": 2,
    "build_facts": 2,
    "load_warehouse": 3,
    "build_sites": 2,
    "reconcile": 7,
    "maintain_lake": 2,
}
"""By job, how many metrics come of a run, its end and its secrets included, those of tables apart."""

OF_TABLES = ("transform", "validate_raw", "replay_dead_letters", "replay_dead_letters_large")
"""Jobs of which one more comes for each table that they have rows of; housekeeping says one of all tables."""


@dataclass(frozen=True)
class Day:
    """What happens on a day.

    Attributes:
        transforms: Runs of *transform*.
        large: Of them, those that hand over to Spark.
        sites: Builds of the sites, each morning's included.
        captures: Whether captures get as far as the source; else each ends where it sees that it waits.
        queries: Whether analysts ask.
    """

    transforms: int = 0
    large: int = 0
    sites: int = 1
    captures: bool = True
    queries: bool = True


def days(numbers: Numbers, pipeline: Pipeline) -> dict[str, Day]:
    """The days that are told apart."""
    ticks = runs_by_schedule(pipeline)["extract_cdc"]
    return {
        "idle day": Day(queries=False),
        # What is committed is shown within the hour.
        "normal day": Day(numbers.transform_runs, numbers.large_runs, min(numbers.transform_runs, 24) + 1),
        "busy day": Day(ticks, numbers.large_runs, 25),
        "a batch awaits approval": Day(numbers.waits_day),
        "a secret is refused": Day(captures=False),
    }


def runs_by_schedule(pipeline: Pipeline) -> dict[str, int]:
    """By job that a schedule starts, how often in a day."""
    return {
        job: DAY_MINUTES // minutes_between(schedule.expression)
        for job, schedule in scheduled_jobs(pipeline).items()
    }


def runs(day: Day, pipeline: Pipeline) -> dict[str, int]:
    """By job, its runs of a day.

    Raises:
        ValueError: A job is not stated here, or is stated and is not there.
    """
    stated = {
        "transform": day.transforms,
        **dict.fromkeys(("validate_raw", "build_dimensions", "build_facts", "load_warehouse"), day.large),
        # A person starts these.
        "replay_dead_letters": 0,
        "replay_dead_letters_large": 0,
        **runs_by_schedule(pipeline),
        "build_sites": day.sites,
    }
    differ = sorted(stated.keys() ^ pipeline.jobs.keys())
    if differ:
        raise ValueError(f"every job's runs are stated, and no other's: {', '.join(differ)}")
    return stated


def seconds(job: str, day: Day, numbers: Numbers, pipeline: Pipeline) -> float:
    """How long a run of a job takes on its machine, its start included.

    Raises:
        ValueError: Nobody has said how long it works.
    """
    cpu = {
        "extract_cdc": numbers.capture_cpu if day.captures else 0.0,
        "transform": numbers.transform_cpu,
        "load_warehouse": numbers.load_cpu,
        "replay_dead_letters": numbers.transform_cpu,
        "maintain_lake": numbers.maintain_cpu,
        "fetch_rates": numbers.rates_cpu,
        "fetch_files": numbers.files_cpu,
        "reconcile": numbers.reconcile_work,
    }
    work = {
        **dict.fromkeys(
            ("validate_raw", "build_dimensions", "build_facts", "replay_dead_letters_large"),
            numbers.spark_work,
        ),
        "build_sites": numbers.site_work,
    }
    runtime = pipeline.jobs[job].runtime
    if isinstance(runtime, PythonShell) and job in cpu:
        share = SHELL_SHARE if runtime.max_capacity < 1 else 1.0
        return (numbers.shell_start_cpu + cpu[job]) / share
    if job in work:
        return numbers.spark_start + work[job]
    raise ValueError(f"how long {job} works is not stated")


def run_cost(job: str, took: float, numbers: Numbers, pipeline: Pipeline) -> float:
    """What a run costs: its seconds, a minute at least, on its DPUs."""
    return prices.run_cost(pipeline.jobs[job].runtime, took, numbers.dpu_hour, numbers.spark_dpu_hour)


def cost(day: Day, numbers: Numbers, pipeline: Pipeline) -> dict[str, float]:
    """What a day costs, each job by itself, and then all else."""
    counted = runs(day, pipeline)
    jobs = {
        job: counted[job] * run_cost(job, seconds(job, day, numbers, pipeline), numbers, pipeline)
        for job in pipeline.jobs
    }
    captures = counted["extract_cdc"] if day.captures else 0
    # What Spark does in place of *transform* asks for as much, each of its jobs for a part.
    feeds = counted["fetch_rates"] + counted["fetch_files"]
    captures += feeds
    puts = captures * numbers.capture_puts + (day.transforms + day.large) * numbers.transform_puts
    looks = counted["extract_cdc"] + feeds
    gets = looks * numbers.capture_gets + (day.transforms + day.large) * numbers.transform_gets
    with_secret = sum(
        counted[job] for job, stated in pipeline.jobs.items() if "${secret:" in str(stated.arguments)
    )
    kept = numbers.growth_gb * numbers.kept_days
    return {
        **jobs,
        "functions": function_cost(numbers, pipeline),
        "storage, replaced versions": (numbers.lake_gb + kept) * numbers.s3_gb_month / DAYS,
        "requests to S3 and keys": puts / 1000 * numbers.s3_put_thousand
        + gets / 1000 * numbers.s3_get_thousand
        + (puts + gets) * numbers.kms_share / 10_000 * numbers.kms_ten_thousand,
        "secrets": with_secret * numbers.secret_calls / 10_000 * numbers.secret_ten_thousand
        + len(pipeline.databases) * numbers.secret_month / DAYS,
        "keys": numbers.keys * numbers.key_month / DAYS,
        "logs": sum(counted.values()) * numbers.log_kb / 1e6 * numbers.logs_gb_price,
        "metrics": max(metric_hours(counted, numbers) / 24 - numbers.free_metrics, 0)
        * numbers.metric_month
        / DAYS,
        "alarms, dashboard": max(alarm_metrics(pipeline) - numbers.free_alarms, 0)
        * numbers.alarm_month
        / DAYS
        + max(numbers.dashboards - numbers.free_dashboards, 0) * numbers.dashboard_month / DAYS,
        "network endpoints": numbers.endpoints * numbers.endpoint_hour * 24,
        "Athena, of the reconciliation": counted["reconcile"]
        * numbers.reconciled_gb
        / 1000
        * numbers.athena_tb,
        "Athena": numbers.queried_gb / 1000 * numbers.athena_tb if day.queries else 0.0,
    }


def function_cost(numbers: Numbers, pipeline: Pipeline) -> float:
    """What calls of functions cost in a day: a schedule's each tick."""
    calls = sum(DAY_MINUTES // minutes_between(one.expression) for one in pipeline.schedules.values())
    starter = pipeline.functions.get(pipeline.starter or "")
    gigabytes = 0.0 if starter is None else starter.memory_megabytes / 1024
    each = numbers.function_seconds * gigabytes * numbers.function_gb_second
    return calls * (each + numbers.function_million / 1e6)


def metric_hours(counted: Mapping[str, int], numbers: Numbers) -> int:
    """Metrics of a day, each as often as hours in which it comes: what metrics are billed by.

    Args:
        counted: By job, its runs.
        numbers: Of the tables.
    """
    tables = dict.fromkeys(OF_TABLES, numbers.changed_tables) | {
        "maintain_lake": len(load_catalogue().captured)
    }
    return sum(min(count, 24) * (METRICS[job] + tables.get(job, 0)) for job, count in counted.items())


def alarm_metrics(pipeline: Pipeline) -> int:
    """Metrics that alarms read, each as often as one does: what alarms are billed by."""
    spelled = spell_out(read_alarms(pipeline), pipeline, load_catalogue())
    return sum(len(alarm["metrics"]) for alarm in spelled.values() if alarm["option"] is None)


def backfill(numbers: Numbers, pipeline: Pipeline) -> dict[str, float]:
    """What the first capture of a large source costs, once."""
    rows = numbers.backfill_rows
    start = numbers.shell_start_cpu / SHELL_SHARE
    builds = rows / numbers.backfill_spark_rows_second + numbers.spark_start
    workers = numbers.backfill_workers * numbers.spark_dpu_hour / 3600
    return {
        "extract_cdc": run_cost(
            "extract_cdc", start + rows / numbers.backfill_capture_rows_second, numbers, pipeline
        ),
        "transform": run_cost("transform", start, numbers, pipeline),
        "validate_raw, build_dimensions, build_facts": builds * workers + 2 * numbers.spark_start * workers,
        "load_warehouse": run_cost(
            "load_warehouse", start + rows / numbers.backfill_load_rows_second, numbers, pipeline
        ),
    }


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Costs as a Markdown table, with a line for the sum."""
    names = list(dict.fromkeys(name for costs in columns.values() for name in costs))
    lines = [f"| US dollars | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for name in (*names, "together"):
        sums = [sum(costs.values()) if name == "together" else costs[name] for costs in columns.values()]
        lines += [f"| {name} | {' | '.join(f'{one:.3f}' for one in sums)} |"]
    return "\n".join(lines)


def report(numbers: Numbers) -> str:
    """Both tables."""
    pipeline = load_pipeline()
    daily = {name: cost(day, numbers, pipeline) for name, day in days(numbers, pipeline).items()}
    once = {f"{numbers.backfill_rows:,} rows, once": backfill(numbers, pipeline)}
    return f"{table(daily)}\n\n{table(once)}"


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
