"""The rule that uplift is measured against: message those who are most likely to buy, because of it or not."""

from __future__ import annotations

import numpy as np

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.base import Pair, UpliftModel
from storewise.predict.uplift.learners import Learner

LEAST = 1e-6  # of the scale: the order stays that of the response where the treatment does harm on average


class Response(UpliftModel):
    """effect(x) = s · E[y | x, treated] with s = 1 − ȳ_control / ȳ_treated: everybody's effect is the same part of
    the outcome, and the effects average to the measured one."""

    def _fit(self, pair: Pair, seed: int) -> dict[str, Learner]:
        rows, side = pair.rows.part(pair.treated), pair.treated
        ours, theirs = float(pair.outcomes[side].mean()), float(pair.outcomes[~side].mean())
        scale = max(1 - theirs / ours, LEAST) if ours > 0 else LEAST
        response, constant = self.learner(classify=pair.binary), self.learner(classify=False)
        response.fit(rows, pair.outcomes[side], None, seed)
        constant.fit(rows, np.full(len(rows), scale), None, seed)
        return {"response": response, "scale": constant}

    def _effect(self, parts: dict[str, Learner], rows: Rows, share: float) -> Values:
        return parts["scale"].predict(rows) * parts["response"].predict(rows)
