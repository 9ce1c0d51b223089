"""Softmax regression, and the same with one hidden layer, by AdamW in plain numpy: no torch.

``logits = x·W + b`` or ``relu(x·W₁ + b₁)·W₂ + b₂``; loss: cross-entropy to targets that may be soft, with label
smoothing (Szegedy et al. 2016), dropout (Srivastava et al. 2014), decoupled weight decay (Loshchilov & Hutter
2019), and a learning rate that rises over the first tenth and falls along a cosine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import log_softmax

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.core.progress import Progress, Silent

Matrix = npt.NDArray[np.float32]
BETAS = (0.9, 0.99)
WARM_UP = 0.1


class SoftmaxConfig(Config):
    """``hidden``: units of the hidden layer, 0 for none."""

    hidden: int = Field(default=0, ge=0, le=8192)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    learning_rate: float = Field(default=3e-3, gt=0)
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=256, ge=1)


class Softmax(Component[SoftmaxConfig]):
    """``fit`` on rows and targets, ``log_probabilities`` of others.

    >>> x = np.float32([[3, 0], [4, 0], [0, 3], [0, 4]])
    >>> model = Softmax(SoftmaxConfig(epochs=100, learning_rate=0.05))
    >>> model.fit(x, np.array([0, 0, 1, 1]), 2, rng=np.random.default_rng(0))
    >>> model.log_probabilities(x).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """

    Config = SoftmaxConfig

    def __init__(self, config: SoftmaxConfig | None = None) -> None:
        super().__init__(config)
        self._weights: dict[str, Matrix] = {}

    def fit(
        self,
        x: Matrix,
        targets: npt.NDArray[np.int64],
        n_classes: int,
        *,
        rng: np.random.Generator,
        weight: npt.NDArray[np.float32] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """``x``: (n, d). ``targets``: (n,) classes. ``weight``: (n,) how much a row counts."""
        config = self.config
        self._weights = _start(x.shape[1], config.hidden, n_classes, rng)
        smooth = config.label_smoothing
        steps = config.epochs * -(-len(x) // config.batch_size)
        optimiser = _AdamW(self._weights, config, steps)
        for _ in (progress or Silent()).track(range(config.epochs), label="training a head"):
            order = rng.permutation(len(x))
            for start in range(0, len(x), config.batch_size):
                rows = order[start : start + config.batch_size]
                wanted = np.full((len(rows), n_classes), smooth / n_classes, np.float32)
                wanted[np.arange(len(rows)), targets[rows]] += 1 - smooth
                share = np.ones(len(rows), np.float32) if weight is None else weight[rows]
                optimiser.step(
                    gradients(
                        self._weights, x[rows], wanted, share / max(share.sum(), 1e-9), config.dropout, rng
                    )
                )

    def log_probabilities(self, x: Matrix) -> Matrix:
        """(n, n_classes) float32."""
        self.require(bool(self._weights))
        weights = self._weights
        inside = np.maximum(x @ weights["w1"] + weights["b1"], 0) if "w1" in weights else x
        return np.asarray(log_softmax(inside @ weights["w"] + weights["b"], axis=1), np.float32)

    def state(self) -> Arrays:
        self.require(bool(self._weights))
        return dict(self._weights)

    def restore(self, state: Arrays) -> None:
        self._weights = {name: np.asarray(array, np.float32) for name, array in state.items()}


def gradients(
    weights: dict[str, Matrix],
    x: Matrix,
    wanted: Matrix,
    share: Matrix,
    dropout: float,
    rng: np.random.Generator,
) -> dict[str, Matrix]:
    """Of ``-Σ share·wanted·log p`` by each weight; ``share``: (b,) summing to 1. Dropout only with a hidden layer."""
    keep = np.float32(1 - dropout)
    if "w1" not in weights:
        error = (np.exp(log_softmax(x @ weights["w"] + weights["b"], axis=1)) - wanted) * share[:, None]
        return {"w": x.T @ error, "b": error.sum(axis=0)}
    if dropout:
        x = x * (rng.random(x.shape, np.float32) < keep) / keep
    inside = np.maximum(x @ weights["w1"] + weights["b1"], 0)
    if dropout:
        inside = inside * (rng.random(inside.shape, np.float32) < keep) / keep
    error = (np.exp(log_softmax(inside @ weights["w"] + weights["b"], axis=1)) - wanted) * share[:, None]
    back = (error @ weights["w"].T) * (inside > 0) / keep
    return {"w": inside.T @ error, "b": error.sum(axis=0), "w1": x.T @ back, "b1": back.sum(axis=0)}


def _start(d: int, hidden: int, n_classes: int, rng: np.random.Generator) -> dict[str, Matrix]:
    if not hidden:
        return {"w": np.zeros((d, n_classes), np.float32), "b": np.zeros(n_classes, np.float32)}
    bound, bound1 = 1 / np.sqrt(hidden), 1 / np.sqrt(d)
    return {
        "w1": rng.uniform(-bound1, bound1, (d, hidden)).astype(np.float32),
        "b1": np.zeros(hidden, np.float32),
        "w": rng.uniform(-bound, bound, (hidden, n_classes)).astype(np.float32),
        "b": np.zeros(n_classes, np.float32),
    }


class _AdamW:
    """Changes the weights in place."""

    def __init__(self, weights: dict[str, Matrix], config: SoftmaxConfig, steps: int) -> None:
        self._weights, self._config, self._steps = weights, config, steps
        self._first = {name: np.zeros_like(array) for name, array in weights.items()}
        self._second = {name: np.zeros_like(array) for name, array in weights.items()}
        self._at = 0

    def step(self, found: dict[str, Matrix]) -> None:
        self._at += 1
        rate = self._config.learning_rate * schedule(self._at / self._steps)
        fix = [1 - beta**self._at for beta in BETAS]
        for name, gradient in found.items():
            first, second, weight = self._first[name], self._second[name], self._weights[name]
            first += (1 - BETAS[0]) * (gradient - first)
            second += (1 - BETAS[1]) * (gradient * gradient - second)
            if weight.ndim == 2:
                weight *= np.float32(1 - rate * self._config.weight_decay)
            weight -= (
                np.float32(rate / fix[0]) * first / (np.sqrt(second / np.float32(fix[1])) + np.float32(1e-8))
            )


def schedule(share: float) -> float:
    """The learning rate's factor after a share of all steps.

    >>> [round(schedule(s), 2) for s in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if share < WARM_UP:
        return share / WARM_UP
    return float(0.5 + 0.5 * np.cos(np.pi * (share - WARM_UP) / (1 - WARM_UP)))
