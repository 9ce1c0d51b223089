"""The last places of a list by a policy, each item with its exact propensity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storewise.core.artifact import Artifact
from storewise.core.registry import Registry
from storewise.engine.explored import PRIOR_RATE, state_of
from storewise.engine.pipeline import Pipeline
from storewise.engine.serving.arms import NAMES
from storewise.explore.base import Policy
from storewise.explore.slate_thompson import LEAST

if TYPE_CHECKING:
    from storewise.engine.recommend.answer import Item

Floats = npt.NDArray[np.float64]
Features = Callable[[npt.NDArray[np.int64], Floats], Floats]
"""Candidates (m,), best first, and their prior means (m,) → features (m, d)."""


def unseen(products: npt.NDArray[np.int64], values: Floats) -> Floats:
    """Features where nothing is known of shopper or products: zeros."""
    return np.zeros((len(products), len(NAMES)))


@dataclass(frozen=True)
class Explorer:
    """``policy`` chooses the last ``places`` among the best ``pool`` that did not make the head of the list.

    An item's chance of a reward here has the prior Beta(S q, S (1 - q)), S the ``strength`` and q the ranker's chance
    of a purchase times ``scale`` (``rate`` where no item has one); the policy adds the item's own looks and rewards.
    The policy is only read while serving, so threads may share it.
    """

    policy: Policy[Any]
    places: int
    name: str
    pool: int = 50
    strength: float = 20.0
    scale: float = 1.0
    rate: float = PRIOR_RATE

    @classmethod
    def of(cls, pipeline: Pipeline, registry: Registry, learned: Artifact | None = None) -> Explorer | None:
        """None where the pipeline does not explore; from the prior alone where nothing was ``learned`` for it."""
        section = pipeline.explore
        if section.use is None:
            return None
        policy = registry.create(section.use, section.config)
        assert isinstance(policy, Policy), "the pipeline names policies only"
        found = cls(policy, section.places, section.use, section.pool, section.strength)
        if (kept := state_of(learned, section)) is None:
            return found
        state, facts = kept
        if policy.contextual and facts.get("features") != list(NAMES):
            return found  # learned from features that are no more: the next training run learns anew
        policy.restore(state)
        return replace(found, scale=float(facts["scale"]), rate=float(facts["rate"]))

    def __call__(
        self, items: Sequence[Item], n: int, rng: np.random.Generator, features: Features = unseen
    ) -> list[Item]:
        """The list of n. An unknown chance of a purchase counts as the least known one of the list. Explored items
        keep the features that the policy saw, for the log."""
        from storewise.explore.tail import explore_tail

        values = self.values(np.array([item.p_purchase for item in items], np.float64))
        products = np.array([item.product for item in items], np.int64)
        seen = features(products, values)
        tail = explore_tail(
            self.policy, products, values=values, features=seen,
            deviations=np.sqrt(values * (1.0 - values) / (self.strength + 1.0)), n=n,
            places=min(self.places, n), pool=self.pool, rng=rng,
        )  # fmt: skip
        row = {item.product: at for at, item in enumerate(items)}
        found = []
        for product, p, chosen in zip(tail.items, tail.propensities, tail.explored, strict=True):
            at = row[int(product)]
            told = tuple(seen[at].tolist()) if chosen else ()
            found.append(replace(items[at], propensity=float(p), features=told))
        return found

    def values(self, chances: Floats) -> Floats:
        """(m,) prior means of a reward from the ranker's chances (m,), NaN unknown."""
        known = ~np.isnan(chances)
        if not known.any():
            return np.full(len(chances), self.rate)
        filled = np.where(known, chances, chances[known].min())
        found: Floats = np.clip(filled * self.scale, LEAST, 1.0 - LEAST)
        return found
