"""Reward as a linear function of features, learnt by ridge regression: the part that linear policies share."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.errors import DataError
from storewise.explore.base import Context, Floats, Ints, Logged, Policy
from storewise.explore.feedback import FeedbackConfig, counted, evidence
from storewise.explore.memory import Memory


class LinearConfig(FeedbackConfig):
    """``regularization`` λ of the ridge; ``shared``: one coefficient vector for all arms (their features tell
    them apart) instead of one an arm; ``intercept``: a feature of ones is added; ``epsilon``: the share of
    uniform decisions."""

    regularization: float = Field(default=1.0, gt=0.0)
    shared: bool = False
    intercept: bool = True
    epsilon: float = Field(default=0.0, ge=0.0, le=1.0)


ConfigT = TypeVar("ConfigT", bound=LinearConfig)


class Linear(Policy[ConfigT]):
    """With A = λ I + Σ x xᵀ and b = Σ r x (by arm, or over all): θ = A⁻¹ b, and the score of x has variance
    xᵀ A⁻¹ x in units of the noise. What fades or leaves the window is A - λ I and b, never the prior."""

    contextual = True

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self._memory: Memory | None = None
        self._solved: dict[bytes, tuple[Floats, Floats]] = {}

    def transform(self, features: Floats) -> Floats:
        """(…, d) → (…, d'): what the regression reads of the features."""
        if not self.config.intercept:
            return features
        return np.concatenate([features, np.ones((*features.shape[:-1], 1))], axis=-1)

    def update(self, batch: Logged) -> None:
        arms, rewards, weights = evidence(batch, self.config)
        if not len(batch):
            return
        x = self.transform(batch.features[counted(batch, self.config)])
        memory = self._remember(x.shape[1])
        given = batch.weights[np.nonzero(counted(batch, self.config))[0]]
        owners, place = np.unique(np.zeros_like(arms) if self.config.shared else arms, return_inverse=True)
        values = np.zeros((len(owners), memory.width))
        for row in range(len(owners)):
            mine = place == row
            gram = (weights[mine, None] * x[mine]).T @ x[mine]
            values[row] = np.concatenate([gram.ravel(), (given * rewards)[mine] @ x[mine]])
        memory.add(owners, values, decisions=len(batch))
        self._solved.clear()

    def solved(self, arms: Ints, width: int) -> tuple[Floats, Floats]:
        """θ (m, d) and A⁻¹ (m, d, d) of some arms; with ``shared`` one row for all."""
        memory = self._remember(width)
        rows = np.zeros(1, np.int64) if self.config.shared else arms
        key = rows.tobytes()
        if key not in self._solved:
            if len(self._solved) > 64:
                self._solved.clear()
            known = memory.of(rows)
            gram = known[:, : width * width].reshape(-1, width, width)
            inverse = np.asarray(np.linalg.inv(gram + self.config.regularization * np.eye(width)), np.float64)
            self._solved[key] = (inverse @ known[:, width * width :, None])[:, :, 0], inverse
        return self._solved[key]

    def means_and_variances(self, arms: Ints, features: Floats) -> tuple[Floats, Floats]:
        """(…, m) each, for features (…, m, d)."""
        x = self.transform(features)
        theta, inverse = self.solved(arms, x.shape[-1])
        means = (x * theta).sum(axis=-1)
        if self.config.shared:
            variances = ((x @ inverse[0]) * x).sum(axis=-1)
        else:
            variances = np.einsum("...md,mde,...me->...m", x, inverse, x, optimize=True)
        return means, np.maximum(variances, 0.0)

    def scores(self, context: Context) -> Floats:
        return self.means_and_variances(context.arms, context.features)[0]

    def state(self) -> Arrays:
        if self._memory is None:
            return {"width": np.array([0])}
        return {"width": np.array([_side(self._memory.width)]), **self._memory.state()}

    def restore(self, state: Arrays) -> None:
        self._memory, width = None, int(state["width"][0])
        self._solved.clear()
        if width:
            self._remember(width).restore(state)

    def _remember(self, width: int) -> Memory:
        size = width * width + width
        if self._memory is None:
            self._memory = Memory(size, discount=self.config.discount, window=self.config.window)
        if self._memory.width != size:
            raise DataError(
                f"The features have {width} columns (with the intercept), the policy learnt from "
                f"{_side(self._memory.width)}.",
                next_step="Give the same features always, or start a fresh policy.",
            )
        return self._memory

    @property
    def updates(self) -> int:
        """How many batches have taught it."""
        return 0 if self._memory is None else self._memory.updates


def mixed_best(arms: Ints, index: Floats, epsilon: float, rng: np.random.Generator) -> Ints:
    """(n,) the arm with the largest index (n, m) each, ties at random; a share ``epsilon`` uniformly."""
    n, m = index.shape
    shortfall: Floats = index.max(axis=1, keepdims=True) - index
    best = np.argmax(np.where(shortfall > 0, 0.0, 1 + rng.random((n, m))), axis=1)
    if epsilon:
        uniform = np.less(rng.random(n), epsilon)
        best[uniform] = rng.integers(0, m, int(uniform.sum()))
    found: Ints = arms[best]
    return found


def _side(size: int) -> int:
    """The d of d² + d."""
    return int((np.sqrt(4 * size + 1) - 1) / 2)
