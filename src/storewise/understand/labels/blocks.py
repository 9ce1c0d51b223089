"""Vectors of several sources side by side, each as loud as the others; what is missing is zero and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storewise.understand.base import Vectors

LOUDNESS = 8.0  # length of a typical row of a block: what the learning rates of the heads are made for
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """``vectors``: (n, d); a zero row is a missing value. ``each``: scale every column by its own spread (for
    network features, whose columns differ by chance), or all by one (for axes ordered by weight, for shares)."""

    name: str
    vectors: Vectors
    each: bool = False

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(n,) where there is something."""
        return np.asarray(self.vectors.any(axis=1))


@dataclass(frozen=True)
class Scale:
    """``mean`` and ``spread`` (d,) of the rows a block was fitted on."""

    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]


def fit(block: Block, rows: Rows) -> Scale:
    """Mean and spread over those of ``rows`` that are there."""
    known = block.vectors[rows][block.present[rows]]
    d = block.vectors.shape[1]
    if len(known) < 2:
        return Scale(np.zeros(d, np.float32), np.ones(d, np.float32))
    deviation = known.std(axis=0)
    if block.each:
        # A column that is constant in what was seen must not explode elsewhere.
        spread = np.maximum(deviation, 0.01 * deviation.max() + 1e-12) * np.sqrt(d)
    else:
        spread = np.full(d, np.sqrt((deviation**2).sum()) + 1e-12)
    return Scale(known.mean(axis=0), (spread / LOUDNESS).astype(np.float32))


def apply(block: Block, scale: Scale) -> Vectors:
    """(n, d) centred and scaled; missing rows are zero, which is the mean."""
    found = (block.vectors - scale.mean) / scale.spread
    found[~block.present] = 0.0
    return np.asarray(found, np.float32)


def compressed(block: Block, rows: Rows, size: int, *, rng: np.random.Generator) -> Block:
    """The block on its ``size`` strongest axes among ``rows`` (Halko et al. 2011), after scaling; missing rows stay
    zero. The axes keep their strength: noise that hundreds of columns share stays small."""
    from sklearn.utils.extmath import randomized_svd

    scaled = apply(block, fit(block, rows))
    known = scaled[rows]
    size = min(size, *known.shape)
    _, _, axes = randomized_svd(known, size, n_iter=2, random_state=int(rng.integers(2**31)))
    return Block(block.name, np.asarray(scaled @ axes.T, np.float32))


def side_by_side(blocks: Sequence[Block], rows: Rows) -> Vectors:
    """(n, sum of d + columns of absence): every block scaled by what ``rows`` show, missing ones flagged.

    >>> text = Block("text", np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], np.float32))
    >>> side_by_side([text], np.array([0, 1]))[2].tolist()
    [0.0, 0.0, 1.0]
    """
    columns = []
    for block in blocks:
        columns.append(apply(block, fit(block, rows)))
        absent = ~block.present
        if absent.any():
            columns.append(absent.astype(np.float32)[:, None])
    return np.concatenate(columns, axis=1)
