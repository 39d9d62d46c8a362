"""The documentation bucket as a part of the console: its pages as they were stored, below one header."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore.exceptions import ClientError

from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import is_absent
from sites.frame import with_header

INDEX = "index.html"

NOT_BUILT = "No documentation has been built yet."
BUILD = "Build it with: lakehouse run --stage build_sites"

_BODY = re.compile(r"<body[^>]*>", re.IGNORECASE)
_HEAD_ENDS = re.compile(r"</head>", re.IGNORECASE)
_STYLE = '<link rel="stylesheet" href="/assets/header.css">'


@dataclass(frozen=True)
class Document:
    """An object of the documentation."""

    body: bytes
    content_type: str


class Documents:
    """The documentation as CloudFront shows it: a folder is its index.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The documentation bucket.
    """

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @property
    def are_built(self) -> bool:
        """Whether there is any."""
        return Bucket(self._s3, self._bucket).has(INDEX)

    def find(self, path: str) -> Document | None:
        """The object of a path, as it was stored; nothing where there is none."""
        key = f"{path}{INDEX}" if path.endswith("/") or not path else path
        try:
            stored = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return Document(stored["Body"].read(), stored["ContentType"])


def below(header: str, document: Document) -> bytes:
    """A page below the console's header, in place of its own; what is no page stays as it is.

    Args:
        header: Markup.
        document: What was stored.
    """
    if not document.content_type.startswith("text/html"):
        return document.body
    text = document.body.decode("utf-8")
    if header and (framed := with_header(text, header)) is not None:
        return framed.encode("utf-8")
    text = _HEAD_ENDS.sub(lambda found: _STYLE + found[0], text, count=1)
    return _BODY.sub(lambda found: found[0] + header, text, count=1).encode("utf-8")
