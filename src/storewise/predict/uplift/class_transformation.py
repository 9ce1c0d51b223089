"""Class transformation (Jaskowski & Jaroszewicz, 2012), for any known share of the treated.

For outcomes of 0 and 1, z = 1 where treatment and outcome agree (bought when treated, did not when not). With
every person weighted by one over the probability e of what he got, P(z = 1 | x) = (1 + effect(x)) / 2, so that
effect(x) = 2 P(z = 1 | x) − 1 (with e = 1/2 the weights are equal: the paper's case). For amounts, the transformed
outcome (y − ȳ)(t − e) / (e (1 − e)), whose mean given x is the effect (Athey & Imbens, 2015), is regressed.
"""

from __future__ import annotations

import numpy as np

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.base import Pair, UpliftModel
from storewise.predict.uplift.learners import Learner


class ClassTransformation(UpliftModel):
    """One model of the transformed outcome."""

    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        learner = self.learner(classify=pair.binary)
        if pair.binary:
            agree = pair.treated == (pair.outcomes > 0)
            weights = 0.5 / np.where(pair.treated, pair.share, 1 - pair.share)
            learner.fit(pair.rows, agree.astype(np.float64), weights, seed)
            return {"agreement": learner}
        centred = pair.outcomes - pair.outcomes.mean()
        moved = centred * (pair.treated - pair.share) / (pair.share * (1 - pair.share))
        learner.fit(pair.rows, np.asarray(moved), None, seed)
        return {"effect": learner}

    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        if "effect" in parts:
            return parts["effect"].predict(rows)
        return 2 * parts["agreement"].predict(rows) - 1
