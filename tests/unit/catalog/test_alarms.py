"""What CloudWatch is told to look at, and that the tests judge alarms as CloudWatch does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog.alarms import ALARMS, minutes_between, read_alarms, scheduled_jobs, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import API_CALLERS, load_pipeline
from catalog.yaml_lines import ContractError
from local_aws.alarms import ALARM, NO_DATA, OK, state_after
from tests.alarm_entries import by_entry
from tests.alert_messages import every_message

PIPELINE, CATALOG = load_pipeline(), load_catalogue()
SPELLED = spell_out(read_alarms(PIPELINE), PIPELINE, CATALOG)

RETAINED = "retained"

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")

# As CloudWatch's documentation has them: 0 within the threshold, X beyond it, - missing; the newest last.
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (NO_DATA, RETAINED, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAINED, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAINED, ALARM, OK),
}


@pytest.mark.parametrize(
    ("enough", "points", "missing", "expected"),
    [
        (enough, points, missing, state)
        for enough, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
        for points, states in table.items()
        for missing, state in zip(TREATMENTS, states, strict=True)
    ],
)
def test_an_alarm_is_judged_as_cloudwatch_documents_it(
    enough: int, points: str, missing: str, expected: str
) -> None:
    values = [{"0": 0.0, "X": 2.0, "-": None}[point] for point in points.split()]
    for before in (OK, ALARM):
        found = state_after(values, before, above=1, periods=3, enough=enough, missing=missing)
        assert found == (before if expected == RETAINED else expected)


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -", "- - - X 0", "- - X - 0"])
def test_one_late_datapoint_fires_nothing_that_wants_three(points: str) -> None:
    values = [{"0": 0.0, "X": 2.0, "-": None}[point] for point in points.split()]
    assert state_after(values, OK, above=1, periods=3, enough=3, missing="missing") == OK


def test_every_job_every_captured_table_and_every_secret_is_looked_at() -> None:
    named = by_entry(SPELLED)
    assert len(named["job-failed"]) == len(PIPELINE.jobs)
    assert len(named["table-paused"]) == len(CATALOG.captured) < len(CATALOG.raw)
    assert len(named["rows-rejected"]) == len(CATALOG.raw)
    assert len(named["secret-refused"]) == len(PIPELINE.databases)
    awaited = [name for name, function in PIPELINE.functions.items() if function.is_awaited]
    assert len(named["function-failed"]) == len(PIPELINE.functions) - len(awaited)
    assert len(named["api-failing"]) == len(named["api-throttled"]) == 2 * len(awaited)
    scheduled = set(scheduled_jobs(PIPELINE))
    assert named["job-silent"] == tuple(f"job-silent-{job.replace('_', '-')}" for job in _in_order(scheduled))


def _in_order(jobs: set[str]) -> list[str]:
    started = [job for one in PIPELINE.schedules.values() for job in PIPELINE.started_by(one.workflow)]
    return [job for job in started if job in jobs]


TOLD_TO_OWNERS = ("rows-rejected", "table-paused")


def test_the_owner_of_a_table_is_told_of_it() -> None:
    for table, contract in CATALOG.raw.items():
        for entry in TOLD_TO_OWNERS if table in CATALOG.captured else TOLD_TO_OWNERS[:1]:
            alarm = SPELLED[f"{entry}-{table.replace('_', '-')}"]
            assert (alarm["owner"], table in alarm["words"]) == (contract.owner, True)
    others = [alarm for alarm in SPELLED.values() if alarm["entry"] not in TOLD_TO_OWNERS]
    assert {alarm["owner"] for alarm in others} == {None}


def test_what_is_said_of_a_job_that_fails_is_its_own() -> None:
    words = {name: alarm["words"] for name, alarm in SPELLED.items() if alarm["entry"] == "job-failed"}
    assert all(job in words[f"job-failed-{job.replace('_', '-')}"] for job in PIPELINE.jobs)
    # What retries by itself and what a person has to start are told apart.
    assert "nothing does by itself" in words["job-failed-replay-dead-letters"]
    assert "It is tried again" in words["job-failed-transform"]


def test_nothing_is_left_to_fill_in_but_what_a_deployment_names() -> None:
    left = {word for alarm in SPELLED.values() for word in re.findall(r"\{\w+\}", str(alarm))}
    named = {
        word
        for name, function in PIPELINE.functions.items()
        for word in (
            [f"api_{name}_{callers}" for callers in API_CALLERS]
            if function.is_awaited
            else [f"failed_{name}"]
        )
    }
    assert left == {"{rule}", "{queue}", *(f"{{{word}}}" for word in named)}


def test_every_alarm_has_a_message_for_its_begin_and_one_for_its_end() -> None:
    for alarm in SPELLED.values():
        assert "OK" in alarm["tells"]
        assert len(alarm["tells"]) == 2


def test_a_job_without_words_is_refused(tmp_path: Path) -> None:
    text = ALARMS.read_text(encoding="utf-8")
    cut = text[: text.index("  maintain_lake:")]
    path = tmp_path / "alarms.yaml"
    path.write_text(cut, encoding="utf-8")
    with pytest.raises(ContractError, match=r"alarms.yaml:\d+: every job has its words.*maintain_lake"):
        read_alarms(PIPELINE, path)


def test_a_schedule_that_nobody_can_tell_the_silence_of_is_refused() -> None:
    schedules = [schedule.expression for schedule in PIPELINE.schedules.values()]
    assert sorted({minutes_between(schedule) for schedule in schedules}) == [10, 60, 1440]
    with pytest.raises(ValueError, match="none of every so many minutes"):
        minutes_between("cron(0 8 ? * MON *)")


def test_every_alert_s_message_is_the_one_that_was_read() -> None:
    kept = (Path(__file__).parents[2] / "cases" / "alerts" / "messages.txt").read_text("utf-8")
    # Read what is new, then keep it as tests/alert_messages.py says.
    assert every_message() == kept


def test_an_alarm_about_what_tells_of_alarms_goes_by_mail_alone() -> None:
    alone = {name for name, alarm in SPELLED.items() if alarm["by_mail_alone"]}
    assert alone == {"function-failed-notify-slack"}
    options = {name: alarm["option"] for name, alarm in SPELLED.items() if alarm["option"]}
    assert options == {
        **dict.fromkeys(alone, "slack"),
        **{f"{entry}-payments-api-programs": "http_api" for entry in ("api-failing", "api-throttled")},
        **{
            f"{entry}-payments-api-people": "http_api_for_people"
            for entry in ("api-failing", "api-throttled")
        },
    }
