"""Joint vectors for replayed moments: learned once, on the earliest of them, so that no moment knows its future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from storewise.data.dataset import Dataset
from storewise.understand.base import Vectors


@dataclass
class PastContent:
    """Adds joint vectors to the data of past moments. ``learn`` makes them of a data set's own behaviour, which takes
    seconds; a later moment takes those of an earlier one, and what was learned before it leaks nothing. Asked for a
    moment before that, it learns anew.

    >>> import numpy as np
    >>> from storewise.data.shop import build
    >>> from storewise.testing import small_shop
    >>> learned = []
    >>> vectors = PastContent(lambda data: learned.append(data) or np.zeros((data.n_products, 2), np.float32))
    >>> tables = small_shop.tables()
    >>> shop = build(tables.products, tables.events, name="shop")
    >>> earliest, early, late = (shop.until(shop.watermark - days * 86_400.0) for days in (60, 40, 20))
    >>> [vectors(data).content.shape for data in (early, late)], len(learned)
    ([(40, 2), (40, 2)], 1)
    >>> _ = vectors(earliest)  # those of later days would know too much
    >>> len(learned)
    2
    """

    learn: Callable[[Dataset], Vectors | None]
    _known: Vectors | None = field(default=None, init=False)
    _watermark: float = field(default=float("inf"), init=False)

    def __call__(self, data: Dataset) -> Dataset:
        if data.watermark < self._watermark:
            self._known, self._watermark = self.learn(data), data.watermark
        return data.with_content(self._known)
