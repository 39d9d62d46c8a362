"""The one process of a running stack: its AWS endpoint, its Glue runner, its PostgreSQL.

Started by `lakehouse up` as ``python -m lakehouse.daemon --state DIR``; ends on SIGTERM, and when its
directory is taken away from under it, and takes down what it started.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

import bi
import catalog
import expectations
import glue_jobs
import lambda_functions
import payments_api
import sites
from catalog.catalogue import load_catalogue
from catalog.pipeline import Pipeline, load_pipeline
from catalog.rights import OPERATORS, analysts, role_name
from glue_jobs.lake.catalog_check import restore_partitions
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.errors import UserError
from lakehouse.answers import Answers
from lakehouse.control import Control
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.example import EmbeddedSource
from lakehouse.local_deployment import bucket_names, deploy
from lakehouse.parts import require_for, starts_spark
from lakehouse.stack_state import Paths, Running, Settings, load_running, load_settings
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.layers import json_service
from local_aws.functions.layers import calls, code_from_s3
from local_aws.functions.runner import FunctionRunner
from local_aws.jobs.java import JavaNotFoundError, java_home
from local_aws.jobs.job_process import JobEnvironment, NotReadyError
from local_aws.jobs.runner import GlueRunner
from local_aws.jobs.scheduler import Scheduler
from local_aws.jobs.spark_settings import spark_environment, write_conf
from local_aws.processes import start_of
from local_aws.rights.evaluate import Principal
from local_aws.rights.keys import Caller, Credentials

_LOG = logging.getLogger("lakehouse.daemon")

WAREHOUSE_LOADER, WAREHOUSE_DATABASE = "warehouse_loader", "warehouse"

_LOOK_SECONDS = 1.0


def serve(paths: Paths, settings: Settings, stop: threading.Event) -> None:
    """Run a stack until told to stop.

    Args:
        paths: Where it lies.
        settings: What it was made with.
        stop: Set by someone else when it shall end.
    """
    previous = load_running(paths)
    pipeline = load_pipeline()
    with contextlib.ExitStack() as parts:
        postgres = _start_postgres(paths, settings, previous)
        if postgres is not None:
            parts.callback(postgres.stop)
        source, source_owner, warehouse = _databases(settings, postgres, EmbeddedSource.of(pipeline))
        endpoint = _bind_endpoint(paths, previous)
        parts.callback(endpoint.stop)
        environment = _job_environment(paths, endpoint)
        runner = GlueRunner(endpoint.stack_client("glue"), endpoint.caller_client("s3"), environment)
        parts.callback(runner.close)
        endpoint.add(json_service("AWSGlue", runner))
        functions = add_functions(endpoint, paths.packages, paths.runs / "functions")
        parts.callback(functions.close)
        scheduler = scheduler_of(endpoint)
        parts.callback(scheduler.close)
        parts.callback(add_athena(endpoint, paths.athena, sandboxes_of(pipeline)).close)
        endpoint.start()
        addresses = _start_providers(parts, pipeline)
        buckets = deploy(
            endpoint.client,
            load_catalogue(),
            pipeline,
            endpoint.region,
            {"source": source, "warehouse": warehouse},
            addresses,
        )
        lake = LakeClients(
            endpoint.client("s3"), endpoint.client("glue"), buckets["ingestion"], buckets["processed"]
        )
        restore_partitions(lake, load_catalogue())
        control = Control()
        parts.callback(control.close)
        people = {
            role: endpoint.environment(_keys(endpoint, pipeline, role, previous))
            for role in (OPERATORS, *analysts(pipeline))
        }
        running = Running(
            pid=os.getpid(),
            pid_started=start_of(psutil.Process()),
            endpoint=endpoint.url,
            environment=people.pop(OPERATORS),
            analysts=people,
            buckets=buckets,
            work_group=pipeline.athena.work_group,
            postgres_port=None if postgres is None else postgres.port,
            source=source,
            source_owner=source_owner,
            warehouse=warehouse,
            control_port=control.port,
            control_key=control.key,
        )
        control.serve(Answers(running, settings.schedule).by_name())
        running.save(paths)
        _LOG.info("ready at %s", endpoint.url)
        # The first of them would find tables without rows, and pause them.
        fires_once_filled = settings.schedule
        while not stop.wait(_LOOK_SECONDS):
            if fires_once_filled and not (load_settings(paths) or settings).unfilled:
                scheduler.start()
                fires_once_filled = False
            if load_running(paths) != running:
                _LOG.warning("%s is not this stack's any more; ending", paths.root)
                return
            if postgres is not None and postgres.process() is None:
                _LOG.warning("PostgreSQL ended by itself; starting it again")
                postgres.start()


def _start_providers(parts: contextlib.ExitStack, pipeline: Pipeline) -> dict[str, str]:
    """Play the providers of feeds; by job, where each feed asks in place of where the pipeline states."""
    if not pipeline.http_feeds:
        return {}
    from lakehouse.rates_server import BANK_PATH, LIVE_PATH, RatesServer, moved, shipped_history

    server = RatesServer(0, moved(shipped_history(), datetime.now(UTC).date()))
    threading.Thread(target=server.serve_forever, name="rates", daemon=True).start()
    parts.callback(server.server_close)
    parts.callback(server.shutdown)
    _LOG.info("the provider of exchange rates at %s has %s", server.url, server.history.words)
    paths = {"ecb": BANK_PATH, "freeforexapi": LIVE_PATH}
    found: dict[str, list[str]] = {}
    for name, feed in pipeline.http_feeds.items():
        found.setdefault(feed.job, []).append(f"{name}={server.url.rstrip('/')}{paths[feed.provider]}")
    return {job: " ".join(urls) for job, urls in found.items()}


def _start_postgres(paths: Paths, settings: Settings, previous: Running | None) -> EmbeddedPostgres | None:
    if settings.source is not None and settings.warehouse is not None:
        return None
    port = None if previous is None else previous.postgres_port
    return EmbeddedPostgres(paths.postgres, port=port).start()


def _databases(
    settings: Settings, postgres: EmbeddedPostgres | None, embedded: EmbeddedSource
) -> tuple[str, str | None, str]:
    """The DSNs of the source's reader, of its owner if embedded, and of the warehouse's loader."""
    source, owner, warehouse = settings.source, None, settings.warehouse
    if postgres is not None and source is None:
        postgres.ensure_role(embedded.owner)
        postgres.ensure_role(embedded.reader)
        postgres.ensure_database(embedded.database, embedded.owner)
        source = postgres.dsn(embedded.reader, embedded.database)
        owner = postgres.dsn(embedded.owner, embedded.database)
    if postgres is not None and warehouse is None:
        postgres.ensure_role(WAREHOUSE_LOADER)
        postgres.ensure_database(WAREHOUSE_DATABASE, WAREHOUSE_LOADER)
        warehouse = postgres.dsn(WAREHOUSE_LOADER, WAREHOUSE_DATABASE)
    if source is None or warehouse is None:
        raise RuntimeError("a database is neither given nor embedded")
    return source, owner, warehouse


def _bind_endpoint(paths: Paths, previous: Running | None) -> Endpoint:
    """The endpoint on the port that it had, where that is free: exported variables stay good."""
    if previous is not None:
        # werkzeug ends the process when a port is taken.
        with contextlib.suppress(OSError, SystemExit):
            port = int(previous.endpoint.rpartition(":")[2])
            return create_endpoint(paths.root, port=port, enforced=True)
    return create_endpoint(paths.root, enforced=True)


def _job_environment(paths: Paths, endpoint: Endpoint) -> JobEnvironment:
    _link_packages(paths.packages)
    scratch = paths.spark / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    spark = spark_environment(write_conf(paths.spark / "conf", scratch))
    variables = {**endpoint.addresses(), **spark}
    prepare = partial(_prepare, paths.spark)
    return JobEnvironment(variables, paths.packages, paths.runs, endpoint.runs, prepare)


def _prepare(workspace: Path, job: str, report: Callable[[str], None]) -> Mapping[str, str]:
    """Have what a job needs that is not installed yet; see :data:`local_aws.jobs.job_process.Prepare`."""
    try:
        require_for(job, report)
        return {"JAVA_HOME": str(java_home(workspace))} if starts_spark(job) else {}
    except (UserError, JavaNotFoundError) as error:
        raise NotReadyError(str(error)) from error


def _keys(endpoint: Endpoint, pipeline: Pipeline, role: str, previous: Running | None) -> Credentials:
    """The keys of a person in a role: those that they had, so that exported variables stay good."""
    place, name = endpoint.guard.place, role_name(pipeline.name, role)
    arn = f"arn:{place.partition}:sts::{place.account}:assumed-role/{name}/{getpass.getuser()}"
    role_arn = f"arn:{place.partition}:iam::{place.account}:role/{name}"
    caller = Caller(Principal(arn, place.account, role_arn), name)
    kept = {} if previous is None else {**previous.analysts, OPERATORS: previous.environment}.get(role, {})
    if "AWS_ACCESS_KEY_ID" in kept:
        known = Credentials(kept["AWS_ACCESS_KEY_ID"], kept["AWS_SECRET_ACCESS_KEY"])
        return endpoint.guard.keys.adopt(caller, known)
    return endpoint.guard.keys.issue(caller)


def _link_packages(directory: Path) -> None:
    """Let jobs and functions import our packages and nothing else of the stack's own Python."""
    directory.mkdir(parents=True, exist_ok=True)
    for package in (bi, catalog, expectations, glue_jobs, lambda_functions, payments_api, sites):
        link = directory / package.__name__
        link.unlink(missing_ok=True)
        link.symlink_to(Path(str(package.__file__)).parent)


def sandboxes_of(pipeline: Pipeline) -> dict[str, Any]:
    """By work group, where analysts may write, as the emulator of Athena takes it."""
    from local_aws.athena.statements import Sandbox

    buckets = bucket_names(pipeline)
    return {
        group.work_group: Sandbox(group.sandbox.database, pipeline.resolve(group.sandbox.location, buckets))
        for group in pipeline.athena.groups
        if group.sandbox is not None
    }


def add_functions(endpoint: Endpoint, packages: Path, logs: Path, minute: float = 60.0) -> FunctionRunner:
    """Let an endpoint run the functions that are deployed in it; whoever calls it closes what it gets.

    Args:
        endpoint: The endpoint; it does not serve yet.
        packages: What functions import whose zip holds no code.
        logs: Where their output is kept.
        minute: Seconds in a minute between tries.
    """
    sqs = endpoint.caller_client("sqs")
    runner = FunctionRunner(
        endpoint.guard.place, endpoint.addresses(), packages, logs, endpoint.runs, sqs, minute=minute
    )
    endpoint.add(code_from_s3(endpoint.caller_client("s3")))
    endpoint.add(calls(runner))
    return runner


def scheduler_of(endpoint: Endpoint) -> Scheduler:
    """What fires the schedules of an endpoint once it is started; whoever calls it closes it."""
    return Scheduler(
        endpoint.stack_client("scheduler"),
        endpoint.caller_client("lambda"),
        endpoint.caller_client("sqs"),
        endpoint.runs,
    )


def add_athena(endpoint: Endpoint, spool: Path, sandboxes: Mapping[str, Any] | None = None) -> Any:
    """Let an endpoint answer Athena's API; whoever calls it closes what it gets.

    Args:
        endpoint: The endpoint; it does not serve yet.
        spool: Where results are kept until they are read.
        sandboxes: By work group, where analysts may write (``athena.statements.Sandbox``); those of another
            group everywhere.
    """
    from local_aws.athena.jobs import Limits
    from local_aws.athena.query_errors import AthenaError
    from local_aws.athena.service import AthenaService
    from local_aws.endpoint.in_process import without_a_socket

    def path_of(bucket: str, key: str) -> Path:
        # Queries read files, not objects: whether the caller may is asked here.
        if (why := endpoint.guard.may_not_read(bucket, key)) is not None:
            raise AthenaError("AccessDeniedException", why)
        return endpoint.bucket_dir(bucket) / key

    service = AthenaService(
        without_a_socket(endpoint.caller_client("glue"), endpoint),
        without_a_socket(endpoint.caller_client("s3"), endpoint, "ListObjectsV2"),
        without_a_socket(endpoint.stack_client("athena"), endpoint),
        spool=spool,
        path_of=path_of,
        limits=Limits.of(),
        sandboxes=sandboxes,
    )
    endpoint.guard.work_group_of = service.work_group_of
    endpoint.add(json_service("AmazonAthena", service))
    return service


def main(argv: Sequence[str]) -> int:
    """Run the daemon of a stack; see the module."""
    parser = argparse.ArgumentParser(prog="python -m lakehouse.daemon")
    parser.add_argument("--state", required=True, type=Path)
    paths = Paths.of(parser.parse_args(argv).state)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        with paths.locked("daemon", wait=False):
            settings = load_settings(paths)
            if settings is None:
                _LOG.error("%s holds no stack", paths.root)
                return 1
            serve(paths, settings, stop)
    except BlockingIOError:
        _LOG.error("another daemon serves %s", paths.root)
        return 1
    except Exception as error:  # noqa: BLE001 - the process boundary: `up` shows the last line of the log
        _LOG.debug("failed", exc_info=True)
        _LOG.error("%s", error, exc_info=not isinstance(error, RuntimeError))
        return 1
    _LOG.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
