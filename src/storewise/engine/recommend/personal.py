"""The trained components: retrieve, rank, mix in what is fresh and new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import structlog

from storewise.core.errors import DeadlineExceeded
from storewise.data.interactions import Histories
from storewise.engine.recommend.answer import Ask, Draft, Item, Shopper
from storewise.engine.recommend.deadline import Deadline
from storewise.engine.recommend.fallback import items_of
from storewise.engine.recommend.shopper import context_of
from storewise.engine.serving.rules import reorder
from storewise.engine.serving.second_stage import Ordered, SecondStage, retrieved
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Mask
from storewise.recommend.rank.candidates import Shortlist
from storewise.recommend.request import Reason, Request

log = structlog.get_logger(__name__)
PENDING = Reason("popular")  # until the list is made and its reasons are worked out


class Personal:
    """One request's way through the trained components; keeps what the reasons need at the end."""

    def __init__(
        self, snapshot: Snapshot, ask: Ask, shopper: Shopper, draft: Draft, deadline: Deadline
    ) -> None:
        self.snapshot, self.ask, self.shopper, self.draft = snapshot, ask, shopper, draft
        self.deadline = deadline
        self._request = self._asked(shopper.history)
        self._found: Shortlist | None = None

    def fill(self, pool: int, n: int) -> None:
        """Whatever goes wrong in the components must not cost the shopper the list."""
        snapshot, policy, draft = self.snapshot, self.snapshot.pipeline.policy, self.draft
        try:
            self.deadline.check("retrieve")
            items = self._main(pool)
            if self.shopper.fresh is not None:
                fresh = items_of(
                    snapshot.retriever(self._asked(self.shopper.fresh), pool), snapshot.retriever_name
                )
                items = interleave(items, fresh, policy.live_share, pool)
            if new := newcomers(snapshot, self.shopper.history, draft.eligible, pool):
                items = interleave(items, new, policy.new_share, pool)
        except DeadlineExceeded as late:
            draft.notes.append(f"deadline: {late.problem}")
            return
        except Exception:
            log.exception("retriever failed", snapshot=snapshot.id, component=snapshot.retriever_name)
            draft.notes.append(f"{snapshot.retriever_name} failed")
            return
        draft.take(reorder(items, draft.shift, n))

    def _asked(self, history: Histories) -> Request:
        return Request(
            history, eligible=self.draft.eligible.copy(), context=context_of(self.snapshot, self.ask),
            slot=self.ask.slot, shown=self.shopper.shown,
        )  # fmt: skip

    def _main(self, pool: int) -> list[Item]:
        snapshot, second = self.snapshot, self.snapshot.second
        if second is None or not second.serves:
            items = items_of(snapshot.retriever(self._request, pool), snapshot.retriever_name)
            if second is not None and self.ask.explain:
                self.draft.retrieved = items
                self.draft.shadow = self._shadow(second, pool)
            return items
        found = second.candidates(self._request)
        first = items_of(retrieved(found, pool), snapshot.retriever_name)
        plain = [replace(item, reason=PENDING) for item in first]
        if self.ask.explain:
            self.draft.retrieved = plain
        self._found = found
        ranked = self._ranked(second, found, pool)
        if ranked is None:
            self.draft.step = "retrieved"
        return plain if ranked is None else ranked

    def _shadow(self, second: SecondStage, pool: int) -> list[Item]:
        """What a ranker that does not serve would show; whatever it does, the served list stays as it is."""
        try:
            self._found = second.candidates(self._request)
        except Exception:
            log.exception("shadow failed", snapshot=self.snapshot.id, component=second.name)
            self.draft.notes.append(f"{second.name} failed")
            return []
        return self._ranked(second, self._found, pool) or []

    def _ranked(self, second: SecondStage, found: Shortlist, pool: int) -> list[Item] | None:
        """The candidates in the ranker's order, None (and a note) where it fails or would begin too late."""
        try:
            self.deadline.check("rank")
            return _ranked(second.rank(self._request, found, self.snapshot.objective), second, pool)
        except DeadlineExceeded as late:
            self.draft.notes.append(f"deadline: {late.problem}")
        except Exception:
            log.exception("ranker failed", snapshot=self.snapshot.id, component=second.name)
            self.draft.notes.append(f"{second.name} failed")
        return None

    def explained(self, items: list[Item]) -> list[Item]:
        """The items with the reasons of whatever put them there."""
        second, found = self.snapshot.second, self._found
        if second is None or found is None:
            return items
        place = found.places
        told = dict(enumerate(items))
        for source, ranked in ((second.name, True), (self.snapshot.retriever_name, False)):
            mine = [
                at for at, item in enumerate(items)
                if item.source == source and item.reason is PENDING and item.product in place
            ]  # fmt: skip
            if mine:
                chosen = np.array([place[items[at].product] for at in mine], np.int64)
                part = found.reordered(chosen, found.scores[chosen])
                reasons = second.reasons(self._request, part, ranked=ranked)
                told |= {at: replace(items[at], reason=r) for at, r in zip(mine, reasons, strict=True)}
        return [told[at] for at in range(len(items))]


def _ranked(ordered: Ordered, second: SecondStage, pool: int) -> list[Item]:
    """The first of the ranked list; what the ranker cannot say anything of keeps no score of its own."""
    scores = ordered.items.scores
    triples = zip(
        ordered.items.products[:pool].tolist(),
        scores[:pool].tolist(),
        ordered.chances[:pool].tolist(),
        strict=True,
    )
    return [
        Item(product, score, second.name, PENDING, p_purchase=p)
        for product, score, p in triples
        if score == score
    ]


def newcomers(snapshot: Snapshot, history: Histories, eligible: Mask, n: int) -> list[Item]:
    """New products that are like what the shopper chose, enough for their share of the list."""
    policy, content = snapshot.pipeline.policy, snapshot.content
    places = round(policy.new_share * n)
    if content is None or not places or not len(history.products):
        return []
    allowed = eligible & content.new(policy.new_customers)
    found = items_of(content.retriever(Request(history, eligible=allowed), places), content.source)
    return [item for item in found if item.score >= policy.new_similarity]


def interleave(main: list[Item], fresh: list[Item], share: float, n: int) -> list[Item]:
    """Every 1/share-th place goes to ``fresh``, the others to ``main``; a product stands once."""
    found: dict[int, Item] = {}
    queues = (iter(main), iter(fresh))
    taken = 0
    while len(found) < n:
        turn = taken + 1 <= share * (len(found) + 1) + 0.5
        item = _next(queues[turn], found) or _next(queues[not turn], found)
        if item is None:
            break
        taken += turn
        found[item.product] = item
    return list(found.values())


def _next(queue: Iterator[Item], found: Mapping[int, Item]) -> Item | None:
    return next((item for item in queue if item.product not in found), None)
