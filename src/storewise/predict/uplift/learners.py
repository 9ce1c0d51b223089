"""The learners under an uplift model: a penalised linear model or gradient-boosted trees, weighted.

Uplift needs what a predictor of events does not have: weights, and means of imputed effects that may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.predict.base import Rows, Values
from storewise.predict.uplift.design import Design, tree_matrix

Base = Literal["linear", "trees"]


@dataclass(frozen=True)
class Settings:
    base: Base
    l2: float
    rounds: int
    learning_rate: float
    leaves: int
    least_in_leaf: int


class Learner(Protocol):
    """Predicts a probability or a mean from rows."""

    def fit(self, rows: Rows, labels: Values, weights: Values | None, seed: int) -> None: ...

    def predict(self, rows: Rows) -> Values:
        """(n,)"""
        ...

    def state(self) -> Arrays: ...

    def restore(self, state: Arrays) -> None: ...


class Linear:
    """Logistic or ridge regression on standardised numbers and one-hot categories; the intercept is free."""

    def __init__(self, settings: Settings, *, classify: bool) -> None:
        self._l2, self._classify = settings.l2, classify
        self._design = Design()
        self._coefficients: Values = np.empty(0)
        self._intercept = 0.0

    def fit(self, rows: Rows, labels: Values, weights: Values | None, seed: int) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge

        x = self._design.fit(rows)
        if np.ptp(labels) == 0:  # nothing to tell apart: a constant
            held = float(np.clip(labels[0], 1e-6, 1 - 1e-6)) if self._classify else float(labels[0])
            self._coefficients = np.zeros(x.shape[1])
            self._intercept = float(np.log(held / (1 - held))) if self._classify else held
        elif self._classify:
            model = LogisticRegression(C=1 / max(self._l2, 1e-9), max_iter=500)
            model.fit(x, labels, sample_weight=weights)
            self._coefficients, self._intercept = model.coef_[0], float(model.intercept_[0])
        else:
            ridge = Ridge(alpha=self._l2).fit(x, labels, sample_weight=weights)
            self._coefficients, self._intercept = ridge.coef_, float(ridge.intercept_)

    def predict(self, rows: Rows) -> Values:
        scores = self._design.matrix(rows) @ self._coefficients + self._intercept
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -500, 500))) if self._classify else scores)

    def state(self) -> Arrays:
        return {
            "coefficients": self._coefficients,
            "intercept": np.array([self._intercept]),
            "classify": np.array([self._classify]),
            **self._design.state(),
        }

    def restore(self, state: Arrays) -> None:
        self._coefficients, self._intercept = state["coefficients"], float(state["intercept"][0])
        self._classify = bool(state["classify"][0])
        self._design.restore(state)


class Trees:
    """LightGBM; few leaves with many people each, because an effect is a small difference of large numbers."""

    def __init__(self, settings: Settings, *, classify: bool) -> None:
        self._settings, self._classify = settings, classify
        self._booster: Any = None

    def fit(self, rows: Rows, labels: Values, weights: Values | None, seed: int) -> None:
        import lightgbm

        settings = self._settings
        data = lightgbm.Dataset(
            tree_matrix(rows), labels, weight=weights, free_raw_data=True, params={"verbose": -1}
        )
        parameters = {
            "objective": "binary" if self._classify else "regression",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.least_in_leaf,
            "lambda_l2": settings.l2,
            "seed": seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        self._booster = lightgbm.train(parameters, data, settings.rounds)

    def predict(self, rows: Rows) -> Values:
        return np.asarray(self._booster.predict(tree_matrix(rows), num_threads=1), np.float64)

    def state(self) -> Arrays:
        text = self._booster.model_to_string().encode()
        return {"model": np.frombuffer(text, np.uint8), "classify": np.array([self._classify])}

    def restore(self, state: Arrays) -> None:
        import lightgbm

        self._classify = bool(state["classify"][0])
        self._booster = lightgbm.Booster(model_str=np.asarray(state["model"]).tobytes().decode())


def make(settings: Settings, *, classify: bool) -> Learner:
    """An untrained learner of the kind that the settings name."""
    return (
        Linear(settings, classify=classify)
        if settings.base == "linear"
        else Trees(settings, classify=classify)
    )


def restored(settings: Settings, state: dict[str, npt.NDArray[Any]]) -> Learner:
    """A learner with the arrays that it gave."""
    found = make(settings, classify=bool(state["classify"][0]))
    found.restore(state)
    return found
