"""What a request asks for, as policies name it: actions, the ARNs of what they concern, and the context."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local_aws.rights.evaluate import AccessRequest

ANY = "*"

Context = Mapping[str, str]


@dataclass(frozen=True)
class AccountContext:
    """Where an endpoint plays to be."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, rest: str) -> str:
        """The ARN of something of the account in the region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    def ask(self, action: str, resource: str = ANY, context: Context | None = None) -> AccessRequest:
        """A request for something of the account."""
        return AccessRequest(action, resource, self.account, dict(context or {}))


# --- S3 ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectCall:
    """A request of S3: `subresource` is what of the bucket or object is meant, such as `tagging`."""

    method: str
    bucket: str
    key: str
    subresource: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


_OBJECT_ACTIONS: Mapping[tuple[str, str], str] = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("POST", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("POST", "uploads"): "PutObject",
    ("PUT", "uploadId"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
}
_VERSIONED = frozenset(
    {"GetObject", "DeleteObject", "GetObjectTagging", "GetObjectAcl", "GetObjectAttributes"}
)
_BUCKET_ACTIONS: Mapping[tuple[str, str], str] = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "policyStatus"): "GetBucketPolicyStatus",
    ("DELETE", "policy"): "DeleteBucketPolicy",
    ("GET", "object-lock"): "GetBucketObjectLockConfiguration",
    ("PUT", "object-lock"): "PutBucketObjectLockConfiguration",
}
_SETTINGS: Mapping[str, str] = {
    "accelerate": "AccelerateConfiguration",
    "acl": "BucketAcl",
    "cors": "BucketCORS",
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "logging": "BucketLogging",
    "notification": "BucketNotification",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
"""Settings of a bucket: read by Get…, changed and taken away by Put…."""


class UnknownActionError(Exception):
    """A request of which it is not known what AWS would ask for."""


def s3_requests(call: ObjectCall, place: AccountContext) -> list[AccessRequest]:
    """What a request of S3 asks for; all of it must be allowed.

    Deleting several objects at once asks for each of them, which only its body names: nothing here.

    Raises:
        UnknownActionError: It is not known.
    """
    if not call.bucket:
        return [place.ask("s3:ListAllMyBuckets")]
    bucket = f"arn:{place.partition}:s3:::{call.bucket}"
    if not call.key:
        if (call.method, call.subresource) == ("POST", "delete"):
            return []
        return [place.ask(f"s3:{_bucket_action(call)}", bucket, _listing_context(call))]
    action = _OBJECT_ACTIONS.get((call.method, call.subresource))
    if action is None:
        raise UnknownActionError(f"{call.method} {call.subresource} of an object".replace("  ", " "))
    if call.query.get("versionId") and action in _VERSIONED:
        action = action.replace("Object", "ObjectVersion", 1)
    asked = [place.ask(f"s3:{action}", f"{bucket}/{call.key}", _object_context(call, action))]
    if action == "PutObject":
        asked += _written_besides(call, place, f"{bucket}/{call.key}")
    return asked


def _bucket_action(call: ObjectCall) -> str:
    known = _BUCKET_ACTIONS.get((call.method, call.subresource))
    if known is not None:
        return known
    setting = _SETTINGS.get(call.subresource)
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Put"}.get(call.method)
    if setting is None or verb is None:
        raise UnknownActionError(f"{call.method} {call.subresource} of a bucket".replace("  ", " "))
    return f"{verb}{setting}"


def _listing_context(call: ObjectCall) -> Context:
    return {
        f"s3:{name}": call.query[name] for name in ("prefix", "delimiter", "max-keys") if name in call.query
    }


def _object_context(call: ObjectCall, action: str) -> Context:
    found = {
        f"s3:{name}": value
        for name, value in call.headers.items()
        if name in ("x-amz-acl", "x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-copy-source")
    }
    if action != "PutObject":
        return found
    for name in ("if-none-match", "if-match"):
        if name in call.headers:
            found[f"s3:{name}"] = call.headers[name]
    # Beginning an upload and sending a part create no object; putting, copying and completing do.
    is_part = (call.method, call.subresource) in {("POST", "uploads"), ("PUT", "uploadId")}
    return {**found, "s3:ObjectCreationOperation": "false" if is_part else "true"}


def _written_besides(call: ObjectCall, place: AccountContext, written: str) -> list[AccessRequest]:
    """What a write asks for besides: the object that it copies, and tags."""
    asked = []
    source, _, query = call.headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    if source:
        action = "s3:GetObjectVersion" if query.startswith("versionId=") else "s3:GetObject"
        asked.append(place.ask(action, f"arn:{place.partition}:s3:::{source}"))
    if call.headers.get("x-amz-tagging"):
        asked.append(place.ask("s3:PutObjectTagging", written))
    return asked


# --- services that speak JSON ------------------------------------------------------------------------

Payload = Mapping[str, Any]

_JSON_SERVICES: Mapping[str, str] = {
    "AWSGlue": "glue",
    "AmazonAthena": "athena",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
    "AmazonSSM": "ssm",
    "AmazonSQS": "sqs",
    "GraniteServiceVersion20100801": "cloudwatch",
    "ResourceGroupsTaggingAPI_20170126": "tag",
}
"""By what stands before the dot of `X-Amz-Target`, the service as policies name it."""

_NO_RESOURCE = frozenset(
    {"ListJobs", "GetJobs", "GetTriggers", "ListTriggers", "ListWorkflows", "ListRegistries"}
)


def json_service_of(target: str) -> str:
    """The service of an `X-Amz-Target`, as policies name it."""
    return _JSON_SERVICES.get(target, target.lower())


def glue_requests(action: str, payload: Payload, place: AccountContext) -> list[AccessRequest]:
    """What a request of Glue asks for: of a table also its database and the catalog."""
    asked = f"glue:{action}"
    return [place.ask(asked, place.arn("glue", rest)) for rest in _glue_resources(action, payload)] or [
        place.ask(asked)
    ]


def _glue_resources(action: str, payload: Payload) -> list[str]:
    if action in _NO_RESOURCE:
        return []
    if "SchemaId" in payload or "RegistryId" in payload:
        return _registered(payload)
    if "DatabaseName" in payload:
        # Listing a database's tables names none of them: it asks for all.
        stated = payload.get("TableInput") or {}
        table = payload.get("TableName") or payload.get("Name") or stated.get("Name") or ANY
        database = payload["DatabaseName"]
        return ["catalog", f"database/{database}", f"table/{database}/{table}"]
    if "Database" in action:
        name = payload.get("Name") or (payload.get("DatabaseInput") or {}).get("Name") or ANY
        return ["catalog", f"database/{name}"]
    if "Connection" in action:
        name = payload.get("Name") or (payload.get("ConnectionInput") or {}).get("Name") or ANY
        return ["catalog", f"connection/{name}"]
    if "JobName" in payload:
        return [f"job/{payload['JobName']}"]
    return _named_thing(action, payload)


def _registered(payload: Payload) -> list[str]:
    named = payload.get("SchemaId") or payload.get("RegistryId") or {}
    registry = named.get("RegistryName") or "default-registry"
    schema = named.get("SchemaName") or payload.get("SchemaName")
    return [f"registry/{registry}", *([f"schema/{registry}/{schema}"] if schema else [])]


def _named_thing(action: str, payload: Payload) -> list[str]:
    name = payload.get("Name")
    for kind in ("Workflow", "Trigger", "Job"):
        if kind in action and name:
            return [f"{kind.lower()}/{name}"]
    return []


def athena_requests(
    action: str, payload: Payload, place: AccountContext, work_group_of: Callable[[Payload], str | None]
) -> list[AccessRequest]:
    """What a request of Athena asks for: of a work group, or of a catalog of data.

    Args:
        action: The action.
        payload: The request.
        place: Where.
        work_group_of: The work group of what a request names by its id.
    """
    asked = f"athena:{action}"
    if action in ("ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"):
        return [place.ask(asked)]
    if "CatalogName" in payload or (action == "GetDataCatalog" and "Name" in payload):
        name = payload.get("CatalogName") or payload["Name"]
        return [place.ask(asked, place.arn("athena", f"datacatalog/{name}"))]
    group = payload.get("WorkGroup") or work_group_of(payload)
    if group is None and "WorkGroup" in action:
        group = payload.get("Name")
    return [place.ask(asked, place.arn("athena", f"workgroup/{group or 'primary'}"))]


def queue_requests(action: str, payload: Payload, place: AccountContext) -> list[AccessRequest]:
    """What a request of SQS asks for: of a queue, which it names by its address or by its name."""
    named = str(payload.get("QueueUrl", "")).rpartition("/")[2] or payload.get("QueueName")
    return [place.ask(f"sqs:{action}", place.arn("sqs", named) if named else ANY)]


def log_requests(action: str, payload: Payload, place: AccountContext) -> list[AccessRequest]:
    """What a request of CloudWatch Logs asks for: of a log group; listing groups asks for any of them."""
    group = payload.get("logGroupName") or (ANY if action == "DescribeLogGroups" else None)
    return [place.ask(f"logs:{action}", place.arn("logs", f"log-group:{group}:*") if group else ANY)]


# --- services that speak REST ------------------------------------------------------------------------

REST_SERVICES = ("lambda", "scheduler")
"""Services of which some actions are known by method and path."""

_CALLED = re.compile(r"/functions/([^/]+)/invocations/?$")
_SCHEDULE = re.compile(r"^/schedules/([^/]+)/?$")
_OF_A_SCHEDULE = {
    "GET": "GetSchedule",
    "PUT": "UpdateSchedule",
    "POST": "CreateSchedule",
    "DELETE": "DeleteSchedule",
}


def rest_requests(
    service: str, method: str, path: str, query: Mapping[str, str], body: bytes, place: AccountContext
) -> list[AccessRequest]:
    """What a request of Lambda or of the scheduler asks for; nothing where that is not known.

    Args:
        service: The service.
        method: The request's method.
        path: Its path.
        query: Its query.
        body: Its body.
        place: Where.
    """
    called = _CALLED.search(path) if service == "lambda" and method == "POST" else None
    if called:
        name = unquote(called[1]).rpartition(":function:")[2]
        return [place.ask("lambda:InvokeFunction", place.arn("lambda", f"function:{name}"))]
    named = _SCHEDULE.match(path) if service == "scheduler" else None
    if not named or method not in _OF_A_SCHEDULE:
        return []
    payload = json.loads(body or b"{}") if method in ("POST", "PUT") else {}
    group = payload.get("GroupName") or query.get("groupName") or "default"
    arn = place.arn("scheduler", f"schedule/{group}/{unquote(named[1])}")
    asked = [place.ask(f"scheduler:{_OF_A_SCHEDULE[method]}", arn)]
    # Who states a role for a service hands it on.
    if role := payload.get("Target", {}).get("RoleArn"):
        asked.append(place.ask("iam:PassRole", role, {"iam:PassedToService": "scheduler.amazonaws.com"}))
    return asked


def keys_context(service: str, place: AccountContext, **encryption: str) -> Context:
    """The context of a service's use of a key on somebody's behalf.

    Args:
        service: The service, as its name is in `kms:ViaService`.
        place: Where.
        **encryption: The encryption context, by key with `__` for a colon.
    """
    stated = {f"kms:EncryptionContext:{key.replace('__', ':')}": value for key, value in encryption.items()}
    return {"kms:ViaService": f"{service}.{place.region}.amazonaws.com", **stated}
