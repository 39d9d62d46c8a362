"""What `make deploy` refuses before AWS is asked, in words that say what to do."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from tools import deploy


def test_an_environment_that_is_not_there_is_named_beside_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy.main(["plan", "staging"]) == 1
    said = capsys.readouterr().err
    assert "no environment 'staging'; there are dev, prod" in said
    assert "Traceback" not in said


def test_a_file_without_a_region_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.tfvars").write_text('environment = "one"\n# region = "eu-west-2"\n')
    with pytest.raises(deploy.DeployError, match="states no region"):
        deploy.region_of(deploy.environment_file("one", tmp_path))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_every_environment_states_its_own_name_and_a_region(name: str) -> None:
    path = deploy.environment_file(name)
    assert deploy.region_of(path) == "eu-west-2"
    assert f'= "{name}"' in path.read_text()


def test_without_terraform_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(deploy.DeployError, match="no terraform on PATH"):
        deploy.run("plan", "dev", [])


def test_who_has_not_confirmed_is_named_once() -> None:
    waiting, told = "PendingConfirmation", "arn:aws:sns:eu-west-2:123456789012:alerts:1"
    listed = [("b@example.org", waiting), ("a@example.org", waiting), ("c@example.org", told)] * 2
    found = deploy.unconfirmed({"Endpoint": address, "SubscriptionArn": arn} for address, arn in listed)
    assert found == ["a@example.org", "b@example.org"]


def test_planning_and_deploying_change_no_bucket_of_states_and_say_who_makes_one() -> None:
    s3 = boto3.client("s3", region_name="eu-west-2", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(s3) as answers:
        answers.add_response("head_bucket", {}, {"Bucket": "states"})
        deploy.require_state_bucket(s3, "states", "dev")
        answers.add_client_error("head_bucket", "404", expected_params={"Bucket": "states"})
        with pytest.raises(deploy.DeployError, match="make bootstrap ENV=dev"):
            deploy.require_state_bucket(s3, "states", "dev")
        answers.assert_no_pending_responses()


def test_only_the_file_of_an_environment_says_that_its_data_may_go(tmp_path: Path) -> None:
    assert deploy.is_disposable(deploy.environment_file("dev"))
    assert not deploy.is_disposable(deploy.environment_file("prod"))
    for text in (
        "data_is_disposable = false",
        "# data_is_disposable = true",
        "",
        "data_is_disposable = trueish",
    ):
        (tmp_path / "one.tfvars").write_text(text)
        assert not deploy.is_disposable(tmp_path / "one.tfvars")


def test_what_guards_data_is_dropped_where_its_file_says_that_it_may_go() -> None:
    asked: list[tuple[str, ...]] = []

    def terraform(state: str) -> deploy.Run:
        def run(*arguments: str) -> str:
            asked.append(arguments)
            return state

        return run

    guarded = '{"resources": [{"module": "module.guard", "instances": [{}]}]}'
    assert deploy.drop_guard(terraform(guarded))
    assert asked == [("state", "pull"), ("state", "rm", deploy.GUARD)]
    for state in ("", "{}", '{"resources": [{"module": "module.guard", "instances": []}]}'):
        assert not deploy.drop_guard(terraform(state))
