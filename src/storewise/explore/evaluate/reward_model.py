"""What reward an action brings in a context, fitted on the other part of the log (cross-fitting)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.special import expit

from storewise.core.errors import ConfigError
from storewise.explore.evaluate.log import BanditLog, Floats, Target

Kind = Literal["means", "ridge", "logistic"]
CHUNK_CELLS = 4_000_000


def cross_fit(
    log: BanditLog,
    target: Target,
    *,
    kind: Kind = "means",
    folds: int = 3,
    strength: float = 1.0,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """``fitted`` (n,), q of what was logged, and ``direct`` (n,), Σ_a π(a|x) q(x, a); neither has seen its own row.

    - ``means``: the mean reward of (action, place), shrunk towards that of the place with ``strength`` · 10
      pseudo-decisions.
    - ``ridge``: for each action a linear regression on the context, shrunk towards ``means``.
    - ``logistic``: log odds additive in action, place and context (rewards 0 and 1).

    Raises:
        ConfigError: for fewer than two folds.

    >>> log = BanditLog.of([0, 1] * 50, [0, 1] * 50, [0.5] * 100)
    >>> target = Target.by_place(np.array([[0.0, 1.0]]), log)
    >>> fitted, direct = cross_fit(log, target, rng=np.random.default_rng(0))
    >>> bool(0.8 < direct.mean() < 1.0), fitted.shape
    (True, (100,))
    """
    if folds < 2:
        raise ConfigError(f"{folds} folds.", next_step="Cross-fitting needs at least 2.")
    n = len(log)
    fold = rng.permutation(n) % min(folds, max(n, 2))
    fitted, direct = np.zeros(n), np.zeros(n)
    for part in range(int(fold.max()) + 1):
        inside = fold == part
        if inside.all():
            inside = np.ones(n, bool)  # a single row: nothing to learn from but itself
            train = log
        else:
            train = log.part(~inside)
        model = _FITS[kind](train, strength)
        rows = np.flatnonzero(inside)
        for start in range(0, len(rows), step := max(1, CHUNK_CELLS // log.n_actions)):
            some = rows[start : start + step]
            q = model(log.part(some))
            fitted[some] = q[np.arange(len(some)), log.actions[some]]
            direct[some] = (target.table[target.rows[some]] * q).sum(axis=1)
    return fitted, direct


class _Means:
    def __init__(self, log: BanditLog, strength: float) -> None:
        shape = log.n_places, log.n_actions
        counts, sums = np.zeros(shape), np.zeros(shape)
        np.add.at(counts, (log.places, log.actions), 1.0)
        np.add.at(sums, (log.places, log.actions), log.rewards)
        overall = log.rewards.mean()
        by_place = (sums.sum(axis=1) + 10 * overall) / (counts.sum(axis=1) + 10)
        pseudo = 10 * strength
        self._table = (sums + pseudo * by_place[:, None]) / (counts + pseudo)

    def __call__(self, log: BanditLog) -> Floats:
        found: Floats = self._table[np.minimum(log.places, len(self._table) - 1)]
        return found


class _Ridge:
    def __init__(self, log: BanditLog, strength: float) -> None:
        self._means = _Means(log, strength)
        self._centre = log.contexts.mean(axis=0)
        base = self._means(log)[np.arange(len(log)), log.actions]
        x = np.concatenate([np.ones((len(log), 1)), log.contexts - self._centre], axis=1)
        self._theta = np.zeros((log.n_actions, x.shape[1]))
        for action in range(log.n_actions):
            rows = log.actions == action
            gram = x[rows].T @ x[rows] + strength * np.eye(x.shape[1])
            self._theta[action] = np.linalg.solve(gram, x[rows].T @ (log.rewards - base)[rows])

    def __call__(self, log: BanditLog) -> Floats:
        x = np.concatenate([np.ones((len(log), 1)), log.contexts - self._centre], axis=1)
        return self._means(log) + x @ self._theta.T


class _Logistic:
    def __init__(self, log: BanditLog, strength: float) -> None:
        from sklearn.linear_model import LogisticRegression

        self._actions, self._places = log.n_actions, log.n_places
        self._scale = np.maximum(log.contexts.std(axis=0), 1e-9)
        self._constant = float(log.rewards.mean())
        self._model = None
        if 0 < log.rewards.sum() < len(log):
            self._model = LogisticRegression(C=1 / strength, max_iter=300)
            self._model.fit(self._design(log), log.rewards)

    def _design(self, log: BanditLog) -> object:
        from scipy import sparse

        n = len(log)
        ones, rows = np.ones(n), np.arange(n)
        actions = sparse.csr_matrix((ones, (rows, log.actions)), shape=(n, self._actions))
        places = np.minimum(log.places, self._places - 1)
        place = sparse.csr_matrix((ones, (rows, places)), shape=(n, self._places))
        return sparse.hstack([actions, place, sparse.csr_matrix(log.contexts / self._scale)]).tocsr()

    def __call__(self, log: BanditLog) -> Floats:
        if self._model is None:
            return np.full((len(log), self._actions), self._constant)
        weights, constant = self._model.coef_[0], float(self._model.intercept_[0])
        by_action, rest = weights[: self._actions], weights[self._actions :]
        places = rest[: self._places][np.minimum(log.places, self._places - 1)]
        shared = constant + places + (log.contexts / self._scale) @ rest[self._places :]
        found: Floats = expit(shared[:, None] + by_action)
        return found


_FITS: dict[Kind, Callable[[BanditLog, float], Callable[[BanditLog], Floats]]] = {
    "means": _Means,
    "ridge": _Ridge,
    "logistic": _Logistic,
}
