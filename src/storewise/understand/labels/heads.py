"""Classifiers on vectors, those chosen that do best on validation: least squares, softmax regression, one hidden layer, neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from storewise.core.errors import UnknownName
from storewise.core.progress import Progress, Silent
from storewise.core.rng import spawn
from storewise.understand.labels.neighbours import Knn
from storewise.understand.labels.ridge import Ridge
from storewise.understand.labels.softmax import Softmax, SoftmaxConfig

Matrix = npt.NDArray[np.float32]
Classes = npt.NDArray[np.int64]


class Head(Protocol):
    """What turns rows of numbers into probabilities of classes."""

    def fit(self, x: Matrix, targets: Classes, n_classes: int, *, rng: np.random.Generator,
            weight: Matrix | None = None) -> None: ...  # fmt: skip

    def log_probabilities(self, x: Matrix) -> Matrix:
        """(n, n_classes)."""
        ...


HEADS: Mapping[str, Callable[[], Head]] = {
    "ridge": Ridge,
    "logistic": Softmax,
    "mlp": lambda: Softmax(SoftmaxConfig(hidden=256)),
    "knn": Knn,
}

FEW_ROWS = 3000


def candidates(n_rows: int) -> tuple[str, ...]:
    """Heads worth trying: least squares shines on few rows, and costs the most on many columns.

    >>> candidates(500)
    ('ridge', 'logistic', 'mlp', 'knn')
    """
    return tuple(HEADS) if n_rows < FEW_ROWS else tuple(name for name in HEADS if name != "ridge")


@dataclass(frozen=True)
class Choice:
    """A head as it did on validation: ``validation`` (m, k) calibrated log-probabilities, ``seconds`` of training."""

    name: str
    temperature: float
    accuracy: float
    log_loss: float
    validation: Matrix
    seconds: float


def choose_head(
    x: Matrix,
    y: Classes,
    n_classes: int,
    train: Classes,
    validation: Classes,
    *,
    seed: int,
    names: Sequence[str] = tuple(HEADS),
    progress: Progress | None = None,
) -> list[Choice]:
    """All heads trained on ``train`` and asked on ``validation`` (row numbers), best first by accuracy there.

    Raises:
        UnknownName: for a head that does not exist.
    """
    found = []
    for name in (progress or Silent()).track(names, label="choosing a head"):
        started = time.perf_counter()
        head = fit(name, x[train], y[train], n_classes, seed=seed)
        told, truth = head.log_probabilities(x[validation]), y[validation]
        t = temperature(told, truth)
        calibrated = log_softmax(told / t, axis=1)
        loss = -float(calibrated[np.arange(len(truth)), truth].mean())
        right = float((calibrated.argmax(axis=1) == truth).mean())
        found.append(Choice(name, t, right, loss, calibrated, time.perf_counter() - started))
    return sorted(found, key=lambda choice: (-choice.accuracy, choice.log_loss))


def team(choices: Sequence[Choice], truth: Classes) -> list[Choice]:
    """Heads whose mean has the least log loss on validation: the best one, then whichever helps most, while it
    helps (greedy selection, Caruana et al. 2004)."""
    left = sorted(choices, key=lambda choice: choice.log_loss)
    found = [left.pop(0)]
    best = found[0].log_loss
    while left:
        losses = [log_loss(mean([c.validation for c in (*found, one)]), truth) for one in left]
        if min(losses) >= best:
            break
        best = min(losses)
        found.append(left.pop(losses.index(best)))
    return found


def mean(parts: Sequence[Matrix]) -> Matrix:
    """(n, k) log-probabilities: the normalised geometric mean of several."""
    return np.asarray(log_softmax(np.mean(parts, axis=0), axis=1), np.float32)


def log_loss(told: Matrix, truth: Classes) -> float:
    """``-mean log p`` of the true classes.

    >>> round(log_loss(np.log([[0.5, 0.5]]), np.array([1])), 3)
    0.693
    """
    return -float(told[np.arange(len(truth)), truth].mean())


def fit(name: str, x: Matrix, y: Classes, n_classes: int, *, seed: int, weight: Matrix | None = None) -> Head:
    """A new head trained on all rows.

    Raises:
        UnknownName: naming those there are.
    """
    if name not in HEADS:
        raise UnknownName(f"There is no head {name!r}.", next_step=f"Known: {', '.join(HEADS)}.")
    head = HEADS[name]()
    head.fit(x, y, n_classes, rng=spawn(seed, "labels", name), weight=weight)
    return head


def temperature(log_probabilities: Matrix, truth: Classes) -> float:
    """The T of ``softmax(log p / T)`` with the least log loss (Guo et al. 2017, arXiv:1706.04599).

    Above 1 the head was too sure, below 1 too modest; the order of classes stays.
    """
    rows = np.arange(len(truth))
    scores = np.asarray(log_probabilities, np.float64)

    def loss(log_t: float) -> float:
        return -float(log_softmax(scores / np.exp(log_t), axis=1)[rows, truth].mean())

    found: Any = minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded")
    return float(np.exp(found.x))
