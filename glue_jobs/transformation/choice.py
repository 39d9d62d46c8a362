"""What the jobs share that choose an engine: their arguments, and the making of the embedded one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from glue_jobs.engine.protocol import Engine
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.transformation.decide import ENGINES, Limits


@dataclass(frozen=True)
class ChoiceArguments(StageArguments):
    """Arguments of these jobs; the numbers are those of ``transform`` in ``catalog/pipeline.yaml``.

    Attributes:
        large_workflow: The workflow that takes on Spark what is handed over.
        engine: ``auto``, ``embedded`` or ``spark``.
        waiting_batches: See :class:`~glue_jobs.transformation.decide.Limits`, as the next four.
        waiting_rows: Rows that wait.
        waiting_bytes: Bytes that wait.
        partition_rows: Rows in partitions that can hold a waiting key.
        partition_bytes: Bytes in them.
        memory_megabytes: What the embedded engine may hold in memory; Python and Arrow come on top.
        disk_megabytes: What it may hold on disk, below the job's temporary directory.
        threads: Its threads.
    """

    large_workflow: str
    engine: str
    waiting_batches: int
    waiting_rows: int
    waiting_bytes: int
    partition_rows: int
    partition_bytes: int
    memory_megabytes: int
    disk_megabytes: int
    threads: int

    def __post_init__(self) -> None:
        """Refuse an engine that there is not.

        Raises:
            UserError: It says so.
        """
        if self.engine not in ENGINES:
            raise UserError(f"The argument --engine is {self.engine}.", f"It is {', '.join(ENGINES)}.")

    @property
    def limits(self) -> Limits:
        """What the embedded engine takes."""
        return Limits(
            self.waiting_batches,
            self.waiting_rows,
            self.waiting_bytes,
            self.partition_rows,
            self.partition_bytes,
        )

    def embedded_engine(self, s3: S3Client) -> Engine:
        """Make the embedded engine, within what the arguments give it.

        Args:
            s3: A boto3 ``s3`` client.
        """
        # DuckDB takes a moment to import, and a run that finds nothing needs none of it.
        from glue_jobs.engine.embedded import EmbeddedEngine

        room = (self.memory_megabytes << 20, self.threads, self.disk_megabytes << 20)
        return EmbeddedEngine(s3, Path(tempfile.gettempdir()), *room)
