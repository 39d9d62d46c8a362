"""Spark on a laptop: settings that every job's own JVM reads from two files.

They are named one by one. A folder of settings (``SPARK_CONF_DIR``) would be the first place where Java looks
for classes, and with a folder there it takes none from an archive (:data:`CLASSES`).
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

CLASSES = Path(sys.prefix) / "spark-classes.jsa"
"""The archive of Spark's classes, in the environment of the Python that runs the laptop."""

_SETTINGS, _LOGGING = "spark-defaults.conf", "log4j2.properties"

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


def spark_settings(scratch: Path, classes: str | None = None) -> dict[str, str]:
    """Spark's settings on a laptop, by name; what queries mean is set by the engine itself.

    Args:
        scratch: Where Spark keeps what it does not keep for good.
        classes: Options of Java about an archive of classes; those that use one unless stated.
    """
    place = _quoted(scratch)
    if classes is None:
        # Java goes on without one that is not there or of another Java's, in silence.
        classes = f"-XX:SharedArchiveFile={_quoted(CLASSES)} -Xlog:cds=off -Xlog:cds+dynamic=off"
    return {
        # Two cores, and a task is tried as often as on Glue.
        "spark.master": "local[2,4]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # A job's JVM lives for seconds, on two cores that it shares with Python: what the optimising compiler
        # and a collector's threads take comes back only after minutes. With half a million orders, start
        # included, these save a quarter of the CPU time and a fifth of the memory; with a few rows, 40 %.
        "spark.driver.extraJavaOptions": (
            f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC {classes}"
            f" -Duser.timezone=UTC -Djava.io.tmpdir={place} -Dderby.system.home={place}"
        ),
        "spark.local.dir": str(scratch),
        # A path, since Spark takes what is percent-encoded in an address for the directory's own letters.
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Planning anew between the stages of a query pays where there is much to learn; with a few rows it
        # takes as long as everything else.
        "spark.sql.adaptive.enabled": "false",
        # Two partitions are enough for two cores.
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
        "spark.sql.catalogImplementation": "in-memory",
    }


def _quoted(path: Path) -> str:
    """A path as one word of the options of Java."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_conf(directory: Path, scratch: Path | None = None, classes: str | None = None) -> Path:
    """Write Spark's settings and those of its log into a directory, for :func:`spark_environment`.

    Args:
        directory: The directory, which is made.
        scratch: See :func:`spark_settings`; a folder of the directory unless stated.
        classes: See :func:`spark_settings`.

    Returns:
        The directory.
    """
    scratch = directory / "scratch" if scratch is None else scratch
    scratch.mkdir(parents=True, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _LOGGING).write_text(_LOG4J)
    settings = spark_settings(scratch, classes)
    settings["spark.driver.extraJavaOptions"] += (
        f" -Dlog4j2.configurationFile={(directory / _LOGGING).as_uri()}"
    )
    # Spark reads Java's properties, in which a backslash begins an escape.
    lines = [f"{name} {value}\n".replace("\\", "\\\\") for name, value in settings.items()]
    (directory / _SETTINGS).write_text("".join(lines), encoding="utf-8")
    return directory


def spark_environment(conf: Path, java_home: Path | None = None) -> dict[str, str]:
    """The environment variables of any process that starts Spark with these settings.

    Its workers are the same Python as the process itself, unless that says otherwise.

    Args:
        conf: See `write_conf`.
        java_home: See :func:`local_aws.jobs.java.java_home`; nothing where that is to be found later.
    """
    return {
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {shlex.quote(str(conf / _SETTINGS))} pyspark-shell",
        **({} if java_home is None else {"JAVA_HOME": str(java_home)}),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # In the locale C Java writes letters beyond ASCII of a directory as question marks.
        "LC_ALL": "C.UTF-8",
        "PYSPARK_PYTHON": sys.executable,
    }
