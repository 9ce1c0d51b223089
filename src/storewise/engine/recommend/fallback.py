"""The rungs below the trained components: popular products fill what is missing."""

from __future__ import annotations

from collections import Counter

import numpy as np

from storewise.data.interactions import Histories
from storewise.engine.recommend.answer import Ask, Draft, Item, Shopper
from storewise.engine.serving.rules import reorder
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Mask
from storewise.recommend.request import ItemList, Reason, Request

RECENT = 20  # how many of the latest products say which category a shopper is in


def items_of(found: ItemList, source: str) -> list[Item]:
    """A list as items that ``source`` put there."""
    reasons = found.reasons or (Reason("popular"),) * len(found)
    triples = zip(found.products.tolist(), found.scores.tolist(), reasons, strict=True)
    return [Item(product, score, source, reason) for product, score, reason in triples]


def fill(snapshot: Snapshot, ask: Ask, shopper: Shopper | None, n: int, draft: Draft) -> None:
    """Rung after rung until the list has n items or nothing is left."""
    for rung in snapshot.pipeline.fallback.ladder:
        missing = n - len(draft.items)
        if missing <= 0:
            return
        eligible, category = draft.eligible, None
        if rung == "popular_in_category":
            category = _category(snapshot, ask, shopper)
            if category is None:
                continue
            eligible = eligible & (snapshot.catalogue.category_codes == category)
        best = _most_popular(snapshot, eligible, draft.pool(missing), category)
        draft.take(reorder(items_of(best, rung), draft.shift, missing))


def _most_popular(snapshot: Snapshot, eligible: Mask, n: int, category: int | None = None) -> ItemList:
    """The same list for everybody, with the category in the reason when there is one."""
    found = snapshot.popular(Request(_nobody(len(eligible)), eligible=eligible), n)
    if category is None:
        return found
    name = snapshot.catalogue.category_names[category]
    reasons = tuple(Reason("popular_in", value=reason.value, text=name) for reason in found.reasons)
    return ItemList(found.products, found.scores, reasons)


def _nobody(n_products: int) -> Histories:
    return Histories.single([], n_products=n_products)


def _category(snapshot: Snapshot, ask: Ask, shopper: Shopper | None) -> int | None:
    """The one asked for, or the commonest among the shopper's latest products (ties: the later one)."""
    catalogue = snapshot.catalogue
    if ask.filters.categories:
        name = ask.filters.categories[0]
        return catalogue.category_names.index(name) if name in catalogue.category_names else None
    recent = shopper.history.products[::-1][:RECENT] if shopper is not None else np.empty(0, np.int32)
    codes = [code for code in catalogue.category_codes[recent].tolist() if code >= 0]
    return Counter(codes).most_common(1)[0][0] if codes else None
