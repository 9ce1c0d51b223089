"""The products as the catalogue has and had them: categories, and what their texts say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from storewise.data.dataset import Dataset
from storewise.predict.features.edits import Edits
from storewise.predict.features.events import DAY_S, EventLog

Vectors = npt.NDArray[np.float32]
EARLY_DAYS = 28.0  # of history that windows leave before them
LEAST_EARLY = 4  # early products a direction of text


@dataclass(frozen=True)
class Shelf:
    """What the products are: ``categories`` (n,) codes, -1 for none; ``text`` (n, d): unit vectors of their texts, or
    None. Prices are not among it: a list price of today says nothing of the past. ``edits``: how products stood before."""

    categories: npt.NDArray[np.int64]
    text: Vectors | None = None
    edits: Edits | None = None

    def at(self, moment: float) -> Shelf:
        """As the catalogue was known at a moment; a text that was edited since is unknown (zero) where nobody read what
        it was."""
        edits = self.edits
        rows = np.empty(0, np.int64) if edits is None else edits.at(moment)
        if edits is None or not len(rows):
            return Shelf(self.categories, self.text)
        codes, text = self.categories.copy(), self.text
        codes[edits.products[rows]] = edits.categories[rows]
        if text is not None:
            text = text.copy()
            text[edits.products[rows]] = 0 if edits.text is None else edits.text[rows]
        return Shelf(codes, text)

    def reduced(self, size: int, early: npt.NDArray[np.bool_]) -> Vectors:
        """``text`` in the first ``size`` principal directions of the products ``early`` (n,), (n, 0) without any."""
        return _reduced(self.text, size, early)

    @classmethod
    def of(
        cls, shop: Dataset, text: Vectors | None = None, past: pl.DataFrame | None = None,
        past_text: Vectors | None = None,
    ) -> Shelf:  # fmt: skip
        """Of a shop's catalogue; ``past``: rows that were replaced, with ``until``, as the store keeps them, and the
        vectors of their texts. A dataset's ``content`` is no text here: it learned from all behaviour, so that at a past moment it would know
        what came later."""
        codes = np.full(shop.n_products, -1, np.int64)
        places: dict[str, int] = {}
        if "category" in shop.products.columns:
            column = shop.products["category"]
            places = {name: i for i, name in enumerate(column.drop_nulls().unique().sort().to_list())}
            codes = np.array([places.get(name, -1) for name in column.to_list()], np.int64)
        edits = Edits.of(shop.products, past, places, past_text) if past is not None and past.height else None
        return cls(codes, text, edits)


def early(log: EventLog, now: float) -> npt.NDArray[np.bool_]:
    """(n_products,): with an event in the first weeks, before which no window begins. Their texts give the directions
    for every moment, so that none knows of products that came later."""
    found = np.zeros(log.n_products, bool)
    known = log.holds(now)
    if known.any():
        found[log.products[known & (log.at < log.at[known].min() + EARLY_DAYS * DAY_S)]] = True
    return found


def _reduced(text: Vectors | None, size: int, early: npt.NDArray[np.bool_]) -> Vectors:
    """The first principal directions of the early products' vectors (uncentred: a cosine stays a cosine); as it is
    where there are too few to tell directions by."""
    if text is None or not size:
        return np.zeros((len(early), 0), np.float32)
    if text.shape[1] <= size or early.sum() < LEAST_EARLY * size:
        return text.astype(np.float32)
    known = text[early]
    values, directions = np.linalg.eigh(np.asarray(known.T @ known, np.float64))
    best = directions[:, np.argsort(-values, kind="stable")[:size]]
    best = best * np.where(best[np.abs(best).argmax(axis=0), np.arange(size)] < 0, -1.0, 1.0)
    return np.asarray(text @ best.astype(np.float32), np.float32)
