"""What CloudWatch looks at, as `alarms.yaml` states it, spelled out for every job, table and secret.

Pure functions over the file, the pipeline and the contracts; Terraform reads what :func:`spell_out` gives
from the release's manifest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

from pydantic import Field, model_validator

from catalog.catalogue import Catalogue
from catalog.model import Strict, validate
from catalog.pipeline import API_CALLERS, Function, Name, Pipeline, Schedule, Text
from catalog.yaml_lines import ContractError, line_of, load_with_lines

ALARMS = Path(__file__).with_name("alarms.yaml")

State = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]

_EVERY_MINUTES = re.compile(r"^cron\(0/(\d+) \* \* \* \? \*\)$")
_EVERY_HOUR = re.compile(r"^cron\(\d+ \* \* \* \? \*\)$")
_DAY_MINUTES, _HOUR_MINUTES = 1440, 60


class Metric(Strict):
    """A metric that an alarm reads.

    Attributes:
        metric: Its name.
        of: Its dimensions, all of them.
        namespace: Where it lies; the project's own where none is stated.
        statistic: How a period's values become one.
    """

    metric: Annotated[str, Field(pattern=r"^[\w{}]+$")]
    of: dict[str, str]
    namespace: Optional[Text] = None
    statistic: Literal["Maximum", "Sum", "SampleCount"] = "Maximum"


class Alarm(Strict):
    """An alarm, or one for each of several; see the head of the file for what the attributes mean."""

    each: Optional[Literal["jobs", "functions", "apis", "scheduled", "tables", "captured", "secrets"]] = None
    owner: bool = False
    words: Text
    metrics: Annotated[dict[Name, Metric], Field(min_length=1)]
    expression: Optional[Text] = None
    above: float
    # Those of a scheduled job follow from its schedule.
    seconds: Annotated[int, Field(ge=300, le=3600, multiple_of=300)] = 3600
    periods: Annotated[int, Field(ge=1)] = 1
    enough: Annotated[int, Field(ge=1)] = 1
    missing: Literal["ignore", "missing", "breaching", "notBreaching"]
    tells: tuple[State, ...] = ("ALARM", "OK")

    @model_validator(mode="after")
    def _fits(self) -> Alarm:
        if (self.expression is None) != (len(self.metrics) == 1):
            raise ValueError("an expression says what becomes of several metrics, and of one there is none")
        return self


class RunMetric(Strict):
    """What becomes a metric of the states in which runs end."""

    metric: Name
    states: tuple[Literal["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"], ...]
    value: int


class JobWords(Strict):
    """What is said of a job that fails, and by which metric its failure is told already."""

    words: Text
    unless: Optional[Metric] = None


class Alarms(Strict):
    """All that is looked at."""

    namespace: Text
    run_metrics: dict[Name, RunMetric]
    late_share: Annotated[float, Field(gt=0, lt=1)]
    alarms: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")], Alarm]
    functions: dict[Name, Text]
    jobs: dict[Name, JobWords]


def read_alarms(pipeline: Pipeline, path: Path = ALARMS) -> Alarms:
    """Read and check the file.

    Raises:
        ContractError: It is wrong, with line and reason; or a job or a function has no words, or words are of
            none.
    """
    data, lines = load_with_lines(path)
    alarms = validate(Alarms, data, path, lines)
    stated: dict[str, tuple[set[str], set[str]]] = {
        "job": (set(alarms.jobs), set(pipeline.jobs)),
        # A project need not have every function that there are words for.
        "function": (
            set(alarms.functions) & set(pipeline.functions),
            {name for name, function in pipeline.functions.items() if not function.is_awaited},
        ),
    }
    for kind, (worded, there) in stated.items():
        if worded != there:
            reason = f"every {kind} has its words, and no other: {', '.join(sorted(worded ^ there))}"
            raise ContractError(path, line_of(lines, (f"{kind}s",)), reason)
    return alarms


def spell_out(alarms: Alarms, pipeline: Pipeline, catalog: Catalogue) -> dict[str, dict[str, Any]]:
    """Every alarm by its name, as Terraform makes it.

    Args:
        alarms: The file.
        pipeline: Jobs, secrets and schedules.
        catalog: The captured tables and their owners.
    """
    found = {}
    for key, alarm in alarms.alarms.items():
        for name, values, owner in _each(alarm.each, pipeline, catalog):
            named = f"{key}-{name.replace('_', '-').replace('/', '-')}" if name else key
            found[named] = _one(alarms, alarm, key, values, owner)
            if alarm.each == "scheduled":
                found[named].update(_silence(pipeline, name))
            minutes = found[named]["seconds"] * found[named]["periods"] // 60
            span = f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"
            function = pipeline.functions.get(values.get("function", ""))
            # An alarm about what tells of alarms may not go that way.
            found[named]["by_mail_alone"] = function is not None and function.called_by == "alerts"
            found[named]["option"] = None if function is None else option_of(function, values.get("callers"))
            more = alarms.jobs[name].words if name in alarms.jobs else alarms.functions.get(name, "")
            found[named]["words"] = alarm.words.format(**values, words=more, span=span)
    return found


def _one(
    alarms: Alarms, alarm: Alarm, key: str, values: Mapping[str, str], owner: Optional[str]
) -> dict[str, Any]:
    metrics = dict(alarm.metrics)
    expression = alarm.expression
    job = alarms.jobs.get(values.get("job", ""))
    if alarm.each == "jobs" and job is not None and job.unless is not None:
        metrics["told"] = job.unless
        expression = f"IF(FILL(told, 0) > 0, 0, {next(iter(alarm.metrics))})"
    return {
        "entry": key,
        "words": alarm.words,
        "metrics": {
            name: {
                "namespace": one.namespace or alarms.namespace,
                "metric": _put(one.metric, values),
                "of": {dimension: _put(value, values) for dimension, value in one.of.items()},
                "statistic": one.statistic,
            }
            for name, one in metrics.items()
        },
        "expression": expression,
        "above": alarm.above,
        "seconds": alarm.seconds,
        "periods": alarm.periods,
        "enough": alarm.enough,
        "missing": alarm.missing,
        "tells": list(alarm.tells),
        "owner": owner if alarm.owner else None,
    }


def _put(text: str, values: Mapping[str, str]) -> str:
    """A text with what is known put into it; what only a deployment knows stays."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def _each(
    kind: Optional[str], pipeline: Pipeline, catalog: Catalogue
) -> Iterator[tuple[str, dict[str, str], Optional[str]]]:
    """By name: what is put into the alarm's texts, and who owns that."""
    if kind is None:
        yield "", {}, None
    elif kind in ("tables", "captured"):
        for table, contract in sorted((catalog.raw if kind == "tables" else catalog.captured).items()):
            yield table, {"table": table}, contract.owner
    elif kind in ("functions", "apis"):
        yield from _each_function(kind, pipeline)
    elif kind == "secrets":
        for secret in pipeline.databases.values():
            yield secret.name, {"secret": secret.name}, None
    else:
        for job in pipeline.jobs if kind == "jobs" else scheduled_jobs(pipeline):
            yield job, {"job": job}, None


def _each_function(kind: str, pipeline: Pipeline) -> Iterator[tuple[str, dict[str, str], Optional[str]]]:
    """Functions that nobody waits for; or the APIs of those that answer over HTTP."""
    for name, function in pipeline.functions.items():
        if kind == "functions" and not function.is_awaited:
            yield name, {"function": name}, None
        if kind == "apis" and function.called_by == "http":
            for callers in API_CALLERS:
                yield f"{name}-{callers}", {"function": name, "callers": callers}, None


def option_of(function: Function, callers: Optional[str]) -> Optional[str]:
    """What an environment has to ask for, so that there is a function, or its API for some callers."""
    return f"{function.option}_for_{callers}" if callers == "people" else function.option


def scheduled_jobs(pipeline: Pipeline) -> Mapping[str, Schedule]:
    """The jobs that a schedule starts, each with that."""
    return {
        job: schedule
        for schedule in pipeline.schedules.values()
        for job in pipeline.started_by(schedule.workflow)
    }


def minutes_between(schedule: str) -> int:
    """How many minutes lie between two starts of a schedule.

    Raises:
        ValueError: It is of another form than every so many minutes, every hour and every day.
    """
    if found := _EVERY_MINUTES.match(schedule):
        return int(found[1])
    if _EVERY_HOUR.match(schedule):
        return _HOUR_MINUTES
    if re.match(r"^cron\(\d+ \d+ \* \* \? \*\)$", schedule):
        return _DAY_MINUTES
    raise ValueError(f"the schedule {schedule} is none of every so many minutes, every hour, every day")


def _silence(pipeline: Pipeline, job: str) -> dict[str, int]:
    """After how long no end of a run is told: two starts, or one and a run's limit, 25 minutes at least."""
    minutes = minutes_between(scheduled_jobs(pipeline)[job].expression)
    allowed = (
        max(minutes * 2, 25) if minutes < _HOUR_MINUTES else minutes + pipeline.jobs[job].timeout_minutes
    )
    seconds = 300 if minutes < _HOUR_MINUTES else 3600
    periods = math.ceil(allowed * 60 / seconds)
    return {"seconds": seconds, "periods": periods, "enough": periods}
