"""What sells now, overall and in the categories a shopper cares for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever, top_n

DAY_S = 86_400.0


class PopularConfig(Config):
    """``half_life_days``: an event of that age counts half (None: all count alike). ``window_days``: older
    events do not count (None: all do). ``category_weight``: 0 ranks by popularity alone; above, a product
    gains by the share that its category has in the shopper's own history."""

    half_life_days: float | None = Field(default=None, gt=0.0)
    window_days: float | None = Field(default=None, gt=0.0)
    category_weight: float = Field(default=0.0, ge=0.0, le=100.0)


class Popular(Retriever[PopularConfig]):
    """Score = decayed customers of the product × (1 + category_weight × the shopper's share of its category).

    A customer counts once for a product, with the newest event. Every product has a score, so this retriever
    always answers. Ages are relative to the newest event in the data.

    >>> shop = Dataset.of([0, 1, 1], [1, 1, 0], n_customers=2, n_products=3)
    >>> model = Popular()
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> model.scores(shop.histories([0])).tolist()
    [[1.0, 2.0, 0.0]]
    """

    Config = PopularConfig

    def __init__(self, config: PopularConfig | None = None) -> None:
        super().__init__(config)
        self._score: npt.NDArray[np.float32] | None = None
        self._customers = np.zeros(0, np.int64)
        self._category = np.zeros(0, np.int32)
        self._category_names = np.zeros(0, np.str_)
        self._order = np.zeros(0, np.int32)
        self._shelves: list[npt.NDArray[np.int32]] = []

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        data, c = dataset.interactions, self.config
        newest = np.zeros(len(data), np.bool_)
        pair = data.customers.astype(np.int64) * data.n_products + data.products
        newest[len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]] = True
        age_days = np.maximum(data.end - data.at, 0.0) / DAY_S
        if c.window_days is not None:
            newest &= age_days <= c.window_days
        weight = np.exp2(-age_days / c.half_life_days) if c.half_life_days is not None else np.ones(len(data))
        chosen = data.products[newest]
        n = data.n_products
        self._score = np.bincount(chosen, weight[newest], minlength=n).astype(np.float32)
        self._customers = np.bincount(chosen, minlength=n)
        self._category, self._category_names = _categories(dataset)
        self._rank()

    def state(self) -> Arrays:
        self.require(self._score is not None)
        assert self._score is not None
        return {
            "score": self._score,
            "customers": self._customers,
            "category": self._category,
            "category_names": self._category_names,
        }

    def restore(self, state: Arrays) -> None:
        self._score, self._customers = state["score"], state["customers"]
        self._category, self._category_names = state["category"], state["category_names"]
        self._rank()

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        self.require(self._score is not None)
        assert self._score is not None
        everyone = np.broadcast_to(self._score, (len(histories), len(self._score)))
        if not self.config.category_weight or not len(self._category_names):
            return everyone.copy()
        boost = 1.0 + self.config.category_weight * self._taste(histories)[:, self._category]
        return (everyone * boost).astype(np.float32)

    def __call__(self, request: Request, n: int) -> ItemList:
        """As ``scores``: within a category the order is fixed, so the best n of the shopper's categories and
        the best n of all hold the answer."""
        self.require(self._score is not None)
        assert self._score is not None
        shelves, taste = [self._order], np.zeros(len(self._category_names) + 1, np.float32)
        if self.config.category_weight and len(self._category_names):
            taste = self._taste(request.history)[0]
            shelves += [self._shelves[category] for category in np.flatnonzero(taste)]
        candidates = np.unique(np.concatenate([_first(s, n, request.eligible) for s in shelves]))
        boost = 1.0 + self.config.category_weight * taste[self._category[candidates]]
        best = top_n((self._score[candidates] * boost).astype(np.float32), n)
        products = candidates[best.products].astype(np.int32)
        reasons = tuple(self._reason(int(product), taste) for product in products)
        return ItemList(products, best.scores, reasons)

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """ "popular in" where the shopper's own categories moved the product up, else "popular"."""
        taste = np.zeros(len(self._category_names) + 1, np.float32)
        if self.config.category_weight and len(self._category_names):
            taste = self._taste(request.history)[0]
        return [self._reason(int(product), taste) for product in products]

    def _reason(self, product: int, taste: npt.NDArray[np.float32]) -> Reason:
        buyers = float(self._customers[product])
        category = int(self._category[product]) if len(self._category_names) else -1
        if category >= 0 and taste[category] > 0:
            return Reason("popular_in", value=buyers, text=str(self._category_names[category]))
        return Reason("popular", value=buyers)

    def _rank(self) -> None:
        assert self._score is not None
        self._order = np.argsort(-self._score, kind="stable").astype(np.int32)
        by_category = self._order[np.argsort(self._category[self._order], kind="stable")]
        bounds = np.searchsorted(self._category[by_category], np.arange(len(self._category_names) + 1))
        self._shelves = [by_category[a:b] for a, b in pairwise(bounds)]

    def _taste(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(b, categories + 1): share of each category in the history; the last column is "no category"."""
        share = np.zeros((len(histories), len(self._category_names) + 1), np.float32)
        np.add.at(share, (histories.rows, self._category[histories.products]), 1.0)
        share[:, -1] = 0.0
        share /= np.maximum(np.diff(histories.indptr), 1)[:, None]
        return share


def _first(
    shelf: npt.NDArray[np.int32], n: int, eligible: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.int32]:
    """The first n eligible products of a shelf, looking no further than needed."""
    if eligible is None:
        return shelf[:n]
    looked, found = 4 * n + 64, shelf[:0]
    while True:
        part = shelf[:looked]
        found = part[eligible[part]][:n]
        if len(found) == n or looked >= len(shelf):
            return found
        looked *= 4


def _categories(dataset: Dataset) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.str_]]:
    """Category index of each product, -1 for none, and the categories' names."""
    if "category" not in dataset.products.columns:
        return np.full(dataset.n_products, -1, np.int32), np.zeros(0, np.str_)
    found = dataset.products["category"].to_list()
    names = sorted({str(name) for name in found if name is not None})
    place = {name: index for index, name in enumerate(names)}
    codes = [place[str(name)] if name is not None else -1 for name in found]
    return np.array(codes, np.int32), np.array(names, np.str_)
