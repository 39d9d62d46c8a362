"""Which engine takes the batches that wait: a pure decision over what commits state."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

AUTO, EMBEDDED, SPARK = "auto", "embedded", "spark"

ENGINES = (AUTO, EMBEDDED, SPARK)
"""What a deployment or a run may ask for; ``auto`` leaves the choice to the numbers."""


@dataclass(frozen=True)
class Limits:
    """What the embedded engine takes in one run, see ``transform`` in ``catalog/pipeline.yaml``.

    Attributes:
        waiting_batches: Captured batches that wait.
        waiting_rows: Rows in them.
        waiting_bytes: Bytes of their objects.
        partition_rows: Rows of the live partitions that can hold a key of a waiting row: they are read, and
            may be written again.
        partition_bytes: Bytes of their objects.
    """

    waiting_batches: int
    waiting_rows: int
    waiting_bytes: int
    partition_rows: int
    partition_bytes: int


@dataclass(frozen=True)
class Work:
    """What waits, as commits state it; with the attributes of :class:`Limits`.

    Counting ends where a limit is passed, so that what is counted after it may be too small.
    """

    waiting_batches: int = 0
    waiting_rows: int = 0
    waiting_bytes: int = 0
    partition_rows: int = 0
    partition_bytes: int = 0

    def excess(self, limits: Limits) -> str:
        """The first limit that this passes, in words; the empty text if it passes none."""
        for field in fields(limits):
            found, most = getattr(self, field.name), getattr(limits, field.name)
            if found > most:
                return f"{found:,} {_WORDS[field.name]}, more than {most:,}"
        return ""


_WORDS = {
    "waiting_batches": "batches wait",
    "waiting_rows": "rows wait",
    "waiting_bytes": "bytes wait",
    "partition_rows": "rows lie in partitions that can hold a waiting key",
    "partition_bytes": "bytes lie in partitions that can hold a waiting key",
}


class Earlier(Enum):
    """How an earlier run of the embedded engine on the same batches stands."""

    NONE = "none"
    """There was none, or it ended in words, so that it may be tried again."""
    RUNNING = "running"
    """It goes on."""
    DIED = "died"
    """It is over and has neither committed nor failed in words, as one that was killed."""


class Action(Enum):
    """What a run of *transform* does about validation, dimensions and facts."""

    REPUBLISH = "republish"
    """Nothing waits: the stages show their newest commits again, and that is all."""
    RUN = "run"
    """The embedded engine takes what waits."""
    HAND_OVER = "hand over"
    """Spark is asked to take it."""
    LEAVE = "leave"
    """Spark was asked before and has not answered: it is started, or left alone."""
    STAY_AWAY = "stay away"
    """Another run of *transform* is at it."""


@dataclass(frozen=True)
class Decision:
    """What a run does, and why.

    Attributes:
        action: What it does.
        reason: Why, in words.
    """

    action: Action
    reason: str


def decide(
    engine: str, work: Work, limits: Limits, *, handed_over: bool = False, earlier: Earlier = Earlier.NONE
) -> Decision:
    """Decide what a run of *transform* does.

    A run that is forced onto the embedded engine passes over requests, notes and limits.

    Args:
        engine: One of :data:`ENGINES`.
        work: What waits.
        limits: What the embedded engine takes.
        handed_over: Whether Spark was asked to take it and has not answered.
        earlier: How an earlier run on the same batches stands.
    """
    if not work.waiting_batches:
        return Decision(Action.REPUBLISH, "nothing waits")
    if engine == EMBEDDED:
        return Decision(Action.RUN, "the embedded engine is asked for")
    if handed_over:
        return Decision(Action.LEAVE, "it was handed over to Spark")
    if engine == SPARK:
        return Decision(Action.HAND_OVER, "Spark is asked for")
    if earlier is Earlier.RUNNING:
        return Decision(Action.STAY_AWAY, "another run is at it")
    if earlier is Earlier.DIED:
        return Decision(Action.HAND_OVER, "an earlier run on the same batches was killed")
    excess = work.excess(limits)
    if excess:
        return Decision(Action.HAND_OVER, excess)
    return Decision(Action.RUN, "it is within the limits")
