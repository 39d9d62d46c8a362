"""What the process of a running stack answers when a command asks it, see `lakehouse.control`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.athena import named_queries
from lakehouse.control import Answer
from lakehouse.stack_state import Running
from lakehouse.status import read_status, status_text


@dataclass(frozen=True)
class Answers:
    """Answers about one stack.

    Attributes:
        running: The stack.
        is_scheduled: Whether its runs start by themselves.
    """

    running: Running
    is_scheduled: bool

    def by_name(self) -> dict[str, Answer]:
        """Every answer by the name of its question."""
        return {"status": self.status, "questions": self.questions}

    def status(self) -> dict[str, Any]:
        """How things are: as plain data, as a text, and what needs a person."""
        found = read_status(self._lake, self.running.warehouse, load_catalogue(), self.is_scheduled)
        return {
            "status": found.as_dict(),
            "text": status_text(found),
            "needs_a_person": list(found.needs_a_person),
        }

    def questions(self, role: str) -> list[dict[str, str]]:
        """The queries that Athena keeps for analysts, in the order of their names.

        Args:
            role: With whose rights it is asked.
        """
        kept = named_queries(self._client("athena", role), self.running.acting(role).work_group)
        return [
            {"name": name, "description": kept[name].get("Description", ""), "sql": kept[name]["QueryString"]}
            for name in sorted(kept)
        ]

    @cached_property
    def _lake(self) -> LakeClients:
        # They remember the newest commits, which never change.
        buckets = self.running.buckets
        s3, glue = self._client("s3"), self._client("glue")
        return LakeClients(s3, glue, buckets["ingestion"], buckets["processed"])

    def _client(self, service: str, role: str = "") -> Any:
        return _client(service, tuple(sorted(self.running.acting(role).environment.items())))


@lru_cache(maxsize=16)
def _client(service: str, environment: tuple[tuple[str, str], ...]) -> Any:
    from local_aws.endpoint.clients import client

    return client(service, dict(environment))
