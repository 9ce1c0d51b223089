"""Which product to label next: the one that teaches most, and not the same lesson twice.

``badge`` (Ash et al. 2020, arXiv:1906.03671) draws a batch by k-means++ over the gradients that a label would cause at
the last layer, ``g(x) = (p(x) − e_ŷ) ⊗ x``: long where the model is unsure, apart where products differ. The outer
product is never built, since ``⟨g(x), g(z)⟩ = ⟨p(x)−e, p(z)−e⟩ · ⟨x, z⟩``. ``margin`` takes the least
difference of the two likeliest classes. ``random`` is what they have to beat. Without a single label,
:func:`typical` picks the most typical product of each cluster (Hacohen et al. 2022, arXiv:2202.02794).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.core.errors import UnknownName
from storewise.understand.labels import heads
from storewise.understand.labels.heads import Classes, Matrix

Pick = Callable[[Matrix, Matrix, int, np.random.Generator], Classes]
"""(rows of the pool (n, d), their log-probabilities (n, k), how many, rng) → places in the pool."""
CANDIDATES = 10  # a diverse batch is drawn among so many times its size, the least sure ones


def random(x: Matrix, told: Matrix, n: int, rng: np.random.Generator) -> Classes:
    """Any."""
    return rng.choice(len(x), n, replace=False)


def margins(told: Matrix) -> npt.NDArray[np.float64]:
    """(n,) probability of the likeliest class less that of the second.

    >>> margins(np.log([[0.5, 0.3, 0.2]])).round(2).tolist()
    [0.2]
    """
    top = np.exp(np.partition(told, -2, axis=1)[:, -2:])
    return np.asarray(top[:, 1] - top[:, 0], np.float64)


def margin(x: Matrix, told: Matrix, n: int, rng: np.random.Generator) -> Classes:
    """The least sure ones."""
    return np.argsort(margins(told), kind="stable")[:n]


def badge(x: Matrix, told: Matrix, n: int, rng: np.random.Generator) -> Classes:
    """k-means++ over gradient embeddings; the first is the longest, the next far from those drawn."""
    error = np.exp(told)
    error[np.arange(len(error)), told.argmax(axis=1)] -= 1
    squared = (error**2).sum(axis=1) * (x**2).sum(axis=1)
    picked = [int(squared.argmax())]
    distance = np.full(len(x), np.inf)
    while len(picked) < n:
        last = picked[-1]
        product = (error @ error[last]) * (x @ x[last])
        distance = np.minimum(distance, np.maximum(squared + squared[last] - 2 * product, 0))
        distance[picked] = 0
        total = distance.sum()
        if total <= 1e-12:  # the rest are copies
            left = np.setdiff1d(np.arange(len(x)), picked)
            picked += left[: n - len(picked)].tolist()
            break
        picked.append(int(rng.choice(len(x), p=distance / total)))
    return np.array(picked, np.int64)


def diverse_margin(x: Matrix, told: Matrix, n: int, rng: np.random.Generator) -> Classes:
    """Farthest-first traversal (k-centre, Sener & Savarese 2018) among the least sure ones."""
    pool = np.argsort(margins(told), kind="stable")[: CANDIDATES * n]
    rows = x[pool]
    picked = [0]
    distance = np.full(len(pool), np.inf)
    for _ in range(n - 1):
        distance = np.minimum(distance, ((rows - rows[picked[-1]]) ** 2).sum(axis=1))
        distance[picked] = -1
        picked.append(int(distance.argmax()))
    return pool[picked]


STRATEGIES: Mapping[str, Pick] = {
    "badge": badge, "diverse_margin": diverse_margin, "margin": margin, "random": random,
}  # fmt: skip


def typical(
    x: Matrix, n: int, *, rng: np.random.Generator, neighbours: int = 20, rounds: int = 10
) -> Classes:
    """n rows to label first, when nothing is known: of each k-means cluster the row nearest to its neighbours."""
    from sklearn.cluster import MiniBatchKMeans

    seed = int(rng.integers(2**31))
    found = MiniBatchKMeans(n, n_init=1, max_iter=rounds, batch_size=2048, random_state=seed).fit_predict(x)
    picked = []
    for cluster in np.unique(found):
        members = np.flatnonzero(found == cluster)
        rows = x[members]
        if len(members) > 1:
            length = (rows**2).sum(axis=1)
            apart = np.maximum(length[:, None] + length - 2 * rows @ rows.T, 0)
            k = min(neighbours, len(members) - 1)
            picked.append(int(members[np.sort(apart, axis=1)[:, 1 : k + 1].mean(axis=1).argmin()]))
        else:
            picked.append(int(members[0]))
    left = np.setdiff1d(np.arange(len(x)), picked)
    return np.array(picked + rng.permutation(left)[: n - len(picked)].tolist(), np.int64)


@dataclass(frozen=True)
class Curve:
    """Accuracy on rows that are never labelled, after so many labels."""

    labels: Classes
    accuracy: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    """(m,) what the last model got right."""

    def labels_for(self, accuracy: float) -> float:
        """Labels at which the curve first reaches ``accuracy``, straight between its points; inf where never.

        >>> Curve(np.array([10, 20]), np.array([0.4, 0.6]), np.array([True])).labels_for(0.5)
        15.0
        """
        reached = np.flatnonzero(self.accuracy >= accuracy)
        if not len(reached):
            return float("inf")
        at = int(reached[0])
        if at == 0:
            return float(self.labels[0])
        low, high = self.accuracy[at - 1 : at + 1]
        share = (accuracy - low) / (high - low)
        return float(self.labels[at - 1] + share * (self.labels[at] - self.labels[at - 1]))


def run(
    x: Matrix,
    y: Classes,
    n_classes: int,
    start: Classes,
    pool: Classes,
    asked: Classes,
    *,
    strategy: str,
    batch: int,
    rounds: int,
    rng: np.random.Generator,
    head: str = "ridge",
) -> Curve:
    """Label ``batch`` rows of ``pool`` a round, beginning with ``start``; all are row numbers of ``x`` (n, d).

    ``y`` (n,) plays the person who labels: a class is looked at only after its row was picked, or to measure
    on ``asked``.

    Raises:
        UnknownName: for a strategy that does not exist.
    """
    if strategy not in STRATEGIES:
        raise UnknownName(f"There is no strategy {strategy!r}.", next_step=f"Known: {', '.join(STRATEGIES)}.")
    known, left = np.asarray(start), np.setdiff1d(pool, start)
    sizes, accuracies = [], []
    for number in range(rounds + 1):
        model = heads.fit(head, x[known], y[known], n_classes, seed=0)
        right = model.log_probabilities(x[asked]).argmax(axis=1) == y[asked]
        sizes.append(len(known))
        accuracies.append(float(right.mean()))
        if number == rounds or len(left) < batch:
            break
        told = model.log_probabilities(x[left])
        picked = STRATEGIES[strategy](x[left], told, batch, rng)
        known, left = np.concatenate([known, left[picked]]), np.delete(left, picked)
    return Curve(np.array(sizes), np.array(accuracies), right)


__all__ = ["STRATEGIES", "Curve", "badge", "diverse_margin", "margin", "margins", "random", "run", "typical"]
