"""Versions of objects, as S3 documents them: what a bucket keeps, what a marker hides, what shows again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.endpoint.app import Endpoint, create_endpoint
from tests.integration.local_aws.endpoint.conftest import BUCKET

PART = 5 * 1024 * 1024


def versioning(s3: Any, status: str) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})


def put(s3: Any, key: str, body: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"])


def read(s3: Any, key: str, version: str | None = None) -> bytes:
    which = {} if version is None else {"VersionId": version}
    return bytes(s3.get_object(Bucket=BUCKET, Key=key, **which)["Body"].read())


def refused(act: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act(Bucket=BUCKET, **arguments)
    return str(caught.value.response["Error"]["Code"])


def listed(s3: Any, page_size: int = 1000, **arguments: Any) -> list[tuple[str, str, bool, str]]:
    """Key, version, whether it is the latest, and what it is, in the order of the listing's own parts."""
    found = []
    settings = {"PageSize": page_size}
    pages = s3.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=BUCKET, PaginationConfig=settings, **arguments):
        for kind in ("Versions", "DeleteMarkers"):
            found += [
                (one["Key"], one["VersionId"], one["IsLatest"], kind.removesuffix("s"))
                for one in page.get(kind, ())
            ]
    return found


def test_where_versioning_was_never_switched_on_an_object_has_one_version_without_a_name(s3: Any) -> None:
    for body in (b"first", b"second"):
        s3.put_object(Bucket=BUCKET, Key="key", Body=body)
    assert listed(s3) == [("key", "null", True, "Version")]
    assert read(s3, "key", "null") == b"second"
    assert refused(s3.get_object, Key="key", VersionId="another") == "NoSuchVersion"
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "key", "VersionId": "null"}]})
    assert listed(s3) == []


def test_a_bucket_keeps_what_is_replaced_and_each_version_is_read_by_its_name(s3: Any) -> None:
    assert "VersionId" not in s3.put_object(Bucket=BUCKET, Key="key", Body=b"before")
    versioning(s3, "Enabled")
    first, second = put(s3, "key", b"first"), put(s3, "key", b"second")
    assert read(s3, "key") == b"second"
    assert [read(s3, "key", version) for version in ("null", first, second)] == [
        b"before",
        b"first",
        b"second",
    ]
    assert listed(s3) == [
        ("key", second, True, "Version"),
        ("key", first, False, "Version"),
        ("key", "null", False, "Version"),
    ]
    head = s3.head_object(Bucket=BUCKET, Key="key", VersionId=first)
    assert (head["VersionId"], head["ContentLength"]) == (first, 5)
    assert refused(s3.get_object, Key="key", VersionId="another") == "NoSuchVersion"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["key"]


def test_a_removal_puts_a_marker_over_an_object_and_without_it_the_object_shows_again(
    s3: Any, directory: Path
) -> None:
    versioning(s3, "Enabled")
    version = put(s3, "a/key", b"content")
    gone = s3.delete_object(Bucket=BUCKET, Key="a/key")
    assert gone["DeleteMarker"]
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
    assert list(directory.iterdir()) == []
    assert refused(s3.get_object, Key="a/key") == "NoSuchKey"
    assert refused(s3.get_object, Key="a/key", VersionId=gone["VersionId"]) == "MethodNotAllowed"
    assert read(s3, "a/key", version) == b"content"
    assert listed(s3) == [
        ("a/key", version, False, "Version"),
        ("a/key", gone["VersionId"], True, "DeleteMarker"),
    ]
    # To a condition it is not there; what is written under it is the latest, and the marker stays.
    anew = s3.put_object(Bucket=BUCKET, Key="a/key", Body=b"anew", IfNoneMatch="*")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="a/key", VersionId=anew)
    assert refused(s3.get_object, Key="a/key") == "NoSuchKey"
    undone = s3.delete_object(Bucket=BUCKET, Key="a/key", VersionId=gone["VersionId"])
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, gone["VersionId"])
    assert read(s3, "a/key") == b"content"
    assert (directory / "a" / "key").read_bytes() == b"content"
    assert listed(s3) == [("a/key", version, True, "Version")]


def test_a_version_that_is_removed_is_gone_for_good_and_the_one_before_it_shows(s3: Any) -> None:
    versioning(s3, "Enabled")
    versions = [put(s3, "key", f"{number}".encode()) for number in range(3)]
    s3.delete_object(Bucket=BUCKET, Key="key", VersionId=versions[1])
    assert refused(s3.get_object, Key="key", VersionId=versions[1]) == "NoSuchVersion"
    s3.delete_object(Bucket=BUCKET, Key="key", VersionId=versions[2])
    assert read(s3, "key") == b"0"
    assert s3.head_object(Bucket=BUCKET, Key="key")["VersionId"] == versions[0]
    s3.delete_object(Bucket=BUCKET, Key="key", VersionId=versions[0])
    assert listed(s3) == []
    s3.delete_bucket(Bucket=BUCKET)


def test_many_are_removed_and_brought_back_in_one_request(s3: Any) -> None:
    versioning(s3, "Enabled")
    kept = {f"k{number}": put(s3, f"k{number}", b"x") for number in range(3)}
    everything = {"Objects": [{"Key": key} for key in kept]}
    answer = s3.delete_objects(Bucket=BUCKET, Delete=everything)
    markers = {one["Key"]: one["DeleteMarkerVersionId"] for one in answer["Deleted"]}
    assert all(one["DeleteMarker"] for one in answer["Deleted"])
    back = [{"Key": key, "VersionId": version} for key, version in markers.items()]
    answer = s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [*back, {"Key": "k0", "VersionId": "another"}]}
    )
    assert [(one["Key"], one["VersionId"]) for one in answer["Deleted"]] == list(markers.items())
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("k0", "NoSuchVersion")]
    assert {key: version for key, version, *_ in listed(s3)} == kept


def test_pages_cover_every_version_and_marker_once(s3: Any) -> None:
    versioning(s3, "Enabled")
    for key in ("a/1", "a/2", "b", "c/1"):
        for _ in range(3):
            put(s3, key, b"x")
    for key in ("a/2", "c/1", "never/was"):
        s3.delete_object(Bucket=BUCKET, Key=key)
    whole = listed(s3)
    assert len(whole) == 15
    for size in (1, 2, 4):
        assert sorted(listed(s3, size)) == sorted(whole)
    assert sorted(listed(s3, 2, Prefix="a/")) == sorted(one for one in whole if one[0].startswith("a/"))
    for size in (1, 2, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": size}
        )
        rolled = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", ())]
        assert rolled == ["a/", "c/", "never/"]


def test_where_versioning_is_suspended_one_version_without_a_name_is_kept(s3: Any) -> None:
    versioning(s3, "Enabled")
    first = put(s3, "key", b"first")
    versioning(s3, "Suspended")
    assert put(s3, "key", b"second") == "null"
    assert put(s3, "key", b"third") == "null"
    assert read(s3, "key", first) == b"first"
    assert s3.delete_object(Bucket=BUCKET, Key="key")["VersionId"] == "null"
    assert listed(s3) == [("key", first, False, "Version"), ("key", "null", True, "DeleteMarker")]
    s3.delete_object(Bucket=BUCKET, Key="key", VersionId="null")
    assert read(s3, "key") == b"first"


def test_uploads_and_copies_are_versions_and_a_version_can_be_copied(s3: Any) -> None:
    versioning(s3, "Enabled")
    first = put(s3, "key", b"first")
    s3.upload_fileobj(io.BytesIO(b"m" * (PART + 1)), BUCKET, "key")
    assert len(read(s3, "key")) == PART + 1
    source = {"Bucket": BUCKET, "Key": "key", "VersionId": first}
    answer = s3.copy_object(Bucket=BUCKET, Key="key", CopySource=source)
    assert read(s3, "key") == b"first"
    assert next(version for _, version, *_ in listed(s3)) == answer["VersionId"]
    assert len(listed(s3)) == 3


def test_a_bucket_is_not_empty_while_it_keeps_anything(s3: Any) -> None:
    versioning(s3, "Enabled")
    put(s3, "key", b"x")
    s3.delete_object(Bucket=BUCKET, Key="key")
    assert refused(s3.delete_bucket) == "BucketNotEmpty"
    for key, version, *_ in listed(s3):
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    s3.delete_bucket(Bucket=BUCKET)


def test_versions_and_the_setting_outlive_a_restart(tmp_path: Path) -> None:
    with create_endpoint(tmp_path) as endpoint:
        s3 = endpoint.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        versioning(s3, "Enabled")
        first = put(s3, "key", b"first")
        s3.delete_object(Bucket=BUCKET, Key="key")
        before = listed(s3)
    with create_endpoint(tmp_path) as endpoint:
        s3 = endpoint.client("s3")
        assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
        assert listed(s3) == before
        second = put(s3, "key", b"second")
        assert second not in ("null", first)
        assert [read(s3, "key", version) for version in (first, second)] == [b"first", b"second"]


def test_a_bucket_that_is_made_again_by_hand_keeps_nothing_of_the_one_before(
    s3: Any, endpoint: Endpoint, directory: Path
) -> None:
    versioning(s3, "Enabled")
    put(s3, "key", b"first")
    s3.delete_object(Bucket=BUCKET, Key="key")
    directory.rmdir()
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
    assert listed(s3) == []
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
