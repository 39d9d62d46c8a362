"""The judges of a run: every suite with the conditions under which a row breaks its rules.

Great Expectations states the conditions. Importing and asking it costs several seconds, as much as a whole
small run, and what it answers depends on rules, contracts and versions alone. So the answers travel with the
rules, in ``expectations/conditions.json``, each beside the fingerprint of the suite that it answers; a suite
whose fingerprint is another one is asked about at run time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession

import expectations
from catalog.catalogue import Catalogue
from expectations.rules import Suite
from expectations.verdict import Judge
from glue_jobs.runtime import log
from glue_jobs.star import context, read

ANSWERS = Path(expectations.__file__).parent / "conditions.json"


def judges(
    catalogue: Catalogue, suites: Mapping[str, Suite], session: Callable[[], SparkSession]
) -> dict[str, Judge]:
    """Every table's judge.

    Args:
        catalogue: The contracts.
        suites: The rules by raw table.
        session: Gives the Spark session; asked only for rules that have changed.

    Raises:
        ContractError: A rule cannot be judged; names it.
    """
    kept = json.loads(ANSWERS.read_text(encoding="utf-8"))
    known = {
        table: tuple(kept[table]["conditions"])
        for table, suite in suites.items()
        if table in kept and kept[table]["fingerprint"] == suite.fingerprint
    }
    changed = {table: suite for table, suite in suites.items() if table not in known}
    if changed:
        with log.timed("validate.rules_read", tables=sorted(changed)):
            known = {**known, **asked(catalogue, changed, session())}
    return {table: Judge(suite, known[table]) for table, suite in suites.items()}


def asked(
    catalogue: Catalogue, suites: Mapping[str, Suite], spark: SparkSession
) -> dict[str, tuple[str, ...]]:
    """The conditions of suites, as Great Expectations states them."""
    from expectations import gx

    return {
        table: gx.conditions(suite, read.no_rows(spark, context.schema_of(suite, catalogue)))
        for table, suite in suites.items()
    }


def answers(catalogue: Catalogue, suites: Mapping[str, Suite], spark: SparkSession) -> str:
    """What ``conditions.json`` is to hold."""
    conditions = asked(catalogue, suites, spark)
    kept = {
        table: {"fingerprint": suite.fingerprint, "conditions": conditions[table]}
        for table, suite in suites.items()
    }
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
