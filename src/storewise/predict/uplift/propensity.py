"""Who got which treatment: propensities estimated where a trial was not randomised evenly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.predict.base import Rows, Values
from storewise.predict.uplift.design import Design

LEAST = 0.01  # a smaller probability would give one person the weight of a hundred


def estimated(
    rows: Rows, arms: npt.NDArray[np.int64], n_arms: int, *, l2: float = 1.0, folds: int = 5
) -> Values:
    """(n, n_arms) the probability of each arm by multinomial logistic regression, each person's from a model that
    has not seen the person (``folds``), kept above 1 % and summing to 1.

    >>> rows = Rows.of(numbers=np.zeros((40, 1)), number_names=("x",))
    >>> estimated(rows, np.arange(40) % 2, 2).round(2)[0].tolist()
    [0.5, 0.5]
    """
    from sklearn.linear_model import LogisticRegression

    found = np.full((len(rows), n_arms), np.nan)
    fold = np.arange(len(rows)) // n_arms % folds
    for number in range(folds):
        held = fold == number
        design = Design()
        matrix = design.fit(rows.part(~held))
        if len(np.unique(arms[~held])) < n_arms:
            found[held] = np.bincount(arms, minlength=n_arms) / len(arms)
            continue
        model = LogisticRegression(C=1 / max(l2, 1e-9), max_iter=500).fit(matrix, arms[~held])
        found[held] = model.predict_proba(design.matrix(rows.part(held)))
    clipped = np.maximum(found, LEAST)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))
