"""The blend of two models that were tried anyway: its validation scores follow from theirs, and cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit

from storewise.core.config import Config
from storewise.predict.base import Values
from storewise.predict.calibration import platt

BLEND, LOGISTIC, TREES = "predict.blend.v1", "predict.logistic.v1", "predict.lightgbm.v1"
WEIGHTS = (0.25, 0.5, 0.75)
EDGE = 1e-9


def pooled(logistic: Values, trees: Values, labels: Values) -> tuple[float, Values]:
    """The weight of the trees, of ``WEIGHTS``, and the scores (n,) whose pool of log odds has the least log loss.

    >>> weight, scores = pooled(np.array([0.2, 0.8]), np.array([0.4, 0.6]), np.array([0.0, 1.0]))
    >>> scores.round(2).tolist() == scores.round(2).clip(0.2, 0.8).tolist()
    True
    """
    sides = [logit(np.clip(side, EDGE, 1.0 - EDGE)) for side in (logistic, trees)]
    made = {w: np.asarray(expit((1.0 - w) * sides[0] + w * sides[1]), np.float64) for w in WEIGHTS}
    best = min(made, key=lambda w: _loss(made[w], labels))
    return best, made[best]


def blend_config(logistic: Config, trees: Config, weight: float) -> dict[str, Any]:
    """Of the blend that trains both again as they were validated."""
    return {"logistic": logistic.model_dump(), "trees": trees.model_dump(), "weight": weight}


def _loss(scores: Values, labels: Values) -> float:
    p = platt(scores, labels)(scores)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))
