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
    """One event; ``shopper`` is a pseudonym or a session, ``at`` seconds, ``seq`` the order of arrival."""

    at: float
    product_id: str
    kind: str
    quantity: int
    seq: int


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
    >>> live.add([("s:x", 10.0, "lamp", "view", 1)])
    >>> [event.product_id for event in live.of("s:x")]
    ['lamp']
    """

    def __init__(self, *, per_shopper: int = PER_SHOPPER, shoppers: int = SHOPPERS) -> None:
        self._events: dict[str, tuple[LiveEvent, ...]] = {}
        self._per_shopper = per_shopper
        self._shoppers = shoppers
        self._lock = threading.Lock()
        self._seq = 0

    @property
    def seq(self) -> int:
        """The number of the event that arrived last."""
        return self._seq

    def __contains__(self, shopper: str) -> bool:
        return shopper in self._events

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Iterable[tuple[str, float, str, str, int]]) -> None:
        """Take (shopper key, at, product_id, kind, quantity); they may come out of time order."""
        with self._lock:
            for shopper, at, product_id, kind, quantity in events:
                self._seq += 1
                event = LiveEvent(at, product_id, kind, quantity, self._seq)
                before = self._events.pop(shopper, ())
                after = (*before, event)
                if before and before[-1].at > at:
                    after = tuple(sorted(after, key=lambda e: (e.at, e.seq)))
                self._events[shopper] = after[-self._per_shopper :]
                if len(self._events) > self._shoppers:
                    del self._events[next(iter(self._events))]

    def of(self, *shoppers: str | None) -> tuple[LiveEvent, ...]:
        """The events of one shopper under one or several keys, oldest first."""
        found = [self._events.get(key, ()) for key in shoppers if key is not None]
        if len(found) == 1:
            return found[0]
        return tuple(sorted((e for part in found for e in part), key=lambda e: (e.at, e.seq)))

    def prune(self, *, before: float, seq: int, counted: frozenset[str], recent_s: float) -> None:
        """Forget what had arrived by ``seq`` and is in the trained histories: events of customers before
        ``before`` of a ``counted`` kind. Others (views, anonymous sessions) stay for ``recent_s`` more."""
        with self._lock:
            for shopper, events in list(self._events.items()):
                customer = shopper.startswith("c:")
                kept = tuple(
                    e
                    for e in events
                    if e.seq > seq
                    or e.at >= before
                    or (e.at >= before - recent_s and not (customer and e.kind in counted))
                )
                if not kept:
                    del self._events[shopper]
                elif len(kept) < len(events):
                    self._events[shopper] = kept
