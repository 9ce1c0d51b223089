"""What each shopper was shown lately: their own impressions where the shop sends them, else the lists served here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from storewise.core.clock import seconds
from storewise.engine.serving.live import Live, customer_key, session_key

if TYPE_CHECKING:
    from storewise.engine.recommend.answer import Answer
    from storewise.engine.serving.snapshot import Snapshot

LISTS = 200
SHOPPERS = 200_000
DAY_S = 86_400.0


class Exposures:
    """Served lists by shopper, in memory: the latest ``LISTS`` of each, the shopper who was quiet longest leaves.

    ``live``: where impressions come from. Safe to call from several threads.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lists: dict[str, deque[tuple[float, tuple[str, ...]]]] = {}
        self._lock = threading.Lock()

    def add(self, answer: Answer) -> None:
        """A list that was served."""
        ask = answer.ask
        key = customer_key(ask.customer) if ask.customer is not None else None
        if key is None and ask.session is not None:
            key = session_key(ask.session)
        if key is not None:
            ids = answer.snapshot.catalogue.ids
            self.put(key, seconds(answer.at), tuple(ids[item.product] for item in answer.items))

    def put(self, key: str, at: float, product_ids: tuple[str, ...]) -> None:
        """The same in plain values (the decision log, after a start)."""
        with self._lock:
            mine = self._lists.pop(key, None) or deque(maxlen=LISTS)
            mine.append((at, product_ids))
            self._lists[key] = mine
            if len(self._lists) > SHOPPERS:
                del self._lists[next(iter(self._lists))]

    def clear(self) -> None:
        """Forget all lists."""
        with self._lock:
            self._lists.clear()

    def of(self, snapshot: Snapshot, keys: Sequence[str], now: float) -> dict[int, int]:
        """Product index → how often it was shown within the snapshot's window."""
        since = now - snapshot.exposure_days * DAY_S
        seen: Iterable[str] = [
            e.product_id for e in self._live.of(*keys) if e.kind == "impression" and e.at >= since
        ]
        if not seen:
            with self._lock:
                lists = [one for key in keys for one in self._lists.get(key, ())]
            seen = [name for at, names in lists if at >= since for name in names]
        found: dict[int, int] = {}
        index = snapshot.catalogue.index
        for name in seen:
            if (product := index.get(name)) is not None:
                found[product] = found.get(product, 0) + 1
        return found
