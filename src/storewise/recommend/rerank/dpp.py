"""A determinantal point process: the list whose items span the most, by fast greedy search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.recommend.request import ItemList, Request
from storewise.recommend.rerank.base import Order, Reranker
from storewise.recommend.rerank.likeness import likeness, relevance

Kernel = npt.NDArray[np.float64]
LEAST = 1e-10


class DppConfig(Config):
    """``relevance``: θ, how much what is wanted counts: 0 spreads alone."""

    name: str = "diversity"
    relevance: float = Field(default=2.0, ge=0, le=20)


class Dpp(Reranker[DppConfig]):
    """Greedy maximum a posteriori inference (Chen, Zhang & Zhou 2018): with kernel

        L_ij = exp(θ r_i / 2) S_ij exp(θ r_j / 2),

    relevance r, likeness S, the next item is the one that raises log det L of the chosen most. When nothing is
    left that spans more, the rest follows in the order given.
    """

    Config = DppConfig

    def arrange(self, request: Request, items: ItemList, n: int) -> Order:
        quality = np.exp(0.5 * self.config.relevance * relevance(items.scores))
        kernel = quality[:, None] * likeness(self.known(), items.products) * quality
        chosen = greedy(kernel, min(n, len(items)))
        rest = [place for place in range(len(items)) if place not in set(chosen)]
        return Order(np.array((chosen + rest)[:n], np.int64), frozenset(chosen))


def greedy(kernel: Kernel, n: int) -> list[int]:
    """At most n rows, each raising the determinant most; Cholesky factors grow by one column a step: O(n² m).

    >>> greedy(np.array([[1.0, 0.99, 0.1], [0.99, 0.98, 0.1], [0.1, 0.1, 0.5]]), 2)
    [0, 2]
    """
    m = len(kernel)
    factors = np.zeros((n, m))
    gains = kernel.diagonal().copy()
    chosen: list[int] = []
    for step in range(n):
        best = int(np.argmax(gains))
        if gains[best] < LEAST:
            break
        column = (kernel[best] - factors[:step].T @ factors[:step, best]) / np.sqrt(gains[best])
        factors[step] = column
        gains = gains - column**2
        chosen.append(best)
        gains[chosen] = -np.inf
    return chosen
