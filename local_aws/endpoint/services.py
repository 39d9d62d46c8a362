"""What services of AWS do for one another: rules hand events on, alarms publish, the edge reads, S3 logs.

A service has no rights of its own: the policy of what it comes to has to let it in, and so has the policy of
the key that encrypts it. What a rule may not hand on is counted and left in its dead-letter queue, where it
may do that.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.events.models import events_backends
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_aws.endpoint.guard import Guard
from local_aws.rights.evaluate import AccessRequest, Principal
from local_aws.rights.keys import Caller
from local_aws.rights.policy import Policy

EVENTS, ALARMS, EDGE, S3_LOGS = (
    f"{name}.amazonaws.com" for name in ("events", "cloudwatch", "cloudfront", "logging.s3")
)
"""The services, as policies name them."""

Context = Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """What became of something that a service had to hand on.

    Attributes:
        target: The ARN of what it was for.
        refused: Why it did not arrive, as AWS says it; empty where it did.
        kept_in: The dead-letter queue that has it instead; empty where none has.
    """

    target: str
    refused: str = ""
    kept_in: str = ""


class Services:
    """The services of an endpoint.

    Args:
        guard: Holds them to the policies that are deployed.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._place = guard.place

    # --- EventBridge ---

    def event(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> list[Delivery]:
        """Have an event of a service of AWS handed on by the rules that match it.

        Args:
            source: Whose it is, such as `aws.glue`.
            detail_type: What happened.
            detail: The particulars.
        """
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._place.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._place.region,
            "resources": [],
            "detail": dict(detail),
        }
        rules: Any = events_backends[self._place.account][self._place.region].event_buses["default"].rules
        return [
            self._hand_on(rule, target, json.dumps(event))
            for rule in list(rules.values())
            if rule.state == "ENABLED" and rule.event_pattern.matches_event(event)
            for target in rule.targets
        ]

    def _hand_on(self, rule: Any, target: Mapping[str, Any], event: str) -> Delivery:
        context = self._from(str(rule.arn))
        refused = self._deliver(EVENTS, target["Arn"], event, context)
        if not refused:
            return Delivery(target["Arn"])
        self._count(rule.name, "FailedInvocations")
        queue = (target.get("DeadLetterConfig") or {}).get("Arn", "")
        if queue and self._deliver(EVENTS, queue, event, context):
            self._count(rule.name, "InvocationsFailedToBeSentToDlq")
            queue = ""
        return Delivery(target["Arn"], refused, queue)

    def _count(self, rule: str, metric: str) -> None:
        cloudwatch = cloudwatch_backends[self._place.account][self._place.region]
        one = {
            "MetricName": metric,
            "Value": 1.0,
            "Unit": "Count",
            "Dimensions": [{"Name": "RuleName", "Value": rule}],
        }
        cloudwatch.put_metric_data("AWS/Events", [one])

    # --- CloudWatch ---

    def alarm(self, name: str, state: str) -> list[Delivery]:
        """Have an alarm come into a state, and tell whom it tells of that.

        Args:
            name: Its name.
            state: `ALARM`, `OK` or `INSUFFICIENT_DATA`.
        """
        cloudwatch = cloudwatch_backends[self._place.account][self._place.region]
        cloudwatch.set_alarm_state(name, "the test says so", "{}", state)
        alarm: Any = cloudwatch.alarms[name]
        told = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }
        message = json.dumps(
            {"AlarmName": name, "AlarmDescription": alarm.description, "NewStateValue": state}
        )
        context = self._from(alarm.alarm_arn)
        return [
            Delivery(topic, self._deliver(ALARMS, topic, message, context)) for topic in told[state] or ()
        ]

    # --- CloudFront and S3 ---

    def edge_read(self, distribution: str, bucket: str, key: str) -> str:
        """Why a distribution may not read an object; empty where it may.

        Args:
            distribution: Its ARN.
            bucket: The bucket.
            key: The object's key.
        """
        return self._object(EDGE, "GetObject", bucket, key, self._from(distribution))

    def access_log(self, bucket: str, of: str) -> str:
        """Why S3 may not write what was asked of a bucket into another; empty where it may.

        Args:
            bucket: What takes the log.
            of: The bucket that it is of.
        """
        context = self._from(f"arn:{self._place.partition}:s3:::{of}")
        return self._object(S3_LOGS, "PutObject", bucket, "log", context)

    def _object(self, service: str, action: str, bucket: str, key: str, context: Context) -> str:
        arn = f"arn:{self._place.partition}:s3:::{bucket}/{key}"
        request = self._place.ask(f"s3:{action}", arn, context)
        sealed = self._guard.policies.key_of_bucket(bucket)
        use = {"GetObject": "Decrypt", "PutObject": "GenerateDataKey"}[action]
        refused = self._refused(service, request, self._guard.policies.of_bucket(bucket))
        # CloudFront asks the key itself, and says for which distribution.
        return refused or self._refused_by_key(service, sealed, [use], context)

    # --- what all of them are held to ---

    def _from(self, source: str) -> Context:
        return {"aws:SourceArn": source, "aws:SourceAccount": self._place.account}

    def _deliver(self, service: str, target: str, message: str, context: Context) -> str:
        """Hand a message on; why it may not be, or nothing."""
        kind, name = target.split(":")[2], target.split(":", 5)[5]
        if kind == "sns":
            policy, key = self._guard.policies.topic(target)
            refused = self._held(service, "sns:Publish", target, [policy], context, key)
            if not refused:
                sns_backends[self._place.account][self._place.region].topics[target].publish(message)
            return refused
        if kind == "sqs":
            policy, key = self._guard.policies.queue(target)
            refused = self._held(service, "sqs:SendMessage", target, [policy], context, key)
            if not refused:
                sqs_backends[self._place.account][self._place.region].send_message(name, message)
            return refused
        if kind == "logs":
            return self._log(service, target, message, context)
        return f"The laptop does not know how {service} hands on to {target}."

    def _log(self, service: str, target: str, message: str, context: Context) -> str:
        group, stream = target.split(":")[6], str(uuid.uuid4())
        policies = self._guard.policies.of_logs()
        arn = self._place.arn("logs", f"log-group:{group}:log-stream:{stream}")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if refused := self._held(service, action, arn, policies, context, None):
                return refused
        logs = logs_backends[self._place.account][self._place.region]
        logs.create_log_stream(group, stream)
        now = int(datetime.now(UTC).timestamp() * 1000)
        logs.put_log_events(group, stream, [{"timestamp": now, "message": message}])
        return ""

    def _held(
        self,
        service: str,
        action: str,
        resource: str,
        policies: Sequence[Policy | None],
        context: Context,
        key: str | None,
    ) -> str:
        request = self._place.ask(action, resource, context)
        refused = self._refused(service, request, _together(policies))
        # Who asks the key says no source: it is held to what the topic's or the queue's own policy says.
        return refused or self._refused_by_key(service, key, ["GenerateDataKey", "Decrypt"], {})

    def _refused_by_key(self, service: str, key: str | None, uses: Sequence[str], context: Context) -> str:
        asked = (self._place.ask(f"kms:{use}", str(key), context) for use in uses if key is not None)
        refusals: Iterator[str] = (
            self._refused(service, request, self._guard.policies.of_key(str(key))) for request in asked
        )
        return next(filter(None, refusals), "")

    def _refused(self, service: str, request: AccessRequest, policy: Policy | None) -> str:
        return self._guard.refusal(Caller(Principal(service)), request, policy) or ""


def _together(policies: Sequence[Policy | None]) -> Policy | None:
    """Policies that hold side by side, as one."""
    found = [policy for policy in policies if policy is not None]
    if not found:
        return None
    statements = tuple(statement for policy in found for statement in policy.statements)
    return Policy("resource", statements, all(policy.variables for policy in found))
