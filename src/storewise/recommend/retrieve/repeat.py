"""What this shopper buys again, when it is due by his own rhythm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import special

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.data.interactions import Histories, Interactions
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever, top_n

DAY_S = 86_400.0
Floats = npt.NDArray[np.float64]


class RepeatConfig(Config):
    """``horizon_days``: the score is the chance of a purchase within so many days. ``prior_gaps``: the
    product's own mean counts like so many gaps of the shopper, the shop's like so many of the product.
    ``prior_buyers``: the shop's share of purchases that are repeated counts like so many of the product's.
    ``min_purchases``: a product bought less often by this shopper is left to other retrievers."""

    horizon_days: float = Field(default=14.0, gt=0.0)
    prior_gaps: float = Field(default=2.0, ge=0.0)
    prior_buyers: float = Field(default=20.0, gt=0.0)
    min_purchases: int = Field(default=1, ge=1)


class Repeat(Retriever[RepeatConfig]):
    """Personal repurchase by a log-normal gap between purchases, with a chance to have stopped.

    Days between two purchases of a product are log-normal. The mean of the logarithm is blended from the
    shopper's own gaps, the product's and the shop's; the spread is the shop's. After t days without a
    purchase, with the share r of this product's purchases that were ever repeated,

        score = r (F(t + horizon) - F(t)) / (1 - r F(t)),

    the chance that the next purchase falls into the horizon, the shopper having perhaps stopped at the last
    one (a split-population survival model, after Schmidt & Witte 1989; for shops Bhagat et al. 2018). r grows
    with the shopper's own purchases. Only products of the history have a score.

    >>> days = np.array([0, 30, 60, 0]) * DAY_S
    >>> shop = Dataset.of([0, 0, 0, 1], [0, 0, 0, 1], at=days, n_customers=2, n_products=2)
    >>> model = Repeat()
    >>> model.train(shop, rng=np.random.default_rng(0))
    >>> model(Request(shop.histories([0], now=days.max() + 29 * DAY_S)), 1).reasons
    (Reason(kind='repeat', product=0, value=30.0, text=None),)
    """

    Config = RepeatConfig

    def __init__(self, config: RepeatConfig | None = None) -> None:
        super().__init__(config)
        self._log_gap: Floats | None = None  # (n_products,) blended mean of ln(days)
        self._again = np.zeros(0)  # (n_products,) share of purchases that were repeated
        self._spread = 1.0

    def train(self, dataset: Dataset, *, rng: np.random.Generator, progress: Progress | None = None) -> None:
        c, n = self.config, dataset.n_products
        lines = _Lines.of_all(dataset.interactions)
        log_gaps, of = np.log(lines.gap_days), lines.product[lines.gap_line]
        mean = float(log_gaps.mean()) if len(log_gaps) else np.log(30.0)
        self._spread = float(np.clip(log_gaps.std(), 0.25, 2.0)) if len(log_gaps) > 1 else 1.0
        count = np.bincount(of, minlength=n)
        sums = np.bincount(of, log_gaps, minlength=n)
        self._log_gap = (sums + c.prior_gaps * mean) / np.maximum(count + c.prior_gaps, 1e-9)
        purchases = np.bincount(lines.product, lines.times, minlength=n)
        share = len(log_gaps) / max(float(purchases.sum()), 1.0)
        self._again = (count + c.prior_buyers * share) / (purchases + c.prior_buyers)

    def state(self) -> Arrays:
        """``log_gap``, ``again`` (n_products,) and ``spread`` (1,)."""
        return {"log_gap": self._trained(), "again": self._again, "spread": np.array([self._spread])}

    def restore(self, state: Arrays) -> None:
        self._log_gap, self._again = state["log_gap"], state["again"]
        self._spread = float(state["spread"][0])

    def scores(self, histories: Histories) -> npt.NDArray[np.float32]:
        row, product, chance = self._chances(histories)
        out = np.full((len(histories), len(self._trained())), -np.inf, np.float32)
        out[row, product] = chance
        return out

    def finite(self, one: Histories) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        _, products, chance = self._chances(one)
        return products, chance

    def __call__(self, request: Request, n: int) -> ItemList:
        """As ``scores``, but looking at the history's products only."""
        _, product, chance = self._chances(request.history)
        allowed = None if request.eligible is None else request.eligible[product]
        best = top_n(chance, n, eligible=allowed)
        products = product[best.products]
        return ItemList(products, best.scores, tuple(self.reasons(request, products)))

    def _chances(
        self, histories: Histories
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Row, product (rising within a row) and chance of everything bought often enough."""
        log_gap, c = self._trained(), self.config
        lines = _Lines.of(histories)
        own = np.bincount(lines.gap_line, np.log(lines.gap_days), minlength=len(lines.product))
        gaps = lines.times - 1
        centre = (own + c.prior_gaps * log_gap[lines.product]) / np.maximum(gaps + c.prior_gaps, 1e-9)
        centre = np.where(gaps + c.prior_gaps > 0, centre, log_gap[lines.product])
        waited = np.maximum(histories.now[lines.row] - lines.last, 0.0) / DAY_S
        again = self._again[lines.product]
        again = (gaps + c.prior_gaps * again) / (gaps + c.prior_gaps) if c.prior_gaps else again
        before, after = (self._passed(t, centre) for t in (waited, waited + c.horizon_days))
        chance = again * (after - before) / np.maximum(1.0 - again * before, 1e-9)
        enough = lines.times >= c.min_purchases
        return lines.row[enough], lines.product[enough], chance[enough].astype(np.float32)

    def reasons(self, request: Request, products: npt.NDArray[np.int32]) -> list[Reason]:
        """The mean days between this shopper's own purchases; no value where there was only one."""
        lines = _Lines.of(request.history)
        total = np.bincount(lines.gap_line, lines.gap_days, minlength=len(lines.product))
        every = {
            int(product): float(days) / int(times - 1)
            for product, days, times in zip(lines.product, total, lines.times, strict=True)
            if times > 1
        }
        return [Reason("repeat", product=int(p), value=every.get(int(p))) for p in products]

    def _passed(self, days: Floats, centre: Floats) -> Floats:
        """Chance that a gap is shorter than ``days``."""
        with np.errstate(divide="ignore"):
            found: Floats = special.ndtr((np.log(days) - centre) / self._spread)
        return found

    def _trained(self) -> Floats:
        self.require(self._log_gap is not None)
        assert self._log_gap is not None
        return self._log_gap


class _Lines:
    """Purchases by (row, product): how often, when last, and the days between. Purchases of the same product
    on the same day (less than 12 hours apart) count as one."""

    def __init__(self, row: npt.NDArray[np.int64], product: npt.NDArray[np.int32], at: Floats) -> None:
        order = np.lexsort((at, product, row))
        row, product, at = row[order], product[order], at[order]
        same = (np.diff(row, prepend=-1) == 0) & (np.diff(product, prepend=-1) == 0)
        gap_days = np.diff(at, prepend=0.0) / DAY_S
        start = np.flatnonzero(~same)
        line = np.cumsum(~same) - 1
        counted = same & (gap_days >= 0.5)
        self.row, self.product = row[start], product[start]
        self.times = 1 + np.bincount(line, counted, minlength=len(start)).astype(np.int64)
        self.last: Floats = at[np.append(start[1:], len(at)) - 1] if len(at) else at
        self.gap_days: Floats = gap_days[counted]
        self.gap_line = line[counted]

    @classmethod
    def of(cls, histories: Histories) -> _Lines:
        return cls(histories.rows, histories.products, histories.at)

    @classmethod
    def of_all(cls, data: Interactions) -> _Lines:
        return cls(data.customers.astype(np.int64), data.products, data.at)
