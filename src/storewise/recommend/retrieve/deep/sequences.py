"""Histories as windows of bounded length, and windows as batches with little padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from storewise.data.interactions import Interactions

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """``inputs`` (b, l) product indices, oldest first, padded on the right with ``n_products``; ``targets``
    (b, l) what came next, -1 at padding. ``seen``: (rows, columns) of the different products that each
    target's history has, rows counting the real positions only, row after row."""

    inputs: Ints
    targets: Ints
    seen: tuple[Ints, Ints]

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        """(b, l): whether a position is no padding."""
        return self.targets >= 0


@dataclass(frozen=True)
class Windows:
    """Parts of histories, each of 2 to length + 1 events: ``start``, ``stop`` (w,) into ``products`` (nnz,), and
    ``owner`` (nnz,) the customer of each event."""

    products: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]
    start: Ints
    stop: Ints
    n_products: int

    @classmethod
    def of(cls, behaviour: Interactions, length: int) -> Windows:
        """Cut from the end of each history, so that the last window is always full where it can be. Windows
        overlap by one event: each event but a shopper's first is a target exactly once.

        >>> shop = Interactions.build([0] * 5, [0, 1, 2, 3, 4], at=range(5), n_customers=1, n_products=5)
        >>> found = Windows.of(shop, 3)
        >>> [found.products[a:b].tolist() for a, b in zip(found.start, found.stop)]
        [[1, 2, 3, 4], [0, 1]]
        """
        low, high = behaviour.indptr[:-1], behaviour.indptr[1:]
        parts = [np.empty((0, 2), np.int64)]
        while (open_ := high - low >= 2).any():
            low, high = low[open_], high[open_]
            start = np.maximum(high - length - 1, low)
            parts.append(np.stack([start, high], axis=1))
            high = start + 1
        both = np.concatenate(parts)
        return cls(behaviour.products, behaviour.customers, both[:, 0], both[:, 1], behaviour.n_products)

    def __len__(self) -> int:
        return len(self.start)

    def shuffled(self, rng: np.random.Generator) -> Windows:
        """Each history in another order, in the same windows."""
        return replace(self, products=self.products[np.lexsort((rng.random(len(self.owner)), self.owner))])

    def batches(self, size: int, rng: np.random.Generator, *, chunk: int = 40) -> list[Ints]:
        """Rows of each batch, for one epoch: shuffled, then sorted by length within ``chunk`` batches, so that a
        batch holds windows of like length and still differs from epoch to epoch."""
        order, lengths = rng.permutation(len(self)), self.stop - self.start
        made = []
        for first in range(0, len(order), size * chunk):
            part = order[first : first + size * chunk]
            part = part[np.argsort(lengths[part], kind="stable")]
            made += [part[i : i + size] for i in range(0, len(part), size)]
        return [made[i] for i in rng.permutation(len(made))]

    def batch(self, rows: Ints, change: Callable[[Ints, int], Ints] | None = None) -> Batch:
        """The windows of these rows, side by side. ``change``: (b, l) sequences and what pads them → others."""
        sequences = padded(self.products, self.start[rows], self.stop[rows], self.n_products)
        if change is not None:
            sequences = change(sequences, self.n_products)
        inputs, targets = sequences[:, :-1], sequences[:, 1:].copy()
        targets[targets == self.n_products] = -1
        inputs = np.where(targets >= 0, inputs, self.n_products)
        return Batch(inputs, targets, seen_before(inputs, self.n_products))


def padded(products: npt.NDArray[np.int32], start: Ints, stop: Ints, filler: int) -> Ints:
    """(b, longest) the parts start:stop of ``products``, filled up on the right."""
    lengths = stop - start
    width = int(lengths.max()) if len(lengths) else 0
    steps = np.arange(width)
    real = steps < lengths[:, None]
    found = np.full((len(start), width), filler, np.int64)
    found[real] = products[(start[:, None] + steps)[real]]
    return found


def seen_before(inputs: Ints, filler: int) -> tuple[Ints, Ints]:
    """For each real position, the different products up to and with it: (row of the position, product).

    >>> rows, columns = seen_before(np.array([[5, 7, 5]]), 9)
    >>> rows.tolist(), columns.tolist()
    ([0, 1, 1, 2, 2], [5, 5, 7, 5, 7])
    """
    b, width = inputs.shape
    real = inputs != filler
    number = np.cumsum(real.ravel()).reshape(b, width) - 1
    later, earlier = np.tril_indices(width)
    who, pair = np.nonzero(real[:, later])
    key = number[who, later[pair]] * (filler + 1) + inputs[who, earlier[pair]]
    key = np.unique(key)
    return key // (filler + 1), key % (filler + 1)
