"""Validation scores of a tower: new products of the last weeks, or what was held out; larger is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.core.rng import spawn
from storewise.engine.cold import ColdWindow, window
from storewise.engine.history import History
from storewise.understand.affinity import AffinityConfig
from storewise.understand.finetune.contrastive import Contrastive
from storewise.understand.finetune.objectives import Objective
from storewise.understand.finetune.tower import Tower

Score = Callable[[Tower], float]
ENOUGH_CUSTOMERS = 30  # in a validation window of new products
HELD_SHARE = 0.1  # of the texts, where no time window can validate


def validation_window(history: History, start: float) -> ColdWindow | None:
    """The last window's new products, where enough customers bought them."""
    if not (history.whole.interactions.at < start).any():
        return None
    try:
        found = window(history, start, float(np.nextafter(history.whole.interactions.end, np.inf)))
    except DataError:
        return None
    return found if len(found.histories) >= ENOUGH_CUSTOMERS and len(found.candidates) > 20 else None


def cold_score(validation: ColdWindow, texts: Sequence[str], config: AffinityConfig | None = None) -> Score:
    """Recall@20 of the window's new products, ranked for its customers by a tower's vectors."""
    needed = validation.needed

    def score(tower: Tower) -> float:
        vectors = np.zeros((len(texts), tower.dimensions), np.float32)
        vectors[needed] = tower.encode([texts[i] for i in needed])
        found = validation.values(validation.scores(vectors, config or AffinityConfig()))
        return float(np.nanmean(found[:, 0]))

    return score


def held_out(objective: Objective, texts: list[str], seed: int) -> Score:
    """Take a share away from what the objective learns from, and score on that.

    Pairs whose two texts are both held out: mean reciprocal rank of the partner among the held-out texts. Texts
    alone: minus the loss on the held-out ones, with the same draw at each call.
    """
    rng = spawn(seed, "finetune", "held out")
    if isinstance(objective, Contrastive):
        held = np.zeros(len(objective.texts), bool)
        held[rng.random(len(held)) < HELD_SHARE * 3] = True
        both = held[objective.pairs.left] & held[objective.pairs.right]
        p = objective.pairs
        left, right = p.left[both], p.right[both]
        if not len(left) or both.all():
            raise DataError("There are too few pairs to validate.", next_step="Give more behaviour.")
        objective.keep(~(held[p.left] | held[p.right]))
        return lambda tower: _reciprocal_rank(tower, objective.texts, np.flatnonzero(held), left, right)
    cut = max(2, round(HELD_SHARE * len(texts)))
    order = rng.permutation(len(texts))
    kept, taken = [texts[i] for i in order[cut:]], [texts[i] for i in order[:cut]]
    twin = type(objective)(taken)  # type: ignore[call-arg]
    objective.texts = kept  # type: ignore[attr-defined]
    objective.__post_init__()  # type: ignore[attr-defined]

    def score(tower: Tower) -> float:
        twin.refresh(tower, 0)
        return -float(twin.loss(tower, spawn(seed, "finetune", "score")).detach())

    return score


def _reciprocal_rank(
    tower: Tower, texts: Sequence[str], held: npt.NDArray[np.int64], left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
) -> float:  # fmt: skip
    place = np.full(len(texts), -1)
    place[held] = np.arange(len(held))
    vectors = tower.encode([texts[i] for i in held])
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -2.0)
    of = similar[place[left]]
    rank = (of >= similar[place[left], place[right]][:, None]).sum(axis=1)
    return float((1.0 / rank).mean())
