"""Asks Great Expectations for the condition of every rule, and keeps the answers beside the rules."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from catalog.catalogue import load_catalogue
from expectations.rules import load_suites
from glue_jobs.star import conditions
from local_stack.java import java_home
from local_stack.spark_settings import write_conf


def main() -> None:
    """Write ``expectations/conditions.json``."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAVA_HOME"] = str(java_home(Path(folder)))
        os.environ["SPARK_CONF_DIR"] = str(write_conf(Path(folder, "conf")))
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        spark = SparkSession.builder.appName("conditions").getOrCreate()
        try:
            suites = load_suites()
            conditions.ANSWERS.write_text(conditions.answers(load_catalogue(), suites, spark), "utf-8")
        finally:
            spark.stop()
    print(f"{conditions.ANSWERS}: {sum(len(suite.rules) for suite in suites.values())} rules")


if __name__ == "__main__":
    main()
