"""``predict.rate.v1``: the simple rule. The rate of events of one category, shrunken to the overall rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Values
from storewise.predict.models.labels import require_event


class RateConfig(Config):
    """``strength``: rows of the overall rate that each category's rate is mixed with; ``column``: the category to
    use, None for the one whose rates tell most."""

    strength: float = Field(default=50.0, gt=0)
    column: str | None = None


class Rate(Predictor[RateConfig]):
    """``(s + a·p) / (n + a)``: s events in n rows of the category, p the overall rate, a the strength.

    The category is the one whose rates, without the row itself, predict training rows best; where none is better
    than the overall rate, that is the answer for everybody. Missing is a category; an unseen one gets p.

    >>> rows = Rows.of(categories=[[1], [1], [2], [2]] * 9, category_names=("size",), sizes=(3,))
    >>> model = Rate()
    >>> model.train(Labelled(rows, np.array([1.0, 1.0, 0.0, 1.0] * 9)), rng=np.random.default_rng(0))
    >>> model.scores(rows.part(np.array([0, 2]))).round(2).tolist()
    [0.82, 0.68]
    """

    Config = RateConfig
    complexity = 0
    stops_early = False

    def __init__(self, config: RateConfig | None = None) -> None:
        super().__init__(config)
        self._rates: npt.NDArray[np.float64] | None = None  # by code + 1: missing first
        self._base, self._column = np.nan, ""

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        require_event(data)
        y, a = data.labels, self.config.strength
        self._base = float(y.mean())
        best, self._column, self._rates = (
            _loss(y, np.full(len(y), (y.sum() - y) / (len(y) - 1))),
            "",
            np.zeros(0),
        )
        for place, name in enumerate(data.rows.category_names):
            if self.config.column not in (None, name):
                continue
            codes = data.rows.categories[:, place] + 1
            n = np.bincount(codes, minlength=data.rows.sizes[place] + 1)
            s = np.bincount(codes, y, minlength=len(n))
            loss = _loss(y, (s[codes] - y + a * self._base) / (n[codes] - 1 + a))
            if loss < best:
                best, self._column = loss, name
                self._rates = (s + a * self._base) / (n + a)

    def scores(self, rows: Rows) -> Values:
        self.require(self._rates is not None)
        assert self._rates is not None
        if not self._column:
            return np.full(len(rows), self._base)
        codes = rows.categories[:, rows.category_names.index(self._column)] + 1
        known = codes < len(self._rates)
        return np.where(known, self._rates[np.where(known, codes, 0)], self._base)

    def contributions(self, rows: Rows) -> Contributions:
        """The category's log odds against the overall ones: the whole of it."""
        scores = self.scores(rows)
        base = float(np.log(self._base / (1 - self._base)))
        moved = np.log(scores / (1 - scores)) - base
        names = (self._column,) if self._column else ()
        return Contributions(names, moved[:, None] if names else np.zeros((len(rows), 0)), base)

    def state(self) -> Arrays:
        self.require(self._rates is not None)
        assert self._rates is not None
        column = np.frombuffer(self._column.encode(), np.uint8)
        return {"rates": self._rates, "base": np.array(self._base), "column": column}

    def restore(self, state: Arrays) -> None:
        self._rates, self._base = state["rates"], float(state["base"])
        self._column = state["column"].tobytes().decode()


def _loss(labels: Values, rates: Values) -> float:
    p = np.clip(rates, 1e-9, 1 - 1e-9)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))
