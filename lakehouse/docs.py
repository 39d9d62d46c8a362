"""Serves the documentation bucket of a stack to a browser on this machine."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import is_absent
from lakehouse.loopback import Answer, PageServer

INDEX = "index.html"


class DocumentationServer(PageServer):
    """The documentation as CloudFront shows it: a folder is its index.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The documentation bucket.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken, or nothing has been built yet.
    """

    def __init__(self, s3: S3Client, bucket: str, port: int) -> None:
        if not Bucket(s3, bucket).has(INDEX):
            raise UserError(
                "No documentation has been built yet.",
                "Build it with: lakehouse run --stage build_sites",
            )
        self.s3 = s3
        self.bucket = bucket
        super().__init__(port)

    def answer(self, path: str) -> Answer:
        """The object of a path, as it was stored."""
        try:
            found = self._find(path)
            if found is None and not path.endswith("/") and self._find(f"{path}/") is not None:
                return Answer(HTTPStatus.MOVED_PERMANENTLY, b"", headers={"Location": quote(f"{path}/")})
        except (BotoCoreError, ClientError):
            said = b"The stack does not answer: it ended meanwhile. Start it again with: lakehouse up\n"
            return Answer(HTTPStatus.BAD_GATEWAY, said)
        return found or Answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n")

    def _find(self, path: str) -> Answer | None:
        key = path.lstrip("/")
        key = f"{key}{INDEX}" if key.endswith("/") or not key else key
        try:
            stored = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return Answer(HTTPStatus.OK, stored["Body"].read(), stored["ContentType"])
