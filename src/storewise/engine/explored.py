"""What exploring has taught: policies that learn from the shop's decision log, kept as an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from storewise.core.artifact import Artifact
from storewise.core.config import config_hash
from storewise.core.progress import Progress, step
from storewise.core.registry import Registry
from storewise.data.stores import Store
from storewise.engine.experiment.variants import effective
from storewise.engine.pipeline import Pipeline
from storewise.engine.serving.arms import NAMES
from storewise.engine.shown import Floats, Shown, credit, decisions_of
from storewise.engine.stages import ExploreConfig
from storewise.explore.base import EMPTY, Logged, Policy

ROLE, SEPARATOR = "explore", "__"
PRIOR_RATE, PRIOR_LOOKS = 0.05, 20.0  # of an explored place, before the log says more


@dataclass(frozen=True)
class Places:
    """The explored places of n decisions, at most k each: ``shown`` (products "" where there was none), and
    ``chances`` (n, k), the ranker's chances of a purchase, NaN unknown. ``features`` (n, k, d), what the policy saw,
    NaN where the log has none. ``young``: decisions left out because their outcome is not known yet."""

    shown: Shown
    chances: Floats
    features: Floats
    young: int

    def logged(self, index: Mapping[str, int], *, contextual: bool) -> Logged:
        """What a policy learns from; for a contextual one places without features are empty."""
        log = self.shown.logged(index)
        if not contextual:
            return log
        seen = ~np.isnan(self.features).any(axis=2)
        return replace(log, arms=np.where(seen, log.arms, EMPTY), features=np.nan_to_num(self.features))


def learn(
    store: Store, pipeline: Pipeline, registry: Registry, index: Mapping[str, int], facts: Mapping[str, Any],
    *, until: datetime | None, progress: Progress,
) -> dict[str, Artifact]:  # fmt: skip
    """The artifact of every policy of the pipeline and its variants, by role; empty where nothing explores.

    ``index``: product → arm. The state is learned anew from the log of the last ``days``, a batch a day.
    """
    sections = {key_of(one.explore): one.explore for one in (pipeline, *effective(pipeline).values())}
    wanted = {key: section for key, section in sections.items() if section.use is not None}
    if not wanted:
        return {}
    arrays: dict[str, Any] = {}
    about: dict[str, Any] = {}
    with step(progress, "learning from explored places"):
        for key, section in wanted.items():
            state, about[key] = _learn_one(store, section, registry, index, until)
            arrays |= {f"{key}{SEPARATOR}{name}": np.asarray(part) for name, part in state.items()}
    return {ROLE: Artifact(ROLE, {**facts, "policies": about}, arrays)}


def key_of(section: ExploreConfig) -> str:
    """Identifies what a policy is and learns from."""
    return config_hash(section)


def state_of(
    found: Artifact | None, section: ExploreConfig
) -> tuple[dict[str, Any], Mapping[str, Any]] | None:
    """State and facts of the section's policy; None where none was learned."""
    key = key_of(section)
    if found is None or key not in found.facts["policies"]:
        return None
    start = key + SEPARATOR
    arrays = {name.removeprefix(start): part for name, part in found.arrays.items() if name.startswith(start)}
    return arrays, found.facts["policies"][key]


def read_places(store: Store, section: ExploreConfig, *, until: datetime | None = None) -> Places:
    """The places that a policy decided, with what followed within ``hours``; of lists that did not explore the
    last ``places``, of all slots. Decisions less than ``hours`` before ``until`` (None: before the log's end) wait."""
    end = until if until is not None else _end(store)
    if end is None:
        nothing = np.zeros((0, section.places))
        return Places(_shown([], [], section.places, np.zeros((0, 0))), nothing, nothing[..., None], 0)
    window = timedelta(hours=section.hours)
    since = end - timedelta(days=section.days)
    everything = decisions_of(store, None, since, until)
    rows = [row for row, one in enumerate(everything) if one["items"] and one["at"] + window <= end]
    ripe = [everything[row] for row in rows]
    # Rewards go to the latest list that showed the product, be it in its head or too young to learn from.
    products = [[item["product_id"] for item in one["items"]] for one in everything]
    rewards = credit(store, everything, products, section.reward, window, until)
    places = _shown(ripe, rows, section.places, rewards)
    chances = np.full(places.rewards.shape, np.nan)
    features = np.full((*places.rewards.shape, len(NAMES)), np.nan)
    for row, one in enumerate(ripe):
        for place, item in enumerate(_explored(one["items"], section.places)):
            chances[row, place] = np.nan if (p := item.get("p_purchase")) is None else float(p)
            if len(told := item.get("features", ())) == len(NAMES):
                features[row, place] = told
    return Places(places, chances, features, len(everything) - len(ripe))


def _learn_one(
    store: Store, section: ExploreConfig, registry: Registry, index: Mapping[str, int], until: datetime | None
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    policy = registry.create(str(section.use), section.config)
    assert isinstance(policy, Policy), "the pipeline names policies only"
    found = read_places(store, section, until=until)
    log = found.logged(index, contextual=policy.contextual)
    days = [one["at"].date() for one in found.shown.decisions]
    for _, rows in groupby(range(len(log)), key=days.__getitem__):
        policy.warm_start(log.part(np.fromiter(rows, np.int64)), trust=section.trust)
    there = log.arms >= 0
    known = there & ~np.isnan(found.chances)
    looks, rewards = int(there.sum()), float(log.rewards[there].sum())
    about = {
        "component": section.use,
        "features": list(NAMES),
        "section": section.model_dump(mode="json"),
        "decisions": len(log),
        "young": found.young,
        "looks": looks,
        "rewards": rewards,
        "rate": (rewards + PRIOR_RATE * PRIOR_LOOKS) / (looks + PRIOR_LOOKS),
        # A chance of a purchase in the ranker's window is another thing than a click here: one factor between them.
        "scale": float((log.rewards[known].sum() + 1.0) / (found.chances[known].sum() + 1.0)),
    }
    return policy.state(), about


def _end(store: Store) -> datetime | None:
    ends = [frame["at"].max() for frame in (store.decisions(), store.events()) if frame.height]
    return max(ends) if ends else None  # type: ignore[type-var, return-value]


def _explored(items: list[dict[str, Any]], places: int) -> list[dict[str, Any]]:
    """From the first place that a policy chose; the last places where the log shows none."""
    below = (
        at for at, item in enumerate(items) if "features" in item or (item.get("propensity") or 1.0) < 1.0
    )
    first = next(below, max(len(items) - places, 0))
    return items[first : first + places]


def _shown(ripe: list[dict[str, Any]], rows: list[int], k: int, rewards: Floats) -> Shown:
    products, told, gained = [], np.ones((len(ripe), k)), np.zeros((len(ripe), k))
    for number, (row, one) in enumerate(zip(rows, ripe, strict=True)):
        tail = _explored(one["items"], k)
        first = one["items"].index(tail[0])
        products.append([item["product_id"] for item in tail] + [""] * (k - len(tail)))
        told[number, : len(tail)] = [item.get("propensity") or np.nan for item in tail]
        gained[number, : len(tail)] = rewards[row, first : first + len(tail)]
    shoppers = np.unique([one["shopper"] for one in ripe], return_inverse=True)[1].astype(np.int64)
    return Shown(products, told, gained, shoppers, ripe)
