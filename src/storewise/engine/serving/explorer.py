"""The last places of a list by a policy, each item with its exact propensity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from storewise.core.registry import Registry
from storewise.engine.pipeline import Pipeline

if TYPE_CHECKING:
    from storewise.engine.recommend.answer import Item


@dataclass(frozen=True)
class Explorer:
    """``policy`` chooses the last ``places`` among the candidates that did not make the head of the list."""

    policy: Any
    places: int
    name: str

    @classmethod
    def of(cls, pipeline: Pipeline, registry: Registry) -> Explorer | None:
        """None where the pipeline does not explore."""
        section = pipeline.explore
        if section.use is None:
            return None
        return cls(registry.create(section.use, section.config), section.places, section.use)

    def __call__(self, items: Sequence[Item], n: int, rng: np.random.Generator) -> list[Item]:
        """The list of n. An unknown chance of a purchase counts as the least known one of the list."""
        from storewise.explore.tail import explore_tail

        chances = np.array([item.p_purchase for item in items])
        least = float(np.nanmin(chances)) if (~np.isnan(chances)).any() else 0.0
        values = np.where(np.isnan(chances), least, chances)
        deviations = np.sqrt(values * (1.0 - values))
        tail = explore_tail(
            self.policy, np.arange(len(items)), values=values, deviations=deviations, n=n,
            places=min(self.places, n), rng=rng,
        )  # fmt: skip
        return [
            replace(items[int(place)], propensity=float(p))
            for place, p in zip(tail.items, tail.propensities, strict=True)
        ]
