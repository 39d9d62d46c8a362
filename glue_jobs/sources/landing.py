"""The landing place of feeds: what was received, byte for byte, named by what it is.

    landing/<feed>/<provider>/<sha256>            an answer that was taken
    landing/<feed>/<provider>/refused/<sha256>    one that was not what was asked for, kept for a person
    landing/<feed>/files/<sha256>                 a file that was found in somebody's bucket

The name is the checksum, so that an answer that comes again is there already, and one that was altered is
noticed. Nothing here is ever removed: the reconciliation reads it again.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.objects import CHUNK, IN_MEMORY, ChecksumMismatch
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import list_objects

PREFIX = "landing/"

FILES = "files"
"""In the place of a provider, where a feed's files lie."""

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
        with self.open(name) as file:
            return file.read()

    def keep_file(self, file: IO[bytes], name: str) -> None:
        """Keep a file of which the checksum is known: its name."""
        put_new(self.s3, self.bucket, f"{self.prefix}{name}", file)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """What was taken as a local file, checked before the first byte of it is used.

        Raises:
            ChecksumMismatch: It is not what was received.
        """
        key = f"{self.prefix}{name}"
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            checksum = hashlib.sha256()
            for chunk in self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(CHUNK):
                checksum.update(chunk)
                file.write(chunk)
            if checksum.hexdigest() != name:
                raise ChecksumMismatch(
                    f"s3://{self.bucket}/{key} is not what was received; restore it from the "
                    "bucket's versions"
                )
            file.seek(0)
            yield file

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
