"""Tells a Slack channel what an alert tells by e-mail.

It is subscribed to the topic of operations. The address of the channel, an incoming webhook, is in a secret
that a person fills; it stands in no log and in no error. What Slack does not take is an error of the call:
Lambda tries again, then leaves it in the function's queue, and that is told by e-mail alone.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from botocore.exceptions import ClientError

from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

NAME = "notify_slack"

HOST = "hooks.slack.com"

TITLE_LENGTH, TEXT_LENGTH = 150, 3000
"""Letters that Slack takes of a header, and of a text."""

_SECONDS = 5.0
_LONGEST_WAIT = 10.0
_LOOPBACK = "127.0.0.1"
_OK, _TOO_MANY = 200, 429
_LINK = re.compile(r"^(?P<words>.*?)\s*(?P<url>https://\S+#[a-z-]+)$", re.DOTALL)
_SIGNS = {"ALARM": "\N{LARGE RED CIRCLE}", "OK": "\N{LARGE GREEN CIRCLE}"}
_OTHER_SIGN = "\N{LARGE YELLOW CIRCLE}"

_REMEDIES: Mapping[str, str] = {
    "invalid_token": "Make a webhook again, and put its address into the secret.",
    "no_service": "Make a webhook again, and put its address into the secret.",
    "no_service_id": "Make a webhook again, and put its address into the secret.",
    "no_team": "Make a webhook again, and put its address into the secret.",
    "team_disabled": "Make a webhook again, and put its address into the secret.",
    "action_prohibited": "Ask whoever administers Slack to let the webhook post.",
    "channel_is_archived": "Make a webhook for another channel, and put its address into the secret.",
    "channel_not_found": "Make a webhook for another channel, and put its address into the secret.",
    "posting_to_general_channel_denied": "Make a webhook for another channel, and put its address there.",
    "invalid_payload": "The message is not as Slack wants it: tell who maintains the function.",
}
"""By what Slack answers, what to do."""


class SlackError(UserError):
    """Slack did not take a message."""


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Send each of an event's messages.

    Args:
        event: What SNS calls a function with.
        context: What Lambda says of this call.

    Returns:
        How many were sent.

    Raises:
        UserError: The secret holds no webhook, or Slack does not take a message.
    """
    import boto3

    log.start(NAME, ["--JOB_RUN_ID", str(getattr(context, "aws_request_id", ""))])
    address = read_webhook(boto3.client("secretsmanager"), os.environ["WEBHOOK_SECRET"])
    sent = 0
    for text in texts(event):
        made = message(text)
        send(address, made)
        log.info("notify_slack.sent", alarm=made["text"])
        sent += 1
    return {"sent": sent}


def texts(event: Mapping[str, Any]) -> Iterator[str]:
    """The messages that SNS hands on."""
    for record in event.get("Records", ()):
        yield str(record["Sns"]["Message"])


def message(text: str) -> dict[str, Any]:
    """A message of the topic as Slack takes it.

    Args:
        text: CloudWatch's JSON of an alarm that changed its state, or any other text as it is.
    """
    try:
        stated = json.loads(text)
    except ValueError:
        stated = None
    if not isinstance(stated, dict) or "AlarmName" not in stated:
        return {"text": _cut(_escape(text), TITLE_LENGTH), "blocks": [_section(text)]}
    state, name = str(stated.get("NewStateValue", "")), str(stated["AlarmName"])
    title = f"{_SIGNS.get(state, _OTHER_SIGN)} {state}  {name}"
    described = str(stated.get("AlarmDescription") or "")
    link = _LINK.match(described)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, TITLE_LENGTH), "emoji": False}}
    ]
    words = link["words"] if link else described
    if words:
        blocks.append(_section(words))
    if link:
        said = f"<{link['url']}|What to do>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": said}]})
    return {"text": _cut(_escape(f"{state} {name}"), TITLE_LENGTH), "blocks": blocks}


def read_webhook(secrets_manager: SecretsManagerClient, secret: str) -> SplitResult:
    """The address that a secret holds.

    Args:
        secrets_manager: A boto3 ``secretsmanager`` client.
        secret: Name or ARN of a secret whose text is ``{"webhook": "https://hooks.slack.com/…"}``.

    Raises:
        UserError: It cannot be read, or holds no address of Slack; never shows its content.
    """
    remedy = f'Store {{"webhook": "https://{HOST}/services/…"}} in it.'
    try:
        stated = secrets_manager.get_secret_value(SecretId=secret)["SecretString"]
        address = urlsplit(str(json.loads(stated)["webhook"]))
        port = address.port
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise UserError(f"The secret {secret} cannot be read ({code}).", remedy) from error
    except (ValueError, KeyError, TypeError):
        # Without the cause, which would show what it holds.
        raise UserError(f"The secret {secret} does not hold a webhook.", remedy) from None
    is_slacks = address.scheme == "https" and address.hostname == HOST and port is None
    if not is_slacks and not (address.scheme == "http" and address.hostname == _LOOPBACK):
        raise UserError(f"The webhook in the secret {secret} is none of Slack's.", remedy)
    return address


def send(
    address: SplitResult,
    payload: Mapping[str, Any],
    *,
    seconds: float = _SECONDS,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Send a message; once more after the wait that Slack asks for, if it does.

    Args:
        address: The webhook.
        payload: From :func:`message`.
        seconds: How long Slack may take.
        wait: Waits some seconds.

    Raises:
        SlackError: Slack did not take it.
    """
    status, body, retry_after = _post(address, payload, seconds)
    if status == _TOO_MANY:
        wait(min(retry_after, _LONGEST_WAIT))
        status, body, _ = _post(address, payload, seconds)
    # Slack says so in words; a proxy's page with 200 is no answer of Slack's.
    if status == _OK and body == "ok":
        return
    # What it says is quoted where it is one of its codes, and nothing else that may come from anywhere.
    code = body if re.fullmatch(r"[a-z_]{1,60}", body) else "something else"
    remedy = _REMEDIES.get(code, "It is tried again; see whether Slack works.")
    raise SlackError(f"Slack does not take the message: {status}, {code}.", remedy)


def _post(address: SplitResult, payload: Mapping[str, Any], seconds: float) -> tuple[int, str, float]:
    """Status, body and the wait that is asked for. A redirection is an answer as any other."""
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(address.hostname), address.port, timeout=seconds)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        connection.request("POST", address.path, json.dumps(payload).encode(), headers)
        answer = connection.getresponse()
        body = answer.read(1000).decode("utf-8", "replace").strip()
        return answer.status, body, _seconds(answer.getheader("Retry-After"))
    except (OSError, http.client.HTTPException) as error:
        name = type(error).__name__
        raise SlackError(f"Slack does not answer ({name}).", "It is tried again.") from None
    finally:
        connection.close()


def _seconds(stated: str | None) -> float:
    return float(stated) if stated and stated.isdecimal() else 1.0


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(_escape(text), TEXT_LENGTH)}}


def _escape(text: str) -> str:
    """A text in which nothing is a mention or a link of Slack's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length: int) -> str:
    """A text of a length at most, with a sign where it was longer; no escaped sign is cut in two."""
    if len(text) <= length:
        return text
    return re.sub(r"&[a-z]*$", "", text[: length - 1]) + "…"
