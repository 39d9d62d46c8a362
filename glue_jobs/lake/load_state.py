"""What the commits of ``load`` state: how far the warehouse has consumed the stages that build the star."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from glue_jobs.lake.commits import CAPTURED_AT, Commit


@dataclass(frozen=True)
class LoadState:
    """How far the warehouse is.

    Attributes:
        dimensions: Sequence of the last commit of the dimensions that is loaded.
        facts: Sequence of the last commit of the facts that is loaded.
        captured_at: When the snapshot of the last batch was taken, where that is known.
    """

    dimensions: int = 0
    facts: int = 0
    captured_at: Optional[str] = None

    @classmethod
    def of(cls, commit: Optional[Commit]) -> LoadState:
        """What a commit states; before the first nothing is loaded."""
        if commit is None:
            return cls()
        return cls(commit.state.get("dimensions", 0), commit.state.get("facts", 0), commit.captured_at)

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in a commit."""
        captured = {CAPTURED_AT: self.captured_at} if self.captured_at else {}
        return {**captured, "dimensions": self.dimensions, "facts": self.facts}

    def sequence(self, stage: str) -> int:
        """The last commit of a stage that is loaded."""
        return {"dimensions": self.dimensions, "facts": self.facts}[stage]
