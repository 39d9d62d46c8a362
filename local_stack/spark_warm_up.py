"""A small Spark job of the shape of the real ones: once run, a new JVM has loaded what they use."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - its usual name


def main(directory: Path) -> None:
    """Write, read, join, rank and count a few rows below a directory."""
    spark = SparkSession.builder.appName("warm-up").getOrCreate()
    try:
        rows = spark.range(2_000).select(
            F.col("id").cast("int").alias("id"),
            (F.col("id") % 20).cast("int").alias("other_id"),
            (F.col("id") % 7).cast("decimal(10,2)").alias("price"),
            F.lit("2024-11-15 10:00:00").cast("timestamp_ntz").alias("created_at"),
            F.date_format(F.lit("2024-11-15").cast("date"), "yyyy-MM").alias("created_month"),
        )
        path = (directory / "rows").as_uri()
        rows.write.mode("overwrite").partitionBy("created_month").parquet(path)
        read = spark.read.schema(rows.schema).option("basePath", path).parquet(path)
        latest = Window.partitionBy("other_id").orderBy(F.col("id").desc())
        newest = read.withColumn("rank", F.row_number().over(latest)).where("rank = 1").drop("rank")
        joined = read.join(F.broadcast(newest.select("other_id", F.col("price").alias("newest"))), "other_id")
        joined.join(newest.select("id"), "id", "left_anti").groupBy("other_id").agg(F.sum("price")).collect()
        joined.unionByName(joined).select(F.max("id"), F.count("*")).collect()
    finally:
        spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
