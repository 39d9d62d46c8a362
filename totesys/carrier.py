"""A carrier that delivers what totesys sells: its events, and the files in which it states them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

CARRIER = "Swift Parcels"
LATE_DAYS = 2
"""How long after the agreed day it comes, where it does not come by then."""


@dataclass(frozen=True)
class Delivery:
    """A delivery of a whole order.

    Attributes:
        order: The sales order.
        agreed: The day that was agreed.
    """

    order: int
    agreed: date

    @property
    def status(self) -> str:
        """How it ends: every seventh order is on its way for ever, every eleventh comes back."""
        if self.order % 7 == 0:
            return "in_transit"
        return "returned" if self.order % 11 == 0 else "delivered"

    def collected(self) -> dict[str, Any]:
        """That it was collected, three days before it is to arrive."""
        return self._event(0, "collected", self.agreed - timedelta(days=3), time(9), weighed=True)

    def in_transit(self) -> dict[str, Any]:
        """That it was seen on its way, two days before it is to arrive."""
        return self._event(1, "in_transit", self.agreed - timedelta(days=2), time(18, 30))

    def ended(self) -> dict[str, Any] | None:
        """How it ended, where it did: every fifth delivery is late."""
        if self.status == "in_transit":
            return None
        late = LATE_DAYS if self.order % 5 == 0 else 0
        return self._event(2, self.status, self.agreed + timedelta(days=late), time(14, 5, 30))

    def _event(
        self, number: int, status: str, day: date, at: time, *, weighed: bool = False
    ) -> dict[str, Any]:
        moment = datetime.combine(day, at)
        stated: dict[str, Any] = {
            "id": 10 * self.order + number,
            "delivery": {"id": 500_000 + self.order, "order": self.order, "link": f"/follow/{self.order}"},
            "carrier": CARRIER,
            "status": status,
            "at": f"{moment.isoformat()}+01:00",
        }
        # Three digits that no binary number has exactly.
        return {**stated, "parcel": {"weight_kg": 0.1 + self.order % 50}} if weighed else stated


def deliveries(orders: Iterable[tuple[int, date]]) -> list[Delivery]:
    """A delivery of each order.

    Args:
        orders: Their keys, and the days that were agreed.
    """
    return [Delivery(order, agreed) for order, agreed in orders]


def first_files(sent: Sequence[Delivery]) -> Mapping[str, bytes]:
    """The files of the first day, by name: one of them is cut off on its way."""
    ended = [event for one in sent if (event := one.ended()) is not None]
    half = len(ended) // 2
    return {
        "1-collected.ndjson": lines(one.collected() for one in sent),
        "2-ended.json.gz": gzip.compress(json.dumps({"version": 3, "events": ended[:half]}).encode()),
        "3-ended.json": json.dumps(ended[half:]).encode()[:-100],
    }


def later_files(sent: Sequence[Delivery]) -> Mapping[str, bytes]:
    """The files of the second day: one that is late, and the one that was cut off, whole."""
    ended = [event for one in sent if (event := one.ended()) is not None]
    return {
        "0-on-the-way.ndjson": lines(one.in_transit() for one in sent),
        "3-ended.json": json.dumps(ended[len(ended) // 2 :]).encode(),
    }


def lines(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Events, one a line."""
    return "".join(f"{json.dumps(event)}\n" for event in events).encode()
