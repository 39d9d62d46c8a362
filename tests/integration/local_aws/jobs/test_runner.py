"""The runner executes what is deployed in the Glue endpoint, as Glue would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.endpoint.app import create_endpoint
from local_aws.endpoint.layers import json_service
from local_aws.jobs.job_process import JobEnvironment, NotReadyError
from local_aws.jobs.runner import GlueRunner

BUCKET = "scripts"

# Writes its arguments where the test finds them; waits for an object where it is told to.
SHELL = """
import json, os, sys, time
import boto3
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
s3 = boto3.client("s3")
def exists(key):
    return s3.list_objects_v2(Bucket="scripts", Prefix=key).get("KeyCount", 0) > 0
s3.put_object(Bucket="scripts", Key="ran/" + arguments["--JOB_RUN_ID"], Body=json.dumps(sys.argv[1:]))
while "--until" in arguments and not exists(arguments["--until"]):
    time.sleep(0.02)
if "--fail_until_attempt" in arguments:
    wanted = "_attempt_" + arguments["--fail_until_attempt"]
    if not arguments["--JOB_RUN_ID"].endswith(wanted):
        raise ValueError("not yet")
if arguments.get("--fail") == "structured":
    print(json.dumps({"event": "job.failed", "error": "UserError", "message": "the bucket is shut"}))
    sys.exit(1)
if arguments.get("--fail") == "silent":
    sys.exit(3)
if arguments.get("--fail") == "killed":
    os.kill(os.getpid(), 9)
"""


class Glue:
    """A Glue endpoint with a runner, and the few requests that the tests make again and again."""

    def __init__(self, state: Path, minute: float = 60.0, *, enforced: bool = False) -> None:
        self.runs = state / "runs"
        self.endpoint = create_endpoint(state, enforced=enforced)
        environment = JobEnvironment(
            self.endpoint.addresses(),
            state / "packages",
            self.runs,
            self.endpoint.runs,
            prepare=self.prepare,
        )
        self.runner = GlueRunner(
            self.endpoint.stack_client("glue"),
            self.endpoint.caller_client("s3"),
            environment,
            minute=minute,
        )
        self.endpoint.add(json_service("AWSGlue", self.runner))
        self.endpoint.start()
        self.glue = self.endpoint.client("glue")
        self.s3 = self.endpoint.client("s3")
        if not (state / "s3" / BUCKET).exists():
            self.s3.create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
            )

    def prepare(self, job: str, report: Callable[[str], None]) -> Mapping[str, str]:
        """Every job lacks nothing but those whose names say so."""
        if job == "lacking":
            report("installing what it lacks")
            raise NotReadyError("It needs charts, which are not here.")
        return {"OF_THE_MACHINE": job}

    def close(self) -> None:
        self.runner.close()
        self.endpoint.stop()

    def reset(self) -> None:
        self.wait_until(lambda: all(run.ended for run in self.runner._runs.values()))
        self.runner._runs.clear()
        self.runner._workflow_runs.clear()
        for trigger in self.glue.list_triggers()["TriggerNames"]:
            self.glue.delete_trigger(Name=trigger)
        for workflow in self.glue.list_workflows()["Workflows"]:
            self.glue.delete_workflow(Name=workflow)
        for job in self.glue.list_jobs()["JobNames"]:
            self.glue.delete_job(JobName=job)
        self.s3.delete_object(Bucket=BUCKET, Key="go")

    def job(
        self,
        name: str,
        arguments: dict[str, str] | None = None,
        *,
        script: str = SHELL,
        retries: int = 0,
        timeout: int = 5,
        concurrent: int = 1,
    ) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}.py", Body=script.encode())
        self.glue.create_job(
            Name=name,
            Role="role",
            Command={
                "Name": "pythonshell",
                "ScriptLocation": f"s3://{BUCKET}/{name}.py",
                "PythonVersion": "3.9",
            },
            DefaultArguments=arguments or {},
            MaxRetries=retries,
            Timeout=timeout,
            ExecutionProperty={"MaxConcurrentRuns": concurrent},
        )

    def trigger(
        self,
        name: str,
        starts: list[str],
        when: list[tuple[str, str]] | None = None,
        *,
        logical: str = "AND",
        workflow: str = "w",
        active: bool = True,
        **action: Any,
    ) -> None:
        request: dict[str, Any] = {
            "Name": name,
            "WorkflowName": workflow,
            "Type": "CONDITIONAL" if when else "ON_DEMAND",
            "Actions": [{"JobName": job, **action} for job in starts],
        }
        if when:
            request["StartOnCreation"] = active
            request["Predicate"] = {
                "Logical": logical,
                "Conditions": [
                    {"LogicalOperator": "EQUALS", "JobName": job, "State": state} for job, state in when
                ],
            }
        self.glue.create_trigger(**request)

    def allow(self, key: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")

    def wait_until(self, condition: Callable[[], Any]) -> Any:
        """Return what `condition` returns, once it is true."""
        pause = threading.Event()
        for _ in range(1500):
            found = condition()
            if found:
                return found
            pause.wait(0.02)
        raise AssertionError("it never came to that")

    def ended(self, job: str, run_id: str) -> dict[str, Any]:
        def look() -> Any:
            run = self.glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
            return "CompletedOn" in run and run

        found: dict[str, Any] = self.wait_until(look)
        return found

    def run(self, job: str, arguments: dict[str, str] | None = None) -> dict[str, Any]:
        return self.ended(job, self.glue.start_job_run(JobName=job, Arguments=arguments or {})["JobRunId"])

    def run_workflow(self, name: str = "w") -> dict[str, Any]:
        run_id = self.glue.start_workflow_run(Name=name)["RunId"]

        def look() -> Any:
            run = self.glue.get_workflow_run(Name=name, RunId=run_id, IncludeGraph=True)["Run"]
            return run["Status"] != "RUNNING" and run

        found: dict[str, Any] = self.wait_until(look)
        return found

    def passed(self, run_id: str) -> dict[str, str]:
        """The arguments that a script found in argv."""
        body = self.s3.get_object(Bucket=BUCKET, Key=f"ran/{run_id}")["Body"].read()
        parts = json.loads(body)
        return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def shared_glue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glue]:
    stack = Glue(tmp_path_factory.mktemp("glue"))
    yield stack
    stack.close()


@pytest.fixture
def glue(shared_glue: Glue) -> Iterator[Glue]:
    """An endpoint in which nothing is deployed and nothing has run."""
    yield shared_glue
    shared_glue.reset()


def states(run: dict[str, Any]) -> dict[str, str]:
    """Job name to the state of its last run in a workflow run."""
    return {node["Name"]: node["JobDetails"]["JobRuns"][-1]["JobRunState"] for node in run["Graph"]["Nodes"]}


def test_a_job_gets_its_arguments_as_glue_passes_them(glue: Glue) -> None:
    glue.job("j", {"--a": "default", "--b": "default"})
    run = glue.run("j", {"--b": "of this run"})
    assert run["JobRunState"] == "SUCCEEDED"
    passed = glue.passed(run["Id"])
    assert passed["--a"] == "default"
    assert passed["--b"] == "of this run"
    assert passed["--JOB_NAME"] == "j"
    assert passed["--JOB_RUN_ID"] == run["Id"]
    assert "--WORKFLOW_NAME" not in passed


def test_the_log_says_which_python_ran(glue: Glue) -> None:
    glue.job("j")
    run = glue.run("j")
    assert (glue.runs / f"{run['Id']}.log").read_text().startswith("# j runs on ")


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("structured", "UserError: the bucket is shut"),
        ("silent", "the script ended with code 3"),
        ("killed", "the job's process was killed by signal SIGKILL"),
    ],
)
def test_a_failed_run_says_why(glue: Glue, how: str, error: str) -> None:
    glue.job("j")
    run = glue.run("j", {"--fail": how})
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", error)


def test_a_job_whose_machine_lacks_something_fails_with_what_that_is_and_is_not_started(glue: Glue) -> None:
    glue.job("lacking")
    run = glue.run("lacking")
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "It needs charts, which are not here.")
    assert "# installing what it lacks\n" in (glue.runs / f"{run['Id']}.log").read_text()
    with pytest.raises(ClientError, match="NoSuchKey"):
        glue.passed(run["Id"])


def test_a_job_gets_the_variables_of_what_was_prepared_for_it(glue: Glue) -> None:
    glue.job("try", script="import os; assert os.environ['OF_THE_MACHINE'] == 'try'")
    assert glue.run("try")["JobRunState"] == "SUCCEEDED"


def test_an_exception_is_the_error_of_the_run(glue: Glue) -> None:
    glue.job("j", script="raise ValueError('this way not')")
    assert glue.run("j")["ErrorMessage"] == "ValueError: this way not"


def test_a_missing_script_fails_the_run(glue: Glue) -> None:
    glue.job("j")
    glue.s3.delete_object(Bucket=BUCKET, Key="j.py")
    run = glue.run("j")
    assert run["JobRunState"] == "FAILED"
    assert "s3://scripts/j.py could not be fetched" in run["ErrorMessage"]


def test_too_many_runs_are_refused(glue: Glue) -> None:
    glue.job("j", {"--until": "go"})
    run_id = glue.glue.start_job_run(JobName="j")["JobRunId"]
    with pytest.raises(glue.glue.exceptions.ConcurrentRunsExceededException):
        glue.glue.start_job_run(JobName="j")
    glue.allow("go")
    assert glue.ended("j", run_id)["JobRunState"] == "SUCCEEDED"


def test_a_run_beyond_its_timeout_is_killed(tmp_path: Path) -> None:
    glue = Glue(tmp_path, minute=0.5)
    try:
        glue.job("j", {"--until": "never"}, timeout=1)
        run = glue.run("j")
        assert run["JobRunState"] == "TIMEOUT"
    finally:
        glue.close()


def test_a_stopped_run_takes_its_children_with_it(glue: Glue) -> None:
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True)\n"
        "child.wait()\n"
    )
    glue.job("j", script=parent)
    run_id = glue.glue.start_job_run(JobName="j")["JobRunId"]
    log = glue.runs / f"{run_id}.log"
    glue.wait_until(lambda: log.exists() and "child" in log.read_text())
    answer = glue.glue.batch_stop_job_run(JobName="j", JobRunIds=[run_id, "jr_unknown"])
    assert answer["SuccessfulSubmissions"] == [{"JobName": "j", "JobRunId": run_id}]
    assert answer["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    assert glue.ended("j", run_id)["JobRunState"] == "STOPPED"
    import psutil

    child = int(log.read_text().split("child ")[1].split()[0])
    glue.wait_until(
        lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    )
    answer = glue.glue.batch_stop_job_run(JobName="j", JobRunIds=[run_id])
    assert answer["Errors"][0]["ErrorDetail"]["ErrorMessage"] == "has ended"


def test_a_failed_run_is_tried_again_as_often_as_the_job_says(glue: Glue) -> None:
    glue.job("j", {"--fail_until_attempt": "2"}, retries=2)
    run_id = glue.glue.start_job_run(JobName="j")["JobRunId"]
    last = glue.ended("j", glue.wait_until(lambda: _attempt(glue, run_id, 2)))
    assert last["JobRunState"] == "SUCCEEDED"
    assert last["PreviousRunId"] == f"{run_id}_attempt_1"
    attempts = glue.glue.get_job_runs(JobName="j")["JobRuns"]
    assert [run["Attempt"] for run in attempts] == [2, 1, 0]
    assert [run["JobRunState"] for run in attempts] == ["SUCCEEDED", "FAILED", "FAILED"]


def _attempt(glue: Glue, run_id: str, number: int) -> str | None:
    known = {run["Id"] for run in glue.glue.get_job_runs(JobName="j")["JobRuns"]}
    wanted = f"{run_id}_attempt_{number}"
    return wanted if wanted in known else None


def test_a_workflow_runs_side_by_side_and_joins(glue: Glue) -> None:
    for name in ("first", "left", "right", "last"):
        glue.job(name)
    glue.glue.create_workflow(Name="w", DefaultRunProperties={"kind": "test"})
    glue.trigger("start", ["first"], Arguments={"--from": "the trigger"})
    glue.trigger("fork", ["left", "right"], [("first", "SUCCEEDED")])
    glue.trigger("join", ["last"], [("left", "SUCCEEDED"), ("right", "SUCCEEDED")])
    run = glue.run_workflow()
    assert run["Status"] == "COMPLETED"
    assert states(run) == dict.fromkeys(("first", "left", "right", "last"), "SUCCEEDED")
    assert run["Statistics"]["SucceededActions"] == 4
    assert run["WorkflowRunProperties"] == {"kind": "test"}
    began = {node["Name"]: node["JobDetails"]["JobRuns"][0] for node in run["Graph"]["Nodes"]}
    assert began["first"]["CompletedOn"] <= began["left"]["StartedOn"]
    assert max(began["left"]["CompletedOn"], began["right"]["CompletedOn"]) <= began["last"]["StartedOn"]
    passed = glue.passed(began["first"]["Id"])
    assert passed["--from"] == "the trigger"
    assert passed["--WORKFLOW_NAME"] == "w"
    assert passed["--WORKFLOW_RUN_ID"] == run["WorkflowRunId"]


def test_a_failure_stops_the_chain_and_fires_what_watches_for_it(glue: Glue) -> None:
    glue.job("first", {"--fail": "silent"})
    glue.job("next")
    glue.job("alarm")
    glue.glue.create_workflow(Name="w")
    glue.trigger("start", ["first"])
    glue.trigger("go_on", ["next"], [("first", "SUCCEEDED")])
    glue.trigger("mend", ["alarm"], [("first", "FAILED"), ("first", "TIMEOUT")], logical="ANY")
    run = glue.run_workflow()
    assert states(run) == {"first": "FAILED", "alarm": "SUCCEEDED"}
    assert run["Statistics"]["FailedActions"] == 1


def test_any_fires_once_for_the_first_of_its_conditions(glue: Glue) -> None:
    for name in ("left", "right", "last"):
        glue.job(name)
    glue.glue.create_workflow(Name="w")
    glue.trigger("start", ["left", "right"])
    glue.trigger("either", ["last"], [("left", "SUCCEEDED"), ("right", "SUCCEEDED")], logical="ANY")
    run = glue.run_workflow()
    assert len(glue.glue.get_job_runs(JobName="last")["JobRuns"]) == 1
    assert states(run)["last"] == "SUCCEEDED"


def test_a_trigger_that_is_not_activated_does_not_fire(glue: Glue) -> None:
    glue.job("first")
    glue.job("next")
    glue.glue.create_workflow(Name="w")
    glue.trigger("start", ["first"])
    glue.trigger("asleep", ["next"], [("first", "SUCCEEDED")], active=False)
    assert states(glue.run_workflow()) == {"first": "SUCCEEDED"}


def test_a_job_that_no_trigger_started_fires_nothing(glue: Glue) -> None:
    glue.job("first")
    glue.job("next")
    glue.glue.create_workflow(Name="w")
    glue.trigger("start", ["first"])
    glue.trigger("go_on", ["next"], [("first", "SUCCEEDED")])
    assert glue.run("first")["JobRunState"] == "SUCCEEDED"
    assert glue.glue.get_job_runs(JobName="next")["JobRuns"] == []


def test_an_action_that_cannot_start_is_a_run_in_error(glue: Glue) -> None:
    glue.job("first", {"--until": "go"})
    glue.job("next")
    glue.glue.create_workflow(Name="w")
    glue.trigger("start", ["first"])
    glue.trigger("go_on", ["next"], [("first", "FAILED")])
    alone = glue.glue.start_job_run(JobName="first")["JobRunId"]
    run = glue.run_workflow()
    assert states(run) == {"first": "ERROR"}
    assert run["Statistics"]["ErroredActions"] == 1
    glue.allow("go")
    glue.ended("first", alone)


def test_a_workflow_refuses_more_runs_than_it_may_have(glue: Glue) -> None:
    glue.job("first", {"--until": "go"})
    glue.glue.create_workflow(Name="w", MaxConcurrentRuns=1)
    glue.trigger("start", ["first"])
    run_id = glue.glue.start_workflow_run(Name="w", RunProperties={"a": "1"})["RunId"]
    with pytest.raises(glue.glue.exceptions.ConcurrentRunsExceededException):
        glue.glue.start_workflow_run(Name="w")
    glue.glue.put_workflow_run_properties(Name="w", RunId=run_id, RunProperties={"b": "2"})
    assert glue.glue.get_workflow_run_properties(Name="w", RunId=run_id)["RunProperties"] == {
        "a": "1",
        "b": "2",
    }
    glue.glue.stop_workflow_run(Name="w", RunId=run_id)
    stopped = glue.wait_until(
        lambda: next(
            (r for r in glue.glue.get_workflow_runs(Name="w")["Runs"] if r["Status"] == "STOPPED"), None
        )
    )
    assert stopped["WorkflowRunId"] == run_id
    assert stopped["Statistics"]["StoppedActions"] == 1
    with pytest.raises(glue.glue.exceptions.IllegalWorkflowStateException):
        glue.glue.stop_workflow_run(Name="w", RunId=run_id)


@pytest.mark.parametrize(
    "ask",
    [
        lambda glue: glue.start_job_run(JobName="unknown"),
        lambda glue: glue.get_job_run(JobName="unknown", RunId="jr_1"),
        lambda glue: glue.get_job_runs(JobName="unknown"),
        lambda glue: glue.start_workflow_run(Name="unknown"),
        lambda glue: glue.get_workflow_run(Name="unknown", RunId="wr_1"),
        lambda glue: glue.get_workflow_runs(Name="unknown"),
    ],
)
def test_what_is_not_there_is_not_found(glue: Glue, ask: Callable[[Any], Any]) -> None:
    with pytest.raises(ClientError) as refusal:
        ask(glue.glue)
    assert refusal.value.response["Error"]["Code"] == "EntityNotFoundException"


def test_a_workflow_without_a_start_is_refused(glue: Glue) -> None:
    glue.glue.create_workflow(Name="w")
    with pytest.raises(glue.glue.exceptions.InvalidInputException):
        glue.glue.start_workflow_run(Name="w")


def test_runs_are_known_after_a_restart_and_interrupted_ones_were_stopped(tmp_path: Path) -> None:
    first = Glue(tmp_path)
    first.job("j")
    done = first.run("j")
    first.close()
    interrupted = (tmp_path / "runs" / f"{done['Id']}.json").read_text()
    (tmp_path / "runs" / "jr_cut.json").write_text(
        interrupted.replace(done["Id"], "jr_cut").replace('"SUCCEEDED"', '"RUNNING"')
    )
    second = Glue(tmp_path)
    try:
        second.job("j")
        known = {run["Id"]: run for run in second.glue.get_job_runs(JobName="j")["JobRuns"]}
        assert known[done["Id"]]["JobRunState"] == "SUCCEEDED"
        # It was not the job's fault, and nobody takes it for one that ran out of memory.
        assert known["jr_cut"]["JobRunState"] == "STOPPED"
        assert "ended while the job ran" in known["jr_cut"]["ErrorMessage"]
    finally:
        second.close()


def test_a_disk_that_takes_nothing_fails_runs_and_keeps_none_from_starting(tmp_path: Path) -> None:
    glue = Glue(tmp_path)
    try:
        glue.job("j")
        glue.glue.create_workflow(Name="w", MaxConcurrentRuns=1)
        glue.trigger("start", ["j"])
        # Root writes everywhere: a file is where the folder is made.
        glue.runs.write_text("")
        for _ in range(2):
            run = glue.run_workflow()
            assert (run["Status"], states(run)) == ("COMPLETED", {"j": "FAILED"})
        glue.runs.unlink()
        after = glue.run_workflow()
        assert states(after) == {"j": "SUCCEEDED"}
        kept = [json.loads(path.read_text()) for path in glue.runs.glob("*r_*.json")]
        # What could not be written then was written as soon as it could.
        assert sorted(run.get("state") or run["status"] for run in kept) == [
            *["COMPLETED"] * 3,
            *["FAILED"] * 2,
            "SUCCEEDED",
        ]
    finally:
        glue.close()


def test_closing_stops_what_runs(tmp_path: Path) -> None:
    glue = Glue(tmp_path)
    glue.job("j", {"--until": "never"})
    run_id = glue.glue.start_job_run(JobName="j")["JobRunId"]
    glue.wait_until((glue.runs / f"{run_id}.log").exists)
    glue.runner.close()
    assert glue.glue.get_job_run(JobName="j", RunId=run_id)["JobRun"]["JobRunState"] == "STOPPED"
    with pytest.raises(ClientError):
        glue.glue.start_job_run(JobName="j")
    glue.close()


def test_runs_come_in_pages(glue: Glue) -> None:
    glue.job("j")
    ids = [glue.run("j")["Id"] for _ in range(3)]
    page = glue.glue.get_job_runs(JobName="j", MaxResults=2)
    rest = glue.glue.get_job_runs(JobName="j", NextToken=page["NextToken"])
    assert [run["Id"] for run in page["JobRuns"] + rest["JobRuns"]] == ids[::-1]


def test_jobs_see_nothing_of_the_callers_accounts(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PGPASSWORD", "secret")
    glue.job(
        "j", script="import os\nprint(sorted(n for n in os.environ if n in ('AWS_PROFILE', 'PGPASSWORD')))"
    )
    run = glue.run("j")
    assert "[]" in (glue.runs / f"{run['Id']}.log").read_text()


def test_other_actions_are_left_to_moto() -> None:
    runner = GlueRunner.__new__(GlueRunner)
    runner._actions = {}
    assert runner.handle("GetTable", {}) is None


# Waits until the keys that it began with have ended, and goes on with those that SDKs fetch meanwhile.
OUTLIVES_ITS_KEYS = """
import os, time, boto3
from botocore.exceptions import ClientError
assert not [name for name in os.environ if name.startswith("AWS_") and "KEY" in name]
s3 = boto3.client("s3")
first = boto3.session.Session().get_credentials().get_frozen_credentials()
old = boto3.client("s3", aws_access_key_id=first.access_key, aws_secret_access_key=first.secret_key,
                   aws_session_token=first.token)
while True:
    try:
        old.list_objects_v2(Bucket="scripts")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ExpiredToken", error
        break
    time.sleep(0.05)
s3.put_object(Bucket="scripts", Key="outlived", Body=b"")
try:
    s3.delete_object(Bucket="scripts", Key="outlived")
except ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("it may remove")
"""


@pytest.fixture
def enforcing(tmp_path: Path) -> Iterator[Glue]:
    """A runner whose runs have keys of their own, which end after two seconds."""
    made = Glue(tmp_path, enforced=True)
    made.endpoint.runs.lasting = timedelta(seconds=2)
    yield made
    made.close()


def deploy_role(glue: Glue, *allowed: str) -> None:
    iam = glue.endpoint.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    rights = {"Effect": "Allow", "Action": list(allowed), "Resource": "*"}

    def document(statement: Mapping[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam.create_role(RoleName="role", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="role", PolicyName="p", PolicyDocument=document(rights))


def test_a_run_has_its_role_s_rights_and_outlives_its_first_keys(enforcing: Glue) -> None:
    deploy_role(enforcing, "s3:GetObject", "s3:ListBucket", "s3:PutObject")
    enforcing.job("j", script=OUTLIVES_ITS_KEYS)
    run = enforcing.run("j")
    assert run["JobRunState"] == "SUCCEEDED", run


def test_a_run_whose_role_may_not_read_its_script_fails_and_says_so(enforcing: Glue) -> None:
    deploy_role(enforcing, "s3:ListBucket")
    enforcing.job("j")
    ended = enforcing.run("j")
    assert ended["JobRunState"] == "FAILED"
    assert "not authorized to perform: s3:GetObject" in ended["ErrorMessage"]


def test_a_run_whose_role_is_not_there_fails_and_says_so(enforcing: Glue) -> None:
    enforcing.job("j")
    ended = enforcing.run("j")
    assert (ended["JobRunState"], ended["ErrorMessage"]) == ("FAILED", "there is no role role")
