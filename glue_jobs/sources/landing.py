"""The landing place of feeds: what providers answered, as it was received, named by what it is.

    landing/<feed>/<provider>/<sha256>            an answer that was taken
    landing/<feed>/<provider>/refused/<sha256>    one that was not what was asked for, kept for a person

The name is the checksum, so that an answer that comes again is there already, and one that was altered is
noticed. Nothing here is ever removed: the reconciliation reads it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import list_objects

PREFIX = "landing/"

_REFUSED = "refused/"


@dataclass(frozen=True)
class Landing:
    """The landing place of one feed and provider.

    Attributes:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        feed: The feed.
        provider: Whose answers they are.
    """

    s3: S3Client
    bucket: str
    feed: str
    provider: str

    @property
    def prefix(self) -> str:
        """Where its answers lie; ends in a slash."""
        return f"{PREFIX}{self.feed}/{self.provider}/"

    def keep(self, body: bytes) -> str:
        """Keep an answer that is taken; its name."""
        return self._put(self.prefix, body)

    def keep_refused(self, body: bytes) -> str:
        """Keep an answer that is not taken; its key."""
        return f"{self.prefix}{_REFUSED}{self._put(f'{self.prefix}{_REFUSED}', body)}"

    def read(self, name: str) -> bytes:
        """An answer that was taken.

        Raises:
            ChecksumMismatch: It is not what was received.
        """
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}{name}")["Body"].read()
        if hashlib.sha256(body).hexdigest() != name:
            raise ChecksumMismatch(
                f"s3://{self.bucket}/{self.prefix}{name} is not what was received; restore it from the "
                "bucket's versions"
            )
        return body

    def unread(self, known: Collection[str]) -> list[str]:
        """The answers that were taken and that no commit knows: in the order in which they came.

        Args:
            known: The names of those that a commit knows.
        """
        found = []
        for entry in list_objects(self.s3, self.bucket, self.prefix):
            name = entry["Key"][len(self.prefix) :]
            if "/" not in name and name not in known:
                found.append((entry["LastModified"], name))
        return [name for _, name in sorted(found)]

    def _put(self, prefix: str, body: bytes) -> str:
        name = hashlib.sha256(body).hexdigest()
        put_new(self.s3, self.bucket, f"{prefix}{name}", body)
        return name
