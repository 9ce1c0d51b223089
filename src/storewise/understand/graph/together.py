"""Relations between products of the same basket: bought with, complements, accessories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.understand.graph.config import GraphConfig
from storewise.understand.graph.pairs import (
    Floats,
    Ints,
    best_of_either,
    deviance,
    expected,
    frequent_pairs,
    shoppers_together,
    shrunk_lift,
    significant,
)
from storewise.understand.graph.shop import Shop
from storewise.understand.graph.tables import edge_frame


@dataclass(frozen=True)
class Pairs:
    """Pairs a < b that lie in one basket more often than by chance, significantly. All arrays are (m,).

    ``both``: baskets with both, ``lift`` shrunk, ``strength`` the normalised pointwise mutual information of
    the shrunk lift, ln(lift) / -ln((both + s) / N), in (0, 1] (Bouma 2009).
    """

    a: Ints
    b: Ints
    both: Floats
    lift: Floats
    strength: Floats

    def of(self, rows: npt.NDArray[np.bool_] | Ints) -> Pairs:
        """The pairs of a mask or of positions."""
        return Pairs(self.a[rows], self.b[rows], self.both[rows], self.lift[rows], self.strength[rows])


def pairs_together(shop: Shop, config: GraphConfig) -> Pairs:
    """All significant pairs; every pair of products with enough baskets counts as tested."""
    found, n = shop.bought, len(shop.bought)
    a, b, both = frequent_pairs(found, config.min_customers)
    chance = expected(found, a, b)
    lift = shrunk_lift(both, chance, config.shrinkage)
    tested = int((found.counts >= config.min_customers).sum())
    kept = significant(deviance(both, chance), tested * (tested - 1) // 2, config.false_discovery)
    share = np.minimum((both + config.shrinkage) / max(n, 1), 0.5)
    strength = np.minimum(np.log(lift) / -np.log(share), 1.0)
    return Pairs(a, b, both, lift, strength).of(kept)


def bought_with(shop: Shop, pairs: Pairs, config: GraphConfig) -> pl.DataFrame:
    """The pairs that say most: ranked by local mutual information both · ln(lift) (Evert 2005)."""
    pairs = pairs.of(best_of_either(pairs.a, pairs.b, pairs.both * np.log(pairs.lift), config.neighbours))
    return _edges("bought_with", shop, pairs, config)


def complement_pairs(shop: Shop, pairs: Pairs, config: GraphConfig) -> Pairs:
    """Strong pairs of different things: another category, or the same (or an unknown) one but unlike content."""
    pairs = pairs.of(pairs.lift >= config.complement_lift)
    ours, theirs = shop.categories[pairs.a], shop.categories[pairs.b]
    other = (ours >= 0) & (theirs >= 0) & (ours != theirs)
    unlike = shop.content.similarity(pairs.a, pairs.b) <= config.complement_similarity
    return pairs.of(other | unlike)


def complements(shop: Shop, pairs: Pairs, config: GraphConfig) -> pl.DataFrame:
    """The strongest of the complement pairs."""
    pairs = pairs.of(best_of_either(pairs.a, pairs.b, pairs.strength, config.neighbours))
    return _edges("complements", shop, pairs, config)


def accessories(shop: Shop, pairs: Pairs, config: GraphConfig) -> pl.DataFrame:
    """From complement pairs, the one-sided ones: accessory → main product.

    Their content's cosine is at least ``accessory_similarity`` (an accessory is named after what it goes with).
    p(main | accessory) = (both + s p(main)) / (n(accessory) + s) is at least ``accessory_share`` and at least
    ``accessory_asymmetry`` times p(accessory | main); the accessory costs at most ``accessory_price`` of the
    main product. Products without a price are neither. The weight is p(main | accessory).
    """
    named = shop.content.similarity(pairs.a, pairs.b) >= config.accessory_similarity
    parts = [_one_sided(shop, pairs.of(named), config, swap) for swap in (False, True)]
    return pl.concat([part for part in parts if part.height] or parts[:1])


def _one_sided(shop: Shop, pairs: Pairs, config: GraphConfig, swap: bool) -> pl.DataFrame:
    small, main = (pairs.b, pairs.a) if swap else (pairs.a, pairs.b)
    counts, s, n = shop.bought.counts, config.shrinkage, max(len(shop.bought), 1)
    p_main = (pairs.both + s * counts[main] / n) / (counts[small] + s)
    p_small = (pairs.both + s * counts[small] / n) / (counts[main] + s)
    cheap = (shop.prices[small] >= 0) & (shop.prices[small] <= config.accessory_price * shop.prices[main])
    kept = cheap & (p_main >= config.accessory_share) & (p_main >= config.accessory_asymmetry * p_small)
    small, main, p_main, p_small, chosen = (
        small[kept],
        main[kept],
        p_main[kept],
        p_small[kept],
        pairs.of(kept),
    )
    customers = shoppers_together(shop.bought, small, main)
    enough = customers >= config.min_customers
    columns = (chosen.both, p_main, p_small, customers)
    evidence = [
        {"baskets": int(b), "p_main": round(p, 3), "p_accessory": round(q, 3), "customers": int(c)}
        for b, p, q, c in zip(*(column[enough].tolist() for column in columns), strict=True)
    ]
    return edge_frame(
        "accessories_of", small[enough], main[enough], p_main[enough], chosen.both[enough], evidence
    )


def _edges(relation: str, shop: Shop, pairs: Pairs, config: GraphConfig) -> pl.DataFrame:
    customers = shoppers_together(shop.bought, pairs.a, pairs.b)
    enough = customers >= config.min_customers
    pairs, customers = pairs.of(enough), customers[enough]
    columns = (pairs.both, pairs.lift, customers)
    evidence = [
        {"baskets": int(both), "lift": round(lift, 2), "customers": int(who)}
        for both, lift, who in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return edge_frame(relation, pairs.a, pairs.b, pairs.strength, pairs.both, evidence)
