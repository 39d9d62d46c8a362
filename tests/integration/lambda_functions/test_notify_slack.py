"""What is posted to Slack, and each way in which Slack does not take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

import catalog
import glue_jobs
import lambda_functions
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.rights import documents, fill, role_name
from glue_jobs.runtime.errors import UserError
from lakehouse.daemon import add_functions
from lakehouse.local_deployment import function_request
from lambda_functions.notify_slack import SlackError, message, read_webhook, send
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.services import Services
from local_aws.functions.runner import FunctionRunner
from tests.slack import TOKEN, FakeSlack, alarm_text

PIPELINE = load_pipeline()
SECRET = PIPELINE.secrets["slack"].name


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as found:
        yield found


# --- what is said -------------------------------------------------------------------------------------


def test_a_message_is_within_what_slack_takes_and_mentions_nobody() -> None:
    long = message(alarm_text("n" * 300, "ALARM", "<!channel> & <@U1> " * 400, "entry"))
    header, section, context = long["blocks"]
    assert len(header["text"]["text"]) == 150
    assert len(section["text"]["text"]) <= 3000
    assert "<" not in section["text"]["text"]
    assert not section["text"]["text"].endswith(("&", "&l", "&lt", "&am", "&amp…"))
    assert context["elements"][0]["text"] == "<https://example.org/runbook.md#entry|What to do>"


@pytest.mark.parametrize("text", ["Something else happened.", "[1]", "{}", "7"])
def test_what_is_no_alarm_is_said_as_it_is(text: str) -> None:
    assert message(text)["blocks"] == [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]


def test_an_alarm_without_a_link_has_none() -> None:
    stated = {"AlarmName": "a", "AlarmDescription": "Only words.", "NewStateValue": "OK"}
    assert [block["type"] for block in message(json.dumps(stated))["blocks"]] == ["header", "section"]
    assert [block["type"] for block in message('{"AlarmName": "a"}')["blocks"]] == ["header"]


# --- what Slack answers --------------------------------------------------------------------------------


def test_a_message_is_posted_once(slack: FakeSlack) -> None:
    send(urlsplit(slack.webhook), {"text": "é"})
    assert slack.taken == [{"text": "é"}]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, "something broke", {}), "500, something else. It is tried again"),
        ((503, "", {}), "503, something else. It is tried again"),
        # A page of a proxy's, and a page that a redirection leads to, are no answers of Slack's.
        ((200, "<html>welcome</html>", {}), "200, something else."),
        ((302, "", {"Location": "https://elsewhere.example/"}), "302, something else."),
        ((400, "invalid_payload", {}), "400, invalid_payload. The message is not as Slack wants it"),
        ((403, "invalid_token", {}), "403, invalid_token. Make a webhook again"),
        ((403, "action_prohibited", {}), "403, action_prohibited. Ask whoever administers Slack"),
        ((404, "no_service", {}), "404, no_service. Make a webhook again"),
        ((404, "channel_not_found", {}), "404, channel_not_found. Make a webhook for another channel"),
        ((410, "channel_is_archived", {}), "410, channel_is_archived. Make a webhook for another channel"),
    ],
)
def test_what_slack_does_not_take_is_said_in_words_that_say_what_to_do(
    slack: FakeSlack, answer: Any, words: str
) -> None:
    slack.answers = [answer]
    with pytest.raises(SlackError) as refusal:
        send(urlsplit(slack.webhook), {"text": "t"})
    assert words in str(refusal.value)
    assert TOKEN not in str(refusal.value)
    assert len(slack.taken) == 1


@pytest.mark.parametrize(("stated", "waited"), [("3", 3.0), ("600", 10.0), (None, 1.0), ("soon", 1.0)])
def test_when_slack_asks_to_wait_that_is_done_once(
    slack: FakeSlack, stated: str | None, waited: float
) -> None:
    headers = {} if stated is None else {"Retry-After": stated}
    slack.answers, waits = [(429, "rate_limited", headers)], list[float]()
    send(urlsplit(slack.webhook), {"text": "t"}, wait=waits.append)
    assert (waits, len(slack.taken)) == ([waited], 2)
    slack.answers = [(429, "rate_limited", headers)] * 2
    with pytest.raises(SlackError, match="429, rate_limited"):
        send(urlsplit(slack.webhook), {"text": "t"}, wait=waits.append)
    assert len(waits) == 2


def test_a_slack_that_does_not_answer_in_time_is_not_waited_for(slack: FakeSlack) -> None:
    slack.answers = [None]
    with pytest.raises(SlackError, match=r"does not answer \(TimeoutError\)"):
        send(urlsplit(slack.webhook), {"text": "t"}, seconds=0.05)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", "RemoteDisconnected"),
        (b"220 mail.example ESMTP\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "HTTPException"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", "IncompleteRead"),
    ],
)
def test_an_answer_that_is_cut_or_is_no_answer_is_told(slack: FakeSlack, said: bytes, error: str) -> None:
    slack.answers = [said]
    with pytest.raises(SlackError, match=rf"does not answer \({error}\)") as refusal:
        send(urlsplit(slack.webhook), {"text": "t"})
    assert TOKEN not in str(refusal.value)
    assert len(slack.taken) == 1


def test_a_slack_that_cannot_show_who_it_is_is_told_nothing(slack: FakeSlack) -> None:
    with pytest.raises(SlackError, match=r"does not answer \(SSLError\)"):
        send(urlsplit(slack.webhook.replace("http://", "https://")), {"text": "t"})
    assert slack.taken == []


def test_a_slack_that_is_not_there_is_told() -> None:
    with FakeSlack() as gone:
        address = urlsplit(gone.webhook)
    with pytest.raises(SlackError, match=r"does not answer \(ConnectionRefusedError\)") as refusal:
        send(address, {"text": "t"})
    assert TOKEN not in str(refusal.value)
    assert refusal.value.__cause__ is None


# --- where it is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json " + TOKEN, "does not hold a webhook"),
        (json.dumps({"dsn": TOKEN}), "does not hold a webhook"),
        (json.dumps([TOKEN]), "does not hold a webhook"),
        (json.dumps({"webhook": f"https://hooks.slack.com:no/{TOKEN}"}), "does not hold a webhook"),
        (json.dumps({"webhook": f"http://hooks.slack.com/{TOKEN}"}), "is none of Slack's"),
        (json.dumps({"webhook": f"https://hooks.slack.com.example/{TOKEN}"}), "is none of Slack's"),
        (json.dumps({"webhook": f"https://me@elsewhere.example/{TOKEN}"}), "is none of Slack's"),
        (json.dumps({"webhook": TOKEN}), "is none of Slack's"),
    ],
)
def test_a_secret_that_is_no_webhook_is_refused_and_not_shown(tmp_path: Path, text: str, words: str) -> None:
    with create_endpoint(tmp_path) as endpoint:
        manager = endpoint.client("secretsmanager")
        manager.create_secret(Name=SECRET, SecretString=text)
        with pytest.raises(UserError, match=words) as refusal:
            read_webhook(manager, SECRET)
        assert TOKEN not in str(refusal.value)
        assert refusal.value.__cause__ is None
        with pytest.raises(UserError, match=r"cannot be read \(ResourceNotFoundException\)"):
            read_webhook(manager, "nothing")


# --- all of it -----------------------------------------------------------------------------------------


class Told:
    """An endpoint with the function on a topic, under the rights that the pipeline makes for it."""

    def __init__(self, endpoint: Endpoint, runner: FunctionRunner, logs: Path, webhook: str) -> None:
        self.runner, self.logs, place = runner, logs, endpoint.guard.place
        self.sns, self.sqs, self.endpoint = endpoint.client("sns"), endpoint.client("sqs"), endpoint
        self.services = Services(endpoint.guard)
        manager = endpoint.client("secretsmanager")
        manager.create_secret(Name=SECRET, SecretString=json.dumps({"webhook": webhook}))
        made = documents(PIPELINE, load_catalogue())
        values = {"partition": "aws", "region": place.region, "account": place.account}
        values |= {"name": PIPELINE.name, "secrets_key": "arn:aws:kms:eu-west-2:1:key/none"}
        iam, name = endpoint.client("iam"), role_name(PIPELINE.name, "notify_slack")
        trust = json.dumps(fill(made["lambda_takes_roles.json"], values))
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        rights = json.dumps(fill(made["functions/notify_slack.json"], values))
        iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=rights)
        functions, stated = endpoint.client("lambda"), PIPELINE.functions["notify_slack"]
        functions.create_function(**function_request(PIPELINE, "notify_slack", stated, {}, role))
        self.queue = self.sqs.create_queue(QueueName=f"{name}-failed")["QueueUrl"]
        queue = f"arn:aws:sqs:{place.region}:{place.account}:{name}-failed"
        functions.put_function_event_invoke_config(
            FunctionName=name,
            MaximumRetryAttempts=stated.retries,
            DestinationConfig={"OnFailure": {"Destination": queue}},
        )
        self.topic = self.sns.create_topic(Name="alerts")["TopicArn"]
        self.functions, self.name = functions, name
        arn = f"arn:aws:lambda:{place.region}:{place.account}:function:{name}"
        self.sns.subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=arn)

    def allow(self) -> None:
        self.functions.add_permission(
            FunctionName=self.name,
            StatementId="the-topic-calls",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=self.topic,
        )

    def publish(self, text: str) -> None:
        self.sns.publish(TopicArn=self.topic, Message=text)
        self.runner.wait()

    def left(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in found.get("Messages", ())]


@pytest.fixture
def told(tmp_path: Path, slack: FakeSlack) -> Iterator[Told]:
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in (catalog, glue_jobs, lambda_functions):
        (packages / package.__name__).symlink_to(Path(str(package.__file__)).parent)
    endpoint = create_endpoint(tmp_path / "state", enforced=True)
    runner = add_functions(endpoint, packages, tmp_path / "logs", minute=0.001)
    with endpoint:
        try:
            yield Told(endpoint, runner, tmp_path / "logs", slack.webhook)
        finally:
            runner.close()


TEXT = alarm_text("job-silent-transform", "ALARM", "No run has ended.", "job-silent")


def test_an_alert_of_the_topic_is_posted_and_one_that_is_not_taken_is_left_for_the_mail(
    told: Told, slack: FakeSlack
) -> None:
    told.publish(TEXT)
    # Without its permission a topic calls nothing.
    assert slack.taken == []
    told.allow()
    told.publish(TEXT)
    assert slack.taken == [message(TEXT)]
    assert told.left() == []
    # It is tried three times, and taken at the third.
    slack.answers = [(500, "", {}), (500, "", {})]
    told.publish(TEXT)
    assert len(slack.taken) == 4
    assert told.left() == []
    slack.answers = [(404, "no_service", {})] * 3
    told.publish(TEXT)
    (left,) = told.left()
    assert left["requestPayload"]["Records"][0]["Sns"]["Message"] == TEXT
    assert "404, no_service. Make a webhook again" in left["responsePayload"]["errorMessage"]
    log = (told.logs / f"{told.name}.log").read_text()
    assert "notify_slack.sent" in log
    assert TOKEN not in log + json.dumps(left)


def test_the_function_reads_its_secret_and_no_other(told: Told) -> None:
    manager = told.endpoint.client("secretsmanager")
    manager.create_secret(Name=PIPELINE.secrets["source"].name, SecretString='{"dsn": "x"}')
    identity = told.endpoint.runs.begin(told.name, "run", "lambda.amazonaws.com")
    from local_aws.endpoint.guard import working_for

    client = told.endpoint.caller_client("secretsmanager")
    with working_for(identity.key):
        assert TOKEN in client.get_secret_value(SecretId=SECRET)["SecretString"]
        with pytest.raises(ClientError, match="AccessDenied"):
            client.get_secret_value(SecretId=PIPELINE.secrets["source"].name)
