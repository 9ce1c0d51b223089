"""Products first seen in a window of time, and who bought them: the question behind ``cold-items``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories
from storewise.data.split import DAY
from storewise.engine.history import History
from storewise.metrics import ranking
from storewise.understand.affinity import AffinityConfig, affinity
from storewise.understand.base import Vectors

K, DEPTH = 10, 20
Values = npt.NDArray[np.float64]
FIGURES = (("recall", DEPTH), ("ndcg", K), ("recall", K), ("mrr", DEPTH), ("hit", DEPTH))


@dataclass(frozen=True)
class ColdWindow:
    """``known``: the shop strictly before the window. ``candidates`` (c,): products with no event before it and
    one inside. ``histories``: the b customers who had bought before and bought a candidate inside.
    ``relevant`` (b, c)."""

    known: Dataset
    candidates: npt.NDArray[np.int64]
    histories: Histories
    relevant: sparse.csr_matrix

    @property
    def needed(self) -> npt.NDArray[np.int64]:
        """Products whose vectors the question reads: those with behaviour, and the candidates."""
        before = np.flatnonzero(self.known.interactions.popularity > 0)
        return np.union1d(before, self.candidates).astype(np.int64)

    def scores(self, vectors: Vectors, config: AffinityConfig) -> npt.NDArray[np.float32]:
        """(b, c) of products' vectors (n_products, d)."""
        counts = self.known.interactions.popularity
        return affinity(vectors, self.histories, self.candidates, config, customers_of=counts)

    def values(self, scores: npt.NDArray[np.floating]) -> Values:
        """(b, len(FIGURES)): each customer's figures; all candidates ranked, ties against the model."""
        top = ranking.top_k(scores, DEPTH, self.relevant)
        return np.stack([ranking.METRICS[name](top[:, :k], self.relevant) for name, k in FIGURES], axis=1)


def window(history: History, start: float, stop: float) -> ColdWindow:
    """The question of the time from ``start`` up to, not including, ``stop`` (seconds).

    Raises:
        DataError: when no product is new there, or nobody known bought a new one.
    """
    whole, known = history.whole, history.until(start)
    first = first_seen(whole)
    cold = (first >= start) & (first < stop)
    behaviour = whole.interactions
    people = len(whole.customer_ids)  # indices beyond are sessions that nobody can be recognised by
    inside = (behaviour.at >= start) & (behaviour.at < stop) & (behaviour.customers < people)
    bought = behaviour.select(inside & cold[behaviour.products]).matrix
    before = np.diff(known.interactions.indptr)
    who = np.flatnonzero((np.diff(bought.indptr)[:people] > 0) & (before[:people] > 0))
    candidates = np.flatnonzero(cold)
    if not len(who):
        raise DataError(
            f"{len(candidates)} products are new in the window, and no customer known before it bought one.",
            next_step="Give a longer history, or more data.",
        )
    histories = known.interactions.histories(who, now=start)
    return ColdWindow(known, candidates, histories, sparse.csr_matrix(bought[who][:, candidates]))


def first_seen(whole: Dataset) -> npt.NDArray[np.float64]:
    """(n_products,): the time of each product's first event of any kind, inf for none."""
    first = np.full(whole.n_products, np.inf)
    events = whole.extra.get("events")
    if events is not None:
        np.minimum.at(first, events["product"].to_numpy(), events["at"].to_numpy())
    np.minimum.at(first, whole.interactions.products, whole.interactions.at)
    return first


def windows(history: History, *, days: float) -> tuple[ColdWindow, ColdWindow]:
    """Validation and test: the last ``days`` days test, as many before them validate.

    Raises:
        DataError: when the history is too short.
    """
    end = float(history.whole.interactions.end)
    test_from, validation_from = end - days * DAY, end - 2 * days * DAY
    if not (history.whole.interactions.at < validation_from).any():
        raise DataError(
            f"The history does not reach back {2 * days:g} days.", next_step="Give a longer history."
        )
    after = float(np.nextafter(end, np.inf))
    return window(history, validation_from, test_from), window(history, test_from, after)


def texts_of(shop: Dataset) -> Sequence[str]:
    """Title and description of each product; empty where there is neither.

    Raises:
        DataError: when no product has text.
    """
    columns = [c for c in ("title", "description") if c in shop.products.columns]
    parts = [shop.products[c].fill_null("").to_list() for c in columns]
    texts = [" ".join(p for p in row if p).strip() for row in zip(*parts, strict=True)] if parts else []
    if not any(texts):
        raise DataError("No product has a title.", next_step="Ingest products with titles.")
    return texts
