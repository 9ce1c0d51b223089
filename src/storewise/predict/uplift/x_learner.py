"""X-learner (Künzel, Sekhon, Bickel & Yu, 2019): effects imputed on each side by the other side's model."""

from __future__ import annotations

import numpy as np

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.base import Pair, UpliftModel
from storewise.predict.uplift.learners import Learner
from storewise.predict.uplift.two_model import outcome_models


class XLearner(UpliftModel):
    """With outcome models m0, m1: the treated's effects are y − m0(x), the control's m1(x) − y; a regression of
    each gives t1 and t0, and effect(x) = e · t0(x) + (1 − e) · t1(x) with e the treated's share."""

    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        models = outcome_models(self, pair, seed)
        treated, control = pair.rows.part(pair.treated), pair.rows.part(~pair.treated)
        imputed = {
            "effect_treated": (treated, pair.outcomes[pair.treated] - models["control"].predict(treated)),
            "effect_control": (control, models["treated"].predict(control) - pair.outcomes[~pair.treated]),
        }
        parts: dict[str, Learner] = {}
        for name, (rows, effects) in imputed.items():
            learner = self.learner(classify=False)
            learner.fit(rows, np.asarray(effects), None, seed)
            parts[name] = learner
        return parts

    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        ours, theirs = parts["effect_treated"].predict(rows), parts["effect_control"].predict(rows)
        return np.asarray(share * theirs + (1 - share) * ours)
