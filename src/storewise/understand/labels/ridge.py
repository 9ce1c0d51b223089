"""Least-squares classification that needs no validation set: its penalty comes from leave-one-out errors.

``B = argmin ‖Y − 1·b − X·B‖² + λ‖B‖²`` on one-hot Y. With X centred = U·S·Vᵀ the fit is ``Ŷ = Ȳ + H·(Y − Ȳ)``,
``H = U·diag(s²/(s²+λ))·Uᵀ``, and what the model would say of row i without it is ``yᵢ − (yᵢ − ŷᵢ)/(1 − hᵢᵢ − 1/n)``
(Allen 1974, PRESS): exact for every λ from one decomposition. λ and the temperature that turns scores into
probabilities are those with the least leave-one-out log loss. For few labels, where each is too dear to hold out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import log_softmax

from storewise.core.component import Arrays, Component
from storewise.core.config import Config

Matrix = npt.NDArray[np.float32]
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.02, 1.0, 14))


class RidgeConfig(Config):
    """``penalties``: the λ that are tried, as multiples of the mean squared length of a row."""

    penalties: tuple[float, ...] = Field(
        default=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0), min_length=1
    )


class Ridge(Component[RidgeConfig]):
    """``fit`` on rows and classes, ``log_probabilities`` of others.

    >>> x = np.float32([[3, 0], [4, 0], [0, 3], [0, 4]])
    >>> model = Ridge()
    >>> model.fit(x, np.array([0, 0, 1, 1]), 2)
    >>> model.log_probabilities(x).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """

    Config = RidgeConfig

    def __init__(self, config: RidgeConfig | None = None) -> None:
        super().__init__(config)
        self._weights: Matrix | None = None
        self._mean = self._bias = np.zeros(0, np.float32)
        self._temperature = 1.0
        self.without: npt.NDArray[np.float64] = np.zeros((0, 0))
        """(n, n_classes) leave-one-out scores of the rows of the last fit."""

    def fit(
        self,
        x: Matrix,
        targets: npt.NDArray[np.int64],
        n_classes: int,
        *,
        rng: np.random.Generator | None = None,
        weight: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """``x``: (n, d). ``targets``: (n,) classes. ``weight``: (n,) how much a row counts (in the fit; λ then
        comes from rows of full weight alone)."""
        share = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)
        root = np.sqrt(share)[:, None]
        one_hot = np.eye(n_classes)[targets]
        mean, prior = np.average(x, axis=0, weights=share), np.average(one_hot, axis=0, weights=share)
        centred, wanted = root * (x - mean), root * (one_hot - prior)
        left, values, right = _decompose(centred)
        seen = left.T @ wanted
        scale = max(float((centred**2).sum() / len(x)), 1e-12)
        best = np.inf
        self.without = one_hot
        trusted = share >= share.max()
        for penalty in self.config.penalties:
            shrink = values**2 / (values**2 + penalty * scale)
            leverage = np.minimum((left**2) @ shrink + share / share.sum(), 0.999)
            without = one_hot - (wanted - left @ (shrink[:, None] * seen)) / (1 - leverage)[:, None] / root
            loss, temperature = calibrate(without[trusted], targets[trusted])
            if loss < best:
                best, self._temperature, self.without = loss, temperature, without
                weights = right @ ((values / (values**2 + penalty * scale))[:, None] * seen)
        self._weights = weights.astype(np.float32)
        self._mean, self._bias = mean.astype(np.float32), prior.astype(np.float32)

    def leave_one_out(self, x: Matrix, targets: npt.NDArray[np.int64], n_classes: int) -> float:
        """Accuracy on each row of a model that saw all others."""
        self.fit(x, targets, n_classes)
        return float((self.without.argmax(axis=1) == targets).mean())

    def scores(self, x: Matrix) -> Matrix:
        """(n, n_classes): near 1 for the class of a row, near 0 for the others."""
        self.require(self._weights is not None)
        assert self._weights is not None
        return np.asarray((x - self._mean) @ self._weights + self._bias, np.float32)

    def log_probabilities(self, x: Matrix) -> Matrix:
        """(n, n_classes) float32."""
        return np.asarray(log_softmax(self.scores(x) / self._temperature, axis=1), np.float32)

    def state(self) -> Arrays:
        self.require(self._weights is not None)
        assert self._weights is not None
        return {"weights": self._weights, "mean": self._mean, "bias": self._bias,
                "temperature": np.array([self._temperature])}  # fmt: skip

    def restore(self, state: Arrays) -> None:
        self._weights, self._mean, self._bias = (np.asarray(state[n]) for n in ("weights", "mean", "bias"))
        self._temperature = float(state["temperature"][0])


def calibrate(
    scores: npt.NDArray[np.floating],
    targets: npt.NDArray[np.int64],
    temperatures: Sequence[float] = TEMPERATURES,
) -> tuple[float, float]:
    """The least mean log loss of ``softmax(scores / T)`` and its T (Guo et al. 2017, arXiv:1706.04599)."""
    rows = np.arange(len(targets))
    losses = [-float(log_softmax(scores / t, axis=1)[rows, targets].mean()) for t in temperatures]
    best = int(np.argmin(losses))
    return losses[best], temperatures[best]


def _decompose(
    x: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """U, s, V of x by the smaller of its two Gram matrices."""
    n, d = x.shape
    if n <= d:
        squared, left = np.linalg.eigh(x @ x.T)
        kept = squared > max(squared[-1], 0) * 1e-10 + 1e-300
        values = np.sqrt(squared[kept])
        return left[:, kept], values, x.T @ left[:, kept] / values
    squared, right = np.linalg.eigh(x.T @ x)
    kept = squared > max(squared[-1], 0) * 1e-10 + 1e-300
    values = np.sqrt(squared[kept])
    return x @ right[:, kept] / values, values, right[:, kept]
