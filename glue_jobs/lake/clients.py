"""A lake as jobs and readers reach it: its services and its buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from catalog.model import Contract
from glue_jobs.lake.commits import FIRST_STAGE, CommitLog, CommitMemory, lake_identity
from glue_jobs.runtime.aws import GlueClient, S3Client


@dataclass(frozen=True)
class LakeClients:
    """Clients and buckets of one lake, for one run or one command.

    Attributes:
        s3: Holds its objects.
        glue: Shows its tables.
        ingestion: The bucket of commits, raw zone, dead letters and ops zone.
        processed: The bucket of the star; nothing for those who do not come to it.
    """

    s3: S3Client
    glue: GlueClient
    ingestion: str
    processed: str = ""
    _memory: CommitMemory = field(default_factory=CommitMemory, init=False, compare=False, repr=False)

    @classmethod
    def connect(cls, ingestion: str, processed: str = "") -> LakeClients:
        """The lake in these buckets, reached as the environment says."""
        import boto3

        return cls(boto3.client("s3"), boto3.client("glue"), ingestion, processed)

    @property
    def buckets(self) -> dict[str, str]:
        """Real bucket name by logical name."""
        return {"ingestion": self.ingestion, "processed": self.processed}

    @property
    def identity(self) -> Optional[str]:
        """What names the lake; nothing before its first capture."""
        return lake_identity(self.log(FIRST_STAGE))

    def bucket(self, contract: Contract) -> str:
        """The bucket of a table."""
        return self.buckets[contract.zone_info.bucket]

    def log(self, stage: str) -> CommitLog:
        """The commits of a stage; what was read of any is kept for as long as these clients are."""
        return CommitLog(self.s3, self.ingestion, stage, self._memory)
