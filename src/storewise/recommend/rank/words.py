"""What a ranker's contributions say in a shop's own words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from storewise.recommend.request import Reason

GROUPS = {
    "own_": "own",
    "category_": "category",
    "brand_": "brand",
    "price_level": "price",
    "content_": "content",
    "sold_": "popular",
    "customers": "popular",
    "trend_": "trend",
    "season": "season",
}
"""Beginnings of feature names, and what they have in common. Others say nothing of this one product."""


@cache
def group_of(name: str) -> str | None:
    """The group of a feature; ``source`` for a retriever's score or rank.

    >>> group_of("own_cycle"), group_of("popular.rank"), group_of("customer_baskets")
    ('own', 'source', None)
    """
    if "." in name:
        return "source"
    return next((group for start, group in GROUPS.items() if name.startswith(start)), None)


def said(
    names: Sequence[str], lifts: npt.NDArray[np.float32], values: npt.NDArray[np.float32], product: int
) -> Reason | None:
    """The group whose contributions together lift the product most, as a reason; None where that is the retrievers'
    part, or nothing lifts it."""
    total: dict[str, float] = {}
    for name, lift in zip(names, lifts.tolist(), strict=True):
        group = group_of(name)
        if group is not None:
            total[group] = total.get(group, 0.0) + lift
    best = max(total, key=lambda group: total[group], default=None)
    if best is None or best == "source" or total[best] <= 0:
        return None
    value = dict(zip(names, values.tolist(), strict=True))
    return _reason(best, value, product)


def _reason(group: str, value: dict[str, float], product: int) -> Reason | None:
    if group == "own":
        if not value["own_times"] > 0:
            return None
        gap = value["own_gap_days"]
        return Reason("repeat", product=product, value=None if np.isnan(gap) else gap)
    if group == "popular":
        return Reason("popular", value=float(np.round(np.expm1(value["customers"]))))
    if group == "trend":
        return Reason("trending") if max(value["trend_28d"], value["trend_7d"]) > 0 else None
    if group == "season":
        return Reason("season") if value["season"] > 0 else None
    if group == "price":
        return Reason("price")
    if group == "content":
        return Reason("like_basket")
    share = value[f"{group}_share"]
    return Reason("habit", value=share, text=group) if share > 0 else None
