"""The end of a list: rerankers, and places that explore."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import structlog

from storewise.core.errors import DeadlineExceeded
from storewise.core.rng import spawn
from storewise.data.interactions import Histories
from storewise.engine.recommend.answer import Ask, Draft, Item, Shopper
from storewise.engine.recommend.deadline import Deadline
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Reranked, chain

log = structlog.get_logger(__name__)


def rerank(
    snapshot: Snapshot, ask: Ask, shopper: Shopper | None, draft: Draft, n: int, deadline: Deadline
) -> list[Item]:
    """The list through the pipeline's rerankers; as it was where they fail or would come too late."""
    items = draft.items
    if not snapshot.rerankers or not items:
        return items if snapshot.explorer is not None else items[:n]
    kept = len(items) if snapshot.explorer is not None else n
    try:
        deadline.check("rerank")
        history = (
            shopper.history if shopper is not None else Histories.single([], n_products=len(draft.eligible))
        )
        request = Request(history, slot=ask.slot, shown=shopper.shown if shopper is not None else {})
        found = chain(snapshot.rerankers, request, as_list(items), kept)
        return _moved(items, found)
    except DeadlineExceeded as late:
        draft.notes.append(f"deadline: {late.problem}")
    except Exception:
        log.exception("reranker failed", snapshot=snapshot.id)
        draft.notes.append("reranking failed")
    if draft.step == "full":
        draft.step = "no_rerank"
    return items[:kept]


def as_list(items: list[Item]) -> ItemList:
    """Chances of a purchase as scores where all items have one; else places, since scores of different components
    have no common scale: 1 for the first, falling evenly."""
    products = np.array([item.product for item in items], np.int32)
    chances = np.array([item.p_purchase for item in items], np.float32)
    falling = bool(len(items)) and not np.isnan(chances).any() and bool((np.diff(chances) <= 0).all())
    places = (1.0 - np.arange(len(items)) / max(len(items), 1)).astype(np.float32)
    return ItemList(products, chances if falling else places, tuple(item.reason for item in items))


def _moved(items: list[Item], found: Reranked) -> list[Item]:
    by_product = {item.product: item for item in items}
    pairs = zip(found.products.tolist(), found.moves, strict=True)
    return [replace(by_product[product], moves=moves) for product, moves in pairs]


def explore(
    snapshot: Snapshot, ask: Ask, shopper: Shopper | None, draft: Draft, items: list[Item], n: int, day: str
) -> list[Item]:
    """The last places by the pipeline's policy, each item with its exact propensity; nothing changes without one."""
    if snapshot.explorer is None or not items:
        return items[:n]
    # The same shopper has the same list all day, whoever asked before.
    who = ask.customer or ask.session or "nobody"
    rng = spawn(int(snapshot.manifest.facts.get("seed", 0)), "explore", who, ask.slot, day)
    try:
        history = shopper.history if shopper is not None else None
        return snapshot.explorer(
            items, n, rng, lambda products, values: snapshot.arms(products, values, history)
        )
    except Exception:
        log.exception("exploring failed", snapshot=snapshot.id)
        draft.notes.append("exploring failed")
        return items[:n]
