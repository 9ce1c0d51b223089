"""Substitutes: products that do the same job, of which a shopper takes one or the other, rarely both at once."""

from __future__ import annotations

import numpy as np
import polars as pl

from storewise.understand.graph.config import GraphConfig
from storewise.understand.graph.pairs import (
    Floats,
    Ints,
    best_of_either,
    expected,
    shared,
    shoppers_together,
    shrunk_lift,
)
from storewise.understand.graph.shop import Shop
from storewise.understand.graph.tables import edge_frame

PRIOR = 0.5
"""The share taken apart where the whole shop shows no pair."""


def substitutes(shop: Shop, config: GraphConfig) -> pl.DataFrame:
    """Pairs of one category with like content that are not bought together.

    Their content's cosine c is at least ``substitute_similarity`` and their shrunk basket lift at most
    ``substitute_lift``. An occasion is a shopper who bought both, or a visit that looked at both; apart is one
    where the shopper never bought both in one basket, or the visit ended with at most one of the two.
    weight = c (apart + s p) / (occasions + s), with p the share apart over all alike pairs of the shop, so that
    a pair nobody has met yet is worth c p. ``support``: occasions apart.
    """
    a, b, alike = shop.content.alike(shop.groups, config.substitute_similarity)
    occasions, apart, viewed = _occasions(shop, a, b)
    prior = float(apart.sum() / occasions.sum()) if occasions.sum() else PRIOR
    both = shared(shop.bought.by_product, a, b)
    lift = shrunk_lift(both, expected(shop.bought, a, b), config.shrinkage)
    weight = alike * (apart + config.shrinkage * prior) / (occasions + config.shrinkage)
    rows = np.flatnonzero(lift <= config.substitute_lift)
    rows = rows[best_of_either(a[rows], b[rows], weight[rows], config.neighbours)]
    columns = (alike, both, lift, occasions, apart, viewed)
    evidence = [
        {
            "similarity": round(c, 3),
            "baskets": int(n),
            "lift": round(ratio, 2),
            "occasions": int(o),
            "apart": int(x),
            "visits": int(v),
            "content": shop.content.source,
        }
        for c, n, ratio, o, x, v in zip(*(column[rows].tolist() for column in columns), strict=True)
    ]
    return edge_frame("substitutes", a[rows], b[rows], weight[rows], apart[rows], evidence)


def _occasions(shop: Shop, a: Ints, b: Ints) -> tuple[Floats, Floats, Floats]:
    """Occasions with both, those of them apart, and how many were visits that looked at both."""
    owners = shared(shop.owned, a, b)
    at_once = shoppers_together(shop.bought, a, b)
    viewed = shared(shop.viewed.by_product, a, b)
    # A visit cannot be tied to its basket here: baskets with both, of shoppers who look, count against it.
    taken_both = np.minimum(shared(shop.bought.by_product, a, b), viewed)
    # Baskets above the size limit are not among the visits, so an owner may never count as together.
    return owners + viewed, np.maximum(owners - at_once, 0) + viewed - taken_both, viewed
