"""User neighbourhood: what the customers with the most similar histories chose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent, step
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.request import Reason, Request
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.item_item import ItemItemConfig, entry_weights, keep_largest


class UserKnnConfig(ItemItemConfig):
    """Similarity of a history h and a customer v:
    Σ_{i in both} weight(i) (n_i + 1) ** -rarity / |v| ** activity, to the power ``sharpness``; n_i are the
    customers of product i, weight(i) is the recency weight of the asking shopper (``decay``,
    ``half_life_days``). The ``neighbours`` most similar customers vote, and the votes for product j are divided
    by n_j ** target_power."""

    rarity: float = Field(default=0.5, ge=0.0, le=2.0)
    activity: float = Field(default=0.5, ge=0.0, le=2.0)
    sharpness: float = Field(default=1.0, gt=0.0, le=5.0)
    target_power: float = Field(default=0.0, ge=0.0, le=1.5)
    neighbours: int = Field(default=500, ge=1)


class UserKnn(Retriever[UserKnnConfig]):
    """User-based k-nearest neighbours (Resnick et al. 1994; for positive-only data Verstrepen & Goethals
    2014), with rarity weights and recency. A customer whom training knows is not a neighbour of himself.

    >>> shop = Dataset.of([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_customers=3, n_products=3)
    >>> model = UserKnn()
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> model.scores(Histories.single([0], n_products=3)).round(2)
    array([[0.82, 0.82, -inf]], dtype=float32)
    """

    Config = UserKnnConfig

    def __init__(self, config: UserKnnConfig | None = None) -> None:
        super().__init__(config)
        self._choices: sparse.csr_matrix | None = None  # (n_customers, n_products), ones
        self._customers: sparse.csr_matrix | None = None  # its transpose

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        with step(progress or Silent(), "user neighbourhood"):
            self._take(dataset.interactions.latest(self.config.window_days).matrix.copy())

    def state(self) -> Arrays:
        """``indptr``, ``indices`` of the customers' choices and ``n_products``."""
        choices = self._trained()
        return {
            "indptr": choices.indptr,
            "indices": choices.indices,
            "n_products": np.array([choices.shape[1]], np.int64),
        }

    def restore(self, state: Arrays) -> None:
        ones = np.ones(len(state["indices"]), np.float32)
        shape = (len(state["indptr"]) - 1, int(state["n_products"][0]))
        self._take(sparse.csr_matrix((ones, state["indices"], state["indptr"]), shape=shape))

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        found = self.neighbours(histories) @ self._trained()
        found.data *= self._target[found.indices]
        out = np.full(found.shape, -np.inf, np.float32)
        out[np.repeat(np.arange(len(out)), np.diff(found.indptr)), found.indices] = found.data
        return out

    def neighbours(self, histories: Histories) -> sparse.csr_matrix:
        """(b, n_customers): the similarity of each shopper's nearest customers."""
        self._trained()
        query = histories.matrix(entry_weights(self.config, histories) * self._rarity[histories.products])
        found = (query @ self._customers).tocsr()
        found.data *= self._activity[found.indices]
        rows = np.repeat(np.arange(len(histories)), np.diff(found.indptr))
        found.data[found.indices == histories.customers[rows]] = 0.0
        found.eliminate_zeros()
        found.data **= np.float32(self.config.sharpness)
        return keep_largest(found, self.config.neighbours)

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """How many of the nearest customers chose each product."""
        near = self._trained()[self.neighbours(request.history).indices]
        votes = np.bincount(near.indices, minlength=near.shape[1])
        return [Reason("similar_customers", value=float(votes[product])) for product in products]

    def _take(self, choices: sparse.csr_matrix) -> None:
        self._choices, self._customers = choices, choices.T.tocsr()
        c, n = self.config, np.diff(self._customers.indptr).astype(np.float64)
        lengths = np.maximum(np.diff(choices.indptr), 1).astype(np.float64)
        self._rarity = ((n + 1.0) ** -c.rarity).astype(np.float32)
        self._activity = (lengths**-c.activity).astype(np.float32)
        self._target = (np.maximum(n, 1.0) ** -c.target_power).astype(np.float32)

    def _trained(self) -> sparse.csr_matrix:
        self.require(self._choices is not None)
        return self._choices
