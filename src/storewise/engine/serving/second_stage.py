"""The second stage in memory: candidates of several retrievers, and the ranker that orders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.artifact import Artifact
from storewise.core.errors import ArtifactError
from storewise.core.registry import Registry
from storewise.recommend.rank.base import Ranker, best_first
from storewise.recommend.rank.candidates import Shortlist, Sources
from storewise.recommend.rank.objective import Objective
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever

RANKER = "ranker"
POPULAR = "retrieve.popular.v1"


@dataclass(frozen=True)
class SecondStage:
    """``name``: the ranker's registered name. ``window_days``: what its chances are of. ``serves``: False for a shadow,
    which is asked only beside the retrieved order; ``why``: the sentence that validation decided with."""

    name: str
    ranker: Ranker[Any]
    sources: Sources
    window_days: float
    serves: bool = True
    why: str = ""

    def candidates(self, request: Request) -> Shortlist:
        """In the retrieved order."""
        return Shortlist.of(self.sources.one(request.history, request.eligible))

    def rank(self, request: Request, found: Shortlist, objective: Objective | None) -> Ordered:
        """By the ranker's score, or by what a place is worth where the dial says so; what the ranker cannot say
        anything of comes last."""
        scores = self.ranker.scores(request.history, found.candidates)
        chances = self.ranker.chances(scores)
        if objective is not None and objective.weight:
            scores = objective(scores, chances, found.products)
        order = best_first(scores)
        return Ordered(found.reordered(order, scores[order].astype(np.float32)), chances[order])

    def reasons(self, request: Request, items: Shortlist, *, ranked: bool) -> tuple[Reason, ...]:
        """Why each stands there: the feature that lifts it most, else what the retriever that has it highest says."""
        told: list[Reason | None] = [None] * len(items)
        if ranked:
            told = self.ranker.reasons(request, items)
        for place, reason in self._retrieved(request, items, told).items():
            told[place] = reason
        return tuple(reason or Reason("popular") for reason in told)

    def _retrieved(
        self, request: Request, items: Shortlist, told: list[Reason | None]
    ) -> Mapping[int, Reason]:
        missing = np.array([place for place, reason in enumerate(told) if reason is None], np.int64)
        if not len(missing):
            return {}
        # The fused column is no retriever: the members' follow it, in their order.
        ranks = np.nan_to_num(items.candidates.ranks[missing, 1:], nan=np.inf)
        best = ranks.argmin(axis=1)
        found: dict[int, Reason] = {}
        for number, member in enumerate(self.sources.members):
            mine = missing[best == number]
            if len(mine):
                reasons = member.retriever.reasons(request, items.products[mine])
                found |= dict(zip(mine.tolist(), reasons, strict=True))
        return found


@dataclass(frozen=True)
class Ordered:
    """A ranked list with the chance of a purchase of each item, (m,), NaN unknown."""

    items: Shortlist
    chances: npt.NDArray[np.float64]


def ranker_artifact(
    name: str, ranker: Ranker[Any], sources: Sources, facts: Mapping[str, Any], *, window_days: float,
    serves: bool = True, why: str = "",
) -> Artifact:  # fmt: skip
    """The ranker, and the retrievers of its candidates that the snapshot does not hold anyway."""
    extra = [one for one in sources.members if not one.weight and one.name != POPULAR]
    about = {
        **facts, "component": name, "config": ranker.config.model_dump(mode="json"), "depth": sources.depth,
        "window_days": window_days, "serves": serves, "why": why,
        "more": [one.name for one in sources.members if not one.weight],
        "configs": {one.name: one.retriever.config.model_dump(mode="json") for one in extra},
    }  # fmt: skip
    arrays = {f"ranker.{key}": array for key, array in ranker.state().items()}
    for one in extra:
        arrays |= {f"source.{one.name}.{key}": array for key, array in one.retriever.state().items()}
    return Artifact(RANKER, about, arrays)


def restore_second_stage(
    found: Artifact, registry: Registry, *, served: Retriever[Any], served_name: str, popular: Retriever[Any]
) -> SecondStage:
    """From the snapshot's part; retrievers that it holds already are shared.

    Raises:
        ArtifactError: when the part holds no ranker.
    """
    name = str(found.facts["component"])
    ranker = registry.create(name, found.facts["config"])
    if not isinstance(ranker, Ranker):
        raise ArtifactError(f"Artifact {found.name} holds no ranker.", next_step="Train again.")
    ranker.restore(_under("ranker.", found))
    more: dict[str, Retriever[Any]] = {}
    for other in found.facts["more"]:
        if other == POPULAR:
            more[other] = popular
            continue
        model = registry.create(other, found.facts["configs"][other])
        assert isinstance(model, Retriever)
        model.restore(_under(f"source.{other}.", found))
        more[other] = model
    sources = Sources.of(served, served_name, more, depth=int(found.facts["depth"]))
    return SecondStage(
        name, ranker, sources, float(found.facts["window_days"]),
        # A ranker of before there were shadows serves.
        serves=bool(found.facts.get("serves", True)), why=str(found.facts.get("why", "")),
    )  # fmt: skip


def as_served(second: SecondStage | None, use: str) -> SecondStage | None:
    """What the pipeline's ``rank.use`` makes of the trained ranker: ``never`` leaves it out, ``always`` lets a shadow
    serve, ``auto`` keeps what validation said."""
    if second is None or use == "never":
        return None
    return replace(second, serves=True) if use == "always" else second


def _under(start: str, found: Artifact) -> dict[str, npt.NDArray[Any]]:
    return {key.removeprefix(start): array for key, array in found.arrays.items() if key.startswith(start)}


def retrieved(found: Shortlist, n: int) -> ItemList:
    """The first n of the retrieved order: what would be shown without a ranker."""
    fused = ~np.isnan(found.scores)
    return ItemList(found.products[fused][:n], found.scores[fused][:n])
