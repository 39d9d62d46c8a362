"""An archive of Spark's classes, from which Java takes them read and checked: Spark starts in half the time.

Java writes one as a process ends that was told to (class data sharing: JEP 310, JEP 350). It is good for the
same Java and the same files of Spark, and passed over by any other. `tools/set_up.py` makes it where Spark is
installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import CLASSES, spark_environment, write_conf


def make(archive: Path = CLASSES) -> bool:
    """Make the archive, in place of one that is there.

    Args:
        archive: Where it is put, whole or not at all.

    Returns:
        Whether it is there; a Java that writes none is no error, since nothing needs it.

    Raises:
        JavaNotFoundError: There is no Java for Spark.
    """
    with tempfile.TemporaryDirectory(prefix="spark-classes-") as folder:
        java, fresh = java_home(Path(folder)), Path(folder) / "fresh.jsa"
        if java.is_relative_to(folder):
            # The Java that comes as a package has no archive of its own classes, which this one builds upon.
            subprocess.run([java / "bin" / "java", "-Xshare:dump"], capture_output=True, check=False)
        dump = f"-XX:ArchiveClassesAtExit={fresh} -Xlog:disable"
        environment = {
            **os.environ,
            **spark_environment(write_conf(Path(folder) / "conf", classes=dump), java),
        }
        # Java writes it after Python has ended, and closes what it inherited then.
        done = subprocess.run(
            [sys.executable, "-m", "lakehouse.spark_classes", "work"],
            env=environment,
            capture_output=True,
            check=False,
        )
        if done.returncode or not fresh.exists():
            return False
        beside = archive.with_suffix(f".{os.getpid()}")
        shutil.copyfile(fresh, beside)
        beside.replace(archive)
    return True


def work() -> None:
    """Do with few rows what the engine does in a job, so that the archive has the classes that this takes."""
    from glue_jobs.engine.spark import SparkEngine

    schema = pa.schema(
        {
            "id": pa.int64(),
            "text": pa.string(),
            "at": pa.timestamp("us"),
            "amount": pa.decimal128(20, 4),
            "flag": pa.bool_(),
        }
    )
    rows = [
        {
            "id": number % 7,
            "text": str(number),
            "at": datetime(2024, 1, 1, number % 24),  # noqa: DTZ001 - without a zone, as in the lake
            "amount": Decimal(number),
            "flag": number % 2 == 0,
        }
        for number in range(50)
    ]
    engine = SparkEngine("eu-west-2", "classes")
    engine.rows("given", schema, rows)
    engine.rows("other", schema, rows[:9])
    engine.view(
        "newest",
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY at DESC NULLS LAST) AS place,"
        " lag(amount) OVER (PARTITION BY id ORDER BY at NULLS LAST) AS before FROM given) WHERE place = 1",
    )
    engine.table(
        "joined",
        "SELECT n.id, o.text, CAST(n.amount * 2 AS DECIMAL(9, 2)) AS amount, coalesce(o.flag, false) AS flag,"
        " CASE WHEN n.text RLIKE '^[0-9]{1,3}$' THEN concat(n.text, '!') END AS shown, n.at"
        " FROM newest AS n LEFT JOIN other AS o ON o.id = n.id AND o.at <= n.at"
        " UNION ALL SELECT id, text, amount, flag, NULL, at FROM given WHERE id IN (SELECT id FROM other)",
    )
    engine.fetch("SELECT flag, count(*) AS n, sum(amount) AS s FROM joined GROUP BY flag ORDER BY flag")
    engine.fetch("SELECT j.id FROM joined AS j LEFT ANTI JOIN other AS o ON j.id = o.id")


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        work()
    else:
        sys.exit(0 if make() else 1)
