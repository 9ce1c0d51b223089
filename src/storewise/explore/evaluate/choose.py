"""Which reward model predicts this log best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storewise.core.rng import spawn
from storewise.explore.evaluate.log import BanditLog, Target
from storewise.explore.evaluate.reward_model import Kind, cross_fit

STRENGTHS = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class ModelChoice:
    """``errors``: cross-fitted mean squared error by (kind, strength); the chosen pair has the smallest."""

    kind: Kind
    strength: float
    errors: dict[tuple[Kind, float], float]

    @property
    def reason(self) -> str:
        """In words, the best strength of each kind."""
        best: dict[str, float] = {}
        for (kind, _), error in self.errors.items():
            best[kind] = min(error, best.get(kind, np.inf))
        listed = ", ".join(f"{kind} {error:.6f}" for kind, error in best.items())
        return (
            f"Reward model: {self.kind}, strength {self.strength:g} (cross-fitted squared error: {listed})."
        )


def choose_model(log: BanditLog, target: Target, *, seed: int) -> ModelChoice:
    """The kind and strength with the smallest cross-fitted squared error; the value of the target policy plays no
    part. Without contexts there is no ridge; logistic needs rewards of 0 and 1.

    >>> log = BanditLog.of([0, 1] * 50, [0, 1] * 50, [0.5] * 100)
    >>> sorted({kind for kind, _ in choose_model(log, Target.by_place(np.full((1, 2), 0.5), log), seed=0).errors})
    ['logistic', 'means']
    """
    kinds: list[Kind] = ["means"]
    if log.contexts.shape[1]:
        kinds.append("ridge")
    if np.isin(log.rewards, (0.0, 1.0)).all():
        kinds.append("logistic")
    errors: dict[tuple[Kind, float], float] = {}
    for kind in kinds:
        for strength in STRENGTHS:
            rng = spawn(seed, "choice of the reward model")  # the same folds for all
            fitted, _ = cross_fit(log, target, kind=kind, strength=strength, rng=rng)
            errors[kind, strength] = float(((log.rewards - fitted) ** 2).mean())
    kind, strength = min(errors, key=lambda pair: errors[pair])
    return ModelChoice(kind, strength, errors)
