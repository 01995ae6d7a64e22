"""One Spark on this machine for the whole suite, small enough for a few rows."""

import os
import sys
from functools import cache
from typing import Any

import pyarrow as pa

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    # Compiled once and simply: most code of the engine runs a few times in a test.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    # A few rows are read sooner than code for them is generated, or a plan adapted to them.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # Spark fails on a union of tables that it kept, for what it knows of their columns.
    "spark.sql.constraintPropagation.enabled": "false",
}


@cache
def session() -> Any:
    """The session; started once, because a start takes longer than most tests."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[1]").appName("ultravires")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


_SHOWN: dict[str, pa.Table] = {}


def show(name: str, rows: pa.Table) -> None:
    """Make `rows` the view `name`; most cases leave most tables as the case before left them."""
    if name not in _SHOWN or not _SHOWN[name].equals(rows):
        session().createDataFrame(rows).createOrReplaceTempView(name)
        _SHOWN[name] = rows


def end() -> None:
    """End Spark, whatever it is doing, so that the next `session()` starts another one."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    SparkContext._gateway.proc.kill()
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = None
    session.cache_clear()
    _SHOWN.clear()
