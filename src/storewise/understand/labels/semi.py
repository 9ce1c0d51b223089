"""Learning from few labels and many products without: pseudo-labels on which two views agree, and spreading.

Pseudo-labels (Lee 2013) are taken where the view of text and the view of photo, each trained on its own, name the
same class and are together sure of it (agreement as in co-training, Blum & Mitchell 1998): an error of one view
alone does not teach itself. No class may get more than ``most_per_label`` pseudo-labels for each true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.understand.labels import heads
from storewise.understand.labels.heads import Classes, Matrix


class PseudoConfig(Config):
    """``threshold``: least geometric mean of the views' probabilities. ``weight``: of a pseudo-label against a
    true one. ``rounds``: label, train, label again."""

    threshold: float = Field(default=0.5, gt=0, le=1)
    weight: float = Field(default=1.0, gt=0, le=1)
    rounds: int = Field(default=2, ge=1, le=20)
    most_per_label: float = Field(default=20.0, gt=0)
    head: str = "ridge"


@dataclass(frozen=True)
class PseudoLabels:
    """``rows`` of the unlabelled products that were taken, and their ``targets``."""

    rows: Classes
    targets: Classes


def agree(views: Sequence[Matrix], *, threshold: float, most: npt.NDArray[np.int64]) -> PseudoLabels:
    """Rows where all ``views`` (n, k log-probabilities) name one class, surest first, at most ``most`` (k,) each.

    >>> a, b = np.log([[0.9, 0.1], [0.6, 0.4]]), np.log([[0.8, 0.2], [0.3, 0.7]])
    >>> agree([a, b], threshold=0.5, most=np.array([5, 5])).rows.tolist()
    [0]
    """
    named = np.stack([view.argmax(axis=1) for view in views])
    one = (named == named[0]).all(axis=0)
    mean = np.mean(views, axis=0)
    sure = np.exp(mean[np.arange(len(mean)), named[0]])
    rows = np.flatnonzero(one & (sure >= threshold))
    rows = rows[np.argsort(-sure[rows], kind="stable")]
    place = _place_in_class(named[0][rows])
    rows = rows[place < most[named[0][rows]]]
    return PseudoLabels(rows, named[0][rows])


def _place_in_class(classes: Classes) -> npt.NDArray[np.int64]:
    """How many of the same class stand before each."""
    order = np.argsort(classes, kind="stable")
    ranked = classes[order]
    firsts = np.searchsorted(ranked, ranked)
    out = np.empty(len(classes), np.int64)
    out[order] = np.arange(len(classes)) - firsts
    return out


def self_train(
    views: Sequence[Matrix],
    joint: Matrix,
    labelled: Classes,
    targets: Classes,
    n_classes: int,
    *,
    config: PseudoConfig | None = None,
    seed: int = 0,
) -> heads.Head:
    """A head on ``joint`` (n, d), taught by the labelled rows and by pseudo-labels of the others.

    ``views``: (n, dᵢ) each. ``labelled``: row numbers, ``targets``: their classes.
    """
    settings = config or PseudoConfig()
    others = np.setdiff1d(np.arange(len(joint)), labelled)
    most = np.ceil(settings.most_per_label * np.bincount(targets, minlength=n_classes)).astype(np.int64)
    taken = PseudoLabels(np.zeros(0, np.int64), np.zeros(0, np.int64))
    for _ in range(settings.rounds):
        told = []
        for view in views:
            head = _taught(view, labelled, targets, others, taken, n_classes, settings, seed)
            told.append(head.log_probabilities(view[others]))
        taken = agree(told, threshold=settings.threshold, most=most)
    return _taught(joint, labelled, targets, others, taken, n_classes, settings, seed)


def _taught(
    x: Matrix, labelled: Classes, targets: Classes, others: Classes, taken: PseudoLabels, n_classes: int,
    config: PseudoConfig, seed: int,
) -> heads.Head:  # fmt: skip
    rows = np.concatenate([labelled, others[taken.rows]])
    weight = np.concatenate([np.ones(len(labelled)), np.full(len(taken.rows), config.weight)])
    wanted = np.concatenate([targets, taken.targets])
    return heads.fit(config.head, x[rows], wanted, n_classes, seed=seed, weight=weight.astype(np.float32))
