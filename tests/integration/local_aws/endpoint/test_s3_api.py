"""The S3 API as boto3 sees it, over directories that other processes share."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.endpoint.app import Endpoint, create_endpoint

BUCKET = "shop-ingestion"
ODD_KEYS = [
    "plain",
    "captured_date=2024-11-15/batch=7/part 1.parquet",
    "ünï/cödé 漢字.txt",
    "100%/a%2Fb%25",
    "plus+and&and?and#and;and,and:and@and$",
    "quotes'\"<>",
    "~tilde/(brackets)/[more]/{most}",
    ".hidden/._SUCCESS.crc",
]
MIB = 1 << 20


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def keys(s3: Any, **arguments: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, **arguments).get("Contents", [])]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_every_operation_takes_an_odd_key(s3: Any, directory: Path, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
    assert (directory / key).read_bytes() == b"content"
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"content"
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == 7
    assert keys(s3) == [key]
    assert keys(s3, Prefix=key) == [key]
    assert [entry["Key"] for entry in s3.list_objects(Bucket=BUCKET)["Contents"]] == [key]
    assert [entry["Key"] for entry in s3.list_object_versions(Bucket=BUCKET)["Versions"]] == [key]
    s3.copy_object(Bucket=BUCKET, Key=f"copy/{key}", CopySource={"Bucket": BUCKET, "Key": key})
    assert s3.get_object(Bucket=BUCKET, Key=f"copy/{key}")["Body"].read() == b"content"
    s3.upload_fileobj(io.BytesIO(b"m"), BUCKET, f"multi/{key}")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"copy/{key}"}, {"Key": f"multi/{key}"}]})
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert keys(s3) == []


def test_what_another_process_writes_is_there_at_the_next_request(s3: Any, directory: Path) -> None:
    (directory / "out").mkdir()
    (directory / "out" / "part-0.parquet").write_bytes(b"spark")
    (directory / "out" / "_SUCCESS").touch()
    assert keys(s3) == ["out/_SUCCESS", "out/part-0.parquet"]
    found = s3.get_object(Bucket=BUCKET, Key="out/part-0.parquet")
    assert found["Body"].read() == b"spark"
    assert found["ContentType"] == "binary/octet-stream"
    assert abs(found["LastModified"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert s3.list_objects_v2(Bucket=BUCKET)["Contents"][1]["ETag"] == found["ETag"]
    (directory / "out" / "part-0.parquet").unlink()
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="out/part-0.parquet")
    assert code(caught) == "NoSuchKey"


def test_what_a_put_says_of_an_object_a_get_gives_back_even_after_a_restart(tmp_path: Path) -> None:
    with create_endpoint(tmp_path / "state") as endpoint:
        client = endpoint.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        client.put_object(
            Bucket=BUCKET,
            Key="page.html",
            Body=b"<p>",
            ContentType="text/html; charset=utf-8",
            ContentEncoding="identity",
            CacheControl="no-store",
            Metadata={"batch": "7", "under_score": "yes"},
            Tagging="zone=raw&owner=a%20b",
            StorageClass="STANDARD_IA",
        )
        before = client.head_object(Bucket=BUCKET, Key="page.html")
    port = int(endpoint.url.rpartition(":")[2])
    with create_endpoint(tmp_path / "state", port=port) as again:
        assert again.url == endpoint.url
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == [BUCKET]
        found = client.get_object(Bucket=BUCKET, Key="page.html")
        assert found["Body"].read() == b"<p>"
        assert found["ContentType"] == "text/html; charset=utf-8"
        assert found["ContentEncoding"] == "identity"
        assert found["CacheControl"] == "no-store"
        assert found["Metadata"] == {"batch": "7", "under_score": "yes"}
        assert found["StorageClass"] == "STANDARD_IA"
        assert found["TagCount"] == 2
        assert (found["ETag"], found["LastModified"]) == (before["ETag"], before["LastModified"])
        tags = client.get_object_tagging(Bucket=BUCKET, Key="page.html")["TagSet"]
        assert tags == [{"Key": "zone", "Value": "raw"}, {"Key": "owner", "Value": "a b"}]
        client.close()


def test_a_conditional_put_of_a_key_that_exists_answers_412(s3: Any, directory: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key="_commits/1.json", Body=b"1", IfNoneMatch="*")
    (directory / "_commits" / "2.json").write_bytes(b"spark")
    for key in ("_commits/1.json", "_commits/2.json"):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"late", IfNoneMatch="*")
        assert code(caught) == "PreconditionFailed"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert (directory / "_commits" / "1.json").read_bytes() == b"1"
    assert (directory / "_commits" / "2.json").read_bytes() == b"spark"


def put_if_absent(s3: Any, body: bytes) -> Callable[[], Any]:
    return lambda: s3.put_object(Bucket=BUCKET, Key="commit", Body=body, IfNoneMatch="*")


def upload_if_absent(s3: Any, body: bytes) -> Callable[[], Any]:
    arguments = {"Bucket": BUCKET, "Key": "commit"}
    upload = s3.create_multipart_upload(**arguments)["UploadId"]
    part = s3.upload_part(**arguments, UploadId=upload, PartNumber=1, Body=body)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return lambda: s3.complete_multipart_upload(
        **arguments, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*"
    )


@pytest.mark.parametrize("prepare", [put_if_absent, upload_if_absent])
def test_of_concurrent_conditional_writes_exactly_one_wins(
    s3: Any, prepare: Callable[[Any, bytes], Callable[[], Any]]
) -> None:
    writers = 8
    barrier = threading.Barrier(writers)

    def commit(number: int) -> str:
        write = prepare(s3, str(number).encode())
        barrier.wait()
        try:
            write()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(writers) as pool:
        outcomes = list(pool.map(commit, range(writers)))
    assert sorted(outcomes) == ["PreconditionFailed"] * (writers - 1) + ["won"]
    assert s3.get_object(Bucket=BUCKET, Key="commit")["Body"].read() == str(outcomes.index("won")).encode()
    for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=BUCKET, Key="commit", UploadId=upload["UploadId"])


@pytest.mark.parametrize(
    ("wanted", "content", "shown"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-100", b"0123456789", "bytes 0-9/10"),
        ("bytes=0-1,4-5", b"0123456789", None),
        ("lines=1-2", b"0123456789", None),
    ],
)
def test_a_range_gives_those_bytes(s3: Any, wanted: str, content: bytes, shown: str | None) -> None:
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")
    found = s3.get_object(Bucket=BUCKET, Key="digits", Range=wanted)
    assert found["Body"].read() == content
    assert found.get("ContentRange") == shown
    assert s3.head_object(Bucket=BUCKET, Key="digits", Range=wanted)["ContentLength"] == len(content)


@pytest.mark.parametrize(("size", "wanted"), [(10, "bytes=10-"), (0, "bytes=0-0")])
def test_a_range_behind_the_end_answers_416(s3: Any, size: int, wanted: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0" * size)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="digits", Range=wanted)
    assert code(caught) == "InvalidRange"


def test_reads_can_be_conditional(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="key", Body=b"1")["ETag"]
    past, future = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    assert s3.get_object(Bucket=BUCKET, Key="key", IfMatch=etag)["Body"].read() == b"1"
    assert s3.get_object(Bucket=BUCKET, Key="key", IfNoneMatch='"other"')["Body"].read() == b"1"
    assert s3.get_object(Bucket=BUCKET, Key="key", IfModifiedSince=past)["Body"].read() == b"1"
    for condition, status in (
        ({"IfMatch": '"other"'}, 412),
        ({"IfUnmodifiedSince": past}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": future}, 304),
    ):
        for operation in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as caught:
                operation(Bucket=BUCKET, Key="key", **condition)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_checksums_are_checked_and_given_back(s3: Any) -> None:
    put = s3.put_object(Bucket=BUCKET, Key="key", Body=b"content", ChecksumAlgorithm="SHA256")
    found = s3.get_object(Bucket=BUCKET, Key="key", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"content"
    assert found["ChecksumSHA256"] == put["ChecksumSHA256"]
    attributes = s3.get_object_attributes(
        Bucket=BUCKET, Key="key", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    assert attributes["ETag"] == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert attributes["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (7, "STANDARD")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=BUCKET, Key="torn", Body=b"content", ChecksumSHA256="A" * 43 + "=")
    assert code(caught) == "BadDigest"
    assert keys(s3) == ["key"]


def test_pages_of_both_list_versions_cover_everything_once(s3: Any) -> None:
    expected = [f"d{number % 3}/k{number:02}" for number in range(20)] + ["top"]
    for key in expected:
        s3.put_object(Bucket=BUCKET, Key=key)
    for operation in ("list_objects", "list_objects_v2", "list_object_versions"):
        for delimiter in ("", "/"):
            found: list[str] = []
            pages = s3.get_paginator(operation).paginate(
                Bucket=BUCKET, Delimiter=delimiter, PaginationConfig={"PageSize": 2}
            )
            for page in pages:
                found += [entry["Key"] for entry in page.get("Contents", page.get("Versions", []))]
                found += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
            wanted = sorted(expected) if not delimiter else ["d0/", "d1/", "d2/", "top"]
            assert sorted(found) == wanted
    page = s3.list_objects_v2(Bucket=BUCKET, StartAfter="d1/k19", MaxKeys=3)
    assert [entry["Key"] for entry in page["Contents"]] == ["d2/k02", "d2/k05", "d2/k08"]
    assert (page["IsTruncated"], page["KeyCount"], page["StartAfter"]) == (True, 3, "d1/k19")
    page = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)
    assert (page["IsTruncated"], page["KeyCount"]) == (False, 0)
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="\u00e9")
    assert code(caught) == "InvalidArgument"


def test_deleting_is_idempotent_and_many_at_once(s3: Any, directory: Path) -> None:
    for key in ("a/1", "a/2", "b"):
        s3.put_object(Bucket=BUCKET, Key=key)
    s3.delete_object(Bucket=BUCKET, Key="nowhere")
    wanted = {"Objects": [{"Key": "a/1"}, {"Key": "nowhere"}, {"Key": "b", "VersionId": "other"}]}
    answer = s3.delete_objects(Bucket=BUCKET, Delete=wanted)
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a/1", "nowhere"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("b", "NoSuchVersion")]
    assert "Deleted" not in s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": "a/2"}], "Quiet": True}
    )
    assert keys(s3) == ["b"]
    assert not (directory / "a").exists()


def test_a_copy_carries_or_replaces_what_is_known_of_the_object(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"x", ContentType="a/b", Metadata={"m": "1"}, Tagging="t=1")
    source = {"Bucket": BUCKET, "Key": "a"}
    s3.copy_object(Bucket=BUCKET, Key="carried", CopySource=source)
    s3.copy_object(
        Bucket=BUCKET,
        Key="replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        ContentType="c/d",
        TaggingDirective="REPLACE",
        Tagging="t=2",
    )
    carried, replaced = (s3.get_object(Bucket=BUCKET, Key=key) for key in ("carried", "replaced"))
    assert (carried["ContentType"], carried["Metadata"], carried["Body"].read()) == ("a/b", {"m": "1"}, b"x")
    assert (replaced["ContentType"], replaced["Metadata"], replaced["Body"].read()) == ("c/d", {}, b"x")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="carried")["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert s3.get_object_tagging(Bucket=BUCKET, Key="replaced")["TagSet"] == [{"Key": "t", "Value": "2"}]
    s3.copy_object(Bucket=BUCKET, Key="a", CopySource=source, MetadataDirective="REPLACE", ContentType="e/f")
    assert s3.head_object(Bucket=BUCKET, Key="a")["ContentType"] == "e/f"
    for arguments, expected in (
        ({"Key": "a", "CopySource": source}, "InvalidRequest"),
        ({"Key": "b", "CopySource": {"Bucket": BUCKET, "Key": "nowhere"}}, "NoSuchKey"),
        ({"Key": "b", "CopySource": source, "CopySourceIfMatch": '"other"'}, "PreconditionFailed"),
        (
            {"Key": "b", "CopySource": source, "CopySourceIfModifiedSince": datetime(2100, 1, 1, tzinfo=UTC)},
            "PreconditionFailed",
        ),
        ({"Key": "carried", "CopySource": source, "IfNoneMatch": "*"}, "PreconditionFailed"),
    ):
        with pytest.raises(ClientError) as caught:
            s3.copy_object(Bucket=BUCKET, **arguments)
        assert code(caught) == expected


def test_a_multipart_upload_becomes_one_object(s3: Any, directory: Path, endpoint: Endpoint) -> None:
    content = bytes(range(256)) * (20 * MIB // 256)
    s3.upload_fileobj(
        io.BytesIO(content), BUCKET, "big", ExtraArgs={"ContentType": "a/b", "Metadata": {"m": "1"}}
    )
    assert (directory / "big").read_bytes() == content
    head = s3.head_object(Bucket=BUCKET, Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"m": "1"})
    assert list((endpoint.state_dir / "s3-staging").iterdir()) == []


def test_parts_can_be_copied_listed_replaced_and_given_up(
    s3: Any, directory: Path, endpoint: Endpoint
) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"s" * (6 * MIB))
    arguments = {"Bucket": BUCKET, "Key": "joined"}
    upload = s3.create_multipart_upload(**arguments, Tagging="t=1")["UploadId"]
    source = {"Bucket": BUCKET, "Key": "source"}
    first = s3.upload_part_copy(
        **arguments,
        UploadId=upload,
        PartNumber=1,
        CopySource=source,
        CopySourceRange=f"bytes=0-{5 * MIB - 1}",
    )["CopyPartResult"]
    s3.upload_part(**arguments, UploadId=upload, PartNumber=3, Body=b"replaced")
    last = s3.upload_part(**arguments, UploadId=upload, PartNumber=3, Body=b"end")
    listed = s3.list_parts(**arguments, UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 5 * MIB), (3, 3)]
    page = s3.list_parts(**arguments, UploadId=upload, MaxParts=1)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 1)
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]] == ["joined"]
    parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 3, "ETag": last["ETag"]}]
    s3.complete_multipart_upload(**arguments, UploadId=upload, MultipartUpload={"Parts": parts})
    assert (directory / "joined").read_bytes() == b"s" * (5 * MIB) + b"end"
    assert s3.get_object_tagging(**arguments)["TagSet"] == [{"Key": "t", "Value": "1"}]

    given_up = s3.create_multipart_upload(**arguments)["UploadId"]
    s3.upload_part(**arguments, UploadId=given_up, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**arguments, UploadId=given_up)
    with pytest.raises(ClientError) as caught:
        s3.upload_part(**arguments, UploadId=given_up, PartNumber=1, Body=b"x")
    assert code(caught) == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    assert list((endpoint.state_dir / "s3-staging").iterdir()) == []


def test_parts_that_do_not_make_an_object_are_refused(s3: Any) -> None:
    arguments = {"Bucket": BUCKET, "Key": "key"}
    upload = s3.create_multipart_upload(**arguments)["UploadId"]
    etags = [
        s3.upload_part(**arguments, UploadId=upload, PartNumber=number, Body=b"small")["ETag"]
        for number in (1, 2)
    ]
    one, two = ({"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1))
    for parts, expected in (
        ([one, two], "EntityTooSmall"),
        ([two, one], "InvalidPartOrder"),
        ([{**one, "ETag": '"other"'}], "InvalidPart"),
        ([{**one, "PartNumber": 9}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(**arguments, UploadId=upload, MultipartUpload={"Parts": parts})
        assert code(caught) == expected
    with pytest.raises(ClientError) as caught:
        s3.upload_part(**arguments, UploadId=upload, PartNumber=10001, Body=b"x")
    assert code(caught) == "InvalidArgument"
    s3.abort_multipart_upload(**arguments, UploadId=upload)
    assert keys(s3) == []


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("COMPOSITE", "CRC32"), ("FULL_OBJECT", "CRC32"), ("COMPOSITE", "SHA256")]
)
def test_a_multipart_upload_has_a_checksum(s3: Any, kind: str, algorithm: str) -> None:
    arguments = {"Bucket": BUCKET, "Key": "key"}
    begun = s3.create_multipart_upload(**arguments, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == (algorithm, kind)
    upload, name = begun["UploadId"], f"Checksum{algorithm}"
    part = s3.upload_part(
        **arguments, UploadId=upload, PartNumber=1, Body=b"all", ChecksumAlgorithm=algorithm
    )
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], name: part[name]}]}
    if kind == "FULL_OBJECT":
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(
                **arguments,
                UploadId=upload,
                MultipartUpload=parts,
                ChecksumType=kind,
                ChecksumCRC32="AAAAAA==",
            )
        assert code(caught) == "BadDigest"
    done = s3.complete_multipart_upload(**arguments, UploadId=upload, MultipartUpload=parts)
    head = s3.head_object(**arguments, ChecksumMode="ENABLED")
    assert head[name] == done[name]
    assert head["ChecksumType"] == kind
    assert (part[name] == done[name]) == (kind == "FULL_OBJECT")
    assert s3.get_object(**arguments, ChecksumMode="ENABLED")["Body"].read() == b"all"


def test_keys_that_have_no_place_in_a_directory_are_clear_errors(s3: Any, endpoint: Endpoint) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    for key in ("../escaped", "x/../../escaped", "/absolute", "double//slash", "a/b"):
        with pytest.raises(ClientError, match="On a laptop objects are files"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=BUCKET, Key=key)
        assert code(caught) == "NoSuchKey"
    assert keys(s3) == ["a"]
    assert [path for path in endpoint.state_dir.rglob("*") if "escaped" in path.name] == []


def test_directory_markers_are_objects(s3: Any, directory: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key="a/b/", ContentType="application/x-directory")
    assert s3.head_object(Bucket=BUCKET, Key="a/b/")["ContentType"] == "application/x-directory"
    assert s3.get_object(Bucket=BUCKET, Key="a/b/")["Body"].read() == b""
    assert keys(s3) == ["a/b/"]
    assert (directory / "a" / "b").is_dir()
    s3.delete_object(Bucket=BUCKET, Key="a/b/")
    assert keys(s3) == []


def test_a_bucket_is_found_by_host_name_too(s3: Any, endpoint: Endpoint) -> None:
    s3.put_object(Bucket=BUCKET, Key="a b/c", Body=b"content")
    port = int(endpoint.url.rpartition(":")[2])
    for host in (
        f"{BUCKET}.s3.eu-west-2.amazonaws.com",
        f"{BUCKET}.localhost:{port}",
        f"{BUCKET}.s3.localhost",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/a%20b/c", headers={"Host": host})
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (200, b"content")
        connection.close()


def test_a_presigned_url_reads_and_writes(s3: Any) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "a b"})
    assert urllib3.request("PUT", put, body=b"content").status == 200
    get = s3.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "a b", "ResponseContentType": "text/x"}
    )
    found = urllib3.request("GET", get)
    assert (found.data, found.headers["Content-Type"]) == (b"content", "text/x")


def test_a_browser_can_read_a_page_without_signing(s3: Any, endpoint: Endpoint) -> None:
    s3.put_object(Bucket=BUCKET, Key="site/index.html", Body=b"<p>", ContentType="text/html")
    page = urllib3.request("GET", f"{endpoint.url}/{BUCKET}/site/index.html")
    assert (page.data, page.headers["Content-Type"]) == (b"<p>", "text/html")
    missing = urllib3.request("GET", f"{endpoint.url}/{BUCKET}/nowhere")
    assert missing.status == 404
    assert b"<Code>NoSuchKey</Code>" in missing.data


def test_what_newer_sdks_send_over_tls_is_decoded(endpoint: Endpoint, s3: Any, directory: Path) -> None:
    """An unsigned trailer needs TLS in boto3; here its very bytes are sent."""
    right = base64.b64encode(zlib.crc32(b"content").to_bytes(4, "big"))
    key = endpoint.environment()["AWS_ACCESS_KEY_ID"]
    body = b"7\r\ncontent\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-2/s3/aws4_request, Signature=0",
        "Content-Encoding": "gzip,aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "7",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    url = f"{endpoint.url}/{BUCKET}/key"
    refused = urllib3.request("PUT", url, body=body % b"AAAAAA==", headers=headers)
    assert refused.status == 400
    assert b"BadDigest" in refused.data
    taken = urllib3.request("PUT", url, body=body % right, headers=headers)
    assert taken.headers["x-amz-checksum-crc32"] == right.decode()
    assert (directory / "key").read_bytes() == b"content"
    assert s3.head_object(Bucket=BUCKET, Key="key")["ContentEncoding"] == "gzip"


def test_a_connection_that_ends_early_leaves_nothing(endpoint: Endpoint, s3: Any, directory: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
    connection.putrequest("PUT", f"/{BUCKET}/torn")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders(b"only this")
    connection.close()
    s3.put_object(Bucket=BUCKET, Key="whole", Body=b"x")
    assert keys(s3) == ["whole"]
    assert not (directory / "torn").exists()


def test_buckets_keep_their_settings_and_their_policy_is_not_evaluated(s3: Any) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == json.loads(policy)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_buckets_and_directories_are_the_same(s3: Any, endpoint: Endpoint, directory: Path) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
    assert code(caught) == "BucketAlreadyOwnedByYou"
    endpoint.bucket_dir("made-by-hand").mkdir()
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"made-by-hand", BUCKET}
    assert s3.head_bucket(Bucket="made-by-hand")["BucketRegion"] == endpoint.region
    s3.put_object(Bucket=BUCKET, Key="key")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=BUCKET)
    assert code(caught) == "BucketNotEmpty"
    s3.delete_object(Bucket=BUCKET, Key="key")
    s3.delete_bucket(Bucket=BUCKET)
    assert not directory.exists()
    endpoint.bucket_dir("made-by-hand").rmdir()
    assert s3.list_buckets()["Buckets"] == []
    for operation, arguments in (
        ("put_object", {"Key": "key"}),
        ("get_object", {"Key": "key"}),
        ("list_objects_v2", {}),
        ("list_multipart_uploads", {}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "key"}]}}),
        ("get_bucket_policy", {}),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(s3, operation)(Bucket=BUCKET, **arguments)
        assert code(caught) == "NoSuchBucket"


def test_tags_and_access_lists_of_objects(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="key", Tagging="a=1")
    s3.put_object_tagging(Bucket=BUCKET, Key="key", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="key")["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.delete_object_tagging(Bucket=BUCKET, Key="key")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="key")["TagSet"] == []
    s3.put_object_acl(Bucket=BUCKET, Key="key", ACL="private")
    assert s3.get_object_acl(Bucket=BUCKET, Key="key")["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_a_request_that_is_not_known_or_not_well_formed_is_a_clear_error(s3: Any, endpoint: Endpoint) -> None:
    s3.put_object(Bucket=BUCKET, Key="key")
    with pytest.raises(ClientError, match="does not know this request of an object: GET retention"):
        s3.get_object_retention(Bucket=BUCKET, Key="key")
    with pytest.raises(ClientError, match="can only be"):
        s3.put_object(Bucket=BUCKET, Key="key", IfNoneMatch='"some"')
    for body in (b"<nonsense", b"<Delete>text</Delete>", b"<Delete><Object>text</Object></Delete>"):
        answer = urllib3.request("POST", f"{endpoint.url}/{BUCKET}?delete", body=body)
        assert b"MalformedXML" in answer.data
    for query in ("max-keys=many", "max-keys=-1"):
        answer = urllib3.request("GET", f"{endpoint.url}/{BUCKET}?{query}")
        assert b"InvalidArgument" in answer.data


def test_a_default_client_of_the_environment_works(
    endpoint: Endpoint, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", config=Config(s3={"addressing_style": "auto"}))
    client.put_object(Bucket=BUCKET, Key="key", Body=b"1")
    assert s3.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"1"
    client.close()
