"""Nearest labelled products vote (Cover & Hart 1967), and labels that spread over the graph of neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays, Component
from storewise.core.config import Config
from storewise.understand.base import unit

Matrix = npt.NDArray[np.float32]
CHUNK = 2048
SMOOTHING = 0.01  # share of all mass that classes without a vote get together


class KnnConfig(Config):
    """``neighbours``: how many vote. ``sharpness``: a vote weighs exp(sharpness · (cosine − 1))."""

    neighbours: int = Field(default=15, ge=1)
    sharpness: float = Field(default=10.0, ge=0)


class Knn(Component[KnnConfig]):
    """Votes of the nearest labelled rows by cosine."""

    Config = KnnConfig

    def __init__(self, config: KnnConfig | None = None) -> None:
        super().__init__(config)
        self._known: Matrix | None = None
        self._votes = np.zeros((0, 0), np.float32)

    def fit(
        self,
        x: Matrix,
        targets: npt.NDArray[np.int64],
        n_classes: int,
        *,
        rng: np.random.Generator | None = None,
        weight: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """``x``: (n, d). ``targets``: (n,) classes. ``weight``: (n,) of a row's vote."""
        self._known = unit(x)
        self._votes = np.eye(n_classes, dtype=np.float32)[targets]
        if weight is not None:
            self._votes *= weight[:, None]

    def log_probabilities(self, x: Matrix) -> Matrix:
        """(n, n_classes) float32."""
        self.require(self._known is not None)
        assert self._known is not None
        places, likeness = nearest(unit(x), self._known, self.config.neighbours)
        weight = np.exp(self.config.sharpness * (likeness - 1))
        votes = (self._votes[places] * weight[:, :, None]).sum(axis=1)
        votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1e-30)
        classes = self._votes.shape[1]
        return np.asarray(np.log((1 - SMOOTHING) * votes + SMOOTHING / classes), np.float32)

    def state(self) -> Arrays:
        self.require(self._known is not None)
        assert self._known is not None
        return {"known": self._known, "votes": self._votes}

    def restore(self, state: Arrays) -> None:
        self._known, self._votes = np.asarray(state["known"]), np.asarray(state["votes"])


def nearest(
    asked: Matrix, known: Matrix, k: int, *, same: bool = False
) -> tuple[npt.NDArray[np.int64], Matrix]:
    """(n, k) places in ``known`` and their dot products, nearest first, exact, a chunk of rows at a time.

    ``same``: both are the same rows, and none is its own neighbour.
    """
    k = min(k, len(known) - int(same))
    places, likeness = np.zeros((len(asked), k), np.int64), np.zeros((len(asked), k), np.float32)
    for start in range(0, len(asked), CHUNK):
        found = asked[start : start + CHUNK] @ known.T
        rows = np.arange(len(found))
        if same:
            found[rows, start + rows] = -np.inf
        top = np.argpartition(-found, k - 1, axis=1)[:, :k]
        values = found[rows[:, None], top]
        order = np.argsort(-values, axis=1, kind="stable")
        places[start : start + CHUNK] = np.take_along_axis(top, order, axis=1)
        likeness[start : start + CHUNK] = np.take_along_axis(values, order, axis=1)
    return places, likeness


def graph(x: Matrix, neighbours: int = 15) -> sparse.csr_matrix:
    """(n, n) symmetric graph of the nearest by cosine, scaled to ``D^(−½)·W·D^(−½)``; a cosine below 0 counts as 0."""
    rows = unit(x)
    places, likeness = nearest(rows, rows, neighbours, same=True)
    n, k = places.shape
    found = sparse.csr_matrix(
        (np.maximum(likeness, 0).ravel(), (np.repeat(np.arange(n), k), places.ravel())), shape=(n, n)
    )
    found = found.maximum(found.T)
    degree = np.maximum(np.asarray(found.sum(axis=1)).ravel(), 1e-9)
    half = sparse.diags_array(1 / np.sqrt(degree))
    return sparse.csr_matrix(half @ found @ half, dtype=np.float32)


def spread(
    flow: sparse.csr_matrix,
    labelled: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int64],
    n_classes: int,
    *,
    alpha: float = 0.9,
    iterations: int = 40,
    prior: Matrix | None = None,
) -> Matrix:
    """(n, n_classes) shares: labels spread over the :func:`graph` of nearest neighbours (Zhou et al. 2004).

    ``F ← α·S·F + (1−α)·Y``, Y the known labels, each class with the same mass in all so that a common class does
    not flood the graph. With a ``prior`` (n, n_classes), probabilities that a head gives every row, Y holds these
    where no label is known, and its errors are smoothed out by its neighbours (Huang et al. 2021, arXiv:2010.13993).
    """
    known = np.zeros((flow.shape[0], n_classes), np.float32) if prior is None else prior.astype(np.float32)
    if prior is None:
        known[labelled, targets] = 1.0 / np.maximum(np.bincount(targets, minlength=n_classes), 1)[targets]
    else:
        known[labelled] = np.eye(n_classes, dtype=np.float32)[targets]
    mass = known.copy()
    for _ in range(iterations):
        mass = alpha * (flow @ mass) + (1 - alpha) * known
    total = mass.sum(axis=1, keepdims=True)
    return np.where(total > 1e-30, mass / np.maximum(total, 1e-30), 1 / n_classes).astype(np.float32)
