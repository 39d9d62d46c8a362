"""What a reader of the data has to know first: what is amiss, since when, and who sees to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Alert:
    """Something that is not as it should be.

    Attributes:
        what: What it is, in one or two sentences.
        since: Since when (UTC, ISO 8601); empty where that is not known.
        owner: Who sees to it.
        remedy: What to do.
    """

    what: str
    since: str
    owner: str
    remedy: str


@dataclass(frozen=True)
class Health:
    """The state of the data at one moment.

    Attributes:
        as_of: That moment (UTC, ISO 8601).
        alerts: What is not as it should be, the gravest first.
        loaded_at: When the warehouse was last loaded (UTC, ISO 8601); empty before the first load.
        compared_at: When source, lake and warehouse were last compared; empty before that.
        verdict: What was found then.
    """

    as_of: str
    alerts: tuple[Alert, ...] = ()
    loaded_at: str = ""
    compared_at: str = ""
    verdict: str = ""
