"""Two models, or T-learner: one outcome model for the treated, one for the control; the effect is the difference."""

from __future__ import annotations

import numpy as np

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.base import Pair, UpliftModel
from storewise.predict.uplift.learners import Learner


class TwoModel(UpliftModel):
    """effect(x) = E[y | x, treated] − E[y | x, control]; weighted by 1 / propensity."""

    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        return outcome_models(self, pair, seed)

    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        return parts["treated"].predict(rows) - parts["control"].predict(rows)


def outcome_models(model: UpliftModel, pair: Pair, seed: int) -> dict[str, Learner]:
    """``treated`` and ``control``, each trained on its own side."""
    parts: dict[str, Learner] = {}
    for name, side, probability in (
        ("treated", pair.treated, pair.share),
        ("control", ~pair.treated, 1 - pair.share),
    ):
        learner = model.learner(classify=pair.binary)
        weights = None if np.ptp(pair.share) == 0 else probability[side].mean() / probability[side]
        learner.fit(pair.rows.part(side), pair.outcomes[side], weights, seed)
        parts[name] = learner
    return parts
