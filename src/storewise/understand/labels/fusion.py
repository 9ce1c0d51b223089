"""One answer from several: log-probabilities weighed against each other, with weights from validation.

``log p(c) = Σ wᵢ · log pᵢ(c) − log Z`` (a product of experts, Hinton 2002). Where a product has no photo or no text,
that view has no say and the weights of the others count.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def late(parts: Sequence[Matrix], present: Sequence[Mask], weights: Sequence[float]) -> Matrix:
    """(n, k) log-probabilities of ``parts``, each (n, k), where ``present`` (n,) says who has a say.

    Weights are scaled to sum to 1 over those present; where nobody is, the parts' plain mean stands.

    >>> a, b = np.log([[0.9, 0.1]]), np.log([[0.2, 0.8]])
    >>> alone = late([a, b], [np.array([True]), np.array([False])], [0.5, 0.5])
    >>> [round(float(p), 3) for p in np.exp(alone)[0]]
    [0.9, 0.1]
    """
    say = np.stack([np.where(there, weight, 0.0) for there, weight in zip(present, weights, strict=True)])
    total = say.sum(axis=0)
    # Nobody with a weight is there: those there count alike, and all where none is.
    there = np.stack(present).astype(float)
    spare = np.where(there.any(axis=0), there, 1.0)
    say = np.where(total > 0, say / np.where(total > 0, total, 1), spare / spare.sum(axis=0))
    mixed = sum(share[:, None] * part for share, part in zip(say, parts, strict=True))
    return np.asarray(log_softmax(mixed, axis=1), np.float32)


def choose_weights(
    parts: Sequence[Matrix], present: Sequence[Mask], truth: npt.NDArray[np.int64], *, steps: int = 10
) -> tuple[float, ...]:
    """Weights from the grid of ``steps``-ths that sum to 1: those with the least log loss, which uses every
    product, where accuracy hangs on the few that change sides."""
    rows = np.arange(len(truth))
    best: tuple[float, tuple[float, ...]] | None = None
    for counts in itertools.product(range(steps + 1), repeat=len(parts)):
        if sum(counts) != steps:
            continue
        weights = tuple(count / steps for count in counts)
        told = late(parts, present, weights)
        found = (float(told[rows, truth].mean()), weights)
        if best is None or found > best:
            best = found
    assert best is not None
    return best[1]
