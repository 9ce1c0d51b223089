"""``predict.logistic.v1``: logistic regression with L2, on standardised numbers, bins, categories and hashed crosses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Trial, Values
from storewise.predict.models.design import Design
from storewise.predict.models.labels import require_event

Floats = npt.NDArray[np.float64]


class LogisticConfig(Config):
    """``regularization``: L2 on the weights, in rows (the sum of losses plus half of it times their squares);
    ``bins``: of each number beside its own slope, 0 for none; ``crossed``: categories whose pairs are crossed;
    ``hash_bits``: crosses share 2 to this many weights."""

    regularization: float = Field(default=10.0, gt=0)
    bins: int = Field(default=8, ge=0, le=64)
    crossed: int = Field(default=4, ge=0, le=10)
    hash_bits: int = Field(default=16, ge=1, le=22)
    iterations: int = Field(default=200, ge=1)


class Logistic(Predictor[LogisticConfig]):
    """Minimises ``sum ln(1 + e^-±z) + λ/2 |w|²`` by L-BFGS (Liu and Nocedal, 1989); the intercept is free.

    The problem is convex and nothing is drawn by chance. Contributions are exact: weight times deviation from the
    training rows' mean, a cross's share half to each of its two features.

    >>> rows = Rows.of(numbers=np.linspace(-1, 1, 40)[:, None], number_names=("price",))
    >>> model = Logistic(LogisticConfig(bins=0, regularization=1.0))
    >>> model.train(Labelled(rows, (rows.numbers[:, 0] > 0.1).astype(float)), rng=np.random.default_rng(0))
    >>> bool(model.scores(rows)[-1] > 0.8)
    True
    """

    Config = LogisticConfig
    complexity = 10
    stops_early = False

    def __init__(self, config: LogisticConfig | None = None) -> None:
        super().__init__(config)
        self._design: Design | None = None
        self._weights: Floats = np.zeros(0)
        self._means: Floats = np.zeros(0)  # of the design's columns over training rows
        self._intercept = 0.0

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            "regularization": trial.suggest_float("regularization", 0.3, 300.0, log=True),
            "bins": trial.suggest_categorical("bins", [0, 8, 16]),
            "crossed": trial.suggest_categorical("crossed", [0, 4, 6]),
        }

    @classmethod
    def starts(cls) -> tuple[dict[str, Any], ...]:
        """Plain logistic regression, and one that trusts categories of few rows more."""
        return (
            {"regularization": 1.0, "bins": 0, "crossed": 0},
            {"regularization": 1.0, "bins": 8, "crossed": 4},
        )

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        require_event(data)
        wanted = self.config
        design = Design.learn(data, bins=wanted.bins, crossed=wanted.crossed, hash_bits=wanted.hash_bits)
        x = design(data.rows)
        self._means = np.asarray(x.mean(axis=0)).ravel()
        rate = data.labels.mean()
        start = np.append(np.zeros(x.shape[1]), np.log(rate / (1 - rate)))
        found = minimize(
            _loss, start, args=(x, x.T.tocsr(), data.labels, wanted.regularization), jac=True,
            method="L-BFGS-B", options={"maxiter": wanted.iterations, "maxcor": 10, "ftol": 1e-9},
        )  # fmt: skip
        self._design, self._weights, self._intercept = design, found.x[:-1], float(found.x[-1])

    def settled(self) -> LogisticConfig:
        return self.config

    def scores(self, rows: Rows) -> Values:
        self.require(self._design is not None)
        assert self._design is not None
        found: Values = expit(self._design(rows) @ self._weights + self._intercept)
        return found

    def contributions(self, rows: Rows) -> Contributions:
        self.require(self._design is not None)
        design = self._design
        assert design is not None
        feature_of, f = design.feature_of, len(design.names)
        own = feature_of >= 0
        belongs = sparse.csr_matrix(
            (self._weights[own], (np.flatnonzero(own), feature_of[own])), shape=(len(feature_of), f)
        )
        values = np.asarray((design(rows) @ belongs).todense())
        values -= np.bincount(feature_of[own], self._weights[own] * self._means[own], minlength=f)
        base = self._intercept + float(self._weights @ self._means)
        if len(design.pairs):
            self._add_crosses(rows, values)
        return Contributions(design.names, values, base)

    def _add_crosses(self, rows: Rows, values: Floats) -> None:
        """Half of each cross to each of its parts."""
        design = self._design
        assert design is not None
        hashed = np.flatnonzero(design.feature_of == -1)
        mean = float(self._weights[hashed] @ self._means[hashed])
        weights, p = self._weights[hashed], len(design.means)
        for place, (left, right) in enumerate(design.pairs):
            moved = weights[design.crosses(rows, place)] - mean / len(design.pairs)
            values[:, p + left] += moved / 2
            values[:, p + right] += moved / 2

    def state(self) -> Arrays:
        self.require(self._design is not None)
        assert self._design is not None
        return {
            **self._design.state(), "weights": self._weights, "column_means": self._means,
            "intercept": np.array(self._intercept),
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        self._design = Design.restore(state)
        self._weights, self._means = state["weights"], state["column_means"]
        self._intercept = float(state["intercept"])


def _loss(
    weights: Floats, x: sparse.csr_matrix, x_t: sparse.csr_matrix, labels: Floats, regularization: float
) -> tuple[float, Floats]:
    """The mean loss and its gradient."""
    w, n = weights[:-1], len(labels)
    z = x @ w + weights[-1]
    gaps = (expit(z) - labels) / n
    loss = float(np.mean(np.logaddexp(0.0, z) - labels * z)) + 0.5 * regularization * float(w @ w) / n
    return loss, np.append(x_t @ gaps + regularization * w / n, gaps.sum())
