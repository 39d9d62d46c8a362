"""S3's XML documents: pure functions from what happened to bytes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import xmltodict  # type: ignore[import-untyped]

from local_aws.endpoint.object_store import ObjectInfo, ObjectVersion, Page, VersionPage
from local_aws.endpoint.s3_errors import S3Error
from local_aws.endpoint.uploads import Upload

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_OWNER = {
    "ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a",
    "DisplayName": "lakehouse",
}


def parse(document: bytes, root: str) -> dict[str, Any]:
    """Read a request's document.

    Args:
        document: The XML.
        root: The name that its outermost element must have.

    Returns:
        What the outermost element holds; an element that occurs once is a value, else they are a list.

    Raises:
        S3Error: If it is not such a document.
    """
    malformed = S3Error(400, "MalformedXML", f"The request's body is not a well-formed <{root}>")
    try:
        parsed = xmltodict.parse(document, strip_whitespace=False, process_namespaces=False)
    except Exception as error:
        raise malformed from error
    content = parsed.get(root)
    if not isinstance(content, dict):
        raise malformed
    return content


def items(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the elements of a name as a list, however many there are.

    Raises:
        S3Error: If one of them is not an element with children.
    """
    found = content.get(name, [])
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in listed):
        raise S3Error(400, "MalformedXML", f"The request's <{name}> is not well-formed")
    return listed


def error(failure: S3Error, resource: str) -> bytes:
    """Write an error's document.

    Args:
        failure: The error.
        resource: The path that was asked for.
    """
    content = {
        "Code": failure.code,
        "Message": failure.message,
        "Resource": resource,
        "RequestId": uuid.uuid4().hex,
    }
    return _document("Error", content, namespace=False)


def timestamp(moment: datetime) -> str:
    """Write a moment as S3 does: UTC, with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def listing(
    page: Page, bucket: str, query: Mapping[str, str], limit: int, token: Callable[[str], str]
) -> bytes:
    """Write a listing, of version 1 or 2 as asked.

    Args:
        page: What was found.
        bucket: The bucket's name.
        query: The request's parameters.
        limit: The most entries that were asked for.
        token: Makes the continuation token of version 2 from a key.
    """
    encode = _encoder(query)
    second = query.get("list-type") == "2"
    content: dict[str, Any] = {
        "Name": bucket,
        "Prefix": encode(query.get("prefix", "")),
        "MaxKeys": limit,
        "IsTruncated": _boolean(page.last is not None),
        "Contents": [_entry(info, encode, with_owner=not second) for info in page.objects],
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
    }
    content |= {"Delimiter": encode(query["delimiter"])} if query.get("delimiter") else {}
    content |= {"EncodingType": query["encoding-type"]} if query.get("encoding-type") else {}
    if second:
        content["KeyCount"] = len(page.objects) + len(page.prefixes)
        content |= {"StartAfter": encode(query["start-after"])} if query.get("start-after") else {}
        if "continuation-token" in query:
            content["ContinuationToken"] = query["continuation-token"]
        if page.last is not None:
            content["NextContinuationToken"] = token(page.last)
    else:
        content["Marker"] = encode(query.get("marker", ""))
        if page.last is not None:
            content["NextMarker"] = encode(page.last)
    return _document("ListBucketResult", content)


def versions(page: VersionPage, bucket: str, query: Mapping[str, str], limit: int) -> bytes:
    """Write a listing of versions and delete markers.

    Args:
        page: What was found.
        bucket: The bucket's name.
        query: The request's parameters.
        limit: The most entries that were asked for.
    """
    encode = _encoder(query)
    content: dict[str, Any] = {
        "Name": bucket,
        "Prefix": encode(query.get("prefix", "")),
        "KeyMarker": encode(query.get("key-marker", "")),
        "VersionIdMarker": query.get("version-id-marker", ""),
        "MaxKeys": limit,
        "IsTruncated": _boolean(page.last is not None),
        "Version": [_version(one, encode) for one in page.versions if not one.marker],
        "DeleteMarker": [_version(one, encode) for one in page.versions if one.marker],
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
    }
    content |= {"EncodingType": query["encoding-type"]} if query.get("encoding-type") else {}
    if page.last is not None:
        key, version = page.last
        content["NextKeyMarker"] = encode(key)
        content |= {"NextVersionIdMarker": version} if version else {}
    return _document("ListVersionsResult", content)


def _version(one: ObjectVersion, encode: Callable[[str], str]) -> dict[str, Any]:
    entry = _entry(one.info, encode, with_owner=True)
    known = ("Key", "LastModified", "Owner") if one.marker else tuple(entry)
    named = {"VersionId": one.info.facts.version, "IsLatest": _boolean(one.latest)}
    return {**{name: entry[name] for name in known}, **named}


def deletion(deleted: Iterable[Mapping[str, str]], failed: Iterable[tuple[str, S3Error]]) -> bytes:
    """Write what became of a DeleteObjects.

    Args:
        deleted: What was deleted, key and versions (nothing in quiet mode).
        failed: Keys that could not be deleted, and why.
    """
    errors = [{"Key": key, "Code": failure.code, "Message": failure.message} for key, failure in failed]
    return _document("DeleteResult", {"Deleted": list(deleted), "Error": errors})


def copied(info: ObjectInfo, *, part: bool = False) -> bytes:
    """Write the result of a copy.

    Args:
        info: The new object.
        part: Whether it is a part of an upload.
    """
    content = {"LastModified": timestamp(info.modified), "ETag": f'"{info.facts.etag}"'}
    return _document("CopyPartResult" if part else "CopyObjectResult", content)


def initiated(upload: Upload) -> bytes:
    """Write the beginning of an upload."""
    content = {"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.upload_id}
    return _document("InitiateMultipartUploadResult", content)


def completed(bucket: str, info: ObjectInfo, location: str) -> bytes:
    """Write the end of an upload.

    Args:
        bucket: The bucket's name.
        info: The new object.
        location: Its URL.
    """
    content = {"Location": location, "Bucket": bucket, "Key": info.key, "ETag": f'"{info.facts.etag}"'}
    return _document("CompleteMultipartUploadResult", {**content, **_checksums(info)})


def parts(upload: Upload, after: int, limit: int) -> bytes:
    """Write the parts of an upload.

    Args:
        upload: The upload.
        after: Only parts with a higher number.
        limit: The most parts to name.
    """
    numbers = sorted(number for number in upload.parts if number > after)
    named = [upload.parts[number] for number in numbers[:limit]]
    content: dict[str, Any] = {
        "Bucket": upload.bucket,
        "Key": upload.key,
        "UploadId": upload.upload_id,
        "Owner": _OWNER,
        "Initiator": _OWNER,
        "StorageClass": "STANDARD",
        "PartNumberMarker": after,
        "NextPartNumberMarker": named[-1].number if named else after,
        "MaxParts": limit,
        "IsTruncated": _boolean(len(numbers) > limit),
        "Part": [
            {
                "PartNumber": part.number,
                "LastModified": timestamp(part.modified),
                "ETag": f'"{part.received.md5}"',
                "Size": part.received.size,
            }
            for part in named
        ],
    }
    return _document("ListPartsResult", content)


def uploads(bucket: str, under_way: Iterable[Upload], query: Mapping[str, str]) -> bytes:
    """Write a bucket's uploads.

    Args:
        bucket: The bucket's name.
        under_way: The uploads.
        query: The request's parameters.
    """
    encode = _encoder(query)
    entries = [
        {
            "Key": encode(upload.key),
            "UploadId": upload.upload_id,
            "Owner": _OWNER,
            "Initiator": _OWNER,
            "StorageClass": "STANDARD",
            "Initiated": timestamp(upload.initiated),
        }
        for upload in under_way
        if upload.key.startswith(query.get("prefix", ""))
    ]
    content: dict[str, Any] = {
        "Bucket": bucket,
        "MaxUploads": 1000,
        "IsTruncated": "false",
        "Upload": entries,
    }
    content |= {"EncodingType": query["encoding-type"]} if query.get("encoding-type") else {}
    return _document("ListMultipartUploadsResult", content)


def tagging(tags: Mapping[str, str]) -> bytes:
    """Write an object's tags."""
    entries = [{"Key": key, "Value": value} for key, value in tags.items()]
    return _document("Tagging", {"TagSet": {"Tag": entries}})


def acl() -> bytes:
    """Write the access control list that every object has: its owner may do everything."""
    grantee = {
        "@xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "@xsi:type": "CanonicalUser",
        **_OWNER,
    }
    grant = {"Grantee": grantee, "Permission": "FULL_CONTROL"}
    return _document("AccessControlPolicy", {"Owner": _OWNER, "AccessControlList": {"Grant": grant}})


def attributes(info: ObjectInfo, wanted: Iterable[str]) -> bytes:
    """Write an object's attributes.

    Args:
        info: The object.
        wanted: Names of the attributes, as in the request's header.
    """
    checksums = {
        f"Checksum{header.rpartition('-')[2].upper()}": value
        for header, value in info.facts.checksums.items()
    }
    known: dict[str, Any] = {
        "ETag": info.facts.etag,
        "Checksum": checksums or None,
        "StorageClass": info.facts.headers.get("x-amz-storage-class", "STANDARD"),
        "ObjectSize": info.size,
    }
    content = {name: known[name] for name in wanted if known.get(name) is not None}
    return _document("GetObjectAttributesResponse", content)


def _document(root: str, content: Mapping[str, Any], *, namespace: bool = True) -> bytes:
    attribute = {"@xmlns": _NAMESPACE} if namespace else {}
    document: bytes = xmltodict.unparse({root: {**attribute, **content}}).encode()
    return document


def _entry(info: ObjectInfo, encode: Callable[[str], str], *, with_owner: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Key": encode(info.key),
        "LastModified": timestamp(info.modified),
        "ETag": f'"{info.facts.etag}"',
        "Size": info.size,
        "StorageClass": info.facts.headers.get("x-amz-storage-class", "STANDARD"),
    }
    return {**entry, "Owner": _OWNER} if with_owner else entry


def _checksums(info: ObjectInfo) -> dict[str, str]:
    named = info.facts.checksums.items()
    return {f"Checksum{header.rpartition('-')[2].upper()}": value for header, value in named}


def _encoder(query: Mapping[str, str]) -> Callable[[str], str]:
    return _url_encode if query.get("encoding-type") == "url" else str


def _url_encode(text: str) -> str:
    return quote(text, safe="/~*-._")


def _boolean(value: bool) -> str:
    return "true" if value else "false"
