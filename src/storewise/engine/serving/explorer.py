"""The last places of a list by a policy, each item with its exact propensity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storewise.core.artifact import Artifact
from storewise.core.registry import Registry
from storewise.engine.explored import PRIOR_RATE, state_of
from storewise.engine.pipeline import Pipeline
from storewise.explore.slate_thompson import LEAST

if TYPE_CHECKING:
    from storewise.engine.recommend.answer import Item

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explorer:
    """``policy`` chooses the last ``places`` among the best ``pool`` that did not make the head of the list.

    An item's chance of a reward here has the prior Beta(S q, S (1 - q)), S the ``strength`` and q the ranker's chance
    of a purchase times ``scale`` (``rate`` where no item has one); the policy adds the item's own looks and rewards.
    The policy is only read while serving, so threads may share it.
    """

    policy: Any
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
        found = cls(policy, section.places, section.use, section.pool, section.strength)
        if (kept := state_of(learned, section)) is None:
            return found
        state, facts = kept
        policy.restore(state)
        return replace(found, scale=float(facts["scale"]), rate=float(facts["rate"]))

    def __call__(self, items: Sequence[Item], n: int, rng: np.random.Generator) -> list[Item]:
        """The list of n. An unknown chance of a purchase counts as the least known one of the list."""
        from storewise.explore.tail import explore_tail

        values = self.values(np.array([item.p_purchase for item in items], np.float64))
        tail = explore_tail(
            self.policy, [item.product for item in items], values=values,
            deviations=np.sqrt(values * (1.0 - values) / (self.strength + 1.0)), n=n,
            places=min(self.places, n), pool=self.pool, rng=rng,
        )  # fmt: skip
        by_product = {item.product: item for item in items}
        return [
            replace(by_product[int(product)], propensity=float(p))
            for product, p in zip(tail.items, tail.propensities, strict=True)
        ]

    def values(self, chances: Floats) -> Floats:
        """(m,) prior means of a reward from the ranker's chances (m,), NaN unknown."""
        known = ~np.isnan(chances)
        if not known.any():
            return np.full(len(chances), self.rate)
        filled = np.where(known, chances, chances[known].min())
        found: Floats = np.clip(filled * self.scale, LEAST, 1.0 - LEAST)
        return found
