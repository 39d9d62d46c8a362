"""What would have been told on AWS of the runs of a laptop's stack: to whom, in which words, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from catalog.alarms import Alarms, read_alarms, spell_out
from catalog.catalogue import Catalogue
from catalog.pipeline import Pipeline
from local_aws.alarms import NO_DATA, OK, Change, CloudWatch, RunEnds
from local_aws.jobs.run_records import JobRun, read_runs

OPERATIONS = "operations"
"""Who is told of everything; on AWS the addresses of an environment."""

LONGEST = timedelta(days=14)
"""How far back it is looked, at most."""

SCHEDULED = "job-silent"
"""The alarm that only makes sense where schedules start runs."""

_HOUR = 3600
_MINUTE = 60


@dataclass(frozen=True)
class Alert:
    """A message that an alarm would have sent.

    Attributes:
        at: When (UTC).
        state: The state that began.
        alarm: The alarm.
        to: Who is told.
        words: What is said.
        entry: The entry of the runbook that it leads to.
        why: What it was that made the state begin.
    """

    at: datetime
    state: str
    alarm: str
    to: tuple[str, ...]
    words: str
    entry: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The message as plain data."""
        return {**asdict(self), "to": list(self.to), "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def cloudwatch_of(alarms: Alarms) -> CloudWatch:
    """A CloudWatch that has been told nothing yet.

    Args:
        alarms: The file that states what becomes a metric.
    """
    ends = [RunEnds(one.metric, one.states, one.value) for one in alarms.run_metrics.values()]
    return CloudWatch(alarms.namespace, ends)


def read_alerts(
    runs: Path, pipeline: Pipeline, catalogue: Catalogue, now: datetime, *, is_scheduled: bool
) -> list[Alert]:
    """What would have been told of a stack's runs, in the order of time.

    Args:
        runs: Where records and logs of runs lie.
        pipeline: Jobs, secrets and schedules.
        catalogue: The captured tables and their owners.
        now: Until when it is looked (UTC, with its zone).
        is_scheduled: Whether schedules start runs; where they do not, silence is nothing to tell.
    """
    alarms = read_alarms(pipeline)
    begin = (now - LONGEST).timestamp()
    records = [run for entry in read_runs(runs, "jr_") if (run := JobRun(**entry)).started >= begin]
    if not records:
        return []
    watch = cloudwatch_of(alarms)
    for run in records:
        _take(watch, run, runs / f"{run.id}.log", alarms.late_share, now.timestamp())
    # Datapoints of an hour begin with the hour.
    start = min(run.started for run in records) // _HOUR * _HOUR
    found = [
        alert
        for name, alarm in spell_out(alarms, pipeline, catalogue).items()
        if is_scheduled or alarm["entry"] != SCHEDULED
        for alert in messages(name, alarm, watch.changes(alarm, start, _until(alarm, now)))
    ]
    found = [replace(alert, at=min(alert.at, now.replace(microsecond=0))) for alert in found]
    return sorted(found, key=lambda alert: (alert.at, alert.alarm))


def messages(name: str, alarm: Mapping[str, Any], changes: Iterable[Change]) -> list[Alert]:
    """The messages of an alarm, but for the first if it says that all is well: that it is there.

    Args:
        name: The alarm.
        alarm: As ``catalog.alarms.spell_out`` gives it.
        changes: The states that began, in order.
    """
    told = [change for change in changes if change.state in alarm["tells"]]
    if told and told[0].state == OK:
        told = told[1:]
    return [
        Alert(
            at=datetime.fromtimestamp(change.at, UTC),
            state=change.state,
            alarm=name,
            to=(OPERATIONS, *([alarm["owner"]] if alarm["owner"] else [])),
            words=alarm["words"],
            entry=alarm["entry"],
            why=_why(alarm, change),
        )
        for change in told
    ]


def alerts_text(alerts: Sequence[Alert]) -> str:
    """The messages as people read them."""
    return "\n\n".join(
        f"{alert.at:%Y-%m-%d %H:%M}  {alert.state}  {alert.alarm}\n"
        f"  to   {', '.join(alert.to)}\n"
        f"  says {alert.words} docs/runbook.md#{alert.entry}\n"
        f"  why  {alert.why}"
        for alert in alerts
    )


def _take(watch: CloudWatch, run: JobRun, log: Path, late_share: float, now: float) -> None:
    """Have CloudWatch be told of a run what Glue and its log tell on AWS."""
    if log.exists():
        watch.read(None, log.read_text(encoding="utf-8", errors="replace"))
    late = run.started + run.timeout_minutes * _MINUTE * late_share
    if late < (run.completed or now):
        watch.run_late(late)
    if run.completed is not None:
        watch.run_ended(run.completed, run.job, run.state)


def _until(alarm: Mapping[str, Any], now: datetime) -> float:
    """Until when an alarm is judged: with the period that goes on, but where something missing is told."""
    seconds = alarm["seconds"]
    periods = now.timestamp() / seconds
    return float((int(periods) if alarm["missing"] == "missing" else ceil(periods)) * seconds)


def _why(alarm: Mapping[str, Any], change: Change) -> str:
    read = alarm["expression"] or next(iter(alarm["metrics"]))
    of = ", ".join(
        f"{name} is {one['metric']} ({', '.join(f'{key} {value}' for key, value in one['of'].items())})"
        for name, one in alarm["metrics"].items()
    )
    named = of if alarm["expression"] else of.partition(" is ")[2].replace(" ()", "")
    real = [point for point in change.points if point is not None]
    span = f"{alarm['seconds'] * alarm['periods'] // _MINUTE} minutes"
    if change.state == NO_DATA or not real:
        return f"{named}: nothing came in {span}"
    worst = max(real)
    compared = "above" if worst > alarm["above"] else "not above"
    said = f"{read} was {worst:g}, {compared} {alarm['above']:g}, in {span}"
    return f"{said}; {named}" if alarm["expression"] else said.replace(read, named, 1)
