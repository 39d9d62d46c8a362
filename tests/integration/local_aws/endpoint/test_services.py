"""Services of AWS come to nothing whose policy, and whose key's policy, does not let them in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.services import Services

BUCKET, LOGS = "sites", "/aws/events/ends"
END = ("aws.glue", "Glue Job State Change", {"jobName": "load", "state": "FAILED"})


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def lets_in(service: str, *actions: str, on: str, **condition: Any) -> dict[str, Any]:
    stated = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
    more = {"Condition": condition} if condition else {}
    return {**stated, "Action": list(actions), "Resource": on, **more}


class World:
    """An endpoint with a rule, an alarm, a distribution, and what they may come to."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.services = endpoint, Services(endpoint.guard)
        self.events, self.sns, self.sqs = (endpoint.client(name) for name in ("events", "sns", "sqs"))
        self.kms, self.s3, self.logs = (endpoint.client(name) for name in ("kms", "s3", "logs"))
        self.cloudwatch = endpoint.client("cloudwatch")
        self.account = endpoint.account_id
        pattern = json.dumps({"source": ["aws.glue"], "detail": {"state": ["FAILED", "TIMEOUT"]}})
        self.rule: str = self.events.put_rule(Name="ends", EventPattern=pattern)["RuleArn"]
        self.topic: str = self.sns.create_topic(Name="told")["TopicArn"]
        self.queue_url: str = self.sqs.create_queue(QueueName="undelivered")["QueueUrl"]
        self.queue = f"arn:aws:sqs:{endpoint.region}:{self.account}:undelivered"
        self.logs.create_log_group(logGroupName=LOGS)
        self.log_group = f"arn:aws:logs:{endpoint.region}:{self.account}:log-group:{LOGS}"
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region}
        )
        self.site = f"arn:aws:cloudfront::{self.account}:distribution/E1"

    def target(self, arn: str, *, dead_letters: bool = False) -> None:
        letters = {"DeadLetterConfig": {"Arn": self.queue}} if dead_letters else {}
        self.events.put_targets(Rule="ends", Targets=[{"Id": "one", "Arn": arn, **letters}])

    def topic_lets(self, *statements: Mapping[str, Any]) -> None:
        policy = document(*statements)
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="Policy", AttributeValue=policy)

    def queue_lets(self, *statements: Mapping[str, Any]) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes={"Policy": document(*statements)})

    def key(self, *statements: Mapping[str, Any]) -> str:
        owner = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
        made: str = self.kms.create_key(Policy=document(owner, *statements))["KeyMetadata"]["Arn"]
        return made

    def seal_topic(self, key: str) -> None:
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="KmsMasterKeyId", AttributeValue=key)

    def in_queue(self) -> list[str]:
        found = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [json.loads(one["Body"])["detail"]["jobName"] for one in found.get("Messages", ())]

    def failed(self) -> int:
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/Events")
        return sum(one["MetricName"] == "FailedInvocations" for page in pages for one in page["Metrics"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with create_endpoint(tmp_path, enforced=True) as endpoint:
        yield World(endpoint)


def from_rule(world: World, arn: str | None = None) -> dict[str, Any]:
    return {"ArnEquals": {"aws:SourceArn": arn or world.rule}}


def test_a_rule_reaches_a_topic_whose_policy_lets_it_in(world: World) -> None:
    world.target(world.topic)
    world.topic_lets(lets_in("events", "sns:Publish", on=world.topic, **from_rule(world)))
    (delivery,) = world.services.event(*END)
    assert (delivery.target, delivery.refused) == (world.topic, "")
    assert world.failed() == 0


@pytest.mark.parametrize("lack", ["another service", "another rule", "another account", "another action"])
def test_a_delivery_that_the_topic_s_policy_does_not_let_in_is_a_failed_invocation_and_a_dead_letter(
    world: World, lack: str
) -> None:
    stated = {
        "another service": lets_in("cloudwatch", "sns:Publish", on=world.topic),
        "another rule": lets_in(
            "events", "sns:Publish", on=world.topic, **from_rule(world, f"{world.rule}-2")
        ),
        "another account": lets_in(
            "events", "sns:Publish", on=world.topic, StringEquals={"aws:SourceAccount": "210987654321"}
        ),
        "another action": lets_in("events", "sns:GetTopicAttributes", on=world.topic),
    }[lack]
    world.target(world.topic, dead_letters=True)
    world.topic_lets(stated)
    world.queue_lets(lets_in("events", "sqs:SendMessage", on=world.queue, **from_rule(world)))
    (delivery,) = world.services.event(*END)
    assert delivery.refused == (
        f"User: events.amazonaws.com is not authorized to perform: sns:Publish on resource: {world.topic} "
        "because no resource-based policy allows the sns:Publish action"
    )
    assert delivery.kept_in == world.queue
    assert world.failed() == 1
    assert world.in_queue() == ["load"]


def test_a_queue_that_does_not_let_the_rule_in_keeps_nothing(world: World) -> None:
    world.target(world.topic, dead_letters=True)
    world.topic_lets(lets_in("cloudwatch", "sns:Publish", on=world.topic))
    world.queue_lets(
        lets_in("events", "sqs:SendMessage", on=world.queue, **from_rule(world, f"{world.rule}-2"))
    )
    (delivery,) = world.services.event(*END)
    assert (bool(delivery.refused), delivery.kept_in, world.in_queue()) == (True, "", [])


def test_a_rule_hands_on_what_it_matches_alone(world: World) -> None:
    world.target(world.queue)
    world.queue_lets(lets_in("events", "sqs:SendMessage", on=world.queue))
    source, kind, detail = END
    assert world.services.event(source, kind, {**detail, "state": "SUCCEEDED"}) == []
    world.events.disable_rule(Name="ends")
    assert world.services.event(*END) == []
    world.events.enable_rule(Name="ends")
    assert [one.refused for one in world.services.event(*END)] == [""]
    assert world.in_queue() == ["load"]


def test_a_log_group_takes_events_whose_writer_a_policy_of_its_own_names(world: World) -> None:
    world.target(world.log_group)
    (delivery,) = world.services.event(*END)
    assert "logs:CreateLogStream" in delivery.refused
    lets = lets_in("events", "logs:CreateLogStream", "logs:PutLogEvents", on=f"{world.log_group}:*")
    world.logs.put_resource_policy(policyName="ends", policyDocument=document(lets))
    (delivery,) = world.services.event(*END)
    assert delivery.refused == ""
    (written,) = world.logs.filter_log_events(logGroupName=LOGS)["events"]
    assert json.loads(written["message"])["detail"]["jobName"] == "load"


def test_a_key_whose_policy_asks_for_a_source_lets_no_event_through(world: World) -> None:
    world.target(world.topic)
    world.topic_lets(lets_in("events", "sns:Publish", on=world.topic))
    uses = ("kms:Decrypt", "kms:GenerateDataKey*")
    world.seal_topic(
        world.key(lets_in("events", *uses, on="*", StringEquals={"aws:SourceAccount": world.account}))
    )
    (delivery,) = world.services.event(*END)
    assert "kms:GenerateDataKey" in delivery.refused
    world.seal_topic(world.key(lets_in("events", *uses, on="*")))
    (delivery,) = world.services.event(*END)
    assert delivery.refused == ""


@pytest.mark.parametrize(
    ("account", "refused"), [("own", ""), ("another", "no resource-based policy allows the sns:Publish")]
)
def test_an_alarm_reaches_a_topic_that_lets_in_alarms_of_its_account(
    world: World, account: str, refused: str
) -> None:
    world.cloudwatch.put_metric_alarm(
        AlarmName="late",
        AlarmDescription="Something is late.",
        Namespace="n",
        MetricName="m",
        Period=60,
        EvaluationPeriods=1,
        Statistic="Maximum",
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[world.topic],
    )
    source = world.account if account == "own" else "210987654321"
    own = {"StringEquals": {"aws:SourceAccount": source}}
    world.topic_lets(lets_in("cloudwatch", "sns:Publish", on=world.topic, **own))
    (delivery,) = world.services.alarm("late", "ALARM")
    assert refused in delivery.refused
    assert bool(refused) == bool(delivery.refused)
    assert world.services.alarm("late", "OK") == []


def test_the_edge_reads_a_bucket_for_the_distribution_that_its_policy_and_its_key_name(world: World) -> None:
    other = world.site + "2"
    named = {"StringEquals": {"aws:SourceArn": world.site}}
    objects = f"arn:aws:s3:::{BUCKET}/*"
    world.s3.put_bucket_policy(
        Bucket=BUCKET, Policy=document(lets_in("cloudfront", "s3:GetObject", on=objects, **named))
    )
    assert world.services.edge_read(world.site, BUCKET, "index.html") == ""
    assert "s3:GetObject" in world.services.edge_read(other, BUCKET, "index.html")
    for lets, refused in ((other, "kms:Decrypt"), (world.site, "")):
        key = world.key(lets_in("cloudfront", "kms:Decrypt", on="*", StringEquals={"aws:SourceArn": lets}))
        by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rules = [{"ApplyServerSideEncryptionByDefault": by}]
        world.s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})
        told = world.services.edge_read(world.site, BUCKET, "index.html")
        assert (refused in told, bool(told)) == (True, bool(refused))


def test_access_logs_are_written_for_buckets_of_the_account_alone(world: World) -> None:
    objects = f"arn:aws:s3:::{BUCKET}/*"
    for account, may in ((world.account, True), ("210987654321", False)):
        own = {"StringEquals": {"aws:SourceAccount": account}}
        policy = document(lets_in("logging.s3", "s3:PutObject", on=objects, **own))
        world.s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
        assert (world.services.access_log(BUCKET, "lake") == "") == may
