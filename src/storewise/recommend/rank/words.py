"""What a ranker's contributions say in a shop's own words."""

from __future__ import annotations

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
    names: tuple[str, ...], lifts: npt.NDArray[np.float32], values: npt.NDArray[np.float32],
    products: npt.NDArray[np.int32],
) -> list[Reason | None]:  # fmt: skip
    """For each of ``products`` (m,) the group whose contributions, ``lifts`` (m, f) together, lift it most, as a reason;
    None where that is the retrievers' part, or nothing lifts it. ``values`` (m, f) of the features."""
    groups, member = _members(names)
    if not groups:
        return [None] * len(products)
    together = lifts @ member
    best = together.argmax(axis=1)
    found: list[Reason | None] = []
    for row, (group, product) in enumerate(zip(best.tolist(), products.tolist(), strict=True)):
        if groups[group] == "source" or together[row, group] <= 0:
            found.append(None)
        else:
            value = dict(zip(names, values[row].tolist(), strict=True))
            found.append(_reason(groups[group], value, product))
    return found


@cache
def _members(names: tuple[str, ...]) -> tuple[list[str], npt.NDArray[np.float32]]:
    """The groups of these features in the order of their first, and (f, groups) which feature is in which."""
    told = [group_of(name) for name in names]
    groups = list(dict.fromkeys(group for group in told if group is not None))
    return groups, np.array([[group == one for one in groups] for group in told], np.float32)


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
