"""What look-ups of the stack's own and tests spare, a socket and a thread, changes no answer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.httpsession import URLLib3Session

from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.in_process import without_a_socket
from tests import in_process
from tests.in_process import without_sockets

OF_THE_WAY = {"connection", "date", "server", "last-modified", "x-amzn-requestid", "x-amz-request-id"}
"""Headers that tell of the way, or of the time."""


def story(endpoint: Endpoint, s3: Any = None, glue: Any = None) -> Iterator[tuple[Any, ...]]:
    """Requests of every form, each with what was answered."""
    s3, glue = s3 or endpoint.client("s3"), glue or endpoint.client("glue")
    here = {"Bucket": "a-bucket"}
    where = {"LocationConstraint": endpoint.region}
    asked: list[tuple[Any, dict[str, Any]]] = [
        (s3.create_bucket, {**here, "CreateBucketConfiguration": where}),
        (s3.put_object, {**here, "Key": "a b/ä?", "Body": b"bytes", "Metadata": {"of": "whom"}}),
        (s3.put_object, {**here, "Key": "file", "Body": io.BytesIO(b"0123456789" * 300_000)}),
        (s3.put_object, {**here, "Key": "file", "Body": b"", "IfNoneMatch": "*"}),
        (s3.head_object, {**here, "Key": "a b/ä?"}),
        (s3.head_object, {**here, "Key": "nothing"}),
        (s3.get_object, {**here, "Key": "file", "Range": "bytes=5-14"}),
        (s3.get_object, {**here, "Key": "file"}),
        (s3.get_object, {**here, "Key": "nothing"}),
        (s3.list_objects_v2, {**here, "Prefix": "a b/", "EncodingType": "url"}),
        (s3.delete_objects, {**here, "Delete": {"Objects": [{"Key": "file"}, {"Key": "nothing"}]}}),
        (glue.create_database, {"DatabaseInput": {"Name": "shop"}}),
        (glue.get_database, {"Name": "nothing"}),
    ]
    for call, arguments in asked:
        try:
            said = call(**arguments)
        except ClientError as error:
            said = error.response
        told = said.pop("ResponseMetadata")
        headers = {name: value for name, value in told["HTTPHeaders"].items() if name not in OF_THE_WAY}
        body = said.pop("Body").read() if "Body" in said else None
        # When it came is told in the answer, too.
        said.pop("LastModified", None)
        for found in said.get("Contents", ()):
            found.pop("LastModified")
        yield call.__name__, told["HTTPStatusCode"], headers, said, body


def test_a_request_that_stays_in_its_process_is_answered_as_over_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_endpoint(tmp_path / "over a socket") as endpoint:
        over_a_socket = list(story(endpoint))
    monkeypatch.setattr(in_process, "_send", lambda *_: pytest.fail("a request went over a socket"))
    with without_sockets(), create_endpoint(tmp_path / "inside") as endpoint:
        inside = list(story(endpoint))
    monkeypatch.setattr(URLLib3Session, "send", lambda *_: pytest.fail("a request went over a socket"))
    with create_endpoint(tmp_path / "the stack's own") as endpoint:
        own = [without_a_socket(endpoint.client(service), endpoint) for service in ("s3", "glue")]
        of_the_stack = list(story(endpoint, *own))
    for ways in zip(over_a_socket, inside, of_the_stack, strict=True):
        assert ways[1:] == (ways[0], ways[0])


def test_what_is_not_named_goes_over_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    send = URLLib3Session.send

    def counted(session: URLLib3Session, request: Any) -> Any:
        asked.append(request.method)
        return send(session, request)

    with create_endpoint(tmp_path) as endpoint:
        s3 = without_a_socket(endpoint.client("s3"), endpoint, "ListObjectsV2")
        where = {"LocationConstraint": endpoint.region}
        s3.create_bucket(Bucket="a-bucket", CreateBucketConfiguration=where)
        monkeypatch.setattr(URLLib3Session, "send", counted)
        s3.put_object(Bucket="a-bucket", Key="one", Body=b"1")
        assert s3.list_objects_v2(Bucket="a-bucket")["KeyCount"] == 1
    assert asked == ["PUT"]


def test_an_endpoint_that_has_ended_is_reached_in_neither_way(tmp_path: Path) -> None:
    with without_sockets():
        with create_endpoint(tmp_path) as endpoint:
            s3 = endpoint.client("s3")
            assert s3.list_buckets()["Buckets"] == []
        with pytest.raises(EndpointConnectionError):
            s3.list_buckets()
