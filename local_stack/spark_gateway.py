"""Spark on a laptop: its settings, and warm JVMs that job processes attach to.

Starting a JVM and having it warm up costs more than a small Spark job. A job's process is always a fresh
Python that runs the unmodified script; with ``PYSPARK_GATEWAY_PORT`` and ``PYSPARK_GATEWAY_SECRET`` in its
environment PySpark attaches to a running JVM, as under ``spark-submit``, creates its own SparkContext
there and stops it at its end. A JVM holds one SparkContext at a time, so the pool has as many as jobs run
side by side; one whose job was killed is thrown away.

The settings stand in ``spark-defaults.conf`` of one directory (``SPARK_CONF_DIR``), which a warm and a cold
JVM read alike: both give the same results.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_START_SECONDS = 120.0
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 30

_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
# Said on every start, and of no use on a laptop.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.utils.name = org.apache.spark.util.Utils
logger.utils.level = error
logger.conf.name = org.apache.spark.SparkConf
logger.conf.level = error
"""


class SparkGatewayError(RuntimeError):
    """A Spark JVM did not start or did not answer."""


def spark_settings(buckets: Mapping[str, Path], scratch: Path) -> dict[str, str]:
    """Spark's settings on a laptop, by name.

    Args:
        buckets: For each bucket the directory of its objects: ``s3://bucket/key`` is ``directory/key``.
        scratch: Where Spark keeps what it does not keep for good.
    """
    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": (
            f'-XX:+UseParallelGC -Duser.timezone=UTC -Djava.io.tmpdir="{scratch}"'
            f' -Dderby.system.home="{scratch}"'
        ),
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": (scratch / "warehouse").as_uri(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Glue 6.0 runs in ANSI mode; two partitions are enough for two cores.
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
        # Athena reads three digits; Spark's own default, INT96, is deprecated and not to be had by accident.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.catalogImplementation": "in-memory",
        # s3://bucket/… is a directory, through Hadoop's own view file system.
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFs",
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    }
    for bucket, directory in buckets.items():
        settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"] = directory.as_uri()
    return settings


def write_conf(directory: Path, buckets: Mapping[str, Path], scratch: Path | None = None) -> Path:
    """Write ``spark-defaults.conf`` and the log settings into a directory, for ``SPARK_CONF_DIR``."""
    scratch = directory / "scratch" if scratch is None else scratch
    scratch.mkdir(parents=True, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {value}\n" for name, value in spark_settings(buckets, scratch).items()]
    (directory / "spark-defaults.conf").write_text("".join(lines))
    (directory / "log4j2.properties").write_text(_LOG4J)
    return directory


def spark_environment(conf: Path, java_home: Path) -> dict[str, str]:
    """The environment variables of any process that starts Spark with these settings."""
    return {"SPARK_CONF_DIR": str(conf), "JAVA_HOME": str(java_home), "SPARK_LOCAL_IP": "127.0.0.1"}


@dataclass(frozen=True)
class SparkJvm:
    """A running JVM with Spark's Python gateway; `environment` lets a PySpark process attach to it."""

    process: subprocess.Popen[bytes]
    port: int
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What a job's process needs in its environment to use this JVM."""
        return {"PYSPARK_GATEWAY_PORT": str(self.port), "PYSPARK_GATEWAY_SECRET": self.secret}

    @property
    def alive(self) -> bool:
        """Whether the JVM still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the JVM at once, and whatever Spark was doing in it."""
        _kill(self.process)


def start_jvm(
    environment: Mapping[str, str],
    workspace: Path,
    log: IO[bytes],
    launched: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> SparkJvm:
    """Start a JVM with Spark's Python gateway, as PySpark itself does. It ends when this process ends.

    Args:
        environment: Its environment, with what `spark_environment` returns.
        workspace: Holds the file through which the JVM tells its port and secret, for a moment.
        log: Receives what the JVM writes.
        launched: Is told of the process as soon as there is one, seconds before the JVM answers.

    Raises:
        SparkGatewayError: It ended, or did not answer in time.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    connection = workspace / f"gateway-{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
    process = subprocess.Popen(
        [str(_spark_home() / "bin" / "spark-submit"), "pyspark-shell"],
        # The gateway ends when its standard input does, even if this process is killed.
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=workspace,
        env={**environment, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection), "SPARK_CONNECT_MODE": "0"},
        start_new_session=True,
    )
    if launched is not None:
        launched(process)
    deadline = time.monotonic() + _START_SECONDS
    while not connection.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            _kill(process)
            raise SparkGatewayError(f"Spark's JVM did not start; see {log.name}")
        time.sleep(_POLL_SECONDS)
    content = connection.read_bytes()
    connection.unlink()
    port, length = struct.unpack_from(">ii", content)
    return SparkJvm(process, port, content[8 : 8 + length].decode())


def stop_contexts(jvm: SparkJvm) -> bool:
    """Stop a SparkContext that a job left in the JVM; False if the JVM does not answer."""
    from py4j.clientserver import ClientServer, JavaParameters, PythonParameters
    from py4j.protocol import Py4JError

    client = ClientServer(
        java_parameters=JavaParameters(
            port=jvm.port, auth_token=jvm.secret, auto_convert=True, read_timeout=_ANSWER_SECONDS
        ),
        python_parameters=PythonParameters(port=0, eager_load=False),
    )
    try:
        spark = client.jvm.org.apache.spark
        # Scala's companion object: the class itself has no such static method.
        active = getattr(getattr(spark, "SparkContext$"), "MODULE$").getActive()
        if active.isDefined():
            active.get().stop()
        spark.sql.classic.SparkSession.clearActiveSession()
        spark.sql.classic.SparkSession.clearDefaultSession()
    except (Py4JError, OSError):
        return False
    finally:
        client.close()
    return True


class SparkPool:
    """Warm JVMs, leased one job at a time.

    Args:
        environment: Of the JVMs, with what `spark_environment` returns.
        workspace: A directory for the pool's own files.
        log: The file that the JVMs write to.
        size: How many JVMs may be there at once; a job waits for one when all are leased.
    """

    def __init__(self, environment: Mapping[str, str], workspace: Path, log: Path, size: int) -> None:
        self._environment = dict(environment)
        self._workspace = workspace
        self._log = log
        self._idle: queue.LifoQueue[SparkJvm | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        for _ in range(size):
            self._idle.put(None)

    def warm_up(self) -> None:
        """Start a JVM for every free place and let it run a small job: the first real one finds it warm."""
        places = []
        with contextlib.suppress(queue.Empty):
            while True:
                places.append(self._idle.get_nowait())
        for place in places:
            jvm = place
            try:
                if jvm is None and not self._closed:
                    jvm = self._start()
                    self._exercise(jvm)
            except SparkGatewayError:
                jvm = None  # the job that needs it will try again, and report
            finally:
                self._idle.put(jvm)

    def lease(self, given_up: threading.Event) -> SparkJvm:
        """A JVM for one job; waits until one is free.

        Args:
            given_up: Set by someone else when the job needs no JVM any more.

        Raises:
            SparkGatewayError: It did not start, or the job was given up.
        """
        while True:
            if given_up.is_set() or self._closed:
                raise SparkGatewayError("the job was stopped before Spark started")
            with contextlib.suppress(queue.Empty):
                jvm = self._idle.get(timeout=_POLL_SECONDS * 4)
                break
        try:
            if jvm is not None and jvm.alive:
                return jvm
            return self._start()
        except BaseException:
            self._idle.put(None)
            raise

    def give_back(self, jvm: SparkJvm, *, killed: bool) -> None:
        """Return a leased JVM; it is thrown away if its job was killed or it does not answer."""
        if not killed and jvm.alive and stop_contexts(jvm):
            self._idle.put(jvm)
            return
        self._discard(jvm.process)
        self._idle.put(None)

    def close(self) -> None:
        """End every JVM, those included that are just starting."""
        with self._lock:
            self._closed = True
            processes = list(self._processes)
        for process in processes:
            _kill(process)

    def _start(self) -> SparkJvm:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            return start_jvm(self._environment, self._workspace, log, self._launched)

    def _launched(self, process: subprocess.Popen[bytes]) -> None:
        """Know of a process from its first moment, so that closing leaves none behind."""
        with self._lock:
            self._processes.add(process)
            closed = self._closed
        if closed:
            _kill(process)

    def _discard(self, process: subprocess.Popen[bytes]) -> None:
        _kill(process)
        with self._lock:
            self._processes.discard(process)

    def _exercise(self, jvm: SparkJvm) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local_stack.spark_warm_up", str(self._workspace / "warm-up")],
                env={**self._environment, **jvm.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._launched(process)
        process.wait()
        self._discard(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group, and the group: the launcher starts processes of its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _spark_home() -> Path:
    package = importlib.util.find_spec("pyspark")
    if package is None or package.origin is None:
        raise SparkGatewayError("PySpark is not installed: run make setup")
    return Path(package.origin).parent
