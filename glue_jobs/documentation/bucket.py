"""The documentation bucket: pages and what they are made of, each with its content type."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from glue_jobs.lake.conditional import has_object
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import is_absent, list_keys

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Content type by the end of a key; there are no other kinds of object."""


_TRIES = 8


class Bucket:
    """The documentation bucket.

    Args:
        s3: A boto3 ``s3`` client.
        name: The bucket's real name.
    """

    def __init__(self, s3: S3Client, name: str) -> None:
        self._s3 = s3
        self.name = name

    def put(self, key: str, body: bytes) -> None:
        """Put a page, over the one that is there; browsers ask each time whether it is still the newest."""
        self._s3.put_object(**self._request(key, body))

    def publish(self, key: str, body: bytes) -> None:
        """Put a page unless it is there as it should be."""
        self.change(key, lambda _: body)

    def get(self, key: str) -> bytes | None:
        """An object's bytes, if it is there."""
        found = self._read(key)
        return None if found is None else found[0]

    def has(self, key: str) -> bool:
        """Whether an object is there."""
        return has_object(self._s3, self.name, key)

    def names(self, prefix: str) -> list[str]:
        """The keys under a prefix, without it, in order."""
        return [key[len(prefix) :] for key in list_keys(self._s3, self.name, prefix)]

    def change(self, key: str, changed: Callable[[bytes | None], bytes]) -> bytes:
        """Replace an object by what is made of it, so that no change of another run is lost.

        Args:
            key: The object.
            changed: Gives the new bytes from those that are there, or from None; may be called several times.

        Returns:
            What is there now.

        Raises:
            ClientError: S3 refuses, or others change it again and again.
        """
        tries = 0
        while True:
            tries += 1
            found = self._read(key)
            body = changed(None if found is None else found[0])
            if found is not None and found[0] == body:
                return body
            request = self._request(key, body)
            if found is None:
                request["IfNoneMatch"] = "*"
            else:
                request["IfMatch"] = found[1]
            try:
                self._s3.put_object(**request)
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status not in (404, 409, 412) or tries == _TRIES:
                    raise
                # Another run is at it.
                time.sleep(0.01 * 2**tries)
            else:
                return body

    def _read(self, key: str) -> tuple[bytes, str] | None:
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return answer["Body"].read(), answer["ETag"]

    def _request(self, key: str, body: bytes) -> PutObjectRequestTypeDef:
        kind = CONTENT_TYPES[PurePosixPath(key).suffix]
        return {
            "Bucket": self.name,
            "Key": key,
            "Body": body,
            "ContentType": kind,
            "CacheControl": "no-cache",
        }
