"""What shoppers did since training, in memory, per customer or anonymous session."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

PER_SHOPPER = 500
SHOPPERS = 500_000

# A purchase counts as in training; a sign of interest counts as much as the shop's own funnel says roughly.
WEIGHTS = {"purchase": 1.0, "cart": 0.7, "click": 0.4, "view": 0.3, "rating": 1.0}


class LiveEvent(NamedTuple):
    """One event; ``at`` in seconds."""

    at: float
    product_id: str
    kind: str
    quantity: int


LiveRow = tuple[str, float, str, str, int]
"""Shopper key, at, product_id, kind, quantity."""


def customer_key(pseudonym: str) -> str:
    """The key of a known or unknown customer.

    >>> customer_key("c1")
    'c:c1'
    """
    return f"c:{pseudonym}"


def session_key(session: str) -> str:
    """The key of an anonymous session."""
    return f"s:{session}"


class Live:
    """Live events by shopper. Readers never wait: each shopper's events are a tuple that is replaced whole.

    The oldest events of a shopper leave beyond ``per_shopper``, the shopper who was quiet longest leaves
    beyond ``shoppers``; both are still in the store.

    >>> live = Live()
    >>> live.add([(session_key("x"), 10.0, "lamp", "view", 1)])
    >>> [event.product_id for event in live.of(session_key("x"))]
    ['lamp']
    """

    def __init__(self, *, per_shopper: int = PER_SHOPPER, shoppers: int = SHOPPERS) -> None:
        self._events: dict[str, tuple[LiveEvent, ...]] = {}
        self._per_shopper = per_shopper
        self._shoppers = shoppers
        self._lock = threading.Lock()

    def __contains__(self, shopper: str) -> bool:
        return shopper in self._events

    def __len__(self) -> int:
        return len(self._events)

    def add(self, rows: Iterable[LiveRow]) -> None:
        """Take events; they may come out of time order."""
        with self._lock:
            self._put(self._events, rows)

    def replace(self, rows: Iterable[LiveRow]) -> None:
        """Forget everything and hold these events instead; readers see the old ones until the end."""
        with self._lock:
            events: dict[str, tuple[LiveEvent, ...]] = {}
            self._put(events, rows)
            self._events = events

    def of(self, *shoppers: str | None) -> tuple[LiveEvent, ...]:
        """The events of one shopper under one or several keys, oldest first."""
        found = [self._events.get(key, ()) for key in shoppers if key is not None]
        if len(found) == 1:
            return found[0]
        return tuple(sorted((e for part in found for e in part), key=_at))

    def _put(self, events: dict[str, tuple[LiveEvent, ...]], rows: Iterable[LiveRow]) -> None:
        for shopper, at, product_id, kind, quantity in rows:
            new = LiveEvent(at, product_id, kind, quantity)
            before = events.pop(shopper, ())  # and back at the end: the dict is in order of the latest event
            after = (*before, new)
            if before and before[-1].at > new.at:
                after = tuple(sorted(after, key=_at))
            events[shopper] = after[-self._per_shopper :]
            if len(events) > self._shoppers:
                del events[next(iter(events))]


def _at(event: LiveEvent) -> float:
    return event.at
