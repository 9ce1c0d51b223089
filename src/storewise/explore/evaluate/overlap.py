"""Can this log say anything of that policy? Effective size, weights, and actions that were never tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storewise.explore.evaluate.log import BanditLog, Target

THIN = 100.0  # effective decisions below which no interval deserves trust


@dataclass(frozen=True)
class Overlap:
    """``effective``: Kish's sample size; ``share``: of n; ``largest``: weight seen; ``mean`` of the weights, 1 in
    expectation, and its distance from 1 in standard errors ``z``; ``unsupported``: the target's probability of
    actions that the log never shows at that place; ``warnings`` in words."""

    n: int
    effective: float
    share: float
    largest: float
    mean: float
    z: float
    unsupported: float
    warnings: tuple[str, ...]


def overlap(log: BanditLog, target: Target) -> Overlap:
    """Diagnostics of positivity.

    >>> from storewise.explore.evaluate.log import BanditLog
    >>> log = BanditLog.of([0, 0, 1], [0, 1, 0], [0.5, 0.5, 0.5], n_actions=3)
    >>> found = overlap(log, Target.by_place(np.array([[0.2, 0.2, 0.6]]), log))
    >>> found.unsupported, found.warnings[0][:61]
    (0.6, 'The policy shows actions that the log never shows with probab')
    """
    w = target.weights(log)
    n, squares = len(log), float((w**2).sum())
    effective = float(w.sum()) ** 2 / squares if squares else 0.0
    error = float(w.std(ddof=1)) / np.sqrt(n) if n > 1 else float("nan")
    z = (float(w.mean()) - 1) / error if error > 0 else 0.0
    unsupported = _unsupported(log, target)
    warnings = []
    if unsupported > 1e-3:
        warnings.append(
            f"The policy shows actions that the log never shows with probability {unsupported:.3f}: what they "
            "bring is unknown, and IPS counts it as 0."
        )
    if abs(z) > 4:
        warnings.append(
            f"The weights average {w.mean():.3f}, {abs(z):.1f} standard errors from 1: the logged propensities, "
            "or the policy's probabilities, are not what really happened."
        )
    if effective < THIN:
        warnings.append(
            f"The log is worth {effective:.0f} decisions of this policy; below {THIN:.0f} no interval deserves "
            "trust."
        )
    return Overlap(
        n, effective, effective / n, float(w.max()), float(w.mean()), float(z), unsupported, tuple(warnings)
    )


def _unsupported(log: BanditLog, target: Target) -> float:
    places = log.n_places
    seen = np.zeros((places, log.n_actions), bool)
    seen[log.places, log.actions] = True
    # The mass on unseen actions by (row of the table, place), each pair once.
    pairs, counts = np.unique(np.stack([target.rows, log.places]), axis=1, return_counts=True)
    missing = (target.table[pairs[0]] * ~seen[pairs[1]]).sum(axis=1)
    return float(missing @ counts / len(log))
