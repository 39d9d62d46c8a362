"""The S3 API over the bucket directories, in front of moto.

Requests for objects and listings are answered here, from the directories; moto keeps what else there is to a
bucket (its policy, encryption, tags, versioning setting ...) and never sees an object. A bucket's policy is
for the guard to evaluate: moto would read a Deny with a Condition as a Deny of everything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import parse_qsl, unquote

from moto.core.request import Request
from moto.s3.models import FakeBucket, s3_backends
from moto.utilities.utils import get_partition
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import http_date, parse_date, parse_etags, parse_range_header
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from local_aws.endpoint import s3_xml
from local_aws.endpoint.body import CHECKSUM_HEADER, Received, receive, write_chunks
from local_aws.endpoint.object_store import ANYWAY, Condition, ObjectInfo, ObjectStore
from local_aws.endpoint.s3_errors import S3Error, access_denied, no_such_bucket, precondition_failed
from local_aws.endpoint.sidecar import ObjectMetadata
from local_aws.endpoint.uploads import Upload, Uploads, join

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger(__name__)
_CREDENTIAL = re.compile(r"Credential=[^/,]+/\d+/[^/,]+/(?P<service>[^/,]+)/aws4_request")
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+?)\.(?:s3[.-].*|localhost)")
_KEPT_HEADERS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
    }
)
_LISTING = frozenset(
    {
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "list-type",
        "marker",
        "max-keys",
        "max-parts",
        "max-uploads",
        "part-number-marker",
        "prefix",
        "start-after",
        "upload-id-marker",
        "version-id-marker",
    }
)
_ASIDE = ("x-amz-", "x-id", "awsaccesskeyid", "signature", "expires", "response-", "versionid", "partnumber")
"""Beginnings of parameters that do not choose the operation."""
_OF_A_VERSION = frozenset(
    {("GET", ""), ("HEAD", ""), ("DELETE", ""), ("GET", "tagging"), ("GET", "attributes")}
)
"""What may be asked of one version of an object."""
_MOST_KEYS = 1000

Refusal = Callable[[str, str], "str | None"]
"""From an action of S3 (`DeleteObject`) and a key to why its caller may not; None where it may."""

REFUSAL = "lakehouse.refusal"
"""Where in a request's environment the guard leaves it."""


def _nothing_refused(_action: str, _key: str) -> str | None:
    return None


@dataclass(frozen=True)
class _Call:
    """One S3 request.

    Attributes:
        method: HTTP's.
        bucket: The bucket's name, empty for the service itself.
        key: The object's key, empty for the bucket itself.
        query: The parameters.
        headers: The headers, names in lower case.
        stream: The body, to be read once.
        path: The path that was asked for.
        base_url: The endpoint's URL, ending in a slash.
        refusal: Says why the caller may not do an action that only this layer knows of.
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    stream: BinaryIO
    path: str
    base_url: str
    refusal: Refusal

    @property
    def version(self) -> str | None:
        """The version of the object that is meant, None for the latest."""
        return self.query.get("versionId") or None

    @property
    def subresource(self) -> str:
        """What of the bucket or object is meant, e.g. `tagging`; empty for the thing itself."""
        return subresource(self.query)


def subresource(query: Iterable[str]) -> str:
    """What of a bucket or an object a request's parameters mean, e.g. `tagging`; empty for the thing itself.

    Args:
        query: The parameters' names.
    """
    names = (name for name in query if not name.lower().startswith(_ASIDE) and name not in _LISTING)
    return "&".join(sorted(names))


class S3Layer:
    """The layer that answers S3's object requests from the bucket directories.

    Args:
        store: The buckets.
        region: The AWS region that the endpoint plays.
        account_id: The AWS account that the endpoint plays.
    """

    def __init__(self, store: ObjectStore, region: str, account_id: str) -> None:
        self._store = store
        self._region = region
        self._account_id = account_id
        self._uploads = Uploads()
        self._bucket_lock = threading.Lock()
        self._object_operations: dict[tuple[str, str], Callable[[_Call], Response]] = {
            ("GET", ""): self._get,
            ("HEAD", ""): self._get,
            ("PUT", ""): self._put,
            ("DELETE", ""): self._delete,
            ("POST", "uploads"): self._begin_upload,
            ("PUT", "uploadId"): self._put_part,
            ("GET", "uploadId"): self._list_parts,
            ("POST", "uploadId"): self._complete_upload,
            ("DELETE", "uploadId"): self._abort_upload,
            ("GET", "tagging"): self._get_tags,
            ("PUT", "tagging"): self._put_tags,
            ("DELETE", "tagging"): self._delete_tags,
            ("GET", "attributes"): self._get_attributes,
            ("GET", "acl"): self._get_acl,
            ("PUT", "acl"): self._put_acl,
        }
        self._bucket_operations: dict[tuple[str, str], Callable[[_Call], Response]] = {
            ("GET", ""): self._list,
            ("GET", "versions"): self._list_versions,
            ("GET", "uploads"): self._list_uploads,
            ("POST", "delete"): self._delete_many,
        }

    def __call__(self, behind: WSGIApplication) -> WSGIApplication:
        """Put the layer in front of an application (moto's)."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if not self._is_mine(environ):
                return behind(environ, start_response)
            call = _call(environ)
            try:
                response = self._answer(call, behind, environ)
            except S3Error as failure:
                response = _error(call, _told(call, failure))
            except ClientDisconnected:
                response = _error(call, S3Error(400, "IncompleteBody", "The connection was closed early"))
            except Exception:  # noqa: BLE001
                # A fault of the stack's own: the log gets it in full, the caller an error it can read.
                _LOG.exception("%s of an S3 %s failed", call.method, "object" if call.key else "bucket")
                message = "The request failed inside the laptop stack; its log has the details"
                response = _error(call, S3Error(500, "InternalError", message))
            response.headers.setdefault("x-amz-request-id", uuid.uuid4().hex)
            return response(environ, start_response)

        return application

    # --- which request is whose ---

    def _is_mine(self, environ: WSGIEnvironment) -> bool:
        if "HTTP_X_AMZ_TARGET" in environ:
            return False
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        signed = _CREDENTIAL.search(authorization) or _CREDENTIAL.search(
            unquote(environ.get("QUERY_STRING", "")).replace("X-Amz-Credential", "Credential")
        )
        if signed:
            return signed["service"] == "s3" and not environ["PATH_INFO"].startswith("/v20180820/")
        if authorization.startswith("AWS "):
            return True
        bucket, _ = address(environ)
        return bool(bucket) and self._store.has_bucket(bucket)

    def _answer(self, call: _Call, behind: WSGIApplication, environ: WSGIEnvironment) -> Response:
        if not call.key:
            operation = self._bucket_operations.get((call.method, call.subresource)) if call.bucket else None
            return operation(call) if operation else self._ask_moto(call, behind, environ)
        if call.method == "OPTIONS":
            return self._ask_moto(call, behind, environ)
        operation = self._object_operations.get((call.method, call.subresource))
        if operation is None:
            what = f"{call.method} {call.subresource}".strip()
            raise S3Error(
                501, "NotImplemented", f"The laptop's S3 does not know this request of an object: {what}"
            )
        if not self._store.has_bucket(call.bucket):
            raise no_such_bucket(call.bucket)
        if call.version is not None and (call.method, call.subresource) not in _OF_A_VERSION:
            what = f"{call.method} {call.subresource}".strip()
            message = f"The laptop's S3 does not know this request of a version: {what}"
            raise S3Error(501, "NotImplemented", message)
        return operation(call)

    def _ask_moto(self, call: _Call, behind: WSGIApplication, environ: WSGIEnvironment) -> Response:
        """Let moto answer for a bucket, and keep its buckets and the directories the same."""
        with self._bucket_lock:
            self._show_buckets_to_moto()
            change = call.subresource == "" and bool(call.bucket)
            if change and call.method == "PUT":
                self._prepare_bucket(call.bucket)
            if change and call.method == "DELETE":
                self._store.check_empty(call.bucket)
                self._forget_access_logs(call.bucket)
            response = Response.from_app(behind, environ, buffered=True)
            if (call.method, call.subresource) == ("PUT", "versioning") and response.status_code < 300:
                self._store.set_versioning(call.bucket, self._moto_buckets()[call.bucket].versioning_status)
            if change and response.status_code < 300:
                if call.method == "PUT":
                    self._store.create_bucket(call.bucket)
                elif call.method == "DELETE":
                    self._store.delete_bucket(call.bucket)
            return response

    def _prepare_bucket(self, bucket: str) -> None:
        if self._store.has_bucket(bucket):
            raise S3Error(
                409,
                "BucketAlreadyOwnedByYou",
                f"Your previous request to create the bucket succeeded: {bucket}",
            )
        self._store.check_bucket_name(bucket)
        # Bucket names are unique among all of moto's accounts; another endpoint of this process has its own.
        s3_backends.bucket_accounts.pop(bucket, None)

    def _forget_access_logs(self, bucket: str) -> None:
        """Let moto forget what it delivered as access logs; it would call the bucket not empty."""
        known = self._moto_buckets()
        if bucket in known:
            known[bucket].keys.clear()

    def _moto_buckets(self) -> dict[str, Any]:
        buckets: dict[str, Any] = s3_backends[self._account_id][get_partition(self._region)].buckets
        return buckets

    def _show_buckets_to_moto(self) -> None:
        known = self._moto_buckets()
        existing = self._store.buckets()
        for name in existing:
            if name not in known:
                bucket: Any = FakeBucket
                known[name] = bucket(name=name, account_id=self._account_id, region_name=self._region)
                known[name].versioning_status = self._store.versioning(name) or None
        for name in set(known) - set(existing):
            del known[name]

    # --- objects ---

    def _get(self, call: _Call) -> Response:
        found = self._store.open(call.bucket, call.key, call.version)
        info = found.info
        try:
            if _check_preconditions(info, call.headers):
                found.close()
                return Response(
                    status=304, headers={"ETag": _quoted(info), "Last-Modified": http_date(info.modified)}
                )
            stretch = _stretch(call, info.size)
        except S3Error:
            found.close()
            raise
        start, stop = stretch or (0, info.size)
        headers = _object_headers(info, call) | self._version_header(call, info)
        headers["Content-Length"] = str(stop - start)
        if stretch:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
        elif call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= _checksum_headers(info.facts.checksums)
        status = 206 if stretch else 200
        if call.method == "HEAD":
            found.close()
            return Response(status=status, headers=headers)
        response = Response(
            found.chunks(start, stop - start), status=status, headers=headers, direct_passthrough=True
        )
        response.call_on_close(found.close)
        return response

    def _put(self, call: _Call) -> Response:
        self._store.check_key(call.bucket, call.key)
        if "x-amz-copy-source" in call.headers:
            return self._copy(call)
        with _Staged(self._store) as path:
            received = receive(call.stream, call.headers, path)
            facts = ObjectMetadata(
                received.md5, _kept_headers(call.headers), _header_tags(call), received.checksums
            )
            info = self._store.publish(call.bucket, call.key, path, facts, _condition(call))
        return Response(status=200, headers=_written_headers(info) | self._version_header(call, info))

    def _version_header(self, call: _Call, info: ObjectInfo) -> dict[str, str]:
        return {"x-amz-version-id": info.facts.version} if self._store.versioning(call.bucket) else {}

    def _copy(self, call: _Call) -> Response:
        source_place = bucket, key, version = _copy_source(call)
        replaces = call.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
        if (
            (bucket, key) == (call.bucket, call.key)
            and version is None
            and not replaces
            and "x-amz-storage-class" not in call.headers
        ):
            raise S3Error(
                400,
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without "
                "changing the object's metadata, storage class, website redirect location or encryption "
                "attributes.",
            )
        with _Staged(self._store) as path:
            source, received = self._copy_bytes(call, source_place, path, None)
            retags = call.headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE"
            facts = ObjectMetadata(
                received.md5,
                _kept_headers(call.headers) if replaces else source.facts.headers,
                _header_tags(call) if retags else source.facts.tags,
                {name: value for name, value in source.facts.checksums.items() if "-" not in value},
            )
            info = self._store.publish(call.bucket, call.key, path, facts, _condition(call))
        response = _xml(s3_xml.copied(info))
        response.headers.extend(self._version_header(call, info))
        return response

    def _copy_bytes(
        self, call: _Call, place: tuple[str, str, str | None], path: Path, stretch: tuple[int, int] | None
    ) -> tuple[ObjectInfo, Received]:
        with self._store.open(*place) as found:
            source = found.info
            conditions = {
                name.removeprefix("x-amz-copy-source-"): value
                for name, value in call.headers.items()
                if name.startswith("x-amz-copy-source-if-")
            }
            if _check_preconditions(source, conditions):
                raise precondition_failed("x-amz-copy-source-if-none-match")
            start, stop = stretch or (0, source.size)
            if stop > source.size:
                raise S3Error(
                    400,
                    "InvalidArgument",
                    f"Range specified is not valid for source object of size: {source.size}",
                )
            md5 = hashlib.md5(usedforsecurity=False)
            size = write_chunks(found.chunks(start, stop - start), path, [md5])
        return source, Received(path, size, md5.hexdigest(), {})

    def _delete(self, call: _Call) -> Response:
        condition = Condition(etag=_etag_condition(call))
        deleted = self._deleted(call.bucket, call.key, call.version, condition)
        version = deleted.get("VersionId") or deleted.get("DeleteMarkerVersionId")
        headers = {"x-amz-version-id": version} if version else {}
        headers |= {"x-amz-delete-marker": "true"} if "DeleteMarker" in deleted else {}
        return Response(status=204, headers=headers)

    def _delete_many(self, call: _Call) -> Response:
        if not self._store.has_bucket(call.bucket):
            raise no_such_bucket(call.bucket)
        request = s3_xml.parse(self._document(call), "Delete")
        quiet = str(request.get("Quiet", "")).lower() == "true"
        deleted: list[dict[str, str]] = []
        failed: list[tuple[str, S3Error]] = []
        for item in s3_xml.items(request, "Object"):
            key, version = str(item.get("Key") or ""), str(item.get("VersionId") or "") or None
            action = "DeleteObject" if version is None else "DeleteObjectVersion"
            if (why := call.refusal(action, key)) is not None:
                failed.append((key, access_denied(why)))
                continue
            try:
                deleted.append(self._deleted(call.bucket, key, version))
            except S3Error as failure:
                failed.append((key, failure))
        return _xml(s3_xml.deletion([] if quiet else deleted, failed))

    def _deleted(
        self, bucket: str, key: str, version: str | None, condition: Condition = ANYWAY
    ) -> dict[str, str]:
        """Delete an object, or one version of it; what S3 tells of it, by the names of its documents."""
        if version is None:
            marker = self._store.delete(bucket, key, condition)
            told = {} if marker is None else {"DeleteMarker": "true", "DeleteMarkerVersionId": marker}
            return {"Key": key, **told}
        was_marker = self._store.delete_version(bucket, key, version)
        told = {"DeleteMarker": "true", "DeleteMarkerVersionId": version} if was_marker else {}
        return {"Key": key, "VersionId": version, **told}

    def _get_tags(self, call: _Call) -> Response:
        with self._store.open(call.bucket, call.key, call.version) as found:
            return _xml(s3_xml.tagging(found.info.facts.tags))

    def _put_tags(self, call: _Call) -> Response:
        tag_set = s3_xml.parse(self._document(call), "Tagging").get("TagSet") or {}
        tags = {
            str(tag.get("Key") or ""): str(tag.get("Value") or "") for tag in s3_xml.items(tag_set, "Tag")
        }
        self._store.retag(call.bucket, call.key, tags)
        return Response(status=200)

    def _delete_tags(self, call: _Call) -> Response:
        self._store.retag(call.bucket, call.key, {})
        return Response(status=204)

    def _get_attributes(self, call: _Call) -> Response:
        wanted = [name.strip() for name in call.headers.get("x-amz-object-attributes", "").split(",")]
        with self._store.open(call.bucket, call.key, call.version) as found:
            response = _xml(s3_xml.attributes(found.info, wanted))
            response.headers["Last-Modified"] = http_date(found.info.modified)
            return response

    def _get_acl(self, call: _Call) -> Response:
        with self._store.open(call.bucket, call.key):
            return _xml(s3_xml.acl())

    def _put_acl(self, call: _Call) -> Response:
        with self._store.open(call.bucket, call.key):
            return Response(status=200)

    # --- listings ---

    def _list(self, call: _Call) -> Response:
        if call.query.get("list-type") == "2":
            token = call.query.get("continuation-token")
            after = call.query.get("start-after", "") if token is None else _key_of_token(token)
        else:
            after = call.query.get("marker", "")
        limit = _limit(call, "max-keys")
        page = self._store.page(
            call.bucket,
            prefix=call.query.get("prefix", ""),
            delimiter=call.query.get("delimiter", ""),
            after=after,
            limit=limit,
        )
        return _xml(s3_xml.listing(page, call.bucket, call.query, limit, _token_of_key))

    def _list_versions(self, call: _Call) -> Response:
        limit = _limit(call, "max-keys")
        page = self._store.version_page(
            call.bucket,
            prefix=call.query.get("prefix", ""),
            delimiter=call.query.get("delimiter", ""),
            after=(call.query.get("key-marker", ""), call.query.get("version-id-marker", "")),
            limit=limit,
        )
        return _xml(s3_xml.versions(page, call.bucket, call.query, limit))

    def _list_uploads(self, call: _Call) -> Response:
        if not self._store.has_bucket(call.bucket):
            raise no_such_bucket(call.bucket)
        return _xml(s3_xml.uploads(call.bucket, self._uploads.of_bucket(call.bucket), call.query))

    # --- multipart uploads ---

    def _begin_upload(self, call: _Call) -> Response:
        self._store.check_key(call.bucket, call.key)
        algorithm = call.headers.get("x-amz-checksum-algorithm", "").lower()
        full_object = call.headers.get("x-amz-checksum-type", "").upper() == "FULL_OBJECT"
        upload = self._uploads.begin(
            call.bucket,
            call.key,
            _kept_headers(call.headers),
            _header_tags(call),
            algorithm=algorithm,
            full_object=full_object or algorithm == "crc64nvme",
        )
        response = _xml(s3_xml.initiated(upload))
        if algorithm:
            response.headers["x-amz-checksum-algorithm"] = algorithm.upper()
            response.headers["x-amz-checksum-type"] = "FULL_OBJECT" if upload.full_object else "COMPOSITE"
        return response

    def _upload(self, call: _Call) -> Upload:
        return self._uploads.get(call.bucket, call.key, call.query["uploadId"])

    def _put_part(self, call: _Call) -> Response:
        upload = self._upload(call)
        number = _integer(call.query.get("partNumber", ""), "partNumber")
        path = self._store.stage()
        try:
            if "x-amz-copy-source" in call.headers:
                source, received = self._copy_bytes(call, _copy_source(call), path, _copy_stretch(call))
                part = self._uploads.add_part(upload, number, received)
                facts = ObjectMetadata(received.md5)
                return _xml(
                    s3_xml.copied(ObjectInfo(source.key, received.size, part.modified, facts), part=True)
                )
            received = receive(call.stream, call.headers, path)
            self._uploads.add_part(upload, number, received)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        headers = {"ETag": f'"{received.md5}"', **received.checksums}
        return Response(status=200, headers=headers)

    def _list_parts(self, call: _Call) -> Response:
        after = _integer(call.query.get("part-number-marker", "0"), "part-number-marker")
        return _xml(s3_xml.parts(self._upload(call), after, _limit(call, "max-parts")))

    def _complete_upload(self, call: _Call) -> Response:
        upload = self._upload(call)
        request = s3_xml.parse(self._document(call), "CompleteMultipartUpload")
        wanted = [
            (_integer(str(item.get("PartNumber")), "PartNumber"), str(item.get("ETag")).strip('"'))
            for item in s3_xml.items(request, "Part")
        ]
        with _Staged(self._store) as path:
            joined = join(upload, wanted, path)
            checksums = _full_checksums(call, joined.checksums) if upload.full_object else joined.checksums
            facts = ObjectMetadata(joined.etag, upload.headers, upload.tags, checksums)
            info = self._store.publish(call.bucket, call.key, path, facts, _condition(call))
        self._uploads.end(upload)
        response = _xml(s3_xml.completed(call.bucket, info, f"{call.base_url}{call.bucket}/{call.key}"))
        response.headers.extend(self._version_header(call, info))
        return response

    def _abort_upload(self, call: _Call) -> Response:
        self._uploads.end(self._upload(call))
        return Response(status=204)

    def _document(self, call: _Call) -> bytes:
        with _Staged(self._store) as path:
            return receive(call.stream, call.headers, path).path.read_bytes()


class _Staged:
    """A staged file that is gone at the end, unless it has moved to where it belongs."""

    def __init__(self, store: ObjectStore) -> None:
        self._path = store.stage()

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


def address(environ: WSGIEnvironment) -> tuple[str, str]:
    """Return the bucket and the key that a request of S3 names, by its path or by its host."""
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace").removeprefix("/")
    host = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
    virtual = _VIRTUAL_HOST.fullmatch(host)
    if virtual:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def _call(environ: WSGIEnvironment) -> _Call:
    request = Request(environ)
    bucket, key = address(environ)
    return _Call(
        method=request.method,
        bucket=bucket,
        key=key,
        query={name: request.args[name] for name in request.args},
        headers={name.lower(): value for name, value in request.headers},
        stream=io.BufferedReader(cast("Any", get_input_stream(environ)), 1 << 20),
        path=request.path,
        base_url=request.host_url,
        refusal=environ.get(REFUSAL, _nothing_refused),
    )


def _told(call: _Call, failure: S3Error) -> S3Error:
    """A failure as its caller may know it: who may not list a bucket is not told what it lacks."""
    is_missing = failure.code in ("NoSuchKey", "NoSuchVersion")
    why = call.refusal("ListBucket", call.key) if is_missing else None
    return failure if why is None else access_denied(why)


def _error(call: _Call, failure: S3Error) -> Response:
    if call.method == "HEAD":
        return Response(status=failure.status, headers={"Content-Type": "application/xml"})
    return _xml(s3_xml.error(failure, call.path), failure.status)


def _xml(document: bytes, status: int = 200) -> Response:
    return Response(document, status=status, headers={"Content-Type": "application/xml"})


def _quoted(info: ObjectInfo) -> str:
    return f'"{info.facts.etag}"'


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in headers.items()
        if name in _KEPT_HEADERS or name.startswith("x-amz-meta-")
    }
    encodings = [part.strip() for part in kept.pop("content-encoding", "").split(",")]
    remaining = ",".join(part for part in encodings if part not in ("", "aws-chunked"))
    if kept.get("x-amz-storage-class") == "STANDARD":
        del kept["x-amz-storage-class"]
    return {**kept, "content-encoding": remaining} if remaining else kept


def _header_tags(call: _Call) -> dict[str, str]:
    return dict(parse_qsl(call.headers.get("x-amz-tagging", ""), keep_blank_values=True))


def _object_headers(info: ObjectInfo, call: _Call) -> dict[str, str]:
    overrides = {
        name.removeprefix("response-"): value
        for name, value in call.query.items()
        if name.startswith("response-")
    }
    headers = {
        "content-type": "binary/octet-stream",
        **info.facts.headers,
        **overrides,
        "etag": _quoted(info),
        "last-modified": http_date(info.modified),
        "accept-ranges": "bytes",
    }
    return {**headers, "x-amz-tagging-count": str(len(info.facts.tags))} if info.facts.tags else headers


def _written_headers(info: ObjectInfo) -> dict[str, str]:
    encryption = {
        name: value
        for name, value in info.facts.headers.items()
        if name.startswith("x-amz-server-side-encryption")
    }
    return {"ETag": _quoted(info), **encryption, **_checksum_headers(info.facts.checksums)}


def _checksum_headers(checksums: Mapping[str, str]) -> dict[str, str]:
    if not checksums:
        return {}
    composite = any("-" in value for value in checksums.values())
    return {**checksums, "x-amz-checksum-type": "COMPOSITE" if composite else "FULL_OBJECT"}


def _full_checksums(call: _Call, computed: Mapping[str, str]) -> dict[str, str]:
    claimed = {name: value for name, value in call.headers.items() if CHECKSUM_HEADER.fullmatch(name)}
    for name, value in claimed.items():
        if computed.get(name, value) != value:
            raise S3Error(400, "BadDigest", f"The {name} you specified did not match what the parts give")
    return {**claimed, **computed}


def _condition(call: _Call) -> Condition:
    none_match = call.headers.get("if-none-match")
    if none_match not in (None, "*"):
        raise S3Error(501, "NotImplemented", "A write's If-None-Match can only be '*'")
    return Condition(absent=none_match == "*", etag=_etag_condition(call))


def _etag_condition(call: _Call) -> str | None:
    match = call.headers.get("if-match")
    return None if match is None else match.strip('"')


def _check_preconditions(info: ObjectInfo, headers: Mapping[str, str]) -> bool:
    """Check a read's conditions.

    Returns:
        Whether the caller has what it asks for already (HTTP's 304).

    Raises:
        S3Error: If the object is not the one that the caller wants.
    """
    modified = info.modified.replace(microsecond=0)
    if "if-match" in headers:
        if not parse_etags(headers["if-match"]).contains(info.facts.etag):
            raise precondition_failed("If-Match")
    elif (latest := parse_date(headers.get("if-unmodified-since"))) is not None and modified > latest:
        raise precondition_failed("If-Unmodified-Since")
    if "if-none-match" in headers:
        return parse_etags(headers["if-none-match"]).contains(info.facts.etag)
    since = parse_date(headers.get("if-modified-since"))
    return since is not None and modified <= since


def _stretch(call: _Call, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last that a GET asks for, None for all of them."""
    if _integer(call.query.get("partNumber", "1"), "partNumber") > 1:
        raise S3Error(416, "InvalidPartNumber", "The requested part number is not satisfiable")
    wanted = parse_range_header(call.headers.get("range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    start, stop = wanted.ranges[0]
    if start < 0:
        start = max(size + start, 0)  # the last bytes, as many as there are
    if start >= size:
        message = f"The requested range is not satisfiable; the object has {size} bytes"
        raise S3Error(416, "InvalidRange", message)
    return start, size if stop is None else min(stop, size)


def _copy_source(call: _Call) -> tuple[str, str, str | None]:
    source, _, query = call.headers["x-amz-copy-source"].partition("?")
    bucket, _, key = unquote(source).removeprefix("/").partition("/")
    return bucket, key, dict(parse_qsl(query)).get("versionId")


def _copy_stretch(call: _Call) -> tuple[int, int] | None:
    value = call.headers.get("x-amz-copy-source-range")
    if value is None:
        return None
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", value)
    if match is None or int(match[1]) > int(match[2]):
        raise S3Error(
            400, "InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last"
        )
    return int(match[1]), int(match[2]) + 1


def _integer(value: str, name: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise S3Error(400, "InvalidArgument", f"{name} must be a whole number") from error


def _limit(call: _Call, name: str) -> int:
    limit = _integer(call.query.get(name) or str(_MOST_KEYS), name)
    if limit < 0:
        raise S3Error(400, "InvalidArgument", f"{name} must not be negative")
    return min(limit, _MOST_KEYS)


def _token_of_key(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _key_of_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from error
