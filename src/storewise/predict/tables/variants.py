"""Which way of making rows of a table helps: the ways compete on validation, with two simple models as the judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storewise.core.progress import Silent
from storewise.core.registry import Registry
from storewise.predict import COMPONENTS
from storewise.predict.choose.contest import Contest, Fold
from storewise.predict.choose.guard import FEW_CELLS, recalibrated_losses
from storewise.predict.models.trees import DEEPER

JUDGES: tuple[tuple[str, Mapping[str, Any] | None], ...] = (
    ("predict.logistic.v1", None),
    ("predict.lightgbm.v1", DEEPER),
)


def best_variant(variants: Mapping[str, Sequence[Fold]], *, seed: int) -> tuple[str, dict[str, float]]:
    """The variant whose folds a judge predicts with the least log loss, and the least loss of each.

    A sum and a tree need different things, so both are asked; of large tables the first alone. Folds of all variants
    hold the same rows. Rates of earlier rows, say, help where values are many and the event is
    rare, and harm where a few values have thousands of rows: there the codes say it all, and a rate only adds the
    noise of its own history.
    """
    losses = {}
    for name, folds in variants.items():
        contest = Contest(Registry(COMPONENTS), tuple(folds), seed, Silent())
        large = (
            max(fold.train.rows.numbers.size + fold.train.rows.categories.size for fold in folds) > FEW_CELLS
        )
        found = [contest.run(judge, config) for judge, config in (JUDGES[:1] if large else JUDGES)]
        losses[name] = min(
            float(np.mean(recalibrated_losses(one[1], contest.labels))) for one in found if one is not None
        )
    return min(losses, key=lambda name: losses[name]), losses
