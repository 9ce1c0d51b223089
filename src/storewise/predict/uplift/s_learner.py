"""S-learner: one outcome model with the treatment as one more column; simple, and shy of small effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.base import Pair, UpliftModel
from storewise.predict.uplift.learners import Learner


class SLearner(UpliftModel):
    """effect(x) = m(x, 1) − m(x, 0). A linear model has no interaction: its effects differ by the link alone."""

    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        learner = self.learner(classify=pair.binary)
        weights = None
        if np.ptp(pair.share) > 0:
            weights = np.asarray(0.5 / np.where(pair.treated, pair.share, 1 - pair.share))
        learner.fit(_with(pair.rows, pair.treated.astype(np.float32)), pair.outcomes, weights, seed)
        return {"outcome": learner}

    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        ours, theirs = (
            parts["outcome"].predict(_with(rows, np.full(len(rows), treated, np.float32)))
            for treated in (1, 0)
        )
        return ours - theirs


def _with(rows: Rows, treated: np.ndarray) -> Rows:
    """The treatment as the first number."""
    numbers = np.concatenate([treated[:, None].astype(np.float32), rows.numbers], axis=1)
    return replace(rows, numbers=numbers, number_names=("(treated)", *rows.number_names))
