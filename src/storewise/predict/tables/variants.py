"""Which way of making rows of a table helps: the ways compete on validation, with one simple model as the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from storewise.core.progress import Silent
from storewise.core.registry import Registry
from storewise.predict import COMPONENTS
from storewise.predict.choose.contest import Contest, Fold
from storewise.predict.choose.guard import recalibrated_losses

JUDGE = "predict.logistic.v1"


def best_variant(variants: Mapping[str, Sequence[Fold]], *, seed: int) -> tuple[str, dict[str, float]]:
    """The variant whose folds the judge predicts with the least log loss, and the loss of each.

    Folds of all variants hold the same rows. Rates of earlier rows, say, help where values are many and the event is
    rare, and harm where a few values have thousands of rows: there the codes say it all, and a rate only adds the
    noise of its own history.
    """
    losses = {}
    for name, folds in variants.items():
        contest = Contest(Registry(COMPONENTS), tuple(folds), seed, Silent())
        found = contest.run(JUDGE, None)
        assert found is not None  # nothing limits its time
        losses[name] = float(np.mean(recalibrated_losses(found[1], contest.labels)))
    return min(losses, key=lambda name: losses[name]), losses
