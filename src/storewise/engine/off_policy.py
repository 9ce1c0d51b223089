"""What other lists would have brought: the shop's decision log, joined with what shoppers did next.

The log holds each item's exact propensity at its place. A place that did not explore (propensity 1) says something
of a candidate only where the candidate would show the same item there; what it would show instead was never tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.core.errors import DataError
from storewise.core.rng import derive_seed
from storewise.data.sources.raw import read_raw
from storewise.data.stores import Store
from storewise.engine.shown import Shown
from storewise.explore.evaluate.slates import SLATE_ESTIMATORS, SlateEvidence
from storewise.explore.evaluate.terms import Terms, bootstrap_all

Floats = npt.NDArray[np.float64]
Lists = Callable[[Mapping[str, Any], int], Sequence[str]]
"""A candidate: the product ids that it would show for a logged decision, best first, at most n."""

CHOSEN, SIMPLE = "independent snips", "independent ips"


def evaluate(shown: Shown, lists: Lists, *, seed: int = 0) -> dict[str, Any]:
    """Rewards a list of the candidate beside those of what was shown, shoppers resampled.

    ``rows`` as in ``storewise benchmark``; ``support``: the share of places that never explored and where the
    candidate would show something else. Above 0 the estimates speak only of what was tried.
    """
    k = shown.rewards.shape[1]
    matches = np.zeros(shown.rewards.shape)
    for row, (decision, products) in enumerate(zip(shown.decisions, shown.products, strict=True)):
        wanted = list(lists(decision, k))[:k]
        for place, product in enumerate(wanted):
            matches[row, place] = float(product == products[place])
    evidence = _evidence(shown, matches)
    explored = shown.propensities < 1
    unsupported = float(((matches == 0) & ~explored).mean())
    terms = {"as shown": _clustered(_sum(shown.rewards), shown.shoppers)}
    for name, estimator in SLATE_ESTIMATORS.items():
        try:
            terms[name] = _clustered(estimator(evidence), shown.shoppers)
        except DataError:
            continue  # the log does not tell the weights that it needs
    intervals = bootstrap_all(list(terms.values()), seed=derive_seed(seed, "off-policy"))
    weights = matches / shown.propensities
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares / k if squares else 0.0
    rows = [
        {
            "model": name,
            "selected": name == CHOSEN,
            "simple": name == SIMPLE,
            "seconds": 0.0,
            "metrics": {
                "value": interval.as_dict(),
                "bernstein": terms[name].bernstein().as_dict(),
                "effective": dict.fromkeys(
                    ("value", "low", "high"), effective if name != "as shown" else len(shown)
                ),
            },
        }
        for (name, interval) in zip(terms, intervals, strict=True)
    ]
    rows.sort(key=lambda row: not row["selected"])
    return {
        "decisions": len(shown),
        "shoppers": int(shown.shoppers.max()) + 1,
        "places": k,
        "explored": float(explored.mean()),
        "unsupported": unsupported,
        "reason": _reason(unsupported, float(explored.mean()), effective),
        "rows": rows,
    }


def lists_of_file(path: Path) -> Lists:
    """Lists from a table with ``product_id``, ``position`` and, for lists that differ, ``customer_id`` (the
    pseudonym of the decision log); customers without lines of their own get the lines without a customer.

    Raises:
        DataError: for a column that is missing.
    """
    table = read_raw(path)
    for column in ("product_id", "position"):
        if column not in table.columns:
            raise DataError(
                f"{path} has no column {column!r}; it has {', '.join(c for c in table.columns if c != 'line')}.",
                next_step="Give product_id and position, and customer_id where lists differ.",
            )
    order = table.with_columns(pl.col("position").cast(pl.Float64)).sort("position")
    owners = order["customer_id"].to_list() if "customer_id" in order.columns else [None] * order.height
    lists: dict[str | None, list[str]] = {}
    for owner, product in zip(owners, order["product_id"].cast(pl.String).to_list(), strict=True):
        lists.setdefault(owner or None, []).append(product)
    return lambda decision, n: lists.get(decision["customer_id"], lists.get(None, []))[:n]


def lists_of_snapshot(store: Store, name: str) -> Lists:
    """What a snapshot of this shop would show: its own histories, up to its watermark, and nothing live.

    Raises:
        ArtifactError: when it is damaged.
        UnknownName: when there is none of that name.
    """
    from storewise.engine.published import read_snapshot
    from storewise.engine.recommend import Ask, Recommender
    from storewise.engine.registry import registry
    from storewise.engine.serving.live import Live
    from storewise.engine.serving.service import load_manifest

    snapshot = load_manifest(store, read_snapshot(store.folder, name), registry())

    def lists(decision: Mapping[str, Any], n: int) -> Sequence[str]:
        recommend = Recommender(lambda: snapshot, live=Live(), clock=lambda: decision["at"])
        answer = recommend(Ask(decision["customer_id"], decision["session_id"], slot=decision["slot"], n=n))
        return [snapshot.catalogue.ids[item.product] for item in answer.items]

    return lists


def _evidence(shown: Shown, matches: Floats) -> SlateEvidence:
    """Weights of whole slates and of prefixes are known only where at most one place of a list explored: its
    propensity then is the slate's."""
    places: Floats = matches / shown.propensities
    if ((shown.propensities < 1).sum(axis=1) > 1).any():
        return SlateEvidence(shown.rewards, None, places, None)
    prefixes: Floats = np.cumprod(places, axis=1).astype(np.float64)
    return SlateEvidence(shown.rewards, prefixes[:, -1], places, prefixes)


def _sum(rewards: Floats) -> Terms:
    total = rewards.sum(axis=1)
    return Terms(np.zeros(len(total)), total, np.ones(len(total)), float(rewards.shape[1]))


def _clustered(terms: Terms, owners: npt.NDArray[np.int64]) -> Terms:
    """One term a shopper: the lists of one shopper hang together."""
    top, bottom = (terms.base, np.ones(len(owners))) if terms.base.any() else (terms.top, terms.bottom)
    sums = [np.bincount(owners, weights=part).astype(np.float64) for part in (top, bottom)]
    lists = np.bincount(owners)
    return Terms(np.zeros(len(sums[0])), sums[0], sums[1], terms.span * float(lists.max() / lists.mean()))


def _reason(unsupported: float, explored: float, effective: float) -> str:
    parts = [
        f"{CHOSEN} was named beforehand; its assumption is that a place's reward depends on the item there."
    ]
    if not explored:
        parts.append("No place explored: only lists that agree with what was shown can be judged.")
    if unsupported:
        parts.append(
            f"At {unsupported:.1%} of the places the candidate shows something that was never tried there; the "
            "estimates leave out what that would bring."
        )
    if effective < 100:
        parts.append(
            f"The log is worth {effective:.0f} lists of the candidate: too few to trust an interval."
        )
    return " ".join(parts)
